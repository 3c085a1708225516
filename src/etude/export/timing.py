"""How fast the engines are, side by side; and what was found is kept, so that nobody measures twice."""

import contextlib
import hashlib
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from etude.data.sources import cache_folder
from etude.errors import EtudeError
from etude.export.compare import Answer, compared
from etude.export.engines import ENGINES, made
from etude.export.extras import version
from etude.files import write_text
from etude.models.network import Network
from etude.train.machine import processor
from etude.train.trained import TrainedNetwork
from etude.wording import size

ROUNDS = 9
ROUND = 0.05  # seconds at least that one engine computes in a round
PAUSE = 0.02  # and between two of them, since threads that have nothing to do go on asking for work for a while
OLD = 30 * 86_400  # seconds after which what was measured is forgotten: machines and programs change


@dataclass(frozen=True)
class Timing:
    """One engine with batches of one size.

    seconds     for an image, the median over the rounds; `low` and `high` are their quartiles
    share       of torch's seconds in the same round, the median over the rounds: by this engines are chosen, since a machine that others
                use too is at one moment twice as fast as at the next, and the fastest round of all says who had that moment
    ready       seconds before its first answer; what another engine has imported before is not among them
    difference  from torch as it is: the largest, of the largest logit
    at          when that was, in seconds since 1970
    """

    seconds: float
    low: float
    high: float
    share: float
    ready: float
    difference: float
    at: float = field(default_factory=time.time)

    @classmethod
    def of(cls, rounds: Sequence[float], torchs: Sequence[float], ready: float, difference: float) -> "Timing":
        """Of the seconds for an image in each round, and those of torch there."""
        share = statistics.median(own / other for own, other in zip(rounds, torchs, strict=True))
        return cls(statistics.median(rounds), *quartiles(rounds), share, ready, difference)

    @property
    def usable(self) -> bool:
        """Whether it computes this network, and the same as torch."""
        return math.isfinite(self.share)

    def total(self, images: int, torch: float, *, is_ready: bool = False) -> float:
        """Seconds until that many images are done, where torch takes so many for one."""
        return self.ready * (not is_ready) + images * self.share * torch


FAILED = Timing(*[math.inf] * 6)  # of an engine that does not run this network, or computes something else


@dataclass(frozen=True)
class Place:
    """What a time depends on, beside the engine: the network, how many images at once, the machine and the programs."""

    network: Network
    image: tuple[int, int, int]
    batch: int
    threads: int

    @classmethod
    def of(cls, trained: TrainedNetwork, batch: int) -> "Place":
        return cls(trained.network, trained.image, batch, torch.get_num_threads())

    @property
    def file(self) -> Path:
        programs = [torch.__version__, version("onnxruntime"), version("openvino")]
        text = repr((str(self.network), self.image, self.batch, self.threads, processor(), programs))
        return cache_folder() / "engines" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"

    def known(self) -> dict[str, Timing]:
        """What was measured here not long ago, by engine."""
        try:
            rows = json.loads(self.file.read_text(encoding="utf-8"))["engines"]
            timings = {name: Timing(**row) for name, row in rows.items() if name in ENGINES}
            return {name: timing for name, timing in timings.items() if 0 <= time.time() - timing.at < OLD}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):  # not there, or damaged: it is measured again
            return {}

    def keep(self, timings: Mapping[str, Timing]) -> None:
        """Keep them for the next time; where the cache cannot be written, there is none."""
        rows = {name: asdict(timing) for name, timing in (self.known() | dict(timings)).items()}
        content = {"network": str(self.network), "batch": self.batch, "threads": self.threads, "processor": processor(), "engines": rows}
        with contextlib.suppress(OSError):
            write_text(self.file, json.dumps(content, indent=2) + "\n")


@dataclass(frozen=True)
class Bench:
    """One size of the batch: what was timed, the fastest first, and why others fail."""

    place: Place
    timings: Mapping[str, Timing]
    failures: Mapping[str, str]

    def chosen(self, images: int) -> str:
        """Which engine `auto` takes for that many images."""
        return fastest(self.timings, images)


def fastest(timings: Mapping[str, Timing], images: int) -> str:
    """Which engine has that many images done first."""
    return min(timings, key=lambda name: timings[name].total(images, timings["torch"].seconds))


@torch.no_grad()
def bench(trained: TrainedNetwork, batch: int, say: Callable[[str], None]) -> Bench:
    """Time every engine that is there, in rounds in which all take turns, and keep what was found.

    Raises EtudeError for more images than fit into memory, and where torch itself gives no logits that others could be held to.
    """
    place = Place.of(trained, batch)
    try:
        normalised = trained.normalised(torch.rand(batch, *trained.image, generator=torch.Generator().manual_seed(0)))
    except RuntimeError as error:
        raise EtudeError(f"batch {batch}: so many images of {size(trained.image)} do not fit into memory; --batch takes fewer") from error
    answers, failures = dict[str, Answer](), dict[str, str]()
    ready, apart = dict[str, float](), dict[str, float]()
    for name in ENGINES:
        if ENGINES[name].lacks:
            continue
        say(f"batch {batch}: making {name} ready")
        start = time.perf_counter()
        try:
            answers[name] = made(name, trained.module, normalised)
            ready[name] = time.perf_counter() - start
            apart[name] = compared(trained.module, answers[name], name, [normalised], "random images").difference
        except EtudeError as error:
            answers.pop(name, None)
            failures[name] = str(error).removeprefix(f"engine {name}: ")
            if name == "torch":
                raise
    say(f"batch {batch}: {ROUNDS} rounds of {', '.join(answers)}")
    seconds = in_turns(answers, normalised, ROUNDS)
    ready["torch"] = 0  # it is there before anything is to be computed
    timings = {name: Timing.of(each, seconds["torch"], ready[name], apart[name]) for name, each in seconds.items()}
    found = dict(sorted(timings.items(), key=lambda pair: pair[1].share))
    place.keep(found | dict.fromkeys(failures, FAILED))
    return Bench(place, found, failures)


def in_turns(answers: Mapping[str, Answer], images: Tensor, rounds: int) -> dict[str, list[float]]:
    """Seconds for an image, by engine and round; each round begins with another one."""
    names = list(answers)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in (*names[first:], *names[:first]):
            seconds[name].append(timed(answers[name], images) / len(images))
    return seconds


def timed(answer: Answer, images: Tensor) -> float:
    """Seconds for one answer, the mean of as many as fill a round."""
    time.sleep(PAUSE)
    start, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < ROUND or not count:
        answer(images)
        count += 1
    return passed / count


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


@contextlib.contextmanager
def threads(count: int | None) -> Iterator[None]:
    """With so many threads of torch, which all engines follow."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
