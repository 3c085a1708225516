"""The processes that do one run together. Alone, which is usual, nothing here has an effect. Imports no torch."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from etude.errors import EtudeError, UsageError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what torchrun tells each process

Value = TypeVar("Value")


class World:
    """A process that does a run alone. `Processes` (processes.py) is the same for one of many; the others may be on other machines.

    rank     which of them this is; the first, 0, is the only one that reads and writes the run's folder
    size     how many there are; `here`, how many on this machine
    command  how etude is called there
    signals  what stops a run after the step that it is in
    """

    rank, size, here = 0, 1, 1
    command = "etude"
    signals: tuple[signal.Signals, ...] = (signal.SIGINT,)

    @property
    def is_writer(self) -> bool:
        return self.rank == 0

    def told(self, call: Callable[[], Value]) -> Value:
        """What the call gives in the process that writes. It is made in no other."""
        return call()

    def any(self, yes: bool) -> bool:
        """Whether it is so in any process."""
        return yes

    def sum(self, numbers: "Tensor") -> "Tensor":
        """The sum over all processes, in the place of `numbers`."""
        return numbers

    def part(self, count: int) -> slice:
        """Which of so many things are for this process: each one is for one process, and none has two more than another."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def check(self, values: Mapping[str, Any], fewest: int) -> None:
        """Raises UsageError where the values are not the same in all processes, or a batch of `fewest` images has none for one of them."""

    def device(self, device: "torch.device") -> "torch.device":
        """The device for this process. Raises UsageError where there is none for it."""
        return device

    def synchronised(self, model: "nn.Module", device: "torch.device") -> "nn.Module":
        """The network, with batch norms that see the images of all processes."""
        return model

    def run(self, module: "nn.Module", *inputs: "Tensor") -> Any:
        """What the module gives; the gradients of its parameters will be means over the processes."""
        return module(*inputs)

    def share(self, model: "nn.Module") -> None:
        """Give all processes the running statistics of the one that writes."""

    def seed(self, seed: int, step: int) -> None:
        """Begin a step with random numbers of its own in each process, so that dropout is not the same in all."""

    def guarded(self, advice: Callable[[], str]) -> contextlib.AbstractContextManager[None]:
        """Where another process has ended or cannot be reached, raise EtudeError with that advice."""
        return contextlib.nullcontext()


class SaidElsewhere(EtudeError):
    """This process ends too; another one has said why."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("another process of this run has said why it ended")
        self.exit_code = exit_code


@contextlib.contextmanager
def joined() -> Iterator[World]:
    """This process and those that torchrun started beside it; whichever of them fails first says so, the others raise SaidElsewhere.

    Raises UsageError where the surroundings are not what torchrun makes them.
    """
    if not {"RANK", "WORLD_SIZE"} & set(os.environ):
        yield World()
        return
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        given = next(name for name in ("RANK", "WORLD_SIZE") if name in os.environ)
        start = "start with torchrun --nproc-per-node=N -m etude train …"
        raise UsageError(f"{given} is set and {missing[0]} is not: {start}, or for one process alone unset {given}")
    rank, size = (number(name) for name in ("RANK", "WORLD_SIZE"))
    if rank >= size:
        raise UsageError(f"RANK = {rank} with WORLD_SIZE = {size}, expected 0 to {size - 1}")
    if size == 1:
        yield World()
        return
    from etude.train.processes import connected  # imports torch

    with connected(rank, size) as world:
        yield world


def number(name: str) -> int:
    """A count in the surroundings."""
    if not os.environ[name].isdecimal():
        raise UsageError(f"{name} = {os.environ[name]!r}, expected a whole number")
    return int(os.environ[name])
