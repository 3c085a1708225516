"""The reproduction from end to end on strokes, its page and its JSON."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from etude.cli.app import etude as command
from etude.data import sources
from etude.papers import load as load_paper
from etude.report.page import lecture_page
from etude.reproduce import claims, jobs
from etude.reproduce.jobs import Report
from etude.tables import TableError, build
from etude.train import recipe as recipes
from etude.train.result import RunResult
from etude.train.run import Run
from pages import too_wide


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def report(root: Path) -> Report:
    return jobs.reproduce("lecture", budget="smoke", seeds=2, root=root, data="strokes")


@pytest.mark.parametrize("name", claims.names())
def test_every_claim_refers_to_what_is_there(name: str) -> None:
    held = claims.load(name)
    paper = load_paper(held.paper)
    for claim in held.trained:
        recipe = recipes.load(claim.recipe, "paper")
        if claim.published:
            assert paper.curves[claim.published].network == recipe.model
            assert paper.fact(claim.runs).held >= 1
        assert not claim.beside or claim.beside in {other.recipe for other in held.trained}


def test_a_claim_needs_a_published_value_or_a_reason() -> None:
    with pytest.raises(TableError, match="expected either `published`, or `unjudged`"):
        build(claims.Claim, {"recipe": "x"}, "claims")
    with pytest.raises(TableError, match="needs `runs` and a `margin`"):
        build(claims.Claim, {"recipe": "x", "published": "y"}, "claims")


def test_every_exact_fact_is_exact(report: Report) -> None:
    assert [check.verdict for check in report.exact] == ["exact"] * 7
    assert set(report.layers_exact.values()) == {True}
    assert not report.failed


def test_five_networks_on_the_same_seeds(report: Report) -> None:
    assert [trained.sample.n for trained in report.trained] == [2] * 5
    assert {trained.verdict.word for trained in report.trained} == {"not judged"}
    assert [[result.seed for result in trained.results] for trained in report.trained] == [[0, 1]] * 5


def test_runs_are_reused(report: Report, root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.safetensors")}
    again = jobs.reproduce("lecture", budget="smoke", seeds=2, root=root, data="strokes")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.safetensors")} == before
    assert [trained.sample for trained in again.trained] == [trained.sample for trained in report.trained]


def test_other_code_or_another_recipe_is_another_run(report: Report, root: Path, tmp_path: Path) -> None:
    trainer = jobs.Trainer(root / "lecture" / "smoke", None, None, lambda *_: None, lambda _: None)
    recipe = report.trained[1].recipe
    found = trainer.find_run(recipe, 0)
    assert found.finished
    changed = recipes.change(recipe, ("epochs=2",))
    assert not trainer.find_run(changed, 0).started
    environment = found.environment()
    text = (found.folder / "env.json").read_text(encoding="utf-8")
    try:
        (found.folder / "env.json").write_text(json.dumps(environment | {"source": "other"}), encoding="utf-8")
        assert not trainer.find_run(recipe, 0).started
    finally:
        (found.folder / "env.json").write_text(text, encoding="utf-8")


@pytest.fixture
def trained(report: Report, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Accuracies that `fit` will answer with in place of training, the same for every network."""
    accuracies: list[float] = []

    def instead(recipe: recipes.Recipe, *, seed: int, run: Run, **_: object) -> RunResult:
        rows = tuple({"epoch": epoch, "test_accuracy": accuracies[seed], "test_images": 10_000} for epoch in (0, 1))
        return RunResult(run.folder, recipe, seed, accuracies[seed], 10_000, 1.0, rows)

    monkeypatch.setattr(jobs, "fit", instead)
    yield accuracies


@pytest.mark.parametrize(
    ("budget", "ours", "words", "failed"),
    [
        ("laptop", [0.9901], ["consistent", "consistent"], False),
        ("laptop", [0.9860], ["consistent", "not reproduced"], True),
        ("paper", [0.9901], ["not judged", "not judged"], False),
        ("paper", [0.9860, 0.9885, 0.9910], ["reproduced", "reproduced"], False),
        ("paper", [0.9899, 0.9900, 0.9901], ["exceeded", "reproduced"], False),
        ("paper", [0.9880, 0.9881, 0.9882], ["exceeded", "not reproduced"], True),
    ],
)
def test_verdicts_and_exit_code_of_the_lectures_claims(
    trained: list[float], tmp_path: Path, budget: str, ours: list[float], words: list[str], failed: bool
) -> None:
    trained[:] = ours
    report = jobs.reproduce("lecture", budget=budget, seeds=len(ours), root=tmp_path)
    assert [entry.verdict.word for entry in report.trained[:2]] == words
    assert {entry.verdict.word for entry in report.trained[2:]} == {"not judged"}
    assert report.trained[2].beside == 0
    assert report.failed == failed
    lecture_page(report)


def test_other_data_is_not_judged(trained: list[float], tmp_path: Path) -> None:
    trained[:] = [0.99]
    report = jobs.reproduce("lecture", budget="laptop", root=tmp_path, data="fashion-mnist")
    assert "published value is for another data set" in report.trained[0].verdict.why


def test_without_data_the_exact_facts_are_still_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: object, **kwargs: object) -> Path:
        raise sources.NoSource("mnist: no source has the data\n  everything")

    monkeypatch.setattr(sources, "fetch", offline)
    report = jobs.reproduce("lecture", budget="smoke", root=tmp_path)
    assert not report.failed
    assert {entry.verdict.why for entry in report.trained} == {"mnist: no source has the data"}
    assert "no source has the data" in lecture_page(report)


def test_the_page_is_one_file_that_needs_nothing_else(report: Report) -> None:
    page = lecture_page(report)
    text = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert not re.search(r'(src|href)="(?!#)', text)
    assert "http" not in re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    assert page.count("<svg") == 15, "of each network: accuracy, operators, gradients"
    for expected in ("12,433,648", "12,443,648", "97,298", "slide 26", "not judged", "88×12×12"):
        assert expected in page


def test_the_page_fits_into_every_window(report: Report) -> None:
    assert too_wide(lecture_page(report)) == []


def test_the_command_prints_tables_json_and_the_page(report: Report, root: Path) -> None:
    arguments = ["reproduce", "lecture", "--budget", "smoke", "--seeds", "2", "--data", "strokes", "--runs", str(root)]
    shown = CliRunner().invoke(command, arguments)
    assert shown.exit_code == 0, shown.output
    assert "lecture_inception: parameters" in shown.stdout
    assert str(root / "lecture" / "smoke" / "report.html") in shown.stdout
    asked = CliRunner().invoke(command, [*arguments, "--json"])
    answer = json.loads(asked.stdout)
    assert answer["trained"][0]["n"] == 2
    assert answer["exact"][0] == {
        "what": "lecture_inception: parameters",
        "expected": 97298,
        "found": 97298,
        "unit": "parameters",
        "at": "slides 23–25",
        "kind": "deduced",
        "printed": None,
        "note": "260 + 19,104 + 44,020 + 19,824 + 14,090",
        "verdict": "exact",
    }
