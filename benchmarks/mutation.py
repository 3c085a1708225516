"""Changes the exercises' solutions at random, and looks whether the checker lets a changed function pass.

    python benchmarks/mutation.py          a few minutes on two cores; writes benchmarks/mutation.json; exit code 1 if one passes

Whether a mutant is another function is judged without the checker (tests/mutants.py): weights copied by name, float64, 20 signed inputs,
training and eval mode, gradients, running statistics, initial values. The order of branches in a concatenation is free.
"""

import argparse
import collections
import json
import sys
import tempfile
from pathlib import Path

import torch

from etude.files import write_text
from etude.practice.checker import checked, warm
from etude.practice.exercises import exercise

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import mutants

RECORD = Path(__file__).with_suffix(".json")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=480)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    drawn = mutants.drawn(options.count, options.seed)
    with tempfile.TemporaryDirectory() as folder, warm() as server:
        rows = [judged(mutant, Path(folder), server) for mutant in drawn]
    wrong = [row for row in rows if row["differs"] == (row["status"] == "pass")]
    write_text(RECORD, json.dumps(summary(rows, wrong, options), indent=1, ensure_ascii=False) + "\n")
    print(json.dumps({key: value for key, value in summary(rows, wrong, options).items() if key != "rows"}, indent=1))
    return 1 if wrong else 0


def judged(mutant: mutants.Mutant, folder: Path, server: object) -> dict[str, object]:
    """What the judge and the checker say of a mutant."""
    file = folder / f"{mutant.exercise}.py"
    file.write_text(mutant.source, encoding="utf-8")
    result = checked(mutant.exercise, file, "en", server)  # type: ignore[arg-type]
    named = bool(result.diagnoses) and result.diagnoses[0].id in exercise(mutant.exercise).mistakes
    return {
        "exercise": mutant.exercise,
        "operator": mutant.operator,
        "differs": mutants.differs(mutant),
        "status": result.status,
        "diagnosis": result.diagnoses[0].id if result.diagnoses else "",
        "named": named,
        "seconds": round(result.seconds, 2),
        "source": mutant.source if (result.status == "pass") else "",
    }


def summary(rows: list[dict[str, object]], wrong: list[dict[str, object]], options: argparse.Namespace) -> dict[str, object]:
    different = [row for row in rows if row["differs"]]
    return {
        "command": f"python benchmarks/mutation.py --count {options.count} --seed {options.seed}",
        "torch": torch.__version__,
        "mutants": len(rows),
        "other functions": len(different),
        "of these passed": sum(row["status"] == "pass" for row in different),
        "same functions": len(rows) - len(different),
        "of these refused": sum(row["status"] != "pass" for row in rows if not row["differs"]),
        "known mistakes among them": sum(bool(row["named"]) for row in different),
        "by operator": dict(collections.Counter(str(row["operator"]) for row in rows)),
        "wrong": wrong,
        "rows": [{key: value for key, value in row.items() if key not in ("source", "seconds")} for row in rows],
    }


if __name__ == "__main__":
    sys.exit(main())
