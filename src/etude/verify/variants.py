"""Which other networks a module could be: those of the same paper, and the same network with other options."""

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
FREE = {*CHOICES, "shortcut", "depth", "dropout"}
SHORTCUTS = {
    "resnet": ("A", "B", "C"),
    "identity_mappings": ("identity", "constant_scaling", "exclusive_gating", "shortcut_only_gating", "conv", "dropout"),
}


def siblings(name: str, options: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The networks of the same paper with the same sizes, the named ones first, then the same network with other choices."""
    row = registry.row(name)
    networks = load(row.paper).networks
    own = {**networks[name].given, **options}
    for other in registry.names():
        network = networks.get(other)
        if network is None or other == name or network.input != row.input:
            continue
        words = {**network.given, **{word: value for word, value in options.items() if word in network.given}}
        same_sizes = all(own[word] == value for word, value in words.items() if word in own and word not in FREE)
        if same_sizes and (network.table != networks[name].table or words != own):
            yield other, {word: value for word, value in options.items() if word in network.given}
    choices = {word: values for word, values in {**CHOICES, "shortcut": SHORTCUTS.get(row.paper, ())}.items() if word in own}
    for word, values in choices.items():
        for value in values:
            if value != own[word]:
                yield name, {**options, word: value}
