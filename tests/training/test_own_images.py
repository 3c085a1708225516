"""Training on somebody's own images: from random weights, from those of a run, of a file, of a package; what is refused."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

import etude
from etude.data.batches import generator, random_part
from etude.data.folder import held_out
from etude.errors import EtudeError, UsageError
from etude.models.network import Network
from etude.models.weight_files import Converted, Images, write_converted
from etude.train import engine, kept, start
from etude.train import recipe as recipes
from etude.train.run import Run, RunResult
from shell import run
from torchvision_stub import models

COLOURS = {"red": (200, 40, 40), "green": (40, 190, 60), "blue": (50, 60, 210)}
TINY = "resnet20(depth=8)"


def draw_photos(root: Path, count: int = 10) -> Path:
    """A folder of discs, red, green and blue, each of another size and place."""
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for index in range(count):
            image = Image.new("RGB", (40, 30), (index * 7, index * 5, 90))
            ImageDraw.Draw(image).ellipse((index, 2, index + 20, 22), fill=colour)
            image.save(root / name / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_photos(tmp_path_factory.mktemp("own") / "photos")


def fit(recipe: str, photos: Path, run: Path, begin: str = "", *settings: str) -> RunResult:
    made = recipes.change(recipes.load(recipe, "smoke").on(str(photos)), settings)
    return engine.fit(made.begun_with(begin) if begin else made, run=run)


@pytest.fixture(scope="module")
def scratch(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return fit(f"{TINY}.scratch", photos, tmp_path_factory.mktemp("own") / "run", "", "steps=12")


def weights(run: Path) -> dict[str, Tensor]:
    return etude.load(run).module.state_dict()


def test_a_batch_of_one_image_is_refused_where_a_batch_norm_has_one_number_of_it(tmp_path: Path) -> None:
    photos = draw_photos(tmp_path / "photos")  # 24 to train with
    with pytest.raises(
        UsageError, match=r"24 images in batches of 23 leave one .* a batch norm of resnet18 cannot .* choose another --set batch=…"
    ):
        fit("resnet18.scratch", photos, tmp_path / "run", "", "side=32", "batch=23", "steps=4")
    assert not (tmp_path / "run").exists()


def test_a_network_alone_is_trained_on_a_folder(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "train", TINY, "--data", str(photos), "--budget", "smoke", "--runs", str(tmp_path))
    assert (code, "of 6)" in out, f"{TINY.replace('(', '+').replace(')', '')}.scratch" in out) == (0, True, True)
    assert recipes.for_own_images(f"{TINY}.he2015", False) == f"{TINY}.he2015"
    code, _, err = run(capsys, "train", TINY)
    assert (code, "on which images? --data FOLDER" in err) == (2, True)
    assert "begins with" in "".join(run(capsys, "train", "--help")[1])


def test_fine_tuning_trains_the_head_alone_first(photos: Path, scratch: RunResult, tmp_path: Path) -> None:
    """After the frozen steps everything is as it was but the head, the running statistics too; what comes then moves all of it."""
    begin = {name: value for name, value in weights(scratch.folder).items() if not name.startswith("fc")}
    for steps, moved in ((2, False), (3, True)):
        folder = tmp_path / str(steps)
        fit(f"{TINY}.finetune", photos, folder, str(scratch.folder), f"steps={steps}", "frozen=2")
        after = weights(folder)
        assert all(torch.equal(value, after[name]) for name, value in begin.items()) != moved
        assert not torch.equal(after["fc.weight"], weights(scratch.folder)["fc.weight"])


def test_a_run_is_named_by_a_text_too(photos: Path, tmp_path: Path) -> None:
    recipe = recipes.change(recipes.load(f"{TINY}.scratch", "smoke").on(str(photos)), ("steps=1",))
    assert engine.fit(recipe, run=str(tmp_path / "run")).folder == tmp_path / "run"


def test_muon_waits_while_all_its_weights_are_frozen(photos: Path, scratch: RunResult, tmp_path: Path) -> None:
    muon = 'optimizer={"name": "muon", "lr": 0.02, "momentum": 0.9, "adam_lr": 0.01, "adam_betas": [0.9, 0.99]}'
    begin = weights(scratch.folder)["conv1.weight"]
    fit(f"{TINY}.finetune", photos, tmp_path / "run", str(scratch.folder), "steps=2", "frozen=2", muon)
    assert torch.equal(weights(tmp_path / "run")["conv1.weight"], begin)


def test_the_head_is_replaced_for_other_classes_and_kept_for_the_same(photos: Path, scratch: RunResult) -> None:
    recipe = recipes.load(f"{TINY}.finetune", "smoke").begun_with(str(scratch.folder))
    begin, head = start.read(recipe), start.head_of(recipe.model)
    assert head == {"fc.weight", "fc.bias"}
    assert begin.classes == ("blue", "green", "red")
    for classes, same in ((begin.classes, True), (("blue", "red", "green"), False), (("cat", "dog"), False)):
        module = recipe.model.build(classes=len(classes))
        said = begin.put_into(recipe.model, module, head, classes)
        assert torch.equal(module.state_dict()["conv1.weight"], begin.tensors["conv1.weight"])
        assert (f"a new head for {len(classes)} classes" in said) != same
        assert (len(classes) == 3 and torch.equal(module.state_dict()["fc.weight"], begin.tensors["fc.weight"])) == same


def test_images_are_normalised_as_those_were_that_the_weights_come_from(photos: Path, scratch: RunResult, tmp_path: Path) -> None:
    own = etude.build("resnet20", depth=8, classes=4)
    file = tmp_path / "own.safetensors"
    write_converted(file, Converted(Network("resnet20", {"depth": 8, "classes": 4}), own, Images((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))))
    assert Run(fit(f"{TINY}.finetune", photos, tmp_path / "a", str(file), "steps=1").folder).environment()["mean"] == [0.1, 0.2, 0.3]
    of_run = Run(fit(f"{TINY}.finetune", photos, tmp_path / "b", str(scratch.folder), "steps=1").folder).environment()
    assert of_run["mean"] == pytest.approx(Run(scratch.folder).environment()["mean"])
    assert "weights " in of_run["start"]


def test_a_run_that_began_with_weights_goes_on_without_them(photos: Path, scratch: RunResult, tmp_path: Path) -> None:
    """The same numbers as in one go, though the file is gone by then."""
    file = tmp_path / "own.safetensors"
    write_converted(file, Converted(Network("resnet20", {"depth": 8, "classes": 3}), etude.build("resnet20", depth=8, classes=3)))
    whole = fit(f"{TINY}.finetune", photos, tmp_path / "whole", str(file), "steps=4")
    recipe, broken = whole.recipe, Run(tmp_path / "broken")

    def stop(progress: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("etude.train.loop.REPORT_SECONDS", 0.0)
        patched.setattr("etude.train.loop.CHECKPOINT_SECONDS", 0.0)
        engine.fit(recipe, run=broken, watch=stop)
    file.unlink()
    assert engine.fit(recipe, run=broken).curve[-1]["test_loss"] == whole.curve[-1]["test_loss"]


def test_torchvisions_weights_by_file_and_by_package(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In torchvision's names; 64 pixels wide in place of 224."""
    theirs = models.resnet18(weights=None)
    file = tmp_path / "resnet18.pth"
    torch.save(theirs.state_dict(), file)
    result = fit("resnet18.finetune", photos, tmp_path / "run", str(file), "steps=1", "frozen=1", "batch=4")
    trained, environment = etude.load(result.folder), Run(result.folder).environment()
    assert (trained.image, environment["mean"]) == ((3, 64, 64), list(start.IMAGENET[0]))
    assert torch.equal(trained.module.state_dict()["conv2_x.0.conv1.weight"], theirs.layer1[0].conv1.weight)
    out = tmp_path / "package.safetensors"
    assert run(capsys, "convert", "torchvision.models:resnet18(num_classes=7)", str(out))[0] == 0
    begin = start.read(recipes.load("resnet18.finetune", "smoke").begun_with(str(out)))
    assert (begin.network, begin.mean) == (Network("resnet18", {"classes": 7}), start.IMAGENET[0])


def test_what_cannot_be_begun_with_is_said(photos: Path, scratch: RunResult, tmp_path: Path) -> None:
    assert start.computes(Network("resnet50@v15", {"classes": 7})) == start.computes(Network("resnet50", {"stride_in": "3x3"}))
    torch.save({"weight": torch.ones(2)}, tmp_path / "other.pth")
    cases = [
        (f"{TINY}.finetune", "other.pth", "holds no network that torchvision and Etude share; `etude convert"),
        (f"{TINY}.finetune", "gone.pth", "cannot be read"),
        (f"{TINY}.finetune", "gone", "no run, no file of weights"),
        ("resnet20.finetune", str(scratch.folder), "does not fit resnet20; train resnet20(depth=8), which it is"),
        ("resnet20(depth=14).finetune", str(scratch.folder), "does not fit resnet20(depth=14)"),
        (f"{TINY}.finetune", str(kept.FOLDER / "lecture_residual.lecture"), "train lecture_residual, which it is"),  # of one channel
        (f"{TINY}.finetune", "", "add --from FILE|RUN"),
    ]
    for recipe, begin, message in cases:
        place = begin if Path(begin).is_absolute() or not begin else str(tmp_path / begin)
        with pytest.raises(EtudeError) as caught:
            fit(recipe, photos, tmp_path / "run", place)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="googlenet, made for 3×224×224, does not take images of 3×64×64"):
        fit("googlenet.scratch", photos, tmp_path / "run", "", "side=64")


def test_a_split_by_seed_depends_on_names_alone() -> None:
    names = [Path("photos/cats", f"{index}.png") for index in range(50)]
    first, again, other = (held_out(list(paths), seed) for paths, seed in ((names, 0), (reversed(names), 0), (names, 1)))
    assert first == again
    assert first != other
    assert len(first) == 10
    assert len(first ^ held_out([*names, Path("photos/cats/new.png")], 0)) <= 2


def test_broken_files_are_left_out_when_asked_and_balance_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = draw_photos(tmp_path / "photos")
    for index in range(10, 20):
        Image.new("RGB", (9, 9)).save(photos / "red" / f"{index}.png")
    (photos / "red" / "20.heic").write_bytes(b"0000ftypheic")
    for name in ("blue/cut.jpg", "green/text.png"):
        (photos / name).write_bytes(b"no image")
    arguments = ["train", TINY, "--data", str(photos), "--budget", "smoke", "--runs", str(tmp_path / "runs")]
    code, _, err = run(capsys, *arguments)
    assert (code, "2 files" in err or "1 more" in err) == (1, True)
    assert "blue/cut.jpg: not a readable image" in err
    assert "green/text.png" in err
    code, out, err = run(capsys, *arguments, "--leave-out-broken")
    assert code == 0
    assert "left out 2 of 42 files: " in err
    assert "classes out of balance, 20 images of red and 10 of " in err
    assert "not read, 1 .heic" in err
    folder = Path(out.splitlines()[-1].removeprefix("run: "))
    assert json.loads((folder / "result.json").read_text())["test_images"] == 7  # of 8, one is cut off
    assert recipes.from_toml(folder / "recipe.toml").broken == "left out"


def test_a_random_part_is_a_part() -> None:
    """Of a ramp from left to right no part is wider than it, and every part rises; the whole is the whole."""
    ramp = torch.arange(0, 256, 8, dtype=torch.uint8).expand(6, 3, 32, 32)
    assert torch.equal(random_part(ramp, 1.0, generator(0)), ramp)
    parts = random_part(ramp, 0.25, generator(0)).float()
    widths = parts[:, 0, 0, -1] - parts[:, 0, 0, 0]
    assert (widths > 100).all() and (widths < 248).all() and widths.unique().numel() > 3
    assert (parts.diff(dim=3) >= 0).all()
    assert torch.equal(parts, random_part(ramp, 0.25, generator(0)).float())
