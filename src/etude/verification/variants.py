"""Which other networks a module could be: those of the same paper, and the same network with other options."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import nn

from etude.errors import UsageError
from etude.models import registry
from etude.operator import FACTS
from etude.papers import Step
from etude.verification.align import align
from etude.verification.facts import facts_of, steps_of
from etude.verification.trace import Trace

CLOSE = 0.7  # of the operators of a table, that a variant of it has in common

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


def variant_of(name: str, options: dict[str, Any], module: nn.Module, trace: Trace) -> str:
    """The registered network, with options, that a module is which is not `name`; empty where it is none."""
    parameters, asked = sum(parameter.numel() for parameter in module.parameters()), facts_of(name)[1].given
    for other, words in siblings(name, options):
        try:
            steps = steps_of(other, **words)
        except UsageError:  # a combination that no paper has
            continue
        if sum(step.parameters for step in steps) == parameters and computes(steps, module, trace):
            own = facts_of(other)[1].given
            asked_of_both = {word: value for word, value in options.items() if own.get(word) == asked.get(word)}  # goes without saying
            known = {**own, **asked_of_both}
            given = ", ".join(f"{word}={value}" for word, value in words.items() if known[word] != value)
            return f"{other} with {given}" if given else other
    return ""


def far_from(variant: str, steps: Sequence[Step], options: Mapping[str, Any]) -> str:
    """What is known of a registered variant that has few operators in common with these: the sentence that is kept with it; else nothing.

    Such a module cannot be followed from one departure to the next.
    """
    variant = variant.partition(" with ")[0]
    network = facts_of(variant)[1]
    words = {word: value for word, value in options.items() if word in network.given}
    have, want = (
        Counter((step.op, *(getattr(step, fact) for fact in FACTS)) for step in row) for row in (steps_of(variant, **words), steps)
    )
    common = sum((have & want).values())
    return f"{network.note} ({network.at})" if network.note and common < CLOSE * len(steps) else ""


def computes(steps: Sequence[Step], module: nn.Module, trace: Trace) -> bool:
    """Whether the traced run is that of the table: all operators, its logits."""
    found = align(steps, trace, module)
    if found.reached < len(steps):
        return False
    return trace.returns(found.values[-1][0].tensor)


def siblings(name: str, options: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The other networks of the same paper for as many classes, whatever image they are for; then the same one with other choices."""
    paper, asked = facts_of(name)
    own = {**asked.given, **options}
    carried = {"classes": own["classes"], **options}
    for other in registry.names(paper.id):
        network = paper.networks[other]
        words = {word: value for word, value in carried.items() if word in network.given}
        if (network.table, network.fixed, {**network.given, **words}) != (asked.table, asked.fixed, own):
            yield other, words
    choices = {word: values for word, values in {**CHOICES, "shortcut": SHORTCUTS.get(paper.id, ())}.items() if word in own}
    for word, values in choices.items():
        for value in values:
            if value != own[word]:
                yield name, {**options, word: value}
