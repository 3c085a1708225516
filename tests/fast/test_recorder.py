"""One recorder: the graph, the signatures and the replay of a module are readings of the same operators."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import etude
from etude.explain.outline import label
from etude.operator import Operator
from etude.verification.align import align, run_table
from etude.verification.diagnose import described
from etude.verification.replay import Replay, replayable
from etude.verification.trace import Trace, difference, randomise, traced
from reduced import image, small

NETWORKS: list[tuple[str, dict[str, Any]]] = [
    *((name, small(name)) for name in ("lecture_inception", "lecture_residual", "lecture_densenet", "resnet20", "resnet20@b")),
    *((name, small(name)) for name in ("resnet50", "preact_resnet164", "densenet_40_12")),
    ("googlenet", {"auxiliary": False}),
    ("ablation_resnet110", {"depth": 8, "shortcut": "exclusive_gating"}),
]


def plain(operators: Any) -> list[dict[str, Any]]:
    """What all kinds of operator have in common."""
    return [{field.name: getattr(one, field.name) for field in fields(Operator)} for one in operators]


@pytest.mark.parametrize(("name", "options"), NETWORKS, ids=str)
@torch.no_grad()
def test_graph_trace_and_replay_are_one_list_of_operators(name: str, options: dict[str, Any]) -> None:
    module, shape = etude.build(name, **options).eval(), (3, 64, 64) if name == "googlenet" else image(name)
    images = torch.randn(2, *shape)
    graph = plain(etude.graph(module, shape).nodes)
    assert plain(traced(module, images, module).events) == graph
    assert plain(replayable(module, images).steps) == graph


# ── Styles that reach the same numbers through memory, lists and parts ───────────────────────────────────────────────


class Styled(nn.Module):
    """Two convolutions between which `between` happens."""

    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.one, self.two, self.between = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, (1, 3), dilation=2, groups=2), between

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.between(self.one(x)))


def preallocated(x: Tensor) -> Tensor:
    out = torch.empty_like(x)
    out[:] = x.relu()
    return out


def in_two_halves(x: Tensor) -> Tensor:
    one, other = x.chunk(2, dim=1)
    return torch.cat([other, F.relu(one)], dim=1)


def in_place(x: Tensor) -> Tensor:
    x += 1.5 * x.relu()
    return F.dropout(x, 0.3, training=True)


STYLES = {style.__name__: style for style in (preallocated, in_two_halves, in_place)}


def seen_and_replayed(module: nn.Module) -> tuple[Trace, Replay]:
    images = torch.randn(3, 3, 7, 7, dtype=torch.float64)
    module.double().train()
    randomise(module, traced(module, images.clone(), module))
    return traced(module, images, module), replayable(module, images.clone())


@pytest.mark.parametrize("style", STYLES)
@torch.no_grad()
def test_a_replay_is_the_modules_function(style: str) -> None:
    """Also on other images: with the weights that it is given back, it computes what the module does."""
    module = Styled(STYLES[style])
    trace, replay = seen_and_replayed(module)
    found = align(replay.steps, trace, module)
    assert (replay.error, found.reached, replay.output) == (None, len(replay.steps), len(replay.steps) - 1)
    others = torch.randn(3, 3, 7, 7, dtype=torch.float64)
    ran = traced(module, others.clone(), module).outputs[0]
    again = run_table(replay.steps, found, others, training=True)[len(replay.steps) - 1]
    assert difference(ran, again) < 1e-12


@torch.no_grad()
def test_a_step_that_was_run_is_described_with_all_its_facts() -> None:
    """Kernels that are no squares, dilation and groups; and the function of torch, where it has no name here."""
    _, replay = seen_and_replayed(Styled(F.gelu))
    assert [described(step) for step in replay.steps] == ["3×3 conv 8", "gelu", "1×3 conv 4 pad 0, groups 2, dilation 2"]


@torch.no_grad()
def test_weights_that_are_used_again_are_known() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.conv(x))

    trace, replay = seen_and_replayed(module := Twice())
    assert [step.shares for step in replay.steps] == [None, 0]
    assert align(replay.steps, trace, module).reached == 2


@torch.no_grad()
def test_weights_that_are_computed_cannot_be_replaced() -> None:
    class Computed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 3))

        def forward(self, x: Tensor) -> Tensor:
            return torch.einsum("oc,nchw->nohw", self.weight.exp(), x)

    _, replay = seen_and_replayed(Computed())
    assert isinstance(replay.error, NotImplementedError)


class Parts(nn.Module):
    """Writes into a new tensor, part by part."""

    def forward(self, x: Tensor) -> Tensor:
        out = x.new_empty(x.shape)
        out[:, :2].copy_(x[:, :2])
        out[:, 2:].copy_(x[:, 2:].relu())
        return out.sigmoid()


@torch.no_grad()
def test_what_is_written_into_a_part_is_known_in_the_whole() -> None:
    """The trace knows what feeds an operator through the memory of its inputs, as the graph does; a replay says what it cannot repeat."""
    trace, replay = seen_and_replayed(Parts())
    last = trace.events[-1]
    assert (last.op, [label(trace.events[index]) for index in last.inputs]) == ("sigmoid", ["copy"])
    assert isinstance(replay.error, NotImplementedError)
