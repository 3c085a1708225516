"""`etude verify`: hold an implementation against a paper. This process never imports torch; it waits for the one that does."""

import dataclasses
import shlex
from collections.abc import Callable
from pathlib import Path

import click

from etude.cli.render import Command, faces, given, show
from etude.errors import UsageError
from etude.models.network import Network
from etude.targets.candidates import named
from etude.targets.target import Target
from etude.values import read_settings, read_shape
from etude.verification.verdict import Verification
from etude.views.verification import verification_view


def limits(usual: str) -> Callable[[Command], Command]:
    """The options of a command that looks at somebody's code, for its limits; `usual` is said of the time."""

    def options(command: Command) -> Command:
        positive = click.FloatRange(min=0, min_open=True)
        memory = "Memory limit; by default 8, more for large networks, and less where less is free."
        command = click.option("--memory", type=positive, metavar="GIB", help=memory)(command)
        return click.option("--seconds", type=positive, help=f"Time limit; {usual}.")(command)

    return options


@click.command()
@click.argument("target")
@click.option("--against", required=True, metavar="NAME", help="The registered network, with options as in 'resnet20(depth=8)'.")
@click.option("--set", "changes", multiple=True, metavar="OPTION=VALUE", help="The network, or else the code, with this; may be repeated.")
@click.option("--input", "image", metavar="CxHxW", help="The image to run it on; else the network's own, or a usual one that it takes.")
@click.option("--run-all", is_flag=True, help="Run all of a file, not only what TARGET needs of it.")
@limits("by default 60, and up to 300 for costly networks")
@faces
def verify(
    target: str,
    against: str,
    changes: tuple[str, ...],
    image: str | None,
    run_all: bool,
    seconds: float | None,
    memory: float | None,
    html: Path | None,
    json_: bool,
) -> int:
    """Hold TARGET against the paper's network NAME, whatever its names and its style.

    TARGET is a network of ours (resnet50), something in a script or a notebook (my_net.py:Net, lecture.ipynb:Net,
    "net.py:ResNet(BasicBlock, [2, 2, 2, 2])"; without a name the one network in it), something importable
    (torchvision.models:resnet50) or the folder of a run. Of a file only what the network needs is run: no data, no training. It runs in
    a process of its own with limits on time and memory and without a network: against accidents, not against malice.

    Exit code: 0 faithful, 1 departs, 2 wrong usage, 3 could not judge.
    """
    from etude.verification.apart import Failed, call
    from etude.verification.facts import facts_of, options_of_target, seconds_for, steps_of
    from etude.verification.limits import megabytes_for

    pointed, shape = named(Target.read(target)), None if image is None else read_shape(image)
    network = Network.read(against)
    options = {**options_of_target(pointed, network), **network.options}
    code, words = pointed.kind in ("file", "module"), facts_of(network.name)[1].words
    theirs = [change for change in changes if code and change.partition("=")[0].strip() not in words]
    options |= read_settings([change for change in changes if change not in theirs])
    steps = steps_of(network.name, **options)  # a wrong name or option is said at once
    arguments = {
        "target": pointed.whole_text(target),
        "against": network.name,
        "options": options,
        "input_shape": shape,
        "settings": theirs,
        "run_all": run_all,
    }
    try:
        time, space = seconds or seconds_for(steps), megabytes_for(steps, memory)
        plain = call("etude.verification.request:check", arguments, seconds=time, megabytes=space)
    except UsageError:
        raise
    except Failed as error:
        plain = dataclasses.asdict(Verification(target, against, "could not judge", error.with_way_out, ()))
    report = Verification.from_dict(plain | {"target": target if pointed == Target.read(target) else str(pointed)})
    command = shlex.join(
        ["etude", "verify", target, "--against", against, *given(set=changes, input=image, run_all=run_all, seconds=seconds, memory=memory)]
    )
    show(dataclasses.replace(verification_view(report), command=command), html, json_)
    return report.exit_code
