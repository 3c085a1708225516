"""The training loop: seeded, interruptible at every step, and the same numbers however often it was interrupted."""

import contextlib
import functools
import math
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from etude import data
from etude.data.batches import Batches, Place, epoch_order, generator, random_flip, random_part, random_shift
from etude.data.dataset import Dataset, Split
from etude.errors import EtudeError, UsageError
from etude.train import checkpoint, compiling, dense, machine, start
from etude.train.folding import fold
from etude.train.initial import draw_by_shape
from etude.train.job import Diverged, Interrupted, Job, Means, Progress
from etude.train.optimizers import make_optimizers, set_learning_rates
from etude.train.recipe import Recipe, WarmUp, as_table
from etude.train.run import Run, differences
from etude.train.start import Start
from etude.train.world import World

CHECKPOINT_SECONDS = 15.0
REPORT_SECONDS = 0.25
EVALUATION_BATCH = 500
CURVE_POINTS = 100  # of training loss and accuracy, over a whole run
WARM_UP_WINDOW = 100  # steps over which a training error is taken that ends a warm-up
TESTS_WITHIN_AN_EPOCH = 4  # of a run that ends before its first epoch does; all but the last on every twentieth test image
NOTHING_YET = {"loss": 0.0, "right": 0, "seen": 0}
SUMS = ("epoch", "recent", "warm_up")


class Training:
    """One run in progress. Everything that a continued run needs to know is in `model`, `optimizers` and `state`.

    state  step and seconds so far; lines of metrics; loss, right answers and images since the epoch began (`epoch`), since the last
           line without a test (`recent`) and in the warm-up's window (`warm_up`); whether that is over; why the run may not be
           bit-identical
    """

    def __init__(self, run: Run, job: Job, means: Means) -> None:
        machine.keep_freed_blocks()
        self.world = means.world
        self.saved_environment = self.world.told(lambda: run.environment() if run.started else None)
        if self.saved_environment:
            torch.set_num_threads(self.saved_environment["threads"])
        self.run, self.job, self.means, self.recipe = run, job, means, job.recipe
        self.device = self.world.device(machine.choose_device(means.device))
        machine.make_deterministic(self.device)
        start.check(self.recipe)  # before anything is loaded
        self.has_checkpoint = self.world.told(run.checkpoint.exists)
        begin = start.read(self.recipe) if self.recipe.start and not self.has_checkpoint else None
        dataset = load_data(self.recipe, means)
        self.mean, self.std = normalisation(self.recipe, dataset, begin, self.saved_environment)
        training, validation = held_out(dataset.train, self.recipe.validation or 0)
        self.train, self.test = (self.batches(split) for split in (first(training, self.recipe.images), dataset.test))
        held = {"validation_accuracy": validation, "fitted_accuracy": first(training, self.recipe.fitted or 0)}
        others = {name: split for name, split in held.items() if len(split)}  # what is tested beside the test set
        torch.manual_seed(job.seed)
        model = self.recipe.model.build(**outputs(self.recipe, dataset))
        if self.recipe.paired:
            draw_by_shape(model, job.seed)
        self.head = start.head_of(self.recipe.model) if self.recipe.start else frozenset()
        if begin:
            means.say(begin.put_into(self.recipe.model, model, self.head, dataset.classes))
        if self.recipe.batch_norm == "synchronised":
            model = self.world.synchronised(model, self.device)
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.learner = Learner(self.model, self.recipe.label_smoothing)
        self.optimizers = make_optimizers(self.recipe, self.model, self.device)
        self.steps_per_epoch = math.ceil(len(self.train) / self.recipe.batch)
        self.steps = self.recipe.steps or max(1, round((self.recipe.epochs or 0) * self.steps_per_epoch))
        self.state: dict[str, Any] = {"step": 0, "seconds": 0.0, "rows": 0, "warning": "", "warm": self.recipe.warm_up is None}
        self.state |= dict.fromkeys(SUMS, NOTHING_YET)
        self.one_buffer = self.is_short_of_memory()
        if self.one_buffer:
            dense.in_one_buffer(self.model)
        self.fast = self.fast_learner()
        self.environment = machine.environment(self.device, self.world.size) | {
            "one_buffer": self.one_buffer,
            "compiled": self.fast is not None,
            "source": machine.source_digest(self.recipe.model),
            "data": dataset.digest(),
            "images": dataset.source,
            "reencoded": dataset.reencoded,
            "classes": list(dataset.classes),
            **({"start": begin.note} if begin else {}),
            "mean": self.mean.tolist() if isinstance(self.mean, Tensor) else list(self.mean),
            "std": list(self.std),
        }
        self.check_world()
        self.others = {name: self.batches(split) for name, split in others.items()}
        self.part, self.others_part = self.test, self.others  # for tests before the end
        if self.is_short:
            self.part = self.batches(every_twentieth(dataset.test))
            self.others_part = {name: self.batches(every_twentieth(split)) for name, split in others.items()}
        within = {round(self.steps * part / TESTS_WITHIN_AN_EPOCH) for part in range(1, TESTS_WITHIN_AN_EPOCH)} if self.is_short else set()
        self.tests = {*range(self.steps_per_epoch, self.steps, self.steps_per_epoch), self.steps, *within}
        self.losses, self.counts = list[Tensor](), list[int]()
        self.began, self.first = 0.0, (0.0, 0)
        self.test_accuracy = math.nan
        self.restore_or_start()

    def batches(self, split: Split) -> Batches:
        """The images of `split`, on the device, in the layout whose convolutions are fastest on a CPU."""
        split = Split(split.images.to(self.device), split.labels.to(self.device))
        return Batches(split, self.mean, self.std, device=self.device, memory_format=torch.channels_last)

    def some_images(self) -> tuple[Tensor, Tensor]:
        """As many as this process has of a batch, to find out with how a step is done best."""
        return self.train.cut(torch.arange(min(self.recipe.batch, len(self.train)), device=self.device)[self.world.part(self.recipe.batch)])

    def is_short_of_memory(self) -> bool:
        """Whether dense blocks train in one buffer each: where the run was begun so, or where memory is short for them as they are."""
        if self.saved_environment:
            return bool(self.saved_environment.get("one_buffer"))
        on_processor = self.device.type == "cpu" and bool(dense.blocks(self.model))
        return on_processor and dense.is_short_of_memory(self.learner, *self.some_images(), self.means.say)

    def fast_learner(self) -> nn.Module | None:
        """The learner compiled, where this run was begun so, or is worth it; for whole batches, as compiled code is made for one size."""
        x, y = self.some_images()

        def step(learner: nn.Module) -> None:
            with self.autocast():
                loss, _ = learner(x, y)
            loss.backward()

        if self.saved_environment:
            begun_so = self.saved_environment.get("compiled") and compiling.has_compiler()
            return compiling.compiled(self.learner, step) if begun_so else None
        return compiling.faster(self.learner, step, self.steps, self.means.say) if self.world.size == 1 else None

    def autocast(self) -> torch.autocast:
        """The precision of the recipe's steps."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16")

    def check_world(self) -> None:
        """Raises UsageError where the processes of this run do not all do the same, or have not an image each in every batch."""
        same = {"seed": self.job.seed, **{key: self.environment[key] for key in ("etude", "torch", "source")}}
        last = len(self.train) % self.recipe.batch if self.steps >= self.steps_per_epoch else 0  # images, of an epoch's last batch
        fewest = last or min(self.recipe.batch, len(self.train))
        self.world.check({**as_table(self.recipe), **same, "digest of the data": self.environment["data"]}, fewest)

    def restore_or_start(self) -> None:
        """Go to the last checkpoint of the folder, or write down what this run is."""
        if self.saved_environment is None:
            if self.world.is_writer:
                self.run.start(self.job, self.environment)
            return
        changed = differences(self.saved_environment, self.environment)
        if self.device.type != "cpu":
            changed.append(f"{self.device.type} does not promise the same numbers twice")
        if self.has_checkpoint:
            content = self.world.told(lambda: checkpoint.read(self.run.checkpoint))
            self.state |= checkpoint.restore(self.run.checkpoint, content, self.model, self.optimizers)
        if self.world.is_writer:
            self.run.cut(self.state["rows"])
            if self.state["rows"]:
                self.test_accuracy = self.run.metrics()[-1]["test_accuracy"]
        self.means.say(f"continuing {self.run.folder} at step {self.state['step']} of {self.steps}")
        if changed:
            self.state["warning"] = "continued, not bit-identical: " + "; ".join(changed)
            self.means.say(self.state["warning"])

    # ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def run_to_the_end(self) -> None:
        """Take every step that is left. Raises Interrupted, or EtudeError when the loss is no longer a number."""
        self.began = time.perf_counter() - self.state["seconds"]
        with signals_noted(self.world.signals) as noted:
            if self.state["rows"] == 0:
                self.evaluate()
            saved = reported = time.perf_counter()
            self.first = (saved, self.state["step"])
            for index in self.batches_left():
                self.step(index)
                if self.note_progress():
                    reported = 0.0
                interrupted = self.world.any(noted.is_set())
                if interrupted or time.perf_counter() - saved >= CHECKPOINT_SECONDS:
                    self.save()
                    saved = time.perf_counter()
                if interrupted:
                    raise Interrupted(self.world.told(self.how_to_continue))
                if time.perf_counter() - reported >= REPORT_SECONDS:
                    self.report()
                    reported = time.perf_counter()
        self.finish()

    def batches_left(self) -> Iterator[Tensor]:
        """The indices of every batch from this step on. Their order depends on seed and epoch alone."""
        while self.state["step"] < self.steps:
            epoch, position = divmod(self.state["step"], self.steps_per_epoch)
            order = epoch_order(len(self.train), self.job.seed, epoch).to(self.device)
            left = self.steps - self.state["step"]
            yield from torch.split(order, self.recipe.batch)[position : position + left]

    def step(self, index: Tensor) -> None:
        """One step of the optimisers on the images of that index. The sums of an epoch begin anew with its first."""
        if self.state["step"] % self.steps_per_epoch == 0:
            self.state["epoch"] = NOTHING_YET
        if self.recipe.frozen:
            start.freeze(self.model, self.optimizers, self.head, self.recipe.frozen - self.state["step"])
        place = Place(len(index), self.world.part(len(index)))
        augment = functools.partial(self.augment, place) if self.recipe.shift or self.recipe.flip or self.recipe.crop else None
        x, y = self.train.cut(index[place.part], augment)
        self.world.seed(self.job.seed, self.state["step"])
        learner = self.fast if self.fast is not None and len(index) == self.recipe.batch else self.learner
        with self.autocast():
            loss, right = self.world.run(learner, x, y)
        self.model.zero_grad()
        loss.backward(torch.full_like(loss, self.world.size * len(y) / len(index)))  # gradients will be those of the batch's mean
        set_learning_rates(self.optimizers, self.rate())
        for optimizer in self.optimizers:
            optimizer.step()
        self.losses.append(self.world.sum(torch.stack((loss.detach() * len(y), right.to(loss.dtype)))))
        self.counts.append(len(index))
        self.state["step"] += 1

    def rate(self) -> float:
        """The learning rate of this step, as a share of its peak."""
        if (warm_up := self.recipe.warm_up) and not self.state["warm"]:
            self.state["warm"] = self.is_over(warm_up)
            if not self.state["warm"]:
                return warm_up.lr / self.recipe.optimizer.lr
        return self.recipe.schedule.share(self.state["step"] / self.steps)

    def is_over(self, warm_up: WarmUp) -> bool:
        """Whether the steps of a warm-up are done, or the training error of the last window is low enough."""
        step = self.state["step"]
        if warm_up.steps is not None:
            return step >= warm_up.steps
        if step == 0 or step % WARM_UP_WINDOW:
            return False
        accuracy = self.means_of("warm_up")["train_accuracy"]
        self.state["warm_up"] = NOTHING_YET
        return accuracy is not None and warm_up.until_error is not None and 1 - accuracy < warm_up.until_error

    def augment(self, place: Place, images: Tensor) -> Tensor:
        """The images of this step, cut, moved and mirrored as the recipe says, by numbers that depend on seed and step alone."""
        random = generator(self.job.seed, self.state["step"], "augment")
        if self.recipe.crop:
            images = random_part(images, self.recipe.crop, random, place)
        if self.recipe.shift:
            images = random_shift(images, self.recipe.shift, random, place)
        return random_flip(images, random, place) if self.recipe.flip else images

    # ── Numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def note_progress(self) -> bool:
        """Write a line of metrics where one is due after this step; whether the network was tested."""
        if self.state["step"] in self.tests:
            self.evaluate()
            return True
        if self.state["step"] % math.ceil(self.steps / CURVE_POINTS) == 0:
            self.write(self.means_of("recent"))
            self.state["recent"] = NOTHING_YET
        return False

    @property
    def is_short(self) -> bool:
        """Whether the run ends before its first epoch does."""
        return self.steps < self.steps_per_epoch

    def evaluate(self) -> None:
        """Test the network and write a line of metrics. A run of less than an epoch sees all test images only at its end."""
        self.settle()
        self.world.share(self.model)
        at_end = self.state["step"] == self.steps
        batches, others = (self.test, self.others) if at_end else (self.part, self.others_part)
        light = fold(self.model.eval())
        loss, right = test(light, batches, self.world)
        if not math.isfinite(loss):
            raise self.diverged(loss, self.state["step"])
        count = len(batches)
        self.test_accuracy = right / count
        tested = {"test_loss": loss / count, "test_accuracy": right / count, "test_images": count}
        for part, images in others.items():
            tested[part] = test(light, images, self.world)[1] / len(images)
        self.model.train()
        self.write({**self.means_of("epoch"), **tested})
        if self.world.is_writer:
            self.run.sync()

    def write(self, numbers: Mapping[str, Any]) -> None:
        """One line of metrics."""
        step = self.state["step"]
        seconds = round(time.perf_counter() - self.began, 3)
        if self.world.is_writer:
            self.run.append({"epoch": step / self.steps_per_epoch, "step": step, **numbers, "seconds": seconds})
        self.state["rows"] += 1

    def means_of(self, since: str) -> dict[str, float | None]:
        """Training loss and accuracy since the epoch began (`epoch`), the last line without a test (`recent`), …; None at first."""
        self.settle()
        sums = self.state[since]
        if not sums["seen"]:
            return {"train_loss": None, "train_accuracy": None}
        return {"train_loss": sums["loss"] / sums["seen"], "train_accuracy": sums["right"] / sums["seen"]}

    def settle(self) -> None:
        """Add up the losses since the last time. Waiting with this keeps a GPU from being asked after every step."""
        if not self.losses:
            return
        rows = torch.stack(self.losses).cpu().double()
        self.losses.clear()
        if not rows.isfinite().all():
            bad = int((~rows.isfinite().all(dim=1)).nonzero()[0])
            raise self.diverged(rows[bad, 0].item(), self.state["step"] - len(rows) + bad + 1)
        for since in SUMS:
            sums = self.state[since] = dict(self.state[since])
            for (loss, right), seen in zip(rows.tolist(), self.counts, strict=True):
                sums["loss"] += loss
                sums["right"] += int(right)
                sums["seen"] += seen
        self.counts.clear()

    def diverged(self, loss: float, step: int) -> Diverged:
        peak = self.recipe.optimizer.lr
        return Diverged(
            step,
            f"{self.run.folder}: the loss is {loss} at step {step} of {self.steps}: training diverged; the likely cause is a learning "
            f"rate (now {peak} at its peak) that is too high: try --set optimizer.lr={peak / 3:.2g}",
        )

    # ── Telling and saving ───────────────────────────────────────────────────────────────────────────────────────────

    def report(self) -> None:
        """Tell how far the run is."""
        began, first_step = self.first
        step, steps_a_second = self.state["step"], (self.state["step"] - first_step) / (time.perf_counter() - began)
        so_far = self.means_of("epoch")
        progress = Progress(
            step=step,
            steps=self.steps,
            epoch=step / self.steps_per_epoch,
            epochs=self.recipe.epochs or self.steps / self.steps_per_epoch,
            loss=or_nan(so_far["train_loss"]),
            accuracy=or_nan(so_far["train_accuracy"]),
            test_accuracy=self.test_accuracy,
            images_per_second=steps_a_second * self.recipe.batch,
            seconds_left=(self.steps - step) / steps_a_second,
        )
        self.means.watch(self.job, progress)

    def save(self) -> None:
        """Write the checkpoint."""
        self.settle()
        if not self.world.is_writer:
            return
        self.state["seconds"] = time.perf_counter() - self.began
        try:
            self.run.sync()
            checkpoint.save(self.run.checkpoint, self.model, self.optimizers, self.state)
        except OSError as error:
            raise EtudeError(
                f"{self.run.checkpoint}: cannot be written ({error.strerror or error}); the last good checkpoint is untouched: "
                f"make room, then {self.world.command} train --resume {self.run.folder}"
            ) from error

    def how_to_continue(self) -> str:
        so_far = f"stopped and saved at step {self.state['step']} of {self.steps}"
        return f"{so_far}; continue with: {self.world.command} train --resume {self.run.folder}"

    def finish(self) -> None:
        self.save()
        if not self.world.is_writer:
            return
        tests = self.run.metrics()
        reported = tests[-1]
        if self.recipe.result == "lowest validation error":
            reported = max((row for row in tests if row["test_images"] == len(self.test)), key=lambda row: row["validation_accuracy"])
        numbers = {key: reported[key] for key in ("test_accuracy", "test_images")}
        self.run.finish({**numbers, "seconds": tests[-1]["seconds"], "warning": self.state["warning"]})


def first(split: Split, count: int | None) -> Split:
    """The first `count` images; of images in the order of their classes, as a folder has them, some from everywhere."""
    if count is None:
        return split
    in_order = bool((split.labels.diff() >= 0).all())
    index = torch.arange(min(count, len(split))) * (len(split) // count if in_order and 0 < count < len(split) else 1)
    return chosen(split, index)


def held_out(split: Split, count: int) -> tuple[Split, Split]:
    """The images without `count` of them, and those, which are the same ones for every network and seed."""
    if not 0 <= count < len(split):
        raise UsageError(f"validation = {count}, expected fewer than the {len(split):,} training images")
    order = torch.randperm(len(split), generator=generator("validation"))
    return (chosen(split, order[count:].sort().values) if count else split), chosen(split, order[:count])


def chosen(split: Split, index: Tensor) -> Split:
    return Split(split.images[index], split.labels[index])


def every_twentieth(split: Split) -> Split:
    return Split(split.images[::20], split.labels[::20])


def load_data(recipe: Recipe, means: Means) -> Dataset:
    """The images that a recipe trains on and tests with."""
    leave_out = recipe.broken == "left out"
    return data.load(recipe.data, image=recipe.image, data_dir=means.data_dir, say=means.say, split=recipe.split, leave_out=leave_out)


def normalisation(
    recipe: Recipe, dataset: Dataset, begin: Start | None, saved: Mapping[str, Any] | None
) -> tuple[tuple[float, ...] | Tensor, tuple[float, ...]]:
    """The recipe's mean and spread; where it has none, those of the weights that it begins with, or of the training images."""
    if recipe.start and saved:
        return tuple(saved["mean"]), tuple(saved["std"])
    channels = dataset.train.images.shape[1]
    if len(recipe.std) not in (0, channels):
        raise UsageError(f"std = {list(recipe.std)}, expected one number a channel; {dataset.name} has {channels}")
    if isinstance(recipe.mean, str):  # "per pixel"
        return dataset.mean_image(), recipe.std
    if recipe.mean:
        return recipe.mean, recipe.std
    return (begin.mean, begin.std) if begin and begin.mean else dataset.statistics()


def outputs(recipe: Recipe, dataset: Dataset) -> dict[str, int]:
    """As many classes as the data has, where the recipe's network says nothing else. Raises UsageError where it has fewer."""
    wanted, there = recipe.model.options.get("classes"), len(dataset.classes)
    if isinstance(wanted, int) and wanted < there:
        raise UsageError(f"model.classes = {wanted}, expected at least the {there} of {dataset.name}; leave it out for {there}")
    return {} if wanted else {"classes": there}


def or_nan(number: float | None) -> float:
    return math.nan if number is None else number


class Learner(nn.Module):
    """What a step asks of a network, as one module: `loss_and_right`."""

    def __init__(self, model: nn.Module, label_smoothing: float) -> None:
        super().__init__()
        self.model, self.label_smoothing = model, label_smoothing

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return loss_and_right(self.model, x, y, self.label_smoothing)


def loss_and_right(model: nn.Module, x: Tensor, y: Tensor, label_smoothing: float) -> tuple[Tensor, Tensor]:
    """The loss of a batch, and how many of its images are classified rightly.

    A network with auxiliary heads defines `loss` itself; of its accuracy in training nothing is known (0).
    """
    if callable(own_loss := getattr(model, "loss", None)):
        return own_loss(x, y), torch.zeros((), device=x.device)
    logits = model(x).float()
    return F.cross_entropy(logits, y, label_smoothing=label_smoothing), (logits.argmax(dim=1) == y).sum()


@torch.no_grad()
def test(model: nn.Module, batches: Batches, world: World) -> tuple[float, int]:
    """The summed cross-entropy over all images, and how many of its images are classified rightly, by a network in eval mode."""
    loss, right = 0.0, 0
    part = torch.arange(len(batches), device=batches.device)[world.part(len(batches))]
    for index in torch.split(part, EVALUATION_BATCH):
        x, y = batches.cut(index)
        logits = model(x)
        loss += F.cross_entropy(logits, y, reduction="sum").item()
        right += int((logits.argmax(dim=1) == y).sum())
    loss, right = world.sum(torch.tensor((loss, right), dtype=torch.float64)).tolist()
    return loss, int(right)


@contextlib.contextmanager
def signals_noted(signals: Iterable[signal.Signals]) -> Iterator[threading.Event]:
    """Note a Ctrl-C instead of raising KeyboardInterrupt in the middle of a step; a second one raises as usual."""
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        noted.set()
        signal.signal(number, previous[signal.Signals(number)])

    previous = {number: signal.signal(number, note) for number in signals}
    try:
        yield noted
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
