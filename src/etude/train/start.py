"""Where a network begins that is not trained from random weights: with those of an earlier run, or of a file.

All of it but the head is taken over: the head is what has another shape for another number of classes. It is taken too where the classes
are the same ones.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from etude.errors import EtudeError, UsageError
from etude.explain.graph import reason, whole_output
from etude.models.network import Network
from etude.models.weight_files import READERS, read_converted, read_weights
from etude.models.weights import FAMILIES, families_of, load, named, options_of, recognise
from etude.train import kept, trained
from etude.train.recipe import Recipe
from etude.wording import size

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # by what torchvision's published weights want their images normalised
HALVES = ((0.5,) * 3, (0.5,) * 3)  # and its GoogLeNet, which was trained elsewhere


@dataclass(frozen=True)
class Start:
    """Trained weights.

    network    whose they are
    tensors    by our names
    mean, std  of their images, one a channel; empty where that is not known
    classes    the names of the outputs; empty where they are not known
    note       what they are, in words, with a digest of them
    """

    network: Network
    tensors: Mapping[str, Tensor]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    note: str

    def put_into(self, network: Network, module: nn.Module, head: frozenset[str], classes: tuple[str, ...]) -> str:
        """Load the weights into a network for these classes, and say what was done. Raises EtudeError where they do not fit."""
        if computes(self.network) != computes(network):
            whose = Network(self.network.name, {name: value for name, value in self.network.options.items() if name != "classes"})
            raise EtudeError(f"{self.note} does not fit {network}; train {whose}, which it is")
        same = self.classes == classes
        own = module.state_dict()
        taken = {name: value for name, value in self.tensors.items() if same or name not in head}
        for name, value in own.items():
            if (name in taken and taken[name].shape == value.shape) or (name in head and not same):
                continue
            theirs = f"there {size(taken[name].shape)}" if name in taken else "and not there"
            raise EtudeError(f"{self.note} does not fit: `{name}` is {size(value.shape)} here, {theirs}; train {self.network}")
        module.load_state_dict(own | {name: value for name, value in taken.items() if name in own})
        head_too = "its classes are the same, so its head is kept" if same else f"a new head for {len(classes)} classes"
        return f"begins with {self.note}; {head_too}"


def read(recipe: Recipe) -> Start:
    """What a recipe begins with: a run, a network that Etude brings, or a file of weights that is converted or has names that are known.

    Raises  EtudeError for what is none of these
    """
    assert recipe.start
    place = kept.place_of(recipe.start)
    if place.is_dir():
        of_run = trained.load(place)
        mean, std = (tuple(numbers.mean((1, 2)).tolist()) for numbers in (of_run.mean, of_run.std))
        return started(recipe.start, of_run.network, of_run.module, mean, std, of_run.classes)
    if place.suffix.lower() not in READERS:
        raise UsageError(f"--from {recipe.start}: no run, no file of weights ({', '.join(READERS)}), no name of `etude ls --weights`")
    if converted := read_converted(place):
        known, network = converted.images, converted.network
        mean, std = (known.mean, known.std) if known.mean and known.std else usual(network)
        return started(recipe.start, network, converted.module, mean, std, known.classes)
    return from_others(recipe.start, place)


def from_others(name: str, file: Path) -> Start:
    """Weights under torchvision's names, which timm has too."""
    tensors = read_weights(file)
    found = recognise(tensors, FAMILIES)
    if found is None:
        advice = f"`etude convert {file}` knows more names, and takes the code that they belong to; then --from what it has written"
        raise EtudeError(f"{file}: holds no network that torchvision and Etude share; {advice}")
    network = Network(found, options_of(found, named(tensors)))
    module = network.build()
    load(module, tensors, families_of(module, FAMILIES))
    return started(name, network, module, *usual(network), ())


def usual(network: Network) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """How the images of published weights of that network are normalised, as far as is known."""
    if not any(network.name in family.names for family in FAMILIES):
        return (), ()
    return HALVES if network.name.startswith("googlenet") else IMAGENET


def started(
    name: str, network: Network, module: nn.Module, mean: tuple[float, ...], std: tuple[float, ...], classes: tuple[str, ...]
) -> Start:
    tensors = module.state_dict()
    digest = hashlib.sha256()
    for value in tensors.values():
        digest.update(value.contiguous().numpy().data)
    return Start(network, tensors, mean, std, classes, f"{network} of {name} (weights {digest.hexdigest()[:12]})")


def head_of(network: Network) -> frozenset[str]:
    """The names of the tensors that have another shape for another number of classes."""
    some, more = (Network(network.name, {**network.options, "classes": count}).without_weights().state_dict() for count in (2, 3))
    return frozenset(name for name, value in some.items() if value.shape != more[name].shape)


def computes(network: Network) -> tuple[str, dict[str, Any]]:
    """What decides what a network computes: two with the same weights and other options may not compute the same."""
    options = {**network.row.options, **network.options}
    return network.row.target, {name: value for name, value in options.items() if name not in ("classes", "auxiliary", "dropout")}


def freeze(module: nn.Module, optimizers: list[torch.optim.Optimizer], head: frozenset[str], left: int) -> None:
    """Before a step, with so many left of those that train the head alone. Everything else then stays as it is, its running statistics
    too, as no part of it is in training mode. Behind the last of them all is trained, and the optimisers remember nothing.
    """
    if left < 0:
        return
    module.train(left == 0)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(left == 0 or name in head)
    if left == 0:
        for optimizer in optimizers:
            optimizer.state.clear()


def check(recipe: Recipe) -> None:
    """Raises UsageError for a network with a wrong option, for images that it does not take, and for a head with nothing behind it."""
    module = recipe.model.without_weights()
    if recipe.frozen and not recipe.start:
        raise UsageError(f"{recipe.title} trains a head on weights that are there: add --from FILE|RUN, or train {recipe.model}.scratch")
    if recipe.image != recipe.model.input:
        try:
            whole_output(module)(torch.empty(2, *recipe.image, device="meta"))
        except Exception as error:
            why = f"{recipe.model}, made for {size(recipe.model.input)}, does not take images of {size(recipe.image)} ({reason(error)})"
            raise UsageError(f"side = {recipe.side}: {why}") from error
