"""Makes the tables and the picture of the pages from the records: python docs/make.py

A record is the output of a command, kept as it came:
    etude reproduce lecture --seeds 3 --json > docs/records/lecture-laptop.json
    etude reproduce lecture --budget paper --seeds 3 --json > docs/records/lecture-paper.json
    python benchmarks/lecture.py                                    (writes benchmarks/lecture.json)
"""

import json
from pathlib import Path
from typing import Any

from etude.files import write_text
from etude.papers import load
from etude.report.figures import Line, side_by_side

ROOT = Path(__file__).parent.parent
BUDGETS = ("laptop", "paper")
PAGES = ("README.md", "docs/performance.md")


def record(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / name).read_text(encoding="utf-8"))
    return content


def results_table() -> str:
    """Every trained network at both budgets."""
    lines = [
        "| network | budget | n | mean % | spread | published % | verdict |",
        "| --- | --- | ---: | ---: | ---: | --- | --- |",
    ]
    for budget in BUDGETS:
        for row in record(f"docs/records/lecture-{budget}.json")["trained"]:
            published = row["published"]
            source = f"{published['value']:.2f} ({published['at']})" if published else "none"
            lines.append(
                f"| `{row['network']}` | {budget} | {row['n']} | {row['mean']:.2f} | {row['spread']:.2f} | {source} | {row['verdict']} |"
            )
    return "\n".join(lines)


def speed_table() -> str:
    """The lecture's own way beside the laptop budget."""
    lines = [
        "| network | the lecture's way, ten epochs | ours, each seed | times sooner, each seed | median |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for row in record("benchmarks/lecture.json")["rows"]:
        ours = ", ".join(f"{run['accuracy']:.2f}" for run in row["ours"])
        ratios = ", ".join(f"{ratio:.1f}" for ratio in row["ratios"])
        lines.append(f"| `{row['network']}` | {row['lecture']['accuracy']:.2f} % | {ours} % | {ratios} | **{row['ratio']:.1f}** |")
    return "\n".join(lines)


def filled(text: str, name: str, content: str) -> str:
    """`text` with `content` between the comments <!-- name --> and <!-- end name -->."""
    start, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    before, _, rest = text.partition(start)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"<!-- {name} --> without {end}")
    return f"{before}{start}\n{content}\n{end}{after}"


def page(name: str) -> str:
    """A page as it should be, with its tables."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for table, made in TABLES.items():
        if f"<!-- {table} -->" in text:
            text = filled(text, table, made())
    return text


TABLES = {"results": results_table, "speed": speed_table}


def picture() -> str:
    """The curves of the two networks that the lecture gives results of."""
    curves = load("lecture").curves
    rows = [row for row in record("docs/records/lecture-laptop.json")["trained"] if row["published"]]
    return side_by_side(
        {
            row["network"]: ([Line(metrics, "ours, laptop budget") for metrics in row["metrics"]], curves[f"{row['network']}_accuracy"])
            for row in rows
        }
    )


if __name__ == "__main__":
    for name in PAGES:
        write_text(ROOT / name, page(name))
    write_text(ROOT / "docs" / "lecture.svg", picture())
