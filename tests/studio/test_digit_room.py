"""The room in which one draws."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from starlette.testclient import TestClient

import etude
from etude.data.digit import centred
from etude.studio.rooms.digit import CANVAS
from etude.train import kept
from etude.train import recipe as recipes
from etude.train.job import Job
from etude.train.run import Run

BYTES = {"Content-Type": "application/octet-stream"}
THREE = [(42, 35), (63, 21), (91, 28), (95, 49), (70, 66), (95, 77), (98, 105), (70, 119), (42, 109)]


@pytest.fixture(scope="module")
def three() -> bytes:
    """A drawn 3, ink bright."""
    picture = Image.new("L", (CANVAS, CANVAS))
    ImageDraw.Draw(picture).line(THREE, fill=255, width=10, joint="curve")
    return picture.tobytes()


@pytest.mark.parametrize("name", [name for name in kept.names() if name.endswith(".lecture")])
def test_every_network_of_digits_that_is_brought_sees_a_three(client: TestClient, three: bytes, name: str) -> None:
    answer = client.post("/en/digit/look", params={"drawn": 1, "network": name}, content=three, headers=BYTES).json()
    assert answer["classes"][int(np.argmax(answer["probabilities"]))] == "3"
    assert sum(answer["probabilities"]) == pytest.approx(1)
    picture = centred(np.frombuffer(three, np.uint8).reshape(CANVAS, CANVAS))
    assert base64.b64decode(answer["seen"]["pixels"]) == picture.tobytes()
    for one in answer["junctions"]:
        for branch in one["branches"]:
            assert len(base64.b64decode(branch["pixels"])) == branch["shown"] * branch["height"] * branch["width"]


def test_of_a_residual_block_x_and_what_is_added_to_it(client: TestClient, three: bytes) -> None:
    answer = client.post("/en/digit/look", params={"drawn": 1, "network": "lecture_residual.lecture"}, content=three, headers=BYTES).json()
    assert [[branch["role"] for branch in one["branches"]] for one in answer["junctions"]] == [["x", "F(x)", "sum"]] * 2


def test_what_is_covered_changes_the_answer_and_the_picture(client: TestClient, three: bytes) -> None:
    whole = client.post("/en/digit/look?drawn=1", content=three, headers=BYTES).json()
    covered = client.post("/en/digit/look", params={"drawn": 1, "cover": "4,10"}, content=three, headers=BYTES).json()
    assert covered["before"] == pytest.approx(whole["probabilities"], abs=1e-5)
    assert covered["probabilities"] != pytest.approx(whole["probabilities"], abs=1e-5)
    pixels = np.frombuffer(base64.b64decode(covered["seen"]["pixels"]), np.uint8).reshape(28, 28)
    assert not pixels[4:11, 10:17].any()


def test_the_answer_is_that_of_the_command(client: TestClient, three: bytes) -> None:
    """On the picture that the page saves."""
    answer = client.post("/en/digit/look?drawn=1", content=three, headers=BYTES).json()
    trained = etude.load("lecture_inception.lecture")  # which is chosen where nobody chooses
    import torch

    seen = torch.frombuffer(bytearray(base64.b64decode(answer["seen"]["pixels"])), dtype=torch.uint8).view(1, 1, 28, 28)
    assert trained(seen).softmax(1)[0].tolist() == pytest.approx(answer["probabilities"], abs=1e-5)


def test_a_photograph_of_a_digit(client: TestClient) -> None:
    """Dark on light, as pen on paper is."""
    picture = Image.new("RGB", (280, 280), "white")
    ImageDraw.Draw(picture).line([(2 * x, 2 * y) for x, y in THREE], fill="black", width=22, joint="curve")
    file = io.BytesIO()
    picture.save(file, "PNG")
    answer = client.post("/en/digit/look", content=file.getvalue(), headers=BYTES).json()
    assert answer["classes"][int(np.argmax(answer["probabilities"]))] == "3"
    as_long_as_a_drawing = file.getvalue().ljust(CANVAS * CANVAS, b"\0")
    assert client.post("/en/digit/look", content=as_long_as_a_drawing, headers=BYTES).json() == answer


@pytest.mark.parametrize(
    ("query", "body", "says"),
    [
        ({}, b"", "not a readable image"),
        ({}, b"GIF89a", "not a readable image"),
        ({"drawn": "1"}, b"\0" * 100, "not a readable image"),
        ({}, b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "not a readable image"),
        ({"network": "../../etc"}, b"", "no trained network"),
        ({"network": "<script>"}, b"", "no trained network"),
        ({"cover": "1"}, b"", "expected ROW,COLUMN"),
        ({"cover": "-1,3"}, b"", "expected ROW,COLUMN"),
        ({"cover": f"1,{'9' * 5_000}"}, b"", "expected ROW,COLUMN"),
    ],
)
def test_what_is_no_picture_is_said(client: TestClient, query: dict[str, str], body: bytes, says: str) -> None:
    answer = client.post("/en/digit/look", params=query, content=body, headers=BYTES)
    assert answer.status_code in (404, 422)
    assert says in answer.json()["error"]


def test_a_run_on_smaller_images_has_its_own_size(client: TestClient, tmp_path: Path) -> None:
    recipe = recipes.change(recipes.load("resnet20.scratch", "smoke").on("photos"), ("side=24",))
    run = Run(tmp_path / "runs" / "mine")
    run.folder.mkdir(parents=True)
    run.start(Job(recipe, 0), {"classes": ["a", "b"], "mean": [], "std": [], "threads": 1, "device": "cpu"})
    run.checkpoint.touch()
    assert 'id="seen" width="24" height="24"' in client.get("/en/digit/?network=mine").text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page(client: TestClient, language: str) -> None:
    text = client.get(f"/{language}/digit/?network=lecture_residual.lecture").text
    assert "<option selected>lecture_residual.lecture</option>" in text
    assert "etude predict lecture_residual.lecture drawn.png" in text
