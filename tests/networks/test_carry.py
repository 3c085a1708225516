"""Anybody's weights in the networks here: by the code that they belong to, by names that are known; the same numbers, or one message."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn

import etude
from etude.explain.recorder import tensors_in
from etude.models.network import Network
from etude.models.weight_files import Converted, read_weights, write_converted
from etude.models.weights import named
from etude.targets.opening import opened
from etude.targets.target import Target
from etude.verification import apart as process
from etude.verification import carry
from places import FOREIGN
from shell import run

Weights = dict[str, Tensor]
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.25)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@contextlib.contextmanager
def made(target: str) -> Iterator[nn.Module]:
    with opened(Target.read(target)) as opened_:
        yield opened_.module


@torch.no_grad()
def trained(module: nn.Module, image: tuple[int, int, int]) -> nn.Module:
    """As if it were: scales, biases and statistics are not those that it began with."""
    torch.manual_seed(0)
    module.eval()(torch.randn(2, *image))  # lazy layers are made now
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.dim() == 1:
            tensor.uniform_(0.5, 1.5)
        elif tensor.dim() == 0:
            tensor.fill_(7)
    return module


@torch.no_grad()
def logits(module: nn.Module, images: Tensor) -> Tensor:
    return next(tensors_in(module.eval()(images)))


def tracked(module: nn.Module) -> set[float]:
    return {value.item() for name, value in module.named_buffers() if name.endswith("num_batches_tracked")}


def apart(one: Tensor, other: Tensor) -> float:
    return ((one - other).abs().max() / other.abs().max()).item()


# ── With the code that they belong to ────────────────────────────────────────────────────────────────────────────────


FAITHFUL = [
    ("resnet20_both_sides.py:resnet(depth=14)", "resnet20(depth=14)"),
    ("resnet20_quadrants.py:Quadrants(2)", "resnet20(depth=14)"),
    ("resnet20_b_functional.py:FunctionalResNet", "resnet20@b(depth=8)"),
    ("densenet121_shared_memory.py:Tuned", "densenet121(layers=[2,3,1,2],growth_rate=8)"),
    ("densenet_40_12_bc_dropout.py:DenseNetBC", "densenet_40_12(depth=16,bottleneck=true,compression=0.5,dropout=0.2)"),
    ("googlenet_dict.py:MultiHead", "googlenet"),  # for 20 classes
    ("lecture_densenet_handmade_norm.py:Mnist", "lecture_densenet"),
    ("lecture_densenet_newest_first.py:build(growth=8)", "lecture_densenet"),
    ("lecture_inception_reversed.py:DigitNet", "lecture_inception"),
    ("lecture_residual_conv_matmul.py:Lecturer", "lecture_residual_conv"),
    ("lecture_residual_lazy.py:LazyNet", "lecture_residual"),
    ("lecture_residual_unfold.py:FromScratch", "lecture_residual"),
    ("ablation_exclusive_gate.py:Highway", "ablation_resnet110(depth=8,shortcut=exclusive_gating)"),
    ("preact_resnet110_two_streams.py:TwoStreams", "preact_resnet110(depth=14)"),
]


@pytest.mark.parametrize(("code", "network"), FAITHFUL)
def test_whatever_the_style_ours_gives_the_same(tmp_path: Path, code: str, network: str) -> None:
    target, to, file = Target.read(f"{FOREIGN}/faithful/{code}"), Network.read(network), tmp_path / "theirs.th"
    with made(str(target)) as module:
        trained(module, to.input)
        images = torch.randn(2, *to.input)
        expected = logits(module, images)
        torch.save({"epoch": 3, "state_dict": {f"module.{name}": value for name, value in module.state_dict().items()}}, file)
    found, how = carry.from_code(file, target, to)
    assert apart(logits(found.module, images), expected) < 1e-5
    assert "random images differ by" in how
    assert tracked(found.module) == (tracked(module) or tracked(to.build()))


OTHER_EPSILON = """
import etude
from functools import partial
from torch import nn

def net():
    return etude.build("resnet20", depth=8, norm=partial(nn.BatchNorm2d, eps=0.1))
"""


def test_another_epsilon_goes_into_the_variance(tmp_path: Path) -> None:
    (tmp_path / "eps.py").write_text(OTHER_EPSILON)
    target, to = Target.read(f"{tmp_path}/eps.py:net"), Network.read("resnet20(depth=8)")
    with made(str(target)) as module:
        safetensors.torch.save_file(trained(module, to.input).state_dict(), tmp_path / "w.safetensors")
        found, _ = carry.from_code(tmp_path / "w.safetensors", target, to)
        images = torch.randn(3, *to.input)
        assert apart(logits(found.module, images), logits(module, images)) < 1e-5


INNER = """
import etude
from torch import nn

net = nn.Sequential()
net.add_module("module", etude.build("lecture_residual"))
"""


def test_names_that_really_begin_with_module_are_kept(tmp_path: Path) -> None:
    """Before anything is taken off, the weights are tried as they are named."""
    (tmp_path / "inner.py").write_text(INNER)
    target, to = Target.read(f"{tmp_path}/inner.py:net"), Network("lecture_residual")
    theirs = trained(to.build(), to.input)
    for count in (1, 2):
        torch.save({"module." * count + name: value for name, value in theirs.state_dict().items()}, tmp_path / "w.pt")
        found, _ = carry.from_code(tmp_path / "w.pt", target, to)
        assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in found.module.state_dict().items())


# ── By names ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def prefixed(prefix: str, weights: Weights) -> Weights:
    return {prefix + name: value for name, value in weights.items()}


def save(content: Any, file: Path) -> None:
    if file.suffix == ".safetensors":
        safetensors.torch.save_file(content, file)
    else:
        torch.save(content, file, _use_new_zipfile_serialization=file.suffix != ".th")


@pytest.mark.parametrize(
    ("file", "wrap"),
    [
        ("resnet20.th", lambda weights: {"state_dict": prefixed("module.", weights), "best_prec1": 91.78}),
        ("model_best.pth.tar", lambda weights: {"epoch": 9, "state_dict": prefixed("module._orig_mod.", weights), "optimizer": {}}),
        ("ckpt.pth", lambda weights: {"net": prefixed("module.", weights), "acc": 91.7, "epoch": 3}),
        ("last.ckpt", lambda weights: {"state_dict": prefixed("model.", weights), "hyper_parameters": {"lr": 0.1}}),
        ("pytorch_model.bin", lambda weights: {"model": weights}),
        ("model.safetensors", lambda weights: prefixed("_orig_mod.", weights)),
        ("weights.pkl", lambda weights: weights),
    ],
)
def test_whatever_is_around_the_tensors_is_taken_off(tmp_path: Path, file: str, wrap: Callable[[Weights], Any]) -> None:
    weights = {"conv1.weight": torch.ones(2, 2), "linear.bias": torch.ones(3)}
    save(wrap(weights), tmp_path / file)
    found = named(read_weights(tmp_path / file))
    assert found.keys() == weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in found.items())


def test_the_usual_resnets_for_cifar_are_recognised(tmp_path: Path) -> None:
    """Option A with zeros on both sides: the channels of two stages are in another order."""
    with made(f"{FOREIGN}/faithful/resnet20_both_sides.py:resnet(depth=20)") as theirs:
        trained(theirs, (3, 32, 32))
        torch.save({"state_dict": prefixed("module.", dict(theirs.state_dict()))}, tmp_path / "w.th")
        found, how = carry.from_names(tmp_path / "w.th")
        images = torch.randn(3, 3, 32, 32)
        assert found.network == Network("resnet20", {"classes": 10})
        assert apart(logits(found.module, images), logits(theirs, images)) < 1e-5
    assert "zero channels of option A on both sides" in how


def cifar_names(weights: Weights, *further: tuple[str, str]) -> Weights:
    changes = (*((f"conv{stage + 1}_x.", f"layer{stage}.") for stage in (1, 2, 3, 4)), ("norm", "bn"), *further)
    named = {}
    for name, value in weights.items():
        for old, new in changes:
            name = name.replace(old, new)
        named[name] = value
    return named


@pytest.mark.parametrize("further", [(("fc.", "linear."),), (("shortcut.", "downsample."),)])
@pytest.mark.parametrize("network", ["resnet20@b", "resnet18@cifar"])
def test_so_are_those_with_projections_under_either_names(tmp_path: Path, network: str, further: tuple[tuple[str, str], ...]) -> None:
    theirs = trained(etude.build(network, classes=7), (3, 32, 32)).state_dict()
    torch.save(cifar_names(theirs, *further), tmp_path / "w.pt")
    found, _ = carry.from_names(tmp_path / "w.pt")
    assert found.network == Network(network, {"classes": 7})
    assert all(torch.equal(value, theirs[name]) for name, value in found.module.state_dict().items())


# ── On the command line ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights of small ResNets, good ones and others."""
    folder = tmp_path_factory.mktemp("files")
    for name, code in (("both", "resnet20_both_sides.py:resnet(depth=8)"), ("odd", "resnet20_odd_pixels.py:Guarded")):
        with made(f"{FOREIGN}/faithful/{code}") as module:
            torch.save(trained(module, (3, 32, 32)).state_dict(), folder / f"{name}.th")
    weights = {name: value for name, value in torch.load(folder / "both.th").items() if "num_batches" not in name}
    torch.save(weights, folder / "both.th")  # as files from before PyTorch 0.4.1 are
    torch.save(cifar_names(etude.build("resnet20", depth=8).state_dict()), folder / "somewhere.pt")
    torch.save({**weights, "linear.bias": torch.full((10,), torch.nan)}, folder / "nan.pt")
    torch.save({**weights, "bn1.running_var": torch.full((16,), -1.0)}, folder / "negative.pt")
    torch.save({name: value for name, value in weights.items() if name != "bn1.bias"}, folder / "part.pt")
    torch.save({"state_dict": {}}, folder / "nothing.pt")
    torch.save({"weights": weights, "run": Path("x")}, folder / "code.pt")
    (folder / "cut.pt").write_bytes((folder / "both.th").read_bytes()[:5000])
    (folder / "folder.pt").mkdir()
    return folder


BOTH, ODD = f"{FOREIGN}/faithful/resnet20_both_sides.py:resnet(depth=8)", f"{FOREIGN}/faithful/resnet20_odd_pixels.py:Guarded"
OPTION_B = f"{FOREIGN}/faithful/resnet20_b_functional.py:FunctionalResNet"


@pytest.mark.parametrize(
    ("file", "like", "to", "code", "messages"),
    [
        (
            "odd.th",
            ODD,
            "resnet20(depth=8)",
            1,
            ("odd_pixels.py:Guarded is not resnet20(depth=8)", "keep pixel 1 of every 2×2 in conv3_x.0"),
        ),
        ("both.th", OPTION_B, "resnet20@b(depth=8)", 1, ("FunctionalResNet has `", "the weights have not")),
        (
            "both.th",
            BOTH,
            "resnet20(depth=14)",
            1,
            ("is not resnet20(depth=14)", "the units conv2_x.1, conv3_x.1 and conv4_x.1 are missing"),
        ),
        ("both.th", BOTH, "resnet20(depth=8,classes=100)", 1, ("fc (your linear) has 10 features",)),
        ("both.th", BOTH, "lecture_residual", 1, ("does not run on 1×28×28",)),
        ("part.pt", BOTH, "resnet20(depth=8)", 1, ("has `bn1.bias` (16), the weights have not",)),
        ("nan.pt", BOTH, "resnet20(depth=8)", 1, ("`linear.bias` holds numbers that are infinite or NaN",)),
        ("negative.pt", BOTH, "resnet20(depth=8)", 1, ("gives outputs that are infinite or NaN",)),
        ("nothing.pt", BOTH, "resnet20(depth=8)", 1, ("nothing.pt: holds no tensor",)),
        ("code.pt", BOTH, "resnet20(depth=8)", 1, ("would run code when read (pathlib.PosixPath)",)),
        ("cut.pt", BOTH, "resnet20(depth=8)", 1, ("cut.pt: is damaged",)),
        ("folder.pt", BOTH, "resnet20(depth=8)", 1, ("folder.pt: not a file, but a folder",)),
        ("both.th", BOTH, None, 2, ("--like: for which network?",)),
        ("both.th", "gone.py:Net", "resnet20", 1, ("gone.py: no such file",)),
        ("both.th", None, "resnet20(depth=14)", 1, ("the weights have no `layer1.1.conv1.weight`",)),
        ("both.th", None, None, 1, ("no network that torchvision and Etude share", "--like")),
        ("somewhere.pt", None, "resnet20(depth=8)", 1, ("the names do not say where the zero channels of option A stand",)),
    ],
)
def test_what_cannot_be_is_one_line_and_no_file(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    files: Path,
    file: str,
    like: str | None,
    to: str | None,
    code: int,
    messages: tuple[str, ...],
) -> None:
    monkeypatch.setattr(process, "call", lambda function, arguments, **limits: carry.carry(**arguments))  # which is quicker here
    before = sorted(files.iterdir())
    options = [part for option, value in (("--like", like), ("--to", to)) if value for part in (option, value)]
    found, out, err = run(capsys, "convert", str(files / file), *options)
    assert (found, out, len(err.splitlines())) == (code, "", 1), err
    assert all(message in err for message in messages), err
    assert sorted(files.iterdir()) == before


def test_by_code_and_by_names_the_same_is_written(capsys: pytest.CaptureFixture[str], quick: None, files: Path, tmp_path: Path) -> None:
    written = []
    for options in ((), ("--like", BOTH)):
        out = tmp_path / f"{len(options)}.safetensors"
        about = ("--mean", "0.5,0.4,0.3", "--std", "0.2,0.3,0.25")
        code, shown, said = run(capsys, "convert", str(files / "both.th"), str(out), "--to", "resnet20(depth=8)", *options, *about)
        assert (code, "resnet20, " in shown, "random images differ by" in said) == (0, True, True), said
        written.append(etude.load(out))
    one, other = (network.state_dict() for network in written)
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert written[0].mean.flatten().tolist() == pytest.approx(MEAN)


# ── Images ───────────────────────────────────────────────────────────────────────────────────────────────────────────


CLASSES = ("ant", "bee", "cow")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Tensor]:
    """A file of weights that recognises nothing, images in the folders of three classes, and the logits that are right for them."""
    folder = tmp_path_factory.mktemp("pictures")
    network = Network("resnet20", {"depth": 8, "classes": 3})
    module = trained(network.build(), network.input)
    write_converted(folder / "w.safetensors", Converted(network, module))
    pixels = (
        np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8) // np.arange(1, 13, dtype=np.uint8)[:, None, None, None]
    )
    for index, image in enumerate(pixels):
        place = folder / "test" / CLASSES[index % 3]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{index:02d}.png")
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    normal = (images - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    return folder / "w.safetensors", folder / "test", logits(module, normal)


ABOUT = ("--mean", "0.5,0.4,0.3", "--std", "0.2,0.3,0.25")


def test_predict_takes_weights_and_counts_errors(capsys: pytest.CaptureFixture[str], pictures: tuple[Path, Path, Tensor]) -> None:
    weights, folder, right = pictures
    wrong = sum(right.argmax(dim=1).tolist()[index] != index % 3 for index in range(12))
    assert 0 < wrong < 12
    code, out, said = run(capsys, "predict", str(weights), str(folder), *ABOUT)
    assert (code, out) == (0, f"{folder}: {wrong} of 12 images wrong, {100 * wrong / 12:.2f} % error\n")
    assert "its outputs are taken to be ant, bee, cow, in that order" in said
    code, out, said = run(capsys, "predict", str(weights), str(folder), *ABOUT, "--classes", "bee,cow,ant")
    turned = sum(("bee", "cow", "ant")[right.argmax(dim=1).tolist()[index]] != CLASSES[index % 3] for index in range(12))
    assert (code, said) == (0, "")
    assert f" {turned} of 12 images" in out
    code, out, _ = run(capsys, "predict", str(weights), str(folder / "ant" / "00.png"), *ABOUT, "--top", "1")
    assert out.startswith(f"{folder}/ant/00.png: output {right[0].argmax().item()} ")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 1, "how were its training images normalised?"),
        (("--mean", "0.5,0.4,0.3"), 1, "how were its training images normalised?"),
        (("--mean", "0.5"), 2, "--mean: 1 numbers, expected one for each of the 3 channels"),
        (("--mean", "half"), 2, "--mean half: expected numbers"),
        (("--std", "0.2,0,0.2"), 2, "--std: 0, expected numbers above 0"),
        (("--classes", "ant,bee"), 2, "2 names of classes (ant, bee), resnet20(classes=3, depth=8) has 3 outputs"),
        ((*ABOUT, "--classes", "ant,bee,dog"), 1, "cow: a folder of images, but no class of resnet20"),
    ],
)
def test_what_is_not_known_of_the_images_is_asked_for(
    capsys: pytest.CaptureFixture[str], pictures: tuple[Path, Path, Tensor], options: tuple[str, ...], code: int, message: str
) -> None:
    weights, folder, _ = pictures
    found, out, err = run(capsys, "predict", str(weights), str(folder), *options)
    assert (found, out) == (code, "")
    assert message in err.splitlines()[-1]
