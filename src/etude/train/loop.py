"""The training loop: seeded, interruptible at every step, and the same numbers however often it was interrupted."""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from etude import data
from etude.data.batches import Batches, epoch_order
from etude.data.dataset import Dataset, Split
from etude.errors import EtudeError
from etude.models import registry
from etude.train import checkpoint, machine
from etude.train import recipe as recipes
from etude.train import run as runs
from etude.train.muon import Muon
from etude.train.recipe import AdamW, OneCycle, Recipe, Sgd
from etude.train.run import Run

CHECKPOINT_SECONDS = 15.0
REPORT_SECONDS = 0.25
EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Progress:
    """How far a run is. Loss and accuracy (a fraction) are means over the training images of this epoch so far."""

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    test_accuracy: float
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class Result:
    """A finished run.

    test_accuracy   fraction of the test images, after the last epoch
    metrics         one dict an evaluation: the untrained network first, then after every epoch
    seconds         from the first step to the last evaluation, interruptions left out
    warning         why a continued run may not be bit-identical, or ""
    """

    folder: Path
    recipe: Recipe
    seed: int
    test_accuracy: float
    test_images: int
    seconds: float
    metrics: tuple[dict[str, Any], ...] = field(repr=False)
    warning: str = ""


class Interrupted(EtudeError):
    """Ctrl-C: the step was finished and everything saved."""

    exit_code = 130


def fit(
    recipe: Recipe | str,
    *,
    budget: str = "laptop",
    seed: int = 0,
    run: Run | Path | None = None,
    device: str | None = None,
    data_dir: Path | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
    say: Callable[[str], None] = lambda message: None,
) -> Result:
    """Train a network by a recipe; continues where `run` stopped, and returns at once when it has ended.

    recipe    a Recipe, or the name of one (see `etude ls --recipes`) or a .toml file, read at `budget`
    run       the folder; by default a new one below ./runs
    device    "cpu", "cuda", "mps"; by default the best there is
    watch     called a few times a second with the progress
    say       called with what a person may want to know, e.g. where data came from
    Raises    EtudeError for anything the user can mend; Interrupted after Ctrl-C
    """
    recipe = recipes.load(recipe, budget) if isinstance(recipe, str) else recipe
    run = Run(run) if isinstance(run, Path) else run or runs.new(Path("runs"), recipe, seed)
    with run.locked():
        if run.started and not run.holds(recipe, seed):
            raise EtudeError(f"{run.folder}: holds a run of another recipe or seed; choose another folder")
        if run.finished:
            return finished(run)
        with torch.random.fork_rng(devices=[]), threads_kept():
            return Training(run, recipe, seed, device, data_dir, watch, say).run_to_the_end()


def resume(run: Run, **how: Any) -> Result:
    """Continue a run from its last checkpoint, with the recipe and seed in its folder; `how` as in `fit`."""
    return fit(run.recipe(), seed=int(run.environment()["seed"]), run=run, **how)


def finished(run: Run) -> Result:
    """The result of a run that has ended, from its folder."""
    numbers = run.result()
    return Result(
        run.folder,
        run.recipe(),
        numbers["seed"],
        numbers["test_accuracy"],
        numbers["test_images"],
        numbers["seconds"],
        tuple(run.metrics()),
        numbers["warning"],
    )


@contextlib.contextmanager
def threads_kept() -> Iterator[None]:
    """Leave torch's thread count as it was found."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Training:
    """One run in progress. Everything that a continued run needs to know is in `model`, `optimizers` and `state`."""

    def __init__(
        self,
        run: Run,
        recipe: Recipe,
        seed: int,
        device: str | None,
        data_dir: Path | None,
        watch: Callable[[Progress], None],
        say: Callable[[str], None],
    ) -> None:
        machine.keep_freed_blocks()
        self.run, self.seed, self.watch = run, seed, watch
        self.device = machine.choose_device(device)
        row = registry.row(recipe.model)
        dataset = data.load(recipe.data, image=row.input, data_dir=data_dir, say=say)
        self.recipe = recipe = with_statistics(recipe, dataset)
        self.train, self.test = (self.batches(split) for split in (first(dataset.train, recipe.images), dataset.test))
        torch.manual_seed(seed)
        options = {} if len(dataset.classes) == 10 else {"classes": len(dataset.classes)}
        layout = torch.channels_last
        self.model = registry.build(recipe.model, **options).to(self.device, memory_format=layout)  # type: ignore[call-overload]
        self.optimizers = make_optimizers(recipe, self.model, self.device)
        self.steps_per_epoch = math.ceil(len(self.train) / recipe.batch)
        self.steps = recipe.epochs * self.steps_per_epoch
        self.state: dict[str, Any] = {"step": 0, "seconds": 0.0, "rows": 0, "loss": 0.0, "right": 0, "seen": 0, "warning": ""}
        self.classes = dataset.classes
        self.losses: list[Tensor] = []
        self.means = (math.nan, math.nan)
        self.test_accuracy = math.nan
        self.restore_or_start(say)

    def batches(self, split: Split) -> Batches:
        """The images of `split`, on the device, in the layout whose convolutions are fastest on a CPU."""
        split = Split(split.images.to(self.device), split.labels.to(self.device))
        return Batches(split, self.recipe.mean, self.recipe.std, device=self.device, memory_format=torch.channels_last)

    def restore_or_start(self, say: Callable[[str], None]) -> None:
        """Go to the last checkpoint of the folder, or write down what this run is."""
        now = machine.environment(self.device) | {"seed": self.seed, "classes": list(self.classes)}
        if not (self.run.started and self.run.checkpoint.exists()):
            self.run.start(self.recipe, now)
            self.run.cut_metrics(0)
            return
        before = self.run.environment()
        torch.set_num_threads(before["threads"])
        now["threads"] = torch.get_num_threads()
        self.state = checkpoint.restore(self.run.checkpoint, self.model, self.optimizers)
        self.run.cut_metrics(self.state["rows"])
        if self.state["rows"]:
            self.test_accuracy = self.run.metrics()[-1]["test_accuracy"]
        say(f"continuing {self.run.folder} at step {self.state['step']} of {self.steps}")
        if changed := machine.differences(before, now):
            self.state["warning"] = "continued, not bit-identical: " + "; ".join(changed)
            say(self.state["warning"])

    def run_to_the_end(self) -> Result:
        """Take every step that is left. Raises Interrupted, or EtudeError when the loss is no longer a number."""
        began = time.monotonic()
        before, first_step = self.state["seconds"], self.state["step"]
        if self.state["rows"] == 0:
            self.evaluate()
        stepping = saved = reported = time.monotonic()
        order = torch.empty(0)
        with ctrl_c_noted() as interrupted:
            while self.state["step"] < self.steps:
                epoch, position = divmod(self.state["step"], self.steps_per_epoch)
                if position == 0 or not len(order):
                    order = epoch_order(len(self.train), self.seed, epoch).to(self.device)
                self.step(order[position * self.recipe.batch : (position + 1) * self.recipe.batch])
                now = time.monotonic()
                self.state["seconds"] = before + now - began
                if (self.state["step"]) % self.steps_per_epoch == 0:
                    self.settle()
                    self.evaluate()
                    self.state["seconds"] = before + time.monotonic() - began
                    reported = 0.0
                if interrupted.is_set() or now - saved >= CHECKPOINT_SECONDS:
                    self.save()
                    saved = time.monotonic()
                if interrupted.is_set():
                    raise Interrupted(self.how_to_continue())
                if now - reported >= REPORT_SECONDS:
                    self.settle()
                    self.report(time.monotonic() - stepping, first_step)
                    reported = time.monotonic()
        return self.finish()

    def step(self, index: Tensor) -> None:
        """One step of the optimiser on the images of that index."""
        x, y = self.train.cut(index)
        loss, right = loss_and_right(self.model, x, y)
        self.model.zero_grad()
        loss.backward()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * share_of_peak(self.recipe, self.state["step"], self.steps)
            optimizer.step()
        self.losses.append(torch.stack((loss.detach() * len(y), right.to(loss.dtype))))
        self.state["step"] += 1
        self.state["seen"] += len(y)

    def settle(self) -> None:
        """Add up the losses since the last time. Waiting with this keeps a GPU from being asked after every step."""
        if not self.losses:
            return
        rows = torch.stack(self.losses).double().cpu()
        self.losses.clear()
        if not rows.isfinite().all():
            bad = int((~rows.isfinite().all(dim=1)).nonzero()[0])
            step = self.state["step"] - len(rows) + bad + 1
            raise EtudeError(
                f"{self.run.folder}: the loss is {rows[bad, 0].item()} at step {step} of {self.steps}: training diverged; the likely "
                f"cause is a learning rate (now {self.recipe.optimizer.lr} at its peak) that is too high: try --set optimizer.lr="
                f"{self.recipe.optimizer.lr / 3:.2g}"
            )
        for loss, right in rows.tolist():
            self.state["loss"] += loss
            self.state["right"] += int(right)
        self.means = (self.state["loss"] / self.state["seen"], self.state["right"] / self.state["seen"])

    def evaluate(self) -> None:
        """Test the network and write one line of metrics; the sums of the epoch start anew."""
        started = time.monotonic()
        test_loss, test_right = test(self.model, self.test)
        count = len(self.test)
        loss, accuracy = self.means if self.state["seen"] else (None, None)
        self.test_accuracy = test_right / count
        self.run.append(
            {
                "epoch": self.state["step"] // self.steps_per_epoch,
                "step": self.state["step"],
                "train_loss": loss,
                "train_accuracy": accuracy,
                "test_loss": test_loss / count,
                "test_accuracy": test_right / count,
                "test_images": count,
                "seconds": round(self.state["seconds"] + time.monotonic() - started, 3),
            }
        )
        self.state |= {"loss": 0.0, "right": 0, "seen": 0, "rows": self.state["rows"] + 1}

    def report(self, seconds: float, first_step: int) -> None:
        state, steps_a_second = self.state, (self.state["step"] - first_step) / seconds
        self.watch(
            Progress(
                step=state["step"],
                steps=self.steps,
                epoch=min(state["step"] // self.steps_per_epoch + 1, self.recipe.epochs),
                epochs=self.recipe.epochs,
                loss=self.means[0],
                accuracy=self.means[1],
                test_accuracy=self.test_accuracy,
                images_per_second=steps_a_second * self.recipe.batch,
                seconds_left=(self.steps - state["step"]) / steps_a_second,
            )
        )

    def save(self) -> None:
        self.settle()
        try:
            checkpoint.save(self.run.checkpoint, self.model, self.optimizers, self.state)
        except OSError as error:
            raise EtudeError(
                f"{self.run.checkpoint}: cannot be written ({error.strerror or error}); the last good checkpoint is untouched: "
                f"make room, then etude train --resume {self.run.folder}"
            ) from error

    def how_to_continue(self) -> str:
        return f"stopped and saved at step {self.state['step']} of {self.steps}; continue with: etude train --resume {self.run.folder}"

    def finish(self) -> Result:
        self.save()
        last = self.run.metrics()[-1]
        self.run.finish(
            {
                "seed": self.seed,
                "epoch": last["epoch"],
                "step": last["step"],
                "test_accuracy": last["test_accuracy"],
                "test_images": last["test_images"],
                "seconds": last["seconds"],
                "warning": self.state["warning"],
            }
        )
        return finished(self.run)


def first(split: Split, count: int | None) -> Split:
    return split if count is None else Split(split.images[:count], split.labels[:count])


def with_statistics(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe with mean and spread filled in from the training images, where it has none of its own."""
    if recipe.mean:
        return recipe
    mean, std = dataset.statistics()
    return replace(recipe, mean=mean, std=std)


def make_optimizers(recipe: Recipe, model: nn.Module, device: torch.device) -> list[torch.optim.Optimizer]:
    """The recipe's optimisers, in the form that updates all parameters in one pass where the device has it."""
    how, fused = recipe.optimizer, device.type in ("cpu", "cuda")
    parameters = list(model.parameters())
    optimizers: list[torch.optim.Optimizer]
    if isinstance(how, Sgd):
        nesterov, decay = how.nesterov, how.weight_decay
        optimizers = [torch.optim.SGD(parameters, how.lr, how.momentum, nesterov=nesterov, weight_decay=decay, fused=fused)]
    elif isinstance(how, AdamW):
        optimizers = [torch.optim.AdamW(parameters, how.lr, how.betas, weight_decay=how.weight_decay, fused=fused)]
    else:
        others = [p for p in parameters if p.dim() != 4]
        optimizers = [
            Muon([p for p in parameters if p.dim() == 4], how.lr, how.momentum),
            torch.optim.AdamW(others, how.adam_lr, how.adam_betas, weight_decay=0.0, fused=fused),
        ]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
    return optimizers


def share_of_peak(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of step `step` (from 0) of `steps`, as a share of its peak."""
    if not isinstance(recipe.schedule, OneCycle):
        return 1.0
    done, warmup = step / steps, recipe.schedule.warmup
    return done / warmup if done < warmup else (1 - done) / (1 - warmup)


def loss_and_right(model: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of a batch, and how many of its images are classified rightly.

    A network with auxiliary heads defines `loss` itself; of its accuracy in training nothing is known (0).
    """
    if callable(own_loss := getattr(model, "loss", None)):
        return own_loss(x, y), torch.zeros((), device=x.device)
    logits = model(x)
    return F.cross_entropy(logits, y), (logits.argmax(dim=1) == y).sum()


@torch.no_grad()
def test(model: nn.Module, batches: Batches) -> tuple[float, int]:
    """The summed cross-entropy over all images, and how many of its images are classified rightly. In eval mode."""
    model.eval()
    loss, right = 0.0, 0
    for index in torch.split(torch.arange(len(batches), device=batches.device), EVALUATION_BATCH):
        x, y = batches.cut(index)
        logits = model(x)
        loss += F.cross_entropy(logits, y, reduction="sum").item()
        right += int((logits.argmax(dim=1) == y).sum())
    model.train()
    return loss, right


@contextlib.contextmanager
def ctrl_c_noted() -> Iterator[threading.Event]:
    """Note a Ctrl-C instead of raising KeyboardInterrupt in the middle of a step; a second one raises as usual."""
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        noted.set()
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, previous)
