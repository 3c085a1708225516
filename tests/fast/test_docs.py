"""What the README and the docs say is what the records and the commands say."""

import ast
import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from etude.cli.app import COMMANDS
from etude.cli.app import etude as command
from etude.lessons.pages import FOLDER
from etude.models.registry import names
from etude.practice.exercises import names as exercises
from etude.reproduce import claims
from etude.reproduce.verdict import judge
from etude.train import recipe as recipes
from etude.train.recipe import as_table
from lessons import LESSONS, NAMED, PAGES, blocks, commands, make, sessions
from places import ROOT


@pytest.mark.parametrize("name", make.PAGES)
def test_the_tables_of_the_pages_are_made_from_the_records(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == make.page(name), "run: python docs/make.py"


@pytest.mark.parametrize("paper", claims.names())
def test_what_an_order_compares_is_told_apart_and_said_in_chinese(paper: str) -> None:
    for order in claims.load(paper).orders:
        worse, better = make.told_apart(order.worse, order.better)
        assert worse != better and "depth=56" not in worse + better  # which all of a table share
        for text in (order.says, order.measured):
            assert re.search("[\u4e00-\u9fff]", make.said(text, "zh")), text


@pytest.mark.parametrize("budget", make.BUDGETS)
def test_the_verdicts_of_the_records_follow_from_their_numbers(budget: str) -> None:
    record = make.record(f"docs/records/lecture-{budget}.json")
    assert record["seeds"] == 3
    for row in record["trained"]:
        assert [100 * metrics[-1]["test_accuracy"] for metrics in row["metrics"]] == pytest.approx(row["accuracy"]), "the last epoch"
        assert [metrics[-1]["epoch"] for metrics in row["metrics"]] == pytest.approx([row["recipe"]["epochs"]] * 3, abs=0.01)
        if row["published"]:
            verdict = judge(row["accuracy"], published=row["published"]["value"], runs=1, budget=budget, margin=0.3)
            assert (verdict.word, verdict.why) == (row["verdict"], row["why"])


def test_the_ratios_of_the_benchmark_follow_from_its_times() -> None:
    for row in make.record("benchmarks/lecture.json")["rows"]:
        assert row["epochs"] == 10
        lecture = row["lecture"]
        for run, ratio in zip(row["ours"], row["ratios"], strict=True):
            expected = lecture["seconds"] / run["seconds"] if run["accuracy"] >= lecture["accuracy"] else 0
            assert ratio == pytest.approx(expected)
        assert row["ratio"] == sorted(row["ratios"])[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    for line in commands(page):
        name, *arguments = shlex.split(line)[1:]
        assert name in COMMANDS, line
        verb = command.get_command(None, name)  # type: ignore[arg-type]
        while hasattr(verb, "commands"):
            verb = verb.commands[arguments.pop(0)]  # type: ignore[union-attr]
        assert verb is not None
        known = {option for parameter in verb.params for option in parameter.opts}
        unknown = {argument for argument in arguments if argument.startswith("--")} - known
        assert not unknown, f"{line}: {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readmes_looking_around_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = [line for line in commands(ROOT / "README.md") if line.split()[1] in ("ls", "show", "cp", "data")]
    assert len(shown) >= 4
    for line in shown:
        result = CliRunner().invoke(command, shlex.split(line)[1:])
        assert result.exit_code == 0, f"{line}: {result.output}"


# ── The lessons ──────────────────────────────────────────────────────────────────────────────────────────────────────


def in_chinese(page: Path) -> Path:
    return page.with_name(page.name.replace(".en.", ".zh."))


def test_there_are_seven_lessons_in_both_languages() -> None:
    assert [page.name[0] for page in LESSONS] == list("1234567")
    assert len(list(FOLDER.glob("[1-7]-*.md"))) == 14


@pytest.mark.parametrize("page", LESSONS, ids=lambda page: page.name)
def test_a_lesson_is_the_same_in_both_languages(page: Path) -> None:
    """The same code, commands, figures and headings; comments and prose are their own."""
    other = in_chinese(page)
    assert [without_comments(code) for code in blocks(page, "python")] == [without_comments(code) for code in blocks(other, "python")]
    assert blocks(page, "text") == blocks(other, "text")
    assert sessions(page) == sessions(other)
    assert commands(page) == commands(other)
    for pattern in (r"^#+ ", r"!\[.*?\]\((.*?)\)", r"<!-- .*? -->"):
        found = [re.findall(pattern, text.read_text(encoding="utf-8"), flags=re.MULTILINE) for text in (page, other)]
        assert found[0] == found[1], pattern


def without_comments(code: str) -> str:
    return ast.unparse(ast.parse(code))


@pytest.mark.parametrize("line", [line for line in NAMED if line.startswith("etude practice check")])
def test_an_exercise_of_the_lessons_exists(line: str) -> None:
    assert line.split()[-1] in exercises()


def test_the_readme_counts_the_networks() -> None:
    assert f"`etude ls` lists {len(names())}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_record_of_what_was_trained_in_full_tells_no_place() -> None:
    """As it is made of what `benchmarks/paper.py` wrote on somebody's machine."""
    kept = (ROOT / "docs/records/paper.json").read_text(encoding="utf-8")
    written = kept.replace("FOLDER", "/home/me/cifar").replace("images in ", "images in /home/me/")
    written = written.replace("--seeds 1", "--seeds 1 --minutes 480 --runs /home/me/runs")
    assert "/home/me" in json.loads(written)["command"]
    assert make.without_places(json.loads(written)) == kept


def test_what_was_trained_in_full_is_a_row_of_a_paper_by_its_own_recipe() -> None:
    record = make.record("docs/records/paper.json")
    for row in record["runs"]:
        recipe = as_table(recipes.load(row["recipe"], "paper"))
        assert json.loads(json.dumps(recipe | {"data": ""})) == record["recipes"][row["recipe"]] | {"data": ""}
        tested, steps = ([one for one in row["curve"] if "test_accuracy" in one], [one["step"] for one in row["curve"]])
        assert steps == sorted(steps) and steps[-1] <= row["steps"] == recipe["steps"]
        if row["state"] == "finished":
            assert (tested[-1]["step"], row["test error"]) == (
                row["steps"],
                pytest.approx(100 * (1 - tested[-1]["test_accuracy"]), abs=1e-3),
            )
        assert f"| `{row['recipe']}` | {row['seed']} | {tested[-1]['step']:,} / {row['steps']:,} |" in make.full_table("en")
