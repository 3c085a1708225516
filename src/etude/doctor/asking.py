"""Asking a network about images, in one way or another: in which mode, how normalised, in which order of channels, at which size."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from etude import data
from etude.data import catalog, declaration
from etude.data.batches import per_channel
from etude.data.dataset import Dataset
from etude.errors import EtudeError, UsageError
from etude.explain.graph import reason
from etude.explain.recorder import tensors_in
from etude.models.weight_files import Images
from etude.targets.opening import opened
from etude.targets.target import Target
from etude.train import kept
from etude.train.job import Means
from etude.train.loop import load_data
from etude.train.run import Run
from etude.train.trained import TrainedNetwork, load
from etude.verification.prepare import copied
from etude.verification.running import image_is_missing
from etude.wording import size

IMAGES = 256  # of the test set that are asked about
BATCH = 32  # at once, in the order of the data; in training mode it matters


@dataclass(frozen=True, eq=False)
class Patient:
    """A network as it was loaded, and how it is used.

    module     in the mode in which whoever loads it has it
    image      (C, H, W) of its images
    mean, std  by which its images are normalised, a number a channel, of pixels from 0 to 1; the mean may be an image
    classes    the names of its outputs, in order; empty where they are taken to be those of the data
    again      the same made once more, from another seed: what is drawn anew was not loaded; None where it is known to be loaded
    seen       the images that it was trained on, N×C×H×W uint8, where they are here
    split      how images were held out then of a folder without a split, as in its recipe
    """

    name: str
    module: nn.Module
    image: tuple[int, int, int]
    mean: Tensor
    std: Tensor
    classes: tuple[str, ...] = ()
    again: nn.Module | None = None
    seen: Tensor | None = None
    split: int | None = 0

    @property
    def usual(self) -> "Way":
        """How it is asked as it is."""
        return Way(Normalisation("as it is", self.mean, self.std), self.image[1:])


@dataclass(frozen=True, eq=False)
class Normalisation:
    """(pixel − mean) / std, pixels from 0 to 1; both 1, or one a channel."""

    name: str
    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, name: str, mean: tuple[float, ...], std: tuple[float, ...]) -> "Normalisation":
        return cls(name, per_channel(mean)[0].float(), per_channel(std)[0].float())

    def equals(self, other: "Normalisation") -> bool:
        """To three places, beyond which no accuracy depends on it."""
        pairs = ((self.mean, other.mean), (self.std, other.std))
        return all(bool(((one - another).abs() < 1e-3).all()) for one, another in pairs)

    def __call__(self, pixels: Tensor) -> Tensor:
        return (pixels - self.mean) / self.std.where(self.std > 0, 1)


@dataclass(frozen=True, eq=False)
class Way:
    """A way to ask a network. The mode of its modules is as it is unless `evaluating` puts all of them into eval mode.

    outputs  the output that stands for each class of the data, where that is not by their names
    """

    normalisation: Normalisation
    side: tuple[int, int]
    twice: bool = False
    backwards: bool = False
    evaluating: bool = False
    outputs: tuple[int, ...] = ()


@dataclass
class Questions:
    """The test images of a data set or a folder, at any size, evenly picked."""

    source: str
    channels: int
    data_dir: Path | None = None
    split: int | None = 0
    read: dict[tuple[int, int], Dataset] = field(default_factory=dict)

    def dataset(self, side: tuple[int, int]) -> Dataset:
        """All of it; a set of the catalog at its own size."""
        known = self.source if self.source in catalog.names() else declaration.declared(Path(self.source))
        image = catalog.row(known).image if known else (self.channels, *side)
        if image[1:] not in self.read:
            self.read[image[1:]] = data.load(self.source, image=image, data_dir=self.data_dir, split=self.split)
        return self.read[image[1:]]

    def asked(self, side: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Images, N×C×H×W with pixels from 0 to 1, and their labels."""
        test = self.dataset(side).test
        picked = torch.arange(min(IMAGES, len(test))) * len(test) // min(IMAGES, len(test))
        images = test.images[picked].float() / 255
        if images.shape[1] != self.channels:
            images = images.mean(1, keepdim=True).expand(-1, self.channels, -1, -1)
        if images.shape[2:] != side:
            images = F.interpolate(images, size=side, mode="bilinear", antialias=True).clamp(0, 1)
        return images, test.labels[picked]


@torch.no_grad()
def answers(patient: Patient, questions: Questions, way: Way) -> Tensor:
    """N×outputs. Raises EtudeError where the network does not run on such images, or gives no row of outputs for each."""
    images, _ = questions.asked(way.side)
    images = images.flip(1) if way.backwards else images
    with torch.random.fork_rng(devices=[]), apart(patient.module) as module:
        torch.manual_seed(0)
        if way.evaluating:
            module.eval()
        try:
            images = way.normalisation(images)  # whose mean may be an image of one size
            images = way.normalisation(images) if way.twice else images
            given = [next(tensors_in(module(some)), None) for some in images.split(BATCH)]
        except Exception as error:
            raise EtudeError(
                f"{patient.name} does not run on images of {size(images.shape[1:])}: {reason(error)}; add --input CxHxW"
            ) from error
    return torch.cat([rows(patient, some, len(part)) for some, part in zip(given, images.split(BATCH), strict=True)])


def rows(patient: Patient, given: Tensor | None, count: int) -> Tensor:
    """What was given for so many images, one row each."""
    if given is not None and count == 1 and given.dim() == 1:  # squeezed
        given = given[None]
    if given is None or given.dim() < 2 or len(given) != count or given[0].numel() != given.shape[1]:
        found = "no tensor" if given is None else size(given.shape) if given.dim() else "a single number"
        raise EtudeError(
            f"{patient.name} gives {found} for {count} images; expected {count}×classes, a number for each class of each image"
        )
    return given.flatten(1)


@contextlib.contextmanager
def apart(module: nn.Module) -> Iterator[nn.Module]:
    """A copy to ask, since statistics change in training mode; of a module that cannot be copied itself, which is then as it was."""
    asked = copied(module)
    if asked is not module:
        yield asked
        return
    kept = {value: value.detach().clone() for value in (*module.parameters(), *module.buffers())}
    buffers = {part: dict(part.named_buffers(recurse=False)) for part in module.modules()}
    try:
        with modes_kept(module):
            yield module
    finally:
        for part, own in buffers.items():
            for name, buffer in own.items():
                setattr(part, name, buffer)
        for value, before in kept.items():
            value.copy_(before)


@contextlib.contextmanager
def modes_kept(module: nn.Module) -> Iterator[None]:
    modes = {part: part.training for part in module.modules()}
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def outputs_of(patient: Patient, classes: tuple[str, ...], count: int) -> tuple[int, ...]:
    """The output, of so many, that stands for each class of the data. Raises EtudeError where there is none."""
    names = patient.classes or classes
    if len(names) > count or not set(classes) <= set(names):
        unknown = ", ".join(sorted(set(classes) - set(names))[:5]) or f"{len(names)} classes"
        raise EtudeError(f"{patient.name} has {count} outputs, and none for {unknown}; --classes names them in order")
    return tuple(names.index(name) for name in classes)


# ── Who is asked ─────────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def made(target: Target, said: Images, image: tuple[int, int, int] | None) -> Iterator[Patient]:
    """A network that somebody's code makes and loads, made twice; within the context it runs where its code is.

    Raises UsageError where it is not known which images it takes.
    """
    modules = []
    with contextlib.ExitStack() as stack:
        for seed in (0, 1):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                found = stack.enter_context(opened(target))
                modules.append(found.module)
                image = image or found.image
        if image is None:
            raise image_is_missing(target, modules[0])
        yield Patient(str(target), modules[0], image, *normalisation(said, image), said.classes, modules[1])


def trained_here(name: str, network: TrainedNetwork, image: tuple[int, int, int] | None) -> Patient:
    """A network whose weights were loaded by Etude, so whole; in eval mode."""
    return Patient(name, network.module, image or network.image, network.mean, network.std, network.classes)


def of_run(name: str, said: Images, image: tuple[int, int, int] | None) -> Patient:
    """What a run has trained, and on what, where that is here; what is said of its images takes the place of what it knows."""
    found = trained_here(name, load(name), image)
    if said.mean or said.std:
        mean, std = normalisation(said, found.image)
        found = replace(found, mean=mean, std=std)
    found = replace(found, classes=said.classes or found.classes)
    recipe = Run(kept.place_of(name)).recipe()
    found = replace(found, split=recipe.split)
    if recipe.data not in catalog.names() and Path(recipe.data).is_dir() and not recipe.views:
        found = replace(found, seen=load_data(recipe, Means()).train.images)
    return found


def normalisation(said: Images, image: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """What is subtracted and divided by; of pixels from 0 to 1 as they are where nothing is said."""
    for option, numbers in (("--mean", said.mean), ("--std", said.std)):
        if numbers and len(numbers) != image[0]:
            raise UsageError(f"{option}: {len(numbers)} numbers, expected one for each of the {image[0]} channels")
    made = Normalisation.of("", said.mean or (0.0,) * image[0], said.std or (1.0,) * image[0])
    return made.mean, made.std
