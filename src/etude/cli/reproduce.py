"""`etude reproduce`: claims, verdicts, and the page."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etude.cli.render import as_json, say, table, watcher

if TYPE_CHECKING:
    from etude.reproduce.jobs import Report, Trained


@click.command()
@click.argument("name")
@click.option("--budget", type=click.Choice(["smoke", "laptop", "paper"]), default="laptop", show_default=True)
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(min=1), help="How many seeds, counted from 0.")
@click.option("--data", help="Other data than the paper's; then nothing is judged.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Your folder with the official files of the data set.")
@click.option("--device", help="cpu, cuda or mps; by default the best there is.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where the runs and the page go.")
@click.option("--json", "json_", is_flag=True, help="Print JSON instead of the tables.")
def reproduce(
    name: str, budget: str, seeds: int, data: str | None, data_dir: Path | None, device: str | None, runs: Path, json_: bool
) -> int:
    """Reproduce NAME (so far: lecture): check its exact facts, train its networks, judge, and draw a page.

    Exit code 1 if anything departs or is not reproduced.
    """
    from etude.reproduce import claims

    claims.load(name)
    from etude.files import write_text
    from etude.report.page import lecture_page
    from etude.reproduce.jobs import reproduce as run

    watch = watcher()
    report = run(
        name,
        budget=budget,
        seeds=seeds,
        root=runs,
        data=data,
        device=device,
        data_dir=data_dir,
        watch=lambda network, seed, progress: watch(f"{network} seed {seed}", progress),
        say=say,
    )
    page = runs / name / budget / "report.html"
    write_text(page, lecture_page(report))
    if json_:
        as_json(report.as_dict() | {"page": str(page)})
    else:
        exact_table(report)
        trained_table(report)
        click.echo(f"page: {page}")
    return 1 if report.failed else 0


def exact_table(report: "Report") -> None:
    """What can be checked to the last digit."""
    rows: list[tuple[str, ...]] = [
        (check.what, f"{check.expected:,}", f"{check.found:,}", check.unit, f"{check.at} ({check.kind})", check.verdict)
        for check in report.exact
    ]
    for network, checks in report.layers.items():
        right = sum(check.verdict == "exact" for check in checks)
        word = "exact" if report.layers_exact[network] else "departs"
        rows.append((f"{network}: layers", str(len(checks)), str(right), "operators", "shapes, kernels, strides, order", word))
    table(("exact facts", "expected", "found", "unit", "where", "verdict"), rows, right=(1, 2))
    for check in report.exact:
        if check.printed is not None:
            click.echo(f"{check.at} prints {check.printed:,}; {check.note}")
    for network, checks in report.layers.items():
        for layer in checks:
            for difference in layer.differences:
                click.echo(f"{network}: {layer.path}: {difference}")


def trained_table(report: "Report") -> None:
    """What takes training."""
    rows = [trained_row(trained) for trained in report.trained]
    columns = ("trained", "published %", "where", "mean %", "spread", "n", "budget", "seconds", "verdict")
    table(columns, rows, right=(1, 3, 4, 5, 7))
    for trained in report.trained:
        beside = ""
        if trained.beside is not None:
            beside = f"; {trained.beside:+.2f} points beside {trained.claim.beside.partition('.')[0]} on the same seeds"
        click.echo(f"{trained.recipe.model}: {trained.verdict.why}{beside}")


def trained_row(trained: "Trained") -> tuple[str, ...]:
    last, sample = trained.published.last if trained.published else None, trained.sample
    return (
        trained.recipe.model,
        f"{last.value:.2f}" if last else "–",
        last.at if last else "–",
        f"{sample.mean:.2f}" if sample.n else "–",
        "–" if sample.n < 2 or math.isnan(sample.spread) else f"{sample.spread:.2f}",
        str(sample.n),
        trained.recipe.budget,
        f"{trained.seconds:.0f}",
        trained.verdict.word,
    )
