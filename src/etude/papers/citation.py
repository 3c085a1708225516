"""How sure a fact is, and where it stands."""

from typing import Literal

Kind = Literal["stated", "deduced", "silent", "contradictory", "departs"]
Read = Literal["printed", "plot", "derived", "chosen", "other code"]


def check_kind(kind: Kind, read: Read) -> None:
    """Raises ValueError where the two do not go together."""
    if (kind == "silent") != (read == "chosen"):
        raise ValueError(f"kind = {kind!r} with read = {read!r}; what a source leaves silent is chosen, and only that")
    if (kind == "departs") != (read == "other code"):
        raise ValueError(f"kind = {kind!r} with read = {read!r}; what departs from the paper is other people's code, and only that")
    if kind == "stated" and read == "derived":
        raise ValueError("kind = 'stated' with read = 'derived'; a derived value is deduced")


def check_citation(at: str) -> None:
    """Raises ValueError where no place is named."""
    if not at.strip():
        raise ValueError("`at` is empty; expected the slide, table, figure or section")
