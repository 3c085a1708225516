"""Sentences of `verify` and `practice`, read for what no sentence should say."""

import re

PLACE = re.compile(r" \(your [^)]*\)")
HERE = r"\b(?:has|have|is|are|of|by|at) (?P<here>[^;]+?)"
BETWEEN = r"(?: where [^;]+?(?: has| have|'s is of|'s are of| feeds it)|, in [\w@ ]+? at)"
SIDES = re.compile(HERE + BETWEEN + r" (?P<there>[^;]+?)(?: \(|;|$)")


def equal_on_both_sides(sentence: str) -> bool:
    """Whether it says of a module what it says of the paper."""
    found = SIDES.finditer(PLACE.sub("", sentence))
    return any(match["there"] in (match["here"], last_of(match["here"])) for match in found)


CHECKED = (
    r"next is (.+?); here (.+?) follows\.",
    r"(?:has|gives|returns) (\S+)(?: parameters)?, expected (?:a whole number \()?([^\s():]+)[.):( ]",
    r"应当是 ?(.+?)，这里却是 ?(.+?)。",
    r"(?:得到|共有|返回) (\S+?)(?: 个)?，应当是 ?(?:整数（)?([^\s（）：]+?)(?: 个)?[。：（）]",
)
SHARED = (r"here (.+?) works with the weights that (.+?) has used", r"这里的 ?(.+?) ?用的是 ?(.+?) ?已经用过的权重")
NAME = re.compile(r" \([\w.]+\)")  # of an operator in somebody's module; only by it two that share their weights are told apart


def repeats_itself(message: str) -> bool:
    """Whether it says of an answer what it says of the exercise, in either language."""
    pairs = [found for sides in CHECKED for text in (message, NAME.sub("", message)) for found in re.findall(sides, text)]
    pairs += [found for sides in SHARED for found in re.findall(sides, message)]
    return any(have == want for have, want in pairs)


def last_of(text: str) -> str:
    """Behind the last verb: of "conv1 is of x", x."""
    return re.split(r"\b(?:has|have|is of|are of|by|at) ", text)[-1]
