"""Which registered network anybody's module is; where it is none, the nearest one, and how the module differs from that.

One run is looked at first: its operators are counted against those that the papers' tables ask for, their sizes (depth, units, growth
rate) taken from the run. Only of the few with as many parameters the numbers are compared, and only one is verified.
"""

import contextlib
import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from etude.errors import UsageError
from etude.explain.graph import whole_output
from etude.models import registry
from etude.models.network import Network
from etude.operator import Operator
from etude.papers import Step
from etude.targets.opening import in_hand
from etude.verification.facts import facts_of, steps_of
from etude.verification.judge import NOT_COPIED, default_dtype, in_training, liven, verify
from etude.verification.prepare import bare, copied, eagerly, in_mode, noise_for, on_the_processor, register_listed
from etude.verification.running import Image, Stopped, first_run, images_to_try
from etude.verification.trace import Event, ran
from etude.verification.variants import CHOICES, SHORTCUTS, computes
from etude.verification.verdict import Identification, Nearest, Verification

TOLD = 5  # candidates that are listed
MOST_ALIKE = 8  # of which numbers are compared
SMALLEST = 64  # values that a size may have at least, among which its first two are looked for
WIDE = ("conv", "linear", "batch_norm")  # which are told apart by their maps
COUNTED = (*WIDE, "max_pool", "avg_pool", "local_response_norm", "relu", "sigmoid", "add", "concat", "multiply", "dropout", "scale")


def identify(
    module: nn.Module | Callable[[], nn.Module], *, input_shape: Image | None = None, target: str = "", trained: bool = False
) -> Identification:
    """Which registered network `module` is, or what a class or a function makes; the module stays as it is.

    input_shape  (channels, height, width) of an image; else a usual one that the module takes
    target       what to call the module in the report
    trained      whether its weights are no longer those it began with
    """
    own = in_hand(module)
    target = target or type(own).__name__
    with torch.random.fork_rng(devices=[]), default_dtype(torch.float32), eagerly():
        if (copy := copied(own)) is module:
            return Identification(target, "could not judge", NOT_COPIED)
        bared = on_the_processor(bare(copy))
        try:
            seen = Seen.of(copied(bared), input_shape)  # whose lazy layers would be made for the first image that is tried
        except Stopped as error:
            return Identification(target, "could not judge", str(error))
        candidates = seen.candidates()
        best = most_alike(bared, seen, candidates)
        again = (lambda: copy) if isinstance(module, nn.Module) else module  # what makes one makes another, which nothing has changed
        report = verify(again, best.name, input_shape=input_shape, target=target, trained=trained, **best.options)
    return identification(target, report, best, candidates)


def identification(target: str, report: Verification, best: Network, candidates: Sequence["Candidate"]) -> Identification:
    """What is said of it."""
    first = sorted(candidates, key=lambda one: one.network != best)  # which has been looked at more closely than the others
    listed = tuple(Nearest(str(one.network), one.parameters, one.alike) for one in first[:TOLD])
    if report.verdict == "faithful":
        sentence = f"it is {best}: {registry.row(best.name).about}"
        return Identification(target, "found", sentence, str(best), listed, report)
    if report.verdict == "could not judge":
        return Identification(target, "could not judge", report.sentence, str(best), listed, report)
    sentence = f"it is no registered network; the nearest is {best}: {registry.row(best.name).about}"
    return Identification(target, "nearest", sentence, str(best), listed, report)


def most_alike(module: nn.Module, seen: "Seen", candidates: Sequence["Candidate"]) -> Network:
    """Among those with as many parameters the one that computes the same; else the one with the most operators in common."""
    same = [one for one in candidates if one.parameters == seen.parameters][:MOST_ALIKE]
    if len(same) < 2:
        return (same or candidates)[0].network
    with contextlib.suppress(Exception), default_dtype(torch.float64):  # what does not run so, `verify` says
        double = copied(module)
        register_listed(double)
        double.double()
        images = torch.randn(4, *seen.image)
        liven(double, images, whole_output(double))
        trace = in_training(double, images, whole_output(double))
        return next((one.network for one in same if computes(one.steps, double, trace)), same[0].network)
    return same[0].network


@dataclass(frozen=True)
class Candidate:
    """A registered network, the operators that its paper asks for, and the share of them that a run has."""

    network: Network
    steps: tuple[Step, ...]
    alike: float

    @property
    def parameters(self) -> int:
        return sum(step.parameters for step in self.steps)


@dataclass(frozen=True)
class Seen:
    """What one run of a module shows."""

    events: Sequence[Event]
    image: Image
    classes: int
    parameters: int

    @classmethod
    def of(cls, module: nn.Module, asked: Image | None) -> "Seen":
        """Raises Stopped for what does not run."""
        register_listed(module)
        run = first_run(in_mode(module, training=True), images_to_try((3, 32, 32)) if asked is None else [asked], 0)
        with torch.no_grad():
            trace = ran(module, noise_for(module, 2, run.image), whole_output(module))
        return cls(trace.events, run.image, run.classes, sum(parameter.numel() for parameter in module.parameters()))

    def candidates(self) -> list[Candidate]:
        """Every registered network, as it is and with sizes and choices like those of the run; those with most in common first."""
        networks = {network for family in families() for network in self.networks(family)}
        seen = fingerprints(self.events)
        found = [Candidate(network, steps, in_common(seen, fingerprints(steps))) for network in networks if (steps := expanded(network))]
        order = registry.names()
        at = {one.network: (-one.alike, one.parameters != self.parameters, len(one.network.options)) for one in found}
        return sorted(found, key=lambda one: (*at[one.network], order.index(one.network.name), str(one.network)))

    def networks(self, family: Sequence[str]) -> Iterator[Network]:
        """Those of a family, and others of it, each under the name that needs the fewest options."""
        own = {name: facts_of(name)[1].given for name in family}
        for words in (*map(self.adapted, own.values()), *self.words(family[0])):
            named = (Network(name, {word: value for word, value in words.items() if value != own[name][word]}) for name in family)
            yield min(named, key=lambda network: len(network.options))

    def words(self, name: str) -> Iterator[dict[str, Any]]:
        """The words of a family's networks that may be this one: sizes as seen, with every choice."""
        paper, network = facts_of(name)
        given = self.adapted(network.given)
        choices = {word: values for word, values in {**CHOICES, "shortcut": SHORTCUTS.get(paper.id, ())}.items() if word in given}
        for values in itertools.product(*choices.values()):
            words = {**given, **dict(zip(choices, values, strict=True))}
            for sizes in self.sizes(name, words):
                yield {**words, **sizes}

    def adapted(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A network's words, for as many classes and the dropout of the run."""
        dropout = next((event.factor for event in self.events if event.op == "dropout"), None)
        seen = {"classes": self.classes} | ({} if dropout is None else {"dropout": dropout})
        return {word: seen.get(word, value) for word, value in given.items()}

    def sizes(self, name: str, words: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Words for sizes under which a table has as many convolutions as ran, or nearly so."""
        given = facts_of(name)[1].given
        width = {"growth_rate": self.growth()} if "growth_rate" in given else {}
        word = next((word for word in ("depth", "num_layers", "units", "layers") if word in given), None)
        if word is None:
            yield width
        elif isinstance(own := given[word], tuple):
            count = len(own)
            tables = (expanded(Network(name, {**words, word: (size,) * count})) for size in (1, 2))
            wanted, ones, twos = (stages(operators)[-count:] for operators in (self.events, *tables))
            if len(wanted) == len(ones) == len(twos) == count:
                fitted = (round(1 + (want - one) / (two - one)) for want, one, two in zip(wanted, ones, twos, strict=True))
                yield {**width, word: tuple(max(1, size) for size in fitted)}
        else:
            valid = ((size, steps) for size in range(1, SMALLEST) if (steps := expanded(Network(name, {**words, word: size}))))
            tried = list(itertools.islice(valid, 2))
            if len(tried) < 2:  # a choice that the paper does not have
                return
            (first, few), (second, more) = tried
            step = (len(convolutions(self.events)) - len(convolutions(few))) / (len(convolutions(more)) - len(convolutions(few)))
            for number in {math.floor(step), math.ceil(step)}:
                yield {**width, word: first + max(0, number) * (second - first)}

    def growth(self) -> int:
        """How many maps most of the largest convolutions give, as all layers of a DenseNet do."""
        widths = Counter(event.shape[0] for event in convolutions(self.events) if event.kernel != 1)
        return next((width for width, _ in widths.most_common(1)), 1)


@functools.cache
def families() -> list[list[str]]:
    """The registered networks that share a table and its words, and are told apart by the values of these."""
    found: dict[object, list[str]] = {}
    for name in registry.names():
        paper, network = facts_of(name)
        fixed = sorted((word, repr(value)) for word, value in network.fixed.items())
        found.setdefault((paper.id, network.table or name, *fixed, *network.given), []).append(name)
    return list(found.values())


def expanded(network: Network) -> tuple[Step, ...]:
    """What its paper asks of it; nothing where the paper has no such network."""
    try:
        return steps_of(network.name, **network.options)
    except UsageError:
        return ()


def convolutions(operators: Sequence[Operator]) -> list[Operator]:
    return [one for one in operators if one.op == "conv"]


def stages(operators: Sequence[Operator]) -> list[int]:
    """How many 3×3 convolutions there are for every size of map, the largest first."""
    return list(Counter(one.shape[1:] for one in convolutions(operators) if one.kernel == 3).values())


def fingerprints(operators: Sequence[Operator]) -> Counter[tuple[object, ...]]:
    """How often there is each kind of operator, and each behind each kind; those that may be written in many ways are left out."""
    found: Counter[tuple[object, ...]] = Counter()
    for one in operators:
        if one.op in COUNTED:
            before = operators[one.inputs[0]].op if one.inputs and one.inputs[0] >= 0 else ""
            kind = (one.op, one.shape[0] if one.op in WIDE else None, one.kernel, one.stride, one.factor)
            found.update([kind, (before, *kind)])
    return found


def in_common(some: Counter[tuple[object, ...]], others: Counter[tuple[object, ...]]) -> float:
    """The share of operators that two runs have in common."""
    return 2 * (some & others).total() / max(some.total() + others.total(), 1)
