"""Sentences of `verify`, read for what no sentence should say."""

import re

PLACE = re.compile(r" \(your [^)]*\)")
HERE = r"\b(?:has|have|is|are|of|by|at) (?P<here>[^;]+?)"
BETWEEN = r"(?: where [^;]+?(?: has| have|'s is of|'s are of| feeds it)|, in [\w@ ]+? at)"
SIDES = re.compile(HERE + BETWEEN + r" (?P<there>[^;]+?)(?: \(|;|$)")


def equal_on_both_sides(sentence: str) -> bool:
    """Whether it says of a module what it says of the paper."""
    found = SIDES.finditer(PLACE.sub("", sentence))
    return any(match["there"] in (match["here"], last_of(match["here"])) for match in found)


def last_of(text: str) -> str:
    """Behind the last verb: of "conv1 is of x", x."""
    return re.split(r"\b(?:has|have|is of|are of|by|at) ", text)[-1]
