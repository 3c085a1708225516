"""`etude reproduce`: claims, verdicts, and the page."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etude.cli.render import as_json, say, table, watcher

if TYPE_CHECKING:
    from etude.reproduce.plan import Planned
    from etude.reproduce.reproduction import Judged, Reproduction
    from etude.train.run import Run


@click.command()
@click.argument("name")
@click.option("--budget", type=click.Choice(["smoke", "laptop", "paper"]), default="laptop", show_default=True)
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(min=1), help="How many seeds, counted from 0.")
@click.option("--plan", "plan_", is_flag=True, help="Show the runs that it takes and which are there, and train nothing.")
@click.option("--data", help="Other data than the paper's; then nothing is judged.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Your folder with the official files of the data set.")
@click.option("--device", help="cpu, cuda or mps; by default the best there is.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where the runs and the page go.")
@click.option("--json", "json_", is_flag=True, help="Print JSON instead of the tables.")
def reproduce(
    name: str, budget: str, seeds: int, plan_: bool, data: str | None, data_dir: Path | None, device: str | None, runs: Path, json_: bool
) -> int:
    """Reproduce NAME (so far: lecture), or the claims in a .toml file: check exact facts, train, judge, and draw a page.

    Exit code 1 if anything departs or is not reproduced.
    """
    from etude.reproduce import claims
    from etude.reproduce.plan import plan

    planned = plan(claims.load(name), budget=budget, seeds=seeds, data=data)
    if plan_:
        rows = planned_rows(planned, runs)
        as_json(rows) if json_ else table(list(rows[0]), [[*map(str, row.values())] for row in rows], right=(2, 3))
        return 0

    from etude.files import write_text
    from etude.report.page import reproduction_page
    from etude.reproduce.reproduction import reproduce as run
    from etude.train.job import Means

    watch = watcher()
    means = Means(device, data_dir, lambda job, progress: watch(str(job), progress), say)
    found = run(name, budget=budget, seeds=seeds, root=runs, data=data, means=means)
    page = runs / f"{found.claims.name}-{budget}.html"
    write_text(page, reproduction_page(found))
    if json_:
        as_json(found.as_dict() | {"page": str(page)})
    else:
        exact_table(found)
        trained_table(found)
        click.echo(f"page: {page}")
    return 1 if found.failed else 0


def planned_rows(planned: "tuple[Planned, ...]", root: Path) -> "list[dict[str, str | int]]":
    """A row for every job: what is trained, and what is there of it. Whether that was this code on this machine shows when it is run."""
    from etude.train.store import Store

    rows: list[dict[str, str | int]] = []
    for one in planned:
        for job in one.jobs:
            run = Store(root).found(job, {})
            images = one.recipe.images or "all"
            rows.append(
                {
                    "recipe": one.recipe.title,
                    "budget": one.recipe.budget,
                    "seed": job.seed,
                    "epochs": f"{one.recipe.epochs:g}",
                    "images": images,
                    "data": one.recipe.data,
                    "run": str(run.folder),
                    "state": state_of(run),
                }
            )
    return rows


def state_of(run: "Run") -> str:
    return "finished" if run.finished else "unfinished" if run.started else "to do"


def exact_table(found: "Reproduction") -> None:
    """What can be checked to the last digit."""
    rows: list[tuple[str, ...]] = [
        (check.what, f"{check.expected:,}", f"{check.found:,}", check.unit, f"{check.at} ({check.kind})", check.verdict)
        for check in found.exact
    ]
    for network, checks in found.layers.items():
        right = sum(check.verdict == "exact" for check in checks)
        word = "exact" if found.layers_exact[network] else "departs"
        rows.append((f"{network}: layers", str(len(checks)), str(right), "operators", "shapes, kernels, strides, order", word))
    table(("exact facts", "expected", "found", "unit", "where", "verdict"), rows, right=(1, 2))
    for check in found.exact:
        if check.printed is not None:
            click.echo(f"{check.at} prints {check.printed:,}; {check.note}")
    for network, checks in found.layers.items():
        for layer in checks:
            for difference in layer.differences:
                click.echo(f"{network}: {layer.path}: {difference}")


def trained_table(found: "Reproduction") -> None:
    """What takes training."""
    columns = ("trained", "published", "where", "mean", "spread", "n", "unit", "budget", "seconds", "verdict")
    table(columns, [trained_row(judged) for judged in found.judged], right=(1, 3, 4, 5, 8))
    for judged in found.judged:
        beside = ""
        if judged.beside is not None:
            beside = f"; {judged.beside:+.2f} points of accuracy beside {judged.planned.claim.beside} on the same seeds"
        click.echo(f"{judged.network}: {judged.verdict.why}{beside}")


def trained_row(judged: "Judged") -> tuple[str, ...]:
    published, sample = judged.planned.published, judged.sample
    value = "–" if published is None else published.value if isinstance(published.value, str) else f"{published.value:.2f}"
    return (
        str(judged.network),
        value,
        published.at if published else "–",
        f"{sample.mean:.2f}" if sample.n else "–",
        "–" if sample.n < 2 or math.isnan(sample.spread) else f"{sample.spread:.2f}",
        str(sample.n),
        judged.planned.unit,
        judged.planned.recipe.budget,
        f"{judged.seconds:.0f}",
        judged.verdict.word,
    )
