"""`etude explain`: what flows through a network, what it costs, what it sees, how its gradients flow; as text, picture or page."""

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etude.cli.render import draw, given, say, show
from etude.errors import UsageError
from etude.targets.candidates import named
from etude.targets.target import Target
from etude.values import read_settings, read_shape
from etude.views.conv1x1 import conv1x1_view
from etude.views.depth import depth_view
from etude.views.network import FIRST, VIEWS, Subject, diagram_of, network_view, whole_view
from etude.views.view import View

if TYPE_CHECKING:
    from torch import nn

IMAGES = "mnist"
SVG = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("target", metavar="[NAME|FILE.py:CALLABLE|FILE.ipynb:CALLABLE|conv1x1]", required=False)
@click.option("--shapes", is_flag=True, help="What flows through it, stage by stage, branch by branch.")
@click.option("--cost", is_flag=True, help="Parameters, MACs, FLOPs and the memory of activations, stage by stage.")
@click.option("--receptive-field", is_flag=True, help="How much of the image a position of every stage sees.")
@click.option("--gradients", is_flag=True, help="Gradients, weights and activations of every layer, on real images.")
@click.option("--run", type=click.Path(file_okay=False, path_type=Path), help="With --gradients: at the checkpoint of this run.")
@click.option("--depth", metavar="8,20,56", help="First-layer gradients of plain, residual and pre-activation networks over depth.")
@click.option("--diagram", type=SVG, metavar="FILE.svg", help="Draw it.")
@click.option("--block", default="", metavar="PATH", help="With --diagram: this block alone, such as inception_3a.")
@click.option("--html", type=SVG, metavar="FILE.html", help="One page of what is asked for; alone, of everything there is.")
@click.option("--data", "source", default=IMAGES, show_default=True, help="The real images; strokes need no download.")
@click.option("--set", "changes", multiple=True, metavar="OPTION=VALUE", help="Build it with this option; may be repeated.")
@click.option("--input", "image", metavar="CxHxW", help="Channels, height and width of an image; a registered network has its own.")
@click.option("--run-all", is_flag=True, help="Run all of a file, not only what TARGET needs of it.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def explain(
    target: str | None,
    depth: str | None,
    diagram: Path | None,
    block: str,
    html: Path | None,
    json_: bool,
    changes: tuple[str, ...],
    image: str | None,
    source: str,
    run: Path | None,
    run_all: bool,
    **wanted: bool,
) -> None:
    """Explain a network: one of Etude's by NAME, or a class or function of your own; or conv1x1, the lecture's example.

    Without any other option it shows shapes and cost. Of a script or a notebook what the class or function needs is run, here and now;
    without :CALLABLE it is the one network there.
    """
    data = None if source == IMAGES else source
    network = {"set": changes, "input": image, "run": run, "run_all": run_all, "diagram": diagram, "block": block, **wanted}
    if depth is not None:
        if target:
            raise UsageError(f"--depth compares networks of its own; leave out {target}")
        refuse("--depth", **network)
        show(replace(depth_view(depth, source), command=typed(depth=depth, data=data)), html, json_)
        return
    if target is None:
        raise UsageError("what is to be explained? A network (etude ls), FILE.py:CALLABLE, conv1x1, or --depth 8,20,56,110")
    if target == "conv1x1":
        refuse(target, **network | {"set": (), "data": data})
        show(conv1x1_view(read_settings(changes)), html, json_)
        return
    if block and not diagram:
        raise UsageError("--block goes with --diagram FILE.svg")
    if run and not wanted["gradients"]:
        raise UsageError("--run goes with --gradients")

    asked = [name for name in VIEWS if wanted[name]]
    pointed = named(Target.read(target).with_options(read_settings(changes)))
    command = typed(target, set=changes, input=image, data=data, run_all=run_all)
    with opened(pointed, image, source, run, run_all, command) as subject:
        if diagram:
            draw(diagram, diagram_of(subject, block))
        if asked or html or json_ or not diagram:
            view = network_view(subject, asked or FIRST) if asked or not html else whole_view(subject)
            view = replace(view, command=" ".join((command, *given(**dict.fromkeys(asked, True)))))
            show(at_run(view, run) if run else view, html, json_)


def typed(*words: str, **options: Any) -> str:
    """The command as it was typed, but for where its answer goes; quoted for a shell."""
    return shlex.join(["etude", "explain", *words, *given(**options)])


def refuse(what: str, **options: Any) -> None:
    """Raises UsageError for an option that was given and means nothing there."""
    if words := given(**options):
        raise UsageError(f"{words[0]} goes with a network, not with {what}; leave it out")


def at_run(view: View, run: Path) -> View:
    """The same with the run in the commands that show gradients; the others have no use for it."""
    command = " ".join((view.command, shlex.join(given(run=run)))) if "--gradients" in view.command else view.command
    return replace(view, command=command, parts=tuple(at_run(part, run) if isinstance(part, View) else part for part in view.parts))


@contextlib.contextmanager
def opened(target: Target, image: str | None, source: str, run: Path | None, run_all: bool, command: str) -> Iterator[Subject]:
    """What is to be explained; within the context its code can import what stands beside it."""
    from etude.explain.graph import graph
    from etude.targets import opening
    from etude.verification.prepare import bare, eagerly
    from etude.verification.running import image_is_missing

    asked = target if run is None else trained(target, run)
    with opening.opened(asked, weights=False, run_all=run_all) as made, eagerly():
        module, shape = bare(made.module), made.image if image is None else read_shape(image)
        if shape is None:
            raise image_is_missing(target, module)

        def make() -> "nn.Module":
            return asked.network.build() if asked.kind == "network" else module

        if made.note:
            say(made.note)
        name, options = str(replace(target, options={})), target.options
        yield Subject(name, options, module, graph(module, shape), shape, source, make, command)


def trained(target: Target, folder: Path) -> Target:
    """The run in `folder`. Raises UsageError where it is of another network than the target."""
    from etude.train import kept
    from etude.train.run import Run

    if target.kind != "network":
        raise UsageError(f"--run: {target} is no registered network; a run has trained one (etude runs ls)")
    if (found := Run(kept.place_of(folder)).recipe().model) != target.network:
        raise UsageError(f"{folder} has trained {found}, not {target.network}")
    return Target("run", str(folder))
