"""Judges an answer that draws its own random numbers: exactly in eval mode, and by how its outputs are distributed in training mode."""

import functools
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from etude.explain.findings import Finding
from etude.practice.answers import Answer, one_tensor
from etude.practice.candidates import Candidate, Comparison, carried
from etude.verification.align import align
from etude.verification.prepare import copied
from etude.verification.trace import AgainWithoutChance, same_numbers

DRAWS, COPIES = 20, 200  # runs, and copies of one image in each
CORNER = 4  # so many channels, rows and columns are looked at in pairs
ERRORS = 8.0  # standard errors between two estimates; by chance in less than one comparison of ten million
FURTHEST = 3.0  # between two distributions of n draws, in units of (2 / n)^½; by chance in less than one of ten million
STEP = 1e-6  # of a difference, relative to the numbers of the weights
CLOSE = 1e-4  # a difference and a derivative, relative
LEAST = 1e-6  # added to an error, for numbers that do not vary


def differences(answer: Answer, candidate: Candidate) -> Iterator[Finding]:
    """In what the outputs of the two are apart, as far as they tell."""
    evaluated = candidate.evaluated
    found = align(evaluated.steps, answer.evaluated, answer.module)
    reached = evaluated.output is not None and found.reached == len(evaluated.steps)
    if not reached or not same_numbers(one_tensor(answer.evaluated), found.values[evaluated.output or 0][0].tensor):
        yield Finding("chance_in_eval")
        return
    comparison = Comparison(answer, candidate, found, evaluated.steps)
    theirs, ours = draws_of(answer), drawn(carried(candidate, comparison.bindings), answer.images)
    part, own = corner(theirs), corner(ours)
    for dim, key in ((1, "images"), (0, "runs"), (2, "channels"), (3, "rows"), (4, "columns")):
        if dim < part.dim() and apart(together(part, dim), together(own, dim)) > ERRORS:
            yield Finding(f"chance_{key}")
    theirs, ours = (draws.flatten(0, 1).flatten(1) for draws in (theirs, ours))
    if apart(theirs, ours) > ERRORS:
        yield Finding("chance_mean")
    elif apart((theirs - theirs.mean(0)).square(), (ours - ours.mean(0)).square()) > ERRORS or furthest(part, own) > FURTHEST:
        yield Finding("chance_spread")
    if comparison.shares_numbers:
        yield Finding("shared")
    yield from comparison.aside()


@functools.lru_cache(maxsize=4)
def draws_of(answer: Answer) -> Tensor:
    return drawn(answer.module, answer.images)


@torch.no_grad()
def drawn(module: nn.Module, images: Tensor) -> Tensor:
    """What a module gives in training mode for the same image again and again: runs, copies, then as it gives it."""
    module.train()
    torch.manual_seed(4)
    copies = images[:1].expand(COPIES, *images.shape[1:])
    return torch.stack([module(copies.clone()) for _ in range(DRAWS)])


def corner(draws: Tensor) -> Tensor:
    """A few channels and pixels of what was drawn."""
    return draws[(slice(None), slice(None), *[slice(CORNER)] * (draws.dim() - 2))]


def together(draws: Tensor, dim: int) -> Tensor:
    """How numbers vary together with their neighbours along a dimension: products, for all runs and images."""
    varied = draws - draws.mean((0, 1))
    length = draws.shape[dim] - 1
    return (varied.narrow(dim, 0, length) * varied.narrow(dim, 1, length)).flatten(0, 1).flatten(1)


def apart(one: Tensor, other: Tensor) -> float:
    """The distance of two means, in standard errors; what hardly varies counts by its numbers."""
    error = ((one.var(0) + other.var(0)) / len(one)).sqrt() + LEAST
    return ((one.mean(0) - other.mean(0)).abs() / error).max().item()


def furthest(one: Tensor, other: Tensor) -> float:
    """The largest distance between the distributions of any number (Kolmogorov, Smirnov), in units of (2 / n)^½."""
    one, other = (draws.flatten(0, 1).flatten(1) for draws in (one, other))
    n = len(one)
    values, order = torch.cat([one, other]).round(decimals=9).sort(dim=0)
    steps = torch.where(order < n, 1.0, -1.0).cumsum(0) / n
    last = torch.cat([values[1:] != values[:-1], torch.ones(1, *values.shape[1:], dtype=torch.bool)])  # of numbers that are equal
    return ((steps.abs() * last).max() * (n / 2) ** 0.5).item()


def slope_differs(answer: Answer) -> bool:
    """Whether the gradients in eval mode are not the function's: the slope along a random direction is measured by the outputs alone."""
    module, images = copied(answer.module).eval(), answer.images.clone().requires_grad_()
    leaves = [images, *(parameter for parameter in module.parameters() if parameter.requires_grad)]
    generator = torch.Generator().manual_seed(2)
    weights = torch.randn(answer.output.shape, generator=generator)
    with AgainWithoutChance():
        gradients = torch.autograd.grad((module(images.clone()) * weights).sum(), leaves, allow_unused=True)
    directions = [torch.randn(leaf.shape, generator=generator) * leaf.detach().abs().mean() for leaf in leaves]
    told = sum((g * d).sum().item() for g, d in zip(gradients, directions, strict=True) if g is not None)
    sizes = sum((g * d).abs().sum().item() for g, d in zip(gradients, directions, strict=True) if g is not None)
    with torch.no_grad(), AgainWithoutChance():
        ends = []
        for sign in (1, -2):
            for leaf, direction in zip(leaves, directions, strict=True):
                leaf.add_(direction, alpha=sign * STEP)
            ends.append((module(images.clone()) * weights).sum().item())
    return abs((ends[0] - ends[1]) / (2 * STEP) - told) > CLOSE * (abs(told) + 0.01 * sizes)
