"""L5: what must hold beside equal numbers. Every parameter takes part, dropout stands where the paper has it, gates start where it says."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from etude.explain.outline import label
from etude.papers import Step
from etude.verification.align import Alignment, Binding, run_table
from etude.verification.departures import Departure
from etude.verification.parts import sources
from etude.verification.prepare import copied, in_its_type, in_mode, without_graph
from etude.verification.statistics import home
from etude.verification.trace import AgainWithoutChance, Trace, gradients_of, ran
from etude.wording import size

ROUNDED = 1e-6  # of torch's bound, by which a number that is drawn may lie beyond it
DEVIATIONS = 5  # by which the mean square of numbers that are drawn evenly may be off; of n it has √(0.8/n)
SAME_WAY = 1e-4  # of the largest step of a running statistic, by which those of other channels may be off


@dataclass(frozen=True)
class Invariants:
    """What a module has shown that computes the table's function.

    at, whose          where the table stands, and who asks for it: "the paper"
    words              of the network, options included; none where the module is trained
    training, evaluated  its runs in the two modes
    initial            its parameters before they were changed, by id; none where the module is trained
    cold               ids of those that no gradient reaches
    """

    steps: Sequence[Step]
    found: Alignment
    at: str
    whose: str
    words: Mapping[str, Any]
    training: Trace
    evaluated: Trace
    initial: Mapping[int, Tensor]
    cold: frozenset[int]

    def broken(self, module: nn.Module) -> list[Departure]:
        return [*self.unused(module), *active_dropouts(self.evaluated), *self.starting_weights(), *self.gate_biases()]

    def unused(self, module: nn.Module) -> Iterator[Departure]:
        """Every number of a parameter is in one place of the table."""
        times = self.training.parts.counted(use for binding in self.layers() for use in binding.uses)
        named = dict(module.named_parameters())
        idle = {name: own for name, own in named.items() if id(own) in self.cold or not times[id(own)].any()}
        used = given_to_operators(self.training)
        for told, some in (
            (never_used, {name: own for name, own in idle.items() if id(own) not in used}),
            (used_elsewhere, {name: own for name, own in idle.items() if id(own) in used}),
        ):
            if some:
                no_layer = f"the table has no layer for {'it' if len(some) == 1 else 'them'}"
                yield Departure("", f"{told(some)}, and {no_layer} ({self.at})")
        for name in [name for name in named if name not in idle]:
            count, your = times[id(named[name])], f"your {name} ({size(named[name].shape)})"
            if count.max() > 1:
                yield Departure("", f"of {your} {int((count > 1).sum()):,} numbers are used in two layers at once ({self.at})")
            elif not count.all():
                yield Departure("", f"of {your} {int((count == 0).sum()):,} numbers are never used ({self.at})")

    def layers(self) -> Iterator[Binding]:
        """The bindings of steps with weights of their own."""
        return (binding for index, binding in self.found.bindings.items() if self.steps[index].shares is None)

    def starting_weights(self) -> Iterator[Departure]:
        """The first convolution whose weights all start at one number, or layer with some at none; a last layer may well start at zero."""
        for index in [i for i in self.found.bindings if self.initial]:
            step, uses = self.steps[index], self.found.bindings[index].uses
            own = [self.training.parts.given(use, self.initial).flatten() for use in uses]
            alike = step.op == "conv" and len(own[0]) > 1 and bool((own[0] == own[0][0]).all())
            if alike and own[0].isfinite().all():
                said = f"the weights of {step.path} all start at {own[0][0]:g}"
                yield Departure(step.path, f"{said}; {self.whose} starts them at random ({step.at})")
                return
            if not all(numbers.isfinite().all() for numbers in own):
                yield Departure(step.path, f"{step.path} starts with NaN or infinity among its weights ({step.at})")
                return

    def drawn_by_default(self) -> bool:
        """Whether the convolutions start as torch draws them unless told otherwise: evenly between ±1/√n, of n inputs."""
        layers = [(step.shape[0], self.found.bindings[i]) for i, step in enumerate(self.steps) if step.op == "conv" and step.shares is None]
        return bool(layers) and all(
            is_drawn_by_default(self.training.parts.given(binding.uses[0], self.initial).flatten(), maps) for maps, binding in layers
        )

    def gate_biases(self) -> Iterator[Departure]:
        """The gates' biases, which the paper fixes (Identity Mappings, section 3.1)."""
        bias = self.words.get("gate_bias")
        for index, step in enumerate(self.steps):
            if bias is not None and step.path.endswith(".gate") and step.op == "conv":
                initial = self.training.parts.given(self.found.bindings[index].uses[1], self.initial)
                if not torch.allclose(initial, torch.full_like(initial, float(bias))):
                    have = f"{initial.mean().item():.3g} on average" if initial.std() > 0 else f"{initial[0].item():g}"
                    yield Departure(
                        step.path, f"{step.path}: the gate's bias starts at {have}; the paper starts it at {bias:g} ({step.at})"
                    )
                    return


def is_drawn_by_default(weight: Tensor, maps: int) -> bool:
    """Whether the numbers of a kernel for so many maps reach to torch's bound and no further, and their mean square is a third of its."""
    bound, numbers = (len(weight) // maps) ** -0.5, len(weight)
    off = weight.square().mean().item() / (bound**2 / 3) - 1
    return weight.abs().max().item() <= bound * (1 + ROUNDED) and abs(off) < DEVIATIONS * (0.8 / numbers) ** 0.5


def active_dropouts(evaluated: Trace) -> Iterator[Departure]:
    """Where and how they stand in training mode is among the numbers; in eval mode none may be active."""
    if any(event.active and event.op == "dropout" for event in evaluated.events):
        yield Departure("", "a dropout is active in eval mode")


def computed(steps: Sequence[Step], found: Alignment, trace: Trace, module: nn.Module) -> Iterator[Departure]:
    """Weights that are not learned as they are, as weight normalisation has them."""
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    parts = {id(part): part for part in trace.parts if part.numbers is None}
    for index, binding in found.bindings.items():
        for part in (parts[use] for use in binding.uses if use in parts):
            own = " and ".join(names[id(source)] for source in part.sources)
            yield Departure(
                steps[index].path, f"{steps[index].path} has weights that are computed from your {own}, and not learned as they are"
            )


def cut(trained: Trace) -> Iterator[Departure]:
    """The first operator through which no gradient passes: one that runs under `no_grad`, or is detached."""
    for event in trained.cut[:1]:
        where = f" in your {event.path}" if event.path else ""
        yield Departure("", f"it computes the table's function, and other gradients: none passes through {label(event)}{where}", event.line)


def asleep_without(module: nn.Module, call: Callable[[Tensor], Any], images: Tensor, cold: frozenset[int]) -> Iterator[Departure]:
    """Parameters that a gradient reaches only where images want one too, which they do not in training: a checkpoint drops it.

    cold  ids of those that none reaches in any case
    """
    run = ran(in_mode(module, training=True), images.clone(), call)
    loss = sum((out.sum() for out in run.outputs), torch.zeros(()))
    named = {name: own for name, own in module.named_parameters() if own.requires_grad and id(own) not in cold}
    given = gradients_of(loss, list(named.values()))
    names = [name for name, gradient in zip(named, given, strict=True) if gradient is None]
    if names:
        who = f"your {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        lost = f"no gradient reaches {who} in training, where images want none"
        yield Departure("", f"{lost}; `checkpoint(…, use_reentrant=False)` lets it pass")


def batch_statistics(evaluated: Trace, steps: Sequence[Step], found: Alignment) -> Iterator[Departure]:
    """Normalisations that take the statistics of the batch in eval mode too, as one departure."""
    events = [event for event in evaluated.events if event.op == "batch_norm" and event.active]
    if events:
        weight = events[0].operands[0]
        place = next((steps[index].path for index, binding in found.bindings.items() if id(weight) in binding.uses), "")
        path = events[0].path or "forward"
        own = f"{place} (your {path})" if place else f"your {path}"
        yield from of_the_batch(place, [own, *(event.path for event in events[1:])], kept=events[0].operands[2] is not None)


def of_the_batch(place: str, names: Sequence[str], *, kept: bool) -> Iterator[Departure]:
    who = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    why = "" if kept else ", and keeps no others" if len(names) == 1 else ", and keep no others"
    verb = "takes" if len(names) == 1 else "take"
    yield Departure(place, f"{who} {verb} mean and variance of the batch in eval mode too{why}; there those of the training belong")


@dataclass(frozen=True, eq=False)
class Statistic:
    """A running mean or variance before a run in training mode and behind it, its channels in the order of the table.

    of       mean or variance, of the normalisation that stands at `place`
    yours    what the module calls it
    batch    the mean and the variance of each channel in that run
    numbers  how many there were of each channel
    """

    of: str
    place: str
    yours: str
    before: Tensor
    after: Tensor
    batch: tuple[Tensor, Tensor]
    numbers: int

    @property
    def towards(self) -> str:
        """Which of the batch's statistics it went a part of the way to, all channels the same; empty for neither."""
        mean, variance = self.batch
        ends = [("mean", mean), ("variance", variance), ("variance", variance * self.numbers / max(1, self.numbers - 1))]
        return next((of for of, end in ends if is_on_the_way(self.before, self.after, end)), "")


def is_on_the_way(before: Tensor, after: Tensor, end: Tensor) -> bool:
    """Whether all numbers went the same part of the way to an end, or all of it."""
    step, way = after - before, end - before
    part = (step @ way) / (way @ way)
    return bool(0 < part < 1 + SAME_WAY) and bool((step - part * way).abs().max() <= SAME_WAY * step.abs().max())


@torch.no_grad()
def running_statistics(
    steps: Sequence[Step], found: Alignment, module: nn.Module, images: Tensor, run: Callable[[nn.Module, Tensor], object]
) -> Iterator[Statistic]:
    """What becomes of a module's running statistics in a run in training mode. `run` is given a copy of the module, and images.

    images  as they ran before: they are changed, since statistics may have gone all the way to theirs
    """
    own, images = in_mode(copied(module), training=True), images + torch.randn_like(images)
    before = {name: buffer.flatten().clone() for name, buffer in own.named_buffers() if buffer.dim()}
    named = list(statistics_of(found, module))
    with in_its_type(), AgainWithoutChance(), without_graph(own):
        run(own, images.clone())
    after = {name: buffer.flatten() for name, buffer in own.named_buffers()}
    results = run_table(steps, found, images, training=True)
    for index, of, name, held in named:
        if name in before and name in after:
            place_of = before[name].argsort()[held.argsort().argsort()]  # of each channel of the table in the buffer
            x = results[steps[index].inputs[0]].transpose(0, 1).flatten(1)
            batch = x.mean(1), x.var(1, unbiased=False)
            yield Statistic(of, steps[index].path, name, before[name][place_of], after[name][place_of], batch, x.shape[1])


def statistics_of(found: Alignment, module: nn.Module) -> Iterator[tuple[int, str, str, Tensor]]:
    """Of every normalisation the mean and the variance: whose, which, what the buffer is called, and its numbers in the table's order.

    A buffer is known by its numbers; of several with the same, it is the one that stands with the weights.
    """
    names: dict[bytes, list[str]] = {}
    for name, buffer in module.named_buffers():
        names.setdefault(in_no_order(buffer), []).append(name)
    homes = {id(parameter): home(name) for name, parameter in module.named_parameters()}
    for index, binding in found.bindings.items():
        for of, tied in (("mean", binding.mean), ("variance", binding.variance)):
            if tied:
                alike = sorted(names.get(in_no_order(tied()), []), key=lambda name: home(name) != homes.get(binding.uses[0]))
                yield from ((index, of, name, tied().clone()) for name in alike[:1])


def wrongly_updated(held: Sequence[Statistic]) -> Iterator[Departure]:
    """Running statistics that training leaves as they are, or takes elsewhere than to those of the batch; what is alike as one."""
    still = [one for one in held if torch.equal(one.before, one.after)]
    if still:
        why = "in eval mode it normalises by them, and not by what was seen"
        yield Departure(still[0].place, f"training leaves the running statistics of {these(still)} as they are; {why}")
    for of, other in (("mean", "variance"), ("variance", "mean")):
        astray = [one for one in held if one.of == of and one not in still and one.towards != of]
        if astray:
            where = f"to the batch's {other}" if astray[0].towards else f"elsewhere than to the batch's {of}"
            why = "in eval mode it normalises by that"
            yield Departure(astray[0].place, f"training takes the running {of} of {these(astray)} {where}; {why}")


def these(held: Sequence[Statistic]) -> str:
    """The first of some statistics, and of how many more layers there are."""
    more = len({one.place for one in held}) - 1
    return f"{held[0].place} (your {held[0].yours})" + (f" and of {more} more" if more else "")


def in_no_order(numbers: Tensor) -> bytes:
    """Numbers by which a tensor is known, whatever the order of its channels."""
    return numbers.detach().flatten().sort().values.numpy().tobytes()


def overwritten(module: nn.Module, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor]) -> Iterator[Departure]:
    """What forward itself writes: parameters, as they were before a run in training mode; buffers, before one in eval mode."""
    for before, now, why in (
        (parameters, dict(module.named_parameters()), "forward changes your {}, which is the optimiser's to do"),
        (buffers, dict(module.named_buffers()), "in eval mode forward changes your {}, where it is to leave everything as it is"),
    ):
        names = [name for name, own in before.items() if own.is_floating_point() and name in now and not same(own, now[name])]
        if names:
            yield Departure("", why.format(names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")))


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same, where they hold no numbers too."""
    return torch.equal(one.nan_to_num(), other.nan_to_num())


def without_statistics(steps: Sequence[Step], found: Alignment) -> list[str]:
    """Where in the table no running mean and variance were found for a normalisation."""
    return [steps[index].path for index, binding in found.bindings.items() if steps[index].op == "batch_norm" and binding.mean is None]


def frozen(module: nn.Module) -> Iterator[str]:
    """Parameters that training leaves as they are, as a remark."""
    names = [name for name, parameter in module.named_parameters() if not parameter.requires_grad]
    if len(names) == 1:
        yield f"your {names[0]} is frozen (requires_grad = False): training leaves it as it is"
    elif names:
        more = f"{len(names) - 1} more parameter{'s' * (len(names) > 2)}"
        yield f"your {names[0]} and {more} are frozen (requires_grad = False): training leaves them as they are"


def in_half_precision(module: nn.Module) -> Iterator[str]:
    """That functions are compared in float64, where a module has weights of fewer bits than float32, as a remark."""
    types = dict.fromkeys(str(own.dtype) for own in module.parameters() if own.dtype in (torch.float16, torch.bfloat16))
    if types:
        yield f"your weights are {', '.join(types)}; what they compute was compared in float64"


def never_used(idle: Mapping[str, Tensor]) -> str:
    """That parameters take no part."""
    return f"{the_first_of(idle)} {'is' if len(idle) == 1 else 'are'} never used"


def used_elsewhere(idle: Mapping[str, Tensor]) -> str:
    """That parameters take part in something that no output of the table follows from."""
    return f"{the_first_of(idle)} {'takes' if len(idle) == 1 else 'take'} part only in something else"


def the_first_of(parameters: Mapping[str, Tensor]) -> str:
    """The first by its name, and how many more there are."""
    name, first = next(iter(parameters.items()))
    more = len(parameters) - 1
    return f"your {name} ({size(first.shape)})" + (f" and {more} more parameter{'s' * (more > 1)}" if more else "")


def given_to_operators(trace: Trace) -> set[int]:
    """Ids of the parameters that operators of a run are given."""
    return {id(source) for event in trace.events for operand in event.operands if operand is not None for source in sources(operand)}


def unreached(module: nn.Module, trace: Trace) -> dict[str, nn.Parameter]:
    """The parameters of a module that no operator is given and no gradient of its outputs reaches. Whatever the module computes."""
    module.zero_grad()
    total = sum((out.sum() for out in trace.outputs), torch.zeros(()))
    if total.requires_grad:  # unless all is frozen
        total.backward()
    given = given_to_operators(trace)
    return {name: own for name, own in module.named_parameters() if id(own) not in given and own.grad is None}
