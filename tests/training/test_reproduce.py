"""The reproduction from end to end on strokes, its page and its JSON."""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from etude.cli.app import etude as command
from etude.data import declaration, sources
from etude.jobs.here import Here
from etude.report.page import reproduction_page
from etude.reproduce import reproduction
from etude.reproduce.reproduction import Reproduction, reproduce
from etude.reproduce.verdict import Word
from etude.train import engine
from etude.train import recipe as recipes
from etude.train.job import Job, Means
from etude.train.run import Run, RunResult
from etude.train.store import Store
from pages import too_wide


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def report(root: Path) -> Reproduction:
    return reproduce("lecture", budget="smoke", seeds=2, root=root, data="strokes")


@pytest.fixture(scope="module")
def page(report: Reproduction) -> str:
    return reproduction_page(report)


def test_every_exact_fact_is_exact(report: Reproduction) -> None:
    assert [check.verdict for check in report.exact] == ["exact"] * 7
    assert set(report.layers_exact.values()) == {True}
    assert not report.failed


def test_five_networks_on_the_same_seeds(report: Reproduction) -> None:
    assert [judged.sample.n for judged in report.judged] == [2] * 5
    assert {judged.verdict.word for judged in report.judged} == {"not judged"}
    assert [[result.seed for result in judged.results] for judged in report.judged] == [[0, 1]] * 5


def test_runs_are_reused(report: Reproduction, root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.safetensors")}
    again = reproduce("lecture", budget="smoke", seeds=2, root=root, data="strokes")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.safetensors")} == before
    assert [trained.sample for trained in again.judged] == [trained.sample for trained in report.judged]


def run_of(job: Job, store: Store) -> Run:
    (task,) = Here().tasks([job], store, Means())
    return task.run


def test_other_code_or_another_recipe_is_another_run(report: Reproduction, root: Path) -> None:
    store, recipe = Store(root), report.judged[1].planned.recipe
    found = run_of(Job(recipe, 0), store)
    assert found.finished
    changed = recipes.change(recipe, ("epochs=2",))
    assert not run_of(Job(changed, 0), store).started
    environment = found.environment()
    text = (found.folder / "env.json").read_text(encoding="utf-8")
    try:
        (found.folder / "env.json").write_text(json.dumps(environment | {"source": "other"}), encoding="utf-8")
        assert not run_of(Job(recipe, 0), store).started
    finally:
        (found.folder / "env.json").write_text(text, encoding="utf-8")


def test_what_was_trained_alone_is_used(report: Reproduction, root: Path) -> None:
    """One rule says where a run lies: that of `etude train` is found by a reproduction, and the other way round."""
    recipe = report.judged[1].planned.recipe
    assert report.judged[1].results[0].folder == root / "lecture_residual.lecture" / "smoke" / "seed-0"
    run = Store(root).new(Job(recipe, 7))
    assert run.folder == root / "lecture_residual.lecture" / "smoke" / "seed-7"
    engine.fit(recipe, seed=7, run=run)
    assert run_of(Job(recipe, 7), Store(root)) == run


@pytest.fixture
def trained(report: Reproduction, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Accuracies that jobs will answer with in place of training, the same for every network; gradients are not asked for."""
    accuracies: list[float] = []

    def instead(job: Job, run: Run, means: Means) -> RunResult:
        accuracy = accuracies[job.seed]
        rows = tuple({"epoch": epoch, "test_accuracy": accuracy, "test_images": 10_000} for epoch in (0, 1))
        return RunResult(run.folder, job.recipe, job.seed, accuracy, 10_000, 1.0, rows)

    monkeypatch.setattr(engine, "run_job", instead)
    monkeypatch.setattr(reproduction, "gradients_at_start", lambda *_: {})
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
    report = reproduce("lecture", budget=budget, seeds=len(ours), root=tmp_path)
    assert [entry.verdict.word for entry in report.judged[:2]] == words
    assert {entry.verdict.word for entry in report.judged[2:]} == {"not judged"}
    assert report.judged[2].beside == 0
    assert report.failed == failed


def test_a_network_alone_has_nothing_to_stand_beside(trained: list[float], tmp_path: Path) -> None:
    trained[:] = [0.99]
    (judged,) = reproduce("lecture", budget="laptop", root=tmp_path, only="lecture_residual_conv").judged
    assert (judged.sample.n, judged.beside) == (1, None)


def test_other_data_is_not_judged(trained: list[float], tmp_path: Path) -> None:
    trained[:] = [0.99]
    report = reproduce("lecture", budget="laptop", root=tmp_path, data="fashion-mnist")
    assert "published value is for another data set" in report.judged[0].verdict.why


def test_a_declared_reencoding_is_not_judged_as_a_value(trained: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Published and measured stand side by side."""
    trained[:] = [0.99] * 5
    monkeypatch.setattr(declaration, "declared", lambda root: "mnist")
    report = reproduce("lecture", budget="paper", seeds=5, root=tmp_path / "runs", data=str(tmp_path))
    assert [entry.verdict.word for entry in report.judged] == ["not judged: re-encoded"] * 2 + ["not judged"] * 3
    assert "holds mnist in another encoding" in report.judged[0].verdict.why
    assert (report.judged[0].sample.mean, report.failed) == (99.0, False)
    monkeypatch.setattr(declaration, "declared", lambda root: "fashion-mnist")
    other = reproduce("lecture", budget="paper", seeds=5, root=tmp_path / "runs", data=str(tmp_path))
    assert (other.judged[0].verdict.word, "another data set" in other.judged[0].verdict.why) == ("not judged", True)


def test_without_data_the_exact_facts_are_still_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: object, **kwargs: object) -> Path:
        raise sources.NoSource("mnist: no source has the data\n  everything")

    monkeypatch.setattr(sources, "fetched", offline)
    report = reproduce("lecture", budget="smoke", root=tmp_path)
    assert not report.failed
    assert {entry.verdict.why for entry in report.judged} == {"mnist: no source has the data"}
    assert "no source has the data" in reproduction_page(report)


def test_the_page_is_one_file_that_needs_nothing_else(page: str) -> None:
    text = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert not re.search(r'(src|href)="(?!#|data:,)', text)
    assert "http" not in re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    assert page.count("<svg") == 15, "of each network: accuracy, operators, gradients"
    for expected in ("12,433,648", "12,443,648", "97,298", "slide 26", "not judged", "88×12×12"):
        assert expected in page


def test_the_page_fits_into_every_window(report: Reproduction, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with a fact that departs, and with every verdict; then its pictures are not drawn anew."""
    assert too_wide(page) == []
    for drawn in ("etude.report.figures.run_curves", "etude.report.page.gradient_figure"):
        monkeypatch.setattr(drawn, lambda *_: "<svg></svg>")
    words: tuple[Word, ...] = ("reproduced", "exceeded", "consistent", "not reproduced", "not judged")
    judged = tuple(
        dataclasses.replace(entry, verdict=dataclasses.replace(entry.verdict, word=word))
        for entry, word in zip(report.judged, words, strict=True)
    )
    page = reproduction_page(dataclasses.replace(report, exact=(dataclasses.replace(report.exact[0], found=1),), judged=judged))
    assert too_wide(page) == []
    assert all(word in page for word in words)


def test_the_command_prints_tables_json_and_the_page(report: Reproduction, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etude.report.page.reproduction_page", lambda found: f"the page of {found.paper.title}")
    arguments = ["reproduce", "lecture", "--budget", "smoke", "--seeds", "2", "--data", "strokes", "--runs", str(root)]
    shown = CliRunner().invoke(command, arguments)
    assert shown.exit_code == 0, shown.output
    assert "lecture_inception: parameters" in shown.stdout
    assert str(root / "lecture-smoke.html") in shown.stdout
    assert (root / "lecture-smoke.html").read_text(encoding="utf-8") == f"the page of {report.paper.title}"
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


VARIANTS = """
paper = "identity_mappings"
title = "Shortcuts"

[[trained]]
recipe = "ablation_resnet110(depth=8).mine"
published = { table = "table_1", method = "original", column = "c10_plus" }
margin = 0.5

[[trained]]
recipe = "ablation_resnet110(depth=8, shortcut=conv).mine"
published = { table = "table_1", method = "1×1 convolution", column = "c10_plus" }
margin = 0.5
beside = "ablation_resnet110(depth=8).mine"

[[trained]]
recipe = "ablation_resnet110(depth=8, shortcut=constant_scaling, shortcut_scale=0, residual_scale=1).mine"
published = { table = "table_1", method = "constant scaling, 0 and 1", column = "c10_plus" }
margin = 0.5
"""


def test_variants_of_one_network_in_errors_and_medians_have_a_page(
    trained: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports are keyed by network and recipe: three rows of one registered network, of another paper than the lecture."""
    monkeypatch.chdir(tmp_path)
    text = (recipes.FOLDER / "lecture.toml").read_text(encoding="utf-8").replace("lecture_inception.laptop.epochs = 0.7", "")
    text = text.replace('data = "mnist"', 'data = "strokes"').replace("[0.1307]", "[]").replace("[0.3081]", "[]")
    text = re.sub(r"lecture_\w+(\.laptop\.epochs = 0\.7| = \{\})\n", "", text).replace("[networks]", "[networks]\nablation_resnet110 = {} ")
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    (tmp_path / "shortcuts.toml").write_text(VARIANTS.replace(".mine", ".mine.toml"), encoding="utf-8")
    trained[:] = [0.9339, 0.9339, 0.80, 0.9339, 0.9339]  # a median error of 6.61, a mean of 9.29
    found = reproduce("shortcuts.toml", budget="laptop", seeds=5, root=tmp_path)
    assert [judged.verdict.word for judged in found.judged] == ["consistent", "consistent", "not judged"]
    assert "the source prints `fail`" in found.judged[2].verdict.why
    assert {judged.planned.unit for judged in found.judged} == {"% error"}
    assert found.judged[0].planned.published is not None
    assert (found.judged[0].planned.published.statistic, found.judged[0].planned.published.runs) == ("median", 5)
    assert found.all_exact, [check for check in found.exact if check.verdict != "exact"]
    page = reproduction_page(found)
    assert "lecture" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL).lower()
    for expected in ("ablation_resnet110(depth=8, shortcut=conv)", "median of 5", "% error", "12.22", "fail", "Table 1"):
        assert expected in page
    assert len(json.loads(json.dumps(found.as_dict()))["layers"]) == 3
