"""One's own network: dropped as a file or named as in the terminal, looked at, and held against a paper. Its code runs apart."""

import functools
import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from etude.errors import EtudeError, UsageError
from etude.explain.nodes import Graph
from etude.models.network import Network
from etude.source import Script
from etude.studio.bench import Piece, called
from etude.studio.dropped import LARGEST, Dropped
from etude.studio.frame import answer, bench, language_of, page, places, shown
from etude.studio.frame import asked as asked_of
from etude.studio.rooms.walking import Walk, source_of, within_reason
from etude.studio.words import Language, tell
from etude.targets.target import Target
from etude.values import read_shape, write_settings
from etude.verification.facts import seconds_for, steps_of
from etude.verification.limits import megabytes_for
from etude.verification.verdict import Identification, Verification
from etude.views.listings import networks_by_paper
from etude.views.own import Own
from etude.views.verification import identification_view, verification_view
from etude.views.walk import walk
from etude.wording import sizes

IMAGES = ("3x224x224", "3x32x32", "1x28x28")  # to choose from
IDENTIFY = "identify"  # in place of the network to hold it against
SECONDS, SECONDS_TO_IDENTIFY = 60, 300
PATIENCE = 1.0  # seconds in which most looks are done
LONGEST = 1_000  # letters of a target


@dataclass(frozen=True)
class Asked:
    """What an address of these pages says.

    file     where it stands
    typed    the target as it is typed in a terminal: "my_net.py:Net"
    place    of the file within that
    image    "3x32x32"; "" for one that it takes
    against  a network; "identify"; or "" for none
    """

    file: Path
    typed: str
    place: str
    image: str
    against: str

    @classmethod
    def of(cls, request: Request) -> "Asked":
        """Raises EtudeError for a file that is not here any more, UsageError for a target outside of the studio's folder."""
        query = request.query_params
        image, against = query.get("input", ""), query.get("against", "")
        if image:
            read_shape(image)
        if against not in ("", IDENTIFY):
            within_reason(Network.read(against))
        if digest := query.get("file"):
            file = dropped(request).file(digest)
            name = query.get("name", "")
            return cls(file, file.name + (f":{name}" if name else ""), file.name, image, against)
        target = target_in(places(request).folder, query.get("target", ""))
        return cls(places(request).folder / target.place, query["target"], target.place, image, against)

    @functools.cached_property
    def target(self) -> str:
        """For a process that works in another folder; the rest as it was typed, so that quotes stay."""
        return str(self.file.resolve()) + self.typed.removeprefix(self.place)

    @functools.cached_property
    def digest(self) -> str:
        """Of the file as it is now. Raises EtudeError where it is not there, or too large."""
        if not self.file.is_file():
            raise EtudeError(f"{self.place}: no such file")
        if (size := self.file.stat().st_size) > LARGEST:
            raise EtudeError(f"{self.place}: {size:,} bytes, expected at most {LARGEST:,}")
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    @property
    def likely(self) -> tuple[int, int, int] | None:
        """The image of the network that it is held against."""
        return None if self.against in ("", IDENTIFY) else Network.read(self.against).input

    @property
    def look_key(self) -> tuple[Any, ...]:
        return ("look", self.target, self.digest, self.image or self.likely)

    @property
    def verdict_key(self) -> tuple[str, ...]:
        return ("verdict", self.target, self.digest, self.image, self.against)


def target_in(folder: Path, text: str) -> Target:
    """The file that somebody typed. Raises UsageError for anything else, and for one that is not in the folder."""
    expected = f"expected FILE.py:NAME or FILE.ipynb:NAME in {folder}"
    if not text.strip() or len(text) > LONGEST or "\0" in text:
        raise UsageError(f"which network? {expected}")
    target = Target.read(text)
    if target.kind != "file":
        raise UsageError(f"{text}: {expected}")
    if not (folder / target.place).resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{target.place} is outside of the studio's folder; {expected}")
    return target


def dropped(request: Request) -> Dropped:
    found: Dropped = request.app.state.dropped
    return found


# ── What comes in ────────────────────────────────────────────────────────────────────────────────────────────────────


async def drop(request: Request) -> Response:
    """Keeps the bytes of a file under its name, and says where it is looked at."""
    digest = dropped(request).keep(request.query_params.get("name", ""), await request.body())
    return answer({"address": f"/{language_of(request)}/networks/own?{urlencode({'file': digest})}"})


async def typed(request: Request) -> Response:
    """Where a target is looked at: a file of the folder, or a registered network."""
    try:
        text, language = (await asked_of(request, target=str))["target"].strip(), language_of(request)
    except EtudeError as error:  # which is no more a page here than any other target that is not there
        raise UsageError(str(error)) from error
    if 0 < len(text) <= LONGEST and "\0" not in text and (target := Target.read(text)).kind == "network":
        return answer({"address": address_of(language, target.network)})
    target_in(places(request).folder, text)
    return answer({"address": f"/{language}/networks/own?{urlencode({'target': text})}"})


def address_of(language: Language, network: Network) -> str:
    query = urlencode(dict(setting.split("=", 1) for setting in write_settings(network.options)))
    return f"/{language}/networks/{network.name}{'?' if query else ''}{query}"


# ── What is done with it ─────────────────────────────────────────────────────────────────────────────────────────────


def look_at(request: Request, asked: Asked) -> Piece:
    """Its graph and its source; where no image was asked for, if possible on that of the network that it is held against."""
    image = read_shape(asked.image) if asked.image else None
    arguments = {"target": asked.target, "input_shape": image, "first": asked.likely}
    return bench(request).piece(asked.look_key, called("etude.views.own:look", arguments, SECONDS, megabytes_for(())))


def verdict_on(request: Request, asked: Asked) -> Piece:
    image = list(read_shape(asked.image)) if asked.image else None
    arguments: Mapping[str, Any] = {"target": asked.target, "input_shape": image}
    if asked.against == IDENTIFY:
        does = called("etude.verification.request:find", arguments, SECONDS_TO_IDENTIFY, megabytes_for(()))
    else:
        network = Network.read(asked.against)
        steps = steps_of(network.name, **network.options)
        more = {"against": network.name, "options": dict(network.options)}
        does = called("etude.verification.request:check", {**arguments, **more}, seconds_for(steps), megabytes_for(steps))
    return bench(request).piece(asked.verdict_key, does)


def begun(request: Request, asked: Asked, patience: float = 0) -> tuple[Piece, Piece | None]:
    """The look, and the verdict where one is asked for, once the look has ended and one network is meant."""
    look = look_at(request, asked)
    look.ended.wait(patience)
    ready = look.state == "failed" or seen_in(look)
    return look, verdict_on(request, asked) if asked.against and ready else None


def seen_in(look: Piece) -> Own | None:
    """What was seen; None of a file in which one network has to be chosen first."""
    return Own.from_dict(look.value) if look.state == "done" and "graph" in look.value else None


def one(request: Request) -> Response:
    """The page: what is there already, and what is still being done, for which its script asks."""
    asked = Asked.of(request)
    look, verdict = begun(request, asked, PATIENCE)
    seen = seen_in(look)
    walked = walked_through(seen.graph) if seen else None
    judged = Judged.of(verdict.value, asked, walked, language_of(request)) if verdict and verdict.state == "done" else None
    query, image = dict(request.query_params), "x".join(map(str, walked.graph.input)) if walked else ""
    how = ["identify", asked.typed] if asked.against == IDENTIFY else ["verify", asked.typed, "--against", asked.against]
    return page(
        request,
        "own",
        asked.typed,
        room="networks",
        asked=asked,
        query=query,
        named_otherwise=functools.partial(otherwise, asked, query),
        named=lambda text: text.replace(str(asked.file.resolve()), asked.place),
        look=look,
        choice=look.value if look.state == "done" and not seen else None,
        own=seen,
        walk=walked,
        images=dict.fromkeys(([asked.image] if asked.image else []) + [*IMAGES]),
        papers=networks_by_paper(),
        verdict=verdict,
        states=[piece.state for piece in (look, verdict) if piece],
        judged=judged,
        sizes=sizes,
        read="",
        picture=shlex.join(["etude", "explain", asked.typed, "--input", image, "--diagram", f"{Path(asked.place).stem}.svg"]),
        check=shlex.join(["etude", *how, *(["--input", asked.image] if asked.image else [])]),
    )


def otherwise(asked: Asked, query: Mapping[str, str], name: str) -> str:
    """The address of another network in the same file."""
    return "?" + urlencode({**query, **({"name": name} if "file" in query else {"target": f"{asked.place}:{name}"})})


@functools.lru_cache(16)
def walked_through(graph: Graph) -> Walk:
    return Walk.of(graph, walk(graph))


def source(request: Request) -> Response:
    """Its passages, for the script of the page."""
    look, _ = begun(request, Asked.of(request), PATIENCE)
    seen = seen_in(look)
    return answer(source_of(seen.passages if seen else (), language_of(request)))


def state(request: Request) -> Response:
    """Whether anything of the page is still being done."""
    return answer({"states": [piece.state for piece in begun(request, Asked.of(request)) if piece]})


def stop(request: Request) -> Response:
    asked = Asked.of(request)
    bench(request).stop(asked.look_key)
    bench(request).stop(asked.verdict_key)
    return answer({})


def again(request: Request) -> Response:
    asked = Asked.of(request)
    bench(request).forget(asked.look_key)
    bench(request).forget(asked.verdict_key)
    return answer({})


# ── The verdict ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Mark:
    """A departure: in words, where the picture has it, and where the paper's network has it on its own page."""

    sentence: str
    operators: tuple[int, ...]
    address: str


@dataclass(frozen=True)
class Judged:
    """word: the key of what is said above; against: the network; line: of the source, where it was found."""

    word: str
    sentence: str
    against: str
    address: str
    marks: tuple[Mark, ...]
    file: str
    line: int
    view: Any

    @classmethod
    def of(cls, plain: dict[str, Any], asked: Asked, walked: Walk | None, language: Language) -> "Judged":
        plain = {**plain, "target": asked.typed}
        report: Verification | None
        if "candidates" in plain:
            found = Identification.from_dict(plain)
            report, word, against, view = found.report, str(found.verdict), found.network, identification_view(found)
        else:
            report = Verification.from_dict(plain)
            word, against, view = str(report.verdict), report.against, verification_view(report)
        address = address_of(language, Network.read(against)) if against else ""
        marks = marks_of(report, walked, address, language) if report else ()
        file, _, line = report.line.rpartition(":") if report else ("", "", "")
        place, number = placed(asked, int(line)) if line and Path(file) == asked.file.resolve() else ("", 0)
        return cls(word.replace(" ", "_"), tell(language, plain["sentence"]), against, address, marks, place, number, shown(view, language))


def marks_of(report: Verification, walked: Walk | None, address: str, language: Language) -> tuple[Mark, ...]:
    yours = report.yours or ("",) * len(report.departures)
    return tuple(
        Mark(tell(language, sentence), walked.at(own) if walked and own else (), f"{address}#{place}" if place else "")
        for (place, sentence), own in zip(report.departures, yours, strict=True)
    )


def placed(asked: Asked, line: int) -> tuple[str, int]:
    """A line of a file as its passages count it: of a notebook by its cells."""
    cell, within = Script.read(asked.file).cell(line)
    return (asked.file.name if cell is None else f"{asked.file.name}, cell {cell}"), within


PLACE = "/networks/own"
routes = [
    Route(PLACE, one),
    Route(f"{PLACE}/file", drop, methods=["POST"]),
    Route(f"{PLACE}/target", typed, methods=["POST"]),
    Route(f"{PLACE}/source", source),
    Route(f"{PLACE}/state", state),
    Route(f"{PLACE}/stop", stop, methods=["POST"]),
    Route(f"{PLACE}/again", again, methods=["POST"]),
]
