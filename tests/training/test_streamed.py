"""Training on a folder whose images are decoded whenever they are wanted: the same numbers by however many processes, and after a break."""

import multiprocessing
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import etude
from etude.data import folder, stream
from etude.data.batches import epoch_order
from etude.errors import UsageError
from etude.export.card import card_of_run
from etude.export.formats import export
from etude.export.page import hub_config, hub_page
from etude.train import checkpoint, engine, loop
from etude.train import recipe as recipes
from etude.train.answers import of_run
from etude.train.job import Interrupted, Progress
from etude.train.predict import predict
from etude.train.recipe import Recipe
from etude.train.run import Run
from etude.views.runs import run_view
from shell import run
from translated import english_in

pytestmark = [pytest.mark.filterwarnings(f"ignore:{torchs}") for torchs in ("This DataLoader will create", "This process .*multi-threaded")]

NETWORK = "resnet20(depth=8)"
VIEWS = 'views={"scale": [36, 48], "colour": "AlexNet", "test": [36, 32]}'


def draw(root: Path) -> Path:
    """Twenty-four images of 40 pixels: red ones and blue ones, sixteen to train with."""
    random = np.random.default_rng(0)
    for number in range(24):
        pixels = random.integers(0, 160, (40, 44, 3))
        pixels[:, :, 2 * (number % 2)] += 90
        place = root / ("train" if number < 16 else "val") / ("red", "blue")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number}.jpg")
    return root


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("streamed") / "photos")


def recipe_on(photos: Path, *settings: str) -> Recipe:
    """Two epochs of four steps, the last of an epoch with one image alone."""
    made = recipes.change(recipes.load("resnet18.he2015_imagenet", "smoke"), ("side=none", f"model={NETWORK}", VIEWS))
    return recipes.change(made.on(str(photos)), ("epochs=2", "batch=5", *settings))


def numbers(run: Run) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in run.curve()]


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose images two processes decode."""
    run = Run(tmp_path_factory.mktemp("streamed") / "whole")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stream, "workers_of", lambda shares: 2)
        engine.fit(recipe_on(photos), run=run)
    assert not multiprocessing.active_children()
    return run


def test_a_run_that_was_stopped_within_its_epochs_ends_as_one_by_two_workers(
    photos: Path, whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, though it decodes by itself; mean image and covariance are those of its beginning."""
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)
    stopped = Run(tmp_path / "stopped")
    for step, workers in ((1, 0), (4, 2), (9, 0)):
        monkeypatch.setattr(stream, "workers_of", lambda shares, workers=workers: workers)

        def press(progress: Progress, step: int = step) -> None:
            if progress.step == step:
                os.kill(os.getpid(), signal.SIGINT)

        if step < 9:
            with pytest.raises(Interrupted, match=f"stopped and saved at step {step + 1} of 8"):
                engine.fit(recipe_on(photos), run=stopped, watch=press)
            monkeypatch.setattr(stream.Streamed, "sample", property(lambda streamed: pytest.fail("sampled again")))
        else:
            assert engine.fit(recipe_on(photos), run=stopped).warning == ""
        assert not multiprocessing.active_children()
    assert numbers(stopped) == numbers(whole)
    assert (whole.environment()["workers"], stopped.environment()["workers"]) == (2, 0)


def test_a_stream_is_tested_by_one_crop_and_in_the_end_by_ten(whole: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the first step on every twentieth image alone."""
    rows = whole.metrics()
    assert [(row["step"], row["test_images"]) for row in rows] == [(0, 1), (4, 8), (8, 8)]
    assert all(row["test_top5_accuracy"] == 1 for row in rows)  # of two classes
    assert ["ten_crop_accuracy" in row for row in rows] == [False, False, True]
    code, out, _ = run(capsys, "runs", "show", str(whole.folder))
    assert (code, "ten crops, top-5" in out) == (0, True)
    assert english_in(run_view(whole)) == {"blue, red"}  # which are classes
    trained = etude.load(whole.folder)
    assert (trained.mean.shape, trained.image) == ((3, 32, 32), (3, 32, 32))
    assert trained(etude.data.load(whole.recipe().data, image=(3, 32, 32)).test.images).shape == (8, 2)


def test_a_file_is_seen_as_the_run_saw_it_in_its_test(photos: Path, tmp_path: Path) -> None:
    """With another square than that of training; and by the file that it is exported to."""
    tested_so = VIEWS.replace("[36, 32]", "[45, 40]")
    result = engine.fit(
        recipes.change(recipe_on(photos), (tested_so, "mean=[0.4,0.3,0.5]", "std=[0.2,0.2,0.2]", "epochs=1")), run=tmp_path / "run"
    )
    trained, tested = etude.load(result.folder), of_run(Run(result.folder), lambda message: None)
    assert trained.image == (3, 40, 40)
    card = card_of_run(trained, result.folder)
    export(card, "safetensors", tmp_path / "net.safetensors")
    export(card, "hub", tmp_path / "hub")
    exported, shared = etude.load(tmp_path / "net.safetensors"), etude.load(tmp_path / "hub" / "model.safetensors")
    for network in (trained, exported, shared):
        found = predict(network, [photos / tested.name(at) for at in range(8)], device="cpu")
        probabilities = torch.tensor([one.probabilities for one in found])
        torch.testing.assert_close(probabilities, tested.probabilities.float(), rtol=1e-4, atol=1e-5)
        assert {one.changes for one in found} == {("scaled to 45 on its shorter side, and the middle 40×40 of it taken",)}
    assert "scaled bilinearly to 45 pixels on its shorter side, and the middle 40×40" in hub_page(card)
    assert (hub_config(card)["shortest_edge"], hub_config(card)["crop_size"]) == (45, 40)


def test_what_a_stream_gets_wrong_is_counted_and_can_be_looked_at(
    whole: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other and by two workers; the pictures are the parts that the network saw, red or blue ones."""
    for workers in (0, 2):
        monkeypatch.setattr(stream, "workers_of", lambda shares, workers=workers: workers)
        found = of_run(whole, lambda message: None)
        assert found.right.double().mean() == whole.result().test_accuracy
        assert [Path(found.name(at)).parts[:2] for at in range(8)] == [("val", found.classes[label]) for label in found.labels.tolist()]
        pictures = [found.picture(at) for at in range(8)]
        assert {tuple(picture.shape) for picture in pictures} == {(3, 32, 32)}
        brightest = [int(picture.double().mean((1, 2)).argmax()) for picture in pictures]
        assert [["red", "blue"][channel // 2] for channel in brightest] == [found.classes[label] for label in found.labels.tolist()]
    assert f"{int((~found.right).sum())} of 8 test images wrong" in run(capsys, "runs", "show", str(whole.folder))[1]


def test_files_that_have_changed_since_are_not_shown_as_its_own(whole: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = Run(shutil.copytree(whole.folder, tmp_path / "run"))
    draw(tmp_path / "photos")
    recipe = moved.folder / "recipe.toml"
    recipe.write_text(recipe.read_text(encoding="utf-8").replace(whole.recipe().data, str(tmp_path / "photos")), encoding="utf-8")
    assert "test images wrong" in run(capsys, "runs", "show", str(moved.folder))[1]
    image = next((tmp_path / "photos" / "val").rglob("*.jpg"))
    image.write_bytes(bytes(image.stat().st_size))
    shown = " ".join(run(capsys, "runs", "show", str(moved.folder))[1].split())
    assert "it holds zeros alone; replace or remove it" in shown and f"then once more: etude runs show {moved.folder}" in shown
    image.unlink()
    assert "no longer those that it was trained and tested on" in " ".join(run(capsys, "runs", "show", str(moved.folder))[1].split())


def test_a_broken_file_ends_the_run_in_one_line_and_all_before_it_is_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is met by a worker, for the third batch. Whole again, the run goes on as if nothing had been."""
    photos, stopped = draw(tmp_path / "photos"), Run(tmp_path / "run")
    monkeypatch.setattr(stream, "workers_of", lambda shares: 2)
    path = folder.scan(photos)[1].path(int(epoch_order(16, 0, 0)[12]))
    pixels = path.read_bytes()
    path.write_bytes(bytes(len(pixels)))
    plain = ("views.colour=none", "mean=[0.5,0.5,0.5]", "std=[0.2,0.2,0.2]")  # so that nothing is sampled beforehand
    settings = [f"--set={setting}" for setting in ("side=none", f"model={NETWORK}", VIEWS, "epochs=2", "batch=5", *plain)]
    command = ["train", "resnet18.he2015_imagenet", "--budget=smoke", f"--data={photos}", f"--run={stopped.folder}", *settings]
    code, _, err = run(capsys, *command)
    (error,) = (line for line in err.splitlines() if line.startswith("error: "))
    assert (code, "Traceback" in err, multiprocessing.active_children()) == (1, False, [])
    assert f"{path}: not a readable image: it holds zeros alone; replace or remove it" in error
    assert error.endswith(f"continue with: etude train --resume {stopped.folder}")
    assert checkpoint.read(stopped.checkpoint)[1]["step"] == 2
    path.write_bytes(pixels)
    assert engine.resume(stopped).warning == ""


@pytest.mark.parametrize("name", ["preact_resnet200.he2016_imagenet", "densenet121.huang2017_imagenet"])
def test_the_other_recipes_of_imagenet_take_a_step(photos: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a small network; one is tested on more pixels than it is trained on."""
    monkeypatch.setattr(stream, "workers_of", lambda shares: 0)
    recipe = recipes.change(recipes.load(name, "smoke").on(str(photos)), ("steps=1", "side=none", f"model={NETWORK}"))
    assert engine.fit(recipe, run=Run(tmp_path / "run")).test_images == 8


def test_any_network_trains_on_a_stream(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_folder = tmp_path / "run"
    code, out, _ = run(capsys, "train", NETWORK, f"--data={photos}", "--stream", "--budget=smoke", "--set=steps=1", f"--run={run_folder}")
    assert (code, "of 8)" in out) == (0, True)
    assert "area = [\n    0.5," in (run_folder / "recipe.toml").read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="strokes: no folder of images, expected FOLDER/train/CLASS"):
        engine.fit(recipe_on(photos).on("strokes"), run=Run(tmp_path / "other"))
