"""`etude lessons`: the seven lessons as notebooks. No torch."""

from pathlib import Path

import click

from etude.cli.results import language_option, shown, writing
from etude.practice.exercises import Language
from etude.practice.words import language_here, say
from etude.report.terminal import wrapped


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="lessons")
@language_option
def lessons(folder: Path, lang: Language | None) -> None:
    """Write the seven lessons to FOLDER (by default ./lessons) as notebooks; what is there stays as it is."""
    from etude.lessons.notebooks import write_notebooks

    language = lang or language_here()
    with writing(folder, "etude lessons"):
        written, kept = write_notebooks(folder, language)
    if kept:
        click.echo(wrapped(say(language, "notebooks_kept", files=", ".join(file.name for file in kept))))
    first = min(written + kept)
    click.echo(wrapped(say(language, "notebooks", count=len(written), folder=folder, file=shown(first))))
