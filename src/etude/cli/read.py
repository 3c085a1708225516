"""`etude read`: a network's source beside what its paper says of it, in the terminal or as a page."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etude.cli.options import options_of
from etude.cli.render import filled

if TYPE_CHECKING:
    from etude.verify.reading import Reading, Section

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ reading.name }} · Etude</title>
<style>
{{ light }}
@media (prefers-color-scheme: dark) {
{{ dark }}
}
  :root { --ink: #1b1f24; --soft: #5c636d; --paper: #fdfcfa; --line: #e2dfd8; --accent: #c2410c; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6e3dd; --soft: #a3a8b0; --paper: #16181b; --line: #33373d; --accent: #fb923c; } }
  * { box-sizing: border-box; }
  body { margin: 0 auto; max-width: 110rem; padding: 2.5rem 1.5rem 5rem; background: var(--paper); color: var(--ink);
    font: 15px/1.5 system-ui, sans-serif; }
  h1 { font-size: 1.9rem; margin: 0; }
  h2 { font-size: 1rem; margin: 0 0 0.4rem; font-family: ui-monospace, monospace; }
  h2 small, .soft { color: var(--soft); font-weight: 400; }
  header p, footer { max-width: 60rem; }
  section { display: grid; grid-template-columns: minmax(0, 1fr) minmax(16rem, 26rem); gap: 0 2rem; border-top: 1px solid var(--line);
    padding: 1rem 0; }
  .source { overflow-x: auto; background: none; }
  .source pre { margin: 0; font: 12.5px/1.5 ui-monospace, monospace; }
  .source .linenos { user-select: none; background: none; color: var(--soft); padding-right: 1rem; }
  ul { margin: 0; padding: 0 0 0 1.1rem; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
  li { margin: 0.2rem 0; overflow-wrap: anywhere; }
  .departs { border-left: 3px solid var(--accent); padding-left: 1rem; }
  @media (max-width: 60rem) { section { display: flex; flex-direction: column-reverse; gap: 0.6rem; } }
</style>
</head>
<body>
<header>
<p class="soft">Etude · {{ reading.paper }}</p>
<h1>{{ reading.name }}</h1>
<p>{{ reading.title }}, {{ reading.at }}{% if reading.note %}: {{ reading.note }}{% endif %}</p>
{% if reading.departures %}
<div class="departs"><p>Departs from the paper:</p><ul>{% for one in reading.departures %}<li>{{ one }}</li>{% endfor %}</ul></div>
{% endif %}
</header>
{% for section, source in sections %}
<section>
{{ source }}
<div><h2>{{ section.title }} <small>{{ section.file }}:{{ section.line }}</small></h2>
<ul>{% for note in section.notes %}<li>{{ note }}</li>{% endfor %}</ul></div>
</section>
{% endfor %}
{% if reading.left_open %}
<footer>
<h2>What the paper leaves open or contradicts</h2>
<ul>{% for fact in reading.left_open %}<li>{{ fact }}</li>{% endfor %}</ul>
</footer>
{% endif %}
</body>
</html>
"""


@click.command()
@click.argument("name")
@click.option("--set", "changes", multiple=True, metavar="OPTION=VALUE", help="The network with this option; may be repeated.")
@click.option("--html", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with source and notes side by side.")
def read(name: str, changes: tuple[str, ...], file: Path | None) -> None:
    """Read the source of a network, with what its paper says of every part and the shapes that flow through it."""
    from etude.files import write_text
    from etude.verify.reading import reading

    found = reading(name, **options_of(changes))
    if file is None:
        _print(found, " ".join((name, *changes)))
    else:
        write_text(file, page(found))
        click.echo(f"{file}: source and notes, side by side; open it in a browser")


def page(found: "Reading") -> str:
    """A reading as one self-contained HTML page, light or dark as the browser is."""
    import jinja2
    from markupsafe import Markup
    from pygments import formatters, highlight, lexers

    def coloured(section: "Section") -> Markup:
        formatter = formatters.HtmlFormatter(cssclass="source", linenos="inline", linenostart=section.line)
        return Markup(highlight(section.text, lexers.PythonLexer(), formatter))

    def styles(style: str) -> Markup:
        return Markup(formatters.HtmlFormatter(style=style).get_style_defs(".source"))

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    sections = [(section, coloured(section)) for section in found.sections]
    return environment.from_string(PAGE).render(reading=found, sections=sections, light=styles("default"), dark=styles("native"))


def _print(found: "Reading", name: str) -> None:
    click.echo(f"{name}: {found.title}")
    for key, text in (("paper", found.paper), ("where", found.at), ("note", found.note), ("departures", "; ".join(found.departures))):
        if text:
            click.echo(filled(text, f"  {key:<12}"))
    for section in found.sections:
        click.echo()
        click.secho(f"{section.title}  {section.file}:{section.line}", bold=True)
        for note in section.notes:
            click.echo(filled(note, "  · "))
        _print_source(section)
    if found.left_open:
        click.echo("\nThe paper leaves open or contradicts:")
        for fact in found.left_open:
            click.echo(filled(fact, "  · "))


def _print_source(section: "Section") -> None:
    """The lines with their numbers; a long one is left to the terminal to break, so that it can be copied."""
    from rich.console import Console
    from rich.syntax import Syntax
    from rich.text import Text

    console = Console(highlight=False, file=sys.stdout)
    lines = Syntax("", "python", theme="ansi_dark", background_color="default").highlight(section.text).split("\n")
    for number, line in enumerate(lines, start=section.line):
        numbered = Text.assemble((f"{number:>5}  ", "dim"), line)
        numbered.rstrip()
        console.print(numbered, soft_wrap=True)
