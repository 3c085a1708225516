"""What the papers' recipes ask for, on a few small images: steps, warm-up, a mean image, what is held out; all of it survives a break."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import etude
from etude import data
from etude.data.batches import Batches
from etude.data.dataset import Dataset, Split
from etude.errors import UsageError
from etude.export.card import card_of_run
from etude.train import engine, loop
from etude.train import recipe as recipes
from etude.train.job import Interrupted, Progress
from etude.train.optimizers import set_learning_rates
from etude.train.recipe import Recipe
from etude.train.run import Run
from etude.views.runs import summary
from tiny import dataset as tiny_dataset

SMALL = {"resnet": "resnet20(depth=8)", "identity": "ablation_resnet110(depth=8)", "densenet": "densenet_40_12(depth=7, growth_rate=4)"}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dataset]:
    dataset = tiny_dataset()
    monkeypatch.setattr(data, "load", lambda *args, **kwargs: dataset)
    yield dataset


def small(*settings: str) -> Recipe:
    """A network of 8 layers by he2015: 9 steps, 3 an epoch."""
    recipe = recipes.load(f"{SMALL['resnet']}.he2015", "paper")
    return recipes.change(recipe, ("epochs=3", "batch=30", *settings))


def numbers(run: Run) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in run.curve()]


OTHERS = (
    "lecture",
    "finetune",
)  # in test_train.py, and in test_own_images.py: it begins with weights that are there


@pytest.mark.parametrize("name", [name for name in recipes.files() if name not in OTHERS and "imagenet" not in name])  # test_streamed.py
@pytest.mark.parametrize("budget", ["paper", "laptop", "smoke"])
def test_every_recipe_takes_a_step(tmp_path: Path, name: str, budget: str) -> None:
    network = SMALL["densenet" if "huang" in name else "identity" if "he2016" in name else "resnet"]
    recipe = recipes.load(f"{network}.{name}", budget)
    recipe = recipes.change(recipe, ("steps=2", "batch=20", *(("validation=10",) if recipe.validation else ())))
    run = Run(tmp_path / "run")
    assert engine.fit(recipe, run=run).test_images == 30
    assert run.recipe() == recipe
    assert run.environment()["images"] == "made here"


def test_the_rate_of_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    monkeypatch.setattr(loop, "set_learning_rates", lambda optimizers, share: rates.append(share))
    schedule = 'schedule={"kind": "steps", "at": [4, 6], "of": 9, "divisor": 10}'
    engine.fit(small(schedule, 'warm_up={"lr": 0.01, "steps": 2}'), run=Run(tmp_path / "run"))
    assert rates == pytest.approx([0.1, 0.1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01])


def errors(run: Run, window: int) -> list[float]:
    """The training error of every whole window of steps before the last, from a run that writes a line a step."""
    rows = [row for row in run.curve() if row["step"]]
    return [1 - sum(row["train_accuracy"] for row in rows[at : at + window]) / window for at in range(0, len(rows) - window, window)]


def test_a_warm_up_ends_when_the_error_is_low_enough_and_survives_a_break(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps a window; the error of the first is above the limit, which lies between it and that of the second."""
    monkeypatch.setattr(loop, "WARM_UP_WINDOW", 2)
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)
    rates: list[float] = []

    def noted(optimizers: list[torch.optim.Optimizer], share: float, set_: Any = set_learning_rates) -> None:
        rates.append(share)
        set_(optimizers, share)

    settings = ("batch=90", "epochs=8", "shift=0", 'schedule={"kind": "constant"}')  # an epoch is a step, of which every one has a test
    probe = Run(tmp_path / "probe")
    engine.fit(small(*settings, 'warm_up={"lr": 0.01, "steps": 8}'), run=probe)
    first, second, *_ = errors(probe, 2)
    assert second < first
    recipe = small(*settings, f'warm_up={{"lr": 0.01, "until_error": {(first + second) / 2}}}')
    monkeypatch.setattr(loop, "set_learning_rates", noted)
    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    engine.fit(recipe, run=whole)
    assert rates == pytest.approx([0.1] * 4 + [1] * 4)
    rates.clear()
    for step in (3, 6):

        def press(progress: Progress, step: int = step) -> None:
            if progress.step == step:
                os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(Interrupted):
            engine.fit(recipe, run=broken, watch=press)
    engine.resume(broken)
    assert rates == pytest.approx([0.1] * 4 + [1] * 4)
    assert numbers(broken) == numbers(whole)


def test_a_mean_image_is_subtracted_and_kept_with_the_run(tmp_path: Path, tiny: Dataset) -> None:
    """And how well a part of the training images is fitted is measured on them as they are, in eval mode."""
    run = Run(tmp_path / "run")
    result = engine.fit(small("fitted=40"), run=run)
    image = (tiny.train.images.double() / 255).mean(0)
    assert torch.allclose(torch.tensor(run.environment()["mean"], dtype=torch.float64), image, atol=1e-6)
    assert len((run.folder / "env.json").read_text(encoding="utf-8").splitlines()) < 25
    trained = etude.load(run.folder)
    with torch.no_grad():
        right = (trained(tiny.test.images).argmax(1) == tiny.test.labels).sum().item()
        fitted = (trained(tiny.train.images[:40]).argmax(1) == tiny.train.labels[:40]).sum().item()
    assert right == round(30 * result.test_accuracy)
    assert fitted == round(40 * run.metrics()[-1]["fitted_accuracy"])
    batches = Batches(tiny.train, tiny.mean_image(), (1.0, 1.0, 1.0))
    x, _ = batches.cut(torch.arange(90))
    assert x.mean(0).abs().max() < 1e-5
    with pytest.raises(UsageError, match=r"std = \[1\.0\], expected one number a channel; tiny has 3"):
        engine.fit(recipes.change(small(), ("std=[1.0]",)), run=Run(tmp_path / "other"))


def test_what_is_held_out_is_not_trained_on_and_chooses_the_epoch(tmp_path: Path, tiny: Dataset) -> None:
    recipe = small("validation=15", "result=lowest validation error", "optimizer.lr=1")
    run = Run(tmp_path / "run")
    result = engine.fit(recipe, run=run)
    rows = run.metrics()
    assert [row["step"] for row in rows] == [0, 3, 6, 9]
    best = max(rows, key=lambda row: row["validation_accuracy"])
    assert result.test_accuracy == best["test_accuracy"]
    file = run.folder / "result.json"
    of_another_epoch = json.loads(file.read_text(encoding="utf-8")) | {"test_accuracy": 0.5}
    file.write_text(json.dumps(of_another_epoch), encoding="utf-8")
    assert rows[-1]["test_accuracy"] != summary(run)["test_accuracy"] == 0.5
    card = card_of_run(etude.load(run.folder), run.folder)
    assert card.record["test_accuracy"] == rows[-1]["test_accuracy"], "that of the weights that are there"
    kept, held = loop.held_out(tiny.train, 15)
    assert (len(kept), len(held)) == (75, 15)
    assert torch.equal(torch.cat((kept.images, held.images)).long().sum(0), tiny.train.images.long().sum(0))
    assert torch.equal(loop.held_out(tiny.train, 15)[1].images, held.images)
    with pytest.raises(UsageError, match="validation = 90, expected fewer than the 90 training images"):
        engine.fit(small("validation=90"), run=Run(tmp_path / "other"))


def test_some_images_of_a_folder_are_of_every_class() -> None:
    images = torch.zeros(10, 1, 1, 1, dtype=torch.uint8)
    sorted_, mixed = (Split(images, torch.tensor(labels)) for labels in ([0] * 5 + [1] * 5, [1, 0] * 5))
    assert loop.first(sorted_, 4).labels.tolist() == [0, 0, 1, 1]
    assert loop.first(sorted_, 8).labels.bincount().tolist() == [4, 4]
    assert loop.first(sorted_, 5).labels.tolist() == [0, 0, 0, 1, 1]
    assert loop.first(mixed, 3).labels.tolist() == [1, 0, 1]
    assert loop.first(mixed, 99).labels.tolist() == [1, 0] * 5
