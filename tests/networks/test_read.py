"""`etude read` of every registered network at full size."""

import inspect
from pathlib import Path
from typing import Any

import pytest

import etude
from etude.models import registry
from etude.verification.facts import facts_of
from etude.views.reading import reading
from whole import DEEPEST, SHALLOWER, Whole


@pytest.mark.parametrize("whole", SHALLOWER, indirect=True, scope="session")
def test_every_class_of_a_network_is_read_and_every_stage_of_its_table_told(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etude.views.reading.without_weights", lambda _: whole.module)
    name = whole.name
    found = reading(name)
    sections = {(section.title, section.file): section for section in found.passages}
    classes = {base for part in whole.module.modules() for base in type(part).__mro__ if base.__module__.startswith("etude.models")}
    for of in classes:
        section = sections[f"class {of.__name__}", f"{of.__module__.split('.')[-1]}.py"]
        assert section.text.endswith(inspect.getsource(of).rstrip("\n"))
        assert section.notes
    named = {title.removeprefix("class ") for title, _ in sections if title.startswith("class ")}
    assert named - {of.__name__ for of in classes} <= {"Order"}, "only what the network uses"
    notes = [note for section in found.passages for note in section.notes]
    table = facts_of(name)[0].tables.get(facts_of(name)[1].table)
    for stage in table.stages if table else ():
        last = [step.shape for step in whole.steps if step.path.split(".")[0] == stage.place][-1]
        assert last[-len(stage.output) :] == stage.output
        told = f" → {'×'.join(map(str, last))}", f"; the table prints {'×'.join(map(str, stage.output))}"
        assert any(note.startswith(f"{stage.place}: ") and all(size in note for size in told) for note in notes)
    assert all(departure in found.departures for departure in registry.row(name).departures)
    source = {section.file: Path(inspect.getfile(etude)).parent.joinpath("models", section.file).read_text() for section in found.passages}
    for section in found.passages:
        assert section.text == "\n".join(source[section.file].splitlines()[section.line - 1 :][: section.text.count("\n") + 1])
    lines = [(section.file == "pieces.py", section.line) for section in found.passages]
    assert lines == sorted(lines)


def test_the_deepest_networks_are_of_the_same_classes() -> None:
    """Those left out above, because they take long to build."""
    same = {(registry.row(name).target, facts_of(name)[1].table, *_words(name)) for name in SHALLOWER}
    assert {(registry.row(name).target, facts_of(name)[1].table, *_words(name)) for name in DEEPEST} <= same


def _words(name: str) -> tuple[Any, ...]:
    given = facts_of(name)[1].given
    return given.get("shortcut"), given.get("order"), given.get("bottleneck")
