"""One run on many processes: DistributedDataParallel over gloo, on graphics cards over nccl."""

import contextlib
import gc
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import Store  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from etude.data.batches import generator
from etude.errors import EtudeError, UsageError
from etude.train.batch_norm import synchronise
from etude.train.world import SaidElsewhere, Value, World

PATIENCE = timedelta(minutes=10)  # with a process that neither answers nor has ended, as when its machine has lost its network
SHOWN = 60  # characters of a value that differs


class Processes(World):
    """One process of many, which do the same steps at the same time and wait for each other in each."""

    signals = (signal.SIGINT, signal.SIGTERM)  # the second from torchrun, when one of us has died, and from a cluster

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.here = int(os.environ.get("LOCAL_WORLD_SIZE", size))  # of us on this machine
        here = f" --nproc-per-node={self.here}" if self.here == size else " …"
        self.command = f"torchrun{here} -m etude"
        self.wrapped: DistributedDataParallel | None = None
        self.trained: list[bool] = []

    def told(self, call: Callable[[], Value]) -> Value:
        content = [call() if self.is_writer else None]
        dist.broadcast_object_list(content)
        return content[0]  # type: ignore[return-value]

    def any(self, yes: bool) -> bool:
        return bool(self.sum(torch.tensor(int(yes))))

    def sum(self, numbers: Tensor) -> Tensor:
        dist.all_reduce(numbers)
        return numbers

    def check(self, values: Mapping[str, Any], fewest: int) -> None:
        everywhere: list[Mapping[str, Any]] = [{}] * self.size
        dist.all_gather_object(everywhere, values)
        for rank, theirs in enumerate(everywhere):
            for key in {**everywhere[0], **theirs}:
                if everywhere[0].get(key) != theirs.get(key):
                    one, other = (str(each.get(key))[:SHOWN] for each in (everywhere[0], theirs))
                    raise UsageError(f"{key} is {one} in process 0 and {other} in process {rank}; expected the same in all")
        if fewest < self.size:
            many = f"{self.size} processes for a batch of {fewest} image{'s' * (fewest != 1)}"
            raise UsageError(f"{many}, expected one for each at least: fewer processes, or --set batch=… (the last of an epoch counts too)")

    def device(self, device: torch.device) -> torch.device:
        if device.type == "cpu":
            return device
        if device.type != "cuda":
            raise UsageError(f"device `{device.type}` is for a process alone, expected cpu or cuda with {self.size}: --device cpu")
        if self.here > torch.cuda.device_count():
            raise UsageError(f"{self.here} processes and {torch.cuda.device_count()} cards on this machine, expected one for each")
        own = torch.device("cuda", int(os.environ.get("LOCAL_RANK", self.rank)))
        torch.cuda.set_device(own)
        return own

    def synchronised(self, model: nn.Module, device: torch.device) -> nn.Module:
        if device.type == "cuda":
            return nn.SyncBatchNorm.convert_sync_batchnorm(model)
        synchronise(model, self.sum)
        return model

    def run(self, module: nn.Module, *inputs: Tensor) -> Any:
        trained = [parameter.requires_grad for parameter in module.parameters()]
        if self.wrapped is None or self.wrapped.module is not module or trained != self.trained:
            self.wrapped, self.trained = DistributedDataParallel(module), trained
            self.arrange(module, inputs)
        return self.wrapped(*inputs)

    def arrange(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Take a step that counts for nothing. Behind its first one DistributedDataParallel lays out the gradients anew, and more than
        two numbers have another sum in another layout; so a continued run would begin unlike one that went on.
        """
        assert self.wrapped is not None
        before = [buffer.clone() for buffer in module.buffers()]
        with torch.random.fork_rng(devices=[]):
            self.wrapped(*inputs)[0].backward()
        module.zero_grad()
        for buffer, value in zip(module.buffers(), before, strict=True):
            buffer.copy_(value)

    def share(self, model: nn.Module) -> None:
        for buffer in model.buffers():
            dist.broadcast(buffer, 0)

    def seed(self, seed: int, step: int) -> None:
        torch.manual_seed(generator(seed, step, self.rank, "process").initial_seed())

    def close(self) -> None:
        """Leave the others. The wrapped module goes first: were it the last to hold the group, the group's threads would be waited for
        without letting go of the interpreter, and one of them may need it.
        """
        self.wrapped = None
        gc.collect()
        dist.destroy_process_group()

    @contextlib.contextmanager
    def guarded(self, advice: Callable[[], str]) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if not (isinstance(error, dist.DistError) or "gloo" in str(error)):
                raise
            raise EtudeError(f"another process of this run has ended, or is out of reach, so all end; {advice()}") from error


@contextlib.contextmanager
def connected(rank: int, size: int) -> Iterator[Processes]:
    """See `world.joined`."""
    at = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    try:
        store, _, _ = next(rendezvous("env://", timeout=PATIENCE))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise EtudeError(f"process {rank} of {size} does not find the others at {at} (MASTER_ADDR:MASTER_PORT): {why}") from error
    world = Processes(rank, size)
    try:
        with world.guarded(lambda: "start them again"):
            yield world
    except BaseException as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun sends it soon, before anything may have been said
        if is_first(store) or not isinstance(error, (EtudeError, KeyboardInterrupt)):
            raise
        raise SaidElsewhere(getattr(error, "exit_code", 130)) from error
    world.close()


def is_first(store: Store) -> bool:
    """Whether no other process has failed yet, as far as can be known."""
    try:
        return store.add("failed", 1) == 1
    except RuntimeError:  # whoever kept the store has ended
        return True
