"""Starts `etude` on many processes, forked from one that has imported torch: python ranks.py, then a scene a line on standard input.

A scene is JSON: the `arguments` of every process, and, where one of them is sent a `signal`, the `rank` of it and the `step` after which.
The answer is a line of JSON: the exit code of every process and what it wrote to standard error.
"""

import functools
import json
import math
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from etude.cli import app
from etude.data import dataset, strokes
from etude.data.batches import Cut
from etude.train import loop, processes

SECONDS = 300  # for a scene; then its processes are ended, and the exit code is that of a signal


def become(rank: int, scene: dict[str, Any], port: int, said: Path) -> int:
    """Be one of the processes; returns its exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), sys.stderr.fileno())
    size = len(scene["arguments"])
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"  # as torchrun, we keep what the processes tell each other
    signal.alarm(SECONDS)
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def step(training: loop.Training, batch: Cut, plain: Any = loop.Training.step) -> None:
        plain(training, batch)
        loop.CHECKPOINT_SECONDS = 0.0 if training.state["step"] < 5 else math.inf
        if training.state["step"] == scene.get("step") and rank == scene["rank"]:
            os.kill(os.getpid(), scene["signal"])

    loop.Training.step = step  # type: ignore[method-assign, assignment]
    return app.run(scene["arguments"][rank])


def played(scene: dict[str, Any]) -> list[tuple[int, str]]:
    with tempfile.TemporaryDirectory() as folder:
        said, children = Path(folder), list[int]()
        store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        for rank in range(len(scene["arguments"])):
            child = os.fork()
            if child == 0:
                code = 70
                try:
                    code = become(rank, scene, store.port, said / str(rank))
                finally:
                    os._exit(code)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        return [(code, (said / str(rank)).read_text(encoding="utf-8")) for rank, code in enumerate(codes)]


if __name__ == "__main__":
    assert processes  # imported before the first fork, as the strokes are drawn
    dataset.strokes = SimpleNamespace(draw=functools.cache(strokes.draw))  # type: ignore[assignment, attr-defined]
    dataset.load("strokes")
    for line in sys.stdin:
        print(json.dumps(played(json.loads(line))), flush=True)
