"""The recorded graph: the same for every style of writing, with costs that torch's own counter agrees with."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import etude
from etude.explain.nodes import Graph
from etude.models import registry
from etude.verify.exact import without_weights


@pytest.mark.parametrize("row", registry.ROWS, ids=lambda row: row.name)
def test_multiply_adds_agree_with_torchs_counter(row: registry.Row) -> None:
    model = without_weights(row.name).eval()
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, *row.input))
    assert 2 * etude.graph(model, row.input).macs == counter.get_total_flops()


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
