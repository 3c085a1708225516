"""What a verification found. Imports no torch, as the process that waits for it does not either."""

from dataclasses import dataclass
from typing import Any, Literal

from etude.shown import Shown

State = Literal["pass", "fail", "n/a"]
Word = Literal["faithful", "departs", "could not judge"]
Identity = Literal["found", "nearest", "could not judge"]
EXIT_CODES = {"faithful": 0, "found": 0, "departs": 1, "nearest": 1, "could not judge": 3}


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


@dataclass(frozen=True, repr=False)
class Verification(Shown):
    """A module held against a network of a paper.

    verdict    faithful, departs, or could not judge
    sentence   the verdict for a person, in one line: in how many operators it departs, which, and what is as in the paper
    place      where it departs first, in the paper's names: "conv3_x.0.conv1"
    departures every place in order, each with a sentence: what is there, what the paper says and where
    yours      for each of these, the place in the module's own names, where it has one: what stands there, or the last in front of it
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
    yours: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    @staticmethod
    def from_dict(plain: dict[str, Any]) -> "Verification":
        """A report from `dataclasses.asdict`, after a way through JSON."""
        levels = tuple(Level(**{**level, "evidence": tuple(level["evidence"])}) for level in plain["levels"])
        lists = {name: tuple(plain[name]) for name in ("choices", "adapted", "notes", "yours")}
        departures = tuple((place, sentence) for place, sentence in plain["departures"])
        return Verification(**{**plain, "levels": levels, "departures": departures, **lists})


@dataclass(frozen=True)
class Nearest:
    """A registered network beside a module: its parameters, and the share of operators that both have."""

    network: str
    parameters: int
    alike: float


@dataclass(frozen=True, repr=False)
class Identification(Shown):
    """Which registered network a module is.

    verdict     found, nearest, or could not judge
    sentence    the verdict for a person, in one line
    network     the network, with options; "" where nothing can be said
    candidates  those with most operators in common, the most alike first
    report      the module held against that network
    notes       what else is to be known of the look at it
    """

    target: str
    verdict: Identity
    sentence: str
    network: str = ""
    candidates: tuple[Nearest, ...] = ()
    report: Verification | None = None
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    @staticmethod
    def from_dict(plain: dict[str, Any]) -> "Identification":
        """As `Verification.from_dict`."""
        report = plain["report"] and Verification.from_dict(plain["report"])
        candidates = tuple(Nearest(**one) for one in plain["candidates"])
        return Identification(**{**plain, "report": report, "candidates": candidates, "notes": tuple(plain["notes"])})
