"""The training loop: seeded, interruptible at every step, and the same numbers however often it was interrupted."""

import contextlib
import errno
import functools
import itertools
import math
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from etude import data
from etude.capacity import free
from etude.data import stream
from etude.data.batches import Ask, Batches, Cut, Place, Source, epoch_order, generator, random_flip, random_part, random_shift
from etude.data.colour import Numbers
from etude.data.dataset import Dataset, Split
from etude.data.folder import Broken, Files
from etude.data.stream import Stream, Streamed
from etude.errors import EtudeError, UsageError
from etude.train import checkpoint, compiling, dense, machine, start
from etude.train.folding import fold
from etude.train.initial import draw_by_shape
from etude.train.job import Diverged, Interrupted, Job, Means, Progress
from etude.train.optimizers import make_optimizers, set_learning_rates
from etude.train.recipe import Recipe, WarmUp, as_table
from etude.train.run import Run, differences
from etude.train.start import Start
from etude.train.testing import TEN, test

CHECKPOINT_SECONDS = 15.0
DENSE_SHARE = 0.5  # of the memory that is free, that dense blocks as they are written may keep
REPORT_SECONDS = 0.25
CURVE_POINTS = 100  # of training loss and accuracy, over a whole run
WARM_UP_WINDOW = 100  # steps over which a training error is taken that ends a warm-up
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TESTS_WITHIN_AN_EPOCH = 4  # of a run that ends before its first epoch does; all but the last on every twentieth test image
NOTHING_YET = {"loss": 0.0, "right": 0, "seen": 0}
SUMS = ("epoch", "recent", "warm_up")


class Images(Protocol):
    """A `Split`, or `Files`."""

    @property
    def labels(self) -> Any: ...

    def __len__(self) -> int: ...

    def chosen(self, index: Tensor) -> Self:
        """Those at the places in `index`."""


Some = TypeVar("Some", bound=Images)


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
        dataset = images_of(self.recipe, means)
        self.stream = dataset if isinstance(dataset, Streamed) else None
        self.mean, self.std = normalisation(self.recipe, dataset, begin, self.saved_environment)
        self.covariance = self.covariance_of_colours()
        training, validation = held_out(dataset.train, self.recipe.validation or 0)
        held = {"validation_accuracy": validation, "fitted_accuracy": first(training, self.recipe.fitted or 0)}
        others = {name: images for name, images in held.items() if len(images)}  # what is tested beside the test set
        self.train, self.test = self.source(first(training, self.recipe.images)), self.source(dataset.test)
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
            **({"workers": self.stream.workers} if self.stream else {}),
            **({"covariance": self.covariance.tolist()} if self.covariance is not None else {}),
        }
        self.check_world()
        self.check_smallest_batch()
        self.others = {name: self.source(images) for name, images in others.items()}
        self.part = self.source(every_twentieth(dataset.test))  # for tests before the end
        self.others_part = {name: self.source(every_twentieth(images)) for name, images in others.items()}
        within = {round(self.steps * part / TESTS_WITHIN_AN_EPOCH) for part in range(1, TESTS_WITHIN_AN_EPOCH)} if self.is_short else set()
        self.tests = {*range(self.steps_per_epoch, self.steps, self.steps_per_epoch), self.steps, *within}
        self.losses, self.counts = list[Tensor](), list[int]()
        self.began, self.first = 0.0, (0.0, 0)
        self.test_accuracy = math.nan
        self.restore_or_start()

    def source(self, images: Split | Files) -> Source:
        """What cuts batches of them, on the device, in the layout whose convolutions are fastest on a CPU."""
        if isinstance(images, Files):
            assert self.stream
            viewer = replace(self.stream.viewer, files=images, covariance=self.covariance)
            return Stream(viewer, self.mean, self.std, workers=self.stream.workers, device=self.device)
        split = Split(images.images.to(self.device), images.labels.to(self.device))
        augment = self.augment if self.recipe.shift or self.recipe.flip or self.recipe.crop else None
        layout = torch.channels_last
        return Batches(split, self.mean, self.std, device=self.device, memory_format=layout, augment=augment)

    def covariance_of_colours(self) -> Numbers | None:
        """Of red, green and blue over the training images, where the colours of a stream are changed by it."""
        if not self.stream or not self.stream.viewer.views.colour:
            return None
        return np.array(self.saved_environment["covariance"]) if self.saved_environment else self.stream.sample.covariance.numpy()

    def some_images(self) -> tuple[Tensor, Tensor]:
        """The first batch, to find out with how a step is done best."""
        x, y, _ = next(iter(self.train.cuts(itertools.islice(self.asks(0), 1))))
        return x, y

    def is_short_of_memory(self) -> bool:
        """Whether dense blocks train in one buffer each: where the run was begun so, or where memory is short for them as they are.

        Processes may share a machine, so each asks for the whole batch, and one that is short decides for all.
        """
        if self.saved_environment:
            return bool(self.saved_environment.get("one_buffer"))
        if self.device.type != "cpu" or self.recipe.precision or not dense.blocks(self.model):
            return False
        needed, there = dense.needed(self.learner, *self.some_images(), self.recipe.batch), free() / 2**10
        is_short = self.world.any(needed > DENSE_SHARE * there)
        if is_short:
            text = f"as they are written, a step keeps {needed:,.1f} GiB, and {there:,.1f} are free"
            self.means.say(f"dense blocks train in one buffer each: {text}")
        return is_short

    def fast_learner(self) -> nn.Module | None:
        """The learner compiled, where this run was begun so, or is worth it; for whole batches, as compiled code is made for one size."""
        images = functools.cache(self.some_images)

        def step(learner: nn.Module) -> None:
            with self.autocast():
                loss, _ = learner(*images())
            loss.backward()

        if self.saved_environment:
            begun_so = self.saved_environment.get("compiled") and compiling.has_compiler()
            return compiling.compiled(self.learner, step, self.means.say) if begun_so else None
        return compiling.faster(self.learner, step, self.steps, self.means.say) if self.world.size == 1 else None

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The precision of the recipe's steps. Not asked of a device where it is not wanted: some know no bfloat16."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.recipe.precision == "bf16" else contextlib.nullcontext()

    def check_world(self) -> None:
        """Raises UsageError where the processes of this run do not all do the same, or have not an image each in every batch."""
        same = {"seed": self.job.seed, **{key: self.environment[key] for key in ("etude", "torch", "source")}}
        self.world.check({**as_table(self.recipe), **same, "digest of the data": self.environment["data"]}, self.fewest)

    @property
    def fewest(self) -> int:
        """Images of the smallest batch."""
        last = len(self.train) % self.recipe.batch if self.steps >= self.steps_per_epoch else 0  # of an epoch
        return last or min(self.recipe.batch, len(self.train))

    def check_smallest_batch(self) -> None:
        """Raises UsageError where a batch, or a process's part of it, is one image and a batch norm has one number of it a channel."""
        if self.fewest > 1 and (self.recipe.batch_norm or self.fewest // self.world.size > 1):
            return
        x, y = self.some_images()
        try:
            with compiling.untouched(self.learner), torch.no_grad():
                self.learner(x[:1], y[:1])
        except ValueError as error:
            if "more than 1 value" not in str(error):
                raise
            many = f"{len(self.train):,} images in batches of {self.recipe.batch} leave one that a process has alone"
            why = f"a batch norm of {self.recipe.model} cannot take the variance of that"
            raise UsageError(f"{many}, and {why}; choose another --set batch=…, or larger images") from error

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
            for batch in self.batches_left():
                self.step(batch)
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

    def batches_left(self) -> Iterator[Cut]:
        """The batches from this step on. Before a file is said to be broken, when its batch is due, all is saved."""
        try:
            yield from self.train.cuts(self.asks(self.state["step"]))
        except Broken:
            self.save()
            raise

    def asks(self, begin: int) -> Iterator[Ask]:
        """The batches from that step on. Their order depends on seed and epoch alone."""
        order = Tensor()
        for step in range(begin, self.steps):
            epoch, position = divmod(step, self.steps_per_epoch)
            if step == begin or position == 0:
                order = epoch_order(len(self.train), self.job.seed, epoch)
            index = order[position * self.recipe.batch :][: self.recipe.batch]
            place = Place(len(index), self.world.part(len(index)))
            yield Ask(index[place.part], place, (self.job.seed, step))

    def step(self, batch: Cut) -> None:
        """One step of the optimisers on those images. The sums of an epoch begin anew with its first."""
        if self.state["step"] % self.steps_per_epoch == 0:
            self.state["epoch"] = NOTHING_YET
        if self.recipe.frozen:
            start.freeze(self.model, self.optimizers, self.head, self.recipe.frozen - self.state["step"])
        x, y, images = batch
        self.world.seed(self.job.seed, self.state["step"])
        learner = self.fast if self.fast is not None and images == self.recipe.batch else self.learner
        with self.autocast():
            loss, right = self.world.run(learner, x, y)
        self.model.zero_grad()
        loss.backward(torch.full_like(loss, self.world.size * len(y) / images))  # gradients will be those of the batch's mean
        set_learning_rates(self.optimizers, self.rate())
        for optimizer in self.optimizers:
            optimizer.step()
        self.losses.append(self.world.sum(torch.stack((loss.detach() * len(y), right.to(loss.dtype)))))
        self.counts.append(images)
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

    def augment(self, ask: Ask, images: Tensor) -> Tensor:
        """The images of a step, cut, moved and mirrored as the recipe says, by numbers that depend on seed and step alone."""
        random = generator(*ask.random or (), "augment")
        if self.recipe.crop:
            images = random_part(images, self.recipe.crop, random, ask.place)
        if self.recipe.shift:
            images = random_shift(images, self.recipe.shift, random, ask.place)
        return random_flip(images, random, ask.place) if self.recipe.flip else images

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
        """Test the network and write a line of metrics: on every twentieth image before the end of a run of less than an epoch, and of an
        untrained network whose images are streamed.
        """
        self.settle()
        self.world.share(self.model)
        at_end = self.state["step"] == self.steps
        partly = not at_end and (self.is_short or (self.recipe.views is not None and self.state["step"] == 0))
        images, others = (self.part, self.others_part) if partly else (self.test, self.others)
        light = fold(self.model.eval())
        found = test(light, images, self.world)
        if not math.isfinite(found.loss):
            raise self.diverged(found.loss, self.state["step"])
        self.test_accuracy = found.accuracy
        tested = {"test_loss": found.loss, "test_accuracy": found.accuracy, "test_images": len(images)}
        if self.recipe.views:
            tested["test_top5_accuracy"] = found.top5_accuracy
            if at_end:
                crops = test(light, images, self.world, TEN)
                tested |= {"ten_crop_accuracy": crops.accuracy, "ten_crop_top5_accuracy": crops.top5_accuracy}
        for part, other in others.items():
            tested[part] = test(light, other, self.world).accuracy
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
            self.state["warning"],
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
            first = "make room, then " if error.errno in FULL else ""
            raise EtudeError(
                f"{self.run.checkpoint}: cannot be written ({error.strerror or error}); the last good checkpoint is untouched: "
                f"{first}{self.world.command} train --resume {self.run.folder}"
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


def first(images: Some, count: int | None) -> Some:
    """The first `count` images; of images in the order of their classes, as a folder has them, some from everywhere."""
    if count is None:
        return images
    index = torch.arange(min(count, len(images)))
    in_order = bool((torch.as_tensor(images.labels).diff() >= 0).all())
    return images.chosen(index * len(images) // len(index) if in_order and count else index)


def held_out(images: Some, count: int) -> tuple[Some, Some]:
    """The images without `count` of them, and those, which are the same ones for every network and seed."""
    if not 0 <= count < len(images):
        raise UsageError(f"validation = {count}, expected fewer than the {len(images):,} training images")
    order = torch.randperm(len(images), generator=generator("validation"))
    return (images.chosen(order[count:].sort().values) if count else images), images.chosen(order[:count])


def every_twentieth(images: Some) -> Some:
    return images.chosen(torch.arange(0, len(images), 20))


def images_of(recipe: Recipe, means: Means) -> Dataset | Streamed:
    """The images that a recipe trains on and tests with, in memory, or in files where it says how they are viewed."""
    if recipe.views is None:
        return load_data(recipe, means)
    workers = stream.workers_of(means.world.here)
    leave_out = recipe.broken == "left out"
    return stream.load(Path(recipe.data), recipe.image, recipe.views, recipe.flip, workers, means.say, recipe.split, leave_out)


def load_data(recipe: Recipe, means: Means) -> Dataset:
    """The images that a recipe trains on and tests with, in memory."""
    leave_out = recipe.broken == "left out"
    return data.load(recipe.data, image=recipe.image, data_dir=means.data_dir, say=means.say, split=recipe.split, leave_out=leave_out)


def normalisation(
    recipe: Recipe, dataset: Dataset | Streamed, begin: Start | None, saved: Mapping[str, Any] | None
) -> tuple[tuple[float, ...] | Tensor, tuple[float, ...]]:
    """The recipe's mean and spread; where it has none, those of the weights that it begins with, or of the training images."""
    if saved and (recipe.start or recipe.views):
        mean = torch.tensor(saved["mean"], dtype=torch.float64)
        return mean if mean.dim() == 3 else tuple(saved["mean"]), tuple(saved["std"])
    channels = dataset.channels
    if len(recipe.std) not in (0, channels):
        raise UsageError(f"std = {list(recipe.std)}, expected one number a channel; {dataset.name} has {channels}")
    if isinstance(recipe.mean, str):  # "per pixel"
        return dataset.mean_image(), recipe.std
    if recipe.mean:
        return recipe.mean, recipe.std
    return (begin.mean, begin.std) if begin and len(begin.mean) == channels else dataset.statistics()


def outputs(recipe: Recipe, dataset: Dataset | Streamed) -> dict[str, int]:
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

    A network with auxiliary heads says itself how their losses are weighed.
    """
    if callable(loss_of := getattr(model, "loss_of", None)):
        outputs = model.outputs(x)  # type: ignore[operator]
        logits, loss = outputs[0], loss_of(outputs, y, label_smoothing)
    else:
        logits = model(x).float()
        loss = F.cross_entropy(logits, y, label_smoothing=label_smoothing)
    return loss, (logits.argmax(dim=1) == y).sum()


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
