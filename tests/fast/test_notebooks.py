"""Practice in a live session, what shows itself there, and the lessons as notebooks."""

import ast
import json
import linecache
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
import torch
from torch import nn

import etude
import etude.explain.cost
import etude.explain.depth
import etude.explain.gradients
import etude.reproduce.reproduction
from etude import practice
from etude.cli import app
from etude.errors import EtudeError, UsageError
from etude.lessons.notebooks import cells_of, notebook, write_notebooks
from etude.lessons.pages import commands, in_a_cell, pages, pieces
from etude.practice.checker import Mistaken
from etude.practice.exercises import Language, exercise
from etude.practice.workbook import STATE, State, Work, Workbook
from etude.report import live
from etude.report.notebook import VIEWS
from etude.shown import Shown
from etude.train.job import Progress
from lessons import LESSONS, NAMED, sessions
from pages import Reader

RIGHT = exercise("residual_block").solution.read_text(encoding="utf-8")
WRONG = exercise("residual_block").sources["relu_before_addition"]
practice_of: Any = practice  # a module of which one can ask by name


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")


@pytest.fixture
def cell() -> Iterator[Callable[[str, str], Any]]:
    """Runs code as a kernel does: from no file, and Python knows its lines."""
    names = list[str]()

    def run(source: str, name: str) -> Any:
        names.append(f"/tmp/ipykernel_0/{len(names)}.py")
        linecache.cache[names[-1]] = (len(source), None, source.splitlines(keepends=True), names[-1])
        known: dict[str, Any] = {}
        exec(compile(source, names[-1], "exec"), known)
        return known[name]

    yield run
    for name in names:
        linecache.cache.pop(name, None)


Run = Callable[[str, str], Any]


def said(value: Shown) -> list[str]:
    """The words of a cell; the same in both forms."""
    bundle = value._repr_mimebundle_()
    assert bundle == {"text/plain": repr(value), "text/html": value._repr_html_()}
    words = Reader(bundle["text/html"]).words
    assert sorted(repr(value).split()) == sorted(words)
    return words


# ── Practice ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_class_of_a_cell_is_told_its_line(cell: Run, capsys: pytest.CaptureFixture[str]) -> None:
    result = practice.check("residual_block", cell(WRONG, "ResidualBlock"))
    (line,) = [number for number, text in enumerate(WRONG.splitlines(), 1) if "x + y" in text or "y + x" in text]
    assert not result
    assert result.diagnoses[0].id == "relu_before_addition"
    assert f"line {line}:" in result.message
    assert result.json()["diagnoses"][0]["line"] == line
    assert result.message.split()[:3] == ["not", "yet:", "residual_block"]
    assert 'practice.hint("residual_block")' in repr(result)
    said(result)
    with pytest.raises(Mistaken, match=f"not yet: residual_block .*; line {line}: "):
        result.raise_for_mistake()
    assert capsys.readouterr() == ("", "")


def test_whatever_makes_the_block_is_taken(cell: Run, tmp_path: Path) -> None:
    block = cell(RIGHT, "ResidualBlock")
    made = cell("from torch import nn\ndef made(size):\n    return block(size)\n", "made")
    made.__globals__["block"] = block
    odd = cell(RIGHT.replace("channels: int", "channels: int, bias=True"), "ResidualBlock")
    for answer in (block, block(3), made, lambda channels: block(channels), partial(odd, bias=True)):
        result = practice.check("residual_block", answer)
        assert result, result
        result.raise_for_mistake()
    assert practice.check("conv_cost", cell(exercise("conv_cost").solution.read_text(encoding="utf-8"), "conv_macs"))
    loop = cell(exercise("train_loop").solution.read_text(encoding="utf-8"), "train_one_epoch").__globals__
    assert practice.check("train_loop", loop["accuracy"], loop["train_one_epoch"]), "in whatever order"
    short = exercise("refactor").solution.read_text(encoding="utf-8")
    assert practice.check("refactor", cell(re.sub(r"\bInceptionA\b", "Mine", short), "Mine")), "its words are counted in the cell"
    assert Workbook.here().folder == tmp_path / "practice"
    assert Workbook.here().works()["residual_block"] == Work(passed=True, checks=5, solved=True)


def test_the_start_is_no_attempt(cell: Run) -> None:
    start = (exercise("residual_block").folder / "start.py").read_text(encoding="utf-8")
    result = practice.check("residual_block", cell(f"# mine\n{start}", "ResidualBlock"))
    assert (result.status, bool(result)) == ("not attempted", False)
    assert "not attempted: residual_block" in result.message
    assert Workbook.here().work("residual_block") == Work()
    begun = cell(start.replace("raise NotImplementedError  # TODO", "raise NotImplementedError('x')"), "ResidualBlock")
    assert practice.check("residual_block", begun).diagnoses[0].id == "todo"


@pytest.mark.parametrize(
    ("name", "answers", "message"),
    [
        ("residul_block", (nn.ReLU,), "did you mean residual_block"),
        ("residual_block", (), r'practice.check\("residual_block", ResidualBlock\); got nothing'),
        ("train_loop", (len,), "asks for train_one_epoch, accuracy"),
        ("residual_block", (7,), "expected a class or a function such as ResidualBlock, got 7"),
        ("residual_block", (nn.Sequential(),), "is made already; pass a class"),
        ("residual_block", ("resnet20",), "expected FILE.py"),
        ("residual_block", ("theirs.py",), "no such file"),
    ],
)
def test_what_cannot_be_an_answer_is_said(name: str, answers: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        practice.check(name, *answers)


def test_a_check_leaves_the_session_as_it_was(cell: Run, capfd: pytest.CaptureFixture[str]) -> None:
    rude = """import sys, warnings
import torch
from torch import nn
class Rude(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        torch.manual_seed(7); torch.rand(3); torch.set_num_threads(2)
        torch.set_default_dtype(torch.float16); torch.set_grad_enabled(False)
    def forward(self, x):
        print("seen"); print("told", file=sys.stderr); warnings.warn("loud")
        return self.conv(x)
"""
    block = cell(rude, "Rude")
    torch.manual_seed(1)
    with torch.no_grad():
        expected = torch.rand(4, generator=torch.Generator().manual_seed(1))
        before = (torch.get_default_dtype(), torch.get_num_threads())
        result = practice.check("residual_block", block)
        assert not result
        assert not torch.is_grad_enabled()
        assert (torch.get_default_dtype(), torch.get_num_threads()) == before
        assert torch.equal(torch.rand(4), expected)
    assert "seen" in result.printed
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not hasattr(__import__("signal"), "setitimer"), reason="no alarms here")
def test_what_does_not_end_is_ended(cell: Run) -> None:
    source = RIGHT.replace(
        "y = x + y", "while True:\n            try:\n                y = y + 1\n            except Exception:\n                pass"
    )
    result = practice.check("residual_block", cell(source, "ResidualBlock"), seconds=0.2)
    assert (result.status, [one.id for one in result.diagnoses]) == ("error", ["time"])
    assert result.diagnoses[0].line in range(15, 24)


def test_hints_and_solution_come_as_on_the_terminal(cell: Run) -> None:
    question = practice_of["residual_block"]
    assert question.task in "\n".join(line.rstrip() for line in repr(question).splitlines())
    said(question)
    assert [practice.hint("residual_block").last for _ in range(2)] == [False, False]
    hint = question.hint()
    assert (len(hint.texts), hint.last, hint.text) == (3, True, exercise("residual_block").hints[2].en)
    said(hint)
    assert Workbook.here().work("residual_block").hints == 3
    later = question.solution()
    assert not later
    assert "give_up=True" in later.message
    said(later)
    assert question.solution(give_up=True).code == RIGHT
    question.check(cell(RIGHT, "ResidualBlock"))
    assert practice.solution("residual_block").code == RIGHT


def test_the_folder_of_the_terminal_is_the_folder_of_the_notebook(begun: Path, cell: Run) -> None:
    book = Workbook(begun)
    book.save(State("zh"))
    assert "还没有通过" in repr(practice.check("residual_block", cell(WRONG, "ResidualBlock")))
    assert practice.check("residual_block", cell(RIGHT, "ResidualBlock"))
    assert book.work("residual_block") == Work(passed=True, checks=2, solved=True)
    assert book.passed() == 1


def test_progress_that_cannot_be_kept_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Workbook, "empty", full)
    with pytest.raises(EtudeError, match="practice: Permission denied; progress is kept there"):
        practice.hint("densenet")


# ── What shows itself ────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_value_has_its_view() -> None:
    assert {one.__name__ for one in Shown.__subclasses__()} - {"Cell", "Moment"} == set(VIEWS)


def test_a_graph_and_facts_show_themselves() -> None:
    graph = etude.graph(etude.build("lecture_residual"), (1, 28, 28))
    assert "<svg" in graph._repr_html_()
    assert f"{graph.parameters:,} parameters" in repr(graph)
    paper, network = found = etude.facts("resnet20")
    assert (found.paper, found.network) == (paper, network)
    assert paper.title in repr(found)


def test_a_command_shows_in_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "relu(" in repr(etude.command("read lecture_residual"))
    drawn = etude.command("explain lecture_residual --diagram block.svg --block rblock1")
    assert "<svg" in drawn._repr_html_()
    assert list(tmp_path.iterdir()) == []
    assert app.run(["show", "lecture_residual"]) == 0, "and a command is again a command"
    assert capsys.readouterr().out.strip() == repr(etude.command("show lecture_residual"))
    with pytest.raises(UsageError, match="did you mean show"):
        etude.command("shaw lecture_residual")


def progress(step: int) -> Progress:
    return Progress(step, 10, step / 5, 2, 2.0 / step, 0.1 * step, float("nan") if step < 5 else 0.9, 100, 10 - step)


def test_a_training_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown = list[live.Moment]()

    def display(picture: live.Moment, *, display_id: bool) -> SimpleNamespace:
        shown.append(picture)
        return SimpleNamespace(update=shown.append)

    shell: Any = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1), display=display)
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setattr(live, "import_module", lambda _: shell)
    monkeypatch.setattr(live, "EVERY", 0)
    monkeypatch.setattr(live, "POINTS", 4)
    watch = live.watcher()
    for step in range(1, 11):
        watch(progress(step))
    assert [one.now.step for one in shown] == list(range(1, 11))
    assert (shown[-1].seen[0].step, shown[-1].seen[-1].step, len(shown[-1].seen) <= 5) == (1, 10, True)
    html = shown[-1]._repr_html_()
    assert live.line(progress(10)) in html
    assert "width:100.0%" in html
    assert html.count("<polyline") == 2
    assert not re.search(r"<script|<style|\bnan\b(?! )", html)
    assert repr(shown[0]) == live.line(progress(1))
    monkeypatch.setattr(shell, "get_ipython", lambda: None)
    live.watcher()(progress(1))
    assert capsys.readouterr() == ("", ""), "nobody looks"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    live.watcher()(progress(10))
    assert re.search(r"2\.00/2 epochs .*\n$", capsys.readouterr().err)


# ── The lessons ──────────────────────────────────────────────────────────────────────────────────────────────────────


def codes(page: Path, language: Language) -> list[str]:
    return [cell["source"] for cell in cells_of(page, language) if cell["cell_type"] == "code"]


def test_the_notebooks_are_notebooks_and_the_same_in_both_languages() -> None:
    for english, chinese in zip(pages("en"), pages("zh"), strict=True):
        for made in (json.loads(notebook(english, "en")), json.loads(notebook(chinese, "zh"))):
            nbformat.validate(made)
            text = "\n".join(cell["source"] for cell in made["cells"] if cell["cell_type"] == "markdown")
            assert "practice.check(" in [cell["source"] for cell in made["cells"] if cell["cell_type"] == "code"][-1][:15]
            assert not re.findall(r"\]\((?!https://|figures/\w+\.svg|[1-7]-[\w-]+\.(?:en|zh)\.ipynb)", text), "a link that leads nowhere"
        assert [ast.unparse(ast.parse(one)) for one in codes(english, "en")] == [
            ast.unparse(ast.parse(one)) for one in codes(chinese, "zh")
        ]


def test_the_cells_of_the_notebooks_run_in_one_session(
    cell: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """But for their commands, which the pages' own tests run; the untouched exercises are not attempted."""
    asked, checks = list[str](), list[Any]()
    monkeypatch.setattr(etude, "command", asked.append, raising=False)
    check = practice.check
    monkeypatch.setattr(practice, "check", lambda *answer: checks.append(check(*answer)))
    for page in pages("en"):
        known: dict[str, Any] = {"__name__": "__main__"}
        for number, source in enumerate(codes(page, "en")):
            name = f"/tmp/ipykernel_0/{page.stem}-{number}.py"
            monkeypatch.setitem(linecache.cache, name, (len(source), None, source.splitlines(keepends=True), name))
            with torch.random.fork_rng(devices=[]):
                exec(compile(source, name, "exec"), known)
    assert {one.status for one in checks} == {"not attempted"}
    assert len(checks) == sum(len(re.findall("^etude practice check", page.read_text(encoding="utf-8"), re.MULTILINE)) for page in LESSONS)
    tested = {
        line.removeprefix("etude ").partition("  #")[0].strip()
        for line in [*NAMED, *(line for one in LESSONS for line, _ in sessions(one))]
    }
    assert len(asked) > 20
    assert {one.removesuffix(" --data strokes") for one in asked} <= tested


def test_what_takes_long_or_needs_a_file_is_there_to_read() -> None:
    left = {
        line for page in LESSONS for piece in pieces(page) if piece.kind == "shell" for line in commands(piece.text) if not in_a_cell(line)
    }
    assert {line.split("  #")[0].strip() for line in left} == {
        "etude explain --depth 8,20,56,110",
        "etude reproduce lecture --seeds 3",
        "etude reproduce lecture --budget paper --seeds 3",
        "etude verify my_net.py:Net --against lecture_residual",
        "etude verify lecture.py --against lecture_inception",
        "etude verify lecture.ipynb --against lecture_residual",
    }


def test_writing_the_lessons_again_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["lessons", "mine", "--lang", "zh"]) == 0
    assert "7 个笔记本" in capsys.readouterr().out
    assert Workbook.near(tmp_path / "mine") == Workbook(tmp_path / "mine")
    assert Workbook(tmp_path / "mine").language == "zh"
    assert (tmp_path / "mine" / "figures" / "incep1.svg").exists()
    own = tmp_path / "mine" / "2-inception.zh.ipynb"
    own.write_text("mine", encoding="utf-8")
    (tmp_path / "mine" / "1-conv1x1.zh.ipynb").unlink()
    written, kept = write_notebooks(tmp_path / "mine", "zh")
    assert ([file.name for file in written], len(kept), own.read_text(encoding="utf-8")) == (["1-conv1x1.zh.ipynb"], 6, "mine")
    assert app.run(["lessons", "mine", "--lang", "zh"]) == 0
    assert "2-inception.zh.ipynb" in capsys.readouterr().out
    assert (tmp_path / "mine" / STATE).exists()


@pytest.mark.parametrize("command", ["lessons", "practice start"])
def test_where_nothing_can_be_written_another_folder_is_asked_for(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert app.run([*command.split(), str(tmp_path / "file" / "within")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert all(word in said for word in ("cannot be written", f"`etude {command} ~/etude`"))
