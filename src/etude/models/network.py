"""A network as a value: a registered name and the options it is built with. No torch before it is built."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etude.errors import UsageError
from etude.models import registry
from etude.models.registry import Row
from etude.values import read_call, write_call

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Network:
    """A registered network with options on top of its own, such as resnet110 with shortcut B.

    options  those that differ from the registered ones, by name; what they may be is known when it is built
    Raises   UsageError for a name that is not registered
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = self.row.options
        changed = {option: value for option, value in sorted(self.options.items()) if option not in own or own[option] != value}
        object.__setattr__(self, "options", changed)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        """`resnet110(shortcut=B)`, as `Network.read` and the command line take it."""
        return write_call(self.name, self.options)

    @classmethod
    def read(cls, text: str, /, **options: Any) -> "Network":
        """The network that `resnet110(shortcut=B)` names, with more options on top."""
        name, positional, given = read_call(text)
        if positional:
            raise UsageError(f"{text}: {positional[0]!r} stands without its option's name, expected OPTION=VALUE, such as depth=20")
        return cls(name, {**given, **options})

    @property
    def row(self) -> Row:
        return registry.row(self.name)

    @property
    def input(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        return self.row.input

    def build(self, /, **options: Any) -> "nn.Module":
        """A new one with random weights, with more options on top. Raises UsageError for what it does not take."""
        return registry.build(self.name, **{**self.options, **options})

    def without_weights(self) -> "nn.Module":
        """One on the meta device: shapes and no memory."""
        import torch

        with torch.device("meta"):
            return self.build()
