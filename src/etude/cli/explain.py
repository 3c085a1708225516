"""`etude explain`: what flows through a network, what it costs, what it sees, how its gradients flow; as text, picture or page."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etude.cli import depth as depths
from etude.cli import worked
from etude.cli.parts import size
from etude.cli.render import as_json, say
from etude.errors import UsageError
from etude.files import write_text
from etude.models import registry
from etude.targets.target import Target
from etude.values import read_settings, read_shape, write_value

if TYPE_CHECKING:
    from torch import nn

    from etude.cli.views import Subject
    from etude.report.explained import Section

SVG = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("target", metavar="[NAME|FILE.py:CALLABLE|RUN|conv1x1]", required=False)
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
    """Explain a network: by NAME, in a file of your own, or as a RUN has trained it; or conv1x1, the lecture's example.

    Without any other option it shows shapes and cost. Code in FILE.py is run, as by python FILE.py.
    """
    if depth is not None:
        if target:
            raise UsageError(f"--depth compares networks of its own; leave out {target}")
        depths.explain(depth, source, html, json_)
        return
    if target is None:
        raise UsageError("what is to be explained? A network (etude ls), FILE.py:CALLABLE, conv1x1, or --depth 8,20,56,110")
    if target == "conv1x1":
        worked.explain(read_settings(changes), html, json_)
        return
    if block and not diagram:
        raise UsageError("--block goes with --diagram FILE.svg")
    if run and not wanted["gradients"]:
        raise UsageError("--run goes with --gradients")

    from etude.cli.views import VIEWS

    asked = [view for view in VIEWS if wanted[view.name]]
    whole = html is not None and not asked and not diagram
    views = asked or ([] if diagram else list(VIEWS if whole else VIEWS[:2]))
    pointed = Target.read(target).with_options(read_settings(changes))
    if pointed.kind == "network":
        target, changes = pointed.name, tuple(f"{option}={write_value(value)}" for option, value in pointed.options.items())
    called = " ".join((target, *(f"--set {change}" for change in changes)))
    with opened(pointed, image, source, run) as subject:
        measured = [(view, view.measure(subject)) for view in views]
        picture = drawn(subject, called, block) if diagram or whole else ""
    if diagram:
        write_text(diagram, picture)
        say(f"{diagram}: {called}{f', {block}' * bool(block)}")
    if html:
        sections = [view.section(result, f"etude explain {called} {view.option}") for view, result in measured]
        if whole:
            sections = [*claims(target, changes), picture_section(picture, called), *sections, *source_section(target, changes)]
        write_page(html, target, sections)
    elif json_:
        as_json({"network": target, "input": subject.shape} | {view.name: view.plain(result) for view, result in measured})
    elif measured:
        click.echo(f"{' '.join((target, *changes))}, one image of {size(subject.shape)}")
        for view, result in measured:
            view.show(result)


@contextlib.contextmanager
def opened(target: Target, image: str | None, source: str, run: Path | None) -> "Iterator[Subject]":
    """What is to be explained; within the context its code can import what stands beside it."""
    from etude.cli.views import Subject
    from etude.explain.graph import graph
    from etude.targets import opening

    asked = target if run is None else trained(target, run)
    with opening.opened(asked, weights=False) as (module, known):
        shape = known if image is None else read_shape(image)
        if shape is None:
            raise UsageError(f"{target}: which images does it take? Add --input CxHxW, such as --input 3x32x32")

        def make() -> "nn.Module":
            return asked.network.build() if asked.kind == "network" else module

        yield Subject(module, graph(module, shape), shape, source, make)


def trained(target: Target, folder: Path) -> Target:
    """The run in `folder`. Raises UsageError where it is of another network than the target."""
    from etude.train.run import Run

    if target.kind != "network":
        raise UsageError(f"--run: {target} is no registered network; a run has trained one (etude runs ls)")
    if (found := Run(folder).recipe().model) != target.network:
        raise UsageError(f"{folder} has trained {found}, not {target.network}")
    return Target("run", str(folder))


def drawn(subject: "Subject", title: str, block: str) -> str:
    from etude.report.diagram import diagram

    return diagram(subject.graph, only=block, title=f"{title}{f', {block}' * bool(block)}")


# ── The page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_page(file: Path, title: str, sections: "list[Section]") -> None:
    from etude.report.explained import explained_page

    write_text(file, explained_page(title, sections))
    say(f"{file}: {', '.join(section.title.lower() for section in sections)}")


def picture_section(picture: str, called: str) -> "Section":
    from etude.report.explained import Section

    return Section("Diagram", f"etude explain {called} --diagram FILE.svg", pictures=(picture,))


def claims(target: str, changes: tuple[str, ...]) -> "Iterator[Section]":
    """What the paper claims, and how the network departs from it; of a registered one."""
    if target in registry.names():
        from etude.report.explained import card_section
        from etude.verification.card import card

        command = " ".join(("etude show", target, *(f"--set {change}" for change in changes)))
        yield card_section(card(target, **read_settings(changes)), command)


def source_section(target: str, changes: tuple[str, ...]) -> "Iterator[Section]":
    """Its source, with notes; of a registered one."""
    if target in registry.names():
        from etude.report.explained import reading_section
        from etude.verification.reading import reading

        command = " ".join(("etude read", target, *(f"--set {change}" for change in changes)))
        yield reading_section(reading(target, **read_settings(changes)), command)
