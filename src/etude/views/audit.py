"""What an audit holds against what, and what it has found. No torch."""

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import get_args

from etude.audit.audit import Audited, Verdict
from etude.audit.implementations import Source
from etude.views.view import Block, Points, Table, Terms, Text, View

VERDICTS = get_args(Verdict)


def implementations_view(sources: Sequence[Source], patterns: Sequence[str]) -> View:
    """The rows of a list."""
    parts = [Points(f"{one.name} {one.version}", tuple(f"{row.against}: {row.target}" for row in one.rows)) for one in sources]
    return View("Implementations", shlex.join(["etude", "audit", *patterns, "--list"]), tuple(parts), sources)


def audit_view(audited: Sequence[Audited], patterns: Sequence[str]) -> View:
    """How many implementations are what their papers say, each with what was found, and the commands that show it."""
    networks = dict.fromkeys(row.network for row in audited)
    points = [Points(name, tuple(told(row) for row in audited if row.network == name)) for name in networks]
    got = dict.fromkeys((f"{row.implementation} {row.version}", row.commands[0]) for row in audited)
    shown = "To see a row again, get its code first:"
    parts: tuple[Block | View, ...] = (Text(f"{len(audited)} rows"), counts(audited), *points, Text(shown), Terms(tuple(got)))
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
    facts = [found.line, f"{found.parameters:,} parameters" if found.parameters else "", f"{found.seconds:.0f} s" if found.seconds else ""]
    what = ": ".join(filter(None, (f"{row.implementation} {row.version}, {row.commands[1]}", verdict_of(row), why_of(row))))
    within = ", ".join(filter(None, facts))
    return ". ".join(filter(None, (f"{what} ({within})" if within else what, row.said_so, row.note)))


def verdict_of(row: Audited) -> str:
    """The verdict, with the named variant that it is instead."""
    return f"departs, is {row.found.variant}" if row.found.variant else row.found.verdict


def why_of(row: Audited) -> str:
    """What a row departs in first, or why it has no verdict."""
    return "" if row.found.verdict == "faithful" else row.found.departure or row.found.sentence
