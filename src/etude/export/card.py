"""What has to be known of a network that goes elsewhere, to use it and to trust it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from etude.models.network import Network
from etude.models.weight_files import Images, as_metadata
from etude.train import kept
from etude.train.run import Run
from etude.train.trained import TrainedNetwork
from etude.version import VERSION
from etude.wording import percent, size

RANDOM = "random: drawn from seed 0, to look at what is exported and to time it; it has learned nothing"
BATCH = 4  # images that settle the statistics of random weights


@dataclass(frozen=True)
class Card:
    """A network with what belongs to it.

    title       a name for it, without the ending of a file
    trained     the network, its images and classes
    weights     where they come from, in words
    record      of the run: recipe, budget, seed, data, and what it reached; empty where there was none
    data        the data set, or the folder of images, that it was trained on; "" where that is not known
    licence     of the weights, as the Hub writes it, such as "mit"; "" where nobody has said
    normalises  whether the exported graph takes pixels from 0 to 1, and not what was normalised
    """

    title: str
    trained: TrainedNetwork
    weights: str
    record: Mapping[str, Any] = field(default_factory=dict)
    data: str = ""
    licence: str = ""
    normalises: bool = False

    @property
    def network(self) -> Network:
        return self.trained.network

    @property
    def built(self) -> Network:
        """With its number of classes among the options, where that is not the network's own: what builds it again."""
        own = {name: tensor.shape for name, tensor in self.network.without_weights().state_dict().items()}
        same = all(own[name] == tensor.shape for name, tensor in self.trained.module.state_dict().items())
        classes = {"classes": len(self.trained.classes)}
        return self.network if same else Network(self.network.name, {**self.network.options, **classes})

    @property
    def module(self) -> torch.nn.Module:
        """What is exported."""
        return self.trained if self.normalises else self.trained.module

    @property
    def images(self) -> Images:
        std = self.trained.std
        image = () if self.trained.image == self.network.input else self.trained.image
        return Images(numbers(self.trained.mean), numbers(std.where(std > 0, 1)), self.trained.classes, image, self.trained.shorter)

    @property
    def pixels(self) -> str:
        """What its input is, in words."""
        shape = f"float32, N×{size(self.trained.image)}"
        return f"{shape}, pixels from 0 to 1" if self.normalises else f"{shape}, (pixels from 0 to 1 - mean) / std"

    def metadata(self) -> dict[str, str]:
        """As names and texts, which is what every format can keep; those that `etude.load` reads are among them."""
        told = {"input": self.pixels, "weights": self.weights, "licence": self.licence, "record": dict(self.record), "etude": VERSION}
        texts = {name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for name, value in told.items()}
        return as_metadata(self.built, self.images) | {name: text for name, text in texts.items() if text not in ("", "{}")}


def numbers(values: Tensor) -> tuple[Any, ...]:
    """C×1×1 float32 as C numbers, and a mean image as lists of them, each in as few digits as give it again: 0.1307."""
    shortest = np.array([float(str(value)) for value in values.flatten().numpy()])
    return tuple((shortest if values.shape[1:] == (1, 1) else shortest.reshape(values.shape)).tolist())


def card_of_run(trained: TrainedNetwork, place: Path | str) -> Card:
    """Of what a run has trained, or of what Etude brings."""
    run = Run(kept.place_of(place))
    job, environment = run.job(), run.environment()
    recipe = job.recipe
    record = {
        "recipe": recipe.title,
        "budget": recipe.budget,
        "seed": job.seed,
        "data": Path(recipe.data).name,  # of a folder no more than its name: where it lies is nobody else's concern
        "reencoded": environment.get("reencoded", ""),
        "trained_by": {key: environment[key] for key in ("etude", "revision", "torch") if environment.get(key)},
    }
    if run.finished:
        result = run.result()
        of_weights = result.test_accuracy if recipe.result == "last" else run.metrics()[-1]["test_accuracy"]
        record |= {"test_accuracy": of_weights, "test_images": result.test_images}
        record |= {} if result.diverged is None else {"diverged": result.diverged}
    else:
        record |= {"finished": False}
    weights = f"trained by {recipe.title}, budget {recipe.budget}, seed {job.seed}{reached(record)}"
    return Card(recipe.title, trained, weights, record, recipe.data, licence="mit" if str(place) in kept.names() else "")


def reached(record: Mapping[str, Any]) -> str:
    if not record.get("finished", True):
        return "; the run has not ended"
    of = f"{record['test_images']:,} test images of {record['data']}"
    encoding = f" ({record['reencoded']} in another encoding)" if record["reencoded"] else ""
    return f": {percent(record['test_accuracy'])} of {of}{encoding}"


def card_of_file(trained: TrainedNetwork, file: Path) -> Card:
    """Of weights that were trained elsewhere."""
    return Card(file.stem, trained, f"from {file.name}")


def card_of_network(network: Network) -> Card:
    """Of a network with random weights, whose normalisations have the statistics of random images, so that its numbers stay finite."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        module = network.build()
        settle(module, torch.randn(BATCH, *network.input))
    blank = torch.empty(1, *network.input, device="meta")
    outputs: int = network.without_weights().eval()(blank).shape[1]
    channels = network.input[0]
    names = tuple(f"output {index}" for index in range(outputs))
    trained = TrainedNetwork(network, module, names, [0.0] * channels, [1.0] * channels)
    return Card(network.name, trained.eval(), RANDOM)


@torch.no_grad()
def settle(module: torch.nn.Module, images: Tensor) -> None:
    """Give every normalisation the statistics of these images."""
    norms = [part for part in module.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # a mean over all batches, which is one
    module.train()(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
