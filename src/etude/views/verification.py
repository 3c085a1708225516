"""What a check has found. No torch."""

import shlex

from etude.verification.verdict import Verification
from etude.views.view import Remarks, Table, Text, View

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
