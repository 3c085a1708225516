"""A target as a value: what a person points at, parsed and not yet made. No torch.

resnet20, googlenet@torchvision, resnet20(depth=8)      a registered network
my_net.py:Net, my_net.py:make_net(20, norm=none)        a class, a function that makes a module, or a module, in a file
lecture.ipynb:Net, lecture.ipynb                        the same in a notebook; without a name the one network that a file holds
net.py:ResNet(BasicBlock, [2, 2, 2, 2])                 with names of the file among the arguments
net.py:Zoo.resnet20                                     what a class there has or makes
torchvision.models:resnet50                             the same in something importable
zoo:ResNet.from_name("resnet18"), zoo:Net(Config(50))   what a class there makes, and what is made for it
runs/lecture_residual…                                  what the run in that folder has trained
resnet20.he2015                                         what Etude brings trained
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from etude.errors import UsageError
from etude.files import WEIGHTS
from etude.models import registry
from etude.models.network import Network
from etude.train import kept
from etude.values import Made, Name, read_call, write_call

CODE = re.compile(r"(.+?\.(?:py|ipynb))(?::(.*))?", flags=re.DOTALL)


@dataclass(frozen=True)
class Target:
    """What a person points at.

    place      the file, the module's name in Python, or the run's folder or name; "" for a registered network
    name       of the network, or of what stands at that place; "" for a run, and for the one network of a file
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
        if found := CODE.fullmatch(text):
            return cls("file", found[1], *read_call(found[2] or ""))
        name = text.partition("(")[0]
        if text in kept.names():
            return cls("run", text)
        if name not in registry.names() and (Path(text).is_dir() or "/" in name or os.sep in name):
            return cls("run", text)
        if ":" in name:
            place, _, attribute = name.rpartition(":")
            return cls("module", place, attribute, *read_call(text)[1:])
        if text.endswith(WEIGHTS):
            raise UsageError(f"{text} is a file of weights: name the code that they belong to, as FILE.py:NAME; `etude convert` takes both")
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
        return replace(self, place=str(kept.place_of(self.place).resolve())) if self.kind in ("file", "run") else self

    def whole_text(self, typed: str) -> str:
        """What was typed, with a whole path: as typed, so that quotes stay."""
        return typed.replace(self.place, self.whole().place, 1)

    @property
    def first(self) -> str:
        """Of its name what stands at the top level of a file: `Zoo` of `Zoo.resnet20`."""
        return self.name.partition(".")[0]

    @property
    def names(self) -> set[str]:
        """What it names in a file, if these names are there: itself, and what it is made with."""
        return {self.first, *(name.partition(".")[0] for name in names_in([*self.arguments, *self.options.values()]))}

    @property
    def network(self) -> Network:
        """The registered network that it is."""
        return Network(self.name, self.options)


def names_in(value: Any) -> Iterator[str]:
    """The names in a value that somebody has typed, in lists and tables too."""
    match value:
        case Name():
            yield value
        case Made():
            yield from names_in([value.name, *value.arguments, *value.options.values()])
        case list() | tuple():
            for item in value:
                yield from names_in(item)
        case dict():
            yield from names_in([*value.values()])
