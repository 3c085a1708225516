"""Receptive fields by gradients, the lecture's 1×1 convolution by hand, and `etude read` against the modules it reads."""

import html
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn
from torch.nn import functional as F

import etude
from etude.cli.read import read
from etude.errors import UsageError
from etude.explain.conv1x1 import cost_comparison, worked_example
from etude.explain.receptive import Field, receptive_fields, sides, stage_fields
from etude.models import registry
from etude.papers import load
from etude.verification.exact import without_weights
from etude.verification.facts import facts_of, graph_of
from etude.views.reading import reading, uses

# ── What an output sees, by gradients ────────────────────────────────────────────────────────────────────────────────


def average(
    x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False, **_: Any
) -> Tensor:
    """In place of a max pool, whose gradient reaches only one pixel of its window."""
    return F.avg_pool2d(x, kernel_size, stride, padding, ceil_mode)


def positive(module: nn.Module) -> nn.Module:
    """The module in eval mode with float64 weights that are all positive and as small as the fan-in asks for."""
    module = module.to_empty(device="cpu").double().eval()
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        tensor.detach().fill_(0.0 if name.endswith("running_mean") else 1.0 if tensor.dim() < 2 else 1 / tensor[0].numel())
    return module.requires_grad_(False)


def seen(y: Tensor, x: Tensor, axis: int) -> tuple[int, int]:
    """The first and the last row (axis 0) or column (1) of the image on which the middle of y depends."""
    row, column = ((side - 1) // 2 for side in sides(tuple(y.shape[1:])))
    (gradient,) = torch.autograd.grad(y[..., row, column].sum() if y.dim() == 4 else y.sum(), x, retain_graph=True)
    found = gradient[0].abs().sum(dim=(0, 2 - axis)).nonzero().flatten()
    return int(found[0]), int(found[-1])


def expected(field: Field, y: Tensor, axis: int) -> tuple[int, int]:
    """The same by the field, the padding included."""
    begin = field.first[axis] + field.jump[axis] * ((sides(tuple(y.shape[1:]))[axis] - 1) // 2)
    return begin, begin + field.size[axis] - 1


def stages_agree(module: nn.Module, shape: tuple[int, int, int]) -> tuple[int, int]:
    """How many stages see within the image what their fields say, and how many see all of it, as they say."""
    fields = {field.place: field for field in stage_fields(etude.graph(module, shape))}
    module, outputs = positive(module), dict[str, Tensor]()
    for place in fields:
        if isinstance(part := getattr(module, place, None), nn.Module):
            part.register_forward_hook(lambda _, __, y, place=place: outputs.__setitem__(place, y))
    x = torch.ones(1, *shape, dtype=torch.float64, requires_grad=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(F, "max_pool2d", average)
        module(x)
    inside = covering = 0
    for place, y in outputs.items():
        for axis in (0, 1):
            begin, end = expected(fields[place], y, axis)
            if begin > 0 and end < shape[1 + axis] - 1:
                assert seen(y, x, axis) == (begin, end), place
                inside += 1
            elif fields[place].covers:
                assert seen(y, x, axis) == (0, shape[1 + axis] - 1), place
                covering += 1
    return inside // 2, covering // 2


@pytest.mark.parametrize(
    ("name", "options", "side", "inside", "covering"),
    [
        ("lecture_inception", {}, 28, 3, 2),
        ("lecture_residual_conv", {}, 28, 3, 2),
        ("lecture_densenet", {}, 28, 3, 4),
        ("resnet20", {}, 32, 2, 3),
        ("plain20", {}, 96, 4, 1),
        ("resnet18", {}, 224, 3, 2),
        ("resnet50@v15", {}, 96, 2, 3),
        ("preact_resnet110", {"depth": 20}, 64, 3, 2),
        ("densenet_bc_100_12", {"depth": 40}, 32, 3, 4),
        ("googlenet", {"auxiliary": False}, 128, 5, 8),
    ],
)
def test_a_registered_network_sees_what_its_fields_say(name: str, options: dict[str, Any], side: int, inside: int, covering: int) -> None:
    found = stages_agree(without_weights(name, **options), (registry.row(name).input[0], side, side))
    assert found == (inside, covering)


class Runs(nn.Module):
    """A module of one function, which takes the modules by name."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def conv(kernel: Any, in_channels: int = 1, out_channels: int = 1, **how: Any) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, **how)


HAND_MADE: dict[str, Callable[[], nn.Module]] = {
    "three 3×3": lambda: nn.Sequential(conv(3, padding=1), conv(3, padding=1), conv(3, padding=1)),
    "dilated": lambda: nn.Sequential(conv(3, dilation=2), conv((3, 5), dilation=(3, 1)), nn.ReLU()),
    "pairs": lambda: nn.Sequential(conv((5, 1), stride=(2, 1), padding=(2, 0)), conv((1, 7), stride=(1, 3)), nn.AvgPool2d((2, 3), (1, 2))),
    "same": lambda: nn.Sequential(conv(4, padding="same"), conv(6, padding="same", dilation=2), conv(3, padding="valid")),
    "pads": lambda: nn.Sequential(nn.ZeroPad2d((3, 0, 1, 2)), conv(5, stride=2), nn.ZeroPad2d(2), conv(3)),
    "slices": lambda: Runs(lambda m, x: m.b(m.a(x)[:, :, 1::3, 2:-2]), a=conv(3), b=conv(3)),
    "unequal branches": lambda: Runs(
        lambda m, x: m.c(torch.cat([m.a(x), F.avg_pool2d(m.b(x), 3, 2)], 1)), a=conv(3, stride=2), b=conv(3, padding=1), c=conv(3, 2)
    ),
    "shifted branches": lambda: Runs(lambda m, x: m.a(x)[:, :, 2:, :] + m.a(x)[:, :, :-2, :], a=conv(3)),
    "adaptive": lambda: nn.Sequential(conv(2), nn.AdaptiveAvgPool2d((20, 8)), conv(3)),
    "GELU": lambda: nn.Sequential(conv(3), nn.GELU(), nn.Hardswish(), conv(3), nn.Dropout2d()),
}


@pytest.mark.parametrize("what", HAND_MADE)
def test_a_hand_made_module_sees_what_its_field_says(what: str) -> None:
    shape = (1, 41, 33)
    field = receptive_fields(etude.graph(HAND_MADE[what](), shape))[-1]
    module, x = positive(HAND_MADE[what]()), torch.ones(1, *shape, dtype=torch.float64, requires_grad=True)
    y = module(x)
    assert [expected(field, y, axis) for axis in (0, 1)] == [seen(y, x, axis) for axis in (0, 1)]
    assert not field.bound
    assert field.covers == (field.size[0] >= shape[1] and field.size[1] >= shape[2])


@pytest.mark.parametrize("seed", range(12))
def test_any_chain_of_windows_sees_what_its_field_says(seed: int) -> None:
    draw = random.Random(seed)
    layers: list[nn.Module] = []
    for _ in range(draw.randint(2, 5)):
        kernel, stride = (draw.randint(1, 4), draw.randint(1, 4)), (draw.randint(1, 2), draw.randint(1, 2))
        padding = (draw.randint(0, kernel[0] // 2), draw.randint(0, kernel[1] // 2))
        pool = nn.AvgPool2d(kernel, stride, padding)
        layers.append(draw.choice([conv(kernel, stride=stride, padding=padding, dilation=draw.randint(1, 2)), pool]))
    shape = (1, 211, 197)
    field = receptive_fields(etude.graph(nn.Sequential(*layers), shape))[-1]
    x = torch.ones(1, *shape, dtype=torch.float64, requires_grad=True)
    y = positive(nn.Sequential(*layers))(x)
    assert [expected(field, y, axis) for axis in (0, 1)] == [seen(y, x, axis) for axis in (0, 1)]


def test_known_fields() -> None:
    """Three 3×3 see 7 pixels; VGG-16 and the ResNets by the recurrence, and as Araujo, Norris and Sim (2019) print them."""

    def by_recurrence(windows: list[tuple[int, int]]) -> int:
        size, jump = 1, 1
        for kernel, stride in windows:
            size, jump = size + (kernel - 1) * jump, jump * stride
        return size

    dilated = receptive_fields(etude.graph(nn.Sequential(nn.MaxPool2d(3, stride=1, dilation=2)), (1, 18, 12)))[-1]
    assert (dilated.size, dilated.bound) == ((5, 5), False)
    three, *_ = reversed(receptive_fields(etude.graph(HAND_MADE["three 3×3"](), (1, 8, 8))))
    assert (three.size, three.jump, three.first, three.centre, three.covers) == ((7, 7), (1, 1), (-3, -3), (0.0, 0.0), False)
    vgg = [layer for convs in (2, 2, 3, 3, 3) for layer in (*[(3, 1)] * convs, (2, 2))]
    layers = [conv(3, padding=1) if window == (3, 1) else nn.MaxPool2d(2) for window in vgg]
    last = receptive_fields(etude.graph(nn.Sequential(*layers), (1, 224, 224)))[-1]
    assert last.size == (212, 212) == (by_recurrence(vgg),) * 2
    for name, printed, units in (("resnet50", 483, (3, 4, 6, 3)), ("resnet101", 1027, (3, 4, 23, 3)), ("resnet152", 1507, (3, 8, 36, 3))):
        rows = [[(1, 1 + (stage > 0 and unit == 0)), (3, 1)] for stage, count in enumerate(units) for unit in range(count)]
        windows = [(7, 2), (3, 2), *(window for row in rows for window in row)]
        field = {field.place: field for field in stage_fields(graph_of(name))}["conv5_x"]
        assert field.size == (printed, printed) == (by_recurrence(windows),) * 2
        assert field.jump == (32, 32)
        assert field.covers


def test_a_global_pool_a_gate_and_a_linear_layer_see_the_whole_image() -> None:
    gated = Runs(lambda m, x: m.b(x) * torch.sigmoid(m.a(F.adaptive_avg_pool2d(x, 1))), a=conv(1), b=conv(3, padding=1))
    flat = nn.Sequential(conv(3), nn.Flatten(), nn.Linear(16 * 10, 4))
    for module, first, size in ((gated, -1, (20, 14)), (flat, 0, (18, 12))):
        field = receptive_fields(etude.graph(module, (1, 18, 12)))[-1]
        assert (field.covers, field.jump, field.first, field.size, field.bound) == (True, (0, 0), (first, first), size, False)


def test_what_nobody_knows_is_an_upper_bound() -> None:
    for unknown in (nn.GroupNorm(1, 1), nn.AdaptiveAvgPool2d(3)):
        fields = receptive_fields(etude.graph(nn.Sequential(conv(3), unknown, nn.ReLU()), (1, 18, 12)))
        assert [field.bound for field in fields] == [False, True, True]
        assert (fields[0].size, fields[-1].size, fields[-1].covers) == ((3, 3), (18, 12), True)


def test_a_map_without_pixels_sees_what_it_sees() -> None:
    rows = Runs(lambda m, x: torch.cat([m.a(x), m.a(x)[:, :, 40:], x[:, :, :0]], 2).mean((2, 3)), a=conv(1))
    assert receptive_fields(etude.graph(rows, (1, 18, 12)))[-1].covers


@pytest.mark.parametrize("name", ["googlenet", "resnet20", "lecture_densenet", "lecture_residual_scaled"])
def test_the_papers_table_has_the_fields_of_what_ran(name: str) -> None:
    table, ran = receptive_fields(graph_of(name)), receptive_fields(etude.graph(without_weights(name), registry.row(name).input))
    assert [(field.size, field.jump, field.first) for field in table] == [(field.size, field.jump, field.first) for field in ran]


# ── The 1×1 convolution ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_worked_example_is_a_convolution() -> None:
    example = worked_example()
    assert torch.tensor(example.sum).tolist() == torch.tensor([[2.6, 3.8, 5.0], [3.8, 5.0, 6.2], [5.0, 6.2, 7.4]]).tolist()
    maps = torch.tensor(example.maps, dtype=torch.float64)
    weight = torch.tensor(example.weights, dtype=torch.float64)[None, :, None, None]
    torch.testing.assert_close(torch.tensor([example.sum], dtype=torch.float64), F.conv2d(maps, weight))
    torch.testing.assert_close(torch.tensor(example.products, dtype=torch.float64), maps * weight[0])
    assert worked_example([[[1, 2, 3]]], [2]).sum == ((2, 4, 6),)


@pytest.mark.parametrize(
    ("maps", "weights", "message"),
    [
        ([], [], "0 maps and 0 weights"),
        ([[[1]]], [1, 2], "1 maps and 2 weights"),
        ([[[1, 2], [3]]], [1], "differ in size"),
        ([[[1]], [[1, 2]]], [1, 1], "differ in size"),
        ([[], [[1]]], [1, 1], "differ in size"),
        ([[[]]], [1], "differ in size"),
        ([[[1]]], 5, "weights = 5, expected numbers"),
        ([[[1]]], "a", "weights = 'a', expected numbers"),
        ([[[1]]], ["a"], r"weights = \['a'\], expected numbers"),
        ([[[1]]], [True], r"weights = \[True\], expected numbers"),
        ([[[1]]], [float("nan")], r"weights = \[nan\], expected numbers"),
        ([[[1]]], [10**400], "expected numbers up to 1,000,000"),
        (1, [1], "maps = 1, expected numbers"),
        ([[1]], [1], r"maps = \[\[1\]\], expected numbers"),
    ],
)
def test_maps_that_do_not_fit_are_told(maps: Any, weights: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        worked_example(maps, weights)


def test_the_cost_of_slides_12_and_13() -> None:
    costs = cost_comparison()
    assert costs.direct.multiplications == 120_422_400
    assert costs.reduced.multiplications == 12_443_648
    assert [one.multiplications for one in costs.reduced.convolutions] == [2_408_448, 10_035_200]
    assert (costs.direct.parameters, costs.reduced.parameters) == (153_600, 15_872)
    assert costs.ratio == pytest.approx(0.1033, abs=5e-5)
    measured = etude.graph(nn.Sequential(nn.Conv2d(7, 3, 1, bias=False), nn.Conv2d(3, 5, 3, padding=1, bias=False)), (7, 6, 4))
    other = cost_comparison(in_channels=7, reduce=3, out_channels=5, kernel=3, height=6, width=4).reduced
    assert (other.multiplications, other.parameters) == (measured.macs, measured.parameters)
    for wrong in ({"reduce": 0}, {"kernel": 4}, {"kernel": 3.5}, {"kernel": "big"}, {"width": True}, {"reduce": 10**400}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            cost_comparison(**wrong)


def test_slide_13_slips_and_slide_12_does_not() -> None:
    direct, reduced = (load("lecture").fact(f"conv_cost_{way}") for way in ("direct", "reduced"))
    assert direct.value == cost_comparison().direct.multiplications == 120_422_400
    assert (reduced.value, cost_comparison().reduced.multiplications, reduced.at) == (12_433_648, 12_443_648, "slide 13")
    assert any("12,433,648" in fact and "12,443,648" in fact for fact in reading("lecture_inception").left_open)


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in registry.names("lecture")),
    *((name, {}) for name in ("googlenet", "googlenet@torchvision", "resnet18", "resnet50", "resnet50@v15", "plain18")),
    *((name, {}) for name in ("resnet20", "resnet20@b")),
    ("densenet_40_12", {}),
    *(
        ("ablation_resnet110", {"depth": 20, "shortcut": shortcut})
        for shortcut in ("constant_scaling", "exclusive_gating", "conv", "dropout")
    ),
    ("ablation_resnet164", {"depth": 20, "order": "relu_only_preactivation"}),
    *((name, {"depth": 20}) for name in ("preact_resnet110", "preact_resnet164")),
    ("preact_resnet200", {"units": (1, 2, 2, 1)}),
    ("densenet_bc_100_12", {"depth": 40, "dropout": 0.2, "classes": 100}),
    ("densenet121", {"layers": (2, 3, 2, 3)}),
]


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=[f"{name} {' '.join(map(str, options.values()))}" for name, options in OPTIONS])
def test_shapes_and_parameters_of_the_paper_are_those_of_the_module(name: str, options: dict[str, Any]) -> None:
    """The paper's shapes at the place of every module, and what its hooks see; its parameters, and those of the paper's operators."""
    module, ran = without_weights(name, **options).eval(), dict[str, tuple[list[Any], Any]]()
    for path, part in module.named_modules():
        part.register_forward_hook(
            lambda _, given, y, path=path: ran.__setitem__(path, ([tuple(x.shape[1:]) for x in given], tuple(y.shape[1:])))
        )
    x = torch.empty(1, *registry.row(name).input, device="meta")
    with torch.no_grad():
        module(x)
        getattr(module, "outputs", module)(x)  # auxiliary heads
    places = {use.path: (of, use) for of, there in uses(name, **options).items() for use in there}
    assert places.keys() == {path for path, part in module.named_modules() if type(part).__module__.startswith("etude.models")}
    for path, (of, use) in places.items():
        part = module.get_submodule(path)
        assert type(part) is of
        assert use.parameters == sum(parameter.numel() for parameter in part.parameters())
        assert use.after == ran[path][1]
        assert sorted(use.before) == sorted(ran[path][0])
        assert use.blocks or path in ("", "conv1", "conv2", "conv2_reduce")


def test_a_note_folds_what_is_alike() -> None:
    notes = {section.title: section.notes for section in reading("resnet50").passages}
    bottleneck = notes["class Bottleneck"]
    assert bottleneck[0] == "16 times, conv2_x.0 … conv5_x.2"
    assert bottleneck[1] == "conv2_x.0: 64×56×56 → 256×56×56, 75,008 parameters"
    assert bottleneck[2] == "conv2_x.1 … 2: 256×56×56 → 256×56×56, 70,400 parameters each"
    assert bottleneck[-1] == "Fig. 5, right; Table 1 (stated, printed): bottleneck"
    assert notes["def make_shortcut"] == ("used by Bottleneck",)
    dense = {section.title: section.notes for section in reading("densenet121").passages}["class BottleneckLayer"]
    assert dense[1].startswith("dense_block_1.0 … 5: 64…224×56×56 → 96…256×56×56, ")
    conv = {section.title: section.notes for section in reading("googlenet").passages}["class Conv"]
    assert "… 47 more …" in conv
    scaled = {section.title: section.notes for section in reading("lecture_residual_scaled").passages}
    assert scaled["def lecture_residual_scaled"] == ("makes lecture_residual_scaled",)
    assert scaled["class ResidualBlock"] == ("used by ConstantScalingBlock, LectureResidual",)


@pytest.mark.parametrize(
    ("name", "options", "there", "absent"),
    [
        ("resnet20", {}, ["option_a_pixel", "option_a_zeros"], ["imagenet_stem_padding"]),
        ("resnet50", {}, ["imagenet_stem_padding"], ["option_a_pixel"]),
        ("resnet50@cifar", {}, [], ["imagenet_stem_padding", "option_a_pixel"]),
        ("densenet121", {}, ["imagenet_stem_padding"], []),
        ("densenet_bc_100_12", {}, [], ["imagenet_stem_padding"]),
        ("googlenet", {}, ["local_response_norm_size", "initialisation", "table_1_5a_macs"], []),
        ("googlenet@torchvision", {}, ["initialisation"], ["local_response_norm_size"]),
        ("resnet164", {}, [], ["gate_where_a_unit_widens", "relu_only_stem", "bn_after_addition_projection"]),
        (
            "ablation_resnet110",
            {"shortcut": "exclusive_gating", "depth": 20},
            ["gate_where_a_unit_widens"],
            ["relu_only_stem", "dropout_scale"],
        ),
        ("ablation_resnet164", {"order": "bn_after_addition", "depth": 20}, ["bn_after_addition_projection"], ["gate_where_a_unit_widens"]),
    ],
)
def test_only_the_open_facts_that_concern_a_network_are_told(
    name: str, options: dict[str, Any], there: list[str], absent: list[str]
) -> None:
    found = {fact.split(":")[0] for fact in reading(name, **options).left_open}
    assert set(there) <= found
    assert not found & set(absent)
    assert all(facts_of(name)[0].fact(fact).kind in ("silent", "contradictory") for fact in found)


def test_the_command_prints_source_and_notes() -> None:
    state = torch.get_rng_state()
    done = CliRunner().invoke(read, ["resnet34", "--set", "shortcut=A"], catch_exceptions=False)
    assert done.exit_code == 0
    assert torch.equal(state, torch.get_rng_state())
    lines = done.output.splitlines()
    assert "shortcut = A; the network itself has B" in done.output
    assert "   70  class BasicBlock(PlainBlock):" in lines
    assert lines.index("class BasicBlock  resnet.py:70") < lines.index("  · 16 times, conv2_x.0 … conv5_x.2")
    assert "class ZeroPadShortcut  pieces.py:10" in lines
    assert "class Bottleneck" not in done.output
    assert max(len(line) for line in lines if not line[:5].strip().isdecimal()) <= 100
    assert all(line == line.rstrip() for line in lines)
    assert lines.index("The paper leaves open or contradicts:") > lines.index("class ZeroPadShortcut  pieces.py:10")


def test_the_page_is_self_contained(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert CliRunner().invoke(read, ["googlenet@torchvision", "--html", str(file)], catch_exceptions=False).exit_code == 0
    page = file.read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in page
    assert not [word for word in ("http://", "https://", "<script", "<link", "src=", "@import") if word in page]
    found = reading("googlenet@torchvision")
    assert page.count('<div class="part">') == len(found.passages)
    assert all(f"{html.escape(section.title)}  {section.file}:{section.line}" in page for section in found.passages)
    assert page.count("<li>") == sum(len(section.notes) for section in found.passages) + len(found.left_open)
    assert all(html.escape(one, quote=False).split("'")[0] in page for one in (*found.departures, *found.left_open))


def test_a_name_or_option_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match="resnet50"):
        reading("resnet5O")
    with pytest.raises(UsageError, match="shortcut"):
        reading("resnet34", shortcuts="A")
