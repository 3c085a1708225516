"""What runs apart: makes the module that a target names and holds it against a network. Plain values in and out."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from etude.errors import EtudeError
from etude.targets.opening import opened
from etude.targets.target import Target
from etude.values import read_settings, write_call
from etude.verification.judge import verify
from etude.verification.running import cannot_be_made
from etude.verification.verdict import Verification


def check(
    target: str,
    against: str,
    options: dict[str, Any],
    input_shape: Sequence[int] | None,
    settings: Sequence[str] = (),
    run_all: bool = False,
) -> dict[str, Any]:
    """The report on a target, as a dict.

    options      of the network it is held against
    input_shape  channels, height and width, or None for the network's own
    settings     what the target is made with beside its own arguments, as typed
    run_all      whether all of a file runs
    Raises       UsageError for names that are not there, EtudeError for code that cannot be run
    """
    given = {word: tuple(value) if isinstance(value, list) else value for word, value in options.items()}
    shape = None if input_shape is None else (input_shape[0], input_shape[1], input_shape[2])
    pointed = Target.read(target).with_options(read_settings(settings))
    try:
        with opened(pointed, run_all=run_all) as made:
            found = verify(made.module, against, input_shape=shape, target=target, trained=pointed.kind == "run", **given)
            found = dataclasses.replace(found, notes=(made.note,) if made.note else ())
    except EtudeError as error:
        if not (sentence := cannot_be_made(error)):
            raise
        found = Verification(target, write_call(against, options), "departs", sentence, ())
    return dataclasses.asdict(found)
