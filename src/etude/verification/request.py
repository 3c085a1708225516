"""What runs apart: makes the module that a target names, and holds it against one network or finds it among all. Plain values."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from etude.errors import EtudeError
from etude.targets.opening import opened
from etude.targets.target import Target
from etude.values import read_settings, write_call
from etude.verification.identify import identify
from etude.verification.judge import verify
from etude.verification.running import cannot_be_made
from etude.verification.verdict import Identification, Verification


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
    shape = shape_of(input_shape)
    pointed = Target.read(target).with_options(read_settings(settings))
    try:
        with opened(pointed, run_all=run_all) as made:
            found = verify(lambda: made.module, against, input_shape=shape, target=target, trained=pointed.kind == "run", **given)
            found = dataclasses.replace(found, notes=(*found.notes, *filter(None, [made.note])))
    except EtudeError as error:
        if not (sentence := cannot_be_made(error)):
            raise
        found = Verification(target, write_call(against, options), "departs", sentence, ())
    return dataclasses.asdict(found)


def find(target: str, input_shape: Sequence[int] | None, settings: Sequence[str] = (), run_all: bool = False) -> dict[str, Any]:
    """Which registered network a target is, as a dict; arguments and errors as of `check`."""
    pointed = Target.read(target).with_options(read_settings(settings))
    try:
        with opened(pointed, run_all=run_all) as made:
            found = identify(lambda: made.module, input_shape=shape_of(input_shape), target=target, trained=pointed.kind == "run")
            found = dataclasses.replace(found, notes=(made.note,) if made.note else ())
    except EtudeError as error:
        if not (sentence := cannot_be_made(error)):
            raise
        found = Identification(target, "could not judge", sentence)
    return dataclasses.asdict(found)


def shape_of(given: Sequence[int] | None) -> tuple[int, int, int] | None:
    return None if given is None else (given[0], given[1], given[2])
