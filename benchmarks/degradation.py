"""Trains plain and residual networks of 20 and 56 layers, all with batch normalisation, for the same few steps.

    python benchmarks/degradation.py       about a quarter of an hour on two cores; writes docs/records/degradation.json

Images: the first 6,400 of MNIST's training set, padded to 32×32 and repeated to three channels. SGD, learning rate 0.02, momentum 0.9,
weight decay 10⁻⁴, He's initialisation: He et al. 2015, section 4.2, in everything but rate, batch size and length, which are a laptop's.
What is compared is the training error and loss over the last fifth of the steps; beside them the gradient of the first layer at the start.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import etude
from etude.explain.images import real_images
from etude.files import write_text

RECORD = Path(__file__).parent.parent / "docs" / "records" / "degradation.json"
NETWORKS = ("plain20", "resnet20", "plain56", "resnet56")
BATCH, IMAGES, RATE = 64, 6_400, 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    x, y = real_images((3, 32, 32), IMAGES)
    rows = []
    for name in NETWORKS:
        runs = [trained(name, x, y, seed, options.steps) for seed in range(options.seeds)]
        rows.append({"network": name, "runs": runs, **summary(runs)})
        print(json.dumps({key: value for key, value in rows[-1].items() if key != "runs"}), flush=True)
    command = f"python benchmarks/degradation.py --steps {options.steps} --seeds {options.seeds}"
    record = {"command": command, "torch": torch.__version__, "images": IMAGES, "batch": BATCH, "rows": rows}
    write_text(RECORD, json.dumps(record, indent=1) + "\n")


def trained(name: str, x: Tensor, y: Tensor, seed: int, steps: int) -> dict[str, Any]:
    """Loss and error of every step on its own batch, before the update; and the first layer's gradient at the first step."""
    torch.manual_seed(seed)
    model = etude.build(name).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9, weight_decay=1e-4)
    order = torch.randperm(len(x)).repeat(1 + steps * BATCH // len(x))
    losses, errors, gradient = [], [], 0.0
    for step in range(steps):
        batch = order[step * BATCH : (step + 1) * BATCH]
        logits = model(x[batch])
        loss = F.cross_entropy(logits, y[batch])
        optimizer.zero_grad()
        loss.backward()
        gradient = gradient or next(model.parameters()).grad.norm().item()  # type: ignore[union-attr]
        optimizer.step()
        losses.append(loss.item())
        errors.append((logits.argmax(1) != y[batch]).float().mean().item())
    last = max(steps // 5, 1)
    return {
        "seed": seed,
        "first gradient": gradient,
        "loss": statistics.mean(losses[-last:]),
        "error": statistics.mean(errors[-last:]),
        "losses": [round(value, 4) for value in losses],
    }


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation over seeds."""
    found: dict[str, Any] = {"n": len(runs)}
    for key in ("first gradient", "loss", "error"):
        values = [run[key] for run in runs]
        found[key] = {"mean": statistics.mean(values), "spread": statistics.stdev(values) if len(values) > 1 else None}
    return found


if __name__ == "__main__":
    main()
