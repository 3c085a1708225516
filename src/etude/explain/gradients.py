"""The gradients of one training step: of every layer's weights, at every block's input, and along the two paths of every residual block.

A copy of the module goes forward and backward once, in training mode, while a recorder sees every function of torch. No names are known:
a layer is what uses parameters, a residual block is an addition whose two summands come from one tensor, one of them past fewer layers.

Norms   √(Σ v²) over all numbers of a tensor; of activations over all images, channels and pixels
Loss    a mean over the images, so a gradient at an activation shrinks with the number of images
"""

import copy
import inspect
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn import functional as F

from etude.errors import UsageError
from etude.explain.graph import DoesNotRun, GraphRecorder, closes_over_itself, device_of, initialised, reason
from etude.explain.nodes import Graph, Node
from etude.explain.operators import OPERATORS, add, operands
from etude.explain.outline import Dominators, layers_between
from etude.explain.recorder import Call, Function, tensors_in
from etude.shown import Shown

CONTAINERS = {nn.Sequential, nn.ModuleList, nn.ModuleDict}


@dataclass(frozen=True)
class LayerGradient:
    """A function of torch that uses parameters; one that is called again stands where it ran first.

    path        of the module it ran in; "" for the outermost
    kind        as a Node's `op`; of what has no name there, the function of torch
    parameters  scalars that it uses and no layer before it
    gradient    norm of the loss's gradient with respect to its weights; 0 where none reaches them
    weight      norm of its weights: of its parameters those with the most dimensions, so a convolution's bias is not among them
    ratio       gradient / weight; 0 where the weights are all 0
    mean, std   of its output, over all images, channels and pixels
    """

    path: str
    kind: str
    parameters: int
    gradient: float
    weight: float
    ratio: float
    mean: float
    std: float


@dataclass(frozen=True)
class Rectifier:
    """A ReLU, module or function.

    path   of the module it ran in
    layer  index into the report's layers: of those that its input comes from, the last that ran; None behind the images
    dead   share of its channels (behind a linear layer: units) that are 0 for all images and pixels
    zero   share of all its activations that are 0
    """

    path: str
    layer: int | None
    dead: float
    zero: float


@dataclass(frozen=True)
class ResidualBlock:
    """An addition s = a + b, both computed from one x: the last tensor that everything passes on its way to a and to b.

    The shortcut is the summand with fewer layers between x and it, at most one (a projection). Layers have weights of at least two
    dimensions, so a normalisation is none. Other additions are no residual blocks. With g = ∂loss/∂s:

    path              of the module that adds
    projection        whether the shortcut has a layer
    shortcut, branch  ‖a‖ / ‖s‖ and ‖b‖ / ‖s‖, where a is the shortcut's summand
    shortcut_gradient, branch_gradient   ‖g_a‖ / ‖g_x‖ and ‖g_b‖ / ‖g_x‖, where g_a = (∂a/∂x)ᵀ g and g_b = (∂b/∂x)ᵀ g are what each path
                      brings back to x, and g_x = g_a + g_b
    gradient          ‖g_x‖

    A pair of shares has a sum of at least 1; it is more where the two partly cancel, and √2 where they are orthogonal and of one size.
    A share of something that is 0 is given as 0.
    """

    path: str
    projection: bool
    shortcut: float
    branch: float
    shortcut_gradient: float
    branch_gradient: float
    gradient: float


@dataclass(frozen=True)
class BlockGradient:
    """A repeated unit: a module with several layers whose class occurs more than once, and which lies in no other such.

    gradient  norm of the loss's gradient at the first tensor that it is called with; 0 where none reaches it
    """

    path: str
    gradient: float


@dataclass(frozen=True, repr=False)
class GradientReport(Shown):
    """Everything in order of execution; `loss` is a mean over `images` images."""

    images: int
    loss: float
    layers: tuple[LayerGradient, ...]
    rectifiers: tuple[Rectifier, ...]
    residual_blocks: tuple[ResidualBlock, ...]
    blocks: tuple[BlockGradient, ...]


def gradients(module: nn.Module, images: Tensor, labels: Tensor) -> GradientReport:
    """The gradients of a copy of `module` in training mode on one batch; neither the module nor the random state is changed.

    images  N×C×H×W, floating point        labels  N, int64
    The loss is `module.loss(images, labels)` where its class defines that, else the cross-entropy of the first tensor that it returns.
    Parameters that are frozen get a gradient too.
    Raises  UsageError for what is no batch, DoesNotRun where the module cannot be copied or does not run forward and backward.
    """
    if images.dim() != 4 or not images.is_floating_point() or labels.shape != images.shape[:1] or not len(images):
        what = f"images {tuple(images.shape)} of {images.dtype} with labels {tuple(labels.shape)}"
        raise UsageError(f"{what}: expected N×C×H×W floating-point images and N labels, N at least 1")
    device = device_of(module)
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
        copied = trainable_copy(module, images)
        x = images.detach().clone().requires_grad_().clone()  # a leaf could not be written into
        watcher = Watcher(copied, x)
        try:
            loss = watched_loss(copied, x, labels.clone(), watcher)
            watcher.go_back(loss)
        except Exception as error:
            shape = "×".join(map(str, images.shape))
            raise DoesNotRun(f"{type(module).__name__} cannot be trained on {shape}: {reason(error)}") from error
        return watcher.report(loss)


def trainable_copy(module: nn.Module, images: Tensor) -> nn.Module:
    """A copy in training mode, nothing in it frozen. Raises DoesNotRun where it cannot be copied, or is compiled."""
    name = type(module).__name__
    if any(isinstance(part, torch.jit.ScriptModule) or "_orig_mod" in part._modules for part in module.modules()):
        raise DoesNotRun(f"{name} cannot be recorded: it is compiled; give the module that it was compiled from")
    module = initialised(module, tuple(images.shape[1:]))
    if closes_over_itself(module):
        raise DoesNotRun(f"{name} cannot be copied: a function that it keeps refers to the original; remove its hooks first")
    try:
        copied = copy.deepcopy(module)
    except Exception as error:
        raise DoesNotRun(f"{name} cannot be copied: {reason(error)}") from error
    for parameter in copied.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    return copied.train()


def watched_loss(module: nn.Module, x: Tensor, labels: Tensor, watcher: "Watcher") -> Tensor:
    """The loss of a batch, everything on the way to it seen by the watcher."""
    handles = [part.register_forward_pre_hook(watcher.entering(path), with_kwargs=True) for path, part in repeated_units(module)]
    try:
        with watcher:
            if inspect.isfunction(inspect.getattr_static(type(module), "loss", None)):
                return module.loss(x, labels)  # type: ignore[operator]
            return F.cross_entropy(next(tensors_in(module(x))), labels)
    finally:
        for handle in handles:
            handle.remove()


def repeated_units(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The outermost modules with several layers whose class occurs more than once; torch's own containers do not count."""
    layers = {part: sum(any(True for _ in inner.parameters(recurse=False)) for inner in part.modules()) for part in module.modules()}
    several = {part: type(part) for part, count in layers.items() if count > 1 and type(part) not in CONTAINERS}
    repeated, last = {kind for kind, count in Counter(several.values()).items() if count > 1}, ""
    for path, part in module.named_modules():
        if path and several.get(part) in repeated and not (last and path.startswith(f"{last}.")):
            last = path
            yield path, part


# ── What is seen on the way forward ──────────────────────────────────────────────────────────────────────────────────


class SeenLayer(NamedTuple):
    """A layer on its way to be a LayerGradient; `weights` are the parameters that its gradient is taken of."""

    node: Node
    weights: list[nn.Parameter]
    mean: float
    std: float


class Summand(NamedTuple):
    """One side of an addition: the node that made it, and a copy of its numbers that gradients flow through."""

    origin: int
    value: Tensor


class Sum(NamedTuple):
    """An addition that makes a residual block: its node, that of the block's input, and the two summands."""

    node: int
    start: int
    projection: bool
    shortcut: Tensor
    branch: Tensor


class Watcher(GraphRecorder):
    """A GraphRecorder that also notes numbers, and where in the graph of autograd every operator's result stands."""

    def __init__(self, module: nn.Module, x: Tensor) -> None:
        super().__init__(module, x)
        self.batch = x
        self.edges: dict[int, GradientEdge] = {-1: get_gradient_edge(x)}
        self.layers: list[SeenLayer] = []
        self.layer_of: dict[int, int] = {}  # by parameter
        self.last_layer: dict[int, int | None] = {-1: None}  # by node: its own, or the last that its inputs come from
        self.weighty: set[int] = set()  # nodes that count as layers between a block's input and a summand
        self.rectifiers: list[Rectifier] = []
        self.operands: tuple[Summand, Summand] | None = None  # of the addition that is running
        self.additions: dict[int, tuple[Summand, Summand]] = {}
        self.entered: dict[str, int] = {}

    def entering(self, path: str) -> Callable[[nn.Module, Any, Any], None]:
        """A hook that notes which node's result the module at `path` is called with first."""

        def note(_: nn.Module, args: Any, kwargs: Any) -> None:
            first = next(tensors_in((args, kwargs)), None)
            origin = None if first is None else self.origin(first)
            if origin is not None:
                self.entered.setdefault(path, origin)

        return note

    def run(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.operands = self.summands(args, kwargs) if OPERATORS.get(func) is add else None
        return super().run(func, args, kwargs)

    def summands(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Summand, Summand] | None:
        """The two sides of an addition of activations, before it may write into one of them."""
        first, second = operands(args, kwargs)
        if not (isinstance(first, Tensor) and isinstance(second, Tensor) and first.shape == second.shape):
            return None
        origins = self.origin(first), self.origin(second)
        if first.dim() < 2 or origins[0] is None or origins[1] is None:
            return None
        return Summand(origins[0], first.clone()), Summand(origins[1], second * kwargs.get("alpha", 1))

    def note(self, call: Call) -> None:
        before = len(self.nodes)
        super().note(call)
        if len(self.nodes) > before:
            self.look(self.nodes[-1], call.made[0], call.parameters)

    def look(self, node: Node, result: Tensor, used: Sequence[nn.Parameter]) -> None:
        if result.requires_grad:
            self.edges[node.index] = get_gradient_edge(result)
        if self.operands:
            self.additions[node.index] = self.operands
        values = result.detach()
        if used:
            self.last_layer[node.index] = self.layer(node, values, used)
            if any(parameter.dim() > 1 for parameter in used):
                self.weighty.add(node.index)
        else:
            before = [layer for index in node.inputs if (layer := self.last_layer[index]) is not None]
            self.last_layer[node.index] = max(before, default=None)
        if node.op == "relu":
            self.rectifiers.append(self.rectifier(node, values))

    def layer(self, node: Node, values: Tensor, used: Sequence[nn.Parameter]) -> int:
        """The position of the layer that has these parameters, a new one where no layer has used them."""
        new = [parameter for parameter in used if id(parameter) not in self.layer_of]
        if not new:
            return max(self.layer_of[id(parameter)] for parameter in used)
        self.layer_of |= dict.fromkeys(map(id, new), len(self.layers))
        most = max(parameter.dim() for parameter in new)
        std, mean = torch.std_mean(values, correction=0)
        self.layers.append(SeenLayer(node, [parameter for parameter in new if parameter.dim() == most], mean.item(), std.item()))
        return len(self.layers) - 1

    def rectifier(self, node: Node, values: Tensor) -> Rectifier:
        layer = self.last_layer[node.index]
        linear = layer is not None and self.layers[layer].node.op == "linear" and self.layers[layer].node.shape == node.shape
        zero = (values == 0).movedim(-1 if linear else 1, 0).flatten(1)
        return Rectifier(node.path, layer, zero.all(1).float().mean().item(), zero.float().mean().item())

    # ── And on the way back ──────────────────────────────────────────────────────────────────────────────────────────

    def go_back(self, loss: Tensor) -> None:
        """Take the gradients at all weights, at the sums and where units begin. Raises what the backward pass raises."""
        weights = {id(weight): get_gradient_edge(weight) for layer in self.layers for weight in layer.weights}
        places = {index: self.edges[index] for index in {*self.entered.values(), *self.additions} & self.edges.keys()}
        found = torch.autograd.grad(loss, [*weights.values(), *places.values()], retain_graph=True, allow_unused=True)
        self.at_weight = dict(zip(weights, found[: len(weights)], strict=True))
        self.at_node = dict(zip(places, found[len(weights) :], strict=True))

    def report(self, loss: Tensor) -> GradientReport:
        return GradientReport(
            len(self.batch),
            loss.item(),
            tuple(self.layer_gradient(layer) for layer in self.layers),
            tuple(self.rectifiers),
            tuple(self.residual_block(one) for one in self.sums()),
            tuple(BlockGradient(path, norm(self.at_node.get(index))) for path, index in self.entered.items()),
        )

    def layer_gradient(self, layer: SeenLayer) -> LayerGradient:
        node, gradient, weight = layer.node, norm(*(self.at_weight[id(weight)] for weight in layer.weights)), norm(*layer.weights)
        kind = node.name.strip("_") if node.op == "other" else node.op
        return LayerGradient(node.path, kind, node.parameters, gradient, weight, share(gradient, weight), layer.mean, layer.std)

    def sums(self) -> Iterator[Sum]:
        """The additions that make residual blocks."""
        tree = Dominators(Graph(tuple(self.batch.shape[1:]), tuple(self.nodes), (), 0))
        for index, sides in self.additions.items():
            start = tree.common([side.origin for side in sides])
            (fewer, shortcut), (more, branch) = sorted(
                (layers_between(self.nodes, self.weighty, start, side.origin), place) for place, side in enumerate(sides)
            )
            if fewer < more and fewer <= 1 and {index, start} <= self.edges.keys():
                yield Sum(index, start, fewer == 1, sides[shortcut].value, sides[branch].value)

    def residual_block(self, one: Sum) -> ResidualBlock:
        at_sum = self.at_node[one.node]
        by_shortcut, by_branch = (self.brought_back(summand, one.start, at_sum) for summand in (one.shortcut, one.branch))
        whole, at_start = norm(one.shortcut + one.branch), norm(by_shortcut + by_branch)
        return ResidualBlock(
            self.nodes[one.node].path,
            one.projection,
            share(norm(one.shortcut), whole),
            share(norm(one.branch), whole),
            share(norm(by_shortcut), at_start),
            share(norm(by_branch), at_start),
            at_start,
        )

    def brought_back(self, summand: Tensor, start: int, gradient: Tensor | None) -> Tensor:
        """What a gradient at the summand gives at the result of `start`; 0 where there is none, or the way is cut."""
        if gradient is None or not summand.requires_grad:
            return torch.zeros(())
        (found,) = torch.autograd.grad([summand], [self.edges[start]], [gradient], retain_graph=True, allow_unused=True)
        return torch.zeros(()) if found is None else found


def norm(*tensors: Tensor | None) -> float:
    """√(Σ v²) over all numbers of all tensors, in float64, where the squares of large ones stay finite."""
    return math.hypot(*(torch.linalg.vector_norm(tensor.detach(), dtype=torch.float64).item() for tensor in tensors if tensor is not None))


def share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
