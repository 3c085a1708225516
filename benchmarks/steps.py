"""Where a training step's time goes, and what each means of saving it is worth: ratios taken side by side in one run.

    python benchmarks/steps.py                    three networks, about six minutes on two cores

Every variant is a process of its own, so that one's allocator or compiler does not help another; the variants take turns, three
rounds, and the median counts. "peak" is the share of the rate of a large float32 matrix product measured in the same process.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

NETWORKS = ("lecture_inception", "lecture_residual", "lecture_densenet")
PLAIN: dict[str, Any] = {"batch": 64, "channels_last": False, "keep": False, "optimizer": "sgd", "bfloat16": False, "compile": False}
LAPTOP = PLAIN | {"batch": 96, "channels_last": True, "keep": True, "optimizer": "muon"}
VARIANTS = {
    "plain: batch 64, SGD": PLAIN,
    "channels last": PLAIN | {"channels_last": True},
    "freed blocks kept": PLAIN | {"keep": True},
    "both": PLAIN | {"channels_last": True, "keep": True},
    "both, batch 96": LAPTOP | {"optimizer": "sgd"},
    "laptop: both, batch 96, Muon": LAPTOP,
    "not taken: laptop in bfloat16": LAPTOP | {"bfloat16": True},
    "not taken: laptop, torch.compile": LAPTOP | {"compile": True},
}
STEPS, WARM_UP, ROUNDS = 60, 10, 3


def child(network: str, how: dict[str, Any]) -> dict[str, float]:
    """Microseconds an image, the share of the peak, and the seconds that the first steps took."""
    import torch
    from torch.nn import functional as F

    import etude
    from etude.train import machine, optimizers
    from etude.train import recipe as recipes

    if how["keep"]:
        machine.keep_freed_blocks()
    torch.manual_seed(0)
    layout = torch.channels_last if how["channels_last"] else torch.contiguous_format
    model = etude.build(network).to(memory_format=layout)  # type: ignore[call-overload]
    forward = torch.compile(model) if how["compile"] else model
    budget = "laptop" if how["optimizer"] == "muon" else "paper"
    made = optimizers.make_optimizers(recipes.load(f"{network}.lecture", budget), model, torch.device("cpu"))
    x = torch.randn(how["batch"], 1, 28, 28).to(memory_format=layout)
    y = torch.randint(0, 10, (how["batch"],))

    def step() -> float:
        began = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=how["bfloat16"]):
            logits = forward(x)
        loss = F.cross_entropy(logits.float(), y)
        model.zero_grad()
        loss.backward()
        for optimizer in made:
            optimizer.step()
        return time.perf_counter() - began

    first = sum(step() for _ in range(WARM_UP))
    seconds = statistics.median(step() for _ in range(STEPS))
    flops = 2 * 3 * etude.graph(model, (1, 28, 28)).macs * how["batch"]
    return {"microseconds": 1e6 * seconds / how["batch"], "share": flops / seconds / peak(), "first": first}


def layer_by_layer(network: str) -> float:
    """How many times as long Muon's iterations take one layer after the other, as published, than stacked, as in etude/train/muon.py."""
    import torch

    import etude
    from etude.train import muon

    def alone(matrix: torch.Tensor) -> torch.Tensor:
        x = matrix / (matrix.norm() + 1e-7)
        x = x.T if x.shape[0] > x.shape[1] else x
        for _ in range(muon.ITERATIONS):
            gram = x @ x.T
            x = muon.A * x + (muon.B * gram + muon.C * gram @ gram) @ x
        return x

    matrices = [torch.randn_like(weight).flatten(1) for weight in etude.build(network).parameters() if weight.dim() == 4]
    times: tuple[list[float], list[float]] = [], []
    ways: tuple[Callable[[], object], ...] = (lambda: [alone(m) for m in matrices], lambda: muon.orthogonalized(matrices))
    for _ in range(300):
        for kept, work in zip(times, ways, strict=True):
            began = time.perf_counter()
            work()
            kept.append(time.perf_counter() - began)
    return statistics.median(times[0]) / statistics.median(times[1])


def peak() -> float:
    """Floating-point operations a second of a large float32 matrix product."""
    import torch

    a = torch.randn(1536, 1536)
    times = []
    for _ in range(8):
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    return 2 * 1536**3 / min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        network, how = options.child
        print(json.dumps(layer_by_layer(network) if how == "muon" else child(network, json.loads(how))))
        return
    for network in options.networks:
        found: dict[str, list[dict[str, float]]] = {name: [] for name in VARIANTS}
        for _ in range(options.rounds):
            for name, how in VARIANTS.items():
                command = [sys.executable, __file__, "--child", network, json.dumps(how)]
                done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
                if done.returncode == 0:
                    found[name].append(json.loads(done.stdout))
        report(network, found)
        done = subprocess.run([sys.executable, __file__, "--child", network, "muon"], stdout=subprocess.PIPE, text=True, check=True)
        print(f"  Muon layer by layer takes {float(done.stdout):.1f} times as long as stacked\n", flush=True)


def report(network: str, found: dict[str, list[dict[str, float]]]) -> None:
    def median(name: str, key: str) -> float:
        return statistics.median(run[key] for run in found[name])

    print(f"{network:34s} {'time of plain':>13s} {'peak':>6s} {'first 10 steps':>15s}")
    plain = median(next(iter(VARIANTS)), "microseconds")
    for name in VARIANTS:
        if not found[name]:
            print(f"  {name:32s} failed here")
            continue
        ratio, share = median(name, "microseconds") / plain, median(name, "share")
        print(f"  {name:32s} {ratio:13.2f} {share:6.0%} {median(name, 'first'):13.1f} s", flush=True)


if __name__ == "__main__":
    main()
