"""What is wrong with a network that was loaded, and what there is on this machine."""

from typing import TYPE_CHECKING

from etude.doctor.here import Here
from etude.train.shares import between, interval
from etude.views.view import Points, Remarks, Table, Text, View
from etude.wording import percent, significant

if TYPE_CHECKING:
    from etude.doctor.loaded import Diagnosis, Trial

COLUMNS = ("cause", "with", "right", "95 % interval", "by chance")
NOTHING = "Nothing that was tried is certain to be what is wrong."


def diagnosis_view(found: "Diagnosis", command: str) -> View:
    """What is certain, what may be, and everything that was tried; `command` shows the same."""
    from etude.doctor.loaded import RULE

    first = found.rounds[0][0]
    certain = tuple(finding.text for finding in found.findings if finding.certain)
    open_ = tuple(finding.text for finding in found.findings if not finding.certain)
    count = len(first.right)
    opening = f"{found.name} is right about {percent(first.count / count, 1)} of {count} test images of {found.source} as it is"
    parts = (
        Text(f"{opening} ({between(first.count, count)})."),
        *((Points("Certain:", certain),) if certain else (Text(NOTHING),)),
        *((Points("Not certain:", open_),) if open_ else ()),
        *(table(trials) for trials in found.rounds),
        Remarks((RULE, "Intervals are Wilson's; by chance is the sign test's p-value.")),
    )
    plain = {
        "network": found.name,
        "data": found.source,
        "certain": list(certain),
        "not_certain": list(open_),
        "rounds": [[plain_of(trial) for trial in trials] for trials in found.rounds],
        "rule": RULE,
    }
    return View(f"What is wrong with {found.name}", command, parts, plain)


def table(trials: "tuple[Trial, ...]") -> Table:
    before, *others = trials
    rows = [row(before, "")] + [row(trial, significant(trial.chance)) for trial in sorted(others, key=lambda trial: -trial.count)]
    return Table(COLUMNS, tuple(rows), (2, 4), breaks=1)


def row(trial: "Trial", chance: str) -> tuple[str, ...]:
    count = len(trial.right)
    return trial.cause, trial.mended, percent(trial.count / count, 1), between(trial.count, count), chance


def plain_of(trial: "Trial") -> dict[str, object]:
    count = len(trial.right)
    return {
        "cause": trial.cause,
        "with": trial.mended,
        "right": trial.count,
        "images": count,
        "interval": list(interval(trial.count, count)),
        "p": trial.chance,
    }


def here_view(found: Here) -> View:
    """What is installed, which device, which folders can be written, which data can be reached, and what would be faster."""
    groups = (("Installed", found.installed), ("Machine", found.machine), ("Folders", found.folders), ("Data", found.data))
    tables = tuple(block for title, rows in groups for block in (Text(f"{title}:"), Table((), rows)))
    faster = Points("Faster:", found.faster) if found.faster else Text("Nothing is known that would make it faster.")
    return View("This machine", "etude doctor", (*tables, faster), found)
