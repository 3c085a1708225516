"""The papers' claims carried out on networks made small and a few images: values, orders, pairs, what diverges, the page."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from etude import data
from etude.errors import EtudeError
from etude.models.network import Network
from etude.report.page import reproduction_page
from etude.reproduce import claims
from etude.reproduce.claims import Claims, OrderClaim
from etude.reproduce.plan import plan
from etude.reproduce.reproduction import Reproduction, reproduce
from etude.train import engine, machine
from etude.train import recipe as recipes
from etude.train.job import Job, Means
from etude.train.loop import Training
from etude.train.run import Run, RunResult
from etude.views.reproduction import order_words, reproduction_view
from etude.views.runs import in_short, summary
from pages import too_wide
from tiny import dataset, shallow

PAPERS = ("resnet", "identity_mappings", "densenet")


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small images in place of CIFAR, small networks in place of those that the orders name, and no digest of the code for each of them."""
    images, load = dataset(), claims.load
    monkeypatch.setattr(data, "load", lambda *args, **kwargs: images)
    monkeypatch.setattr(machine, "source_digest", lambda network: "the same")
    monkeypatch.setattr(claims, "load", lambda name: smaller(load(name)))
    yield


def smaller(held: Claims) -> Claims:
    return dataclasses.replace(held, orders=tuple(map(smaller_order, held.orders)))


def smaller_order(order: OrderClaim) -> OrderClaim:
    worse, better = (f"{shallow(Network.read(name.rpartition('.')[0]))}.{name.rpartition('.')[2]}" for name in (order.worse, order.better))
    return dataclasses.replace(order, worse=worse, better=better)


def test_every_row_takes_its_first_step(tmp_path: Path) -> None:
    """By the paper's own values, every kind of network once; test_train_papers.py has every recipe."""
    wanted = {}
    for name in PAPERS:
        for one in plan(claims.load(name), budget="paper", seeds=1).values:
            recipe = dataclasses.replace(one.recipe, model=shallow(one.recipe.model))
            recipe = recipes.change(recipe, ("steps=1", "batch=12", *(("validation=10",) if recipe.validation else ())))
            options = {**recipe.model.row.options, **recipe.model.options, "classes": 0, "depth": 0}
            wanted[recipe.model.row.target, repr(sorted(options.items(), key=str))] = recipe
    assert len(wanted) > 20
    for number, recipe in enumerate(wanted.values()):
        run = Run(tmp_path / str(number))
        assert engine.fit(recipe, run=run).diverged is None
        assert [row["step"] for row in run.metrics()] == [0, 1]


def test_the_orders_are_carried_out_and_go_on_where_they_stopped(tmp_path: Path) -> None:
    for name in PAPERS:
        found = reproduce(name, budget="smoke", root=tmp_path)
        assert {one.verdict.word for one in found.judged} | {*by_id(found).values()} == {"not judged"}
        assert not found.failed
        assert all(one.order and one.order.n == 1 for one in found.orders)
        assert len(found.results) == len(plan(found.claims, budget="smoke", seeds=1).jobs) >= 3
        page = reproduction_page(found)
        assert too_wide(page) == []
        assert page.count("<svg") == len(found.orders)
        assert all(found.paper.results[claim.table].title in page for claim in found.claims.tables)
        json.dumps(found.as_dict())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert reproduce("densenet", budget="smoke", root=tmp_path).orders == found.orders
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")} == before


Answers = dict[str, Callable[[int], float]]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """Errors that runs will have in place of training, by network and seed: 50 % where none is given."""
    errors: Answers = {}

    def instead(job: Job, run: Run, means: Means) -> RunResult:
        error = errors.get(str(job.recipe.model))
        accuracy = 1 - (error(job.seed) if error else 50.0) / 100
        row = {"test_accuracy": accuracy, "fitted_accuracy": accuracy, "test_images": 30, "train_accuracy": accuracy}
        rows = tuple({"epoch": epoch, **row} for epoch in (0, 1))
        return RunResult(run.folder, job.recipe, job.seed, accuracy, 30, 1.0, rows)

    monkeypatch.setattr(engine, "run_job", instead)
    yield errors


def by_id(found: Reproduction) -> dict[str, str]:
    return {one.claim.id: one.verdict.word for one in found.orders}


def test_what_the_orders_say(answers: Answers, tmp_path: Path) -> None:
    answers["plain56(depth=14)"] = lambda seed: 78.0 + 0.1 * seed
    answers["plain20(depth=8)"] = lambda seed: 57.0
    answers["resnet56(depth=14)"] = lambda seed: 50.0
    answers["resnet20(depth=8)"] = lambda seed: 45.0
    found = reproduce("resnet", seeds=5, root=tmp_path)
    assert not found.graphs  # drawn are only networks that are claimed one by one
    assert by_id(found) == dict.fromkeys(("plain_degrades", "residual_does_not", "residual_beats_plain"), "order holds")
    plain, residual, _ = found.orders
    assert plain.order and plain.order.differences == pytest.approx([21.0, 21.1, 21.2, 21.3, 21.4])
    assert residual.order and residual.order.differences == pytest.approx([16.0, 16.1, 16.2, 16.3, 16.4])
    assert order_words(plain).startswith("order holds at 1 epoch, 8 and 14 layers: 5 of 5 pairs, mean difference +21.20")
    assert {one.verdict.word for one in found.judged} == {"not judged"}, "a table's values are the paper's budget's"
    assert not found.shown
    assert not found.failed
    shown, page = reproduction_view(found), reproduction_page(found)
    assert len(shown.parts) == 4
    for expected in ("order holds at 1 epoch, 8 and 14 layers", "6.61", "printed 6.43, the best", "mean of 5", "What it cost"):
        assert expected in page
    assert page.count("<svg") == 4, "the curves of three orders, and their pairs"

    answers["plain56(depth=14)"] = lambda seed: 50.0 - seed
    turned = reproduce("resnet", seeds=5, root=tmp_path)
    assert by_id(turned)["plain_degrades"] == "order reversed"
    assert turned.failed
    assert set(by_id(reproduce("resnet", seeds=4, root=tmp_path)).values()) == {"not judged"}


def test_orders_are_judged_on_a_reencoding_and_on_no_other_data(answers: Answers, tmp_path: Path) -> None:
    for seeds in (1, 5):
        assert reproduce("densenet", seeds=seeds, root=tmp_path).orders[0].verdict.word == ("not judged" if seeds == 1 else "undecided")
    (tmp_path / "images").mkdir()
    other = reproduce("densenet", seeds=5, root=tmp_path, data=str(tmp_path / "images"))
    assert {one.verdict.word for one in other.orders} == {"not judged"}
    (tmp_path / "images" / "dataset.toml").write_text('reencoded = "cifar10"', encoding="utf-8")
    again = reproduce("densenet", seeds=5, root=tmp_path, data=str(tmp_path / "images"))
    assert {one.verdict.word for one in again.orders} == {"undecided"}
    assert f"{tmp_path / 'images'}, cifar10 in another encoding" in reproduction_page(again)
    sets = {one.planned.recipe.data for one in again.judged}
    assert sets == {str(tmp_path / "images"), "cifar100", "svhn"}, "it stands for no other set than that which it holds"


def test_one_table_or_one_row_is_trained_at_any_budget(answers: Answers, tmp_path: Path) -> None:
    answers["resnet20"] = lambda seed: 8.7 + 0.1 * seed
    found = reproduce("resnet.table_6", budget="paper", seeds=5, root=tmp_path, only="resnet20*")
    assert [(one.name, one.sample.n, one.verdict.word) for one in found.judged] == [("resnet20.he2015", 5, "reproduced")]
    assert found.command == "etude reproduce resnet.table_6 --budget paper --seeds 5 --only 'resnet20*'"
    assert "± 0.48, at most ± 0.5 is judged" in found.judged[0].verdict.why
    answers["resnet20"] = lambda seed: 8.7 + 0.2 * seed
    wide = reproduce("resnet.table_6", budget="paper", seeds=5, root=tmp_path, only="resnet20*")
    assert wide.judged[0].verdict.word == "not judged: too wide"
    laptop = reproduce("resnet", seeds=2, root=tmp_path, only="resnet20*")
    assert {(one.sample.n, one.verdict.word) for one in laptop.judged} == {(2, "not judged")}
    answers["ablation_resnet110(shortcut=dropout)"] = lambda seed: 20.1 + seed
    failing = reproduce("identity_mappings.table_1", budget="paper", seeds=5, root=tmp_path, only="*dropout*")
    assert failing.judged[0].verdict.word == "reproduced", "`fail` is more than 20 % error"
    answers["ablation_resnet110(shortcut=dropout)"] = lambda seed: 12.0 + seed
    passing = reproduce("identity_mappings.table_1", budget="paper", seeds=5, root=tmp_path, only="*dropout*")
    assert (passing.judged[0].verdict.word, passing.failed) == ("not reproduced", True)


def test_what_is_to_be_said_of_a_run_is_said_when_it_diverges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin, warning = Training.restore_or_start, "continued, not bit-identical: another machine"

    def continued(training: Training) -> None:
        begin(training)
        training.state["warning"] = warning

    monkeypatch.setattr(Training, "restore_or_start", continued)
    recipe = recipes.change(recipes.load("resnet20(depth=8).he2015", "smoke"), ("optimizer.lr=1e30", "epochs=4"))
    result = engine.run_to_result(Job(recipe, 0), Run(tmp_path), Means())
    assert result.diverged
    assert result.warning == warning


def test_a_device_without_room_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def overflow(training: Training) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Training, "run_to_the_end", overflow)
    recipe = recipes.load("resnet20(depth=8).he2015", "smoke")
    smaller = rf"or begin anew with --set batch={recipe.batch // 2}$"
    with pytest.raises(EtudeError, match=rf"no room for it: with fewer runs at a time .*{smaller}"):
        engine.run_to_result(Job(recipe, 0), Run(tmp_path), Means())


def test_a_run_that_diverges_is_a_result(tmp_path: Path) -> None:
    recipe = recipes.change(recipes.load("resnet20(depth=8).he2015", "smoke"), ("optimizer.lr=1e30", "epochs=4"))
    said = list[str]()
    job, run = Job(recipe, 0), Run(tmp_path)
    result = engine.run_to_result(job, run, Means(say=said.append))
    assert result.diverged and "training diverged" in said[-1]
    assert result.test_accuracy == result.fitted_accuracy == pytest.approx(1 / 3)
    assert in_short(result) == f"resnet20(depth=8): diverged at step {result.diverged}; beside others it counts as guessing; seed 0"
    told = summary(run)
    assert (told["state"], math.isnan(told["test_accuracy"])) == ("diverged", True)
    said.clear()
    assert engine.run_to_result(job, run, Means(say=said.append)) == result
    assert not said, "it is not tried again"
