"""`python -m etude.jobs.child`: the process of a lane. A line on standard input is its order; what it says is lines of JSON."""

import json
import os
import platform
import signal
import sys
import threading
import time
import traceback
from _thread import interrupt_main
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import torch

from etude.data.sources import NoSource
from etude.errors import EtudeError
from etude.jobs.lane import Order
from etude.train import engine, machine
from etude.train import recipe as recipes
from etude.train.job import Interrupted, Job, Means, Progress
from etude.train.run import Run
from etude.version import VERSION

TELL_SECONDS = 1.0


def main() -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    tell = told_to(sys.stdout)
    sys.stdout = sys.stderr  # whatever else is printed
    if not (line := sys.stdin.readline()):  # who started it has died
        return Interrupted.exit_code
    order = Order(**json.loads(line))
    threading.Thread(target=interrupted_at_end, args=(sys.stdin.fileno(),), daemon=True).start()
    try:
        torch.set_num_threads(order.threads)
        job = Job(recipes.from_table(order.recipe, "recipe"), order.seed)
        if machine.source_digest(job.recipe.model) != order.source:
            raise EtudeError(f"{platform.node()} has an Etude ({VERSION}) of other code; install the same one on all machines")
        data_dir = Path(order.data_dir) if order.data_dir else None
        means = Means(order.device, data_dir, watching(tell), lambda text: tell({"said": text}))
        engine.run_to_result(job, Run(Path(order.folder)), means)
    except (Interrupted, KeyboardInterrupt):
        return Interrupted.exit_code
    except EtudeError as error:
        tell({"why": str(error), "no_data": isinstance(error, NoSource)})
        return 1
    except OSError as error:  # a full disk, say, of which the run keeps what was saved before
        tell({"why": f"{error.filename or order.folder}: {error.strerror or error}; what was saved before is intact"})
        return 1
    except Exception as error:
        traceback.print_exc()
        tell({"why": f"{type(error).__name__}: {error}"})
        return 1
    return 0


def told_to(stream: TextIO) -> Callable[[dict[str, Any]], None]:
    def tell(what: dict[str, Any]) -> None:
        try:
            stream.write(json.dumps(what) + "\n")
            stream.flush()
        except OSError:  # nobody listens any more; then standard input has ended too
            pass

    return tell


def watching(tell: Callable[[dict[str, Any]], None]) -> Callable[[Job, Progress], None]:
    last = 0.0

    def watch(job: Job, progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= TELL_SECONDS:
            last = time.monotonic()
            tell({"progress": asdict(progress)})

    return watch


def interrupted_at_end(descriptor: int) -> None:
    """Interrupt this process when nobody holds the other end. (Not by the buffered sys.stdin: it would be locked at the exit.)"""
    os.read(descriptor, 1)
    interrupt_main()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.exit(code)
