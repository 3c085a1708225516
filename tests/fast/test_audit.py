"""The list of implementations, where their code is got from, and what is kept of them. Nothing is installed or fetched here."""

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import etude
from etude.audit import audit, places
from etude.audit.audit import Found, found_in
from etude.audit.implementations import Package, Repository, Row, Source, matching, read
from etude.audit.places import Place, Unavailable
from etude.errors import EtudeError, UsageError
from etude.tables import TableError
from etude.verification.verdict import Verification
from lessons import make
from shell import run

ROWS = (Row("zoo:net(3)", "resnet20"), Row("zoo:other", "resnet50"))
SOURCES = (
    Package("zoo", "1.0", ROWS, ("six==1.17.0",)),
    Repository("https://github.com/owner/name", "0123456789" * 4, "MIT", (Row("net.py:Net", "resnet20"),)),
)


# ── The list ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_list_is_long_and_everything_has_its_version() -> None:
    sources = read()
    rows = [(source.name, row.command) for source in sources for row in source.rows]
    assert len(rows) >= 60
    assert len(set(rows)) == len(rows)
    assert len({source.name for source in sources if isinstance(source, Package)}) >= 8
    assert [need for source in sources for need in source.installs if "==" not in need or need.startswith("torch==")] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows = 1", r"my\.toml: expected \[\[source\]\] tables"),
        ("source = [1]", r"my\.toml: source\[0\] = 1, expected a table"),
        ("source = []\nnotes = { v15 = 3 }", r"my\.toml: notes: expected a sentence for each name"),
        ("[[source]]\npackage = 'zoo'\nrows = []", r"my\.toml: source\[0\]: missing key `version`"),
        ("[[source]]\npackage = 'zoo'\nversion = '1'\nrows = [{ target = 'a:b' }]", r"source\[0\]\.rows\[0\]: missing key `against`"),
        ("[[source]]\npackage = 'z'\nversion = '1'\nrows = [{ target = 'a:b', against = 'resnt20' }]", r"source\[0\]: no model `resnt20`"),
        ("[[source]]\npackage = 'z'\nversion = '1'\nrow = []", r"source\[0\]: unknown key `row`; did you mean rows"),
        (
            "[[source]]\nrepository = 'x'\nrevision = 'main'\nlicence = ''\nrows = []",
            r"revision = 'main', expected the 40 hexadecimal digits",
        ),
    ],
)
def test_a_list_that_says_something_else_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "my.toml").write_text(text, encoding="utf-8")
    with pytest.raises(TableError, match=message):
        read(tmp_path / "my.toml")


def test_the_commands_are_those_that_a_person_types() -> None:
    package, repository = SOURCES
    assert package.command == "pip install --no-deps zoo==1.0 six==1.17.0"
    assert repository.command == f"git clone https://github.com/owner/name && cd name && git checkout {'0123456789' * 4}"
    row = replace(ROWS[0], set=("depth=8",), input="3x64x64")
    assert " ".join(row.command) == "etude verify zoo:net(3) --against resnet20 --set depth=8 --input 3x64x64"


@pytest.mark.parametrize(
    ("patterns", "rows"), [((), 3), (("zoo",), 2), (("owner/*",), 1), (("resnet20",), 2), (("*other",), 1), (("zoo", "resnet20"), 3)]
)
def test_a_pattern_chooses_rows(patterns: Sequence[str], rows: int) -> None:
    assert sum(len(source.rows) for source in matching(SOURCES, patterns)) == rows


def test_a_pattern_that_matches_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="nothing matches alexnet"):
        matching(SOURCES, ("alexnet",))
    code, out, _ = run(capsys, "audit", "--list", "resnet50")
    assert code == 0
    assert "torchvision.models:resnet50" in out
    assert "densenet" not in out


# ── Where the code is got from ───────────────────────────────────────────────────────────────────────────────────────


def test_an_environment_is_made_once_and_finds_what_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(places, "run", lambda *command: commands.append(command))
    for _ in range(2):
        place = places.place_of(SOURCES[0], tmp_path)
    assert [command[1:3] for command in commands] == [("-m", "venv"), ("-m", "pip")]
    assert commands[1][0] == str(place.python)
    assert commands[1][-2:] == ("zoo==1.0", "six==1.17.0")
    assert str(Path(etude.__file__).parents[1]) in (place.code / "etude.pth").read_text(encoding="utf-8").splitlines()
    places.place_of(replace(SOURCES[0], requires=()), tmp_path)
    assert len(commands) == 4, "other requirements are another environment"


def test_what_cannot_be_had_is_said_in_a_line() -> None:
    with pytest.raises(Unavailable, match=r"^etude-no-such-program cannot be run: No such file or directory$"):
        places.run("etude-no-such-program")


def test_what_does_not_end_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "SECONDS", 0.2)
    with pytest.raises(Unavailable, match=r"^`python\S* -c import time; time.sleep\(600\) …` did not end within 0\.2 s$"):
        places.run(sys.executable, "-c", "import time; time.sleep(600)")


# ── What is found ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_audit_goes_on_where_it_stopped_and_past_what_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []

    def place_of(source: Source, folder: Path) -> Place:
        if source.name == "zoo":
            return Place(Path("python"), folder)
        raise Unavailable("git cannot be run")

    def judge(row: Row, _: Place) -> Found:
        judged.append(row.target)
        if judged == ["zoo:net(3)", "zoo:other"]:
            raise KeyboardInterrupt
        return Found("departs", "it departs", "conv1", seconds=2)

    monkeypatch.setattr(audit, "place_of", place_of)
    monkeypatch.setattr(audit, "judged", judge)
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        audit.audit(SOURCES, tmp_path, said.append)
    rows = audit.audit(SOURCES, tmp_path, said.append)
    assert judged == ["zoo:net(3)", "zoo:other", "zoo:other"]
    assert [row.found.verdict for row in rows] == ["departs", "departs", "not tried"]
    assert (rows[2].found.sentence, rows[2].version) == ("git cannot be run", "0123456")
    assert said[0] == "[1/3] zoo 1.0: etude verify 'zoo:net(3)' --against resnet20"
    assert said[-1] == "[3/3] not tried (0 s): git cannot be run"
    assert audit.audit(SOURCES[:1], tmp_path, said.append) == rows[:2]
    audit.audit(SOURCES[:1], tmp_path, said.append, again=True)
    assert judged[3:] == ["zoo:net(3)", "zoo:other"]
    monkeypatch.setattr(audit, "VERSION", "0")
    audit.audit(SOURCES[:1], tmp_path, said.append)
    assert judged[5:] == ["zoo:net(3)", "zoo:other"], "what another version has found is judged anew"


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 1}', '{"a": {}}', "\xff"])
def test_what_was_found_and_is_damaged_is_named_and_left(tmp_path: Path, text: str) -> None:
    file = tmp_path / "zoo-1.0" / "found.json"
    file.parent.mkdir()
    file.write_text(text, encoding="latin-1")
    with pytest.raises(EtudeError, match=rf"{re.escape(str(file))}: is damaged"):
        audit.audit(SOURCES[:1], tmp_path, print)
    assert file.read_text(encoding="latin-1") == text


def test_the_first_departure_is_that_of_the_place() -> None:
    report = Verification("a", "b", "departs", "c", (), "fc", departures=(("", "one"), ("fc", "two"), ("fc", "three")))
    assert found_in(report, Path()).departure == "two"


def test_the_page_shows_rows_of_the_list() -> None:
    """So that each can be had again by what it says."""
    known = {(source.version, source.command, shlex.join(row.command)) for source in read() for row in source.rows}
    rows = make.audited()
    assert {(row.version, *row.commands) for row in rows} <= known
    assert len(rows) >= 60
