"""`etude studio`: the same in a browser."""

import importlib.util
import os
from pathlib import Path

import click

from etude.errors import EtudeError


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--port", type=click.IntRange(1, 65_535), default=8517, show_default=True, help="The next free one, where it is taken.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Another address lets other machines in, with the token alone.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def studio(folder: Path, port: int, host: str, no_browser: bool) -> None:
    """Lessons, practice, networks and training in a browser, on this machine and on the files in FOLDER (by default here)."""
    for package in ("starlette", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise EtudeError(f'the studio needs {package}, which is not installed: pip install "etude-cnn[studio]"')
    from etude.cli.cell import command
    from etude.studio.frame import Places
    from etude.studio.server import serve

    serve(Places(folder.resolve(), command), host, port, not no_browser, click.echo)
    os._exit(0)  # whatever is still computed for a page that nobody sees is not waited for
