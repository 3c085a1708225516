"""Training on drawn strokes: the same numbers twice, whatever happens in between, and one message when it goes wrong."""

import dataclasses
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

import etude
from etude import data
from etude.data.dataset import Dataset, Split
from etude.errors import EtudeError, UsageError
from etude.explain.graph import whole_output
from etude.models import registry
from etude.models.network import Network
from etude.train import checkpoint, compiling, engine, loop
from etude.train import recipe as recipes
from etude.train.job import Interrupted, Job, Means, Progress
from etude.train.recipe import Recipe
from etude.train.run import Run
from etude.train.store import Store
from etude.train.trained import load
from etude.views.runs import in_short

LECTURE = [name for name in recipes.names() if name.endswith(".lecture")]


def small(name: str = "lecture_residual.lecture", **changes: Any) -> Recipe:
    """A recipe that takes a second or two: 640 strokes."""
    return dataclasses.replace(recipes.load(name, "smoke").on("strokes"), **changes)


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    """A finished run of `small()` that may be changed."""
    return Run(shutil.copytree(trained.folder, tmp_path / "run"))


@pytest.fixture
def broken(run: Run) -> Run:
    """The same, but for its result."""
    (run.folder / "result.json").unlink()
    return run


def numbers(run: Run) -> list[dict[str, Any]]:
    """The metrics of a run, times aside."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in run.metrics()]


@pytest.mark.parametrize("name", LECTURE)
def test_the_same_seed_gives_the_same_numbers(name: str, tmp_path: Path) -> None:
    one, other = Run(tmp_path / "one"), Run(tmp_path / "other")
    recipe = small(name, images=320)
    engine.fit(recipe, seed=3, run=one)
    torch.manual_seed(99)  # what the process did before must not matter
    engine.fit(recipe, seed=3, run=other)
    assert numbers(one) == numbers(other)
    assert [row["epoch"] for row in numbers(one)] == [0, 1]


def test_another_seed_gives_other_numbers(trained: Run, tmp_path: Path) -> None:
    other = Run(tmp_path / "run")
    engine.fit(small(), seed=4, run=other)
    assert [row["step"] for row in numbers(other)] == [row["step"] for row in numbers(trained)]
    assert numbers(other) != numbers(trained)


def test_a_network_learns_the_strokes(learned: Run) -> None:
    result = learned.result()
    assert result.test_accuracy > 0.9
    assert result.metrics[0]["test_accuracy"] < 0.3
    assert result.test_accuracy == result.metrics[-1]["test_accuracy"]


def test_a_part_of_an_epoch_ends_with_a_test(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    engine.fit(small(epochs=1.5), run=run)  # 640 images in batches of 64: 10 steps an epoch
    assert [(row["step"], row["epoch"]) for row in run.metrics()] == [(0, 0), (10, 1), (15, 1.5)]


def test_a_run_folder_explains_itself(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    result = engine.fit(small(), seed=1, run=run)
    recipe = run.recipe()
    assert (recipe.data, recipe.mean, str(recipe.model)) == ("strokes", (), "lecture_residual")
    environment = run.environment()
    assert (len(environment["mean"]), len(environment["std"]), environment["format"]) == (1, 1, 2)
    assert environment["threads"] == torch.get_num_threads()
    assert environment["torch"] == torch.__version__
    assert environment["seed"] == 1
    assert run.result() == result
    model = registry.build("lecture_residual")
    checkpoint.load_model(run.checkpoint, model)
    assert not list(run.folder.glob("*.part"))


def test_a_finished_run_is_not_trained_again(run: Run) -> None:
    first, before = run.result(), run.checkpoint.stat().st_mtime_ns
    assert engine.fit(small(), run=run) == first
    assert run.checkpoint.stat().st_mtime_ns == before


def test_fit_leaves_the_random_state_and_the_threads_of_its_caller_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    engine.fit(small(), run=Run(tmp_path / "run"))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


# ── Accidents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_loss_that_is_no_number_stops_the_run_with_step_and_cause(tmp_path: Path) -> None:
    recipe = recipes.change(small(), ("optimizer.lr=1e9", "optimizer.adam_lr=1e9"))
    with pytest.raises(EtudeError, match=r"the loss is (nan|inf) at step \d+ of 10: .*learning rate .*1000000000.*--set optimizer\.lr="):
        engine.fit(recipe, run=Run(tmp_path / "run"))


def test_two_runs_never_write_into_one_folder(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with run.locked(), pytest.raises(EtudeError, match="another process is writing this run"):
        engine.fit(small(), run=run)
    one, other = (Store(tmp_path).new(Job(small(), 0)) for _ in range(2))
    assert one.folder == tmp_path / "lecture_residual.lecture" / "smoke" / "seed-0"
    assert other.folder.name == "seed-0-2"


def test_a_folder_keeps_to_its_recipe_and_seed(run: Run) -> None:
    for recipe, seed in ((small(epochs=2), 0), (small(), 1)):
        with pytest.raises(EtudeError, match="holds a run of another recipe or seed"):
            engine.fit(recipe, seed=seed, run=run)


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on a file's size is of POSIX")
def test_a_full_disk_stops_with_one_message_and_the_last_checkpoint(trained: Run, tmp_path: Path) -> None:
    """The system refuses to let a file grow, in a process of its own: the checkpoint of step 4 is whole and can be continued."""
    run = Run(tmp_path / "run")
    file = tmp_path / "recipe.toml"
    file.write_text(recipes.to_toml(small()), encoding="utf-8")
    code = """
import resource, signal, sys
from pathlib import Path
from etude.errors import EtudeError
from etude.train import engine, loop, recipe
from etude.train.run import Run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
loop.CHECKPOINT_SECONDS, saves = 0.0, []
def save(path, *arguments, save=loop.checkpoint.save):
    saves.append(path)
    if len(saves) > 4:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    save(path, *arguments)
loop.checkpoint.save = save
try:
    engine.fit(recipe.from_toml(Path(sys.argv[1])), run=Run(Path(sys.argv[2])))
except EtudeError as error:
    print(error)
"""
    command = [sys.executable, "-c", code, str(file), str(run.folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert re.search(r"File too large.*the last good checkpoint is untouched.*--resume", done.stdout), done
    assert not list(run.folder.glob(".*.part"))
    assert checkpoint.read(run.checkpoint)[1]["step"] == 4
    engine.resume(run)
    assert numbers(run) == numbers(trained)


@pytest.mark.parametrize("damage", ["truncated", "rubbish", "empty"])
def test_a_broken_checkpoint_is_named(broken: Run, damage: str) -> None:
    whole = broken.checkpoint.read_bytes()
    broken.checkpoint.write_bytes({"truncated": whole[:1000], "rubbish": b"\x07" * 5000, "empty": b""}[damage])
    with pytest.raises(EtudeError, match=r"last\.safetensors: the checkpoint is damaged"):
        engine.resume(broken)


def test_the_weights_of_another_network_are_refused(trained: Run) -> None:
    with pytest.raises(EtudeError, match="another network"):
        checkpoint.load_model(trained.checkpoint, registry.build("lecture_inception"))


def test_a_folder_that_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(EtudeError, match="is not the folder of a run"):
        engine.resume(Run(tmp_path))


def test_a_half_written_line_of_metrics_is_written_again(trained: Run, broken: Run) -> None:
    with broken.metrics_file.open("a", encoding="utf-8") as file:
        file.write('{"epoch": 1, "st')
    engine.resume(broken)
    assert numbers(broken) == numbers(trained)


def test_another_machine_is_not_bit_identical_and_says_so(broken: Run) -> None:
    said: list[str] = []
    environment = broken.environment() | {"processor": "abacus"}
    (broken.folder / "env.json").write_text(json.dumps(environment), encoding="utf-8")
    result = engine.resume(broken, Means(say=said.append))
    assert "not bit-identical: processor was abacus" in result.warning
    assert result.warning in said


def pressed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[Progress], None]:
    """Watches a run and presses Ctrl-C after that step."""
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)

    def press(progress: Progress) -> None:
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return press


def test_ctrl_c_finishes_the_step_saves_and_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of the second epoch of two, of ten steps each."""
    run, whole = Run(tmp_path / "run"), Run(tmp_path / "whole")
    recipe = small(epochs=2)
    with pytest.raises(Interrupted, match=r"stopped and saved at step 14 of 20; continue with: etude train --resume") as caught:
        engine.fit(recipe, run=run, watch=pressed_at(13, monkeypatch))
    assert caught.value.exit_code == 130
    engine.resume(run)
    engine.fit(recipe, run=whole)
    assert numbers(run) == numbers(whole)


KILLED = ("lecture_inception.lecture", "lecture_residual.lecture", "lecture_densenet.lecture")
KILLING = """
import os, signal, sys
from pathlib import Path
import torch._dynamo
from etude.train import engine, loop, recipe
from etude.train.run import Run
loop.CHECKPOINT_SECONDS = loop.REPORT_SECONDS = 0.0
def watch(progress):
    if progress.step == 13:
        loop.CHECKPOINT_SECONDS = 60.0
    if progress.step == 16:
        os.kill(os.getpid(), signal.SIGKILL)
for folder in map(Path, sys.argv[1:]):
    child = os.fork()
    if child == 0:
        engine.fit(recipe.from_toml(folder / "recipe.toml"), run=Run(folder / "killed"), watch=watch)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
"""


@pytest.fixture(scope="module")
def killed_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of each recipe a folder with it and a run, each killed in a process of its own, all from one that has imported torch."""
    folders = {name: tmp_path_factory.mktemp("killed") for name in KILLED}
    for name, folder in folders.items():
        (folder / "recipe.toml").write_text(recipes.to_toml(small(name, epochs=2)), encoding="utf-8")
    subprocess.run([sys.executable, "-c", KILLING, *map(str, folders.values())], timeout=120, check=True)
    return folders


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is of POSIX")
@pytest.mark.parametrize("name", KILLED)
def test_a_killed_run_ends_with_the_same_numbers(killed_runs: dict[str, Path], tmp_path: Path, name: str) -> None:
    """kill -9 in the middle of the second epoch, between two checkpoints, then continue: bit for bit what it would have been."""
    killed, whole = Run(killed_runs[name] / "killed"), Run(tmp_path / "whole")
    recipe = small(name, epochs=2)
    assert not killed.finished
    assert checkpoint.read(killed.checkpoint)[1]["step"] == 13
    engine.resume(killed)
    engine.fit(recipe, run=whole)
    assert numbers(killed) == numbers(whole)
    one, other = (checkpoint.read(run.checkpoint)[0] for run in (killed, whole))
    assert all(torch.equal(one[key], other[key]) for key in whole_keys(one, other))


def whole_keys(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    assert set(one) == set(other)
    return set(one)


# ── Devices, threads, data ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("lost", [["result.json"], ["result.json", "last.safetensors"]], ids=["after a checkpoint", "before the first"])
def test_threads_are_restored_for_a_continued_run(tmp_path: Path, lost: list[str]) -> None:
    run = Run(tmp_path / "run")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        engine.fit(small(), run=run)
    finally:
        torch.set_num_threads(before)
    by_one_thread = numbers(run)
    for file in lost:
        (run.folder / file).unlink()
    assert engine.resume(run).warning == ""
    assert run.environment()["threads"] == 1
    assert torch.get_num_threads() == before
    assert numbers(run) == by_one_thread


def test_other_images_under_the_same_name_are_noticed(broken: Run) -> None:
    environment = broken.environment() | {"data": "0000000000000000"}
    (broken.folder / "env.json").write_text(json.dumps(environment), encoding="utf-8")
    assert "data was 0000000000000000" in engine.resume(broken).warning


def test_augmentation_is_part_of_the_recipe_and_survives_a_break(trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved, broken = (Run(tmp_path / name) for name in ("moved", "broken"))
    recipe = small(shift=2, flip=True)
    engine.fit(recipe, run=moved)
    assert numbers(trained) != numbers(moved)
    with pytest.raises(Interrupted):
        engine.fit(recipe, run=broken, watch=pressed_at(4, monkeypatch))
    engine.resume(broken)
    assert numbers(broken) == numbers(moved)


def test_a_network_takes_as_many_classes_as_the_data_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    labels = torch.arange(60) % 3
    images = (labels[:, None, None, None] * 100 + torch.randint(0, 20, (60, 1, 28, 28))).to(torch.uint8)
    dataset = Dataset("three", ("a", "b", "c"), Split(images, labels), Split(images, labels), "made here")
    monkeypatch.setattr(data, "load", lambda *args, **kwargs: dataset)
    run = Run(tmp_path / "run")
    engine.fit(small(epochs=1, images=None), run=run)
    assert run.environment()["classes"] == ["a", "b", "c"]
    assert checkpoint.read(run.checkpoint)[0]["model.fc.bias"].shape == (3,)


def test_fit_is_public(tmp_path: Path) -> None:
    assert etude.fit(small(), run=tmp_path / "run").test_images == 1000


# ── Networks with options, curves, what is loaded again ──────────────────────────────────────────────────────────────


def test_an_option_of_the_network_is_trained_and_loaded(tmp_path: Path) -> None:
    recipe = recipes.change(small(), ("model=lecture_densenet", "model.growth_rate=4"))
    run = Run(tmp_path / "run")
    assert engine.fit(recipe, run=run).recipe.model == Network("lecture_densenet", {"growth_rate": 4})
    trained = etude.load(run.folder)
    expected = etude.build("lecture_densenet", growth_rate=4).state_dict()
    assert {name: value.shape for name, value in trained.module.state_dict().items()} == {n: v.shape for n, v in expected.items()}


def test_more_classes_than_the_data_has_are_outputs_without_a_name(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    engine.fit(recipes.change(small(), ("model.classes=12",)), run=run)
    trained = etude.load(run.folder)
    assert trained.classes[9:] == ("zigzag", "output 10", "output 11")
    assert trained(torch.zeros(2, 1, 28, 28)).shape == (2, 12)
    with pytest.raises(UsageError, match=r"model\.classes = 9, expected at least the 10 of strokes"):
        engine.fit(recipes.change(small(), ("model.classes=9",)), run=Run(tmp_path / "other"))


def test_what_was_trained_is_loaded_with_all_that_belongs_to_it(learned: Run) -> None:
    strokes, result = data.load("strokes"), learned.result()
    trained = etude.load(str(learned.folder))
    assert not trained.training
    assert (trained.image, trained.classes) == ((1, 28, 28), strokes.classes)
    mean, std = strokes.statistics()
    assert [trained.mean.item(), trained.std.item()] == pytest.approx([mean[0], std[0]])
    with torch.no_grad():
        by_bytes, by_share = trained(strokes.test.images), trained(strokes.test.images / 255)
    assert torch.equal(by_bytes, by_share)
    right = (by_bytes.argmax(1) == strokes.test.labels).sum().item()
    assert right == round(result.test_accuracy * result.test_images)


def test_labels_are_smoothed_and_answers_counted_of_a_network_with_heads() -> None:
    torch.manual_seed(0)
    network = etude.build("googlenet", classes=3).eval()
    x, y = torch.randn(2, 3, 224, 224), torch.tensor([2, 0])
    logits, *heads = whole_output(network)(x)
    for smoothing in (0.0, 0.3):
        loss, right = loop.loss_and_right(network, x, y, smoothing)
        wanted = (1 - smoothing) * F.one_hot(y, 3) + smoothing / 3
        own, *others = (-(wanted * output.log_softmax(1)).sum(1).mean() for output in (logits, *heads))
        torch.testing.assert_close(loss, own + 0.3 * sum(others))
        assert right == (logits.argmax(1) == y).sum()


def test_training_is_a_curve_and_its_points_are_the_mean_of_what_lies_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses: list[float] = []

    def noted(*call: Any, plain: Any = loop.loss_and_right) -> Any:
        losses.append((found := plain(*call))[0].item())
        return found

    monkeypatch.setattr(loop, "loss_and_right", noted)
    monkeypatch.setattr(loop, "CURVE_POINTS", 5)
    run = Run(tmp_path / "run")
    engine.fit(small(epochs=2), run=run)  # 20 steps, so that every fourth is a point; 10 steps an epoch
    curve = run.curve()
    assert [row["step"] for row in curve] == [0, 4, 8, 10, 12, 16, 20]
    assert [row["step"] for row in curve if "test_accuracy" in row] == [0, 10, 20]
    points = {row["step"]: row["train_loss"] for row in curve}
    for step, since in ((4, 0), (8, 4), (10, 0), (12, 8), (16, 12), (20, 10)):  # at a test over the epoch
        assert points[step] == pytest.approx(sum(losses[since:step]) / (step - since), rel=1e-6)


def test_a_run_of_less_than_an_epoch_is_tested_a_few_times_on_a_part_and_at_its_end_on_all(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    engine.fit(small(epochs=0.8, batch=32), run=run)  # 16 of 20 steps
    assert [(row["step"], row["test_images"]) for row in run.metrics()] == [(0, 50), (4, 50), (8, 50), (12, 50), (16, 1000)]


def test_progress_is_a_number_at_an_epochs_end_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)
    found: list[Progress] = []
    engine.fit(small(epochs=2), run=Run(tmp_path / "run"), watch=found.append)
    assert len(found) == 20
    assert all(math.isfinite(value) for progress in found for value in (progress.loss, progress.accuracy, progress.test_accuracy))


def test_testing_in_between_changes_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Run(tmp_path / "one"), Run(tmp_path / "other")
    engine.fit(small(epochs=0.8), run=one)
    monkeypatch.setattr(loop, "TESTS_WITHIN_AN_EPOCH", 1)
    engine.fit(small(epochs=0.8), run=other)
    assert len(one.metrics()) > len(other.metrics())
    assert one.metrics()[-1]["test_loss"] == other.metrics()[-1]["test_loss"]


# ── Where runs lie, what they stand on ───────────────────────────────────────────────────────────────────────────────


def test_a_run_of_another_version_is_refused_in_one_line(run: Run) -> None:
    before = json.loads((run.folder / "env.json").read_text(encoding="utf-8"))
    del before["format"]
    (run.folder / "env.json").write_text(json.dumps(before), encoding="utf-8")
    for use in (run.recipe, run.environment, run.result, run.job, lambda: engine.resume(run), lambda: etude.load(run.folder)):
        with pytest.raises(EtudeError, match=r"is a run of another version of Etude \(format 1, expected 2\); train again") as caught:
            use()
        assert len(str(caught.value).splitlines()) == 1
    assert not Store(run.folder.parents[1]).found(Job(small(), 0), {}).started


def test_bf16_is_another_function_and_is_said_everywhere(tmp_path: Path) -> None:
    """Steps in bfloat16, of which the weights differ; a test of the same weights is that of float32."""
    half = small(epochs=0.4, precision="bf16")
    one, other = (engine.fit(recipe, run=Run(tmp_path / name)) for name, recipe in (("half", half), ("whole", small(epochs=0.4))))
    assert one.metrics[0]["test_loss"] == other.metrics[0]["test_loss"]
    apart = abs(one.metrics[-1]["test_loss"] - other.metrics[-1]["test_loss"])
    assert 0 < apart < 0.2
    assert "in bf16" in in_short(one) and "bf16" not in in_short(other)
    assert recipes.from_toml(tmp_path / "half" / "recipe.toml").precision == "bf16"
    assert all(parameter.dtype == torch.float32 for parameter in load(tmp_path / "half").module.parameters())


def test_a_long_run_has_its_step_compiled_where_that_is_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function stays, a broken run goes on as it began, and a trial leaves nothing behind. (Without the code generator, for time.)"""
    said: list[str] = []
    plain, compiled, slower, broken, failed = (Run(tmp_path / name) for name in ("plain", "compiled", "slower", "broken", "failed"))
    recipe = small(epochs=None, steps=6)
    engine.fit(recipe, run=plain, say=said.append)
    assert not said and plain.environment()["compiled"] is False
    original = torch.compile
    monkeypatch.setattr(torch, "compile", lambda module, **_: original(module, dynamic=False, backend="aot_eager"))
    monkeypatch.setattr(compiling, "has_compiler", lambda: True)
    monkeypatch.setattr(compiling, "FEWEST", 1)
    engine.fit(recipe, run=Run(tmp_path / "short"), say=said.append)
    assert not said and not Run(tmp_path / "short").environment()["compiled"]
    monkeypatch.setattr(compiling, "LONG", 0.0)
    monkeypatch.setattr(compiling, "GAIN", math.inf)
    engine.fit(recipe, run=compiled, say=said.append)
    assert re.fullmatch(r"compiled, a step takes \d+\.\d\d of its time", said[-1]) and compiled.environment()["compiled"]
    assert numbers(plain)[-1] == pytest.approx(numbers(compiled)[-1], rel=1e-3)
    with pytest.raises(Interrupted):
        engine.fit(recipe, run=broken, watch=pressed_at(3, monkeypatch))
    assert not engine.resume(broken).warning and numbers(broken) == numbers(compiled)
    monkeypatch.setattr(compiling, "GAIN", 0.0)
    engine.fit(recipe, run=slower, say=said.append)
    assert said[-1].endswith("so it stays as it is") and numbers(slower) == numbers(plain)
    monkeypatch.setattr(torch, "compile", lambda module, **_: FailsToCompile(module))
    engine.fit(recipe, run=failed, say=said.append)
    assert said[-1] == "the step stays as it is: it cannot be compiled here (no such file: omp.h)" and numbers(failed) == numbers(plain)
    (broken.folder / "result.json").unlink()
    assert "compiled was True, is False" in engine.resume(broken, Means(say=said.append)).warning


class FailsToCompile(torch.nn.Module):
    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        self.module(*inputs)  # statistics move, and are put back
        raise RuntimeError("no such file: omp.h\nand more")
