"""Draw a digit, or drop a photograph, and see what each branch of a trained network makes of it."""

import base64
import contextlib
import functools
import shlex
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from etude.errors import EtudeError, UsageError
from etude.models import registry
from etude.studio.frame import Places, answer, language_of, page, places
from etude.studio.words import say, words_of
from etude.train import kept
from etude.train.run import Run

if TYPE_CHECKING:
    import torch

    from etude.explain.maps import Branch, Junction
    from etude.train.trained import TrainedNetwork

CANVAS = 140  # pixels to a side of what the page sends, a byte each
COVER = 7  # pixels to a side of what covers a part of the picture
GREY = (1, 28, 28)
FIRST = "lecture_inception.lecture"  # of the list
DIGITS = 5  # of a pixel's row or column
MOST = 24  # maps of a branch that are drawn, the first
JUNCTIONS = 12  # that are drawn, the first ones and the last
looking = threading.Lock()  # a network is watched by one at a time


@dataclass(frozen=True)
class Choice:
    """A trained network of the list: what Etude brings, or a run of the folder."""

    name: str
    place: Path

    @property
    def command(self) -> str:
        """How a command names it."""
        return self.name if self.place == kept.place_of(self.name) else shlex.quote(str(self.place))


def choices(where: Places) -> list[Choice]:
    """What there is, without reading any weights: first what Etude brings, in the order of the networks."""
    order = registry.names()
    names = sorted(kept.names(), key=lambda name: order.index(name.partition(".")[0]))
    brought = [Choice(name, kept.place_of(name)) for name in names]
    runs = [run for run in where.runs if run.checkpoint.exists()]
    return brought + [Choice(str(run.folder.relative_to(where.store.root)), run.folder) for run in runs]


def chosen(request: Request) -> Choice:
    """The network that the address names; the first where it names none. It is asked for at every stroke, so runs are looked for last."""
    name = request.query_params.get("network", FIRST)
    if name in kept.names():
        return Choice(name, kept.place_of(name))
    for choice in choices(places(request)):
        if choice.name == name:
            return choice
    raise UsageError(f"no trained network `{name}` here; choose one from the list")


def digit(request: Request) -> Response:
    language, choice = language_of(request), chosen(request)
    image = Run(choice.place).recipe().tested
    return page(
        request,
        "digit",
        say(language, "digit", "title"),
        room="digit",
        choices=choices(places(request)),
        choice=choice,
        draws=image == GREY,
        image=image,
        told={key: words[language] for key, words in words_of("digit").items()} | {"canvas": CANVAS, "cover": COVER},
    )


async def look(request: Request) -> Response:
    """What the network at ?network=NAME makes of a file, or with &drawn=1 of CANVAS×CANVAS bytes; &cover=ROW,COLUMN covers a part."""
    from starlette.concurrency import run_in_threadpool

    body = await request.body()
    return answer(await run_in_threadpool(seen, chosen(request), body, "drawn" in request.query_params, corner(request)))


def corner(request: Request) -> tuple[int, int] | None:
    """Row and column where the cover begins; None without one."""
    given = request.query_params.get("cover")
    if given is None:
        return None
    row, _, column = given.partition(",")
    if not all(number.isdecimal() and len(number) <= DIGITS for number in (row, column)):
        raise EtudeError(f"cover={given[:40]}: expected ROW,COLUMN in pixels")
    return int(row), int(column)


def seen(choice: Choice, body: bytes, is_drawn: bool, cover: tuple[int, int] | None) -> dict[str, Any]:
    import torch

    from etude.explain.maps import junctions

    with looking, torch.no_grad():
        trained = loaded(choice.place, stamp(choice.place))
        whole = pixels(trained, body, is_drawn).unsqueeze(0)
        images = whole if cover is None else covered(trained, whole, cover)
        logits, met = junctions(trained.module, trained.normalised(images))
        before = None if cover is None else trained(whole).softmax(1)[0].tolist()
    few = met if len(met) <= JUNCTIONS else (*met[: JUNCTIONS // 2], *met[-JUNCTIONS // 2 :])
    return {
        "seen": {"channels": images.shape[1], "height": images.shape[2], "width": images.shape[3], "pixels": encoded(images[0])},
        "classes": trained.classes,
        "probabilities": logits.softmax(1)[0].tolist(),
        "before": before,
        "junctions": [drawn(one) for one in few],
        "left_out": len(met) - len(few),
    }


@functools.lru_cache(4)
def loaded(place: Path, _: float) -> "TrainedNetwork":
    """Of a run that goes on, the weights of its last checkpoint."""
    from etude.train.trained import load

    return load(place)


def stamp(place: Path) -> float:
    with contextlib.suppress(OSError):
        return Run(place).checkpoint.stat().st_mtime
    return 0.0


def covered(trained: "TrainedNetwork", images: "torch.Tensor", corner: tuple[int, int]) -> "torch.Tensor":
    """With a part covered: by black, as there is around a digit; in photographs by the middle of all greys."""
    (row, column), images = corner, images.clone()
    images[:, :, row : row + COVER, column : column + COVER] = 0 if trained.image == GREY else 127
    return images


def pixels(trained: "TrainedNetwork", body: bytes, is_drawn: bool) -> "torch.Tensor":
    """C×H×W bytes, as the network's training images were. Raises EtudeError for what is neither a drawing nor an image."""
    import numpy as np
    import torch

    from etude.data.digit import centred
    from etude.train.predict import seen_by

    if is_drawn and trained.image == GREY and len(body) == CANVAS * CANVAS:
        return torch.from_numpy(centred(np.frombuffer(body, np.uint8).reshape(CANVAS, CANVAS)))[None]
    with tempfile.TemporaryDirectory(prefix="etude-") as folder:
        file = Path(folder, "image")
        file.write_bytes(body)
        try:
            return torch.from_numpy(seen_by(trained, file)[0])
        except EtudeError:
            raise EtudeError("not a readable image; a PNG or JPEG file is expected") from None


def drawn(one: "Junction") -> dict[str, Any]:
    return {"kind": one.kind, "path": one.path, "branches": [*(branch(each, one) for each in one.branches), *total(one)]}


def branch(one: "Branch", junction: "Junction") -> dict[str, Any]:
    """Maps as bytes around 128, all of one branch on one scale; `role` is x or F(x) where a sum has both."""
    fewest = min(each.layers for each in junction.branches)
    role = "" if junction.kind == "concat" or len(junction.branches) != 2 else "x" if one.layers == fewest else "F(x)"
    return {"path": one.path, "layers": one.layers, "share": one.share, "role": role, **maps(one.maps)}


def total(junction: "Junction") -> list[dict[str, Any]]:
    """Of a sum, what comes out; of a concatenation that is all of the above."""
    return [{"path": junction.path, "layers": None, "share": 1.0, "role": "sum", **maps(junction.maps)}] if junction.kind == "add" else []


def maps(values: "torch.Tensor") -> dict[str, Any]:
    found = values[0, :MOST]
    scale = found.abs().max().clamp_min(1e-12)
    count, height, width = found.shape
    return {
        "count": values.shape[1],
        "shown": count,
        "height": height,
        "width": width,
        "pixels": encoded((128 + 127 * found / scale).round().clamp(0, 255).byte()),
    }


def encoded(values: "torch.Tensor") -> str:
    return base64.b64encode(values.contiguous().numpy().tobytes()).decode()


routes = [
    Route("/digit/", digit),
    Route("/digit/look", look, methods=["POST"]),
]
