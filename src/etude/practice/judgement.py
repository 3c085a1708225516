"""What the judges of the exercises give back. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from etude.explain.findings import Finding


@dataclass(frozen=True)
class Judgement:
    """What is wrong with an answer; nothing where it is right.

    first  whether this is what was found first, behind which nothing was looked at, and not all that is wrong
    made   the call with which a learner's module was made where that was seen
    """

    findings: Sequence[Finding] = ()
    first: bool = False
    made: str = ""
