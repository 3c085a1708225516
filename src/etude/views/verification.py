"""What a check has found. No torch."""

import shlex

from etude.verification.verdict import Identification, Verification
from etude.views.view import Block, Remarks, Table, Text, View
from etude.wording import percent

MOST_PLACES = 10


def verification_view(report: Verification) -> View:
    """The verdict and its sentence, and the evidence of every level."""
    places = [sentence for _, sentence in report.departures] if len(report.departures) > 1 else []
    more = [f"… and {len(places) - MOST_PLACES} more"] if len(places) > MOST_PLACES else []
    choices = (f"a free choice: {choice}" for choice in report.choices)
    said = (verdict_of(report), *places[:MOST_PLACES], *more, *choices, *report.notes)
    rows = []
    for level in report.levels:
        first, *more = level.evidence or ("",)
        rows += [(level.id, level.title, level.state, first), *(("", "", "", line) for line in more)]
    levels = (Table(("level", "what", "state", "evidence"), tuple(rows), breaks=3),) if rows else ()
    parts = (Text(f"{report.target} against {report.against}"), Remarks(said), *levels)
    return View("Verification", shlex.join(["etude", "verify", report.target, "--against", report.against]), parts, report)


def verdict_of(report: Verification) -> str:
    """The word, for which classes and images, and the sentence, which may begin with the word."""
    given = f" with {' and '.join(report.adapted)}" if report.adapted else ""
    if report.sentence.startswith(f"{report.verdict} "):
        return f"{report.verdict}{given}{',' if given else ''}{report.sentence.removeprefix(report.verdict)}"
    return f"{report.verdict}{given}: {report.sentence}"


def identification_view(found: Identification) -> View:
    """Which network it is, those with most operators in common, and the check against the first."""
    rows = tuple((one.network, percent(one.alike), f"{one.parameters:,}") for one in found.candidates)
    table = (Table(("network", "operators in common", "parameters"), rows, right=(1, 2)),) if rows else ()
    parts: tuple[Block | View, ...] = (Text(found.target), Remarks((found.sentence, *found.notes)), *table)
    if found.report:
        parts += (verification_view(found.report),)
    return View("Identification", shlex.join(["etude", "identify", found.target]), parts, found)
