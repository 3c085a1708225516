"""Holds anybody's module against a network of a paper. Numbers decide: no name and no structure is asked for."""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from etude.errors import UsageError
from etude.explain.findings import Finding, in_english
from etude.explain.graph import whole_output
from etude.operator import Shape
from etude.papers import Step
from etude.targets.opening import in_hand
from etude.values import write_call
from etude.verification.align import Alignment, align, choices_in_words, last_of_table, run_table
from etude.verification.departures import MOST_NAMES, Departure, departures
from etude.verification.facts import ends_of, facts_of, steps_at, steps_of
from etude.verification.invariants import (
    Invariants,
    active_dropouts,
    asleep_without,
    batch_statistics,
    computed,
    cut,
    frozen,
    in_half_precision,
    never_used,
    of_the_batch,
    overwritten,
    running_statistics,
    unreached,
    without_statistics,
    wrongly_updated,
)
from etude.verification.limited import is_out_of_memory
from etude.verification.limits import SMALL_SIDE, images_for
from etude.verification.normal import normal
from etude.verification.prepare import (
    bare,
    copied,
    eagerly,
    in_its_type,
    in_mode,
    noise_for,
    on_the_processor,
    plain_tensors,
    register_listed,
    register_tensors,
    without_graph,
)
from etude.verification.running import Run, Stopped, first_run, images_to_try, in_both_modes, without_batch
from etude.verification.statistics import find_statistics
from etude.verification.trace import EQUAL, Trace, difference, gradients_differ, ran, randomise, same_numbers, traced
from etude.verification.variants import far_from, variant_of
from etude.verification.verdict import Level, State, Verification, Word
from etude.wording import size

NOT_COPIED = "it cannot be copied, and would be changed: give its class, a function that makes it, or FILE.py:NAME"
UNREGISTERED = "it seems to use layers or weights that are not registered with it, which neither `.double()` nor an optimiser reaches"
RESIZING = {"interpolate", "upsample", "grid_sample"}  # which may do nothing to images of the size that they make
CIFAR_SIDE = 32
STRENGTHS = (1.0, 3.0, 10.0, 30.0)  # of the images, one after the other


def verify(
    module: nn.Module | Callable[[], nn.Module],
    against: str,
    *,
    input_shape: tuple[int, int, int] | None = None,
    target: str = "",
    trained: bool = False,
    **options: Any,
) -> Verification:
    """Hold `module`, or what a class or a function makes, against a registered network, built with `options`; the module stays as it is.

    against      its name, such as "resnet50"
    input_shape  (channels, height, width) of an image; else the network's own, or where the module does not take it, a usual one
    target       what to call the module in the report
    trained      whether its weights are no longer those it began with, so that nothing is asked of these
    The code of the module runs in this process; `etude.verification.apart` runs it in one of its own.
    Another number of classes than the network's own is an option of it, unless `options` say how many there are.
    Raises       UsageError for an unknown network, or an option that its paper's table does not have
    """
    steps = steps_of(against, **options)
    own = in_hand(module)
    with torch.random.fork_rng(devices=[]), default_dtype(torch.float32), eagerly():
        if (copy := copied(own)) is module:
            return Verification(target or type(own).__name__, write_call(against, options), "could not judge", NOT_COPIED, ())
        bared = on_the_processor(bare(copy))
        return Judge(bared, against, options, steps, input_shape, target or type(bared).__name__, trained).report()


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class CannotJudge(Exception):
    """The module does not run, so that nothing can be said about what it computes."""


class Departs(Exception):
    """The module runs, and departs from the table at these places; `sentence` is the sum of it."""

    def __init__(self, *where: Departure, sentence: str = "") -> None:
        super().__init__(sentence or where[0].sentence)
        self.where = where


class Judge:
    """One verification in progress; every level adds its evidence."""

    def __init__(
        self,
        module: nn.Module,
        against: str,
        options: dict[str, Any],
        steps: tuple[Step, ...],
        input_shape: tuple[int, int, int] | None,
        target: str,
        trained: bool,
    ) -> None:
        self.trained = trained
        self.module, self.against, self.options, self.steps, self.target = module, against, options, steps, target
        self.paper, self.network = facts_of(against)
        self.called = write_call(against, options)
        self.asked = input_shape
        self.shape = input_shape or self.network.input
        self.own_input = self.shape == self.network.input
        self.fits = True  # whether the steps are for that size of image
        self.adapted: tuple[str, ...] = ()
        self.slips: list[Departure] = []
        self.levels: list[Level] = []
        self.choices: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.parameters = 0
        self.initial: dict[int, Tensor] = {}
        self.plain: set[int] = set()  # ids of tensors that it had not registered
        self.before: dict[str, Tensor] = {}  # its parameters when they had been changed, and forward had not run yet
        self.names: list[tuple[str, Any]] = []  # of the operators of its run on an image of its own size, with their paddings
        self.traced: Trace | None = None
        self.variant = ""

    @property
    def whose(self) -> str:
        """Who asks for the table: the paper, or a named variant of its network."""
        return self.against if self.network.kind == "departs" else "the paper"

    def report(self) -> Verification:
        try:
            self.runs()
            self.stages(self.counts())
            trace, found = self.operators()
            self.invariants(trace, found, *self.same_function(trace, found))
        except CannotJudge as error:
            return self.finished("could not judge", str(error))
        except UsageError:
            raise
        except Departs as error:
            also = "; it " if str(error).startswith("departs") else ": "
            sentence = f"it is {self.variant}{also}{error}" if self.variant else str(error)
            return self.finished("departs", sentence, error.where, self.variant)
        except Exception as error:  # code that runs once and not twice, say
            if is_out_of_memory(error):
                raise
            why = next(iter(str(error).strip().splitlines()), "")
            said = f"while it was checked, it raised {type(error).__name__}: {why}"
            mixed = "Double" in why and "Float" in why  # it was made one of float64
            return self.finished("could not judge", f"{said}; {UNREGISTERED}" if mixed else said)
        seen = f"all {len(self.steps):,} operators of {self.called}, outputs and gradients agree ({self.network.at})"
        return self.finished("departs" if self.slips else "faithful", f"but for that, {seen}" if self.slips else seen)

    def finished(self, verdict: Word, sentence: str, where: Sequence[Departure] = (), variant: str = "") -> Verification:
        """The report; what stands in the way of a use that the run does not show comes first."""
        known = {level.id for level in self.levels}
        levels = (*self.levels, *(Level(id_, title, "n/a", ("not reached",)) for id_, title in TITLES.items() if id_ not in known))
        slips = self.slips if verdict == "departs" else []
        said = f"it {sentence}" if slips and sentence.startswith("departs") else sentence
        sentence = "; ".join((*(slip.sentence for slip in slips), said))
        places = tuple((one.place, one.sentence) for one in (*slips, *where))
        first = next((one for one in (*slips, *where) if one.place or one.line), Departure("", ""))
        return Verification(
            self.target,
            self.called,
            verdict,
            sentence,
            levels,
            first.place,
            first.line,
            variant,
            self.choices,
            self.adapted,
            self.notes,
            places,
            parameters=self.parameters,
            yours=tuple(one.yours for one in (*slips, *where)),
        )

    def level(self, id_: str, state: State, *evidence: str) -> None:
        self.levels.append(Level(id_, TITLES[id_], state, evidence))

    # ── L0: it runs ──────────────────────────────────────────────────────────────────────────────────────────────────

    def runs(self) -> None:
        """Eval mode on one, two and three images, training mode on two and four, and a step of training."""
        listed, plain = register_listed(self.module), plain_tensors(self.module)
        self.module.eval()
        try:
            images = images_to_try(self.network.input) if self.asked is None else [self.asked]
            run = first_run(self.module, images, self.steps[-1].shape[0])  # lazy layers are made now
            hidden, self.plain = register_tensors(plain)  # what the run has not put others in the place of
            self.initial = {id(parameter): parameter.detach().clone() for parameter in self.module.parameters()}
            in_both_modes(self.module, run, copied(self.module))
        except Stopped as error:
            self.level("L0", "fail", str(error))
            raise (Departs(Departure("", str(error))) if error.certain else CannotJudge(str(error))) from error
        self.adapt(run)
        self.notes = (*frozen(self.module), *in_half_precision(self.module), *without_batch(self.module, run))
        if listed:
            self.slips.append(Departure("", in_english(Finding("hidden_layers", {"names": ", ".join(listed)}))))
        if hidden:
            self.slips.append(Departure("", in_english(Finding("hidden_weights", {"names": ", ".join(hidden)}))))
        self.level("L0", "pass", f"on {size(run.image)}: eval mode on 1, 2 and 3 images, training mode on 2 and 4, one step of SGD")

    def adapt(self, run: Run) -> None:
        """Take the table for the image and the number of classes that were found."""
        own, classes, self.shape = self.network.input, self.steps[-1].shape[0], run.image
        if run.classes != classes and "classes" not in self.options:
            self.options = {**self.options, "classes": run.classes}
            self.adapted += (f"{run.classes} classes in place of {classes}",)
        self.own_input = self.shape == own
        if not self.own_input:
            self.adapted += (f"images of {size(self.shape)} in place of {size(own)}",)
        if self.asked is None and self.shape[0] != own[0]:
            stop = next((stop for stop in run.before if stop.at_the_image), run.before[0])
            self.slips.append(Departure(self.steps[0].path, f"on images of {size(own)} it does not run: {stop}"))
        if self.adapted:
            self.expand()

    def expand(self) -> None:
        try:
            self.steps = steps_at(self.against, self.shape, self.options)
        except UsageError as error:  # the table has larger kernels than such an image has pixels
            if self.asked:
                raise CannotJudge(str(error)) from error
            self.steps, self.fits = steps_of(self.against, **self.options), False

    # ── L1, L2: counts and shapes ────────────────────────────────────────────────────────────────────────────────────

    def counts(self) -> Trace:
        """Parameters and multiply-adds."""
        model, counter = in_mode(copied(self.module), training=False), FlopCounterMode(display=False)  # which asks for what has gradients

        def counted(image: Tensor) -> Any:
            with counter:
                return model(image)

        with without_graph(model), torch.no_grad():
            run = ran(model, noise_for(model, 1, self.shape), counted)
        self.names = names_of(run)
        products = [step for step in self.steps if step.op in ("conv", "linear")]
        parameters = list(self.module.parameters())
        self.parameters = sum(p.numel() for p in parameters)
        counts = [
            ("parameters", self.parameters, sum(step.parameters for step in self.steps)),
            (
                "weights without biases and BN",
                sum(p.numel() for p in parameters if p.dim() > 1),
                sum(step.parameters - step.bias * step.shape[0] for step in products),
            ),
        ]
        if self.fits:
            counts.append(("MACs", counter.get_total_flops() // 2, sum(step.macs for step in self.steps if not step.side)))
        lines = [f"{what}: {found:,}, the table has {expected:,}" for what, found, expected in counts]
        same = all(found == expected for what, found, expected in counts if what != "weights without biases and BN")
        self.level("L1", "pass" if same else "fail", *lines)
        return run

    def stages(self, run: Trace) -> None:
        """The output sizes that the paper's table prints, one after the other."""
        printed = self.paper.tables[self.network.table].stages if self.network.table else ()
        if not printed or not self.own_input:
            self.level("L2", "n/a", "the source prints no sizes" if not printed else "the table is for another size of image")
            return
        shapes, position = [event.shape for event in run.events], 0
        for stage in printed:
            output = stage.output if stage.place != "fc" else (self.steps[-1].shape[0],)
            place = next((i for i in range(position, len(shapes)) if shapes[i][-len(output) :] == output), None)
            if place is None:
                self.level("L2", "fail", f"no {size(output)} of {stage.place} behind {size(shapes[position])}")
                return
            position = place
        self.level("L2", "pass", f"{len(printed)} sizes in order, {printed[0].place} to {printed[-1].place}")

    # ── L3: every operator ───────────────────────────────────────────────────────────────────────────────────────────

    def operators(self) -> tuple[Trace, Alignment]:
        """Every operator of the table with weights of the module, on numbers that leave nothing hidden."""
        torch.set_default_dtype(torch.float64)
        self.module.double()
        self.images = self.random_images()
        liven(self.module, self.images, self.call(self.module))
        self.before = snapshot(self.module.named_parameters())
        self.traced = trace = in_training(self.module, self.images, self.call(self.module))
        if trace.chance and all(event.operands for event in trace.events if event.op in ("conv", "linear")):  # else layers are made anew
            if any(step.op == "dropout" for step in self.steps):
                raise CannotJudge(
                    "in training mode it draws random numbers of its own, where the table has a dropout; nn.Dropout can be followed"
                )
            said = f"in training mode it draws random numbers of its own, and {self.whose} has none but a dropout's"
            self.level("L3", "fail", said)
            raise Departs(Departure("", said))
        found = align(self.steps, trace, self.module)
        if found.reached < len(self.steps):
            raise self.departs(found)
        if where := list(computed(self.steps, found, trace, self.module)):
            self.level("L3", "fail", *(one.sentence for one in where))
            raise Departs(*where, sentence="; ".join(one.sentence for one in where[:MOST_NAMES]))
        ends = ends_of(self.steps)
        found.values = [values if index in ends else [] for index, values in enumerate(found.values)]  # the others are in no one's way
        if self.network.kind != "departs":
            self.choices = tuple(choices_in_words(self.steps, found))
        self.level("L3", "pass", f"{len(self.steps):,} operators, in the order of the table along every path")
        return trace, found

    def departs(self, found: Alignment) -> Departs:
        """All departures, and what must hold of any module."""
        if self.traced:
            self.variant = variant_of(self.against, self.options, self.module, self.traced)
        if self.variant and (said := far_from(self.variant, self.steps, self.options)):
            self.level("L3", "fail", said)
            return Departs(Departure("", said))
        self.module.train()
        trace = traced(self.module, self.images.clone(), self.call(self.module), keep=True, like=self.traced)
        if trace.lost or trace.hidden:
            raise self.not_followed(
                f"{trace.lost[0]} cannot be followed back to the image" if trace.lost else f"{trace.hidden[0]} cannot be followed"
            )
        trace = normal(trace, sums=found.sums) if found.normal else trace
        all_ = departures(self.steps, trace, found, self.module, self.whose)
        if not all_.each:
            raise CannotJudge("what departed in one run did not in the next")
        idle = unreached(self.module, trace)
        del trace  # before the next run, which needs as much memory
        with torch.no_grad():
            evaluated = ran(in_mode(self.module, training=False), self.images.clone(), self.module)
        unused = [Departure("", f"{never_used(idle)} ({self.network.at})")] if idle else []
        broken = [*unused, *active_dropouts(evaluated), *batch_statistics(evaluated, self.steps, found)]
        shown = self.variant or not self.as_many_numbers(idle)  # another network of ours, or one that learns other numbers
        hidden = f"{all_.hidden} cannot be followed" if all_.hidden and not shown else ""
        if hidden and not broken:
            raise CannotJudge(hidden)
        among = f", and {all_.more:,} more run" if all_.more else ""
        self.level("L3", "fail", hidden or f"{all_.agreed:,} of {len(self.steps):,} operators agree{among}")
        self.level("L4", "n/a", "not reached" if hidden else "it is another function")
        lines = [one.sentence for one in broken] or ["every parameter is used, and no dropout is active in eval mode"]
        self.level("L5", "fail" if broken else "pass", *lines)
        what, where = (hidden, ()) if hidden else (all_.sentence, all_.each)
        return Departs(*where, *broken, sentence="; ".join([what, *(one.sentence for one in broken)]))

    def not_followed(self, why: str) -> Exception:
        """What to say of a run that was not seen: that it learns other numbers than the table has, where it does, and no more."""
        numbers = sum(step.parameters for step in self.steps)
        if self.parameters == numbers:
            return CannotJudge(why)
        return Departs(Departure("", f"it learns {self.parameters:,} numbers, and {self.whose} has {numbers:,}; {why}"))

    def as_many_numbers(self, unused: Mapping[str, nn.Parameter]) -> bool:
        """Whether as many are learned and used as in the table: they are where its function is computed, in whatever form."""
        numbers = sum(own.numel() for name, own in self.module.named_parameters() if name not in unused)
        return numbers == sum(step.parameters for step in self.steps)

    def random_images(self) -> Tensor:
        """Noise as large as the network's own images, and at most 64×64 where the module does with those what it does with its own."""
        torch.manual_seed(0)
        side = min(SMALL_SIDE, *self.network.input[1:])
        if self.shape[1:] != (side, side):
            small = noise(4, (self.shape[0], side, side))
            with contextlib.suppress(Exception), torch.no_grad(), in_its_type():
                steps_at(self.against, (self.shape[0], side, side), self.options)  # the table takes it too
                model = in_mode(copied(self.module), training=True)
                ran(model, small.clone(), self.call(model))  # which heads may be too large for
                model = in_mode(model, training=False)
                names = names_of(ran(model, small.clone(), model))
                if names == self.names and not RESIZING.intersection(name for name, _ in names):
                    return small
        return noise(images_for(self.steps, min(self.shape[1:])), self.shape)

    def call(self, module: nn.Module) -> Callable[[Tensor], Any]:
        """What gives logits and, where the network has auxiliary heads, theirs."""
        return whole_output(module) if any(step.side for step in self.steps) else module

    # ── L4: the same function ────────────────────────────────────────────────────────────────────────────────────────

    def same_function(self, trace: Trace, found: Alignment) -> tuple[Trace, frozenset[int]]:
        """Outputs and gradients in training mode, outputs in eval mode. Gives the run in eval mode, and whom no gradient reaches."""
        images = self.images.clone().requires_grad_()
        trained = ran(in_mode(self.module, training=True), images.clone(), self.call(self.module))
        copy_ = self.images.clone().requires_grad_()
        ours = run_table(self.steps, found, copy_, training=True)
        pairs = []
        for index in ends_of(self.steps):
            match = next((out for out in trained.outputs if same_numbers(out, ours[index])), None)
            if match is None:
                self.level("L4", "fail", f"{self.steps[index].path} is not among what forward returns")
                raise Departs(self.returned(index, trace, found))
            pairs.append((match.reshape(ours[index].shape), ours[index]))
        gradients, cold = gradients_differ(self.module, pairs, images, copy_)
        asleep = list(asleep_without(self.module, self.call(self.module), self.images, cold))
        self.module.eval()
        given, kept = self.images.clone(), snapshot((name, own) for name, own in self.module.named_buffers() if id(own) not in self.plain)
        with torch.no_grad():
            evaluated = ran(self.module, given, self.module)
            in_eval = self.in_eval(evaluated, found)
            if in_eval > EQUAL:
                find_statistics(self.steps, found, traced(self.module, self.images.clone(), self.call(self.module)), self.module)
                in_eval = self.in_eval(evaluated, found)
            if unkept := without_statistics(self.steps, found):
                raise self.of_the_batch(unkept, evaluated, found, pairs[-1][0])
        lines = (
            f"training mode: outputs differ by {max(difference(a, b) for a, b in pairs):.0e}, gradients by {gradients:.0e}",
            f"eval mode: outputs differ by {in_eval:.0e} (largest relative difference, float64)",
        )
        if not (gradients <= EQUAL and in_eval <= EQUAL):  # one may be no number
            mode = "eval mode" if in_eval > EQUAL else "its gradients"
            self.level("L4", "fail", *lines)
            why = list(cut(trained))
            if in_eval > EQUAL:
                why = [*batch_statistics(evaluated, self.steps, found), *active_dropouts(evaluated)] or list(self.apart_in_eval(found))
            raise Departs(*why or [Departure("", f"it computes the table's function in training mode, and another in {mode}")])
        if asleep:
            self.level("L4", "fail", *lines, *(one.sentence for one in asleep))
            raise Departs(*asleep)
        self.at_its_own_size(found)
        if written := list(overwritten(self.module, self.before, kept)):
            self.level("L4", "fail", *lines, *(one.sentence for one in written))
            raise Departs(*written)
        if not torch.equal(given, self.images):
            self.notes += ("forward overwrites the images that it is given; it may work on `x.clone()`",)
        self.level("L4", "pass", *lines)
        return evaluated, cold

    def in_eval(self, evaluated: Trace, found: Alignment) -> float:
        """How far the outputs in eval mode are from the table's; infinitely, where it has not all the running statistics that it needs."""
        if without_statistics(self.steps, found):
            return math.inf
        return apart(evaluated, last_of_table(self.steps, found, self.images))

    @torch.no_grad()
    def apart_in_eval(self, found: Alignment) -> Iterator[Departure]:
        """The first operator behind which a run in eval mode gives nothing that the table does, or what follows the last."""
        run = traced(self.module, self.images.clone(), self.module)
        results = run_table(self.steps, found, self.images, training=False)
        trunk = [(i, step) for i, step in enumerate(self.steps) if not step.side]
        behind: dict[int, bool] = {}  # whether anything of what follows from a result is seen, itself included
        for i, step in reversed(trunk):
            behind[i] = behind.get(i, False) or run.has(results[i])
            for before in step.inputs:
                behind[before] = behind.get(before, False) or behind[i]
        last = self.steps[-1]
        if first := next((step for i, step in trunk if not behind[i]), None):
            yield Departure(first.path, f"in eval mode it departs at {first.path}, and in training mode it does not ({first.at})")
        else:
            places = {place for place, _ in run.find(results[len(self.steps) - 1])}
            follows = [event.name for event in run.events if places.intersection(event.inputs)]
            if follows:
                yield Departure(last.path, f"in eval mode {follows[0]} follows {last.path}, where {self.whose}'s network ends ({last.at})")

    @torch.no_grad()
    def at_its_own_size(self, found: Alignment) -> None:
        """Raises Departs where a module of larger images, compared on small ones, computes something else on one of its own size."""
        if self.images.shape[1:] != self.shape and self.fits:
            image = noise(1, self.shape)
            logits = last_of_table(self.steps, found, image)
            if apart(ran(self.module, image.clone(), self.module), logits) > EQUAL:
                small, large = size(tuple(self.images.shape[1:])), size(self.shape)
                said = f"on images of {small} it computes the table's function, and another one on images of {large}"
                self.level("L4", "fail", said)
                raise Departs(Departure("", said))

    def of_the_batch(self, places: list[str], evaluated: Trace, found: Alignment, trained: Tensor) -> Exception:
        """What to say where no running statistics were found: that the batch's are taken in eval mode too, where that is seen."""
        self.level("L4", "fail", f"no running statistics of {places[0]}")
        why = list(batch_statistics(evaluated, self.steps, found))
        if not why and same_numbers(evaluated.outputs[0], trained):
            why = list(of_the_batch(places[0], places, kept=False))
        return Departs(*why) if why else CannotJudge(f"what {places[0]} normalises with in eval mode cannot be followed")

    def returned(self, index: int, trace: Trace, found: Alignment) -> Departure:
        """What happens to the result of an end of the table before it is returned."""
        step = self.steps[index]
        places = [place for value in found.values[index] for place, _ in trace.find(value.tensor)]
        behind = [event.name for event in trace.events if set(event.inputs) & set(places)]
        what = f"{behind[0]} follows {step.path}" if behind else f"the result of {step.path} is not returned"
        return Departure(step.path, f"{what}; the network ends there ({step.at})")

    # ── L5: what must hold ───────────────────────────────────────────────────────────────────────────────────────────

    def invariants(self, trace: Trace, found: Alignment, evaluated: Trace, cold: frozenset[int]) -> None:
        """Every parameter takes part, dropout stands where the paper has it and only in training, initial values."""
        words = {} if self.trained else {**self.network.given, **self.options}
        initial = {} if self.trained else self.initial
        shown = Invariants(self.steps, found, self.network.at, self.whose, words, trace, evaluated, initial, cold)
        if problems := shown.broken(self.module):
            self.level("L5", "fail", *(problem.sentence for problem in problems))
            raise Departs(problems[0])
        statistics = list(running_statistics(self.steps, found, self.module, self.images, lambda own, images: self.call(own)(images)))
        if astray := list(wrongly_updated(statistics)):
            self.level("L5", "fail", *(one.sentence for one in astray))
            raise Departs(*astray)
        shortcuts = sum(step.op == "add" for step in self.steps)
        learned = "every parameter" if all(own.requires_grad for own in self.module.parameters()) else "every parameter that is not frozen"
        lines = [f"{learned} receives a gradient", "dropout and BN differ between training and eval as in the table"]
        if shortcuts:
            lines.append(f"{shortcuts} additions with the table's shortcuts, by equal numbers")
        self.level("L5", "pass", *lines)
        if initial and shown.drawn_by_default():
            self.notes += tuple(self.starts_otherwise())

    def starts_otherwise(self) -> Iterator[str]:
        """What the paper says of first weights that are left to torch, as a remark."""
        fact = self.paper.facts.get(f"recipe_{'cifar' if self.network.input[1] == CIFAR_SIDE else 'imagenet'}_initialisation")
        if fact and self.network.kind != "departs":
            said = f"the paper has the initialisation of {fact.value} ({fact.at})"
            yield f"the convolutions start as torch draws them by default; {said}"


def liven(module: nn.Module, images: Tensor, call: Callable[[Tensor], Any]) -> None:
    """Give a module weights that leave nothing hidden."""
    with without_graph(in_mode(module, training=True)):
        randomise(module, ran(module, images.clone(), call))


def in_training(module: nn.Module, images: Tensor, call: Callable[[Tensor], Any]) -> Trace:
    """The trace of a module in training mode, with signatures."""
    with without_graph(in_mode(module, training=True)):
        return traced(module, images.clone(), call)


def names_of(run: Trace) -> list[tuple[str, Any]]:
    """Of the operators that work on what comes from the images, with their paddings."""
    return [(event.name, event.padding) for event in run.events if event.inputs]


def apart(run: Trace, logits: Tensor) -> float:
    """How far that output of a run is from the table's which is nearest."""
    alike = [out.reshape(logits.shape) for out in run.outputs if out.numel() == logits.numel()]
    return min((difference(out, logits) for out in alike), default=math.inf)


def snapshot(tensors: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors}


def noise(count: int, shape: Shape) -> Tensor:
    """Random images, some of them strong, so that an activation with a ceiling is another one."""
    return torch.randn(count, *shape) * torch.tensor(STRENGTHS).repeat(count)[:count].view(count, 1, 1, 1)


TITLES = {
    "L0": "it runs",
    "L1": "counts",
    "L2": "sizes",
    "L3": "operators",
    "L4": "the same function",
    "L5": "what must hold",
}
