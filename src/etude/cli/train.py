"""`etude train`: one run, new or continued."""

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from etude.cli.render import say, watcher
from etude.errors import UsageError
from etude.train.world import SaidElsewhere, World, joined


def in_world(command: Callable[..., None]) -> Callable[..., None]:
    """The command as one of the processes that torchrun has started, or alone; what goes wrong is said by one of them."""

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        try:
            with joined() as world:
                command(world, **given)
        except SaidElsewhere as error:
            raise click.exceptions.Exit(error.exit_code) from error

    return wrapped


@click.command()
@click.argument("name", metavar="RECIPE|NETWORK", required=False)
@click.option("--budget", help="smoke, laptop or paper; by default laptop.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a value: optimizer.lr=0.05, model.shortcut=conv.")
@click.option("--precision", type=click.Choice(["float32", "bf16"]), help="Of the steps; by default the recipe's, float32.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="By default 0.")
@click.option("--data", help="Other data: a name of `etude data ls`, or a folder with one sub-folder of images a class.")
@click.option("--from", "start", metavar="RUN|WEIGHTS", help="The weights to begin with; see `etude convert` for those of others.")
@click.option("--stream", is_flag=True, help="A folder that does not fit into memory: decode its images whenever they are wanted.")
@click.option("--leave-out-broken", is_flag=True, help="Leave out the files of a folder that cannot be read, and list them.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Your folder with the official files of the data set.")
@click.option("--device", help="cpu, cuda or mps; by default the best there is.")
@click.option("--runs", type=click.Path(path_type=Path), help="Where the run's folder is made; by default runs.")
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="This folder for the run; where it holds the same one, that goes on."
)
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Continue the run in this folder.")
@in_world
def train(
    world: World,
    name: str | None,
    budget: str | None,
    settings: tuple[str, ...],
    precision: str | None,
    seed: int | None,
    data: str | None,
    start: str | None,
    stream: bool,
    leave_out_broken: bool,
    data_dir: Path | None,
    device: str | None,
    runs: Path | None,
    folder: Path | None,
    resume: Path | None,
) -> None:
    """Train a network by RECIPE: a name of `etude ls --recipes`, or a .toml file.

    NETWORK --data FOLDER trains it on your own images, by the recipe `scratch`, or with --from by `finetune`: the head is a new one for
    your classes, everything else begins with these weights. FOLDER has a folder of images a class; a fifth is held out for testing, unless
    it has train/ and test/ (or val/).

    On many processes: torchrun --nproc-per-node=N -m etude train …; each takes its part of every batch.
    """
    from etude.train import recipe as recipes
    from etude.train.job import Job, Means
    from etude.train.run import Run
    from etude.train.store import Store

    if resume is not None:
        if name or budget or settings or precision or data or start or stream or leave_out_broken or runs or folder or seed is not None:
            raise UsageError("--resume continues a run as it was started; beside it only --device and --data-dir make sense")
        run = Run(resume)
        world.told(run.job)
    elif name is None:
        raise UsageError("which recipe? `etude ls --recipes` lists them")
    else:
        recipe = recipes.load(recipes.for_own_images(name, bool(start)), budget or "laptop")
        if not (data or recipe.data):
            raise UsageError(
                f"{name}: on which images? --data FOLDER, with a folder of images a class; or a recipe of `etude ls --recipes`"
            )
        recipe = recipe.on(data) if data else recipe
        recipe = recipe.begun_with(start) if start else recipe
        more = ["broken='left out'"] if leave_out_broken else []
        more += [f"precision={'none' if precision == 'float32' else precision}"] if precision else []
        recipe = recipes.change(recipe, (*settings, *more))
        recipe = recipe.streamed() if stream else recipe
        job = Job(recipe, seed or 0)
        job.recipe.model.without_weights()  # a wrong option is said before a folder is made
        run = Run(folder) if folder else world.told(lambda: Store(runs or Path("runs")).new(job))

    from etude.train import engine
    from etude.views.runs import in_short

    watch = watcher()
    means = Means(device, data_dir, world=world)
    if world.is_writer:
        means = replace(means, watch=lambda job, progress: watch(str(job.recipe.model), progress), say=say)
    result = engine.resume(run, means) if resume else engine.run_job(job, run, means)
    if not world.is_writer:
        return
    click.echo(in_short(result))
    if run.environment().get("reencoded"):
        click.echo(f"data: {run.environment()['images']}")
    click.echo(f"run: {result.folder}")
