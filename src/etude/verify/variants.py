"""Which other networks a module could be: those of the same paper, and the same network with other options."""

import itertools
from collections.abc import Iterator
from typing import Any

from etude.models import registry
from etude.papers import load

# what a word of a table may be, where the word is a choice and not a size
CHOICES: dict[str, tuple[Any, ...]] = {
    "stride_in": ("1x1", "3x3"),
    "order": ("original", "bn_after_addition", "relu_before_addition", "relu_only_preactivation", "full_preactivation"),
    "bottleneck": (False, True),
    "compression": (1.0, 0.5),
    "auxiliary": (True, False),
}
SHORTCUTS = {
    "resnet": ("A", "B", "C"),
    "identity_mappings": ("identity", "constant_scaling", "exclusive_gating", "shortcut_only_gating", "conv", "dropout"),
}


def siblings(name: str, options: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The networks of the same paper with the same sizes, the named ones first, then the same network with other choices."""
    row = registry.row(name)
    networks = load(row.paper).networks
    for other in registry.names():
        if other != name and registry.row(other).paper == row.paper and registry.row(other).input == row.input:
            yield other, {word: value for word, value in options.items() if word in networks[other].given}
    given = {**networks[name].given, **options}
    words = {word: choices for word, choices in {**CHOICES, "shortcut": SHORTCUTS.get(row.paper, ())}.items() if word in given}
    for values in itertools.product(*words.values()):
        changed = dict(zip(words, values, strict=True))
        if sum(given[word] != value for word, value in changed.items()) == 1:
            yield name, {**options, **{word: value for word, value in changed.items() if given[word] != value}}
