"""What an audit holds against what, and what it has found. No torch."""

import shlex
from collections import Counter
from collections.abc import Sequence

from etude.audit.audit import Audited
from etude.audit.implementations import Source
from etude.views.view import Points, Table, Terms, Text, View

VERDICTS = ("faithful", "departs", "could not judge", "not tried")


def rows_view(sources: Sequence[Source], patterns: Sequence[str]) -> View:
    """The rows of a list."""
    rows = tuple((row.against, f"{source.name} {source.version}", shlex.join(row.command[2:3])) for source in sources for row in source.rows)
    return View("Implementations", shlex.join(["etude", "audit", *patterns, "--list"]), (Table(("against", "of", "target"), rows),), sources)


def audit_view(audited: Sequence[Audited], patterns: Sequence[str]) -> View:
    """How many implementations are what their papers say, each with what was found, and the commands that show it."""
    networks = dict.fromkeys(row.network for row in audited)
    points = (Points(name, tuple(told(row) for row in audited if row.network == name)) for name in networks)
    got = dict.fromkeys((f"{row.implementation} {row.version}", row.commands[0]) for row in audited)
    shown = "To see a row again, get its code, and give `etude verify` the target, with --against and the network:"
    parts = (Text(f"{len(audited)} rows"), counts(audited), *points, Text(shown), Terms(tuple(got)))
    return View("Audit", shlex.join(["etude", "audit", *patterns]), parts, audited)


def counts(audited: Sequence[Audited]) -> Table:
    """How many rows have which verdict, by implementation."""
    seen = Counter((row.implementation, row.found.verdict) for row in audited)
    names = dict.fromkeys(row.implementation for row in audited)
    rows = [(name, *(str(seen[name, verdict]) for verdict in VERDICTS)) for name in names]
    all_ = Counter(row.found.verdict for row in audited)
    rows.append(("all", *(str(all_[verdict]) for verdict in VERDICTS)))
    return Table(("implementation", *VERDICTS), tuple(rows), right=(1, 2, 3, 4))


def told(row: Audited) -> str:
    """One row in a few sentences."""
    found = row.found
    verdict = f"departs, is {found.variant}" if found.variant else found.verdict
    why = found.departure or ("" if found.verdict == "faithful" else found.sentence)
    facts = [f"{found.line}" if found.line else "", f"{found.parameters:,} parameters" if found.parameters else "", f"{found.seconds:.0f} s"]
    told = f"{row.implementation} {row.version}, {row.target}: {verdict}{f': {why}' if why else ''} ({', '.join(filter(None, facts))})"
    return ". ".join(filter(None, (told, f"Its authors say so: {row.said}" if row.said else "", row.note)))
