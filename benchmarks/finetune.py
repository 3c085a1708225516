"""Fine-tuned against from scratch on the same small folder: 5 classes of CIFAR-10 with 100 images each, resnet20, three seeds.

    python benchmarks/finetune.py --data FOLDER [--runs RUNS]       a quarter of an hour on a quiet core; goes on where it stopped

FOLDER has train/CLASS and test/CLASS, the ten classes of CIFAR-10. The weights to begin with are those of a run on the five other classes
(`scratch`, 400 steps on 800 images a class). Both ways then train for 160 steps on the same images; the head alone in the first 40 where
there are weights to begin with. Each way has the rate of RATES with which it is best on other training images, by another seed: the test
images are looked at once by each run of the table, and by nothing before it.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from etude.data import declaration
from etude.files import write_text
from etude.jobs.task import tasks_by_this_code
from etude.train import engine
from etude.train import recipe as recipes
from etude.train.job import Job, Means
from etude.train.recipe import Recipe
from etude.train.run import RunResult
from etude.train.store import Store

RECORD = Path(__file__).parent.parent / "docs" / "records" / "finetune.json"
NETWORK, STEPS, FROZEN, RATES = "resnet20", 160, 40, (0.01, 0.03, 0.1)
SEEDS, CHOOSING_SEED = (0, 1, 2), 3
ANIMALS = ("bird", "cat", "dog", "frog", "horse")
OTHERS = ("airplane", "automobile", "deer", "ship", "truck")
TRAIN, CHOOSE, TEST, OTHER = 100, 100, 200, 1_000  # images a class


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="train/CLASS and test/CLASS of CIFAR-10")
    parser.add_argument("--runs", type=Path, default=Path("runs/finetune"))
    options = parser.parse_args()
    data, runs = options.data.resolve(), options.runs.resolve()
    folders = made(data, runs / "images")
    source = trained(recipes.load(f"{NETWORK}.scratch", "laptop").on(str(folders["others"])), 0, runs / "source")
    ways = {
        "scratch": recipes.change(recipes.load(f"{NETWORK}.scratch", "laptop"), (f"steps={STEPS}",)),
        "finetune": recipes.change(recipes.load(f"{NETWORK}.finetune", "laptop"), (f"steps={STEPS}", f"frozen={FROZEN}")),
    }
    ways["finetune"] = ways["finetune"].begun_with(str(source.folder))
    rows = [compared(name, recipe, folders, runs) for name, recipe in ways.items()]
    record = {
        "command": "python benchmarks/finetune.py --data FOLDER",
        "torch": torch.__version__,
        "data": "CIFAR-10" if declaration.declared(data) is None else "CIFAR-10 in another encoding (JPEG)",
        "network": NETWORK,
        "steps": STEPS,
        "images": {"train": TRAIN * len(ANIMALS), "choose": CHOOSE * len(ANIMALS), "test": TEST * len(ANIMALS)},
        "source": {"classes": OTHERS, "steps": source.recipe.steps, "accuracy": source.test_accuracy},
        "rows": rows,
    }
    write_text(RECORD, json.dumps(record, indent=1) + "\n")


def compared(name: str, recipe: Recipe, folders: dict[str, Path], runs: Path) -> dict[str, Any]:
    """One way: what it reaches by every rate on the images to choose by, and by the best of them on the test images."""
    found = {rate: reached(at(recipe, rate), folders["choose"], CHOOSING_SEED, runs / f"choose-{rate}") for rate in RATES}
    best = max(RATES, key=lambda rate: found[rate])
    accuracies = [reached(at(recipe, best), folders["test"], seed, runs / "table") for seed in SEEDS]
    print(name, found, accuracies, flush=True)
    choosing = [{"rate": rate, "accuracy": accuracy} for rate, accuracy in found.items()]
    return {"recipe": name, "choosing": choosing, "rate": best, "accuracies": accuracies}


def reached(recipe: Recipe, data: Path, seed: int, root: Path) -> float:
    return trained(recipe.on(str(data)), seed, root).test_accuracy


def at(recipe: Recipe, rate: float) -> Recipe:
    return recipes.change(recipe, (f"optimizer.lr={rate}",))


def trained(recipe: Recipe, seed: int, root: Path) -> RunResult:
    """The run of that recipe below `root`, trained where it is not there."""
    means = Means(device="cpu")
    (task,) = tasks_by_this_code([Job(recipe, seed)], Store(root), means)
    return engine.run_to_result(task.job, task.run, means)


def made(data: Path, root: Path) -> dict[str, Path]:
    """Folders of links: the five other classes; and twice the animals with the same images to train with, to choose by and to test."""
    parts = {
        "others": [(data / "train" / name, slice(OTHER), Path(name)) for name in OTHERS],
        "choose": [(data / "train" / name, slice(TRAIN, TRAIN + CHOOSE), Path("test", name)) for name in ANIMALS],
        "test": [(data / "test" / name, slice(TEST), Path("test", name)) for name in ANIMALS],
    }
    for part in ("choose", "test"):
        parts[part] += [(data / "train" / name, slice(TRAIN), Path("train", name)) for name in ANIMALS]
    for part, classes in parts.items():
        for folder, which, place in classes:
            (root / part / place).mkdir(parents=True, exist_ok=True)
            for file in sorted(folder.iterdir())[which]:
                link = root / part / place / file.name
                if not link.exists():
                    link.symlink_to(file)
    return {part: root / part for part in parts}


if __name__ == "__main__":
    main()
