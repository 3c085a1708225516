"""What `explain` says of every registered network at full size."""

import pytest

from etude.explain.outline import outline
from etude.models import registry
from etude.report.terminal import text_of
from etude.verification.facts import graph_of, steps_of
from etude.views.network import FIRST, Subject, network_view
from whole import SHALLOWER, Whole

LARGEST = {registry.row(name).target: name for name in sorted(SHALLOWER, key=lambda name: sum(step.parameters for step in steps_of(name)))}


@pytest.mark.parametrize("whole", [*SHALLOWER, "resnet1202"], indirect=True, scope="session")
def test_what_ran_reads_like_the_papers_table(whole: Whole) -> None:
    """The outline of the module that ran and the outline of the paper's expanded table say the same, line by line."""
    ran, table = (outline(graph) for graph in (whole.graph, graph_of(whole.name)))
    lines = [[(line, part.count, part.side) for part in parts for line in part.lines] for parts in (ran, table)]
    assert lines[0] == lines[1]
    assert [line for part in ran if not part.side for line in part.lines][-1].shape == whole.steps[-1].shape


@pytest.mark.parametrize("whole", SHALLOWER, indirect=True, scope="session")
def test_what_is_shown_fits_a_terminal(whole: Whole) -> None:
    """Shapes of each; and costs of the largest of each class, whose numbers are the widest."""
    subject = Subject(whole.name, {}, whole.module, whole.graph, whole.row.input, "", lambda: whole.module)
    largest = whole.name in LARGEST.values()
    out = text_of(network_view(subject, FIRST if largest else ["shapes"]))
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 100
    assert "output" in out
    assert not largest or all(head in out for head in ("parameters", "MACs, millions", "activations, MiB", "FLOPs"))
