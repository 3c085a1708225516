"""The recorded graph: the same for every style of writing."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import etude
from etude.explain.graph import DoesNotRun
from etude.explain.nodes import Graph, Node


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, 3, 3))
        self.head = nn.Parameter(torch.randn(5, 4))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(F.conv2d(x, self.weight, padding=1))
        x = x + 0.5 * x
        return F.linear(x.mean((-2, -1)), self.head)


class Modules(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(4, 5, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.conv(x))
        return self.head(torch.add(x, x.mul(0.5)).mean(dim=[2, 3]))


def signature(graph: Graph) -> list[tuple[object, ...]]:
    return [(n.op, n.inputs, n.factor, n.shape, n.kernel, n.stride, n.padding, n.bias, n.parameters, n.macs) for n in graph.nodes]


def test_functions_and_modules_give_the_same_graph() -> None:
    one, other = (etude.graph(module, (3, 8, 8)) for module in (Functional(), Modules()))
    assert [node.op for node in one.nodes] == ["conv", "relu", "scale", "add", "global_avg_pool", "linear"]
    assert signature(one) == signature(other)
    assert [node.path for node in other.nodes] == ["conv", "act", "", "", "", "head"]


def test_edges_say_what_a_concatenation_joins() -> None:
    graph = etude.graph(etude.build("lecture_inception"), (1, 28, 28))
    joins = [node for node in graph.nodes if node.op == "concat"]
    assert [[graph.nodes[i].path for i in join.inputs] for join in joins] == [
        [f"{block}.{end}" for end in ("branch1x1", "branch5x5_2", "branch3x3_3", "branch_pool")] for block in ("incep1", "incep2")
    ]


def test_a_weight_used_twice_is_counted_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.conv(x))

    graph = etude.graph(Twice(), (3, 5, 5))
    assert [node.parameters for node in graph.nodes] == [84, 0]
    assert graph.parameters == 84
    assert graph.macs == 2 * 25 * 81


def test_what_comes_out_of_a_tuple_is_followed() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            a, b = x.chunk(2, dim=1)
            return torch.cat([self.conv(a), b], dim=1)

    graph = etude.graph(Halves(), (4, 3, 3))
    assert [(node.op, node.inputs) for node in graph.nodes] == [("other", (-1,)), ("conv", (0,)), ("concat", (1, 0))]
    assert graph.macs == 9 * 8


class GatedFunctional(nn.Module):
    """Every operator of the papers that has several spellings, in functions and methods."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, 1))
        gate = torch.sigmoid(self.gate(x))
        x = (1 - gate) * x + F.dropout(x, 0.3, self.training)
        return F.adaptive_avg_pool2d(F.local_response_norm(x, 5), 1).flatten(1)


class GatedModules(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Sigmoid())
        self.drop, self.norm, self.pool = nn.Dropout(0.3), nn.LocalResponseNorm(5), nn.AdaptiveAvgPool2d((1, 1))
        self.pad = nn.ConstantPad3d((0, 0, 0, 0, 0, 1), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pad(x[..., ::2, ::2])
        carried = torch.sub(1, self.gate(x)).mul(x)
        return torch.flatten(self.pool(self.norm(torch.add(carried, self.drop(x)))), 1)


def test_gates_slices_and_norms_have_their_names_in_every_style() -> None:
    one, other = (etude.graph(module, (3, 8, 8)) for module in (GatedFunctional(), GatedModules()))
    ops = [
        "slice",
        "pad",
        "conv",
        "sigmoid",
        "one_minus",
        "multiply",
        "dropout",
        "add",
        "local_response_norm",
        "global_avg_pool",
        "flatten",
    ]
    assert [node.op for node in one.nodes] == ops
    assert signature(one) == signature(other)
    assert (one.nodes[0].stride, one.nodes[6].factor, one.nodes[8].kernel) == (2, 0.3, 5)


def test_auxiliary_heads_are_recorded_and_not_counted() -> None:
    graph = etude.graph(etude.build("googlenet", classes=7), (3, 224, 224))
    assert [graph.nodes[index].path for index in graph.outputs] == ["fc", "aux1.fc2", "aux2.fc2"]
    heads = [node for node in graph.nodes if node.index not in graph.inference]
    assert {node.path.split(".")[0] for node in heads} == {"aux1", "aux2"}
    assert graph.macs == sum(node.macs for node in graph.nodes) - sum(node.macs for node in heads)


def test_what_has_no_name_is_other() -> None:
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.rfft2(x).abs() - 1

    assert [node.op for node in etude.graph(Odd(), (1, 4, 4)).nodes] == ["other", "other", "other"]


# ── Anybody's modules ────────────────────────────────────────────────────────────────────────────────────────────────


class Written(nn.Module):
    """A module from a function of itself and the image, with a 1×1 convolution, a matrix and a vector."""

    def __init__(self, body: Callable[[Any, Tensor], Any], **parts: Any) -> None:
        super().__init__()
        self.body = body
        self.conv = nn.Conv2d(3, 4, 1, bias=False)
        self.w, self.v = nn.Parameter(torch.randn(5, 8)), nn.Parameter(torch.randn(8))
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.body(self, x)


def nodes_of(body: Callable[[Any, Tensor], Any], **parts: Any) -> tuple[Node, ...]:
    return etude.graph(Written(body, **parts), (3, 8, 8)).nodes


class Named(NamedTuple):
    logits: Tensor
    features: Tensor


@dataclass
class Output:
    loss: Tensor | None
    logits: Tensor
    features: list[Tensor]


@pytest.mark.parametrize(
    "several",
    [
        lambda a, b: (a, b),
        lambda a, b: {"logits": a, "features": [b]},
        Named,
        lambda a, b: Output(None, a, [b]),
    ],
)
def test_several_outputs_of_every_kind(several: Callable[[Tensor, Tensor], Any]) -> None:
    def body(module: Any, x: Tensor) -> Any:
        features = module.conv(x)
        return several(features.mean((2, 3)), features.sigmoid())

    graph = etude.graph(Written(body), (3, 8, 8))
    assert [graph.nodes[index].op for index in graph.outputs] == ["global_avg_pool", "sigmoid"]
    assert graph.inference == {0, 1}


def test_only_a_method_of_the_class_is_taken_for_auxiliary_heads() -> None:
    def body(module: Any, x: Tensor) -> Any:
        return module.outputs(module.conv(x)) if callable(module.outputs) else module.conv(x)

    assert [node.path for node in nodes_of(body, outputs=nn.Conv2d(4, 2, 1))] == ["conv", "outputs"]
    assert [node.path for node in nodes_of(body, outputs=[])] == ["conv"]
    assert [node.op for node in nodes_of(body, outputs=torch.relu)] == ["conv", "relu"]


@pytest.mark.parametrize(
    ("body", "parts", "macs"),
    [
        (lambda m, x: m.part(x), {"part": nn.Linear(8, 5)}, 3 * 8 * 40),
        (lambda m, x: m.part(x.permute(0, 2, 3, 1)), {"part": nn.Linear(3, 5, bias=False)}, 64 * 15),
        (lambda m, x: m.part(x[0]), {"part": nn.Linear(8, 5)}, 3 * 8 * 40),
        (lambda m, x: m.part(x.flatten(2)), {"part": nn.Conv1d(3, 4, 3)}, 62 * 36),
        (lambda m, x: m.part(x[:, None]), {"part": nn.Conv3d(1, 4, 3)}, 36 * 4 * 27),
        (lambda m, x: m.part(x), {"part": nn.ConvTranspose2d(3, 4, 2, 2)}, 64 * 3 * 4 * 4),
        (lambda m, x: m.part(x), {"part": nn.Conv2d(3, 6, 3, groups=3)}, 36 * 6 * 9),
        (lambda m, x: x @ m.w.T, {}, 3 * 8 * 40),
        (lambda m, x: x @ m.v, {}, 3 * 64),
        (lambda m, x: torch.einsum("nchw,ow->ncho", x, m.w), {}, 3 * 8 * 40),
        (lambda m, x: torch.bmm(x[:, 0], x[:, 1]), {}, 8**3),
        (lambda m, x: torch.addmm(m.v[:1], x[0, 0], m.w.T), {}, 64 * 5),
        (lambda m, x: F.scaled_dot_product_attention(x, x, x), {}, 2 * 3 * 8**3),
        (lambda m, x: F.scaled_dot_product_attention(x, x, x) * float(x.sum()), {}, 2 * 3 * 8**3),  # not on the meta device
        (lambda m, x: m.part(x.flatten(2).mT)[0], {"part": nn.LSTM(3, 5, batch_first=True)}, 64 * 20 * (3 + 5)),
    ],
)
def test_everything_that_torch_can_count_is_counted(body: Callable[[Any, Tensor], Any], parts: dict[str, nn.Module], macs: int) -> None:
    assert etude.graph(Written(body, **parts), (3, 8, 8)).macs == macs


def test_attention_is_counted_with_its_projections() -> None:
    def body(module: Any, x: Tensor) -> Any:
        tokens = x.flatten(2).transpose(1, 2)
        return module.part(tokens, tokens, tokens)[0]

    graph = etude.graph(Written(body, part=nn.MultiheadAttention(3, 1, batch_first=True)), (3, 8, 8))
    assert graph.macs == 64 * 4 * 9 + 2 * 64 * 64 * 3
    assert sum(node.parameters for node in graph.nodes) == 48


def test_what_is_done_in_place_is_recorded() -> None:
    def body(module: Any, x: Tensor) -> Any:
        y = module.conv(x)
        y.sub_(x.mean()).mul_(x.sum())
        y[y > 0] = 0
        y[:, 0] += x[:, 0]
        return F.relu(y, inplace=True) * 2

    found = [(node.name, node.inputs, node.memory) for node in nodes_of(body)]
    assert found == [
        ("conv2d", (-1,), None),
        ("mean", (-1,), None),
        ("sub_", (0, 1), 0),
        ("sum", (-1,), None),
        ("mul_", (2, 3), 0),
        ("gt", (4,), None),
        ("__setitem__", (4, 5), 0),
        ("__getitem__", (6,), 0),
        ("__getitem__", (-1,), -1),
        ("add_", (7, 8), 0),
        ("__setitem__", (9,), 0),
        ("relu", (10,), 0),
        ("mul", (11,), None),
    ]


def test_a_view_sees_what_is_written_into_its_memory() -> None:
    def body(module: Any, x: Tensor) -> Any:
        y = module.conv(x)
        half, other = y.chunk(2, 1)
        half.mul_(x[:, :2])
        return y + 1, other + 1

    nodes = nodes_of(body)
    assert [node.name for node in nodes] == ["conv2d", "chunk", "__getitem__", "mul_", "add", "add"]
    assert nodes[4].inputs == (3,)
    assert nodes[3].inputs == (1, 2)


@pytest.mark.parametrize(
    "buffer",
    [
        lambda x: x.new_empty(len(x), 8, 8, 8),
        lambda x: torch.empty(len(x), 8, 8, 8),
        lambda x: torch.zeros_like(torch.cat([x, x, x[:, :2]], 1)),
    ],
)
def test_a_buffer_filled_by_slices_is_followed(buffer: Callable[[Tensor], Tensor]) -> None:
    def body(module: Any, x: Tensor) -> Any:
        maps = buffer(x)
        maps[:, :4] = module.conv(x)
        maps[:, 4:].copy_(module.part(maps[:, :4]))
        return maps, module.aux(x)

    graph = etude.graph(Written(body, part=nn.Conv2d(4, 4, 1), aux=nn.Conv2d(3, 9, 1)), (3, 8, 8))
    assert graph.macs == 64 * (12 + 16)
    assert graph.nodes[graph.outputs[0]].name == "copy_"
    assert {node.path for node in graph.nodes if node.index in graph.inference} >= {"conv", "part"}
    first, *others = [node for node in graph.nodes if node.name in ("__setitem__", "copy_")]
    assert (first.shape, first.memory) == ((8, 8, 8), None)
    assert all(node.memory == first.index for node in others)


def test_out_is_followed() -> None:
    def body(module: Any, x: Tensor) -> Any:
        out = x.new_empty(0)
        torch.cat([x, module.conv(x)], 1, out=out)
        return out.sigmoid()

    assert [(node.op, node.inputs) for node in nodes_of(body)] == [("conv", (-1,)), ("concat", (-1, 0)), ("sigmoid", (1,))]


def test_a_dropout_that_does_nothing_stands_where_it_stands() -> None:
    nodes = nodes_of(lambda module, x: F.dropout(x, 0.5, module.training) + x * x)
    assert [(node.op, node.inputs) for node in nodes] == [("dropout", (-1,)), ("multiply", (-1,)), ("add", (0, 1))]


@pytest.mark.parametrize(
    "part",
    [
        lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 1)),
        lambda: nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 4, 1)),
        lambda: nn.utils.spectral_norm(nn.Conv2d(3, 4, 1)),
    ],
)
def test_weights_that_are_made_from_others_count_where_they_are_used(part: Callable[[], nn.Module]) -> None:
    made = part()
    nodes = nodes_of(lambda module, x: module.part(x) * module.part(x), part=made)
    assert [(node.op, node.parameters) for node in nodes] == [
        ("conv", sum(parameter.numel() for parameter in made.parameters())),
        ("conv", 0),
        ("multiply", 0),
    ]


def test_views_of_parameters_and_masked_ones_count_where_they_are_used() -> None:
    mask = torch.ones(5, 8)  # no buffer, and yet on the device of the copy
    nodes = nodes_of(lambda module, x: F.linear(x + module.v.view(1, 1, 8), module.w[:, :] * module.mask), mask=mask)
    assert [(node.op, node.parameters) for node in nodes] == [("add", 8), ("linear", 40)]


@pytest.mark.parametrize(
    ("body", "op"),
    [
        (lambda x: torch.mean(input=x, dim=(2, 3)), "global_avg_pool"),
        (lambda x: torch.mean(x, dim=[-1, -2]), "global_avg_pool"),
        (lambda x: x.mean(), "other"),
        (lambda x: torch.mean(x, 3), "other"),
        (lambda x: torch.add(input=x, other=x), "add"),
        (lambda x: torch.mul(input=x, other=2), "scale"),
        (lambda x: torch.mul(other=x, input=x), "multiply"),
        (lambda x: torch.rsub(x, x), "other"),
        (lambda x: torch.rsub(x, other=1), "one_minus"),
        (lambda x: torch.rsub(x, 1, alpha=2), "other"),
        (lambda x: torch.sub(1, x), "one_minus"),
        (lambda x: torch.sub(input=x, other=x), "other"),
        (lambda x: torch.sub(1, x, alpha=2), "other"),
        (lambda x: x.sub(1), "other"),
        (lambda x: x - x, "other"),
        (lambda x: 1.0 - x, "one_minus"),
        (lambda x: 2 - x, "other"),
        (lambda x: F.pad(input=x, pad=(1, 1)), "pad"),
        (lambda x: F.pad(x, (1, 1), value=1.0), "other"),
        (lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"), "other"),
        (lambda x: x.reshape(-1, 8), "other"),
        (lambda x: x.reshape(len(x), -1), "flatten"),
    ],
)
def test_arguments_by_position_and_by_name(body: Callable[[Tensor], Tensor], op: str) -> None:
    (node,) = nodes_of(lambda module, x: body(x))
    assert node.op == op


class Normalised(nn.Module):
    """A batch norm written as a function; `by_name` gives its vectors in another order."""

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int = 3, *, statistics: bool = True, by_name: bool = False) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.statistics, self.by_name = statistics, by_name
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = (self.mean, self.variance) if self.statistics else (None, None)
        if self.by_name:
            return F.batch_norm(bias=self.bias, running_var=variance, running_mean=mean, weight=self.weight, input=x)
        return F.batch_norm(x, mean, variance, self.weight, self.bias)


def test_a_batch_norm_has_the_shape_of_its_input() -> None:
    """It is not computed on the meta device; what torch refuses there is refused all the same."""
    for module in (Normalised(), Normalised(by_name=True)):
        assert [(node.op, node.shape, node.parameters) for node in etude.graph(module, (3, 8, 6)).nodes] == [("batch_norm", (3, 8, 6), 6)]
    with pytest.raises(DoesNotRun, match="running_mean should contain 3 elements not 4"):
        etude.graph(Normalised(4), (3, 8, 8))
    with pytest.raises(DoesNotRun, match="running_mean must be defined"):
        etude.graph(Normalised(statistics=False), (3, 8, 8))


def test_facts_that_set_apart_what_looks_alike() -> None:
    plain, scaled = nodes_of(lambda module, x: torch.add(torch.add(x, x), x, alpha=0.5))
    assert [(plain.op, plain.factor), (scaled.op, scaled.factor)] == [("add", None), ("add", 0.5)]

    first, second, third = nodes_of(lambda module, x: x[:, :, ::2, ::2][..., 1::2, 1::2][:, 1:])
    assert [(node.op, node.stride, node.first) for node in (first, second, third)] == [
        ("slice", 2, (0, 0, 0)),
        ("slice", 2, (0, 1, 1)),
        ("slice", 1, (1, 0, 0)),
    ]
    assert [node.op for node in nodes_of(lambda module, x: x[:, ::2][:, 0])] == ["other", "other"]

    behind, around, pixels = nodes_of(lambda module, x: F.pad(F.pad(F.pad(x, (0, 0, 0, 0, 0, 3)), (0, 0, 0, 0, 2, 1)), (0, 1)))
    assert [(node.channels, node.padding) for node in (behind, around, pixels)] == [((0, 3), None), ((2, 1), None), ((0, 0), (0, 1, 0, 0))]

    norm = nn.BatchNorm2d(3, eps=1e-3)
    found = nodes_of(lambda module, x: F.local_response_norm(module.norm(x), 5, beta=0.5, k=2), norm=norm)
    assert [node.constants for node in found] == [(1e-3,), (1e-4, 0.5, 2)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_modules_of_other_types_of_number(dtype: torch.dtype) -> None:
    assert etude.graph(Written(lambda module, x: module.conv(x)).to(dtype), (3, 8, 8)).macs == 64 * 12
    decides = Written(lambda module, x: module.conv(x) * float(x.sum()))
    assert etude.graph(decides.to(dtype), (3, 8, 8)).macs == 64 * 12


def test_lazy_modules() -> None:
    lazy = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(5))
    assert etude.graph(lazy, (3, 8, 8)).parameters == 112 + 144 * 5 + 5
    assert isinstance(lazy[0], nn.LazyConv2d)
    assert etude.graph(nn.LazyConv2d(4, 3, dtype=torch.float64), (3, 8, 8)).parameters == 112
    with pytest.raises(DoesNotRun, match="it has lazy layers; call it once on an image first"):
        etude.graph(nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d()), (3, 8, 8))


class Hooked(nn.Module):
    """Takes its features by a hook that refers to the module itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
        self.features: list[Tensor] = []
        self.conv.register_forward_hook(lambda module, inputs, output: self.features.append(output))

    def forward(self, x: Tensor) -> Tensor:
        self.features.clear()
        self.conv(x)
        return self.norm(self.features[0])


@pytest.mark.parametrize("module", [Hooked(), Written(lambda m, x: m.norm(m.conv(x)), norm=nn.BatchNorm2d(4), lock=threading.Lock())])
def test_modules_that_cannot_be_copied_run_themselves_and_stay_as_they_are(module: Any) -> None:
    before = {name: value.clone() for name, value in module.train().state_dict().items()}
    assert [node.op for node in etude.graph(module, (3, 8, 8)).nodes] == ["conv", "batch_norm"]
    with pytest.raises(DoesNotRun, match=r"does not take 1×8×8: .*; it takes 3×8×8"):
        etude.graph(module, (1, 8, 8))
    assert module.training
    assert module.norm.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_compiled_modules_say_so() -> None:
    with pytest.warns(DeprecationWarning):
        scripted = torch.jit.script(nn.Conv2d(3, 4, 1))
    modules: list[Any] = [scripted, nn.Sequential(scripted), torch.compile(nn.Conv2d(3, 4, 1), backend="eager")]
    for compiled in modules:
        with pytest.raises(DoesNotRun, match="cannot be recorded: it is compiled; give the module"):
            etude.graph(compiled, (3, 8, 8))


def test_what_is_wrong_with_the_code_is_no_matter_of_shapes() -> None:
    with pytest.raises(DoesNotRun, match=r"^Written cannot be run on 3×8×8: KeyError: 'stage5'$"):
        etude.graph(Written(lambda module, x: dict[str, int]()["stage5"]), (3, 8, 8))
