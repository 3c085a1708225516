"""The errors a person can do something about.

The command line prints the message on one line and exits with `exit_code`; everything else is a bug and keeps its traceback.
"""

import difflib
from collections.abc import Iterable

MOST = 20  # known names that a message lists


class EtudeError(Exception):
    """Something the user can mend. The message says what was found, what was expected and what to do next."""

    exit_code = 1


class UsageError(EtudeError):
    """A name, key or option that does not exist."""

    exit_code = 2


def nearest(name: str, known: Iterable[str]) -> str:
    """The part of a message that helps with a misspelt name: the nearest known ones, or else all of them, or the first of many."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    more = f" and {len(known) - MOST} more" if len(known) > MOST else ""
    return "known: " + ", ".join(known[:MOST]) + more
