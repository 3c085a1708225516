"""Holds anybody's module against a network of a paper. Numbers decide: no name and no structure is asked for."""

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from etude.errors import UsageError
from etude.explain.graph import tensors_in
from etude.models import registry
from etude.papers import Step
from etude.verify.align import Alignment, align
from etude.verify.diagnose import Departure, departure
from etude.verify.facts import facts_of, steps_of
from etude.verify.interpret import Choice, Weights, compute
from etude.verify.report import Level, Report, State
from etude.verify.trace import Trace, traced
from etude.verify.variants import siblings

EQUAL = 1e-6  # largest relative difference in float64
SMALL_SIDE = 64


def verify(
    module: nn.Module,
    against: str,
    *,
    input_shape: tuple[int, int, int] | None = None,
    target: str = "",
    **options: Any,
) -> Report:
    """Hold `module` against a registered network, built with `options`; the module stays as it is.

    against      its name, such as "resnet50"
    input_shape  (channels, height, width) of an image, where it is not the network's own
    target       what to call the module in the report
    The code of the module runs in this process; `etude.verify.apart` runs it in one of its own.
    Raises       UsageError for an unknown network, or an option that its paper's table does not have
    """
    steps = steps_of(against, **options)
    target = target or type(module).__name__
    with torch.random.fork_rng(devices=[]), default_dtype(torch.float32):
        return Judge(copied(module), against, options, steps, input_shape, target).report()


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def copied(module: nn.Module) -> nn.Module:
    """A copy to work on. A module that cannot be copied is worked on itself."""
    try:
        return copy.deepcopy(module)
    except Exception:
        return module


class CannotJudge(Exception):
    """The module does not run, so that nothing can be said about what it computes."""


class Departs(Exception):
    """The module runs, and departs from the table at `departure`."""

    def __init__(self, where: Departure) -> None:
        super().__init__(where.sentence)
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
    ) -> None:
        self.module, self.against, self.options, self.steps, self.target = module, against, options, steps, target
        self.paper, self.network = facts_of(against)
        self.own_input = input_shape is None or input_shape == self.network.input
        self.shape = input_shape or self.network.input
        self.levels: list[Level] = []
        self.choices: tuple[str, ...] = ()

    @property
    def called(self) -> str:
        given = ", ".join(f"{word}={value}" for word, value in self.options.items())
        return f"{self.against}({given})" if given else self.against

    @property
    def whose(self) -> str:
        """Who asks for the table: the paper, or a named variant of its network."""
        return self.against if self.network.kind == "departs" else "the paper"

    def report(self) -> Report:
        try:
            self.runs()
            self.stages(self.counts())
            trace, found = self.operators()
            self.same_function(trace, found)
            self.invariants(found)
        except CannotJudge as error:
            return self.finished("could not judge", str(error))
        except UsageError:
            raise
        except Departs as error:
            variant = self.variant()
            sentence = f"{error.where.sentence}; it is {variant}" if variant else error.where.sentence
            return self.finished("departs", sentence, error.where.place, variant)
        except Exception as error:  # code that runs once and not twice, say
            why = next(iter(str(error).strip().splitlines()), "")
            return self.finished("could not judge", f"while it was checked, it raised {type(error).__name__}: {why}")
        seen = f"all {len(self.steps):,} operators of {self.called}, outputs and gradients agree ({self.network.at})"
        return self.finished("faithful", seen)

    def finished(self, verdict: Any, sentence: str, place: str = "", variant: str = "") -> Report:
        known = {level.id for level in self.levels}
        missing = [Level(id_, title, "n/a", ("not reached",)) for id_, title in TITLES.items() if id_ not in known]
        return Report(self.target, self.called, verdict, sentence, (*self.levels, *missing), place, variant, self.choices)

    def level(self, id_: str, state: State, *evidence: str) -> None:
        self.levels.append(Level(id_, TITLES[id_], state, evidence))

    # ── L0: it runs ──────────────────────────────────────────────────────────────────────────────────────────────────

    def runs(self) -> None:
        """Eval mode on one, two and three images, training mode on two and four, and a step of training."""
        self.initial = {}
        try:
            self.module.eval()
            with torch.no_grad():
                self.module(torch.randn(2, *self.shape))  # lazy layers are made now
            self.initial = {id(parameter): parameter.detach().clone() for parameter in self.module.parameters()}
            for images in (1, 3):
                with torch.no_grad():
                    self.logits(self.module, images)
            trained = copied(self.module).train()
            self.logits(trained, 4)
            out = self.logits(trained, 2)
            loss = F.cross_entropy(out, torch.zeros(2, dtype=torch.int64))
            optimizer = torch.optim.SGD(trained.parameters(), lr=1e-3)
            loss.backward()
            optimizer.step()
        except CannotJudge as error:
            self.level("L0", "fail", str(error))
            raise
        except Exception as error:
            why = next(iter(str(error).strip().splitlines()), "")
            sentence = f"it does not run on {'×'.join(map(str, self.shape))}: {type(error).__name__}: {why}"
            self.level("L0", "fail", sentence)
            raise CannotJudge(sentence) from error
        self.level("L0", "pass", "eval mode on 1, 2 and 3 images, training mode on 2 and 4, one step of SGD")

    def logits(self, module: nn.Module, images: int) -> Tensor:
        """The first output, N×classes."""
        result = module(torch.randn(images, *self.shape))
        first = next(tensors_in(result if not isinstance(result, dict) else tuple(result.values())), None)
        if first is None:
            raise CannotJudge(f"forward returns a {type(result).__name__} that holds no tensor; expected {images}×classes")
        if first.numel() != images * self.steps[-1].shape[0]:
            wanted = f"{images}×{self.steps[-1].shape[0]}"
            raise CannotJudge(f"forward returns {'×'.join(map(str, first.shape))} for {images} images, expected {wanted}")
        return first.reshape(images, -1)

    # ── L1, L2: counts and shapes ────────────────────────────────────────────────────────────────────────────────────

    def counts(self) -> Trace:
        """Parameters and multiply-adds."""
        model, images = copied(self.module).eval(), torch.randn(2, *self.shape)
        with torch.no_grad():
            ran = traced(model, images, model)
            with FlopCounterMode(display=False) as counter:
                model(images)
        products = [step for step in self.steps if step.op in ("conv", "linear")]
        parameters = list(self.module.parameters())
        counts = [
            ("parameters", sum(p.numel() for p in parameters), sum(step.parameters for step in self.steps)),
            (
                "weights without biases and BN",
                sum(p.numel() for p in parameters if p.dim() > 1),
                sum(step.parameters - step.bias * step.shape[0] for step in products),
            ),
        ]
        if self.own_input:  # the table's multiply-adds are for its own size of image
            counts.append(("MACs", counter.get_total_flops() // 4, sum(step.macs for step in self.steps if not step.side)))
        lines = [f"{what}: {found:,}, the table has {expected:,}" for what, found, expected in counts]
        same = all(found == expected for what, found, expected in counts if what != "weights without biases and BN")
        self.level("L1", "pass" if same else "fail", *lines)
        return ran

    def stages(self, ran: Trace) -> None:
        """The output sizes that the paper's table prints, one after the other."""
        printed = self.paper.tables[self.network.table].stages if self.network.table else ()
        if not printed or not self.own_input:
            self.level("L2", "n/a", "the source prints no sizes" if not printed else "the table is for another size of image")
            return
        shapes, position = [event.shape for event in ran.events], 0
        for stage in printed:
            output = stage.output if stage.place != "fc" else (self.steps[-1].shape[0],)
            place = next((i for i in range(position, len(shapes)) if shapes[i][-len(output) :] == output), None)
            if place is None:
                size = "×".join(map(str, output))
                self.level("L2", "fail", f"no {size} of {stage.place} behind {'×'.join(map(str, shapes[position]))}")
                return
            position = place
        self.level("L2", "pass", f"{len(printed)} sizes in order, {printed[0].place} to {printed[-1].place}")

    # ── L3: every operator ───────────────────────────────────────────────────────────────────────────────────────────

    def operators(self) -> tuple[Trace, Alignment]:
        """Every operator of the table with weights of the module, on numbers that leave nothing hidden."""
        torch.set_default_dtype(torch.float64)
        self.module.double()
        self.images = self.random_images()
        with torch.no_grad():
            first = self.trace(self.module.train())
            randomise(self.module, first)
            self.traced = self.trace(self.module.train())
        found = align(self.steps, self.traced, self.module)
        if found.reached < len(self.steps):
            where = departure(self.steps, self.traced, found, self.module, self.whose)
            self.level("L3", "fail", where.sentence, f"{found.reached:,} of {len(self.steps):,} operators agree before it")
            raise Departs(where)
        self.choices = tuple(choices_in_words(self.steps, found))
        self.level("L3", "pass", f"{len(self.steps):,} operators, in the order of the table along every path")
        return self.traced, found

    def random_images(self) -> Tensor:
        """Signed noise; of a smaller side than ImageNet's where the module takes it, for the numbers do not change with it."""
        torch.manual_seed(0)
        if min(self.shape[1:]) > 2 * SMALL_SIDE and self.own_input:
            small = torch.randn(4, self.shape[0], SMALL_SIDE, SMALL_SIDE)
            with contextlib.suppress(Exception), torch.no_grad():
                self.call(copied(self.module).train())(small)
                return small
        return torch.randn(4 if min(self.shape[1:]) <= SMALL_SIDE else 2, *self.shape)

    def call(self, module: nn.Module) -> Callable[[Tensor], Any]:
        """What gives logits and, where the network has auxiliary heads, theirs."""
        heads = any(step.side for step in self.steps)
        return module.outputs if heads and callable(getattr(module, "outputs", None)) else module  # type: ignore[return-value]

    def trace(self, module: nn.Module) -> Trace:
        images = self.images.clone()
        return traced(module, images, self.call(module))

    # ── L4: the same function ────────────────────────────────────────────────────────────────────────────────────────

    def same_function(self, trace: Trace, found: Alignment) -> None:
        """Outputs and gradients in training mode, outputs in eval mode."""
        ends = ends_of(self.steps)
        images = self.images.clone().requires_grad_()
        theirs = traced(self.module.train(), images, self.call(self.module)).outputs
        copy_ = self.images.clone().requires_grad_()
        ours = run_table(self.steps, found, copy_, training=True)
        pairs = []
        for index in ends:
            match = next(
                (out for out in theirs if out.numel() == ours[index].numel() and close(out.reshape(ours[index].shape), ours[index])), None
            )
            if match is None:
                self.level("L4", "fail", f"{self.steps[index].path} is not among what forward returns")
                raise Departs(self.returned(index, trace, found))
            pairs.append((match.reshape(ours[index].shape), ours[index]))
        gradients = self.gradients(pairs, images, copy_)
        self.module.eval()
        with torch.no_grad():
            evaluated = traced(self.module, self.images.clone(), self.module)
            logits = run_table(self.steps, found, self.images, training=False)[len(self.steps) - 1]
        first = evaluated.outputs[0].reshape(logits.shape)
        in_eval = difference(first, logits)
        lines = (
            f"training mode: outputs differ by {max(difference(a, b) for a, b in pairs):.0e}, gradients by {gradients:.0e}",
            f"eval mode: outputs differ by {in_eval:.0e} (largest relative difference, float64)",
        )
        if gradients > EQUAL or in_eval > EQUAL:
            mode = "eval mode" if in_eval > EQUAL else "its gradients"
            self.level("L4", "fail", *lines)
            raise Departs(Departure("", f"it computes the table's function in training mode, and another in {mode}"))
        self.evaluated = evaluated
        self.level("L4", "pass", *lines)

    def gradients(self, pairs: Sequence[tuple[Tensor, Tensor]], images: Tensor, copies: Tensor) -> float:
        """The largest relative difference of the gradients of images and parameters, for a random loss on all outputs."""
        parameters = [parameter for parameter in self.module.parameters() if parameter.requires_grad]
        losses = [torch.zeros(()), torch.zeros(())]
        for pair in pairs:
            weights = torch.randn(pair[0].shape)
            losses = [loss + (out * weights).sum() for loss, out in zip(losses, pair, strict=True)]
        theirs = torch.autograd.grad(losses[0], [images, *parameters], allow_unused=True)
        ours = torch.autograd.grad(losses[1], [copies, *parameters], allow_unused=True)
        self.cold = {id(p) for p, gradient in zip(parameters, theirs[1:], strict=True) if gradient is None or not gradient.any()}
        scale = max(gradient.abs().max().item() for gradient in ours if gradient is not None)
        both = [
            (a if a is not None else torch.zeros(()), b if b is not None else torch.zeros(())) for a, b in zip(theirs, ours, strict=True)
        ]
        return max((a - b).abs().max().item() for a, b in both) / scale

    def returned(self, index: int, trace: Trace, found: Alignment) -> Departure:
        """What happens to the result of an end of the table before it is returned."""
        step = self.steps[index]
        places = [place for value in found.values[index] for place, _ in trace.find(value.tensor)]
        behind = [event.name for event in trace.events if set(event.inputs) & set(places)]
        what = f"{behind[0]} follows {step.path}" if behind else f"the result of {step.path} is not returned"
        return Departure(step.path, f"{what}; the network ends there ({step.at})")

    # ── L5: what must hold ───────────────────────────────────────────────────────────────────────────────────────────

    def invariants(self, found: Alignment) -> None:
        """Every parameter takes part, dropout stands where the paper has it and only in training, initial values."""
        problems = [*self.unused(found), *self.dropouts(found), *self.initial_values(found)]
        if problems:
            self.level("L5", "fail", *(problem.sentence for problem in problems))
            raise Departs(problems[0])
        shortcuts = sum(step.op == "add" for step in self.steps)
        lines = ["every parameter receives a gradient", "dropout and BN differ between training and eval as in the table"]
        if shortcuts:
            lines.append(f"{shortcuts} additions with the table's shortcuts, by equal numbers")
        self.level("L5", "pass", *lines)

    def unused(self, found: Alignment) -> Iterator[Departure]:
        used = {use for binding in found.bindings.values() for use in binding.uses}
        for name, parameter in self.module.named_parameters():
            if id(parameter) not in used or id(parameter) in self.cold:
                shape = "×".join(map(str, parameter.shape))
                yield Departure("", f"your {name} ({shape}) is never used, and the table has no layer for it ({self.network.at})")

    def dropouts(self, found: Alignment) -> Iterator[Departure]:
        """Every dropout of the table, and no other, by what it works on and its share."""
        left = [dropout for dropout in self.traced.dropouts if dropout.share != 0]
        for index, step in enumerate(self.steps):
            if step.op == "dropout" and step.factor:
                match = next((d for d in left if d.share == step.factor and d.works_on(found.values[index][0].tensor)), None)
                if match:
                    left.remove(match)
                    continue
                shares = ", ".join(f"{share:g}" for share in sorted({dropout.share for dropout in left}))
                have = f"its dropouts have {shares}" if shares else "there is none"
                yield Departure(step.path, f"{step.path}: {self.whose} has a dropout of {step.factor:g} here; {have} ({step.at})")
        for dropout in left:
            index = next((i for i, values in enumerate(found.values) if dropout.works_on(values[0].tensor)), -1)
            after = next((step for step in self.steps if index in step.inputs and step.path), None)
            where = f"in front of {after.path}" if after else f"in your {dropout.path}"
            sentence = f"a {dropout.kind} of {dropout.share:g} stands {where}, where {self.whose} has none ({self.network.at})"
            yield Departure(after.path if after else "", sentence)
        if any(dropout.active and dropout.share for dropout in self.evaluated.dropouts):
            yield Departure("", "a dropout is active in eval mode")

    def initial_values(self, found: Alignment) -> Iterator[Departure]:
        """The gates' biases, which the paper fixes (Identity Mappings, section 3.1)."""
        bias = {**self.network.given, **self.options}.get("gate_bias")
        for index, step in enumerate(self.steps):
            if bias is not None and step.path.endswith(".gate") and step.op == "conv":
                initial = self.initial[found.bindings[index].uses[1]]
                if not torch.allclose(initial, torch.full_like(initial, float(bias))):
                    have = f"{initial.mean().item():.3g} on average" if initial.std() > 0 else f"{initial[0].item():g}"
                    yield Departure(
                        step.path, f"{step.path}: the gate's bias starts at {have}; the paper starts it at {bias:g} ({step.at})"
                    )
                    return

    # ── What else it could be ────────────────────────────────────────────────────────────────────────────────────────

    def variant(self) -> str:
        """The registered network, with options, that the module is; empty where it is none."""
        if not hasattr(self, "traced"):
            return ""
        parameters = sum(parameter.numel() for parameter in self.module.parameters())
        for name, options in siblings(self.against, self.options):
            try:
                steps = steps_of(name, **options)
            except (UsageError, KeyError):  # a combination that no paper has
                continue
            if sum(step.parameters for step in steps) == parameters and registry.row(name).input[0] == self.shape[0]:
                found = align(steps, self.traced, self.module)
                if found.reached == len(steps) and self.returns(steps, found) and self.drops_as(steps):
                    given = ", ".join(f"{word}={value}" for word, value in options.items() if self.options.get(word) != value)
                    return f"{name} with {given}" if given else name
        return ""

    def drops_as(self, steps: Sequence[Step]) -> bool:
        shares = sorted(step.factor for step in steps if step.op == "dropout" and step.factor)
        return shares == sorted(dropout.share for dropout in self.traced.dropouts if dropout.share)

    def returns(self, steps: Sequence[Step], found: Alignment) -> bool:
        logits = found.values[-1][0].tensor
        return any(out.numel() == logits.numel() and close(out.reshape(logits.shape), logits) for out in self.traced.outputs)


TITLES = {
    "L0": "it runs",
    "L1": "counts",
    "L2": "sizes",
    "L3": "operators",
    "L4": "the same function",
    "L5": "what must hold",
}


def run_table(steps: Sequence[Step], found: Alignment, images: Tensor, *, training: bool) -> dict[int, Tensor]:
    """The results of the table's operators with the weights that were found, differentiable."""
    results: dict[int, Tensor] = {-1: images}
    constants: dict[str, Any] = found.constants
    for index, step in enumerate(steps):
        weights = found.bindings[index].weights() if index in found.bindings else Weights()
        choice = found.choices.get(index, Choice())
        results[index] = compute(step, [results[i] for i in step.inputs], weights, choice, training, constants)
    return results


def ends_of(steps: Sequence[Step]) -> list[int]:
    """The operators whose results are outputs: the logits first, then auxiliary heads."""
    used = {index for step in steps for index in step.inputs}
    ends = [index for index in range(len(steps)) if index not in used]
    return [ends[-1], *ends[:-1]]


@torch.no_grad()
def randomise(module: nn.Module, trace: Trace) -> None:
    """Weights, biases, scales and statistics with which nothing stays hidden: no zeros, no ones, signs of both kinds."""
    scales: set[int] = set()
    for event in trace.events:
        if event.op == "batch_norm":
            weight, _, mean, variance = event.operands
            scales.add(id(weight))
            if mean is not None and variance is not None:
                mean.copy_(0.3 * torch.randn_like(mean))
                variance.copy_(0.5 + torch.rand_like(variance))
    for parameter in module.parameters():
        noise = torch.randn_like(parameter)
        if id(parameter) in scales:
            parameter.copy_(noise.sign() * (0.5 + torch.rand_like(parameter)))
        elif parameter.dim() < 2:
            parameter.copy_(0.3 * noise)
        else:
            square = parameter.dim() == 4 and parameter.shape[2] == parameter.shape[3]
            fan = parameter.numel() / (parameter.shape[0] if square or parameter.dim() == 2 else max(parameter.shape))
            parameter.copy_((2 / fan) ** 0.5 * noise)


def choices_in_words(steps: Sequence[Step], found: Alignment) -> Iterator[str]:
    """What the paper leaves open, where the module has it otherwise than the authors' release."""
    pixels = {steps[i].path.rpartition(".")[0]: c.pixel for i, c in found.choices.items() if steps[i].op == "slice" and c.pixel}
    if pixels:
        pixel = next(iter(pixels.values()))
        yield f"identity shortcuts keep pixel {pixel} of every 2×2 in {', '.join(pixels)}; the paper does not say which"
    fronts = {steps[i].path.rpartition(".")[0]: c.front for i, c in found.choices.items() if steps[i].op == "pad" and c.front}
    if fronts:
        yield f"zero channels stand in front or on both sides in {', '.join(fronts)}; the paper does not say where"


def close(one: Tensor, other: Tensor) -> bool:
    return difference(one, other) <= EQUAL


def difference(one: Tensor, other: Tensor) -> float:
    """The largest difference, relative to the largest entry."""
    return ((one - other).abs().max() / (other.abs().max() + 1e-30)).item()
