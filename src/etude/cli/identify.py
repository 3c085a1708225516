"""`etude identify`: which registered network an implementation is. This process never imports torch; it waits for the one that does."""

import dataclasses
import shlex
from pathlib import Path

import click

from etude.cli.render import faces, given, show
from etude.cli.verify import limits
from etude.errors import UsageError
from etude.targets.candidates import named
from etude.targets.target import Target
from etude.values import read_shape
from etude.verification.verdict import Identification
from etude.views.verification import identification_view

SECONDS = 300.0


@click.command()
@click.argument("target")
@click.option("--set", "changes", multiple=True, metavar="OPTION=VALUE", help="Make it with this; may be repeated.")
@click.option("--input", "image", metavar="CxHxW", help="The image to run it on; else a usual one that it takes.")
@click.option("--run-all", is_flag=True, help="Run all of a file, not only what TARGET needs of it.")
@limits("by default 300")
@faces
def identify(
    target: str,
    changes: tuple[str, ...],
    image: str | None,
    run_all: bool,
    seconds: float | None,
    memory: float | None,
    html: Path | None,
    json_: bool,
) -> int:
    """Find which registered network TARGET is, with which options; where it is none, the nearest one, and how TARGET differs from it.

    TARGET is what `etude verify` takes, and runs under the same limits.

    Exit code: 0 found, 1 the nearest only, 2 wrong usage, 3 could not judge.
    """
    from etude.verification.apart import Failed, call
    from etude.verification.limits import megabytes_for

    pointed = named(Target.read(target))
    arguments = {
        "target": pointed.whole_text(target),
        "input_shape": None if image is None else read_shape(image),
        "settings": changes,
        "run_all": run_all,
    }
    try:
        plain = call("etude.verification.request:find", arguments, seconds=seconds or SECONDS, megabytes=megabytes_for((), memory))
    except UsageError:
        raise
    except Failed as error:
        plain = dataclasses.asdict(Identification(target, "could not judge", error.with_way_out))
    found = Identification.from_dict(plain | {"target": target if pointed == Target.read(target) else str(pointed)})
    command = shlex.join(["etude", "identify", target, *given(set=changes, input=image, run_all=run_all, seconds=seconds, memory=memory)])
    show(dataclasses.replace(identification_view(found), command=command), html, json_)
    return found.exit_code
