"""Anybody's module is run before it is judged: on which image, into how many classes, and what stops one that does not run."""

import inspect
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import etude
from etude.models import registry
from etude.models.densenet import DenseLayer
from etude.models.lecture import LectureResidual, ResidualBlock
from etude.report.terminal import text_of
from etude.verification.identify import identify
from etude.verification.judge import verify
from etude.views.verification import verification_view
from reduced import small
from shell import run
from translated import english_in

# ── Other classes, other images ──────────────────────────────────────────────────────────────────────────────────────

# of every kind of network one, in turn with each number of classes; those for ImageNet on small images, too
ADAPTED: list[tuple[str, int, int]] = [
    ("lecture_inception", 2, 28),
    ("lecture_residual", 100, 28),
    ("lecture_densenet", 10, 32),
    ("lecture_densenet", 100, 224),
    ("resnet18", 10, 32),
    ("resnet50", 2, 32),
    ("plain18", 2, 32),
    ("preact_resnet200", 100, 32),
    ("densenet121", 10, 32),
    ("resnet20", 2, 32),
    ("resnet20", 10, 224),
    ("plain20", 100, 32),
    ("preact_resnet110", 2, 32),
    ("densenet_40_12", 100, 32),
]


@pytest.mark.parametrize(("name", "classes", "side"), ADAPTED)
def test_other_classes_and_images_are_said_and_judged(name: str, classes: int, side: int) -> None:
    own, options = registry.row(name), small(name)
    report = verify(etude.build(name, classes=classes, **options), name, input_shape=(own.input[0], side, side), **options)
    said = " ".join(report.adapted)
    assert report.verdict == "faithful", report.sentence
    assert (f"{classes} classes in place of" in said) == (classes != (10 if own.input[1] < 224 else 1000))
    assert (f"×{side}×{side} in place of" in said) == (side != own.input[1])
    assert {level.state for level in report.levels if level.id != "L2"} == {"pass"}, "counts are those of the table for these words"


def test_it_is_said_before_the_sentence() -> None:
    report = verify(etude.build("resnet20", depth=8, classes=100), "resnet20", depth=8)
    assert report.against == "resnet20(depth=8)"
    assert "faithful with 100 classes in place of 10: all 30 operators" in text_of(verification_view(report))


def test_classes_that_were_asked_for_are_held_to() -> None:
    report = verify(etude.build("resnet20", depth=8, classes=100), "resnet20", depth=8, classes=10)
    assert (report.verdict, report.place, report.adapted) == ("departs", "fc", ())


def with_fc(features: int, channels: int = 1) -> nn.Module:
    model = LectureResidual()
    model.conv1, model.fc = nn.Conv2d(channels, 16, 5), nn.Linear(features, 10)
    return model


def test_the_image_is_found_by_running() -> None:
    """800 features are those of 32×32; the table is counted for these."""
    report = verify(with_fc(800), "lecture_residual")
    assert (report.verdict, report.adapted) == ("faithful", ("images of 1×32×32 in place of 1×28×28",))
    assert report.levels[1].state == "pass"


def test_other_channels_are_another_first_layer() -> None:
    report = verify(with_fc(800, channels=3), "lecture_residual")
    assert (report.verdict, report.place) == ("departs", "conv1")
    assert "a convolution made for 3 input channels gets 1; but for that, all 18 operators" in report.sentence
    asked = verify(with_fc(512, channels=3), "lecture_residual", input_shape=(3, 28, 28))
    assert (asked.verdict, asked.adapted) == ("faithful", ("images of 3×28×28 in place of 1×28×28",))


def test_an_image_that_is_too_small_for_the_table_is_refused() -> None:
    report = verify(etude.build("googlenet", classes=2), "googlenet", input_shape=(3, 32, 32))
    assert (report.verdict, report.exit_code) == ("could not judge", 3)
    assert "an image of 3×32×32 leaves" in report.sentence


# ── What does not run ────────────────────────────────────────────────────────────────────────────────────────────────


class Viewed(LectureResidual):
    def forward(self, x: Tensor) -> Tensor:
        x = self.rblock1(self.mp(self.conv1(x).relu()))
        x = self.rblock2(self.mp(self.conv2(x).relu()))
        x.view(len(x), -1)  # Viewed
        return self.fc(x)


class Unflattened(Viewed):
    def forward(self, x: Tensor) -> Tensor:
        x = self.mp(self.conv2(self.mp(self.conv1(x))))
        return self.fc(x)  # Unflattened


class Silent(LectureResidual):
    def forward(self, x: Tensor) -> None:  # type: ignore[override]  # Silent
        super().forward(x)


class SilentBlock(ResidualBlock):
    def forward(self, x: Tensor) -> None:  # type: ignore[override]
        super().forward(x)


class CallsSilent(LectureResidual):
    def __init__(self) -> None:
        super().__init__(block=SilentBlock)
        self.rblock1 = SilentBlock(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.rblock1(x))  # CallsSilent


class Misspelt(LectureResidual):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc1(x)  # type: ignore[operator]  # Misspelt


class Undefined(LectureResidual):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(y)  # type: ignore[name-defined]  # noqa: F821  # Undefined


class NoForward(nn.Module):
    def forwards(self, x: Tensor) -> Tensor:
        return x


class Narrow(LectureResidual):
    def __init__(self) -> None:
        super().__init__()
        self.conv2 = nn.Conv2d(20, 32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mp(self.conv1(x).relu())
        return self.fc(self.conv2(x).flatten(1))  # Narrow


class Unpadded(LectureResidual):
    def __init__(self) -> None:
        super().__init__()
        self.rblock = nn.Conv2d(16, 16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        return x + self.rblock(x)  # Unpadded


class Pooled(LectureResidual):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv1(x).mean(dim=(2, 3)))  # Pooled


class Batched(LectureResidual):
    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        return self.fc(x.view(64, -1))  # Batched


class Listed(LectureResidual):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = [self.rblock1, self.rblock2]
        del self.rblock1, self.rblock2

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks[0](self.mp(self.conv1(x).relu()))
        x = self.blocks[1](self.mp(self.conv2(x).relu()))
        return self.fc(x.flatten(1))


STOPPED: list[tuple[nn.Module, int, str]] = [
    (Viewed(), 1, "`x.view(len(x), -1)` changes nothing by itself: its result must be kept"),
    (Unflattened(), 1, "a linear layer made for 512 features gets maps of 32×4×4, which are not flattened"),
    (Silent(), 1, "`forward` gives None: it must end with `return` and the result"),
    (CallsSilent(), 1, "does a `forward` before it end without `return`?"),
    (Misspelt(), 1, "`self` has no `fc1`: is `fc` meant?"),
    (Undefined(), 1, "`y` is not defined"),
    (NoForward(), 1, "the class has no method `forward`"),
    (Narrow(), 1, "a convolution made for 20 input channels gets 16"),
    (Unpadded(), 1, "two tensors meet whose sizes differ in dimension 3: 24 and 22"),
    (with_fc(500), 1, "on 1×28×28: a linear layer made for 500 features gets 512; images of 1 or 3 channels with sides of 28, 224, 32"),
    (with_fc(32 * 81), 3, "a linear layer made for 2592 features gets 512"),  # 9×9 maps, of another image
    (with_fc(500, channels=4), 3, "a convolution made for 4 input channels gets 1"),
    (Pooled(), 1, "a linear layer made for 32 features gets 16"),  # which is a multiple
    (Batched(), 1, "`x.view(64, -1)` is right for batches of 64 images only"),
]


@pytest.mark.parametrize(("module", "code", "words"), STOPPED, ids=lambda value: type(value).__name__)
def test_what_does_not_run_is_explained_at_its_line(module: nn.Module, code: int, words: str) -> None:
    """With 1 where no image would do, with 3 where another might."""
    report = verify(module, "lecture_residual")
    assert (report.exit_code, report.levels[1].state) == (code, "n/a")
    assert words in report.sentence
    if line := line_of(type(module)):
        assert f"test_running.py line {line}" in report.sentence


def test_what_is_compiled_is_judged_by_what_the_dispatcher_sees() -> None:
    with warnings.catch_warnings(action="ignore"):
        compiled: Any = torch.jit.trace(LectureResidual(), torch.zeros(1, 1, 28, 28))
    report = verify(nn.Sequential(compiled), "lecture_residual")
    assert report.verdict == "faithful", report.sentence


def line_of(kind: type) -> int | None:
    """The line that says the name of the class in a comment."""
    lines = inspect.getsource(inspect.getmodule(kind) or kind).splitlines()
    return next((number for number, line in enumerate(lines, start=1) if line.endswith(f"# {kind.__name__}")), None)


def test_layers_in_a_list_are_found_and_judged() -> None:
    report = verify(Listed(), "lecture_residual")
    assert report.verdict == "departs"
    assert report.sentence.startswith("the layers in blocks stand in a plain list")
    assert "but for that, all 18 operators of lecture_residual" in report.sentence
    identity = identify(Listed())  # whose blocks a copy in float64 leaves behind
    assert (identity.verdict, identity.network) == ("nearest", "lecture_residual")
    assert identity.report
    assert "stand in a plain list" in identity.report.sentence


class Ending(nn.Module):
    """ResNet-8 whose linear layer is kept where the module does not look: as tensors that want a gradient, or none, or in a function."""

    def __init__(self, kept: str) -> None:
        super().__init__()
        self.body: Any = etude.build("resnet20", depth=8)
        self.body.fc = nn.Identity()
        self.scale, self.shift = (torch.randn(*sides).requires_grad_(kept == "wanted") for sides in ((10, 64), (10,)))
        layer = nn.Linear(64, 10)
        self.end = (lambda x: layer(x)) if kept == "closed" else None

    def forward(self, x: Tensor) -> Any:
        x = self.body(x)
        return self.end(x) if self.end else F.linear(x, self.scale, self.shift)


HIDDEN = [
    ("wanted", "departs", "the tensors scale, shift want gradients and are no parameters"),
    ("constant", "departs", "the weights of fc are no parameters of the module, the paper has it learn them"),
    ("closed", "could not judge", "it seems to use layers or weights that are not registered with it"),
]


@pytest.mark.parametrize(("kept", "verdict", "words"), HIDDEN)
def test_weights_that_the_module_does_not_know(kept: str, verdict: str, words: str) -> None:
    report = verify(Ending(kept), "resnet20", depth=8)
    assert (report.verdict, words in report.sentence) == (verdict, True), report.sentence
    assert english_in(verification_view(report)) == set()


class Half(nn.Module):
    """ResNet-8 in half precision, whatever it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.body = etude.build("resnet20", depth=8).half()

    def forward(self, x: Tensor) -> Any:
        return self.body(x.half())


def test_half_precision_is_compared_in_full_and_said() -> None:
    report = verify(Half(), "resnet20", depth=8)
    assert report.verdict == "faithful", report.sentence
    assert report.notes == ("your weights are torch.float16; what they compute was compared in float64",)


# ── Compiled, spread, checkpointed ───────────────────────────────────────────────────────────────────────────────────


def never(*_: Any) -> Any:
    raise AssertionError("something was compiled")


compiled: Any = torch.compile(backend=never)


class Decorated(LectureResidual):
    def __init__(self) -> None:
        super().__init__()
        self.rblock1 = compiled(self.rblock1)

    @compiled  # type: ignore[untyped-decorator]
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class Rebound(LectureResidual):
    def __init__(self) -> None:
        super().__init__()
        self.forward = compiled(self.forward)  # type: ignore[method-assign]


WRAPPED = [compiled(LectureResidual()), nn.DataParallel(compiled(LectureResidual())), Decorated(), Rebound()]


@pytest.mark.parametrize("module", WRAPPED, ids=lambda module: type(module).__name__)
def test_nothing_is_compiled_to_be_judged(module: nn.Module) -> None:
    parts = [*module.modules()]
    report = verify(module, "lecture_residual")
    assert report.verdict == "faithful", report.sentence
    assert [*module.modules()] == parts, "the module stays as it is"


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_module_is_explained_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "squeezed.py"
    file.write_text("import torch\nfrom torch import nn\nnet = torch.compile(nn.Conv2d(3, 6, 1))\n", encoding="utf-8")
    code, out, err = run(capsys, "explain", f"{file}:net", "--input", "3x8x8")
    assert (code, "1×1 conv 6" in out) == (0, True), err


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("reentrant", [True, False])
def test_what_is_run_again_on_the_way_back_is_the_same(monkeypatch: pytest.MonkeyPatch, reentrant: bool) -> None:
    """Dropout included."""
    options: dict[str, Any] = {"depth": 7, "dropout": 0.2}
    forward = DenseLayer.forward

    def checkpointed(self: DenseLayer, x: Tensor) -> Any:
        return checkpoint(lambda x: forward(self, x), x, use_reentrant=reentrant)

    monkeypatch.setattr(DenseLayer, "forward", checkpointed)
    report = verify(etude.build("densenet_40_12", **options), "densenet_40_12", **options)
    assert report.verdict == "faithful", report.sentence
