"""The step of a long run, compiled by torch for this machine where it is faster so. The function stays the same, up to rounding."""

import contextlib
import logging
import os
import shutil
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from etude.data.sources import Say, cache_folder

COMPILERS = ("g++", "clang++", "cl")
FEWEST = 1_000  # steps of a run that may be long
LONG = 3600.0  # seconds that a run must take, so that minutes of compiling are tried
GAIN = 0.95  # of the plain time, at most, for what was compiled to be taken
ROUNDS = 5
OPTIONS: dict[str, Any] = {"fallback_random": True}  # dropout by torch's own numbers

Step = Callable[[nn.Module], None]


def has_compiler() -> bool:
    """Whether there is what torch compiles with."""
    return any(map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS)))


def compiled(learner: nn.Module, step: Step, say: Say) -> nn.Module | None:
    """The same module, compiled, with the same weights; None where it cannot be compiled here, which is said.

    step  goes forward and back through a module as a step of the training does; weights, statistics and random numbers are put back
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "compiled"))  # kept for the next time
    say("compiling the step for this machine, which takes some minutes the first time")
    module = torch.compile(learner, dynamic=False, options=OPTIONS)
    assert isinstance(module, nn.Module)
    try:
        with untouched(learner), quiet():
            step(module)
    except Exception as error:  # whatever half a compiler makes torch stumble over
        say(f"the step stays as it is: it cannot be compiled here ({str(error).splitlines()[0]})")
        return None
    return module


def faster(learner: nn.Module, step: Step, steps: int, say: Say) -> nn.Module | None:
    """The learner compiled, where so many steps take long and each is faster so, as measured here in turns; else None."""
    if steps < FEWEST or not has_compiler():
        return None
    with untouched(learner):
        step(learner)
        if seconds(step, learner) * steps < LONG:
            return None
    module = compiled(learner, step, say)
    if module is None:
        return None
    with untouched(learner):
        ratio = statistics.median(seconds(step, module) / seconds(step, learner) for _ in range(ROUNDS))
    taken = ratio <= GAIN
    say(f"compiled, a step takes {ratio:.2f} of its time{'' if taken else ', so it stays as it is'}")
    return module if taken else None


def seconds(step: Step, module: nn.Module) -> float:
    """What a step takes."""
    start = time.perf_counter()
    step(module)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


@contextlib.contextmanager
def untouched(learner: nn.Module) -> Iterator[None]:
    """Afterwards, whatever happened, its weights, statistics and torch's random numbers are what they were, and it has no gradients."""
    state = {name: value.clone() for name, value in learner.state_dict().items()}
    cards = {parameter.device.index for parameter in learner.parameters() if parameter.is_cuda}
    try:
        with torch.random.fork_rng(devices=cards):
            yield
    finally:
        learner.load_state_dict(state)
        learner.zero_grad()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what torch's compiler and exporter say of themselves."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
