"""What belongs to a run and needs no training: optimisers, where runs lie, and what their numbers depend on."""

import dataclasses
import errno
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from etude import data
from etude.errors import EtudeError, UsageError
from etude.jobs import child
from etude.jobs.lane import Order
from etude.models import registry
from etude.models.network import Network
from etude.train import engine, loop, machine, muon, optimizers
from etude.train import recipe as recipes
from etude.train.job import Job
from etude.train.recipe import Recipe
from etude.train.run import Run
from etude.train.store import Store


def small(name: str = "lecture_residual.lecture", **changes: Any) -> Recipe:
    """A recipe that takes a second or two: 640 strokes."""
    return dataclasses.replace(recipes.load(name, "smoke").on("strokes"), **changes)


def test_the_learning_rate_rises_and_falls() -> None:
    recipe = small()
    shares = [recipe.schedule.share(step / 100) for step in range(100)]
    assert shares[0] == 0
    assert max(shares) == shares[10] == 1
    assert shares[55] == pytest.approx(0.5)
    assert 0 < shares[99] < 0.02
    assert recipes.load("lecture_residual.lecture", "paper").schedule.share(0.07) == 1


def test_every_optimiser_of_a_recipe_moves_every_parameter(tmp_path: Path) -> None:
    tables = (
        {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4},
        {"name": "adamw", "lr": 0.01, "betas": [0.9, 0.99], "weight_decay": 0.0},
        {"name": "muon", "lr": 0.01, "momentum": 0.9, "adam_lr": 0.01, "adam_betas": [0.9, 0.99]},
    )
    for table in tables:
        recipe = recipes.change(small(), (f"optimizer={json.dumps(table)}",))
        model = registry.build("lecture_densenet").to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        made = optimizers.make_optimizers(recipe, model, torch.device("cpu"))
        loss, _ = loop.loss_and_right(model, torch.randn(8, 1, 28, 28), torch.arange(8), 0.0)
        loss.backward()
        for optimizer in made:
            optimizer.step()
        still = [name for name, p in model.named_parameters() if torch.equal(p, before[name])]
        assert not still, f"{table['name']} does not move {still}"


def test_orthogonalisation_agrees_with_the_singular_value_decomposition() -> None:
    """The iteration maps each singular value by x ← ax + bx³ + cx⁵ and keeps the vectors, which an SVD shows independently."""
    torch.manual_seed(0)
    matrices = [torch.randn(*shape) for shape in ((10, 25), (16, 10), (24, 400), (20, 2200), (30, 5), (1, 9))]
    for matrix, found in zip(matrices, muon.orthogonalized(matrices), strict=True):
        u, values, v = torch.linalg.svd(matrix.double(), full_matrices=False)
        values = values / values.norm()
        for _ in range(5):
            values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
        torch.testing.assert_close(found.double(), u @ torch.diag(values) @ v, rtol=1e-4, atol=1e-5)


def test_a_device_that_is_not_there_is_refused() -> None:
    assert machine.choose_device("cpu").type == "cpu"
    with pytest.raises(UsageError, match="device `tpu` is not available here"):
        machine.choose_device("tpu")


def test_an_option_that_the_network_does_not_take_is_said_before_any_data_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "load", lambda *args, **kwargs: pytest.fail("data was loaded"))
    with pytest.raises(UsageError, match="lecture_residual has no option `shortcutt`"):
        engine.fit(recipes.change(small(), ("model.shortcutt=conv",)), run=Run(tmp_path / "run"))


def test_networks_with_options_lie_apart_and_are_found_again(tmp_path: Path) -> None:
    recipe = recipes.change(small(), ("model=resnet50", "model.units=[1,1,1,1]", "model.stride_in=3x3"))
    store = Store(tmp_path)
    places = {str(Job(one, 2).place) for one in (recipe, small(), dataclasses.replace(small(), budget="laptop"))}
    assert len(places) == 3
    assert ".." not in Job(dataclasses.replace(small(), budget="../../mine"), 2).place.parts
    assert Job(recipe, 2).place.parts[0] == "resnet50+stride_in=_3x3_+units=_1_1_1_1_.lecture"
    run = store.new(Job(recipe, 2))
    run.start(Job(recipe, 2), {"classes": [], "mean": [], "std": [], "threads": 2, "device": "cpu", "torch": "2.13.0"})
    assert store.found(Job(recipe, 2), {"torch": "2.13.0"}) == run
    assert store.found(Job(recipe, 2), {"torch": "2.14.0"}).folder.name == "seed-2-2"
    assert store.found(Job(recipe, 3), {}).folder.name == "seed-3"
    assert store.runs() == [run]


@pytest.mark.parametrize("name", registry.names())
def test_a_networks_numbers_depend_on_its_own_file(name: str) -> None:
    own = f"models/{registry.row(name).target.partition(':')[0]}.py"
    behind = machine.models_behind(own)
    assert own in behind
    assert set(behind) <= {own, "models/pieces.py"}


def test_every_file_of_data_and_training_is_known_to_matter_or_not_to() -> None:
    """What is not behind the numbers of a run fetches, lists, keeps or shows; whoever adds a file says here which it is."""
    beside = {  # the bytes that come in have a digest of their own
        "data": {"__init__", "catalog", "declaration", "digit", "kept", "origins", "pickles", "sources", "wheel"},
        "train": {
            *("__init__", "answers", "checkpoint", "engine", "job", "kept", "machine", "predict"),
            *("recipe", "run", "shares", "store", "trained"),
        },
    }
    for room, names in beside.items():
        behind = {Path(file).stem for file in machine.behind_every_run() if file.startswith(f"{room}/")}
        assert not behind & names
        assert {path.stem for path in (machine.PACKAGE / room).glob("*.py")} == behind | names


def test_a_comment_changes_no_digest_and_a_layer_changes_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for room in ("models", "data", "train"):
        shutil.copytree(machine.PACKAGE / room, tmp_path / room)
    monkeypatch.setattr(machine, "PACKAGE", tmp_path)

    def digests() -> dict[str, str]:
        machine.source_digest.cache_clear()
        return {name: machine.source_digest(Network(name)) for name in ("resnet20", "googlenet", "densenet121")}

    def edited(file: str, old: str, new: str) -> set[str]:
        before, text = digests(), (tmp_path / file).read_text(encoding="utf-8")
        assert old in text
        (tmp_path / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        after = digests()
        return {name for name in before if before[name] != after[name]}

    assert edited("models/googlenet.py", "import torch\n", "import torch  # a comment\n") == set()
    assert edited("models/googlenet.py", '"""', '"""Other words. ') == set()
    assert edited("models/googlenet.py", "kernel // 2", "kernel // 3") == {"googlenet"}
    every = {"resnet20", "googlenet", "densenet121"}
    assert edited("models/pieces.py", "self.extra, self.stride = extra", "self.stride, self.extra = extra") == every
    assert edited("train/loop.py", "loss.backward(", "x = 1; loss.backward(") == every
    assert edited("train/predict.py", "def predict", "x = 1\n\n\ndef predict") == set()
    machine.source_digest.cache_clear()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("env.json", "{", "env.json: cannot be read"),
        ("env.json", "[1]", "env.json: cannot be read (it holds a list, expected a table)"),
        ("env.json", '{"format": 1}', "is a run of another version of Etude (format 1, expected 2); train again"),
        ("env.json", '{"format": 2}', "env.json: has no `seed`; the run is damaged, train again"),
        ("result.json", '{"test_accuracy": 1}', "result.json: has no `test_images`; the run is damaged, train again"),
        ("metrics.jsonl", "5\n", "metrics.jsonl: is damaged (a line holds 5, expected a table with its step); train again"),
        ("metrics.jsonl", "{\n", "metrics.jsonl: is damaged"),
        ("metrics.jsonl", "", "metrics.jsonl: holds no test, and the run has ended; train again"),
    ],
)
def test_a_damaged_folder_is_one_message(tmp_path: Path, file: str, content: str, message: str) -> None:
    run = Run(tmp_path / "run")
    recipe = recipes.load("lecture_residual.lecture", "smoke")
    run.start(Job(recipe, 0), {"classes": [], "mean": [], "std": [], "threads": 1, "device": "cpu"})
    run.append({"epoch": 1.0, "step": 1, "test_accuracy": 0.5, "test_images": 10})
    run.finish({"test_accuracy": 0.5, "test_images": 10, "seconds": 1.0, "warning": ""})
    assert run.result().seed == 0
    (run.folder / file).write_text(content, encoding="utf-8")
    with pytest.raises(EtudeError) as caught:
        run.result()
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_full_disk_in_a_lane_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = recipes.load("lecture_residual.lecture", "smoke")
    order = Order(str(tmp_path), recipes.as_table(recipe), 0, torch.get_num_threads(), "cpu", None, machine.source_digest(recipe.model))

    def fill(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "runs/metrics.jsonl")

    monkeypatch.setattr("etude.jobs.child.engine.run_to_result", fill)
    monkeypatch.setattr("etude.jobs.child.interrupted_at_end", lambda descriptor: None)
    handler, out = signal.getsignal(signal.SIGINT), sys.stdout
    read, write = os.pipe()
    with os.fdopen(read) as stdin, os.fdopen(write, "w") as line:
        line.write(json.dumps(dataclasses.asdict(order)) + "\n")
        line.flush()
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", out)  # which the process of a lane exchanges
        assert child.main() == 1
        signal.signal(signal.SIGINT, handler)
    said, printed = capsys.readouterr()
    assert [json.loads(text)["why"] for text in said.splitlines()] == [
        "runs/metrics.jsonl: No space left on device; what was saved before is intact"
    ]
    assert "Traceback" not in printed
