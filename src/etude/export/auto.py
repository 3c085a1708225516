"""The engine that has the work done first, chosen while the work is done."""

import time

import torch
from torch import Tensor

from etude.errors import EtudeError
from etude.export.compare import Answer, difference
from etude.export.engines import ENGINES, made
from etude.export.timing import FAILED, Place, Timing, in_turns
from etude.train.trained import TrainedNetwork

ROUNDS = 2  # in which an engine is timed at work
SHARE = 5  # what is left to do, in what it takes to try an engine


class Auto:
    """Answers batch after batch by the engine that has all of them done first.

    What was measured on this machine decides (`Place.known`): the seconds before an engine's first answer, and those for an image. An
    engine that was never measured is tried on images that are to be computed anyway, where that takes no more than a fifth of what is left
    to do, and its time is kept. So a single image is computed by torch as it is, at once, and ten thousand by what is fastest here.

    engine  by which the last batch was computed
    """

    def __init__(self, trained: TrainedNetwork, images: int, batch: int) -> None:
        self.trained, self.left = trained, images
        self.place = Place.of(trained, min(images, batch))
        self.known = self.place.known()
        self.answers: dict[str, Answer] = {"torch": trained.module}
        self.engine = "torch"

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """The logits of N×C×H×W images, bytes or pixels from 0 to 1."""
        normalised = self.trained.normalised(images)
        if "torch" not in self.known:
            logits = self.first(normalised)
        elif name := self.worth_trying():
            logits = self.tried(name, normalised)
        else:
            logits = self.computed(normalised)
        self.left -= len(images)
        return logits

    def first(self, images: Tensor) -> Tensor:
        """By torch, with a time that is too long, since everything is done for the first time."""
        start = time.perf_counter()
        logits: Tensor = self.trained.module(images)
        self.known["torch"] = measured((time.perf_counter() - start) / len(images), 0, 0)
        return logits

    def best(self) -> str:
        """By which engine the images that are left are done first, of those that are known."""
        usable = (name for name, timing in self.known.items() if timing.usable)
        return min(usable, key=lambda name: self.known[name].total(self.left, is_ready=name in self.answers))

    def worth_trying(self) -> str:
        """An engine that nothing is known of yet, where it is worth the time; or ""."""
        best = self.best()
        left = self.known[best].total(self.left, is_ready=best in self.answers)
        batches = 2 * (ROUNDS + 1) * self.place.batch * self.known["torch"].least
        unknown = (name for name in ENGINES if name not in self.known and not ENGINES[name].lacks)
        return next((name for name in unknown if left > SHARE * (ENGINES[name].setup + batches)), "")

    def tried(self, name: str, images: Tensor) -> Tensor:
        """By torch; and what the engine of that name takes for the same is measured, and kept."""
        logits: Tensor = self.trained.module(images)
        start = time.perf_counter()
        try:
            answer = made(name, self.trained.module, images)
        except EtudeError:
            self.known[name] = FAILED
            self.place.keep({name: FAILED})
        else:
            ready = time.perf_counter() - start
            seconds = in_turns({"torch": self.trained.module, name: answer}, images, ROUNDS)
            self.known["torch"] = measured(min(seconds["torch"]), 0, 0)
            self.known[name] = measured(min(seconds[name]), ready, difference(answer(images), logits))
            self.answers[name] = answer
            self.place.keep({each: self.known[each] for each in ("torch", name)})
        return logits

    def computed(self, images: Tensor) -> Tensor:
        """By the best engine. One that has worked before and does not now is left alone from here on."""
        self.engine = self.best()
        if self.engine not in self.answers:
            try:
                self.answers[self.engine] = made(self.engine, self.trained.module, images)
            except EtudeError:
                self.known[self.engine] = FAILED
                return self.computed(images)
        return self.answers[self.engine](images)


def measured(seconds: float, ready: float, apart: float) -> Timing:
    return Timing(seconds, seconds, seconds, seconds, ready, apart)
