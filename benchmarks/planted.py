"""Departures planted two and three at a time, and whether `verify` names them all and invents none.

A network of the registry is written from its paper's table as a module that runs one operator after the other, with two or three of them
changed. What was changed is this program's own list; the checker sees a module. A case is right where every planted departure is named,
at its place, with its words, and as many operators are said to depart as were changed.

    python benchmarks/planted.py [CASES] [FIRST SEED]
"""

import itertools
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from etude.models import registry
from etude.papers import Step
from etude.verification.facts import steps_of
from etude.verification.judge import verify
from etude.verification.verdict import Verification

NETWORKS: dict[str, tuple[dict[str, Any], tuple[int, int, int] | None]] = {
    "resnet18": ({"units": (2, 2, 1, 1)}, (3, 64, 64)),
    "resnet50": ({"units": (1, 2, 2, 1)}, (3, 64, 64)),
    "resnet50@v15": ({"units": (2, 1, 2, 1)}, (3, 64, 64)),
    "resnet20": ({}, None),
    "resnet20@b": ({"depth": 14}, None),
    "plain20": ({}, None),
    "preact_resnet110": ({"depth": 20}, None),
    "preact_resnet164": ({"depth": 20}, None),
    "densenet_40_12": ({"depth": 16}, None),
    "densenet_bc_100_12": ({"depth": 22}, None),
    "densenet121": ({"layers": (2, 3, 2, 2)}, (3, 64, 64)),
    "googlenet": ({}, (3, 96, 96)),
    "lecture_inception": ({}, None),
    "lecture_residual": ({}, None),
    "lecture_densenet": ({}, None),
}


@dataclass(frozen=True)
class Planted:
    """One change: how many operators it concerns, the block or layer that must be named, and words that must stand beside it."""

    kind: str
    count: int
    place: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Op:
    """An operator of the module that is written; `by` the operators that feed it, by their names."""

    name: str
    step: Step
    by: tuple[str, ...]
    run: Callable[..., Tensor] | None = None


# ── The module ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Written(nn.Module):
    """Runs operators one after the other. Made on the first images, so that every size follows from what comes in."""

    def __init__(self, ops: list[Op], outputs: list[str]) -> None:
        super().__init__()
        self.ops, self.ends, self.layers = ops, outputs, nn.ModuleDict()

    def outputs(self, x: Tensor) -> tuple[Tensor, ...]:
        made = {"image": x}
        for op in self.ops:
            made[op.name] = self.apply_(op, [made[name] for name in op.by])
        return tuple(made[name] for name in self.ends)

    def forward(self, x: Tensor) -> Tensor:
        return self.outputs(x)[0]

    def apply_(self, op: Op, inputs: list[Tensor]) -> Tensor:
        step, x = op.step, inputs[0]
        if op.run:
            return op.run(*inputs)
        window: dict[str, Any] = {"stride": step.stride, "padding": step.padding or 0}
        match step.op:
            case "conv" | "linear" | "batch_norm" | "dropout":
                if op.name not in self.layers:
                    self.layers[op.name] = layer(step, x.shape[1])
                return self.layers[op.name](x)
            case "relu":
                return F.relu(x)
            case "max_pool":
                return F.max_pool2d(x, step.kernel, **window, ceil_mode=step.ceil)  # type: ignore[arg-type]
            case "avg_pool":
                return F.avg_pool2d(x, step.kernel, **window, ceil_mode=step.ceil)  # type: ignore[arg-type]
            case "adaptive_avg_pool":
                return F.adaptive_avg_pool2d(x, step.shape[-1])
            case "global_avg_pool":
                return x.mean(dim=(2, 3))
            case "local_response_norm":
                return F.local_response_norm(x, step.kernel)  # type: ignore[arg-type]
            case "flatten":
                return x.flatten(1)
            case "add":
                return sum(inputs[1:], x)
            case "concat":
                return torch.cat(inputs, dim=1)
            case "slice":
                return x[:, :, :: step.stride, :: step.stride]
            case "pad":
                return F.pad(x, (0, 0, 0, 0, 0, step.shape[0] - x.shape[1]))
        raise AssertionError(step.op)


def layer(step: Step, channels: int) -> nn.Module:
    match step.op:
        case "conv":
            window: Any = {"stride": step.stride, "padding": step.padding, "bias": step.bias}
            return nn.Conv2d(channels, step.shape[0], step.kernel, **window)  # type: ignore[arg-type]
        case "linear":
            return nn.Linear(channels, step.shape[0], bias=step.bias)
        case "batch_norm":
            return nn.BatchNorm2d(channels)
    return nn.Dropout(step.factor or 0)


# ── What is planted ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Garden:
    """A network on its way to being changed; `touched` are the places that have been, and what lies next to them."""

    steps: tuple[Step, ...]
    random: random.Random
    ops: list[Op] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)
    touched: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        names = {-1: "image", **{step.index: f"op{step.index}" for step in self.steps}}
        self.ops = [Op(names[step.index], step, tuple(names[i] for i in step.inputs)) for step in self.steps]

    def free(self, wanted: Callable[[Step], bool]) -> list[Step]:
        return [step for step in self.steps if wanted(step) and step.index not in self.touched]

    def at(self, name: str) -> int:
        return next(i for i, op in enumerate(self.ops) if op.name == name)

    def change(self, step: Step, **facts: Any) -> None:
        place = self.at(f"op{step.index}")
        self.ops[place] = replace(self.ops[place], step=replace(step, **facts))

    def instead(self, step: Step, run: Callable[..., Tensor]) -> None:
        place = self.at(f"op{step.index}")
        self.ops[place] = replace(self.ops[place], run=run)

    def feed(self, old: str, new: str, *, but: str = "") -> None:
        """Whoever took `old` takes `new`."""
        self.ops = [
            replace(op, by=tuple(new if name == old else name for name in op.by)) if op.name not in (new, but) else op for op in self.ops
        ]

    def remove(self, step: Step, to: int = 0) -> None:
        place = self.at(f"op{step.index}")
        self.feed(f"op{step.index}", self.ops[place].by[to])
        del self.ops[place]

    def behind(self, step: Step, new: Step, run: Callable[..., Tensor] | None = None) -> None:
        """One more operator behind another."""
        name = f"new{len(self.ops)}x{step.index}"
        self.ops.insert(self.at(f"op{step.index}") + 1, Op(name, new, (f"op{step.index}",), run))
        self.feed(f"op{step.index}", name)

    def note(self, kind: str, count: int, place: str, *words: str, steps: Iterator[int] | list[int]) -> None:
        self.planted.append(Planted(kind, count, place, words))
        for index in steps:
            near = {index, *self.steps[index].inputs, *(s.index for s in self.steps if index in s.inputs)}
            self.touched |= near

    # names

    def layer_of(self, step: Step) -> str:
        """The path of a step or of what it follows."""
        start = step
        while (not step.path or (step is not start and "pool" in step.op)) and step.inputs[0] >= 0:
            step = self.steps[step.inputs[0]]
        return step.path

    def after(self, step: Step) -> list[Step]:
        return [other for other in self.steps if step.index in other.inputs]

    def units(self) -> dict[str, list[Step]]:
        found: dict[str, list[Step]] = {}
        for step in self.steps:
            if match := re.match(r"(.*\.\d+)(\.|$)", step.path):
                found.setdefault(match[1], []).append(step)
        return found


Plant = Callable[[Garden], bool]


def pick(garden: Garden, wanted: Callable[[Step], bool]) -> Step | None:
    steps = [step for step in garden.free(wanted) if not step.side]
    return garden.random.choice(steps) if steps else None


def is_conv(step: Step) -> bool:
    return step.op == "conv"


def kernel(garden: Garden) -> bool:
    step = pick(garden, is_conv)
    if step is None:
        return False
    assert isinstance(step.kernel, int)
    assert isinstance(step.padding, int)
    size = garden.random.choice([size for size in (1, 3, 5) if size != step.kernel])
    padding = max(0, step.padding + (size - step.kernel) // 2)
    if padding * 2 - size != step.padding * 2 - step.kernel:
        return False
    garden.change(step, kernel=size, padding=padding)
    garden.note("kernel", 1, garden.layer_of(step), f"{size}×{size}", steps=[step.index])
    return True


def stride(garden: Garden) -> bool:
    """The stride moved from one convolution of a unit to the next, so that sizes stay."""
    units = [unit for unit in garden.units().values() if not any(step.index in garden.touched for step in unit)]
    pairs = [
        (a, b)
        for unit in units
        for convs in [[step for step in unit if is_conv(step) and step.path.endswith(("conv1", "conv2"))]]
        for a, b in itertools.pairwise(convs)
        if {a.stride, b.stride} == {1, 2}
    ]
    if not pairs:
        return False
    a, b = garden.random.choice(pairs)
    garden.change(a, stride=b.stride)
    garden.change(b, stride=a.stride)
    garden.note("stride", 2, a.path, f"stride {b.stride}", steps=list(range(a.index, b.index + 1)))
    return True


def padding(garden: Garden) -> bool:
    """A convolution without its padding, and its maps padded elsewhere: in the next one."""
    pairs = [
        (a, b)
        for a in garden.free(is_conv)
        for b in garden.free(is_conv)
        if b.index > a.index and b.padding and a.padding and b.stride == 1 and a.stride == 1
        if only_between(garden, a, b)
    ]
    if not pairs:
        return False
    a, b = garden.random.choice(pairs)
    assert isinstance(a.padding, int)
    assert isinstance(b.padding, int)
    garden.change(a, padding=a.padding - 1)
    garden.change(b, padding=b.padding + 1)
    garden.note("padding", 2, garden.layer_of(a), f"padding {a.padding - 1}", steps=list(range(a.index, b.index + 1)))
    return True


def only_between(garden: Garden, a: Step, b: Step) -> bool:
    """Whether only activations stand between two operators."""
    step = b
    while step.inputs[0] != a.index:
        step = garden.steps[step.inputs[0]]
        if step.index < a.index or step.op not in ("relu", "batch_norm") or step.index in garden.touched:
            return False
    return all(len(garden.after(one)) == 1 for one in garden.steps[a.index : b.index])


def maps(garden: Garden) -> bool:
    """Fewer maps inside of a block: the next convolution takes what comes."""

    def inner(step: Step) -> bool:
        return is_conv(step) and any(
            only_between(garden, step, other) for other in garden.steps if is_conv(other) and other.index > step.index
        )

    step = pick(garden, inner)
    if step is None:
        return False
    wanted = step.shape[0] + garden.random.choice([-4, 4, 8])
    garden.change(step, shape=(wanted, *step.shape[1:]))
    garden.note("maps", 1, garden.layer_of(step), f"{wanted} maps", steps=[step.index])
    return True


def bias(garden: Garden) -> bool:
    step = pick(garden, lambda one: one.op in ("conv", "linear"))
    if step is None:
        return False
    garden.change(step, bias=not step.bias)
    garden.note("bias", 1, garden.layer_of(step), "no bias" if step.bias else "a bias", steps=[step.index])
    return True


def norm_missing(garden: Garden) -> bool:
    step = pick(garden, lambda one: one.op == "batch_norm")
    if step is None:
        return False
    garden.remove(step)
    garden.note("norm missing", 1, place_behind(garden, step), "BN", "missing", steps=[step.index])
    return True


def place_behind(garden: Garden, step: Step) -> str:
    """The block of a step; of one outside of all blocks, what it follows."""
    path = garden.layer_of(step)
    return path.rpartition(".")[0] or path


def norm_added(garden: Garden) -> bool:
    step = pick(garden, lambda one: is_conv(one) and garden.after(one)[0].op != "batch_norm")
    if step is None:
        return False
    garden.behind(step, replace(step, op="batch_norm"))
    after = garden.after(step)
    garden.note("norm added", 1, "", "BN", "in front", steps=[step.index, *(one.index for one in after)])
    return True


def relu_missing(garden: Garden) -> bool:
    step = pick(garden, lambda one: one.op == "relu" and one.inputs[0] >= 0)
    if step is None or shown_twice(garden, step):
        return False
    garden.remove(step)
    garden.note("relu missing", 1, place_behind(garden, step), "ReLU", "missing", steps=[step.index])
    return True


def shown_twice(garden: Garden, step: Step) -> bool:
    """Whether the network is the same without a ReLU: behind another, with nothing but pools between."""
    before = garden.steps[step.inputs[0]]
    return before.op in ("relu", "max_pool") and before.op == "relu"


def relu_added(garden: Garden) -> bool:
    step = pick(garden, lambda one: one.op in ("conv", "add", "batch_norm") and "relu" not in reach(garden, one))
    if step is None:
        return False
    garden.behind(step, replace(step, op="relu"))
    garden.note("relu added", 1, "", "ReLU", "in front", steps=[step.index, *(one.index for one in garden.after(step))])
    return True


def reach(garden: Garden, step: Step) -> set[str]:
    """The operators behind a step, those behind a pool too."""
    return {one.op for one in garden.after(step)} | {o.op for one in garden.after(step) if "pool" in one.op for o in garden.after(one)}


def relu_other(garden: Garden) -> bool:
    step = pick(garden, lambda one: one.op == "relu")
    if step is None:
        return False
    others: dict[str, Callable[..., Tensor]] = {"gelu": F.gelu, "leaky_relu": F.leaky_relu, "silu": F.silu, "sigmoid": torch.sigmoid}
    name, run = garden.random.choice([*others.items()])
    garden.instead(step, run)
    garden.note("relu other", 1, place_behind(garden, step), name, steps=[step.index])
    return True


def pool_kind(garden: Garden) -> bool:
    step = pick(garden, lambda one: one.op in ("max_pool", "avg_pool"))
    if step is None:
        return False
    new = "avg_pool" if step.op == "max_pool" else "max_pool"
    garden.change(step, op=new)
    garden.note("pool kind", 1, "", "average pool" if new == "avg_pool" else "max pool", steps=[step.index])
    return True


def pool_missing(garden: Garden) -> bool:
    step = pick(garden, lambda one: one.op in ("max_pool", "avg_pool") and one.stride == 2)
    if step is None or any(one.op == "flatten" for one in garden.after(step)):
        return False
    if not any(one.op == "global_avg_pool" for one in garden.steps):
        return False
    garden.remove(step)
    garden.note("pool missing", 1, "", "pool", "missing", steps=[step.index])
    return True


def pool_extra(garden: Garden) -> bool:
    if not any(one.op == "global_avg_pool" for one in garden.steps):
        return False
    step = pick(garden, lambda one: one.op == "relu" and len(garden.after(one)) == 1 and garden.after(one)[0].op == "global_avg_pool")
    if step is None:
        return False
    garden.behind(step, replace(step, op="max_pool", kernel=2, stride=1, padding=1))
    garden.note("pool extra", 1, "", "max pool", "in front", steps=[step.index, *(one.index for one in garden.after(step))])
    return True


def plain_units(garden: Garden) -> list[str]:
    """Units that keep size and channels, or feed a concatenation: one more or less fits.

    Of stages in which nothing is changed: a copy of a unit with another ReLU in front of it is, in fewer words, one unit too many.
    """
    found = []
    for name, unit in garden.units().items():
        before = min(i for step in unit for i in step.inputs)
        stage = name.rpartition(".")[0]
        alike = sum(other.startswith(f"{stage}.") for other in garden.units())
        fresh = before >= 0 and alike > 1 and not any(step.index in garden.touched for step in stage_of(garden, stage))
        if fresh and garden.steps[before].shape == unit[-1].shape and unit[-1].op in ("add", "relu"):
            found.append(name)
    return found


def unit_missing(garden: Garden) -> bool:
    names = plain_units(garden)
    if not names:
        return False
    name = garden.random.choice(names)
    unit = garden.units()[name]
    before = min(i for step in unit for i in step.inputs)
    garden.feed(f"op{unit[-1].index}", f"op{before}")
    garden.ops = [op for op in garden.ops if op.name not in {f"op{step.index}" for step in unit}]
    stage = name.rpartition(".")[0]
    garden.note("unit missing", len(unit), stage, "unit", "missing", steps=[step.index for step in stage_of(garden, stage)])
    return True


def stage_of(garden: Garden, stage: str) -> list[Step]:
    """All steps of a stage: units of a stage are alike, so that nothing else may be planted among them."""
    return [step for step in garden.steps if step.path.startswith(f"{stage}.")]


def unit_extra(garden: Garden) -> bool:
    names = plain_units(garden)
    if not names:
        return False
    name = garden.random.choice(names)
    unit = garden.units()[name]
    last, before = unit[-1], min(i for step in unit for i in step.inputs)
    again = {f"op{step.index}": f"again{step.index}" for step in unit} | {f"op{before}": f"op{last.index}"}
    copies = [Op(again[f"op{step.index}"], step, tuple(again.get(f"op{i}", f"op{i}") for i in step.inputs)) for step in unit]
    garden.feed(f"op{last.index}", f"again{last.index}")
    at = garden.at(f"op{last.index}") + 1
    garden.ops[at:at] = copies
    stage = name.rpartition(".")[0]
    garden.note("unit extra", len(unit), stage, "one unit too many", steps=[step.index for step in stage_of(garden, stage)])
    return True


def unit_other(garden: Garden) -> bool:
    """Two 3×3 convolutions for a bottleneck, a bottleneck for two."""
    names = [name for name in plain_units(garden) if garden.units()[name][-1].op == "relu"]
    if not names:
        return False
    name = garden.random.choice(names)
    unit = garden.units()[name]
    before, add, last = f"op{min(i for s in unit for i in s.inputs)}", unit[-2], unit[-1]
    convs, norms = [s for s in unit if is_conv(s)], [s for s in unit if s.op == "batch_norm"]
    if add.op != "add" or len(norms) != len(convs):
        return False
    channels = last.shape[0]
    wanted = [(3, channels), (3, channels)] if len(convs) == 3 else [(1, channels // 4), (3, channels // 4), (1, channels)]
    inner = [op for op in garden.ops if op.name in {f"op{s.index}" for s in unit[:-2]}]
    at = garden.at(inner[0].name)
    garden.ops = [op for op in garden.ops if op not in inner]
    by, fresh = before, list[Op]()
    for number, (size, out) in enumerate(wanted):
        conv = replace(convs[0], shape=(out, *last.shape[1:]), kernel=size, padding=size // 2, stride=1)
        fresh += [Op(f"c{last.index}_{number}", conv, (by,)), Op(f"n{last.index}_{number}", norms[0], (f"c{last.index}_{number}",))]
        by = f"n{last.index}_{number}"
        if number < len(wanted) - 1:
            fresh.append(Op(f"r{last.index}_{number}", last, (by,)))
            by = f"r{last.index}_{number}"
    garden.ops[at:at] = fresh
    place = garden.at(f"op{add.index}")
    garden.ops[place] = replace(garden.ops[place], by=(before, by))
    steps = [step.index for step in stage_of(garden, name.rpartition(".")[0])]
    garden.note("unit other", len(unit), name, "two 3×3" if len(convs) == 3 else "1×1, 3×3, 1×1", steps=steps)
    return True


def shortcut_missing(garden: Garden) -> bool:
    step = pick(garden, lambda one: one.op == "add")
    if step is None:
        return False
    ways = [garden.steps[i] for i in step.inputs]
    short = min(range(2), key=lambda i: ways[i].index)
    gone = []
    one = ways[short]
    while len(garden.after(one)) == 1 and place_behind(garden, one).startswith(place_behind(garden, step)) and one.op != "relu":
        gone.append(one)
        one = garden.steps[one.inputs[0]]
    if any(one.index in garden.touched for one in gone):
        return False
    garden.remove(step, to=1 - short)
    garden.ops = [op for op in garden.ops if op.name not in {f"op{one.index}" for one in gone}]
    place = garden.layer_of(step)
    garden.note("shortcut missing", 1 + len(gone), place, "shortcut", "missing", steps=[step.index, *(one.index for one in gone)])
    return True


def projection(garden: Garden) -> bool:
    """A projection where the paper has an identity."""
    step = pick(garden, lambda one: one.op == "add" and any(len(garden.after(garden.steps[i])) > 1 for i in one.inputs))
    if step is None:
        return False
    source = next(i for i in step.inputs if len(garden.after(garden.steps[i])) > 1)
    conv = replace(step, op="conv", kernel=1, stride=1, padding=0, bias=False)
    at = garden.at(f"op{step.index}")
    garden.ops[at:at] = [
        Op(f"p{step.index}", conv, (f"op{source}",)),
        Op(f"q{step.index}", replace(step, op="batch_norm"), (f"p{step.index}",)),
    ]
    place = garden.at(f"op{step.index}")
    by = tuple(f"q{step.index}" if name == f"op{source}" else name for name in garden.ops[place].by)
    garden.ops[place] = replace(garden.ops[place], by=by)
    garden.note("projection", 2, garden.layer_of(step), "1×1 conv", "BN", steps=[step.index])
    return True


def order(garden: Garden) -> bool:
    """ReLU in front of the BN that it follows."""
    step = pick(garden, lambda one: one.op == "batch_norm" and [o.op for o in garden.after(one)] == ["relu"])
    if step is None or garden.after(step)[0].index in garden.touched:
        return False
    relu = garden.after(step)[0]
    one, two = garden.at(f"op{step.index}"), garden.at(f"op{relu.index}")
    garden.ops[one], garden.ops[two] = replace(garden.ops[one], step=relu), replace(garden.ops[two], step=step)
    garden.note("order", 2, place_behind(garden, step), "order", steps=[step.index, relu.index])
    return True


def dropout_missing(garden: Garden) -> bool:
    step = pick(garden, lambda one: one.op == "dropout")
    if step is None:
        return False
    garden.remove(step)
    garden.note("dropout missing", 1, "", "dropout", "missing", steps=[step.index])
    return True


def dropout_added(garden: Garden) -> bool:
    step = pick(garden, lambda one: one.op in ("global_avg_pool", "conv") and "dropout" not in reach(garden, one))
    if step is None:
        return False
    garden.behind(step, replace(step, op="dropout", factor=0.3))
    garden.note("dropout added", 1, "", "dropout 0.3", "in front", steps=[step.index, *(one.index for one in garden.after(step))])
    return True


def dropout_share(garden: Garden) -> bool:
    step = pick(garden, lambda one: one.op == "dropout")
    if step is None:
        return False
    garden.change(step, factor=0.15)
    garden.note("dropout share", 1, "", "a share of 0.15", steps=[step.index])
    return True


KINDS: tuple[Plant, ...] = (
    *(kernel, stride, padding, maps, bias, norm_missing, norm_added, relu_missing, relu_added, relu_other, pool_kind, pool_missing),
    *(pool_extra, unit_missing, unit_extra, unit_other, shortcut_missing, projection, order, dropout_missing, dropout_added, dropout_share),
)


# ── Cases ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def case(seed: int, names: Sequence[str] = tuple(NETWORKS)) -> tuple[str, Garden, Verification]:
    """One of the networks with two or three departures, and what `verify` says of it."""
    chance = random.Random(seed)
    while True:
        name = chance.choice(names)
        options, image = NETWORKS[name]
        garden = Garden(steps_of(name, **options), chance)
        for plant in chance.sample(KINDS, len(KINDS)):
            if len(garden.planted) < 2 + seed % 2:
                plant(garden)
        last = [op.name for op in garden.ops if not any(op.name in other.by for other in garden.ops)]
        torch.manual_seed(seed)
        module = Written(garden.ops, [last[-1], *last[:-1]]).eval()
        try:
            with torch.no_grad():
                module.outputs(torch.randn(2, *(image or registry.row(name).input)))
                out = module(torch.randn(2, *(image or registry.row(name).input)))
        except RuntimeError:  # sizes that do not fit
            continue
        if len(garden.planted) > 1 and out.shape == (2, garden.steps[-1].shape[0]):
            return name, garden, verify(module, name, input_shape=image, **options)


def wrong(garden: Garden, report: Verification) -> list[str]:
    """What is not as it was planted."""
    found = []
    if report.verdict != "departs":
        found.append(f"{report.verdict}")
    sentences = [f"{place} {sentence}" for place, sentence in report.departures]
    for planted in garden.planted:
        wanted = [planted.words, (planted.words[0], "the other order")] if planted.kind in moved(garden) else [planted.words]
        if not any(planted.place in said and all(word in said for word in words) for said in sentences for words in wanted):
            found.append(f"not named: {planted}")
    count = re.search(r"departs in ([\d,]+) of", report.sentence)
    told, expected = int(count[1].replace(",", "")) if count else 0, sum(planted.count for planted in garden.planted)
    if not expected - 2 * sum(planted.kind == "unit other" for planted in garden.planted) <= told <= expected:
        found.append(f"{told} operators, planted {expected}")
    return found


def moved(garden: Garden) -> set[str]:
    """The kinds of which both are planted: an operator added in front of another and missing behind it stands in the other order."""
    kinds = {planted.kind for planted in garden.planted}
    pairs = ({f"{op} missing", f"{op} added"} for op in ("norm", "relu"))
    return {kind for pair in pairs if pair <= kinds for kind in pair}


def main(cases: int, first: int) -> None:
    failed, kinds, bad = 0, Counter[str](), Counter[str]()
    for seed in range(first, first + cases):
        name, garden, report = case(seed)
        kinds.update(planted.kind for planted in garden.planted)
        if faults := wrong(garden, report):
            failed += 1
            bad.update(planted.kind for planted in garden.planted)
            print(f"seed {seed}: {name}: {', '.join(planted.kind for planted in garden.planted)}\n    " + "\n    ".join(faults))
            print("    said: " + report.sentence + "".join(f"\n          | {sentence}" for _, sentence in report.departures))
    print(f"{cases - failed} of {cases} cases right; seeds {first} to {first + cases - 1}")
    print(", ".join(f"{kind} {count}" + (f" ({bad[kind]} in wrong cases)" if bad[kind] else "") for kind, count in sorted(kinds.items())))


if __name__ == "__main__":
    torch.set_num_threads(1)
    given = [int(word) for word in sys.argv[1:]]
    main(given[0] if given else 200, given[1] if len(given) > 1 else 1)
