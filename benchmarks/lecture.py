"""How much sooner than the lecture: its own way of training beside Etude's laptop budget, on the same cores.

    python benchmarks/lecture.py                    both networks, three seeds of ours: about a quarter of an hour on two cores
    python benchmarks/lecture.py --epochs 1         one epoch of the lecture's way in place of ten, to see that all runs

The lecture's way is written out below as its slides have it: a data set that converts one PIL image at a time, a DataLoader of 64
without workers, SGD 0.01 with momentum 0.5, ten epochs, a test after each. Each run is a process of its own, one after the other.
Times are wall-clock from loading the data to the last test, imports left out for both. Prints one table;
with ten epochs and three seeds it also writes benchmarks/lecture.json. A seed of ours that ends below the lecture's way counts as
ratio 0.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from etude.papers import load as load_paper

NETWORKS = ("lecture_inception", "lecture_residual")
EPOCHS, SEEDS = int(load_paper("lecture").fact("recipe_epochs").held), 3


def lectures_way(network: str, epochs: int) -> dict[str, Any]:
    """L9 slides 30–43 and L10 slides 57–62, with the network of Lecture 11. Nothing in here is tuned."""
    import numpy as np
    import torch
    from PIL import Image
    from torch import nn
    from torch.utils.data import DataLoader, Dataset

    import etude
    from etude.data import load

    fact = load_paper("lecture").fact
    batch, rate, momentum = (fact(f"recipe_{name}").held for name in ("batch", "learning_rate", "momentum"))
    pixel_mean, pixel_std = fact("recipe_mean").held, fact("recipe_std").held
    started = time.perf_counter()
    mnist = load("mnist")

    class Digits(Dataset[tuple[torch.Tensor, int]]):
        """What torchvision's MNIST does with ToTensor() and Normalize(), for every image anew."""

        def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
            self.images, self.labels = images[:, 0], labels

        def __len__(self) -> int:
            return len(self.labels)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            picture = Image.fromarray(self.images[index].numpy())
            tensor = torch.from_numpy(np.array(picture, np.uint8, copy=True)).view(28, 28, 1).permute(2, 0, 1).contiguous()
            tensor = tensor.to(torch.get_default_dtype()).div(255)
            mean, std = torch.tensor([pixel_mean]).view(-1, 1, 1), torch.tensor([pixel_std]).view(-1, 1, 1)
            return tensor.clone().sub_(mean).div_(std), int(self.labels[index])

    torch.manual_seed(0)
    train_loader = DataLoader(Digits(mnist.train.images, mnist.train.labels), shuffle=True, batch_size=batch)
    test_loader = DataLoader(Digits(mnist.test.images, mnist.test.labels), shuffle=False, batch_size=batch)
    model = etude.build(network)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum)
    accuracies = []
    for _ in range(epochs):
        running_loss = 0.0
        for inputs, target in train_loader:
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = criterion(outputs, target)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        correct = total = 0
        with torch.no_grad():
            for inputs, target in test_loader:
                _, predicted = torch.max(model(inputs).data, dim=1)
                total += target.size(0)
                correct += int((predicted == target).sum().item())
        accuracies.append(100 * correct / total)
    return {"accuracy": accuracies[-1], "accuracies": accuracies, "seconds": time.perf_counter() - started}


def ours(network: str, seed: int) -> dict[str, Any]:
    """`etude train NETWORK.lecture`, budget laptop."""
    import etude

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = etude.fit(f"{network}.lecture", budget="laptop", seed=seed, run=Path(folder) / "run")
    return {"accuracy": 100 * result.test_accuracy, "seconds": time.perf_counter() - started}


def apart(*arguments: str) -> dict[str, Any]:
    """Run one of the two in a fresh process, and read what it found."""
    done = subprocess.run([sys.executable, __file__, "--child", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def child(arguments: list[str]) -> None:
    import torch._dynamo  # noqa: F401  the first optimiser imports it, more than a second; imports are left out for both

    how, network, number = arguments
    found = lectures_way(network, int(number)) if how == "lecture" else ours(network, int(number))
    print(json.dumps(found))


def compare(network: str, epochs: int, seeds: int) -> dict[str, Any]:
    """The lecture's way once, every seed of ours, and the ratio of the times, seed by seed."""
    lecture = apart("lecture", network, str(epochs))
    runs = [apart("ours", network, str(seed)) for seed in range(seeds)]
    ratios = [lecture["seconds"] / run["seconds"] if run["accuracy"] >= lecture["accuracy"] else 0.0 for run in runs]
    return {"network": network, "epochs": epochs, "lecture": lecture, "ours": runs, "ratios": ratios, "ratio": statistics.median(ratios)}


def report(row: dict[str, Any]) -> None:
    runs = row["ours"]
    print(f"{row['network']}")
    print(f"  the lecture's way   {row['lecture']['accuracy']:.2f} % after {row['epochs']} epochs, {row['lecture']['seconds']:.1f} s")
    for seed, (run, ratio) in enumerate(zip(runs, row["ratios"], strict=True)):
        print(f"  ours, seed {seed}        {run['accuracy']:.2f} %, {run['seconds']:.1f} s, ratio {ratio:.1f}")
    print(f"  median ratio        {row['ratio']:.1f} (n = {len(runs)})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of the lecture's way")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    rows = []
    for network in options.networks:
        rows.append(compare(network, options.epochs, options.seeds))
        report(rows[-1])
    from etude.files import write_text
    from etude.train import machine

    if (options.epochs, options.seeds, tuple(options.networks)) != (EPOCHS, SEEDS, NETWORKS):
        return
    record = {"environment": machine.environment(machine.choose_device("cpu")), "cores": os.cpu_count(), "rows": rows}
    write_text(Path(__file__).with_suffix(".json"), json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
