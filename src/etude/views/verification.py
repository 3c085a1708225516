"""What a check has found. No torch."""

import shlex

from etude.verification.verdict import Verification
from etude.views.view import Remarks, Table, Text, View


def verification_view(report: Verification) -> View:
    """The verdict and its sentence, and the evidence of every level."""
    given = f" with {' and '.join(report.adapted)}" if report.adapted else ""
    choices = (f"a free choice: {choice}" for choice in report.choices)
    said = (f"{report.verdict}{given}: {report.sentence}", *choices, *report.notes)
    rows = []
    for level in report.levels:
        first, *more = level.evidence or ("",)
        rows += [(level.id, level.title, level.state, first), *(("", "", "", line) for line in more)]
    levels = (Table(("level", "what", "state", "evidence"), tuple(rows), breaks=3),) if rows else ()
    parts = (Text(f"{report.target} against {report.against}"), Remarks(said), *levels)
    return View("Verification", shlex.join(["etude", "verify", report.target, "--against", report.against]), parts, report)
