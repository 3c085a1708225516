"""torchvision's weights in the networks here: the same outputs and the same gradients, and one message for whatever does not fit."""

import functools
import json
import os
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor, nn

import etude
from etude.errors import EtudeError
from etude.models.googlenet import TorchvisionGoogLeNet
from etude.models.network import Network
from etude.models.weight_files import Images, as_metadata, as_safetensors, read_weights
from etude.models.weights import FAMILIES, family_of, load_torchvision, recognise
from shell import run
from torchvision_stub import models

Weights = dict[str, Any]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """On maps as small as here, two threads wait for each other most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def torchvisions(name: str, **options: Any) -> nn.Module:
    """torchvision's network of that name of ours."""
    kind = name.partition("@")[0]
    if kind == "googlenet":
        options = {"init_weights": False, "aux_logits": True, "transform_input": False, **options}
    return getattr(models, kind)(weights=None, **options)


def shapes(name: str, **options: Any) -> Weights:
    """The state_dict of torchvision's, without numbers: enough for what is refused."""
    return dict(made_once(name, **options))


@functools.cache
def made_once(name: str, **options: Any) -> Weights:
    with torch.device("meta"):
        return torchvisions(name, **options).state_dict()


def numbers(name: str, **options: Any) -> Weights:
    """The same with numbers, no two alike."""
    weights = shapes(name, **options).items()
    return {key: torch.randn(value.shape) if value.is_floating_point() else torch.tensor(7) for key, value in weights}


def ours(name: str, **options: Any) -> nn.Module:
    """Our network without numbers."""
    with torch.device("meta"):
        return etude.build(name, **options)


def old_names(weights: Weights) -> Weights:
    """A DenseNet's as on download.pytorch.org: `norm.1` for `norm1`, and no num_batches_tracked."""
    named = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", name): value for name, value in weights.items()}
    return {name: value for name, value in named.items() if "num_batches" not in name}


def parallel(weights: Weights) -> Weights:
    return {f"module.{name}": value for name, value in weights.items()}


def without(weights: Weights, *names: str) -> Weights:
    return {name: value for name, value in weights.items() if name not in names}


@torch.no_grad()
def perturb(model: nn.Module) -> None:
    """Statistics, scales and biases away from 0 and 1, which would hide what is left out."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(std=0.2)
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 1.5)
        elif isinstance(module, nn.Linear):
            module.bias.normal_()


def outputs(model: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    """The logits, and those of the heads on 4a and on 4d where there are some."""
    if isinstance(model, TorchvisionGoogLeNet):
        return model.outputs(x)
    if isinstance(model, models.GoogLeNet):
        model.training = True  # of the whole alone: its parts stay in evaluation, so that dropout is off
        logits, aux2, aux1 = model(x)
        return logits, aux1, aux2
    return (model(x),)


Found = dict[str, dict[str, Tensor]]


def passes(model: nn.Module, x: Tensor, their_name: Callable[[str], str] = str) -> Found:
    """What comes out for x, the gradients of a random sum of it, and the statistics then, by torchvision's names."""
    x = x.clone().requires_grad_()
    logits = outputs(model, x)
    generator = torch.Generator().manual_seed(1)
    torch.autograd.backward(logits, [torch.randn(out.shape, generator=generator, dtype=out.dtype) for out in logits])
    gradients = {their_name(name): parameter.grad for name, parameter in model.named_parameters()}
    return {
        "output": {str(index): out.detach() for index, out in enumerate(logits)},
        "gradient": {name: gradient for name, gradient in gradients.items() if gradient is not None},
        "gradient of the images": {} if x.grad is None else {"x": x.grad},
        "statistics": {their_name(name): buffer for name, buffer in model.named_buffers() if buffer.is_floating_point()},
    }


def apart(left: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    """The largest difference in any tensor, in units of its largest value."""
    assert left.keys() == right.keys()
    assert all(value.any() for value in right.values()), "where all is 0, nothing is compared"
    return max(((left[name] - value).abs().max() / value.abs().max()).item() for name, value in right.items())


PARITY = [
    ("resnet18", 64, False),
    ("resnet18", 64, True),
    ("resnet50@v15", 64, False),
    ("densenet121", 64, False),
    ("densenet121", 64, True),
    ("googlenet@torchvision", 96, False),  # 6×6 in front of the heads, which pool it to 4×4
]


@pytest.mark.parametrize(("name", "size", "training"), PARITY)
def test_outputs_and_gradients_are_torchvisions(
    record_property: Callable[[str, object], None], name: str, size: int, training: bool
) -> None:
    torch.manual_seed(0)
    theirs, mine = torchvisions(name).double(), etude.build(name).double()
    perturb(theirs)
    load_torchvision(mine, theirs.state_dict())
    x = torch.randn(2, 3, size, size, dtype=torch.float64)
    expected = passes(theirs.train(training), x)
    found = passes(mine.train(training), x, family_of(mine).their_name)
    assert expected["gradient"].keys() == dict(theirs.named_parameters()).keys(), "a gradient reaches every parameter"
    figures = {key: apart(found[key], expected[key]) for key in expected}
    for key, figure in figures.items():
        record_property(key, figure)
    print(name, "in training:" if training else "in evaluation:", *(f"{key} {figure:.1e}" for key, figure in figures.items()), sep="  ")
    assert max(figures.values()) < 1e-9


def test_v1_would_load_and_compute_something_else() -> None:
    torch.manual_seed(0)
    theirs, v1 = torchvisions("resnet50").double(), etude.build("resnet50").double()
    perturb(theirs)
    names = family_of(v1).their_name
    v1.load_state_dict({name: theirs.state_dict()[names(name)] for name in v1.state_dict()})
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    found, expected = passes(v1.eval(), x, names), passes(theirs.eval(), x)
    assert apart(found["statistics"], expected["statistics"]) == 0
    assert min(apart(found[key], expected[key]) for key in ("output", "gradient", "gradient of the images")) > 0.01


@pytest.mark.parametrize("name", [name for family in FAMILIES for name in family.names])
def test_torchvisions_networks_are_recognised(name: str) -> None:
    assert recognise(shapes(name, num_classes=7)) == name


def test_part_of_a_network_is_not() -> None:
    assert recognise(without(shapes("resnet18"), "fc.bias")) is None


@pytest.mark.parametrize("name", ["resnext50_32x4d", "wide_resnet50_2", "vgg11"])
def test_other_networks_are_not(name: str) -> None:
    assert recognise(shapes(name)) is None


def test_googlenet_is_recognised_without_heads() -> None:
    assert recognise(shapes("googlenet@torchvision", aux_logits=False)) == "googlenet@torchvision"


@pytest.mark.parametrize("in_file", [True, False])
def test_googlenet_without_heads_takes_what_it_has(in_file: bool) -> None:
    weights = numbers("googlenet@torchvision", aux_logits=in_file, num_classes=3)
    model = etude.build("googlenet@torchvision", classes=3, auxiliary=False)
    load_torchvision(model, weights)
    assert torch.equal(model.state_dict()["inception_5b.pool_proj.norm.running_mean"], weights["inception5b.branch4.1.bn.running_mean"])


def test_old_names_and_no_batches_tracked() -> None:
    weights, model = numbers("densenet121", num_classes=3), etude.build("densenet121", classes=3).double()
    model.state_dict()["norm.num_batches_tracked"].fill_(5)
    load_torchvision(model, old_names(weights))
    state, name = model.state_dict(), family_of(model).their_name
    assert state["norm.num_batches_tracked"] == 5, "the module's own"
    assert all(torch.equal(value, weights[name(key)].double()) for key, value in state.items() if "num_batches" not in key)
    assert {value.dtype for value in model.parameters()} == {torch.float64}, "the module's own"


def in_etudes_names() -> Weights:
    return dict(ours("resnet18").state_dict())


@pytest.mark.parametrize(
    ("model", "weights", "messages"),
    [
        (
            lambda: ours("resnet18"),
            lambda: shapes("resnet18", num_classes=10),
            (
                "`fc.weight` is 10×512 in the weights, here `fc.weight` is 1000×512;",
                'those of resnet18 for 10 classes: load them into etude.build("resnet18", classes=10)',
            ),
        ),
        (
            lambda: ours("resnet50@v15"),
            lambda: shapes("resnet18"),
            (
                "the weights have no `layer1.0.downsample.0.weight`, here `conv2_x.0.shortcut.0.weight` (256×64×1×1);",
                'etude.build("resnet18", classes=1000)',
            ),
        ),
        (
            lambda: ours("densenet121"),
            lambda: shapes("densenet169"),
            (
                "`features.transition3.norm.weight` is 1280 in the weights, here `transition_3.norm.weight` is 1024;",
                'etude.build("densenet169", classes=1000)',
            ),
        ),
        (
            lambda: ours("resnet50", classes=7),
            lambda: shapes("resnet50", num_classes=7),
            ("stride of a bottleneck", "v1.5", 'etude.build("resnet50@v15", classes=7)'),
        ),
        (
            lambda: ours("densenet121"),
            lambda: without(shapes("densenet121"), "features.denseblock2.denselayer10.conv2.weight"),
            (
                "no `features.denseblock2.denselayer10.conv2.weight`, here `dense_block_2.9.conv2.weight` (32×128×3×3)",
                "part of them is missing",
            ),
        ),
        (
            lambda: ours("resnet18"),
            lambda: {**shapes("resnet18"), "ema.decay": torch.tensor(0.5)},
            ("the weights have `ema.decay` (one number), for which there is no place here",),
        ),
        (
            lambda: ours("googlenet@torchvision"),
            lambda: shapes("googlenet@torchvision", aux_logits=False),
            (
                "no `aux1.conv.conv.weight`, here `aux1.conv1.conv.weight` (128×512×1×1)",
                "those of googlenet@torchvision without auxiliary heads for 1000 classes",
                'etude.build("googlenet@torchvision", classes=1000, auxiliary=False)',
            ),
        ),
        (lambda: ours("googlenet"), lambda: shapes("googlenet@torchvision"), ("not the published one; load its weights into googlenet@",)),
        (lambda: ours("resnet20"), lambda: shapes("resnet18"), ("torchvision has no CifarResNet", "resnet18, resnet34, resnet50@v15,")),
        (lambda: ours("resnet18"), in_etudes_names, ("no `bn1.weight`, here `norm1.weight` (64)", "Etude's own names")),
        (lambda: ours("resnet18"), lambda: [1], ("no state_dict but list",)),
        (lambda: ours("resnet18"), lambda: {"optimizer": {}}, ("`optimizer` is no dense tensor but dict",)),
        (lambda: ours("resnet18"), lambda: {"fc.weight": torch.eye(2).to_sparse()}, ("`fc.weight` is no dense tensor but",)),
    ],
    ids=[
        "other classes",
        "other blocks",
        "other depth",
        "v1",
        "one missing",
        "one too many",
        "no heads",
        "googlenet as published",
        "not in torchvision",
        "own names",
        "list",
        "optimizer",
        "sparse",
    ],
)
def test_what_does_not_fit_is_refused(model: Callable[[], nn.Module], weights: Callable[[], Any], messages: tuple[str, ...]) -> None:
    with pytest.raises(EtudeError) as caught:
        load_torchvision(model(), weights())
    for message in messages:
        assert message in str(caught.value)


@pytest.mark.parametrize("last", ["missing", "misshapen", "too many"])
def test_a_failed_load_changes_nothing(last: str) -> None:
    weights, model = numbers("resnet18"), etude.build("resnet18")
    if last == "missing":
        del weights["fc.bias"]
    else:
        weights["fc.bias" if last == "misshapen" else "fc.bios"] = torch.zeros(3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(EtudeError, match=r"`fc\.bi(as|os)`"):
        load_torchvision(model, weights)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def save(weights: Any, file: Path) -> None:
    if file.suffix == ".safetensors":
        safetensors.torch.save_file(weights, file)
    else:
        torch.save(weights, file, _use_new_zipfile_serialization=file.suffix == ".pt")  # .pth as before PyTorch 1.6


@pytest.mark.parametrize(
    ("name", "theirs", "ours", "wrap", "file"),
    [
        ("resnet18", {}, {"classes": 1000}, dict, "resnet18-f37072fd.pth"),
        ("resnet18", {"num_classes": 3}, {"classes": 3}, lambda weights: {"epoch": 1, "state_dict": parallel(weights)}, "my best.pt"),
        ("resnet50@v15", {"num_classes": 3}, {"classes": 3}, dict, "model.safetensors"),
        ("densenet121", {}, {"classes": 1000}, old_names, "densenet121-a639ec97.pth"),
        ("googlenet@torchvision", {"num_classes": 3}, {"classes": 3, "auxiliary": True}, dict, "googlenet.pt"),
        ("googlenet@torchvision", {"aux_logits": False}, {"classes": 1000, "auxiliary": False}, parallel, "googlenet.safetensors"),
    ],
)
def test_convert_writes_what_python_loads(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    theirs: Weights,
    ours: Weights,
    wrap: Callable[[Weights], Weights],
    file: str,
) -> None:
    weights = numbers(name, **theirs)
    save(wrap(weights), tmp_path / file)
    code, out, err = run(capsys, "convert", str(tmp_path / file))
    assert (code, err) == (0, "")
    first, *python = out.splitlines()
    converted = tmp_path / f"{Path(file).stem}.etude.safetensors"
    expected = etude.build(name, **ours)
    assert first == f"{converted}: {name}, {sum(map(torch.numel, expected.parameters())):,} parameters; in Python:"
    load_torchvision(expected, wrap(weights))
    scope: dict[str, Any] = {}
    exec("\n".join(line.strip() for line in python), scope)
    state = scope["model"].state_dict()
    assert state.keys() == expected.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in expected.state_dict().items())
    with safe_open(converted, framework="pt") as opened:
        remembered = opened.metadata()
    assert (remembered["network"], json.loads(remembered["options"])) == (name, ours)


class Trojan:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files that are wrong, and resnet18.pth, which is not."""
    folder = tmp_path_factory.mktemp("bad")
    weights = numbers("resnet18", num_classes=3)
    save(weights, folder / "resnet18.pth")
    save(without(weights, "bn1.bias"), folder / "part.pt")
    save({"conv1.weight": torch.zeros(1), "run": Trojan(folder / "was run")}, folder / "trojan.pth")
    save(nn.Linear(1, 1), folder / "module.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(nn.Linear(1, 1)), folder / "script.pt")
    save({"epoch": 3, "optimizer": {}}, folder / "checkpoint.pt")
    save({"weight": torch.zeros(1).expand(10**12)}, folder / "strides.pt")
    save({"weight": torch.zeros(10, device="meta")}, folder / "meta.pt")
    save({"weight": torch.zeros(1000)}, folder / "whole.pt")
    save({"weight": torch.zeros(1000)}, folder / "whole.safetensors")
    for suffix in ("pt", "safetensors"):
        (folder / f"cut.{suffix}").write_bytes((folder / f"whole.{suffix}").read_bytes()[:-1500])
    (folder / "page.pth").write_text("<!DOCTYPE html>\n")
    (folder / "text.pth").write_text("hello\n")
    (folder / "empty.pth").write_bytes(b"")
    (folder / "folder.pth").mkdir()
    (folder / "there.safetensors").write_bytes(b"keep me")
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "messages"),
    [
        (("gone.pth",), 1, ("gone.pth: cannot be read (No such file or directory)",)),
        (("gone.safetensors",), 1, ("gone.safetensors: cannot be read (No such file or directory)",)),
        (("folder.pth",), 1, ("folder.pth: not a file, but a folder",)),
        (("cut.pt",), 1, ("cut.pt: is damaged",)),
        (("cut.safetensors",), 1, ("cut.safetensors: is damaged",)),
        (("page.pth",), 1, ("page.pth: is damaged",)),
        (("text.pth",), 1, ("text.pth: is damaged",)),
        (("empty.pth",), 1, ("empty.pth: is damaged",)),
        (("trojan.pth",), 1, (f"trojan.pth: would run code when read ({os.mkdir.__module__}.mkdir)",)),
        (("module.pt",), 1, ("module.pt: would run code when read (torch.nn.modules.linear.Linear)", "model.state_dict()")),
        (("script.pt",), 1, ("script.pt: is damaged, or holds something else than weights",)),
        (("checkpoint.pt",), 1, ("checkpoint.pt: holds no state_dict: `epoch` is no dense tensor but int",)),
        (("strides.pt",), 1, ("strides.pt: holds no whole state_dict: `weight` has fewer numbers than its shape 1000000000000 says",)),
        (("meta.pt",), 1, ("meta.pt: `weight` has a shape and no numbers (it was on the device meta)",)),
        (("resnet18.pth", "--std", "nan,1,1"), 2, ("--std: nan, expected numbers",)),
        (("resnet18.pth", "--mean", "0,inf,0"), 2, ("--mean: inf, expected numbers",)),
        (("weights.onnx",), 2, ("weights.onnx: a file of weights ends in .safetensors, .pth, .pt",)),
        (("whole.pt",), 1, ("whole.pt: no network that torchvision and Etude share has exactly these tensors", "--to")),
        (("part.pt",), 1, ("part.pt: no network that torchvision and Etude share",)),
        (("part.pt", "--to", "resnet18"), 1, ("part.pt: the weights have no `bn1.bias`, here `norm1.bias` (64)",)),
        (("resnet18.pth", "--to", "resnet34"), 1, ("resnet18.pth: ", 'load them into etude.build("resnet18", classes=3)')),
        (("resnet18.pth", "--to", "lecture_residual"), 1, ("torchvision has no LectureResidual",)),
        (("resnet18.pth", "--to", "resnet19"), 2, ("no model `resnet19`; did you mean",)),
        (("resnet18.pth", "BAD/there.safetensors"), 1, ("there.safetensors: is there already; choose another name",)),
        (("resnet18.pth", "BAD/out.pth"), 2, ("out.pth: a converted file ends in .safetensors",)),
    ],
)
def test_a_bad_file_gets_one_line(
    capsys: pytest.CaptureFixture[str], bad: Path, arguments: tuple[str, ...], code: int, messages: tuple[str, ...]
) -> None:
    before = sorted(bad.iterdir())
    file, *others = arguments
    found, out, err = run(capsys, "convert", str(bad / file), *(other.replace("BAD", str(bad)) for other in others))
    assert (found, out) == (code, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")
    for message in messages:
        assert message in err
    assert sorted(bad.iterdir()) == before, "nothing was run, nothing is left"
    assert (bad / "there.safetensors").read_bytes() == b"keep me"


@pytest.mark.parametrize(
    "images", ['{"mean": [0, 0, 0], "crop": 1}', "[]", '{"mean": 5}', '{"std": ["a", "b", "c"]}', '{"std": [0, 0, 0]}', '{"classes": [1]}']
)
def test_what_is_told_beside_weights_may_be_damaged(bad: Path, tmp_path: Path, images: str) -> None:
    network = Network("resnet18", {"classes": 3})
    file = tmp_path / "own.safetensors"
    file.write_bytes(as_safetensors(network.build(), as_metadata(network, Images()) | {"images": images}))
    with pytest.raises(EtudeError, match=r"own.safetensors: is damaged, or of another version of Etude") as caught:
        etude.load(file)
    assert caught.value.exit_code == 1


def test_weights_whose_numbers_stand_for_several_are_whole(tmp_path: Path) -> None:
    """As where a network for colours was made of one for grey: torch keeps of them what there is."""
    save({"weight": torch.rand(4, 1, 3, 3).expand(-1, 3, -1, -1), "none": torch.zeros(0, 3)}, tmp_path / "grey.pt")
    assert [tuple(value.shape) for value in read_weights(tmp_path / "grey.pt").values()] == [(4, 3, 3, 3), (0, 3)]


def test_convert_takes_names_for_network_and_file(capsys: pytest.CaptureFixture[str], bad: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "weights.safetensors"
    assert run(capsys, "convert", str(bad / "resnet18.pth"), str(out), "--to", "resnet18")[0] == 0
    model = etude.build("resnet18", classes=3)
    model.load_state_dict(safetensors.torch.load_file(out))
    assert torch.equal(model.state_dict()["fc.weight"], read_weights(bad / "resnet18.pth")["fc.weight"])
    assert run(capsys, "convert", str(out), str(tmp_path / "again.safetensors"))[0] == 1
