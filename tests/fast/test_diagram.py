"""The picture of a network: what it must show, held to the graph; and that it can be read, held to the letters of a real font."""

import functools
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import matplotlib
import numpy as np
import pytest
import torch
from PIL import ImageFont
from torch import Tensor, nn
from torch.nn import functional as F

import etude
from etude.errors import UsageError
from etude.explain.nodes import Graph
from etude.explain.outline import outline
from etude.models import registry
from etude.report.diagram import SCREEN, diagram
from etude.report.items import channels
from etude.report.sheet import text_width
from etude.verification.exact import without_weights
from etude.verification.facts import graph_of

# ── Foreign networks ─────────────────────────────────────────────────────────────────────────────────────────────────

ODD = 'a<b>&"c"\x01\n名字'


class Transformer(nn.Module):
    """Attention, a learned position, a mean, and a module with a name that no XML takes as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm, self.out = nn.Conv2d(3, 32, 4, 4), nn.LayerNorm(32), nn.Linear(32, 10)
        self.query, self.key, self.value = (nn.Linear(32, 32) for _ in range(3))
        self.position = nn.Parameter(torch.zeros(1, 16, 32))
        self.add_module(ODD, nn.Linear(32, 32))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.position
        y = self.norm(x)
        weights = torch.softmax(self.query(y) @ self.key(y).transpose(1, 2), -1)
        x = torch.add(x, weights @ self.value(y), alpha=0.3)
        return self.out((x + F.gelu(getattr(self, ODD)(x))).mean(1))


class UNet(nn.Module):
    """Whatever goes down is used again on the way up."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.down3 = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1)
        self.up2, self.up1 = nn.Conv2d(96, 32, 3, padding=1), nn.Conv2d(48, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.down1(x).relu()
        b = self.down2(F.max_pool2d(a, 2)).relu()
        c = F.interpolate(self.down3(F.max_pool2d(b, 2)), scale_factor=2)
        d = F.interpolate(self.up2(torch.cat((c, b), 1)).relu(), scale_factor=2)
        return self.up1(torch.cat((d, a), 1))


class Pyramid(nn.Module):
    """Three outputs, each made with the help of the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in ((3, 8), (8, 16), (16, 32)))
        self.sides = nn.ModuleList(nn.Conv2d(a, 8, 1) for a in (8, 16, 32))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in self.stages:
            x = stage(x).relu()
            maps.append(x)
        found = [self.sides[2](maps[2])]
        for number in (1, 0):
            found.append(self.sides[number](maps[number]) + F.interpolate(found[-1], scale_factor=2))
        return found


class Features(nn.Module):
    """A dense block that keeps its maps in a list and joins them again in every layer."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(3 + 4 * i, 4, 3, padding=1) for i in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for layer in self.layers:
            maps.append(layer(torch.cat(maps, 1)))
        return torch.cat(maps, 1)


class Heads(nn.Module):
    """Several classifiers on one stem."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.heads = nn.Conv2d(3, 8, 3), nn.ModuleList(nn.Linear(8 * 36, n) for n in (2, 3, 5))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x).relu()
        return [head(x.flatten(1)) for head in self.heads]


class Twice(nn.Module):
    """What it adds and multiplies is the same tensor twice."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((x + x, x * x, x), 1)


FOREIGN = {
    "transformer": (Transformer(), (3, 16, 16)),
    "u-net": (UNet(), (3, 34, 34)),
    "pyramid": (Pyramid(), (3, 32, 32)),
    "features": (Features(6), (3, 8, 8)),
    "many features": (Features(20), (3, 8, 8)),
    "heads": (Heads(), (3, 8, 8)),
    "twice": (Twice(), (3, 8, 8)),
    "identity": (nn.Identity(), (3, 8, 8)),
}


# ── The pictures ─────────────────────────────────────────────────────────────────────────────────────────────────────


@functools.cache
def recorded(name: str, *options: tuple[str, Any]) -> Graph:
    if name in FOREIGN:
        return etude.graph(*FOREIGN[name])
    return etude.graph(without_weights(name, **dict(options)), registry.row(name).input)


GATED = ("shortcut", "exclusive_gating")
BLOCKS: list[tuple[str, str, tuple[tuple[str, Any], ...]]] = [
    ("lecture_inception", "incep1", ()),
    ("googlenet", "inception_3a", ()),
    ("googlenet", "aux1", ()),
    ("lecture_residual", "rblock1", ()),
    ("lecture_residual_scaled", "rblock1", ()),
    ("lecture_residual_conv", "rblock2", ()),
    ("resnet50", "conv2_x.0", ()),
    ("resnet50", "conv3_x.0", ()),
    ("resnet50", "conv4_x", ()),
    ("resnet20", "conv3_x.0", ()),
    ("lecture_densenet", "dense_block_1", ()),
    ("lecture_densenet", "dense_block_1.0", ()),
    ("densenet_40_12", "dense_block_1", ()),
    ("preact_resnet110", "conv2_x.1", ()),
    ("preact_resnet110", "conv3_x.0", ()),
    ("ablation_resnet110", "conv2_x.1", (GATED,)),
    ("ablation_resnet110", "conv3_x.0", (GATED,)),
    ("ablation_resnet110", "conv2_x.1.join", (GATED,)),
    ("ablation_resnet110", "conv2_x.1", (("shortcut", "shortcut_only_gating"),)),
    ("lecture_inception", "mp", ()),
    ("transformer", ODD, ()),
]
WHOLE = [*registry.names("lecture"), "resnet50", "googlenet", *FOREIGN]


@functools.cache
def drawn(name: str, only: str = "", *options: tuple[str, Any]) -> Element:
    return ElementTree.fromstring(diagram(recorded(name, *options), only=only, title=f"{name} {only}"))


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def holds(self, other: "Box") -> bool:
        return self.left <= other.left and self.top <= other.top and other.right <= self.right and other.bottom <= self.bottom

    def meets(self, other: "Box") -> bool:
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

    def shrunk(self, by: float) -> "Box":
        return Box(self.left + by, self.top + by, self.right - by, self.bottom - by)


def tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def classes(element: Element) -> list[str]:
    return element.get("class", "").split()


def number(element: Element, name: str) -> float:
    return float(element.get(name, "nan"))


def things(root: Element, x: float = 0.0, y: float = 0.0) -> Iterator[tuple[Element, Element, float, float]]:
    """Every element that shows, what it stands in, and how far it is moved."""
    for child in root:
        moved = re.fullmatch(r"translate\((\S+) (\S+)\)", child.get("transform", ""))
        dx, dy = (x + float(moved[1]), y + float(moved[2])) if moved else (x, y)
        yield child, root, dx, dy
        yield from things(child, dx, dy)


@functools.cache
def font(bold: bool, size: float) -> ImageFont.FreeTypeFont:
    """The widest of the usual fonts, many times as large, so that hinting does not count."""
    fonts = Path(matplotlib.get_data_path()) / "fonts/ttf"
    return ImageFont.truetype(
        str(fonts / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")), 16 * size, layout_engine=ImageFont.Layout.BASIC
    )


def text_box(text: Element, dx: float, dy: float) -> Box:
    size = number(text, "font-size")
    width = font("strong" in classes(text), size).getlength(text.text or "") / 16
    left = number(text, "x") + dx - {"start": 0, "middle": width / 2, "end": width}[text.get("text-anchor", "start")]
    return Box(left, number(text, "y") + dy - 0.76 * size, left + width, number(text, "y") + dy + 0.24 * size)


def shape_box(shape: Element, dx: float, dy: float) -> Box:
    if tag(shape) == "circle":
        x, y, r = (number(shape, name) for name in ("cx", "cy", "r"))
        return Box(x + dx - r, y + dy - r, x + dx + r, y + dy + r)
    x, y = number(shape, "x") + dx, number(shape, "y") + dy
    return Box(x, y, x + number(shape, "width"), y + number(shape, "height"))


def points_of(path: Element, dx: float, dy: float) -> Iterator[tuple[float, float]]:
    """Points on a path, at most a few pixels apart."""
    x = y = 0.0
    for command, values in re.findall(r"([MHVLCQZ])([^MHVLCQZ]*)", path.get("d", "")):
        given = [float(value) for value in values.split()]
        ends = {"H": [*given, y], "V": [x, *given], "Z": [x, y]}.get(command, given)
        corners = [(x, y), *zip(ends[::2], ends[1::2], strict=True)] if command != "M" else [(ends[0], ends[1])]
        steps = max(1, math.ceil(math.dist(corners[0], corners[-1]) / 2))
        for t in (step / steps for step in range(steps + 1)):
            inner = corners
            while len(inner) > 1:  # de Casteljau
                inner = [(a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])) for a, b in itertools.pairwise(inner)]
            yield inner[0][0] + dx, inner[0][1] + dy
        x, y = ends[-2:]


def faults(root: Element) -> list[str]:
    """Everything that makes a picture hard to read."""
    x, y, width, height = (float(value) for value in root.get("viewBox", "").split())
    page = Box(x, y, x + width, y + height)
    found: list[str] = []
    texts: list[tuple[Box, str | None]] = []
    boxes: list[Box] = []
    lines: list[tuple[float, float]] = []
    for element, parent, dx, dy in things(root):
        if tag(element) == "text":
            box = text_box(element, dx, dy)
            texts.append((box, element.text))
            around = (
                [shape_box(shape, dx, dy) for shape in parent if tag(shape) in ("rect", "circle")]
                if {"box", "join"} & {*classes(parent)}
                else [page]
            )
            found += [f"{element.text!r} leaves its place"] * (not any(shape.holds(box) for shape in around))
            found += [f"{element.text!r} leaves the page"] * (not page.holds(box))
        elif tag(element) in ("rect", "circle"):
            box = shape_box(element, dx, dy)
            found += [f"{classes(element)} leaves the page"] * (not page.holds(box))
            if {"box", "join"} & {*classes(parent)}:
                boxes.append(box.shrunk(3.4 if tag(element) == "circle" else 0.1))
        elif tag(element) == "path" and "wire" in classes(element):
            lines += points_of(element, dx, dy)
    for some in ([box for box, _ in texts], boxes):
        sides = np.array([(b.left, b.top, b.right, b.bottom) for b in some]).reshape(-1, 4).T
        left, top, right, bottom = (side[:, None] for side in sides)
        meet = (left < right.T) & (right > left.T) & (top < bottom.T) & (bottom > top.T)
        found += [f"{some[a]} meets {some[b]}" for a, b in np.argwhere(np.triu(meet, 1))]
    points = np.array(lines).reshape(-1, 2)
    for box, what in [*texts, *((box, "a box") for box in boxes)]:
        within = (
            (points[:, 0] > box.left + 0.2)
            & (points[:, 0] < box.right - 0.2)
            & (points[:, 1] > box.top + 0.2)
            & (points[:, 1] < box.bottom - 0.2)
        )
        lies = bool(within.any()) and not any(b.holds(box) for b in boxes if b is not box)
        found += [f"a line runs through {what!r} at {box}"] * lies
    return found


@pytest.mark.parametrize(("name", "only", "options"), [*BLOCKS, *((name, "", ()) for name in WHOLE)])
def test_nothing_overlaps_and_nothing_is_cut_off(name: str, only: str, options: tuple[tuple[str, Any], ...]) -> None:
    root = drawn(name, only, *options)
    assert faults(root) == []
    assert any(tag(element) == "text" for element, *_ in things(root))


@pytest.mark.parametrize("name", registry.names())
def test_every_network_fits_a_screen(name: str) -> None:
    """Drawn from its paper's table, which has the same outline as what runs."""
    root = ElementTree.fromstring(diagram(graph_of(name), title=name))
    assert faults(root) == []
    assert float(root.get("viewBox", "").split()[2]) <= SCREEN


def test_widths_of_text_are_estimated_generously() -> None:
    """Against DejaVu Sans, the widest of the usual fonts."""
    texts = [element for name in WHOLE for element, *_ in things(drawn(name)) if tag(element) == "text"]
    for element in texts:
        size, text = number(element, "font-size"), element.text or ""
        assert font("strong" in classes(element), size).getlength(text) / 16 <= text_width(text, size, "strong" in classes(element)), text


def test_lines_run_beside_each_other() -> None:
    """The last concatenation of twenty layers takes twenty-one tensors; but for the newest, each comes down a line of its own."""
    wires = [element.get("d", "") for element, *_ in things(drawn("many features")) if "wire" in classes(element)]
    down = {x for wire in wires for x, y0, y1 in re.findall(r"^M(\S+) (\S+)V(\S+)$", wire) if float(y1) - float(y0) > 20}
    assert len(down) >= 20


# ── What it shows ────────────────────────────────────────────────────────────────────────────────────────────────────


def of_class(root: Element, name: str) -> list[Element]:
    return [element for element, *_ in things(root) if name in classes(element)]


def words(root: Element) -> list[str]:
    return [element.text or "" for element, *_ in things(root) if tag(element) == "text"]


def titled(root: Element) -> dict[str, Box]:
    """What is drawn by its tooltip."""
    return {
        (thing.findtext("{*}title") or ""): Box(
            min(b.left for b in boxes), min(b.top for b in boxes), max(b.right for b in boxes), max(b.bottom for b in boxes)
        )
        for thing, _, dx, dy in things(root)
        if {"box", "join"} & {*classes(thing)}
        for boxes in [[shape_box(shape, dx, dy) for shape in thing if tag(shape) in ("rect", "circle")]]
    }


def inside(graph: Graph, path: str, op: str) -> int:
    return sum(node.op == op and (node.path == path or node.path.startswith(f"{path}.")) for node in graph.nodes)


@pytest.mark.parametrize(("name", "only", "options"), [row for row in BLOCKS if row[1] not in ("conv4_x", ODD)])
def test_a_block_has_all_its_operators_and_no_other(name: str, only: str, options: tuple[tuple[str, Any], ...]) -> None:
    graph, root = recorded(name, *options), drawn(name, only, *options)
    for op in ("add", "multiply", "concat"):
        assert len(of_class(root, op)) == inside(graph, only, op)
    paths = {node.path for node in graph.nodes if node.path == only or node.path.startswith(f"{only}.")}
    shown = {line.partition(": ")[0] for title in titled(root) if title != "input" for line in title.split("\n")}
    assert shown == paths
    assert sum(text.count("+") for text in words(root)) == inside(graph, only, "add")


def test_gates_multiply() -> None:
    root = drawn("ablation_resnet110", "conv2_x.1", GATED)
    assert (len(of_class(root, "multiply")), len(of_class(root, "add"))) == (2, 1)
    assert {"×", "+", "1 − g", "sigmoid"} <= {*words(root)}
    assert len(of_class(drawn("ablation_resnet110", "conv2_x.1.join", GATED), "pill")) == 2  # x and F flow in


@pytest.mark.parametrize("name", ["resnet50", "lecture_residual", "lecture_densenet", "googlenet"])
def test_a_whole_network_has_every_part_of_its_outline_once(name: str) -> None:
    parts = outline(recorded(name))
    joins = [line.text for part in parts for line in part.lines if line.role == "join"]
    root = drawn(name)
    assert len(of_class(root, "add")) == sum(text.startswith("add") for text in joins)
    assert len(of_class(root, "concat")) == joins.count("concat")
    repeats = [f"×{part.count}" for part in parts if part.count > 1]
    assert [text for text in words(root) if re.fullmatch(r"×\d+", text)] == repeats
    assert {part.place for part in parts if part.count == 1 and part.place} <= {*words(root)}


def test_channels_are_the_first_of_a_map_of_any_dimension() -> None:
    assert [channels(shape) for shape in ((), (7,), (8, 5, 5), (8, 5, 5, 5))] == [1, 7, 8, 8]


def test_segments_are_as_wide_as_their_share_of_the_channels() -> None:
    (bar,) = of_class(drawn("googlenet", "inception_3a"), "concat")
    widths = [number(segment, "width") for segment in bar.iter() if "segment" in classes(segment)]
    assert [round(width / sum(widths) * 256) for width in widths] == [64, 128, 32, 32]
    colours = [classes(segment)[1] for segment in bar.iter() if "segment" in classes(segment)]
    assert len({*colours}) == 4
    assert {*colours} <= {name for wire in of_class(drawn("googlenet", "inception_3a"), "wire") for name in classes(wire)}


def test_a_dense_block_keeps_what_each_layer_adds() -> None:
    """Segment by segment: the input, and 12 maps from every layer so far."""
    bars = of_class(drawn("densenet_40_12", "dense_block_1"), "concat")
    assert len(bars) == 12
    colours = [[classes(segment)[1] for segment in bar.iter() if "segment" in classes(segment)] for bar in bars]
    assert all(less == more[:-1] for less, more in itertools.pairwise(colours))  # what a layer adds keeps its colour
    assert len({*colours[7]}) == 9
    for layer, bar in enumerate(bars, start=1):
        widths = [number(segment, "width") for segment in bar.iter() if "segment" in classes(segment)]
        assert [width / sum(widths) * (16 + 12 * layer) for width in widths] == pytest.approx([16] + layer * [12], abs=0.1)


def test_boxes_are_the_wider_the_more_channels_they_give() -> None:
    graph, boxes = recorded("resnet50"), titled(drawn("resnet50"))
    found = []
    for title, box in boxes.items():
        path = title.partition(": ")[0]
        found += [
            (node.shape[0], box.right - box.left) for node in graph.nodes if node.path == path and node.op == "conv" and node.stride == 1
        ]
    channels, widths = zip(*sorted(found), strict=True)
    assert list(widths) == sorted(widths)
    assert {*channels} == {64, 128, 256, 512, 1024, 2048}
    assert widths[-1] > 2 * widths[0]


def test_data_flows_down() -> None:
    """Every operator stands below what it uses; branches of an Inception module side by side."""
    graph, boxes = recorded("lecture_inception"), titled(drawn("lecture_inception", "incep1"))
    at = {title.partition(": ")[0]: box for title, box in boxes.items() if not title.startswith("incep1: ")}
    for node in graph.nodes:
        for source in (graph.nodes[index] for index in node.inputs if index >= 0):
            if node.path in at and source.path in at and node.path != source.path:
                assert at[source.path].bottom < at[node.path].top
    branches = [at[f"incep1.{name}"] for name in ("branch1x1", "branch5x5_1", "branch3x3_1", "branch_pool")]
    assert all(one.right < other.left for one, other in itertools.pairwise(branches))


def test_heads_stand_beside_the_trunk() -> None:
    boxes = titled(drawn("googlenet"))
    trunk = max(box.right for title, box in boxes.items() if not title.startswith("aux"))
    heads = [box for title, box in boxes.items() if title.startswith("aux")]
    assert len(heads) == 10
    assert all(box.left > trunk for box in heads)
    assert len(of_class(drawn("googlenet"), "aside")) == 2


def test_sizes_stand_on_the_lines() -> None:
    assert {"3×224×224", "256×28×28", "2048×7×7", "1000"} & {*words(drawn("resnet50"))} == {"3×224×224", "2048×7×7", "1000"}
    block = words(drawn("resnet50", "conv3_x.0"))
    assert {"256×56×56", "128×28×28", "512×28×28"} <= {*block}
    assert "24…40×14×14" in words(drawn("lecture_densenet"))  # of the first repeat and of the last


def test_the_legend_names_what_occurs() -> None:
    kinds = {"convolution", "normalisation", "activation", "pooling", "linear", "dropout", "other"}
    assert kinds & {*words(drawn("lecture_residual"))} == {"convolution", "activation", "pooling", "linear", "other"}
    assert kinds & {*words(drawn("googlenet"))} == kinds
    assert kinds & {*words(drawn("lecture_inception", "incep1"))} == {"convolution", "pooling"}
    assert {"normalisation", "activation", "linear"} <= {*words(drawn("transformer"))}


# ── The document ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", WHOLE)
def test_a_picture_stands_alone(name: str) -> None:
    text = diagram(recorded(name), title=name)
    root = ElementTree.fromstring(text)
    assert text.count("http") == 1  # the namespace
    assert not {"script", "image", "use", "a", "foreignObject"} & {tag(element) for element in root.iter()}
    assert not re.search(r"\b(href|src|url|import|id)\b", text)
    assert (root.get("width"), root.get("role")) == ("100%", "img")
    assert name in root.get("aria-label", "")
    assert "@media (prefers-color-scheme: dark)" in text and "sans-serif" in text
    used = {name for element in root.iter() for name in classes(element)}
    assert used - set(re.findall(r"\.([\w-]+)", text)) <= {"box", "join", "add", "multiply", "concat"}  # all others have a style


def test_the_same_graph_gives_the_same_text() -> None:
    again = etude.graph(without_weights("googlenet"), (3, 224, 224))
    assert diagram(again, title="x") == diagram(recorded("googlenet"), title="x")


def test_odd_names_are_escaped() -> None:
    root = drawn("transformer")
    assert 'a<b>&"c"\ufffd\n名字: linear 32' in titled(root)
    assert 'a<b>&"c"\ufffd 名字' in " ".join(words(drawn("transformer", ODD)))
    title = ElementTree.fromstring(diagram(recorded("identity"), title="<&>"))
    assert words(title)[-1] == "<&>"


def test_an_unknown_block_is_answered_with_the_nearest() -> None:
    for name, only, near in [
        ("googlenet", "inception_3x", "inception_3a"),
        ("resnet50", "conv2_x.9", "conv2_x.0"),
        ("resnet50", "conv3_x.0.conv9", "conv3_x.0.conv1"),
        ("lecture_residual", "zzz", "rblock1"),
    ]:
        with pytest.raises(UsageError, match=re.escape(only)) as raised:
            diagram(recorded(name), only=only)
        assert near in str(raised.value)
