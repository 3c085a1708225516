"""`identify` finds every registered network, with its options, and the nearest one of what is none."""

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

import etude
from etude.models import registry
from etude.papers import Step
from etude.verification import identify, limits
from etude.verification.facts import steps_of
from etude.verification.identify import Seen, most_alike
from reduced import distinct, image, small


def test_every_network_is_found_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """With other sizes than its own. What the tables ask for is expanded once for all of them."""
    monkeypatch.setattr(identify, "expanded", functools.cache(identify.expanded))
    for name in distinct():
        torch.manual_seed(0)
        module = etude.build(name, **small(name))
        seen = Seen.of(module, image(name))
        best = most_alike(module, seen, seen.candidates())
        assert nameless(best.name, best.options) == nameless(name, small(name)), f"{name} is taken for {best}"


def nameless(name: str, options: Mapping[str, Any]) -> list[Step]:
    """What its paper asks of a network, without the names and places by which two papers tell of the same one."""
    return [replace(step, path="", at="") for step in steps_of(name, **options)]


@pytest.mark.parametrize(
    ("name", "options", "found"),
    [
        ("lecture_residual", {"classes": 7}, "lecture_residual(classes=7)"),
        ("ablation_resnet110", {"depth": 8, "shortcut": "exclusive_gating"}, "ablation_resnet110(depth=8, shortcut=exclusive_gating)"),
        ("densenet_40_12", {"depth": 10, "growth_rate": 6, "dropout": 0.2}, "densenet_40_12(depth=10, dropout=0.2, growth_rate=6)"),
    ],
)
def test_options_are_told(name: str, options: dict[str, Any], found: str) -> None:
    identity = etude.identify(etude.build(name, **options))
    assert (identity.verdict, identity.network, identity.exit_code) == ("found", found, 0)
    assert identity.candidates[0].network == found


def test_of_what_is_none_the_nearest_is_named_with_what_differs() -> None:
    model: Any = etude.build("resnet20", depth=8)
    model.conv3_x[0].norm2 = nn.Identity()
    identity = etude.identify(lambda: model)
    assert (identity.verdict, identity.network, identity.exit_code) == ("nearest", "resnet20(depth=8)", 1)
    assert identity.report
    assert "the BN conv3_x.0.norm2 is missing" in identity.report.sentence


def test_what_does_not_run_is_nothing() -> None:
    identity = etude.identify(nn.Module())
    assert (identity.verdict, identity.exit_code, identity.report) == ("could not judge", 3, None)
    assert "no method `forward`" in identity.sentence


# ── Limits ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_memory_follows_the_network_and_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "free", lambda: 64_000.0)
    small_, large = steps_of("resnet20"), steps_of("densenet_bc_190_40")
    assert limits.megabytes_for(small_) == limits.megabytes_for(()) == 8_192
    assert limits.megabytes_for(large) > 10_000
    assert limits.megabytes_for(large, 2.5) == 2_560
    monkeypatch.setattr(limits, "free", lambda: 4_000.0)
    assert limits.megabytes_for(large) == 3_600


def test_large_runs_have_fewer_images() -> None:
    assert limits.images_for(steps_of("densenet_bc_190_40"), 32) == 2
    assert {limits.images_for(steps_of(name), 32) for name in registry.names("lecture_*")} == {4}
