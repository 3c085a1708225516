"""Why a loaded network is not as good as it should be: every known cause is tried, and compared with the network as it is.

What is certain follows a rule that was there before (`RULE`). Causes that lie in how the network is asked are tried one at a time on the
same images, and the best is held against the network as it is; then, with that mended, the others again. Weights that were not loaded and
images that are in both sets are seen without a trial.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import comb

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from etude.doctor.asking import Normalisation, Patient, Questions, Way, answers, modes_kept, outputs_of
from etude.errors import EtudeError
from etude.wording import percent, size

GAIN = 0.05  # of all images, that a cause has to explain
LEVEL = 0.01  # of the sign test, over all that was tried
PERHAPS = 0.05  # of a single one, for what is worth a look
SHARED = 0.01  # of the test images among the training images, above which it is no chance
RULE = (
    "Certain is a cause if, with it mended, at least 5 % more of the same images are right, an exact one-sided sign test on the images "
    "that change sides passes at 1 % divided by the number of trials, and so it does against the best of every other cause. Weights that "
    "are drawn anew whenever the network is made or are not numbers, new statistics beside trained scales, and test images that are "
    "training images too, are certain when seen."
)
AS_IT_IS = "as it is"
TRAINING = "left in training mode"
RAW = "not at all: it does so itself, or was trained without"
USUAL = (
    Normalisation.of(RAW, (0.0,) * 3, (1.0,) * 3),
    Normalisation.of("not at all, and pixels from 0 to 255", (0.0,) * 3, (1 / 255,) * 3),
    Normalisation.of("by 0.5 and 0.5", (0.5,) * 3, (0.5,) * 3),
    Normalisation.of("by ImageNet's mean and spread", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    Normalisation.of("by CIFAR-10's mean and spread", (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
)
USUAL_OF_GREY = (
    *(Normalisation(one.name, one.mean[:1], one.std[:1]) for one in USUAL[:3]),
    Normalisation.of("by MNIST's mean and spread", (0.1307,), (0.3081,)),
)
SIDES = (28, 32, 64, 128, 224)
LARGER = 4  # times the side that it is used with: more takes too long to try


@dataclass(frozen=True, eq=False)
class Trial:
    """The network asked in another way.

    cause   which one is tried; `mended` says by what
    right   for every image whether it is right
    chance  the p-value of the sign test against what it is compared with
    """

    cause: str
    mended: str
    way: Way
    right: Tensor
    chance: float = 1.0

    @property
    def count(self) -> int:
        return int(self.right.sum())


@dataclass(frozen=True)
class Finding:
    """A cause, in words, and whether it is certain."""

    text: str
    certain: bool


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What was tried and found; the first trial of each round is what the others are compared with."""

    name: str
    source: str
    rounds: tuple[tuple[Trial, ...], ...]
    findings: tuple[Finding, ...]


class Examination:
    """Of one network on one set of images. Raises EtudeError where it does not run on them, or has no output for a class."""

    def __init__(self, patient: Patient, questions: Questions) -> None:
        self.patient, self.questions = patient, questions
        make_whole(patient.module, patient.image)
        self.dataset = questions.dataset(patient.image[1:])
        _, self.labels = questions.asked(patient.image[1:])
        said = answers(patient, questions, patient.usual)
        self.way = replace(patient.usual, outputs=outputs_of(patient, self.dataset.classes, said.shape[1]))

    def said(self, way: Way) -> Tensor:
        """The largest output for each image; -1 where they are not numbers, so that none is."""
        found = answers(self.patient, self.questions, way)
        return found.argmax(1).where(~found.isnan().any(1), -1)

    def right(self, way: Way) -> Tensor:
        return self.said(way) == torch.tensor(way.outputs)[self.labels]

    def diagnosis(self, say: Callable[[str], None]) -> Diagnosis:
        findings = [*seen_in_weights(self.patient), *self.seen_in_data()]
        before, rounds = Trial(AS_IT_IS, "", self.way, self.right(self.way)), list[tuple[Trial, ...]]()
        while True:
            say(f"{before.cause}: {before.count} of {len(self.labels)} right; trying the causes one by one")
            known = {trials[0].cause for trials in rounds} | {before.cause}
            trials = [trial for trial in self.trials(before) if trial.cause not in known]
            rounds.append((before, *trials))
            mended, finding = best(before, trials)
            findings += [finding] if finding else []
            if mended is None:
                findings += mode_of(rounds)
                return Diagnosis(self.patient.name, self.questions.source, tuple(rounds), tuple(findings))
            before = mended

    def trials(self, before: Trial) -> Iterator[Trial]:
        for cause, mended, way in self.ways(before.way):
            try:
                right = self.right(way)
            except EtudeError:  # it does not run on such images, which are not the cause then
                continue
            yield Trial(cause, mended, way, right, sign_test(right, before.right))
        yield self.reordered(before)

    def ways(self, way: Way) -> Iterator[tuple[str, str, Way]]:
        """Every other way to ask: the cause, what mends it, and the way."""
        colours = self.patient.image[0] == 3
        if any(module.training for module in self.patient.module.modules()):
            yield TRAINING, "model.eval()", replace(way, evaluating=True)
        known = USUAL if colours else USUAL_OF_GREY
        own = Normalisation.of("by the training images' own mean and spread", *self.dataset.statistics())
        for other in (*known, own):
            if len(other.mean) == self.patient.image[0] and not other.equals(way.normalisation):
                yield "normalised wrongly", other.name, replace(way, normalisation=other, twice=False)
        if not known[0].equals(way.normalisation):
            yield "normalised wrongly", "twice as it is now", replace(way, twice=True)
        if colours:
            yield "channels in another order", "BGR in place of RGB", replace(way, backwards=True)
        for side in SIDES:
            if (side, side) != way.side and side <= LARGER * max(way.side):
                yield "another image size", f"{side}×{side} in place of {size(way.side)}", replace(way, side=(side, side))

    def reordered(self, before: Trial) -> Trial:
        """Every class given the output that is said most often of its images. Which one that is, is learned on one half of the images and
        held to the other, so that chance explains nothing.
        """
        said = self.said(before.way)
        half, right = torch.arange(len(self.labels)) % 2 == 0, torch.zeros(len(self.labels), dtype=torch.bool)
        for learned in (half, ~half):
            order = torch.tensor(self.matched(said[learned], self.labels[learned], before.way.outputs))
            right[~learned] = said[~learned] == order[self.labels[~learned]]
        outputs = self.matched(said, self.labels, before.way.outputs)
        names = self.patient.classes or self.dataset.classes
        moved = [
            f"{name} is output {output}{f' ({names[output]})' if output < len(names) else ''}"
            for name, output, was in zip(self.dataset.classes, outputs, before.way.outputs, strict=True)
            if output != was
        ]
        mended = some(moved) or "no other order fits better"
        return Trial("classes in another order", mended, replace(before.way, outputs=outputs), right, sign_test(right, before.right))

    def matched(self, said: Tensor, labels: Tensor, outputs: tuple[int, ...]) -> tuple[int, ...]:
        """An output of its own for every class, the pairs first that are seen most often; for what is never said, what is left."""
        seen = Counter(zip(labels.tolist(), said.tolist(), strict=True))
        found: dict[int, int] = {}
        for (label, output), _ in seen.most_common():
            if output >= 0 and label not in found and output not in found.values():
                found[label] = output
        free = iter(output for output in outputs if output not in found.values())
        return tuple(found[label] if label in found else next(free, -1) for label in range(len(outputs)))

    def seen_in_data(self) -> Iterator[Finding]:
        """Test images that are training images too, pixel by pixel: in the folder, or of the run that is asked."""
        own = [("training images", self.dataset.train.images)]
        own += [(f"images that {self.patient.name} was trained on", self.patient.seen)] if self.patient.seen is not None else []
        tests = [image.numpy().tobytes() for image in self.dataset.test.images]
        for what, images in own:
            known = {image.numpy().tobytes() for image in images}
            if (count := sum(image in known for image in tests)) > SHARED * len(tests):
                text = f"the training set used as test: {count:,} of {len(tests):,} test images are {what} too"
                yield Finding(f"{text}, and what is right about these says little", True)
                return


def seen_in_weights(patient: Patient) -> Iterator[Finding]:
    """What was not loaded: weights that are drawn anew whenever the network is made, statistics as they are in a new one."""
    numbers = {name: value for name, value in [*patient.module.named_parameters(), *patient.module.named_buffers()] if not is_lazy(value)}
    if damaged := [name for name, value in numbers.items() if value.isnan().any()]:  # a mask may be infinite
        text = f"weights that are not numbers, {len(damaged)} of {len(numbers)} ({some(damaged)})"
        yield Finding(f"{text}: the training diverged, or the file is damaged", True)
    own = {name: value for name, value in numbers.items() if isinstance(value, nn.Parameter) and value.dim() > 1}
    if patient.again is not None:
        make_whole(patient.again, patient.image)
        anew = dict(patient.again.named_parameters())
        drawn = [name for name, value in own.items() if name in anew and not is_lazy(anew[name]) and not torch.equal(value, anew[name])]
        if drawn:
            text = f"weights that were not loaded: {len(drawn)} of {len(own)} are drawn anew whenever it is made ({some(drawn)})"
            yield Finding(text, True)
    norms = [module for module in patient.module.modules() if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None]
    new = [norm for norm in norms if is_new(norm) and norm.weight is not None and is_trained(norm.weight)]
    if new:
        text = (
            f"statistics that were not loaded: {len(new)} of {len(norms)} normalisations have trained weights beside mean 0 and variance 1"
        )
        yield Finding(text, True)


def is_trained(scale: Tensor) -> bool:
    """Whether a normalisation's scale is neither that it begins with nor zero, with which some let a branch begin."""
    return bool(scale.any()) and not torch.equal(scale, torch.ones_like(scale))


@torch.no_grad()
def make_whole(module: nn.Module, image: tuple[int, int, int]) -> None:
    """Make the layers that are made in the first forward, where it comes to that."""
    if any(map(is_lazy, module.parameters())):
        with contextlib.suppress(Exception), modes_kept(module):
            module.eval()(torch.zeros(1, *image))


def some(names: list[str]) -> str:
    return f"{', '.join(names[:3])}{', …' if len(names) > 3 else ''}"


def is_new(norm: nn.BatchNorm2d) -> bool:
    assert norm.running_mean is not None and norm.running_var is not None
    return not norm.running_mean.any() and torch.equal(norm.running_var, torch.ones_like(norm.running_var))


def best(before: Trial, trials: list[Trial]) -> tuple[Trial | None, Finding | None]:
    """By the rule the trial that mends the network, and the cause; no trial where none is certain."""
    count, level = len(before.right), LEVEL / max(1, len(trials))
    larger = sorted((trial for trial in trials if trial.count - before.count >= GAIN * count), key=lambda trial: -trial.count)
    better = [trial for trial in larger if trial.chance <= level]
    if better:
        top, *others = better
        rivals = [trial for trial in others if trial.cause != top.cause and sign_test(top.right, trial.right) > level]
        if not rivals:
            return top, Finding(f"{in_words(top, before)}", True)
        causes = " or ".join(in_words(trial, before) for trial in {trial.cause: trial for trial in (*rivals, top)}.values())
        return None, Finding(f"either {causes}: these images do not tell them apart", False)
    if larger and larger[0].chance <= PERHAPS:
        return None, Finding(f"perhaps {in_words(larger[0], before)}, which so few images do not show", False)
    return None, None


def mode_of(rounds: list[tuple[Trial, ...]]) -> Iterator[Finding]:
    """That it is in training mode, where that is not among what is certain."""
    before, *trials = rounds[-1]
    if mode := next((trial for trial in trials if trial.cause == TRAINING), None):
        yield Finding(f"{in_words(mode, before)}, as every module is at first; whoever tests one, calls that", False)


def in_words(trial: Trial, before: Trial) -> str:
    """normalised wrongly (by ImageNet's mean and spread: 10.2 % → 81.3 %)."""
    shares = " → ".join(percent(one.count / len(one.right), 1) for one in (before, trial))
    return f"{trial.cause} ({trial.mended}: {shares})"


def sign_test(more: Tensor, less: Tensor) -> float:
    """The probability of as many images or more that are right only in the first, among those that are right in one alone, by chance."""
    won, lost = int((more & ~less).sum()), int((less & ~more).sum())
    return sum(comb(won + lost, many) for many in range(won, won + lost + 1)) / 2 ** (won + lost)
