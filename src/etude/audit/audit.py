"""Judges every row as `etude verify` does, in a process of its own, and keeps what was found row by row."""

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from filelock import FileLock

from etude.audit.implementations import Row, Source
from etude.audit.places import Place, Unavailable, place_of
from etude.errors import EtudeError
from etude.files import write_text
from etude.tables import build
from etude.verification.verdict import EXIT_CODES, Verification
from etude.version import VERSION

Say = Callable[[str], None]
Verdict = Literal["faithful", "departs", "could not judge", "not tried"]
SECONDS = 900  # for a row; a slow machine is to change no verdict


@dataclass(frozen=True)
class Found:
    """What was found of one row.

    verdict     that of `etude verify`; "not tried" where the source or the target could not be had
    sentence    the verdict in one line, or why it was not tried
    place       of the first departure, in the paper's names
    departure   what it is, what the paper says and where
    line        of the source, from its package's or repository's folder: "timm/models/resnet.py:210"
    variant     the registered network that it is instead
    parameters  of the module
    seconds     that it took
    etude       the version that judged
    """

    verdict: Verdict
    sentence: str
    place: str = ""
    departure: str = ""
    line: str = ""
    variant: str = ""
    parameters: int = 0
    seconds: float = 0
    etude: str = VERSION


@dataclass(frozen=True)
class Audited:
    """A row, and what was found.

    implementation  name of the package, or owner/name of the repository; `version` or the begin of the revision
    target          what was judged, as `etude verify` takes it; `network` is what it was held against
    commands        that show it: what gets the code, and what judges it
    said, note      as in the list
    """

    implementation: str
    version: str
    target: str
    network: str
    commands: tuple[str, str]
    said: str
    note: str
    found: Found

    @property
    def said_so(self) -> str:
        """What its authors say themselves, as a sentence."""
        return f"its authors say so: {self.said}" if self.said else ""


def audit(sources: Sequence[Source], folder: Path, say: Say, *, again: bool = False) -> tuple[Audited, ...]:
    """Every row judged, in the order of the list. What this version of Etude has judged before is not judged `again`.

    folder  where environments, checkouts and what was found are kept; who comes second waits
    say     called before and after each row that is judged
    """
    folder = folder.resolve()  # rows are judged in folders of their own
    folder.mkdir(parents=True, exist_ok=True)
    total, done = sum(len(source.rows) for source in sources), list[Audited]()
    for source in sources:
        home = folder / re.sub(r"[^\w.]+", "-", f"{source.name}-{source.version}")
        with FileLock(home.with_name(f"{home.name}.lock")):
            for row, found in rows_of(source, home, lambda line: say(f"[{len(done) + 1}/{total}] {line}"), again):
                commands = (source.command, shlex.join(row.command))
                done.append(Audited(source.name, source.version, row.target, row.against, commands, row.said, row.note, found))
    return tuple(done)


def rows_of(source: Source, home: Path, say: Say, again: bool) -> Iterator[tuple[Row, Found]]:
    """The rows of a source, each with what was found, which is on the disk before the next is judged; the source is got once for all."""
    file, place = home / "found.json", None
    kept = _kept(file)
    for row in source.rows:
        key = shlex.join(row.command)
        if again or key not in kept:
            say(f"{source.name} {source.version}: {key}")
            place = place or _got(source, home)
            found = Found("not tried", str(place)) if isinstance(place, Unavailable) else judged(row, place)
            if found.verdict != "not tried":
                kept[key] = found
                write_text(file, json.dumps({key: asdict(one) for key, one in kept.items()}, indent=1, ensure_ascii=False))
            say(f"{found.verdict} ({found.seconds:.0f} s): {found.sentence}")
        else:
            found = kept[key]
        yield row, found


def _kept(file: Path) -> dict[str, Found]:
    """What this version of Etude has found before, by command. Raises EtudeError where the file is damaged; it is not written over."""
    if not file.is_file():
        return {}
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
        ours = {key: found for key, found in plain.items() if found["etude"] == VERSION}
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise EtudeError(f"{file}: is damaged; mend it, or delete it to have its rows judged again") from error
    return {key: build(Found, found, str(file)) for key, found in ours.items()}


def _got(source: Source, home: Path) -> Place | Unavailable:
    try:
        return place_of(source, home)
    except Unavailable as error:
        return error


def judged(row: Row, place: Place) -> Found:
    """What `etude verify` finds of a row."""
    start = time.monotonic()
    # -P: the folder it runs in is somebody's, and nothing there stands for a package of ours
    done = subprocess.run(
        [str(place.python), "-P", "-m", "etude", *row.command[1:], "--seconds", str(SECONDS), "--json"],
        cwd=place.code,
        env=os.environ | {"PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    seconds = round(time.monotonic() - start, 1)
    if done.returncode not in EXIT_CODES.values() or not done.stdout:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return Found("not tried", said[-1].removeprefix("error: "), seconds=seconds)
    return replace(found_in(Verification.from_dict(json.loads(done.stdout)), place.code), seconds=seconds)


def found_in(report: Verification, code: Path) -> Found:
    """What is kept of a report on code in that folder."""
    first = next((sentence for place, sentence in report.departures if place == report.place), "")
    line = report.line.removeprefix(f"{code.resolve()}{os.sep}").removeprefix(f"{code}{os.sep}").replace(os.sep, "/")
    return Found(report.verdict, report.sentence, report.place, first, line, report.variant, report.parameters)
