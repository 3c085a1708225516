"""What a network reaches when it is trained in bfloat16, against float32, by paired seeds. (benchmarks/steps.py has what a step costs.)

    python benchmarks/precision.py RECIPE… --seeds 5 --runs RUNS [--data FOLDER] [--set epochs=0.5] [--json FILE]

Both runs of a pair have the same initial values, the same order of images and the same augmentation, and are tested in float32. Runs that
are there are used. With five pairs of a spread of s points the mean difference is known to about ± 1.24 s (Student's t, 95 %).
docs/records/precision-mnist.json and precision-cifar10.json are records of it.
"""

import argparse
import json
import math
import statistics
from pathlib import Path
from typing import Any

from scipy import stats

from etude.files import write_text
from etude.jobs.task import tasks_by_this_code
from etude.train import engine
from etude.train import recipe as recipes
from etude.train.job import Job, Means
from etude.train.store import Store

PRECISIONS = ("none", "bf16")


def pair(name: str, seed: int, store: Store, options: argparse.Namespace) -> dict[str, Any]:
    """Test accuracies in % of the two runs of a seed: float32, bf16."""
    recipe = recipes.load(name, options.budget)
    recipe = recipe.on(options.data) if options.data else recipe
    jobs = [Job(recipes.change(recipe, (*options.settings, f"precision={precision}")), seed) for precision in PRECISIONS]
    means = Means(say=print)
    found = [engine.run_to_result(task.job, task.run, means) for task in tasks_by_this_code(jobs, store, means)]
    return {"seed": seed, "accuracy": [100 * run.test_accuracy for run in found]}


def judged(name: str, pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean difference with its 95 % interval."""
    differences = [after - before for before, after in (row["accuracy"] for row in pairs)]
    spread = statistics.stdev(differences)
    half = float(stats.t.ppf(0.975, len(pairs) - 1)) * spread / math.sqrt(len(pairs))
    means = [statistics.fmean(values) for values in zip(*(row["accuracy"] for row in pairs), strict=True)]
    difference = statistics.fmean(differences)
    return {"recipe": name, "means": means, "difference": difference, "spread": spread, "half": half, "pairs": pairs}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipes", nargs="+", metavar="RECIPE")
    parser.add_argument("--budget", default="laptop")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="where the record is written")
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error("a spread takes at least two seeds")
    found = []
    for name in options.recipes:
        found.append(judged(name, [pair(name, seed, Store(options.runs), options) for seed in range(options.seeds)]))
        row = found[-1]
        print(
            f"{name}: float32 {row['means'][0]:.2f} %, bf16 {row['means'][1]:.2f} %, difference {row['difference']:+.2f} ± "
            f"{row['half']:.2f} (95 %, n = {options.seeds})",
            flush=True,
        )
        if options.json:
            settings = {key: getattr(options, key) for key in ("budget", "seeds", "settings")}
            write_text(options.json, json.dumps({**settings, "data": Path(options.data or "").name, "rows": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
