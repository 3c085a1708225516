"""How the gradient at initialisation depends on depth: without shortcuts, with them, and with pre-activation.

The CIFAR networks of He et al. 2015 (section 4.2) and 2016, which differ in nothing but their shortcuts and where BN and ReLU stand;
with He's initialisation and with torch's, with batch normalisation and without.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from etude.errors import UsageError
from etude.models import registry
from etude.shown import Shown

Network = Literal["plain", "residual", "preactivation"]
Start = Literal["he", "default"]

NETWORKS: dict[Network, str] = {"plain": "plain20", "residual": "resnet20", "preactivation": "preact_resnet110"}
OMITTED = "pre-activation without BN: the network has no option for it"


@dataclass(frozen=True)
class Norms:
    """A norm for every seed, in the order of the comparison's seeds; mean and sample standard deviation, 0 for a single seed."""

    values: tuple[float, ...]
    mean: float
    spread: float


@dataclass(frozen=True)
class DepthCell:
    """One kind of network at one depth.

    start  "he": N(0, 2 / (kernel²·out_channels)) in convolutions, biases 0. "default": every layer's `reset_parameters()`
    norm   whether batch normalisation follows the convolutions
    first  norm √(Σ v²) of the loss's gradient with respect to the weights of the first convolution, biases aside
    last   and of the last convolution
    """

    network: Network
    depth: int
    start: Start
    norm: bool
    first: Norms
    last: Norms


@dataclass(frozen=True, repr=False)
class DepthComparison(Shown):
    """All cells, each measured on the same `images` images with one network for every seed.

    omitted  what there is no cell for, and why
    """

    images: int
    seeds: tuple[int, ...]
    cells: tuple[DepthCell, ...]
    omitted: str = OMITTED


def depth_comparison(depths: Sequence[int], images: Tensor, labels: Tensor, *, seeds: Sequence[int]) -> DepthComparison:
    """Gradients of untrained networks of these depths in training mode, on one batch; the random state is left as it was.

    depths  6n + 2: 8, 20, 56, 110, …     images  N×3×32×32, floating point     labels  N, 0 to 9
    seeds   one network each; the loss is the cross-entropy, a mean over the images
    Raises  UsageError for a depth that is not 6n + 2, for other images, and where there is no depth or no seed.
    """
    if images.shape[1:] != (3, 32, 32) or labels.shape != images.shape[:1]:
        raise UsageError(f"images {tuple(images.shape)}, labels {tuple(labels.shape)}: expected N×3×32×32 and N")
    if not depths or not seeds:
        raise UsageError(f"depths {list(depths)}, seeds {list(seeds)}: expected at least one of each")
    kinds: list[tuple[Network, Start, bool]] = [
        (network, start, norm)
        for norm in (True, False)
        for start in ("he", "default")
        for network in NETWORKS
        if norm or network != "preactivation"
    ]
    cells = []
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        x, y = images.detach().clone(), labels.clone()
        for network, start, norm in kinds:
            without = {} if norm else {"norm": None}
            for depth in depths:
                make = partial(registry.build, NETWORKS[network], depth=depth, **without)
                pairs = [gradient_norms(make, start, x, y, seed) for seed in seeds]
                first, last = (norms(values) for values in zip(*pairs, strict=True))
                cells.append(DepthCell(network, depth, start, norm, first, last))
    return DepthComparison(len(images), tuple(seeds), tuple(cells))


def gradient_norms(make: Callable[[], nn.Module], start: Start, images: Tensor, labels: Tensor, seed: int) -> tuple[float, float]:
    """Of the weights of the first and of the last convolution, in the order in which they are defined, which is that of execution."""
    torch.manual_seed(seed)
    model = make().to(images.device).train()
    if start == "default":
        reset(model)
    convolutions = [module.weight for module in model.modules() if isinstance(module, nn.Conv2d)]
    found = torch.autograd.grad(F.cross_entropy(model(images), labels), [convolutions[0], convolutions[-1]])
    first, last = (torch.linalg.vector_norm(gradient, dtype=torch.float64).item() for gradient in found)
    return first, last


def reset(model: nn.Module) -> None:
    """Initialise every layer again as torch does by default."""
    for module in model.modules():
        if callable(own := getattr(module, "reset_parameters", None)):
            own()


def norms(values: tuple[float, ...]) -> Norms:
    return Norms(values, statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0)
