"""Using a trained network on image files: what is printed, what is said of changed images, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from etude.cli import app as cli
from etude.data import load as load_data
from etude.errors import EtudeError
from etude.models.network import Network
from etude.train.predict import predict, reasons
from etude.train.run import Run
from etude.train.trained import TrainedNetwork, load


@pytest.fixture(scope="module")
def run(learned: Run) -> Run:
    return learned


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Forty test images as PNG files, one folder a class."""
    folder = tmp_path_factory.mktemp("pictures")
    data = load_data("strokes")
    for index in range(40):
        place = folder / data.classes[data.test.labels[index]]
        place.mkdir(exist_ok=True)
        Image.fromarray(data.test.images[index, 0].numpy()).save(place / f"{index}.png")
    return {place.name: place for place in folder.iterdir()}


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(Image.open(path))


def test_it_knows_what_it_was_trained_on(run: Run, pictures: dict[str, Path]) -> None:
    answers = [(name, answer) for name, folder in pictures.items() for answer in predict(load(run.folder), [folder])]
    right = sum(answer.top(1)[0][0] == name for name, answer in answers)
    assert len(answers) == 40
    assert right >= 34
    assert all(not answer.changes for _, answer in answers)
    assert all(sum(answer.probabilities) == pytest.approx(1, abs=1e-5) for _, answer in answers)


def test_ink_on_paper_in_colour_and_large_is_the_same_figure(run: Run, pictures: dict[str, Path], tmp_path: Path) -> None:
    file = next(iter(sorted(next(iter(pictures.values())).iterdir())))
    inverted, colour, large = (tmp_path / name for name in ("inverted.png", "colour.png", "large.jpg"))
    Image.fromarray(255 - pixels(file)).save(inverted)
    Image.open(file).convert("RGB").save(colour)
    Image.open(file).resize((280, 140)).save(large, quality=95)
    whole, *others = predict(load(run.folder), [file, inverted, colour, large])
    assert [other.changes for other in others] == [
        ("inverted: it is dark on light, the training images are light on dark",),
        ("made grey",),
        ("resized from 280×140 to 28×28",),
    ]
    assert others[0].probabilities == pytest.approx(whole.probabilities, abs=1e-5)
    assert others[1].probabilities == pytest.approx(whole.probabilities, abs=1e-5)


def test_the_command(run: Run, pictures: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = next(iter(sorted(next(iter(pictures.values())).iterdir())))
    paper = tmp_path / "paper.png"
    Image.fromarray(255 - pixels(file)).save(paper)
    assert cli.run(["predict", str(run.folder), str(file), str(paper), "--top", "2"]) == 0
    shown = capsys.readouterr()
    assert shown.out.count("%") == 4
    assert f"{file}: " in shown.out
    assert "paper.png was inverted" in shown.err
    assert cli.run(["predict", str(run.folder), str(paper), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)[0]
    assert len(answer["top"]) == 3
    assert answer["changes"]


class Corner(nn.Module):
    """Says the first class the surer, the brighter the upper left quarter is, and nothing else matters."""

    def forward(self, x: Tensor) -> Tensor:
        bright = x[:, 0, :16, :16].mean((1, 2))
        return torch.stack([8 * bright, torch.full_like(bright, 2)], 1)


def test_where_the_answer_is_found_where_it_was_planted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = TrainedNetwork(Network("resnet20"), Corner(), ("bright", "dark"), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    Image.new("RGB", (32, 32), (240, 240, 240)).save(tmp_path / "white.png")
    reason = reasons(seen, [tmp_path / "white.png"])[0]
    heat = reason.occlusion.heat
    assert (reason.occlusion.place, reason.occlusion.least < reason.occlusion.whole) == ("upper left", True)
    assert heat[:3, :3].min() > 0, "each of these windows hides a part of the quarter"
    assert heat[5:].abs().max() == heat[:, 5:].abs().max() == 0, "and none of these does"
    assert heat[2, 2] == pytest.approx(reason.occlusion.whole - reason.occlusion.least, abs=1e-6)


def test_the_command_draws_why(run: Run, pictures: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, page = pictures["circle"], tmp_path / "why.html"
    assert cli.run(["predict", str(run.folder), str(folder), "--why", str(page)]) == 0
    count = len(list(folder.iterdir()))
    assert page.read_text(encoding="utf-8").count("data:image/png;base64") == 3 * count
    assert capsys.readouterr().out.count("circle/") == count
    assert cli.run(["predict", str(run.folder), str(folder.parent), "--why", str(page)]) == 2
    assert "--why is for some images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.png", None, "gone.png: no such file"),
        ("text.png", b"this is no image", "text.png: not a readable image"),
        ("half.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "half.png: not a readable image"),
        ("empty.jpg", b"", "empty.jpg: not a readable image"),
    ],
)
def test_what_is_no_image_is_named(run: Run, tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(EtudeError) as caught:
        predict(load(run.folder), [tmp_path / name])
    assert message in str(caught.value)


def test_a_folder_without_images_or_a_run_that_is_none(run: Run, tmp_path: Path) -> None:
    with pytest.raises(EtudeError, match="a folder without images"):
        predict(load(run.folder), [tmp_path])
    with pytest.raises(EtudeError, match="is not the folder of a run"):
        predict(load(tmp_path), [tmp_path / "x.png"])


def test_runs_are_listed_and_shown(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    root = run.folder.parent
    (root / "broken").mkdir(exist_ok=True)
    (root / "broken" / "recipe.toml").write_text("not toml at all")
    assert cli.run(["runs", "ls", "--runs", str(root), "--json"]) == 0
    rows = {Path(row["run"]).name: row for row in json.loads(capsys.readouterr().out)}
    assert rows["run"]["state"] == "finished"
    assert rows["broken"]["state"].startswith("unreadable")
    assert cli.run(["runs", "ls", "--runs", str(root)]) == 0
    assert "lecture_residual.lecture" in capsys.readouterr().out
    assert cli.run(["runs", "show", str(run.folder)]) == 0
    shown = capsys.readouterr().out
    assert '[model]\nname = "lecture_residual"' in shown
    assert "threads" in shown
    assert cli.run(["runs", "show", str(root / "nowhere")]) == 1
    assert "is not the folder of a run" in capsys.readouterr().err
    assert cli.run(["runs", "ls", "--runs", str(root / "nowhere")]) == 0
    assert "no runs in" in capsys.readouterr().out
