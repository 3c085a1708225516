"""`verify` finds our networks faithful, tells siblings apart, and says of torchvision's what they are."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import etude
from etude.errors import EtudeError
from etude.models.identity_mappings import Unit
from etude.verification.judge import verify
from reduced import distinct, image, small
from torchvision_stub import models


@pytest.mark.parametrize("name", distinct())
def test_our_networks_are_faithful_to_themselves(name: str) -> None:
    options = small(name)
    report = verify(etude.build(name, **options), name, input_shape=image(name), **options)
    assert report.verdict == "faithful", report.sentence
    assert all(level.state in ("pass", "n/a") for level in report.levels if level.id != "L2")


SHORTCUTS = ("constant_scaling", "exclusive_gating", "shortcut_only_gating", "conv", "dropout")
SIBLINGS: list[tuple[str, dict[str, Any], str, dict[str, Any], str]] = [
    ("resnet50", {"units": (1, 1, 1, 1)}, "resnet50@v15", {"units": (1, 1, 1, 1)}, "it is resnet50"),
    ("resnet50@v15", {"units": (1, 1, 1, 1)}, "resnet50", {"units": (1, 1, 1, 1)}, "it is resnet50@v15"),
    ("resnet20", {"depth": 14}, "resnet20@b", {"depth": 14}, "it is resnet20"),
    ("resnet20@b", {"depth": 14}, "resnet20", {"depth": 14}, "it is resnet20@b"),
    ("plain20", {"depth": 14}, "resnet20", {"depth": 14}, "it is plain20"),
    ("resnet18", {"units": (1, 1, 1, 1), "shortcut": "C"}, "resnet18", {"units": (1, 1, 1, 1)}, "it is resnet18 with shortcut=C"),
    ("ablation_resnet110", {"depth": 14}, "preact_resnet110", {"depth": 14}, "it is ablation_resnet110"),
    ("preact_resnet110", {"depth": 14}, "ablation_resnet110", {"depth": 14}, "it is preact_resnet110"),
    ("preact_resnet164", {"depth": 20}, "resnet164", {"depth": 20}, "it is preact_resnet164"),
    ("densenet_40_12", {"depth": 16, "compression": 0.5}, "densenet_40_12", {"depth": 16}, "with compression=0.5"),
    ("densenet_40_12", {"depth": 16, "growth_rate": 24}, "densenet_40_12", {"depth": 16}, "it is densenet_100_24 with depth=16"),
    ("googlenet@torchvision", {"auxiliary": False}, "googlenet", {"auxiliary": False}, "it is googlenet@torchvision"),  # with heads below
    ("googlenet", {}, "googlenet@torchvision", {}, "it is googlenet"),
    ("resnet18@cifar", {"units": (1, 1, 1, 1)}, "resnet18", {"units": (1, 1, 1, 1), "classes": 10}, "it is resnet18@cifar"),
    ("resnet18", {"units": (1, 1, 1, 1), "classes": 7}, "resnet18@cifar", {"units": (1, 1, 1, 1), "classes": 7}, "it is resnet18"),
    ("resnet18@cifar", {"units": (1, 1, 1, 1), "classes": 1000}, "resnet18", {"units": (1, 1, 1, 1)}, "resnet18@cifar with classes=1000"),
    ("densenet121_k12@cifar", {"layers": (1, 1, 1, 1)}, "densenet121", {"layers": (1, 1, 1, 1), "classes": 10}, "densenet121_k12@cifar"),
    *(
        ("ablation_resnet110", {"depth": 8, "shortcut": kind}, "ablation_resnet110", {"depth": 8}, f"with shortcut={kind}")
        for kind in SHORTCUTS
    ),
]


@pytest.mark.parametrize(("name", "built", "against", "options", "variant"), SIBLINGS, ids=lambda value: str(value)[:60])
def test_a_sibling_is_named(name: str, built: dict[str, Any], against: str, options: dict[str, Any], variant: str) -> None:
    report = verify(etude.build(name, **built), against, input_shape=max(image(name), image(against)), **options)
    assert report.verdict == "departs"
    assert variant in report.sentence


def test_a_gate_that_starts_elsewhere_departs() -> None:
    model = etude.build("ablation_resnet110", depth=8, shortcut="exclusive_gating", gate_bias=0)
    report = verify(model, "ablation_resnet110", depth=8, shortcut="exclusive_gating")
    assert (report.verdict, report.place) == ("departs", "conv2_x.0.gate")
    assert "starts at 0; the paper starts it at -6" in report.sentence
    trained = verify(model, "ablation_resnet110", trained=True, depth=8, shortcut="exclusive_gating")
    assert trained.verdict == "faithful", "what a gate has learned is not where it began"


def test_a_dropout_that_the_branch_sees_too_departs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands on the shortcut, with the right share; but its result goes both ways."""

    def forward(self: Any, x: Tensor) -> Tensor:
        x = self.join.dropout(x)
        return self.after(self.shortcut(x) + self.residual(x))

    options: dict[str, Any] = {"depth": 8, "shortcut": "dropout"}
    model = etude.build("ablation_resnet110", **options)
    assert verify(model, "ablation_resnet110", **options).verdict == "faithful"
    monkeypatch.setattr(Unit, "forward", forward)
    report = verify(model, "ablation_resnet110", **options)
    assert report.verdict == "departs"
    assert "dropout" in report.sentence


def test_a_dropout_is_seen_through_torchs_own_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """`torch.dropout` calls `train` what the others call `training`."""
    monkeypatch.setattr(nn.Dropout, "forward", lambda self, x: torch.dropout(x, self.p, train=self.training))
    options: dict[str, Any] = {"depth": 8, "shortcut": "dropout"}
    report = verify(etude.build("ablation_resnet110", **options), "ablation_resnet110", **options)
    assert report.verdict == "faithful", report.sentence


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(EtudeError, match="has no `norm`"):
        verify(nn.Identity(), "resnet20", norm=None)


def test_the_module_stays_as_it_is() -> None:
    model, random = etude.build("resnet20", depth=8).train(), torch.get_rng_state()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert etude.verify(model, against="resnet20", depth=8).verdict == "faithful"
    assert model.training
    assert torch.equal(random, torch.get_rng_state())
    assert torch.get_default_dtype() == torch.float32
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


# ── torchvision's ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "against", "verdict", "words"),
    [
        ("resnet50", "resnet50", "departs", "it is resnet50@v15"),
        ("resnet50", "resnet50@v15", "faithful", "all 174 operators"),
        ("densenet121", "densenet121", "faithful", "all 426 operators"),
        ("googlenet", "googlenet", "departs", "it is googlenet@torchvision"),
        ("googlenet", "googlenet@torchvision", "faithful", "all 214 operators"),
    ],
)
def test_torchvisions_networks_get_the_right_sentence(name: str, against: str, verdict: str, words: str) -> None:
    options = {"init_weights": False, "aux_logits": True} if name == "googlenet" else {}
    report = verify(getattr(models, name)(weights=None, **options), against, input_shape=image(against))
    assert report.verdict == verdict, report.sentence
    assert words in report.sentence
