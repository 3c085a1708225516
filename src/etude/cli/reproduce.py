"""`etude reproduce`: claims, verdicts, and the page."""

from pathlib import Path

import click

from etude.cli.render import as_json, say, show, watcher


@click.command()
@click.argument("name")
@click.option("--budget", type=click.Choice(["smoke", "laptop", "paper"]), default="laptop", show_default=True)
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(min=1), help="How many seeds, counted from 0.")
@click.option("--plan", "plan_", is_flag=True, help="Show the runs that it takes and which are there, and train nothing.")
@click.option("--only", metavar="PATTERN", help='Only the networks, or the orders, of that name: "resnet20*".')
@click.option("--data", help="Other data than the paper's: a name or a folder; then no value is judged.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Your folder with the official files of the data set.")
@click.option("--device", help="cpu, cuda or mps; by default the best there is.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where the runs and the page go.")
@click.option("--json", "json_", is_flag=True, help="Print JSON instead of the tables.")
def reproduce(
    name: str,
    budget: str,
    seeds: int,
    plan_: bool,
    only: str | None,
    data: str | None,
    data_dir: Path | None,
    device: str | None,
    runs: Path,
    json_: bool,
) -> int:
    """Reproduce NAME: lecture, resnet, identity_mappings or densenet, a table of one (resnet.table_6), or the claims in a .toml file.

    Exact facts are checked, networks trained, values and orders judged, and a page drawn. Exit code 1 if anything departs, is not
    reproduced, or is the other way round.
    """
    from etude.reproduce import claims
    from etude.reproduce.plan import command, plan
    from etude.train.store import Store
    from etude.views.reproduction import plan_view, reproduction_view

    planned = plan(claims.load(name), budget=budget, seeds=seeds, data=data, only=only)
    if plan_:
        show(plan_view(name, planned, Store(runs), command(name, budget, seeds, data, only)), json_=json_)
        return 0

    from etude.files import write_text
    from etude.report.page import reproduction_page
    from etude.reproduce.reproduction import reproduce as run
    from etude.train.job import Means

    watch = watcher()
    means = Means(device, data_dir, lambda job, progress: watch(str(job), progress), say)
    found = run(name, budget=budget, seeds=seeds, root=runs, data=data, only=only, means=means)
    page = runs / f"{found.claims.name}-{budget}.html"
    write_text(page, reproduction_page(found))
    if json_:
        as_json(found.as_dict() | {"page": str(page)})
    else:
        show(reproduction_view(found))
        click.echo(f"page: {page}")
    return 1 if found.failed else 0
