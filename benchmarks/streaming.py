"""What it takes to decode, cut and colour the images of a folder, beside what networks take to train on them; and the memory of it.

    python benchmarks/streaming.py         a few minutes on two quiet cores; writes docs/records/streaming.json

Ten thousand JPEGs of about 256 pixels lie in a temporary folder: a thousand drawn ones, ten times each, noise of many scales with grain, as
much to decode as photographs. Streams of 1 and 2 workers, and the training steps of networks on a batch that is there, by one thread, take
turns, three rounds, and the medians count. The time of a processor is counted beside that of the clock, as it does not depend on what else
the machine does. One pass over all images is watched for memory.
"""

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import etude
from etude.data import stream
from etude.data.batches import Ask, Cut, epoch_order, whole
from etude.data.stream import AHEAD, Stream
from etude.files import write_text
from etude.train import machine
from etude.train import recipe as recipes
from etude.train.loop import loss_and_right

RECORD = Path(__file__).parent.parent / "docs" / "records" / "streaming.json"
RECIPES = ("resnet50.he2015_imagenet", "densenet121.huang2017_imagenet")
NETWORKS = {"resnet18": 16, "resnet50": 8}  # and the images of a step
WORKERS = (1, 2)
CLASSES, DRAWN = 10, 1_000
ROUNDS, STREAMED, STEPS = 3, 400, 3  # of each round: images of a stream, steps of a network
BATCH, WARM = 50, 2
LOOKED, LEARNED = 100, 4  # the batch after which memory is first looked at; images of each that are learned from meanwhile


def draw(folder: Path, count: int) -> None:
    """So many photographs in ten classes, 256 pixels high and 256 to 384 wide, a tenth of them others; and a few to test with."""
    random = np.random.default_rng(0)
    for number in range(count + CLASSES):
        place = folder / ("train" if number < count else "val") / f"class-{number % CLASSES}" / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        if number >= DRAWN:
            shutil.copy(folder / "train" / f"class-{number % CLASSES}" / f"{number % DRAWN}.jpg", place)
            continue
        width, height = int(random.integers(256, 385)), 256
        drawn = random.normal(0, 6, (height, width, 3)).astype(np.float32)
        for side in (4, 16, 64):
            noise = random.integers(0, 256, (side, side, 3)).astype(np.uint8)
            drawn += np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC), np.float32) / 3
        Image.fromarray(drawn.clip(0, 255).astype(np.uint8)).save(place, quality=90)


def source_of(folder: Path, title: str, workers: int) -> Stream:
    """The training images as the recipe of that title cuts and colours them."""
    recipe = recipes.load(title, "paper")
    assert recipe.views
    streamed = stream.load(folder, recipe.image, recipe.views, recipe.flip, workers, print, None, False)
    viewer = replace(streamed.viewer, covariance=np.eye(3) / 20)
    return Stream(viewer, (0.5,) * 3, (0.25,) * 3, workers=workers, device=torch.device("cpu"))


def batches(source: Stream, count: int) -> Iterator[Cut]:
    """So many images, as in training."""
    order = epoch_order(len(source), 0, 0)[:count]
    return source.cuts(Ask(index, whole(index), (0, step)) for step, index in enumerate(order.split(BATCH)))


def spent() -> float:
    """Seconds of processors, of this process and of workers that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def of_stream(source: Stream) -> tuple[float, float]:
    """Images a second, the first few batches left out, and milliseconds of a processor an image."""
    before, began, seen = spent(), 0.0, 0
    for number, cut in enumerate(batches(source, WARM * BATCH + STREAMED)):
        if number == WARM:
            began, seen = time.perf_counter(), 0
        seen += len(cut.y)
    rate = (seen - BATCH) / (time.perf_counter() - began)
    return rate, 1e3 * (spent() - before) / (WARM * BATCH + STREAMED)


def stepper(network: str) -> Callable[[torch.Tensor, torch.Tensor], None]:
    """What takes a step of a new network on some images."""
    model = etude.build(network, classes=CLASSES).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step(x: torch.Tensor, y: torch.Tensor) -> None:
        loss, _ = loss_and_right(model, x, y, 0.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def of_network(network: str, step: Callable[[torch.Tensor, torch.Tensor], None]) -> tuple[float, float]:
    """Images a second, and milliseconds of a processor an image, of a network whose batch is there."""
    count = NETWORKS[network]
    x, y = torch.randn(count, 3, 224, 224).to(memory_format=torch.channels_last), torch.arange(count) % CLASSES
    step(x, y)
    before, began = spent(), time.perf_counter()
    for _ in range(STEPS):
        step(x, y)
    return STEPS * count / (time.perf_counter() - began), 1e3 * (spent() - before) / (STEPS * count)


def memory(source: Stream, step: Callable[[torch.Tensor, torch.Tensor], None]) -> dict[str, list[int]]:
    """MB that this process and its workers have, after a hundred batches and at the end of a pass over all images.

    A network learns from a few images of each batch: without any other work glibc before 2.38, which does not find all of what was freed
    again where blocks are kept, has let this process grow to a multiple.
    """
    found: dict[str, list[int]] = {"parent": [], "workers": []}
    last = len(source) // BATCH
    for number, cut in enumerate(batches(source, len(source)), start=1):
        step(cut.x[:LEARNED], cut.y[:LEARNED])
        if number in (min(LOOKED, last // 2), last - AHEAD * source.workers):  # at the very end workers may have ended
            children = [child.pid for child in multiprocessing.active_children()]
            found["parent"].append(resident(os.getpid()))
            found["workers"].append(max(resident(child) for child in children if child))
    return found


def resident(process: int) -> int:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return round(int(lines["VmRSS"].split()[0]) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--record", type=Path, default=RECORD)
    options = parser.parse_args()
    machine.keep_freed_blocks()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="etude-") as name:
        draw(Path(name), options.images)
        sources = {(title, workers): source_of(Path(name), title, workers) for title in RECIPES for workers in WORKERS}
        steps = {network: stepper(network) for network in NETWORKS}
        watched = memory(sources[RECIPES[0], max(WORKERS)], steps["resnet18"])
        found: dict[Any, list[tuple[float, float]]] = {key: [] for key in (*sources, *steps)}
        for _ in range(ROUNDS):
            for key, source in sources.items():
                found[key].append(of_stream(source))
            for network, step in steps.items():
                found[network].append(of_network(network, step))
            print({str(key): several[-1] for key, several in found.items()}, flush=True)
        median = {key: tuple(map(statistics.median, zip(*several, strict=True))) for key, several in found.items()}
        record = {
            "command": "python benchmarks/streaming.py",
            "environment": machine.environment(torch.device("cpu")),
            "images": options.images,
            "rows": [
                {"recipe": title, "workers": workers, "images a second": round(rate, 1), "milliseconds": round(milliseconds, 2)}
                for (title, workers) in sources
                for rate, milliseconds in [median[title, workers]]
            ],
            "networks": {
                network: {"images a second": round(rate, 2), "milliseconds": round(milliseconds, 1)}
                for network in NETWORKS
                for rate, milliseconds in [median[network]]
            },
            "memory": watched,
        }
    write_text(options.record, json.dumps(record, indent=1) + "\n")
    print(json.dumps({key: record[key] for key in ("rows", "networks", "memory")}, indent=1))


if __name__ == "__main__":
    main()
