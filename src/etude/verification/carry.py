"""Carries anybody's weights over into a network here, or says where that cannot be.

Which weights of theirs an operator of the table has is found by numbers (`align.py`); which of ours it has is known, since a network here
runs the operators of its table in the same order (`exact.py`). The papers do not say where the zero channels of option A stand: where
theirs stand elsewhere than ours, the channels are put in our order, through all weights that make or take them. Whether the two then
compute the same is decided by their outputs on random images.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from etude.errors import EtudeError
from etude.explain.graph import graph, reason, whole_output
from etude.explain.recorder import tensors_in
from etude.models.network import Network
from etude.models.weight_files import Converted, read_converted, read_weights, write_converted
from etude.models.weights import KNOWN, families_of, load, named, options_of, recognise, shape, tensors_of, unwrapped
from etude.papers import Step
from etude.targets.opening import opened
from etude.targets.target import Target
from etude.verification.align import PARAMETRIC, align, choices_in_words
from etude.verification.facts import facts_of, steps_of
from etude.verification.interpret import Choice, Weights, compute
from etude.verification.judge import default_dtype, verify
from etude.verification.limits import SMALL_SIDE
from etude.verification.prepare import in_its_type, in_mode
from etude.verification.statistics import find_statistics
from etude.verification.trace import Trace, difference, ran, randomise, traced

EQUAL = 1e-5  # the largest relative difference between equal networks in float32
IMAGES = 4
MAKE_CHANNELS = ("conv", "linear", "pad", "concat", "flatten")  # all others give the channels that they take


class Unequal(EtudeError):
    """Two networks do not compute the same."""


@dataclass(frozen=True)
class Theirs:
    """A network of the table, by the positions of its operators.

    weights  of operators with parameters, in the order of their channels
    tracked  how many batches the statistics of a normalisation come from, where that is known
    choices  how its shortcuts without parameters fit
    words    what the papers leave open, where it has that otherwise than the authors' release
    """

    steps: tuple[Step, ...]
    weights: Mapping[int, Weights]
    tracked: Mapping[int, Tensor | None]
    choices: Mapping[int, Choice]
    words: tuple[str, ...] = ()


def carry(weights: str, like: str, to: str, out: str) -> str:
    """What runs apart: carry a file of weights over with the code that it belongs to, write the result, and say what was found."""
    converted, how = from_code(Path(weights), Target.read(like), Network.read(to))
    write_converted(Path(out), converted)
    return how


def weights_in(file: Path) -> tuple[Converted, str]:
    """A network with the weights of a file that was converted, or else as `from_names`."""
    converted = read_converted(file)
    return (converted, "") if converted else from_names(file)


# ── With the code that the weights belong to ─────────────────────────────────────────────────────────────────────────


def from_code(file: Path, target: Target, network: Network) -> tuple[Converted, str]:
    """Our network with the weights of the file, which belong to the module that `target` names; and what was found, in words.

    Raises  EtudeError for weights that are not those of the module, and for a module that computes something else than our network
    """
    tensors = read_weights(file)
    with opened(target) as made, torch.random.fork_rng(devices=[]), default_dtype(torch.float32):
        torch.manual_seed(0)
        module, images = made.module, torch.randn(IMAGES, *network.input)
        own = fill(in_mode(module.float(), training=False), images, tensors, f"{file}: {target}")
        expected = logits(module, images)
        network = with_classes(network, expected)
        try:
            theirs = aligned(module, own, network)
            return proven(theirs, network, images, expected, str(file))
        except Unequal as error:
            report = verify(lambda: module.float(), network.name, target=str(target), trained=True, **network.options)
            sentence = str(error) if report.verdict == "faithful" else report.sentence
            raise EtudeError(f"{target} is not {network} as it stands here: {sentence}") from error


@torch.no_grad()
def logits(module: nn.Module, images: Tensor) -> Tensor:
    """The first tensor that the module gives, N×classes."""
    first = next(tensors_in(module(images.clone())), None)
    if first is None:
        raise EtudeError(f"{type(module).__name__} returns no tensor, expected N×classes")
    return first.reshape(len(images), -1)


def with_classes(network: Network, outputs: Tensor) -> Network:
    """The network with as many classes as there are outputs, unless it was given with a number of classes."""
    known = facts_of(network.name)[1].given.get("classes")
    other = known is not None and known != outputs.shape[1] and "classes" not in network.options
    return Network(network.name, {**network.options, "classes": outputs.shape[1]}) if other else network


def fill(module: nn.Module, images: Tensor, tensors: Mapping[str, Tensor], what: str) -> dict[str, Tensor]:
    """Load the weights into their module, strictly, and give them by the module's names."""
    try:
        logits(module, images[:1])  # lazy layers are made now
    except Exception as error:
        raise EtudeError(f"{what} does not run on {shape(images[0])}: {reason(error)}") from error
    own = {name: value for name, value in module.state_dict().items() if isinstance(value, Tensor)}
    counts = {name: value.clone() for name, value in own.items() if name.endswith("num_batches_tracked")}  # which old files lack
    for candidate in unwrapped(tensors):
        given = {**counts, **candidate}
        if (problem := misfit(own, given)) is None:
            module.load_state_dict(given)
            return given
    raise EtudeError(f"{what} {problem}")


def misfit(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str | None:
    """The first tensor in which a module and weights differ, in words."""
    for name, value in own.items():
        if name not in given:
            return f"has `{name}` ({shape(value)}), the weights have not"
        if given[name].shape != value.shape:
            return f"has `{name}` of {shape(value)}, the weights of {shape(given[name])}"
    extra = next((name for name in given if name not in own), None)
    return f"has no `{extra}`, the weights have ({shape(given[extra])})" if extra else None


def aligned(module: nn.Module, own: Mapping[str, Tensor], network: Network) -> Theirs:
    """Which of the module's weights are whose: looked for among random ones, since trained ones may hide something."""
    steps = steps_of(network.name, **network.options)
    call = whole_output(module) if any(step.side for step in steps) else module
    with default_dtype(torch.float64), torch.no_grad():
        module.double().train()
        try:
            images = some_images(module, network.input)
            enliven(module, ran(module, images.clone(), call))
            trace = traced(module, images.clone(), call)
        except Exception as error:
            raise EtudeError(f"{type(module).__name__} does not run in training mode: {reason(error)}") from error
        found = align(steps, trace, module)
        if found.reached == len(steps):
            with contextlib.suppress(Exception):  # then `proven` says what is apart
                find_statistics(steps, found, traced(in_mode(module, training=False), images.clone(), call), module)
    if found.reached < len(steps):
        raise Unequal(f"nothing in it gives the same as {steps[found.reached].path} of the table")
    module.load_state_dict(own)
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    buffers = dict(module.named_buffers())
    homes = {index: names[binding.uses[0]].rpartition(".")[0] for index, binding in found.bindings.items()}
    tracked = {index: buffers.get(f"{home}.num_batches_tracked".lstrip(".")) for index, home in homes.items()}
    with torch.no_grad():
        weights = {index: binding.weights() for index, binding in found.bindings.items()}
    return Theirs(steps, weights, tracked, found.choices, tuple(choices_in_words(steps, found)))


def some_images(module: nn.Module, shape: tuple[int, int, int]) -> Tensor:
    """Noise; of a smaller side than ImageNet's where the module takes it, for the weights do not change with it."""
    side = min(SMALL_SIDE, *shape[1:])
    small = torch.randn(IMAGES, shape[0], side, side)
    with contextlib.suppress(Exception), in_its_type():
        module(small.clone())
        return small
    return torch.randn(IMAGES // 2, *shape)


def enliven(module: nn.Module, trace: Trace) -> None:
    """Random weights under which no channel is silent: those that are 0 throughout could not be told apart, nor their order be seen.

    A normalisation in front of it lets every ReLU through somewhere; without any, the weights are positive and keep the size of things.
    """
    randomise(module, trace)
    if not any(event.op == "batch_norm" for event in trace.events):
        for parameter in module.parameters():
            parameter.abs_()
            if parameter.dim() > 1:
                parameter.mul_(len(parameter) / parameter.sum())


# ── By names that are known ──────────────────────────────────────────────────────────────────────────────────────────


def from_names(file: Path, network: Network | None = None) -> tuple[Converted, str]:
    """A network here with the weights of the file, which stand there under names that are known; and what was done, in words.

    Raises  EtudeError for other names, and for weights that do not fit the network
    """
    return from_tensors(read_weights(file), str(file), network)


def from_package(target: Target, network: Network | None = None) -> tuple[Converted, str]:
    """The same for the weights of a network that an installed package makes, which runs here."""
    with opened(target) as made:
        return from_tensors(tensors_of(made.module.float().state_dict()), str(target), network)


def from_tensors(tensors: Mapping[str, Tensor], what: str, network: Network | None) -> tuple[Converted, str]:
    name = network.name if network else recognise(tensors, KNOWN)
    if name is None:
        known = "no network that torchvision and Etude share has exactly these tensors, nor has a known ResNet for CIFAR"
        raise EtudeError(f"{what}: {known}; --to says where one differs, --like takes the code that they belong to")
    network = Network(name, {**options_of(name, named(tensors)), **(network.options if network else {})})
    module = network.build().eval()
    try:
        family = load(module, tensors, families_of(module))
    except EtudeError as error:
        raise EtudeError(f"{what}: {error}") from error
    if not family.both_sides:
        return Converted(network, module), ""
    theirs = with_zeros_on_both_sides(module, network)
    images = torch.randn(IMAGES, *network.input, generator=torch.Generator().manual_seed(0))
    converted, how = proven(theirs, network, images, computed(theirs, images), what)
    if not any(choice.front for choice in theirs.choices.values()):
        return converted, how
    return converted, f"by its names it has the zero channels of option A on both sides (--like takes code that has not); {how}"


def with_zeros_on_both_sides(module: nn.Module, network: Network) -> Theirs:
    """The network whose weights stand in ours at their places, while their channels are in another order."""
    steps = steps_of(network.name, **network.options)
    weights, tracked = {}, {}
    for index, part in layers(steps, module, network).items():
        state = part.state_dict()
        norm = (state.get("running_mean"), state.get("running_var"), epsilon(part))
        weights[index] = Weights(state["weight"], state.get("bias"), *norm)
        tracked[index] = state.get("num_batches_tracked")
    new = {step.index: step.shape[0] - steps[step.inputs[0]].shape[0] for step in steps if step.op == "pad"}
    return Theirs(steps, weights, tracked, {index: Choice(front=channels // 2) for index, channels in new.items()})


@torch.no_grad()
def computed(theirs: Theirs, images: Tensor) -> Tensor:
    """The logits of the table with their weights and their choices, in eval mode."""
    results = {-1: images}
    for index, step in enumerate(theirs.steps):
        weights, choice = theirs.weights.get(index, Weights()), theirs.choices.get(index, Choice())
        results[index] = compute(step, [results[at] for at in step.inputs], weights, choice, False)
    return results[len(theirs.steps) - 1]


# ── Into ours ────────────────────────────────────────────────────────────────────────────────────────────────────────


def proven(theirs: Theirs, network: Network, images: Tensor, expected: Tensor, what: str) -> tuple[Converted, str]:
    """Our network with their weights, which gives what is expected. Raises Unequal where it does not."""
    module = placed(theirs, network, what).eval()
    if not expected.isfinite().all():
        raise EtudeError(f"{what}: gives outputs that are infinite or NaN on random images, so nothing can be compared")
    apart = difference(logits(module, images), expected)
    if not apart <= EQUAL:
        why = f"; there, {'; '.join(theirs.words)}" if theirs.words else ""
        raise Unequal(f"outputs with {what} on random images differ by {apart:.0e}{why}")
    return Converted(network, module), f"outputs on {len(images)} random images differ by {apart:.0e} of the largest"


@torch.no_grad()
def placed(theirs: Theirs, network: Network, what: str) -> nn.Module:
    """Our network with every weight of theirs, its channels in our order."""
    module, steps, orders = network.build(), theirs.steps, orders_of(theirs)
    for index, part in layers(steps, module, network).items():
        weights, out = theirs.weights[index], orders[index]
        assert weights.weight is not None
        weight, source = weights.weight[out], steps[index].inputs[0]
        state = {"weight": weight if weight.dim() == 1 or source < 0 else weight[:, orders[source]]}
        if weights.bias is not None:
            state["bias"] = weights.bias[out]
        if steps[index].op == "batch_norm":
            if weights.mean is None or weights.variance is None:
                raise EtudeError(f"{what}: the normalisation at {steps[index].path} keeps no running statistics, which {network} needs")
            variance = weights.variance[out] + (weights.eps - epsilon(part))
            count = theirs.tracked[index]
            state |= {"running_mean": weights.mean[out], "running_var": variance}
            state["num_batches_tracked"] = torch.tensor(0) if count is None else count
        part.load_state_dict(state)
    return module


def layers(steps: Sequence[Step], module: nn.Module, network: Network) -> dict[int, nn.Module]:
    """Our layers with weights, by the positions of their operators in the table."""
    nodes = graph(module, network.input).nodes
    return {step.index: module.get_submodule(node.path) for step, node in zip(steps, nodes, strict=True) if step.op in PARAMETRIC}


def epsilon(part: nn.Module) -> float:
    """What a normalisation adds to the variance; 0 of any other layer."""
    return part.eps if isinstance(part, nn.BatchNorm2d) else 0


def orders_of(theirs: Theirs) -> dict[int, Tensor]:
    """For every operator, the place in theirs of each channel of ours.

    Their order is ours but behind zero channels that do not stand at the end: there ours are the channels that were before, then the
    zeros. What is added to them has the same order, and so on to the next layer that makes channels of its own.
    """
    steps, space = theirs.steps, {-1: -1}  # operators with the same channels in the same order, by the first of them
    for step in steps:
        space[step.index] = step.index if step.op in MAKE_CHANNELS else space[step.inputs[0]]
        if step.op in ("add", "multiply"):
            joined = {space[index] for index in step.inputs}
            space = {index: space[step.index] if own in joined else own for index, own in space.items()}
    found: dict[int, Tensor] = {}

    def order(index: int) -> Tensor:
        return found.get(space[index], torch.arange(steps[index].shape[0]))

    for step in steps:
        if step.op == "pad":
            inner = order(step.inputs[0])
            real = theirs.choices.get(step.index, Choice()).among(len(inner))[inner]
            zeros = [channel for channel in range(step.shape[0]) if channel not in real]
            found[space[step.index]] = torch.cat([real, torch.tensor(zeros, dtype=torch.int64)])
        elif step.op == "concat":
            starts = torch.tensor([0, *(steps[index].shape[0] for index in step.inputs)]).cumsum(0)
            found[space[step.index]] = torch.cat([start + order(index) for start, index in zip(starts, step.inputs, strict=False)])
        elif step.op == "flatten":
            before = order(step.inputs[0])
            pixels = torch.arange(step.shape[0] // len(before))
            found[space[step.index]] = (before[:, None] * len(pixels) + pixels).flatten()
    return {step.index: order(step.index) for step in steps}
