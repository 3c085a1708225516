"""What a verification found. Imports no torch, as the process that waits for it does not either."""

from dataclasses import dataclass
from typing import Any, Literal

State = Literal["pass", "fail", "n/a"]
Word = Literal["faithful", "departs", "could not judge"]
EXIT_CODES = {"faithful": 0, "departs": 1, "could not judge": 3}


@dataclass(frozen=True)
class Level:
    """One level of the check.

    id        L0 to L5
    title     what it asks
    evidence  what was seen, a line each
    """

    id: str
    title: str
    state: State
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verification:
    """A module held against a network of a paper.

    verdict    faithful, departs, or could not judge
    sentence   the verdict for a person, in one line: in how many operators it departs, which, and what is as in the paper
    place      where it departs first, in the paper's names: "conv3_x.0.conv1"
    departures every place in order, each with a sentence: what is there, what the paper says and where
    line       of its source, where that was found: "/home/…/my_net.py:42"
    variant    the registered network, with options, that it is instead
    choices    what the paper leaves open and how the module has it
    adapted    what the network was held to in place of the paper's own: "100 classes in place of 1,000"
    parameters of the module
    notes      what else is to be known of the check, such as the lines of a file that were not run
    """

    target: str
    against: str
    verdict: Word
    sentence: str
    levels: tuple[Level, ...]
    place: str = ""
    line: str = ""
    variant: str = ""
    choices: tuple[str, ...] = ()
    adapted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    departures: tuple[tuple[str, str], ...] = ()
    parameters: int = 0

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    @staticmethod
    def from_dict(plain: dict[str, Any]) -> "Verification":
        """A report from `dataclasses.asdict`, after a way through JSON."""
        levels = tuple(Level(**{**level, "evidence": tuple(level["evidence"])}) for level in plain["levels"])
        lists = {name: tuple(plain[name]) for name in ("choices", "adapted", "notes")}
        departures = tuple((place, sentence) for place, sentence in plain["departures"])
        return Verification(**{**plain, "levels": levels, "departures": departures, **lists})
