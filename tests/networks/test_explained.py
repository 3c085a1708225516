"""What `explain` says of every registered network at full size."""

import pytest

from etude.explain.outline import outline
from etude.report.terminal import text_of
from etude.verification.facts import graph_of
from etude.views.network import FIRST, Subject, network_view
from whole import SHALLOWER, Whole

each = pytest.mark.parametrize("whole", SHALLOWER, indirect=True, scope="session")


@each
def test_what_ran_reads_like_the_papers_table(whole: Whole) -> None:
    """The outline of the module that ran and the outline of the paper's expanded table say the same, line by line."""
    ran, table = (outline(graph) for graph in (whole.graph, graph_of(whole.name)))
    lines = [[(line, part.count, part.side) for part in parts for line in part.lines] for parts in (ran, table)]
    assert lines[0] == lines[1]
    assert [line for part in ran if not part.side for line in part.lines][-1].shape == whole.steps[-1].shape


@pytest.mark.parametrize("whole", [*SHALLOWER, "resnet1202"], indirect=True, scope="session")
def test_stages_add_up_and_fit_a_terminal(whole: Whole) -> None:
    subject = Subject(whole.name, {}, whole.module, whole.graph, whole.row.input, "", lambda: whole.module)
    view = network_view(subject, FIRST)
    found = view.plain["cost"]
    assert sum(stage["parameters"] for stage in found["stages"]) == found["parameters"]
    assert sum(stage["macs"] for stage in found["stages"] if not stage["side"]) == found["macs"]
    assert found["kept"] is not None
    assert sum(stage["kept"] or 0 for stage in found["stages"]) == found["kept"]
    assert 0 < found["peak"] < found["kept"]
    out = text_of(view)
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 100
    for head in ("output", "parameters", "MACs, millions", "activations, MiB", "FLOPs"):
        assert head in out
