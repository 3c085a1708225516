"""`etude explain`: what flows through a network, what it costs, what it sees, how its gradients flow; as text, picture or page."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etude.cli.options import input_shape, options_of
from etude.cli.render import say, show
from etude.errors import UsageError
from etude.files import write_text
from etude.models import registry
from etude.report.pictures import svg_of
from etude.views.conv1x1 import conv1x1_view
from etude.views.depth import depth_view
from etude.views.network import FIRST, VIEWS, Subject, diagram_of, network_view, whole_view
from etude.views.view import command

if TYPE_CHECKING:
    from torch import nn

SVG = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("target", metavar="[NAME|FILE.py:CALLABLE|conv1x1]", required=False)
@click.option("--shapes", is_flag=True, help="What flows through it, stage by stage, branch by branch.")
@click.option("--cost", is_flag=True, help="Parameters, MACs, FLOPs and the memory of activations, stage by stage.")
@click.option("--receptive-field", is_flag=True, help="How much of the image a position of every stage sees.")
@click.option("--gradients", is_flag=True, help="Gradients, weights and activations of every layer, on real images.")
@click.option("--run", type=click.Path(file_okay=False, path_type=Path), help="With --gradients: at the checkpoint of this run.")
@click.option("--depth", metavar="8,20,56", help="First-layer gradients of plain, residual and pre-activation networks over depth.")
@click.option("--diagram", type=SVG, metavar="FILE.svg", help="Draw it.")
@click.option("--block", default="", metavar="PATH", help="With --diagram: this block alone, such as inception_3a.")
@click.option("--html", type=SVG, metavar="FILE.html", help="One page of what is asked for; alone, of everything there is.")
@click.option("--data", "source", default="mnist", show_default=True, help="The real images; strokes need no download.")
@click.option("--set", "changes", multiple=True, metavar="OPTION=VALUE", help="Build it with this option; may be repeated.")
@click.option("--input", "image", metavar="CxHxW", help="Channels, height and width of an image; a registered network has its own.")
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
    **wanted: bool,
) -> None:
    """Explain a network: one of Etude's by NAME, or a class or function of your own; or conv1x1, the lecture's example.

    Without any other option it shows shapes and cost. Code in FILE.py is run, as by python FILE.py.
    """
    if depth is not None:
        if target:
            raise UsageError(f"--depth compares networks of its own; leave out {target}")
        show(depth_view(depth, source), html, json_)
        return
    if target is None:
        raise UsageError("what is to be explained? A network (etude ls), FILE.py:CALLABLE, conv1x1, or --depth 8,20,56,110")
    if target == "conv1x1":
        show(conv1x1_view(options_of(changes)), html, json_)
        return
    if block and not diagram:
        raise UsageError("--block goes with --diagram FILE.svg")
    if run and not wanted["gradients"]:
        raise UsageError("--run goes with --gradients")

    asked = [name for name in VIEWS if wanted[name]]
    with opened(target, changes, image, source, run) as subject:
        if diagram:
            drawn = diagram_of(subject, block)
            write_text(diagram, svg_of(drawn))
            say(f"{diagram}: {drawn.title}")
        if asked or html or not diagram:
            view = network_view(subject, asked or FIRST) if asked or not html else whole_view(subject)
            show(view, html, json_)


@contextlib.contextmanager
def opened(target: str, changes: tuple[str, ...], image: str | None, source: str, run: Path | None) -> Iterator[Subject]:
    """What is to be explained; within the context its code can import what stands beside it."""
    from etude.explain import targets
    from etude.explain.graph import graph

    given, options = input_shape(image), options_of(changes)
    if run is not None and target not in registry.names():
        raise UsageError(f"--run: {target} is no registered network; a run has trained one (etude runs ls)")
    with targets.opened(target, options) as (module, shape):
        shape = given or shape
        if shape is None:
            raise UsageError(f"{target}: which images does it take? Add --input CxHxW, such as --input 3x32x32")

        def make() -> "nn.Module":
            if run is not None:
                return trained(target, run)
            return registry.build(target, **options) if target in registry.names() else module

        yield Subject(target, options, module, graph(module, shape), shape, source, make, command("explain", target, options))


def trained(name: str, folder: Path) -> "nn.Module":
    """The network of a run, as its last checkpoint has it. Raises UsageError where the run is of another network."""
    from etude.train import checkpoint
    from etude.train.run import Run

    run = Run(folder)
    recipe = run.recipe()
    if recipe.model != name:
        raise UsageError(f"{folder} has trained {recipe.model}, not {name}")
    model = registry.build(name, classes=len(run.environment()["classes"]))
    checkpoint.load_model(run.checkpoint, model)
    return model
