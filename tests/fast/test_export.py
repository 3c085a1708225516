"""What a run has trained, taken elsewhere: what is in a file, what is said, and that nothing is left where it fails."""

import dataclasses
import errno
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import etude
from etude.cli import app
from etude.cli import export as cli_export
from etude.cli import predict as cli_predict
from etude.errors import EtudeError
from etude.export import auto, compare, engines, extras, formats, timing
from etude.export.auto import Auto
from etude.export.engines import ENGINES, Engine
from etude.export.timing import FAILED, Place, Timing
from etude.train.trained import TrainedNetwork
from shell import run

NAME = "lecture_residual.lecture"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In an empty folder, with an empty cache elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path.with_name("cache of " + tmp_path.name)))
    return tmp_path


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An ONNX file, by the command line."""
    file = tmp_path_factory.mktemp("exported") / "x.onnx"
    assert app.run(["export", NAME, "--to", "onnx", "--out", str(file), "--licence", "cc0-1.0"]) == 0
    assert [*file.parent.iterdir()] == [file]
    return file.read_bytes()


def test_an_onnx_file_answers_as_the_network_and_says_what_belongs_to_it(content: bytes) -> None:
    assert str(Path(etude.__file__).parents[1]).encode() not in content, "where the source lies is nobody's concern"
    session, network = formats.onnx_session(content), etude.load(NAME)
    pixels = network.normalised(torch.rand(3, *network.image))
    with torch.no_grad():
        np.testing.assert_allclose(session.run(["logits"], {"images": pixels.numpy()})[0], network.module(pixels), rtol=1e-4, atol=1e-4)
    assert session.get_inputs()[0].shape == ["batch", 1, 28, 28]
    card = session.get_modelmeta().custom_metadata_map
    assert json.loads(card["images"]) == {"mean": [0.1307], "std": [0.3081], "classes": list(network.classes)}
    assert (card["network"], card["licence"]) == ("lecture_residual", "cc0-1.0")
    assert json.loads(card["record"])["test_accuracy"] == 0.9927
    assert "(pixels from 0 to 1 - mean) / std" in card["input"]


def test_without_onnx_runtime_the_evaluator_of_onnx_compares(
    content: bytes, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "program", lambda *_: None)
    monkeypatch.setattr(formats, "onnx_bytes", lambda *_: content)
    for absent, by in (("", "onnxruntime"), ("onnxruntime", "the reference evaluator of onnx")):
        monkeypatch.setitem(sys.modules, absent, None)
        code, out, err = run(capsys, "export", NAME, "--to", "onnx", "--out", f"{absent}x.onnx")
        assert code == 0
        assert out.startswith(f"{absent}x.onnx: lecture_residual, ONNX, opset ")
        assert f"compared by {by}" in err


def test_a_folder_for_the_hub_is_loaded_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "export", NAME, "--to", "hub", "--out", "hub", "--json")
    assert code == 0, err
    assert json.loads(out)["compared"]["difference"] == 0
    assert {file.name for file in (here / "hub").iterdir()} == {"config.json", "model.safetensors", "README.md"}
    config = json.loads((here / "hub" / "config.json").read_text(encoding="utf-8"))
    one, other = etude.load(NAME), etude.load(here / "hub" / "model.safetensors")
    assert [config["id2label"][str(index)] for index in range(len(one.classes))] == [*one.classes]
    assert (config["architecture"], config["input_size"], config["license"]) == ("lecture_residual", [1, 28, 28], "mit")
    assert (config["image_mean"], config["image_std"]) == ([0.1307], [0.3081])
    page = (here / "hub" / "README.md").read_text(encoding="utf-8")
    assert page.startswith("---\nlicense: mit\nlibrary_name: etude\n")
    assert "99.27 % of 10,000 test images of mnist" in page
    pixels = torch.rand(2, *one.image)
    with torch.no_grad():
        assert torch.equal(one(pixels), other(pixels))


def test_of_random_weights_it_says_so_and_gives_no_licence(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "export", "resnet20(depth=8)", "--to", "hub")
    assert code == 0, err
    assert "weights random" in err
    page = (here / "resnet20" / "README.md").read_text(encoding="utf-8")
    assert page.startswith("---\nlibrary_name: etude\n")
    assert "not stated: ask whoever trained it" in page
    assert etude.load(here / "resnet20" / "model.safetensors").network.options == {"depth": 8}


def test_the_command_line_knows_every_format_and_every_engine() -> None:
    assert (tuple(formats.FORMATS), tuple(ENGINES)) == (cli_export.FORMATS, cli_predict.ENGINES)


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("lecture_residul", "--to", "pt2"), 2, "no model `lecture_residul`; did you mean lecture_residual"),
        (("net.py:Net", "--to", "pt2"), 2, "net.py:Net: expected a run, a network (etude ls, etude ls --weights) or a file of weights"),
        (("nowhere/run", "--to", "pt2"), 1, "nowhere/run: is not the folder of a run"),
        (("gone.safetensors", "--to", "pt2"), 1, "gone.safetensors: cannot be read"),
        ((NAME, "--to", "tflite"), 2, "'tflite' is not one of 'onnx', 'pt2', 'safetensors', 'hub'"),
        ((NAME, "--to", "pt2", "--mean", "0.5"), 2, "a run knows its images"),
        ((NAME, "--to", "pt2", "--out", "x.onnx"), 2, "x.onnx: a file of torch.export ends in .pt2"),
        ((NAME, "--to", "safetensors", "--out", "taken.safetensors"), 1, "taken.safetensors: is there already; choose another name"),
        ((NAME, "--to", "hub", "--normalise"), 2, "--normalise goes with a graph (onnx, pt2)"),
        (
            (NAME, "--to", "safetensors", "--out", "taken.safetensors/x.safetensors"),
            1,
            "cannot be written (File exists); choose",
        ),
    ],
)
def test_what_cannot_be_exported_gets_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, message: str
) -> None:
    (here / "taken.safetensors").write_text("mine")
    found, out, err = run(capsys, "export", *arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1
    assert [file.name for file in here.iterdir()] == ["taken.safetensors"]
    assert (here / "taken.safetensors").read_text() == "mine"


def test_nothing_is_left_of_an_export_that_fails(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another function, a full disk, a package that is not there."""
    whole = formats.FORMATS["safetensors"]
    other = dataclasses.replace(whole, read=lambda card, place: (lambda images: card.module(images) * 1.001, "this", ""))
    for changed, code, message in (
        (
            {"safetensors": other},
            1,
            "are 1.0e-03 of the largest away from float64, expected 0.0001 at most; the module's own in float32 are ",
        ),
        ({"safetensors": dataclasses.replace(whole, write=full)}, 1, "no space left"),
        ({"safetensors": dataclasses.replace(whole, needs=("onnx",))}, 1, "onnx is not installed: pip install 'etude-cnn[export]'"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(formats, "FORMATS", formats.FORMATS | changed)
            if "onnx" in message:
                patched.setitem(sys.modules, "onnx", None)
            found, _, err = run(capsys, "export", NAME, "--to", "safetensors")
        assert found == code
        assert message in err
        assert [*here.iterdir()] == []


# ── Engines ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_openvino_reports_nothing_to_anybody() -> None:
    """It does so by itself, on import, through a package that is kept from it."""
    extras.extra("openvino")
    assert sys.modules.get("openvino_telemetry", sys) is None
    assert type(sys.modules["openvino.tools.ovc"].telemetry).__module__ == "openvino.tools.ovc.telemetry_stub"


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "folded", pytest.param("compiled", marks=pytest.mark.slow)])
def test_predict_says_the_same_by_every_engine(
    engine: str, content: bytes, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "onnx_of", lambda *_: content)
    for index in range(3):
        Image.fromarray(np.random.default_rng(index).integers(0, 255, (28, 28), np.uint8)).save(here / f"{index}.png")
    answers = []
    for by in ("torch", engine):
        code, out, err = run(capsys, "predict", NAME, str(here), "--engine", by, "--json", "--top", "10")
        assert code == 0, err
        answers.append([{guess["class"]: guess["probability"] for guess in row["top"]} for row in json.loads(out)])
    for one, other in zip(*answers, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_an_engine_that_is_not_there_is_named(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (28, 28)).save(here / "0.png")
    monkeypatch.setitem(sys.modules, "openvino", None)
    code, _, err = run(capsys, "predict", NAME, "0.png", "--engine", "openvino")
    assert (code, err) == (1, "error: engine openvino: openvino is not installed: pip install 'etude-cnn[openvino]'\n")


class Counted:
    """An engine whose answers are counted."""

    def __init__(self, factor: float = 1.0, broken: bool = False) -> None:
        self.made, self.answers, self.factor, self.broken = 0, 0, factor, broken
        self.batch = 0

    def engine(self, setup: float) -> Engine:
        return Engine("", (), setup, self.make)

    def make(self, module: torch.nn.Module, images: torch.Tensor) -> compare.Answer:
        self.made, self.batch = self.made + 1, len(images)
        if self.broken:
            raise RuntimeError("no such instruction")

        def answer(images: torch.Tensor) -> torch.Tensor:
            self.answers += 1
            return module(images) * self.factor

        return answer


@pytest.fixture
def network() -> TrainedNetwork:
    return etude.load(NAME)


def test_a_bench_says_what_it_cannot_do(here: Path, network: TrainedNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> torch.Tensor:
        raise RuntimeError("can't allocate memory")

    with monkeypatch.context() as patched, pytest.raises(EtudeError, match="batch 9: so many images of 1×28×28 do not fit into memory"):
        patched.setattr(torch, "rand", full)
        timing.bench(network, 9, print)
    next(network.module.parameters()).data.fill_(1e38)
    with pytest.raises(EtudeError, match=r"float32 tells nothing|computes something else"):
        timing.bench(network, 1, print)


def seconds(image: float, ready: float = 0.0, share: float | None = None) -> Timing:
    """Beside a torch that takes a second, where nothing else is said."""
    return Timing(image, image, image, image if share is None else share, ready, 0.0)


def worked(network: TrainedNetwork, images: int, monkeypatch: pytest.MonkeyPatch, **known: Engine) -> Auto:
    """`auto` behind so many images, in batches of four, where these engines are there beside torch."""
    for module in (auto, timing):
        monkeypatch.setattr(module, "ENGINES", {"torch": ENGINES["torch"], **known})
    for name, engine in known.items():
        monkeypatch.setitem(ENGINES, name, engine)
    found = Auto(network, images, 4)
    pixels = torch.rand(images, *network.image)
    with torch.no_grad():
        for batch in pixels.split(4):
            assert compare.difference(found(batch), network(batch)) <= compare.LIMIT
    assert found.left == 0
    return found


def test_a_single_image_is_computed_at_once(here: Path, network: TrainedNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = Counted()
    assert worked(network, 1, monkeypatch, fast=fast.engine(0.5)).engine == "torch"
    assert fast.made == 0
    assert not Place.of(network, 1).known(), "and nothing is kept of a time that is too long"


def test_what_was_measured_decides(here: Path, network: TrainedNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, wrong = Counted(), Counted(2.0)
    there = {"fast": fast.engine(0), "wrong": wrong.engine(0)}
    monkeypatch.setattr(timing, "ENGINES", {**ENGINES, **there})
    kept = {"torch": seconds(1), "fast": seconds(0.5, ready=10), "wrong": FAILED}
    Place.of(network, 4).keep(kept)
    assert Place.of(network, 4).known() == kept
    assert worked(network, 19, monkeypatch, **there).engine == "torch", "ready in 10 s, it would save 9.5"
    assert worked(network, 21, monkeypatch, **there).engine == "fast"
    assert (fast.made, wrong.made) == (1, 0)


def test_the_last_images_of_a_class_may_be_fewer(here: Path, network: TrainedNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine is made, and tried, for a whole batch, in whatever order they come."""
    fast, new = Counted(), Counted()
    for name, one in (("fast", fast), ("new", new)):
        monkeypatch.setitem(ENGINES, name, one.engine(0))
    there = {"torch": ENGINES["torch"], "fast": ENGINES["fast"], "new": ENGINES["new"]}
    for module in (auto, timing):
        monkeypatch.setattr(module, "ENGINES", there)
    Place.of(network, 4).keep({"torch": seconds(1), "fast": seconds(0.5)})
    found, pixels = Auto(network, 1000, 4), torch.rand(4, *network.image)
    for images in (pixels[:3], pixels[:2], pixels):
        with torch.no_grad():
            assert compare.difference(found(images), network(images)) <= compare.LIMIT
    assert (new.made, new.batch, fast.made, fast.batch) == (1, 4, 1, 4)


def test_what_others_do_on_the_machine_does_not_choose() -> None:
    """Each round has its pace; one engine alone has a moment in which it is twice as fast, which the fastest round would go by."""
    pace = [1.0, 1.1, 2.3, 1.0, 2.1, 1.2, 1.0]
    luck = [1.0, 1.0, 1.0, 0.5, 1.0, 1.0, 1.0]
    torchs = [4 * each for each in pace]
    fast = Timing.of([1.0 * each for each in pace], torchs, 0, 0)
    lucky = Timing.of([1.3 * each * moment for each, moment in zip(pace, luck, strict=True)], torchs, 0, 0)
    timings = {"torch": Timing.of(torchs, torchs, 0, 0), "lucky": lucky, "fast": fast}
    assert timing.fastest(timings, 1000) == "fast"
    assert fast.share == pytest.approx(1 / 4)


def test_what_was_measured_long_ago_is_forgotten(here: Path, network: TrainedNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place.of(network, 4)
    place.keep({"torch": seconds(1), "folded": dataclasses.replace(seconds(0.5), at=time.time() - timing.OLD)})
    assert [*place.known()] == ["torch"]
    place.keep({"torch": dataclasses.replace(seconds(1), at=time.time() + 3600)})
    assert not place.known(), "nor what a clock that was wrong has measured"


def test_an_engine_is_tried_at_work_where_it_is_worth_it_and_kept(
    here: Path, network: TrainedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast, wrong, broken, slow = Counted(), Counted(1.001), Counted(broken=True), Counted()
    there = {"slow": slow.engine(1e9), "wrong": wrong.engine(0), "broken": broken.engine(0), "fast": fast.engine(0)}
    takes = {"torch": 1.0, "fast": 0.1, "wrong": 0.01, "slow": 0.01}
    monkeypatch.setattr(timing, "timed", lambda answer, images: 4 * takes["torch" if answer is network.module else "fast"])
    monkeypatch.setattr(timing, "ENGINES", {**ENGINES, **there})
    Place.of(network, 4).keep({"torch": seconds(1)})
    assert worked(network, 240, monkeypatch, **there).engine == "fast"
    assert (fast.made, wrong.made, broken.made, slow.made) == (1, 1, 1, 0)
    assert {name: timing.usable for name, timing in Place.of(network, 4).known().items()} == {
        **{"torch": True, "wrong": False, "broken": False, "fast": True}
    }
    worked(network, 240, monkeypatch, **there)
    assert (fast.made, wrong.made, broken.made, slow.made) == (2, 1, 1, 0), "the next time all is known"


def test_a_bench_lays_the_engines_side_by_side(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"torch": ENGINES["torch"], "folded": ENGINES["folded"], "broken": Counted(broken=True).engine(0)}
    for name, engine in there.items():
        monkeypatch.setitem(ENGINES, name, engine)
    monkeypatch.setattr(timing, "ENGINES", there)
    before = torch.get_num_threads()
    code, out, err = run(capsys, "bench", NAME, "--batch", "1,3", "--threads", "1", "--json")
    assert code == 0, err
    assert torch.get_num_threads() == before
    rows = json.loads(out)
    assert [(row["batch"], row["threads"], sorted(row["engines"])) for row in rows] == [(size, 1, ["folded", "torch"]) for size in (1, 3)]
    for row in rows:
        assert row["failures"] == {"broken": "no such instruction"}
        assert all(each["low"] <= each["seconds"] <= each["high"] for each in row["engines"].values())
        assert row["engines"]["folded"]["difference"] <= compare.LIMIT
        assert row["auto"]["10000"] == next(iter(row["engines"]))
    code, _, err = run(capsys, "bench", NAME, "--batch", "1,0")
    assert (code, err) == (2, "error: --batch 1,0: expected whole numbers of at least 1, such as --batch 1,16\n")
