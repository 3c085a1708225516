"""The training loop: seeded, interruptible at every step, and the same numbers however often it was interrupted."""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from etude import data
from etude.data.batches import Batches, epoch_order, generator, random_flip, random_shift
from etude.data.dataset import Dataset, Split
from etude.errors import EtudeError, UsageError
from etude.models import registry
from etude.train import checkpoint, machine
from etude.train import recipe as recipes
from etude.train import run as runs
from etude.train.optimizers import make_optimizers, set_learning_rates, share_of_peak
from etude.train.recipe import Recipe
from etude.train.result import Interrupted, Progress, RunResult, finished
from etude.train.run import Run

CHECKPOINT_SECONDS = 15.0
REPORT_SECONDS = 0.25
EVALUATION_BATCH = 500


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
) -> RunResult:
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


def resume(run: Run, *, device: str | None = None, **how: Any) -> RunResult:
    """Continue a run from its last checkpoint, with the recipe, seed and device in its folder; `how` as in `fit`.

    device  another device than the run's; without it, and where the run's is not here, the best there is
    """
    recipe, environment = run.recipe(), run.environment()
    if device is None:
        with contextlib.suppress(UsageError):
            device = str(machine.choose_device(environment["device"]))
    return fit(recipe, seed=environment["seed"], run=run, device=device, **how)


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
        self.saved_environment = run.environment() if run.started else None
        if self.saved_environment:
            torch.set_num_threads(self.saved_environment["threads"])
        self.run, self.seed, self.watch = run, seed, watch
        self.device = machine.choose_device(device)
        machine.make_deterministic(self.device)
        row = registry.row(recipe.model)
        dataset = data.load(recipe.data, image=row.input, data_dir=data_dir, say=say)
        self.recipe = recipe = with_statistics(recipe, dataset)
        self.train, self.test = (self.batches(split) for split in (first(dataset.train, recipe.images), dataset.test))
        torch.manual_seed(seed)
        model = registry.build(recipe.model, classes=len(dataset.classes))
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizers = make_optimizers(recipe, self.model, self.device)
        self.steps_per_epoch = math.ceil(len(self.train) / recipe.batch)
        self.steps = max(1, round(recipe.epochs * self.steps_per_epoch))
        self.state: dict[str, Any] = {"step": 0, "seconds": 0.0, "rows": 0, "loss": 0.0, "right": 0, "seen": 0, "warning": ""}
        self.environment = machine.environment(self.device) | {
            "data": dataset.digest(),
            "classes": list(dataset.classes),
            "seed": seed,
        }
        self.losses: list[Tensor] = []
        self.began, self.first = 0.0, (0.0, 0)
        self.means = (math.nan, math.nan)
        self.test_accuracy = math.nan
        self.restore_or_start(say)

    def batches(self, split: Split) -> Batches:
        """The images of `split`, on the device, in the layout whose convolutions are fastest on a CPU."""
        split = Split(split.images.to(self.device), split.labels.to(self.device))
        return Batches(split, self.recipe.mean, self.recipe.std, device=self.device, memory_format=torch.channels_last)

    def restore_or_start(self, say: Callable[[str], None]) -> None:
        """Go to the last checkpoint of the folder, or write down what this run is."""
        if self.saved_environment is None:
            self.run.start(self.recipe, self.environment)
            return
        changed = machine.differences(self.saved_environment, self.environment)
        if self.device.type != "cpu":
            changed.append(f"{self.device.type} does not promise the same numbers twice")
        if self.run.checkpoint.exists():
            self.state = checkpoint.restore(self.run.checkpoint, self.model, self.optimizers)
        self.run.cut_metrics(self.state["rows"])
        if self.state["rows"]:
            self.test_accuracy = self.run.metrics()[-1]["test_accuracy"]
        say(f"continuing {self.run.folder} at step {self.state['step']} of {self.steps}")
        if changed:
            self.state["warning"] = "continued, not bit-identical: " + "; ".join(changed)
            say(self.state["warning"])

    def run_to_the_end(self) -> RunResult:
        """Take every step that is left. Raises Interrupted, or EtudeError when the loss is no longer a number."""
        self.began = time.perf_counter() - self.state["seconds"]
        with ctrl_c_noted() as interrupted:
            if self.state["rows"] == 0:
                self.evaluate()
            saved = reported = time.perf_counter()
            self.first = (saved, self.state["step"])
            for index in self.batches_left():
                self.step(index)
                if self.state["step"] % self.steps_per_epoch == 0 or self.state["step"] == self.steps:
                    self.evaluate()
                    reported = 0.0
                if interrupted.is_set() or time.perf_counter() - saved >= CHECKPOINT_SECONDS:
                    self.save()
                    saved = time.perf_counter()
                if interrupted.is_set():
                    raise Interrupted(self.how_to_continue())
                if time.perf_counter() - reported >= REPORT_SECONDS:
                    self.report()
                    reported = time.perf_counter()
        return self.finish()

    def batches_left(self) -> Iterator[Tensor]:
        """The indices of every batch from this step on. Their order depends on seed and epoch alone."""
        while self.state["step"] < self.steps:
            epoch, position = divmod(self.state["step"], self.steps_per_epoch)
            order = epoch_order(len(self.train), self.seed, epoch).to(self.device)
            left = self.steps - self.state["step"]
            yield from torch.split(order, self.recipe.batch)[position : position + left]

    def step(self, index: Tensor) -> None:
        """One step of the optimisers on the images of that index."""
        x, y = self.train.cut(index, self.augment if self.recipe.shift or self.recipe.flip else None)
        loss, right = loss_and_right(self.model, x, y, self.recipe.label_smoothing)
        self.model.zero_grad()
        loss.backward()
        set_learning_rates(self.optimizers, share_of_peak(self.recipe, self.state["step"], self.steps))
        for optimizer in self.optimizers:
            optimizer.step()
        self.losses.append(torch.stack((loss.detach() * len(y), right.to(loss.dtype))))
        self.state["step"] += 1
        self.state["seen"] += len(y)

    def augment(self, images: Tensor) -> Tensor:
        """The images of this step, moved and mirrored as the recipe says, by numbers that depend on seed and step alone."""
        random = generator(self.seed, self.state["step"], "augment")
        if self.recipe.shift:
            images = random_shift(images, self.recipe.shift, random)
        return random_flip(images, random) if self.recipe.flip else images

    def settle(self) -> None:
        """Add up the losses since the last time. Waiting with this keeps a GPU from being asked after every step."""
        if not self.losses:
            return
        rows = torch.stack(self.losses).cpu().double()
        self.losses.clear()
        if not rows.isfinite().all():
            bad = int((~rows.isfinite().all(dim=1)).nonzero()[0])
            raise self.diverged(rows[bad, 0].item(), self.state["step"] - len(rows) + bad + 1)
        for loss, right in rows.tolist():
            self.state["loss"] += loss
            self.state["right"] += int(right)
        self.means = (self.state["loss"] / self.state["seen"], self.state["right"] / self.state["seen"])

    def diverged(self, loss: float, step: int) -> EtudeError:
        peak = self.recipe.optimizer.lr
        return EtudeError(
            f"{self.run.folder}: the loss is {loss} at step {step} of {self.steps}: training diverged; the likely cause is a learning "
            f"rate (now {peak} at its peak) that is too high: try --set optimizer.lr={peak / 3:.2g}"
        )

    def evaluate(self) -> None:
        """Test the network and write one line of metrics; the sums of the epoch start anew."""
        self.settle()
        test_loss, test_right = test(self.model, self.test)
        if not math.isfinite(test_loss):
            raise self.diverged(test_loss, self.state["step"])
        count = len(self.test)
        loss, accuracy = self.means if self.state["seen"] else (None, None)
        self.test_accuracy = test_right / count
        self.run.append(
            {
                "epoch": self.state["step"] / self.steps_per_epoch,
                "step": self.state["step"],
                "train_loss": loss,
                "train_accuracy": accuracy,
                "test_loss": test_loss / count,
                "test_accuracy": test_right / count,
                "test_images": count,
                "seconds": round(time.perf_counter() - self.began, 3),
            }
        )
        self.state |= {"loss": 0.0, "right": 0, "seen": 0, "rows": self.state["rows"] + 1}

    def report(self) -> None:
        """Tell how far the run is."""
        self.settle()
        began, first_step = self.first
        step, steps_a_second = self.state["step"], (self.state["step"] - first_step) / (time.perf_counter() - began)
        self.watch(
            Progress(
                step=step,
                steps=self.steps,
                epoch=step / self.steps_per_epoch,
                epochs=self.recipe.epochs,
                loss=self.means[0],
                accuracy=self.means[1],
                test_accuracy=self.test_accuracy,
                images_per_second=steps_a_second * self.recipe.batch,
                seconds_left=(self.steps - step) / steps_a_second,
            )
        )

    def save(self) -> None:
        """Write the checkpoint."""
        self.settle()
        self.state["seconds"] = time.perf_counter() - self.began
        try:
            checkpoint.save(self.run.checkpoint, self.model, self.optimizers, self.state)
        except OSError as error:
            raise EtudeError(
                f"{self.run.checkpoint}: cannot be written ({error.strerror or error}); the last good checkpoint is untouched: "
                f"make room, then etude train --resume {self.run.folder}"
            ) from error

    def how_to_continue(self) -> str:
        return f"stopped and saved at step {self.state['step']} of {self.steps}; continue with: etude train --resume {self.run.folder}"

    def finish(self) -> RunResult:
        self.save()
        last = self.run.metrics()[-1]
        numbers = {key: last[key] for key in ("test_accuracy", "test_images", "seconds")}
        self.run.finish({"seed": self.seed, **numbers, "warning": self.state["warning"]})
        return finished(self.run)


def first(split: Split, count: int | None) -> Split:
    return split if count is None else Split(split.images[:count], split.labels[:count])


def with_statistics(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe with mean and spread filled in from the training images, where it has none of its own."""
    channels = dataset.train.images.shape[1]
    if len(recipe.mean) not in (0, channels):
        raise UsageError(f"mean = {list(recipe.mean)}, expected one number a channel; {dataset.name} has {channels}")
    if recipe.mean:
        return recipe
    mean, std = dataset.statistics()
    return replace(recipe, mean=mean, std=std)


def loss_and_right(model: nn.Module, x: Tensor, y: Tensor, label_smoothing: float) -> tuple[Tensor, Tensor]:
    """The loss of a batch, and how many of its images are classified rightly.

    A network with auxiliary heads defines `loss` itself; of its accuracy in training nothing is known (0).
    """
    if callable(own_loss := getattr(model, "loss", None)):
        return own_loss(x, y), torch.zeros((), device=x.device)
    logits = model(x)
    return F.cross_entropy(logits, y, label_smoothing=label_smoothing), (logits.argmax(dim=1) == y).sum()


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
