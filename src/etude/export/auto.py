"""The engine that has the work done first, chosen while the work is done."""

import time

import torch
from torch import Tensor

from etude.errors import EtudeError
from etude.export.compare import Answer, compared
from etude.export.engines import ENGINES, made
from etude.export.timing import FAILED, Place, Timing, in_turns
from etude.train.trained import TrainedNetwork

ROUNDS = 3  # in which an engine is timed at work
SHARE = 5  # what is left to do, in what it takes to try an engine


class Auto:
    """Answers batch after batch by the engine that has all of them done first.

    What was measured on this machine decides (`Place.known`): the seconds before an engine's first answer, and what an image takes beside
    torch. An engine that was not measured, or long ago, is tried on images that are to be computed anyway, where that takes no more than a
    fifth of what is left to do, and its time is kept. So a single image is computed by torch as it is, at once, and ten thousand by what
    is fastest here.

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
            logits = self.tried(name, self.whole(normalised))[: len(images)]
        else:
            logits = self.computed(normalised)
        self.left -= len(images)
        return logits

    def first(self, images: Tensor) -> Tensor:
        """By torch, with a time that is too long, since everything is done for the first time."""
        start = time.perf_counter()
        logits: Tensor = self.trained.module(images)
        self.known["torch"] = of_torch([(time.perf_counter() - start) / len(images)] * 2)
        return logits

    def best(self) -> str:
        """By which engine the images that are left are done first, of those that are known."""
        return min(self.known, key=self.seconds_by)

    def seconds_by(self, name: str) -> float:
        """Until all that is left is done by that engine."""
        return self.known[name].total(self.left, self.known["torch"].seconds, is_ready=name in self.answers)

    def worth_trying(self) -> str:
        """An engine that nothing is known of yet, where it is worth the time; or ""."""
        left = self.seconds_by(self.best())
        batches = 2 * (ROUNDS + 1) * self.place.batch * self.known["torch"].seconds
        unknown = (name for name in ENGINES if name not in self.known and not ENGINES[name].lacks)
        return next((name for name in unknown if left > SHARE * (ENGINES[name].setup + batches)), "")

    def tried(self, name: str, images: Tensor) -> Tensor:
        """By torch; and what the engine of that name takes for the same is measured, and kept."""
        logits: Tensor = self.trained.module(images)
        start = time.perf_counter()
        try:
            answer = made(name, self.trained.module, images)
            ready = time.perf_counter() - start
            apart = compared(self.trained.module, answer, name, [images], "images").difference
        except EtudeError:
            self.known[name] = FAILED
            self.place.keep({name: FAILED})
        else:
            seconds = in_turns({"torch": self.trained.module, name: answer}, images, ROUNDS)
            self.known["torch"] = of_torch(seconds["torch"])
            self.known[name] = Timing.of(seconds[name], seconds["torch"], ready, apart)
            self.answers[name] = answer
            self.place.keep({each: self.known[each] for each in ("torch", name)})
        return logits

    def computed(self, images: Tensor) -> Tensor:
        """By the best engine. One that has worked before and does not now is left alone from here on."""
        self.engine = self.best()
        if self.engine not in self.answers:
            try:
                self.answers[self.engine] = made(self.engine, self.trained.module, self.whole(images))
            except EtudeError:
                self.known[self.engine] = FAILED
                return self.computed(images)
        return self.answers[self.engine](images)

    def whole(self, images: Tensor) -> Tensor:
        """The same as a batch to make and to time an engine by: the last images of a folder, or of a class, may be fewer."""
        return torch.cat([images, images.new_zeros(self.place.batch - len(images), *images.shape[1:])])


def of_torch(seconds: list[float]) -> Timing:
    return Timing.of(seconds, seconds, 0, 0)
