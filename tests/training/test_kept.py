"""What is kept of a run, and what Etude brings trained: found by name wherever a run is taken."""

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import etude
import places
from etude import data
from etude.data.sources import is_cached
from etude.errors import EtudeError
from etude.targets.target import Target
from etude.train import kept
from etude.train import recipe as recipes
from etude.train.run import Run
from shell import run

keeping = importlib.import_module("keep")
NAME = "lecture_residual.lecture"


@pytest.fixture
def root(learned: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that knows the strokes is kept, and nothing else."""
    monkeypatch.setattr(kept, "FOLDER", tmp_path / "weights")
    keeping.keep(learned, kept.FOLDER)
    return kept.FOLDER


@pytest.fixture
def reencoded(learned: Run, tmp_path: Path) -> Run:
    """The same run, but it says that it was trained on a known set in another encoding."""
    run = Run(Path(shutil.copytree(learned.folder, tmp_path / "run")))
    said = {"reencoded": "mnist", "images": "images in /a/b/digits, mnist in another encoding"}
    (run.folder / "env.json").write_text(json.dumps(run.environment() | said), encoding="utf-8")
    return run


def test_what_is_kept_gives_the_logits_of_the_run_and_its_error(learned: Run, root: Path) -> None:
    assert kept.names() == (NAME,)
    images = data.load("strokes").test.images
    with torch.no_grad():
        of_run, of_kept, again = (etude.load(place)(images) for place in (learned.folder, NAME, NAME))
    assert torch.equal(of_run, of_kept)
    assert torch.equal(of_run, again)
    assert keeping.wrong(Path(NAME), learned.result()) == round((1 - learned.result().test_accuracy) * 1000)
    copy = Run(root / NAME)
    assert copy.job() == learned.job()
    assert copy.curve() == learned.curve()
    assert copy.checkpoint.stat().st_size < learned.checkpoint.stat().st_size / 1.5


def test_what_has_no_result_or_another_ones_is_not_kept(learned: Run, tmp_path: Path) -> None:
    broken = Run(shutil.copytree(learned.folder, tmp_path / "run"))
    recipe = broken.folder / "recipe.toml"
    recipe.write_text("validation = 100\n" + recipe.read_text().replace('"last"', '"lowest validation error"'), encoding="utf-8")
    with pytest.raises(EtudeError, match="its result is that of an earlier epoch"):
        keeping.keep(broken, tmp_path / "weights")
    (broken.folder / "result.json").unlink()
    with pytest.raises(EtudeError, match="the run has not come that far"):
        keeping.keep(broken, tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_what_is_kept_stays_until_another_one_is_whole(learned: Run, root: Path, tmp_path: Path) -> None:
    before = {file.name: file.read_bytes() for file in (root / NAME).iterdir()}
    broken = Run(shutil.copytree(learned.folder, tmp_path / "run"))
    result = json.loads((broken.folder / "result.json").read_text(encoding="utf-8"))
    for file, content in (
        ("result.json", json.dumps(result | {"diverged": 3})),
        ("result.json", json.dumps(result | {"test_accuracy": 0.5})),
        ("last.safetensors", "no weights"),
    ):
        (broken.folder / file).write_text(content, encoding="utf-8")
        with pytest.raises(EtudeError):
            keeping.keep(broken, root)
        assert {file.name: file.read_bytes() for file in (root / NAME).iterdir()} == before
        assert [path.name for path in root.parent.iterdir() if path.name.startswith(".kept-")] == []


def test_every_command_that_takes_a_run_takes_the_name_and_says_that_its_images_were_in_another_encoding(
    root: Path, reencoded: Run, quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(data.load("strokes").test.images[0, 0].numpy()).save("photo.png")
    assert Target.read(NAME) == Target("run", NAME)
    assert Target.read(NAME).whole().place == str((root / NAME).resolve())
    for said in ("", "trained on images in digits, mnist in another encoding\n"):
        code, out, err = run(capsys, "predict", NAME, "photo.png")
        assert (code, err) == (0, said and f"{NAME}: {said}")
        assert out.startswith("photo.png: ")
        code, out, err = run(capsys, "explain", NAME, "--cost")
        assert (code, err) == (0, said)
        code, out, _ = run(capsys, "ls", "--weights", "lecture_*")
        assert code == 0
        assert ("mnist in another encoding" in out) == bool(said)
        keeping.keep(reencoded, root)
    code, out, _ = run(capsys, "verify", str(root / NAME), "--against", "lecture_residual")
    assert code == 0
    assert "trained on images in digits, mnist in another encoding" in out
    assert run(capsys, "runs", "show", NAME)[0] == 0
    assert run(capsys, "explain", "lecture_residual", "--run", NAME, "--gradients", "--data", "strokes")[0] == 0
    code, _, err = run(capsys, "ls", "--weights", "resnet*")
    assert (code, err) == (2, "error: nothing matches `resnet*`; `etude ls --weights` lists all\n")
    assert run(capsys, "ls", "--weights", "--recipes")[0] == 2


def test_the_five_networks_of_the_lecture_and_one_of_a_paper_are_there() -> None:
    assert {name for name in recipes.names() if name.endswith(".lecture")} | {"resnet20.he2015"} <= {*kept.names()}


@pytest.mark.parametrize("name", kept.names())
def test_what_etude_brings_is_as_its_record_says(name: str) -> None:
    record = Run(kept.FOLDER / name)
    network = etude.load(name)
    assert record.recipe().title == name
    assert "/" not in record.recipe().data + record.environment()["images"]
    assert {file.name for file in record.folder.iterdir()} == {
        *("recipe.toml", "env.json", "metrics.jsonl", "last.safetensors", "result.json")
    }
    logits = network(torch.zeros(1, *network.image))
    assert logits.shape == (1, len(network.classes))
    assert logits.isfinite().all()
    if name.endswith(".lecture"):
        row = next(row for row in record_in("lecture-laptop")["trained"] if row["network"] == str(network.network))
        assert row["accuracy"][0] == pytest.approx(100 * record.result().test_accuracy)
    else:
        (row,) = (row for row in record_in("paper")["runs"] if (row["recipe"], row["seed"]) == (name, record.result().seed))
        assert (row["state"], row["test error"]) == ("finished", pytest.approx(100 * (1 - record.result().test_accuracy)))
        assert (record.result().recipe.budget, record.environment()["reencoded"]) == ("paper", "cifar10")


def record_in(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((places.ROOT / f"docs/records/{name}.json").read_text(encoding="utf-8"))
    return content


@pytest.mark.slow
@pytest.mark.skipif(not is_cached("mnist"), reason="needs MNIST in Etude's cache")
@pytest.mark.parametrize("name", [name for name in kept.names() if name.endswith(".lecture")])
def test_on_the_official_images_it_errs_as_often_as_its_record_says(name: str) -> None:
    result = Run(kept.FOLDER / name).result()
    assert keeping.wrong(Path(name), result) == round((1 - result.test_accuracy) * result.test_images)
