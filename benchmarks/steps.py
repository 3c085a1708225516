"""What a training step costs: by the usual way, by ours and by what might be faster, beside the bare convolutions of the same network.

    python benchmarks/steps.py [NETWORK…]      all of them: an hour and a half on two quiet cores; writes docs/records/steps.json

Every way is a process of its own, so that one's allocator or compiler does not help another; the ways take turns, and medians count. The
bare convolutions are those of the network alone, each forward and back on maps of its shape: no step in float32 that calls the same library
can be faster. Memory is the most that torch's allocator had given out during a step, beyond what there was before it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from etude.files import write_text

RECORD = Path(__file__).parent.parent / "docs" / "records" / "steps.json"
SHAPES = {  # images of a step, and their shape
    "lecture_inception": (96, (1, 28, 28)),
    "lecture_residual": (96, (1, 28, 28)),
    "lecture_densenet": (96, (1, 28, 28)),
    "resnet20": (128, (3, 32, 32)),
    "resnet56": (128, (3, 32, 32)),
    "densenet_40_12": (64, (3, 32, 32)),
    "densenet_bc_100_12": (64, (3, 32, 32)),
    "resnet50": (16, (3, 224, 224)),
    "googlenet": (16, (3, 224, 224)),
}
USUAL = {"channels_last": False, "keep": False, "compiled": False, "bf16": False, "one_buffer": False, "bare": False}
OURS = USUAL | {"channels_last": True, "keep": True}
WAYS = {
    "the usual way": USUAL,
    "channels last": USUAL | {"channels_last": True},
    "freed blocks kept": USUAL | {"keep": True},
    "both, as etude train": OURS,
    "dense blocks in one buffer": OURS | {"one_buffer": True},
    "compiled": OURS | {"compiled": True},
    "in bf16": OURS | {"bf16": True},
    "in bf16, compiled": OURS | {"bf16": True, "compiled": True},
    "bare convolutions": OURS | {"bare": True},
}
ROUNDS, WARM_UP, FEWEST, SECONDS = 3, 2, 5, 10.0


def measured(name: str, how: dict[str, Any]) -> dict[str, float]:
    """Milliseconds of a step, its memory in MiB, the seconds that the first ones took, and images."""
    import torch

    import etude
    from etude.train import dense, machine
    from etude.train.loop import Learner

    if how["keep"]:
        machine.keep_freed_blocks()
    torch.manual_seed(0)
    images, shape = SHAPES[name]
    layout = torch.channels_last if how["channels_last"] else torch.contiguous_format
    model = etude.build(name, **({"classes": 10} if len(shape) and shape[0] == 3 else {})).to(memory_format=layout)  # type: ignore[call-overload]
    x, y = torch.randn(images, *shape).to(memory_format=layout), torch.randint(0, 10, (images,))
    if how["one_buffer"]:
        dense.in_one_buffer(model)
    learner = Learner(model, label_smoothing=0.0)
    run = torch.compile(learner, dynamic=False) if how["compiled"] else learner
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, fused=how["channels_last"] or None)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=how["bf16"]):
            loss, _ = run(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    work = bare_convolutions(model, x) if how["bare"] else step
    began = time.perf_counter()
    for _ in range(WARM_UP):
        work()
    first = time.perf_counter() - began
    times = list[float]()
    while len(times) < FEWEST or sum(times) < SECONDS:
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return {"milliseconds": 1e3 * statistics.median(times), "memory": memory(work), "first": first, "images": images}


def bare_convolutions(model: Any, x: Any) -> Callable[[], None]:
    """What goes through the convolutions of a network forward and back, each on maps of its own, and through nothing else."""
    import torch
    from torch import Tensor, nn

    calls = list[tuple[nn.Conv2d, Tensor, Tensor]]()

    def note(convolution: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        assert isinstance(convolution, nn.Conv2d)
        calls.append((convolution, torch.randn_like(inputs[0]), torch.randn_like(output)))

    hooks = [module.register_forward_hook(note) for module in model.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()

    @torch.no_grad()
    def work() -> None:
        for index, (convolution, maps, gradient) in enumerate(calls):
            bias = [convolution.out_channels] if convolution.bias is not None else None
            how = (convolution.stride, convolution.padding, convolution.dilation, False, [0, 0], convolution.groups)
            torch.ops.aten.convolution(maps, convolution.weight, convolution.bias, *how)
            mask = [index > 0, True, bias is not None]  # nobody asks for the gradient of the images
            torch.ops.aten.convolution_backward(gradient, maps, convolution.weight, bias, *how, mask)

    return work


def memory(work: Callable[[], None]) -> float:
    """The most MiB that one call has taken beyond what there was."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    with tempfile.TemporaryDirectory() as folder:
        profiled.export_chrome_trace(file := f"{folder}/trace.json")
        events = json.loads(Path(file).read_text(encoding="utf-8"))["traceEvents"]
    given = [event["args"] | {"at": event["ts"]} for event in events if event.get("name") == "[memory]"]
    first = min(given, key=lambda event: float(event["at"]))
    before = first["Total Allocated"] - first["Bytes"]
    return float(max(event["Total Allocated"] for event in given) - before) / 2**20


def layer_by_layer(name: str) -> float:
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

    matrices = [torch.randn_like(weight).flatten(1) for weight in etude.build(name).parameters() if weight.dim() == 4]
    times: tuple[list[float], list[float]] = [], []
    ways: tuple[Callable[[], object], ...] = (lambda: [alone(m) for m in matrices], lambda: muon.orthogonalized(matrices))
    for _ in range(300):
        for kept, work in zip(times, ways, strict=True):
            began = time.perf_counter()
            work()
            kept.append(time.perf_counter() - began)
    return statistics.median(times[0]) / statistics.median(times[1])


def child(name: str, how: dict[str, Any]) -> dict[str, float] | None:
    """The same in a process of its own; None where that failed."""
    command = [sys.executable, __file__, "--child", name, json.dumps(how)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def compared(name: str, rounds: int) -> dict[str, dict[str, float]]:
    """By way, medians over the rounds: times as fast as the usual way in the same round, share of the bare convolutions' rate, memory, …"""
    ways = {way: how for way, how in WAYS.items() if name.startswith("densenet") or not how["one_buffer"]}
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        results = {way: child(name, how) for way, how in ways.items()}
        usual, bare = results["the usual way"], results["bare convolutions"]
        for way, result in results.items():
            if result and usual and bare:
                ratios = {"faster": usual["milliseconds"] / result["milliseconds"], "share": bare["milliseconds"] / result["milliseconds"]}
                found[way].append(result | ratios)
    return {way: {key: statistics.median(row[key] for row in rows) for key in rows[0]} for way, rows in found.items() if rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(SHAPES))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measured(options.child[0], json.loads(options.child[1]))))
        return
    if unknown := set(options.networks) - set(SHAPES):
        parser.error(f"no network {', '.join(sorted(unknown))}; expected some of {', '.join(SHAPES)}")
    import torch

    from etude.train.machine import processor

    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", f"{tempfile.gettempdir()}/etude-steps")
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {"networks": {}}
    for name in options.networks or SHAPES:
        found = compared(name, options.rounds)
        for way, row in found.items():
            numbers = f"{row['faster']:6.2f} times as fast {row['share']:6.0%} of bare {row['memory']:7,.0f} MiB"
            print(f"{name:20s} {way:28s} {numbers}  first steps {row['first']:6.1f} s", flush=True)
        if name.startswith("lecture"):
            print(f"{name:20s} Muon layer by layer takes {layer_by_layer(name):.1f} times as long as stacked", flush=True)
        machine = {"processor": processor(), "threads": torch.get_num_threads(), "torch": torch.__version__}
        record["networks"][name] = machine | {"rounds": options.rounds, "ways": found}
        write_text(RECORD, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
