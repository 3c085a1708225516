"""How fast every engine computes four networks, one image and sixteen at a time, and whether `auto` takes the best of them.

    python benchmarks/engines.py       a quarter of an hour on a quiet machine; writes docs/records/engines.json

Everything is timed twice. By the first time `auto` chooses; how much longer that takes than the best is said by the second.
"""

import dataclasses
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch

from etude.export.card import card_of_network
from etude.export.engines import ENGINES
from etude.export.extras import version
from etude.export.timing import Bench, bench, fastest
from etude.files import write_text
from etude.models.network import Network
from etude.train.machine import processor
from etude.views.bench import COUNTS

RECORD = Path(__file__).parent.parent / "docs" / "records" / "engines.json"
NETWORKS, BATCHES = ("resnet50", "densenet121", "googlenet", "resnet20"), (1, 16)


def main() -> None:
    rows = []
    for name in NETWORKS:
        trained = card_of_network(Network(name)).trained
        for batch in BATCHES:
            choosing, judging = (bench(trained, batch, partial(print, name, file=sys.stderr)) for _ in range(2))
            rows.append({"network": name, "batch": batch, **judged(choosing, judging)})
            print(json.dumps({key: rows[-1][key] for key in ("network", "batch", "auto")}), flush=True)
    record = {
        "command": "python benchmarks/engines.py",
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "versions": {package: version(package) for package in ("torch", "onnxruntime", "openvino")},
        "missing": [name for name, engine in ENGINES.items() if engine.lacks],
        "rows": rows,
    }
    write_text(RECORD, json.dumps(record, indent=1) + "\n")


def judged(choosing: Bench, judging: Bench) -> dict[str, Any]:
    """The times, what `auto` takes for so many images, and how often that takes as long as the best."""
    timings = {name: dataclasses.replace(timing, ready=choosing.timings[name].ready) for name, timing in judging.timings.items()}
    seconds = timings["torch"].seconds
    auto = {}
    for count in COUNTS:
        chosen, best = fastest(choosing.timings, count), fastest(timings, count)
        times = timings[chosen].total(count, seconds) / timings[best].total(count, seconds)
        auto[str(count)] = {"engine": chosen, "best": best, "times the best": times}
    return {"engines": {name: dataclasses.asdict(timing) for name, timing in timings.items()}, "failures": judging.failures, "auto": auto}


if __name__ == "__main__":
    main()
