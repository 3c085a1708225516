"""`etude verify`: hold an implementation against a paper. This process never imports torch; it waits for the one that does."""

import dataclasses
from pathlib import Path

import click

from etude.cli.render import faces, show
from etude.errors import UsageError
from etude.targets.target import Target
from etude.values import read_settings, read_shape
from etude.verification.verdict import Verification
from etude.views.verification import verification_view


@click.command()
@click.argument("target")
@click.option("--against", required=True, metavar="NAME", help="The registered network; `etude ls` lists them.")
@click.option("--set", "changes", multiple=True, metavar="OPTION=VALUE", help="The network with this option; may be repeated.")
@click.option("--input", "image", metavar="CxHxW", help="Another size of image than the network's own.")
@click.option("--seconds", default=300.0, show_default=True, help="Time limit.")
@faces
def verify(target: str, against: str, changes: tuple[str, ...], image: str | None, seconds: float, html: Path | None, json_: bool) -> int:
    """Hold TARGET against the paper's network NAME, whatever its names and its style.

    TARGET is a network of ours (resnet50), a file (my_net.py:Net, my_net.py:make_net(depth=20)), something importable
    (torchvision.models:resnet50) or the folder of a run. Its code runs in a process of its own with limits on time and memory and
    without a network: against accidents, not against malice.

    Exit code: 0 faithful, 1 departs, 2 wrong usage, 3 could not judge.
    """
    from etude.verification.apart import Failed, call
    from etude.verification.facts import steps_of

    options, shape = read_settings(changes), None if image is None else read_shape(image)
    steps_of(against, **options)  # a wrong name or option is said at once
    arguments = {"target": str(Target.read(target).whole()), "against": against, "options": options, "input_shape": shape}
    try:
        plain = call("etude.verification.request:check", arguments, seconds=seconds)
    except UsageError:
        raise
    except Failed as error:
        plain = dataclasses.asdict(Verification(target, against, "could not judge", str(error), ()))
    report = Verification.from_dict(plain | {"target": target})
    show(verification_view(report, options), html, json_)
    return report.exit_code
