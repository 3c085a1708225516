"""The weights of a layer where an answer may keep them in pieces, or in another shape: a filter for each output, a matrix for each tap.

Each such arrangement becomes a part of the answer's parameters, beside those that were seen in its run. Whether it is used, numbers tell.
"""

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from etude.practice.answers import Answer
from etude.verification.parts import essential


def arrange(answer: Answer, shapes: Iterable[torch.Size]) -> None:
    """Offer weights of these shapes, from all parameters of the answer that have as many numbers."""
    for pieces, shape in itertools.product(list(pieces_of(answer.module)), set(shapes)):
        fits_as_it_is = len(pieces) == 1 and essential(pieces[0].shape) == essential(shape)
        if sum(piece.numel() for piece in pieces) == shape.numel() and not fits_as_it_is:
            for order in itertools.permutations(range(len(shape))):
                answer.trace.parts.put(pieces, functools.partial(arranged, shape=shape, order=order))


def pieces_of(module: nn.Module) -> Iterator[list[Tensor]]:
    """Every parameter, and those of one shape whose names differ in one number."""
    series: dict[tuple[str, torch.Size], list[Tensor]] = {}
    for name, parameter in module.named_parameters():
        yield [parameter]
        for number in re.finditer(r"\d+", name):
            alike = f"{name[: number.start()]}#{name[number.end() :]}"
            series.setdefault((alike, parameter.shape), []).append(parameter)
    yield from (pieces for pieces in series.values() if len(pieces) > 1)


def arranged(pieces: Sequence[Tensor], shape: torch.Size, order: Sequence[int]) -> Tensor:
    """The numbers of the pieces as a tensor of a shape, of whose sides they run through the first in this order slowest."""
    back = sorted(range(len(order)), key=lambda side: order[side])
    return torch.stack(list(pieces)).reshape([shape[side] for side in order]).permute(back)
