"""Every registered network at full size against its paper."""

import math
from collections.abc import Sequence

import pytest
from torch import nn

import etude
from etude import papers
from etude.explain.nodes import Graph
from etude.models import registry
from etude.verification import exact
from etude.verification.facts import steps_of
from whole import Whole

COUNTS = [(row.name, count) for row in registry.ROWS for count in papers.load(row.paper).counts_of(row.name)]


def test_every_row_resolves(whole: Whole) -> None:
    assert isinstance(whole.module, nn.Module)
    paper, network = etude.facts(whole.name)
    assert network.id == whole.name
    assert network.input == whole.row.input
    assert paper.id == whole.row.paper
    assert bool(whole.row.departures) == (network.kind == "departs"), "a departure is named, and only a departure"
    assert ("@" in whole.name) == bool(whole.row.departures)


def test_names_are_unique() -> None:
    assert len(set(etude.names())) == len(registry.ROWS)


def test_counts_are_exact_to_the_last_digit(whole: Whole) -> None:
    """Three ways to count: what other people's builds of the network have, the paper's table, and what runs."""
    (count,) = (count for name, count in COUNTS if name == whole.name and not count.given)
    assert_exact(count, whole.module, whole.steps, whole.graph)


@pytest.mark.parametrize(("name", "count"), [(name, count) for name, count in COUNTS if count.given], ids=str)
def test_counts_with_options_are_exact_to_the_last_digit(name: str, count: papers.Count) -> None:
    """With other classes than its own a network runs as above but for its last layer, so its module and its table are enough."""
    module = exact.without_weights(name, **count.given)
    ran = None if set(count.given) == {"classes"} else etude.graph(module, registry.row(name).input)
    assert_exact(count, module, steps_of(name, **count.given), ran)


def assert_exact(count: papers.Count, module: nn.Module, steps: Sequence[papers.Step], ran: Graph | None) -> None:
    assert count.parameters == sum(p.numel() for p in module.parameters()) == sum(step.parameters for step in steps)
    macs = sum(step.macs for step in steps if not step.side)
    if ran is not None:
        assert (count.parameters, macs) == (ran.parameters, ran.macs)
    if count.macs is not None:
        assert count.macs == macs
    if count.bare is not None:
        norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
        assert count.bare == count.parameters - sum(p.numel() for norm in norms for p in norm.parameters())


@pytest.mark.parametrize("count", [count for _, count in COUNTS], ids=lambda count: count.id)
def test_printed_counts_are_the_exact_ones_rounded(count: papers.Count) -> None:
    """To the last digit that is printed; a note says where the paper cut rather than rounded."""
    pairs = [(count.printed_parameters, count.parameters if count.printed_is == "all" else count.bare, 1e6)]
    pairs.append((count.printed_macs, count.macs, 1e9))
    for printed, exact_, unit in pairs:
        if printed is not None:
            assert exact_ is not None
            decimals = 2 if printed < 1e6 and unit == 1e6 and round(printed / 1e4) % 10 else 1
            cut = unit == 1e9 and "would round to" in count.note
            assert round(printed / unit, decimals) in (round(exact_ / unit, decimals), math.floor(exact_ / unit * 10) / 10 if cut else None)


def test_every_network_has_counts() -> None:
    assert {name for name, count in COUNTS if not count.given} == set(etude.names())


def test_every_operator_is_the_papers(whole: Whole) -> None:
    for check in exact.compare(whole.steps, whole.graph, exact.eps_of(whole.name)):
        assert check.verdict == "exact", f"{whole.name}: {check.path}: {check.differences}"


def test_stages_have_the_sizes_that_the_table_prints(whole: Whole) -> None:
    paper, network = etude.facts(whole.name)
    stages = paper.tables[network.table].stages if network.table else ()
    assert bool(stages) == (paper.id != "lecture" and not whole.name.endswith("@cifar")), "the lecture and other people's code print none"
    for stage in stages:
        ran = [node for node in whole.graph.nodes if node.path == stage.place or node.path.startswith(f"{stage.place}.")]
        assert ran, stage.place
        assert ran[-1].shape[-len(stage.output) :] == stage.output, stage.place
        if network.kind == "departs":
            continue  # the sizes are the table's, the cost is not
        if stage.weights is not None:
            assert sum(math.prod(p.shape) for p in weights_of(whole, stage.place)) == stage.weights, stage.place
        if stage.macs is not None:
            assert sum(node.macs for node in ran) == stage.macs, stage.place


def weights_of(whole: Whole, place: str) -> list[nn.Parameter]:
    """The parameters of that stage but for biases."""
    module = whole.module.get_submodule(place)
    return [parameter for name, parameter in module.named_parameters() if not name.endswith("bias")]
