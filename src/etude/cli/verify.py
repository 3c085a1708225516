"""`etude verify`: hold an implementation against a paper. This process never imports torch; it waits for the one that does."""

import dataclasses
from pathlib import Path

import click

from etude.cli.render import faces, show
from etude.errors import UsageError
from etude.models.network import Network
from etude.targets.target import Target
from etude.values import read_settings, read_shape
from etude.verification.verdict import Verification
from etude.views.verification import verification_view


@click.command()
@click.argument("target")
@click.option("--against", required=True, metavar="NAME", help="The registered network, with options as in 'resnet20(depth=8)'.")
@click.option("--set", "changes", multiple=True, metavar="OPTION=VALUE", help="The network with this option; may be repeated.")
@click.option("--input", "image", metavar="CxHxW", help="The image to run it on; else the network's own, or a usual one that it takes.")
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), help="Time limit; by default 60, and up to 300 for costly networks."
)
@faces
def verify(
    target: str, against: str, changes: tuple[str, ...], image: str | None, seconds: float | None, html: Path | None, json_: bool
) -> int:
    """Hold TARGET against the paper's network NAME, whatever its names and its style.

    TARGET is a network of ours (resnet50), a file (my_net.py:Net, my_net.py:make_net(depth=20)), something importable
    (torchvision.models:resnet50) or the folder of a run. Its code runs in a process of its own with limits on time and memory and
    without a network: against accidents, not against malice.

    Exit code: 0 faithful, 1 departs, 2 wrong usage, 3 could not judge.
    """
    from etude.verification.apart import Failed, call
    from etude.verification.facts import options_of_target, seconds_for, steps_of

    pointed, shape = Target.read(target), None if image is None else read_shape(image)
    network = Network.read(against)
    options = {**options_of_target(pointed, network), **network.options, **read_settings(changes)}
    steps = steps_of(network.name, **options)  # a wrong name or option is said at once
    arguments = {"target": str(pointed.whole()), "against": network.name, "options": options, "input_shape": shape}
    try:
        plain = call("etude.verification.request:check", arguments, seconds=seconds or seconds_for(steps))
    except UsageError:
        raise
    except Failed as error:
        sentence = f"{error}; --seconds gives it more" if error.kind == "time" else str(error)
        plain = dataclasses.asdict(Verification(target, against, "could not judge", sentence, ()))
    report = Verification.from_dict(plain | {"target": target})
    show(verification_view(report), html, json_)
    return report.exit_code
