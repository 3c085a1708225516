"""Every network by name. Rows are plain values; torch is imported only by `build`."""

import fnmatch
import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etude.errors import UsageError, nearest

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Row:
    """One registered network.

    name        as on the command line; `@` would mark a named departure from the paper
    about       one line for listings
    target      "file:callable" under etude.models
    facts       "paper/network": the facts it claims to satisfy
    input       (channels, height, width) of one image
    departures  what differs from the paper, in words
    """

    name: str
    about: str
    target: str
    facts: str
    input: tuple[int, int, int]
    departures: tuple[str, ...] = ()

    @property
    def paper(self) -> str:
        return self.facts.partition("/")[0]

    @property
    def network(self) -> str:
        return self.facts.partition("/")[2]

    def factory(self) -> Callable[..., "nn.Module"]:
        """The class or function that makes the network. Imports torch."""
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(f"etude.models.{module}"), name)


MNIST = (1, 28, 28)

ROWS = (
    Row("lecture_inception", "the lecture's Inception network", "lecture:LectureInception", "lecture/lecture_inception", MNIST),
    Row("lecture_residual", "the lecture's residual network", "lecture:LectureResidual", "lecture/lecture_residual", MNIST),
    Row(
        "lecture_residual_scaled",
        "Exercise 11-1: constant scaling",
        "lecture:lecture_residual_scaled",
        "lecture/lecture_residual_scaled",
        MNIST,
    ),
    Row(
        "lecture_residual_conv",
        "Exercise 11-1: conv shortcut",
        "lecture:lecture_residual_conv",
        "lecture/lecture_residual_conv",
        MNIST,
    ),
    Row("lecture_densenet", "Exercise 11-2: a DenseNet for MNIST", "lecture:LectureDenseNet", "lecture/lecture_densenet", MNIST),
)


def names(pattern: str = "*") -> tuple[str, ...]:
    """The names that match a shell pattern such as "lecture_res*", in the order of the registry."""
    return tuple(row.name for row in ROWS if fnmatch.fnmatchcase(row.name, pattern))


def row(name: str) -> Row:
    """The row of that name. Raises UsageError with the nearest names."""
    for candidate in ROWS:
        if candidate.name == name:
            return candidate
    raise UsageError(f"no model `{name}`; {nearest(name, names())}")


def build(name: str, **options: Any) -> "nn.Module":
    """A new network with random weights, e.g. `build("lecture_residual", classes=3)`.

    Raises UsageError for an unknown name, or an option that the network does not have.
    """
    factory = row(name).factory()
    known = inspect.signature(factory).parameters
    for option in options:
        if option not in known:
            raise UsageError(f"{name} has no option `{option}`; {nearest(option, known)}")
    return factory(**options)
