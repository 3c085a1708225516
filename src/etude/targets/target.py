"""A target as a value: what a person points at, parsed and not yet made. No torch.

resnet20, googlenet@torchvision, resnet20(depth=8)      a registered network
my_net.py:Net, my_net.py:make_net(20, norm=none)        a class, a function that makes a module, or a module, in a file
torchvision.models:resnet50                             the same in something importable
runs/lecture_residual…                                  what the run in that folder has trained
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from etude.errors import UsageError
from etude.models import registry
from etude.models.network import Network
from etude.values import read_call, write_call

CODE = ".py"


@dataclass(frozen=True)
class Target:
    """What a person points at.

    place      the file, the module's name in Python, or the run's folder; "" for a registered network
    name       of the network, or of what stands at that place; "" for a run
    arguments  for what stands there, by position
    options    for it, or of the network, by name
    """

    kind: Literal["network", "file", "module", "run"]
    place: str = ""
    name: str = ""
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> "Target":
        """The target that a text names. Raises UsageError for a name that is not registered, and for arguments that are no values."""
        if text.endswith(CODE):
            raise UsageError(f"{text}: which class or function? Write {text}:NAME")
        file, marker, call = text.partition(f"{CODE}:")
        if marker:
            return cls("file", file + CODE, *read_call(call))
        name = text.partition("(")[0]
        if name not in registry.names() and (Path(text).is_dir() or "/" in name or os.sep in name):
            return cls("run", text)
        if ":" in name:
            place, _, attribute = name.rpartition(":")
            return cls("module", place, attribute, *read_call(text)[1:])
        network = Network.read(text)
        return cls("network", name=network.name, options=network.options)

    def __str__(self) -> str:
        """As `Target.read` takes it."""
        call = write_call(self.name, self.options, self.arguments)
        return f"{self.place}:{call}" if self.place and self.name else self.place or call

    def with_options(self, options: Mapping[str, Any]) -> "Target":
        """The same with more options on top. Raises UsageError for a run, which is trained already."""
        if options and self.kind == "run":
            raise UsageError(f"{self} is trained already; it takes no options")
        return replace(self, options={**self.options, **options})

    def whole(self) -> "Target":
        """The same with a whole path, for a process that works in another folder."""
        return replace(self, place=str(Path(self.place).resolve())) if self.kind in ("file", "run") else self

    @property
    def network(self) -> Network:
        """The registered network that it is."""
        return Network(self.name, self.options)
