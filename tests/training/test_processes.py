"""One run on many processes: what one process would do, and one message when one of them ends."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ranks
from etude.errors import UsageError
from etude.train import engine
from etude.train import recipe as recipes
from etude.train.batch_norm import WholeBatchNorm, synchronise
from etude.train.run import Run
from etude.train.world import joined

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")

SGD = 'optimizer={"name": "sgd", "lr": 0.003, "momentum": 0.5, "nesterov": false, "weight_decay": 1e-4}'  # at which roundings do not grow
CHANGES = ("model.growth_rate=4", SGD, "shift=2", "flip=true", "images=653", "batch=33")  # nineteen batches of 33, one of 26
RECIPE = recipes.change(recipes.load("lecture_densenet.lecture", "smoke").on("strokes"), CHANGES)
WHOLE = 'batch_norm="synchronised"'
Ended = list[tuple[int, str]]  # of every process the exit code, and what it wrote to standard error


class Stage:
    """Plays scenes, see ranks.py."""

    def __init__(self) -> None:
        command = [sys.executable, ranks.__file__]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def play(self, arguments: list[list[str]], **what: Any) -> Ended:
        assert self.process.stdin and self.process.stdout
        print(json.dumps({"arguments": arguments, **what}), file=self.process.stdin, flush=True)
        return [(code, said) for code, said in json.loads(self.process.stdout.readline())]

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


def train(folder: Path, *settings: str) -> list[str]:
    each = (f"--set={setting}" for setting in (*CHANGES, *settings))
    return ["train", "lecture_densenet.lecture", "--budget", "smoke", "--data", "strokes", "--run", str(folder), *each]


def numbers(folder: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in Run(folder).curve()]


def errors(ended: Ended) -> list[str]:
    """What all processes together say went wrong; nothing of it is a traceback."""
    assert not any("Traceback" in said for _, said in ended), ended
    return [line for _, said in ended for line in said.splitlines() if line.startswith("error: ")]


def test_two_processes_do_what_one_does(stage: Stage, tmp_path: Path) -> None:
    """Twenty steps on the same moved and mirrored images, by batch norms that see all of them; no batch divides by two."""
    ended = stage.play([train(tmp_path / "two", WHOLE)] * 2)
    assert ([code for code, _ in ended], ended[1][1]) == ([0, 0], "")
    engine.fit(recipes.change(RECIPE, (WHOLE,)), run=Run(tmp_path / "one"))
    one, two = numbers(tmp_path / "one"), numbers(tmp_path / "two")
    assert len(one) == len(two) == 21
    for row, other in zip(one, two, strict=True):
        assert row == pytest.approx(other, abs=1e-5)
    assert Run(tmp_path / "two").environment()["processes"] == 2


def test_a_killed_process_ends_all_and_they_continue_bit_for_bit(stage: Stage, tmp_path: Path) -> None:
    """Three, as the sum of two has one order only. The first of them to notice says so."""
    three, whole = [train(tmp_path / "killed")] * 3, [train(tmp_path / "whole")] * 3
    ended = stage.play(three, signal=signal.SIGKILL, rank=1, step=9)
    assert [code for code, _ in ended] == [1, -signal.SIGKILL, 1]
    (error,) = errors(ended)
    assert "another process of this run has ended" in error
    assert error.endswith(f"continue with: torchrun --nproc-per-node=3 -m etude train --resume {tmp_path / 'killed'}")
    assert not Run(tmp_path / "killed").running
    ended = stage.play([["train", "--resume", str(tmp_path / "killed")]] * 3)
    assert [code for code, _ in ended] == [0, 0, 0]
    assert "at step 4 of 20" in ended[0][1]
    assert [code for code, _ in stage.play(whole)] == [0, 0, 0]
    assert numbers(tmp_path / "killed") == numbers(tmp_path / "whole")


def test_a_signal_to_one_stops_all_after_the_same_step(stage: Stage, tmp_path: Path) -> None:
    ended = stage.play([train(tmp_path)] * 2, signal=signal.SIGTERM, rank=1, step=7)
    assert [code for code, _ in ended] == [130, 130]
    (error,) = errors(ended)
    assert "stopped and saved at step 7 of 20; continue with: torchrun --nproc-per-node=2 -m etude train --resume" in error
    result = engine.resume(Run(tmp_path))
    assert result.warning == "continued, not bit-identical: processes was 2, is 1"


def test_what_cannot_be_done_together_is_said_once(stage: Stage, tmp_path: Path) -> None:
    plain, other = train(tmp_path / "run"), train(tmp_path / "run", "optimizer.momentum=0.9")
    for arguments, message in (
        ([plain, other], "optimizer is {'name': 'sgd', 'lr': 0.003, 'momentum': 0.5"),
        ([train(tmp_path / "run", "batch=652")] * 2, "2 processes for a batch of 1 image, expected one for each at least"),
        ([[*plain, "--device", "tpu"]] * 2, "device `tpu` is not available here"),
    ):
        ended = stage.play(arguments)
        assert [code for code, _ in ended] == [2, 2]
        (error,) = errors(ended)
        assert message in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("surroundings", "message"),
    [
        ({"RANK": "1"}, "RANK is set and WORLD_SIZE is not: start with torchrun"),
        ({"RANK": "1", "WORLD_SIZE": "2", "MASTER_PORT": "1"}, "RANK is set and MASTER_ADDR is not: start with torchrun"),
        ({"RANK": "2", "WORLD_SIZE": "2", "MASTER_PORT": "1", "MASTER_ADDR": "x"}, "RANK = 2 with WORLD_SIZE = 2, expected 0 to 1"),
        ({"RANK": "one", "WORLD_SIZE": "2", "MASTER_PORT": "1", "MASTER_ADDR": "x"}, "RANK = 'one', expected a whole number"),
    ],
)
def test_surroundings_that_torchrun_did_not_make_are_named(
    surroundings: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=message), joined():
        pass


# ── Batch norm ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Table:
    """Where two threads, in place of processes, sum."""

    def __init__(self) -> None:
        self.lying, self.all_here = list[Tensor](), threading.Barrier(2)

    def sum(self, numbers: Tensor) -> Tensor:
        self.lying.append(numbers.clone())
        self.all_here.wait()
        total = torch.stack(self.lying).sum(0)
        if self.all_here.wait() == 0:
            self.lying.clear()
        self.all_here.wait()
        return total


def test_a_synchronised_batch_norm_is_that_of_the_whole_batch() -> None:
    """In double precision, far from zero, in parts of 5 and 2: outputs, gradients and running statistics."""
    torch.manual_seed(0)
    x, toward = 3 * torch.randn(7, 4, 3, 5, dtype=torch.double) + 50, torch.randn(7, 4, 3, 5, dtype=torch.double)
    plain, *parts = (nn.BatchNorm2d(4).double() for _ in range(3))
    for norm in (plain, *parts):
        nn.init.uniform_(norm.weight, generator=torch.Generator().manual_seed(1))
        nn.init.uniform_(norm.bias, generator=torch.Generator().manual_seed(2))
    table, inputs = Table(), [piece.clone().requires_grad_() for piece in (x[:5], x[5:])]
    outputs: dict[int, Tensor] = {}

    def part(rank: int, target: Tensor) -> None:
        synchronise(parts[rank], table.sum)
        assert isinstance(parts[rank], WholeBatchNorm)
        outputs[rank] = parts[rank](inputs[rank])
        (outputs[rank] * target).sum().backward()

    threads = [threading.Thread(target=part, args=each) for each in enumerate((toward[:5], toward[5:]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    x.requires_grad_()
    expected = plain(x)
    (expected * toward).sum().backward()
    close = torch.testing.assert_close
    close(torch.cat([outputs[0], outputs[1]]), expected)
    gradients = [each.grad for each in inputs if each.grad is not None]
    close(torch.cat(gradients), x.grad)
    for parameter, *own in zip(plain.parameters(), *(each.parameters() for each in parts), strict=True):
        close(own[0].grad + own[1].grad, parameter.grad)
    for each in parts:
        close(dict(each.named_buffers()), dict(plain.named_buffers()))
