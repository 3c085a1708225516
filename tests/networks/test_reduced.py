"""Every kind of network, made small: it learns, it is deterministic, and its options are the paper's."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import etude
from etude.errors import UsageError
from etude.explain.cost import cost
from etude.models import identity_mappings as identity
from etude.verification import exact
from etude.verification.facts import steps_of
from reduced import distinct, image, loss_of, small

each = pytest.mark.parametrize("name", distinct())


def network(name: str) -> nn.Module:
    """The network, made small, for ten classes, without dropout."""
    torch.manual_seed(0)
    model = etude.build(name, classes=10, **small(name))
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def noise(name: str, batch: int) -> tuple[Tensor, Tensor]:
    """Images and labels; two, where they are large."""
    generator = torch.Generator().manual_seed(0)
    batch = 2 if image(name)[1] > 64 else batch
    return torch.randn(batch, *image(name), generator=generator), torch.randint(0, 10, (batch,), generator=generator)


@each
def test_multiply_adds_agree_with_torchs_counter(name: str) -> None:
    model = exact.without_weights(name, **small(name)).eval()
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, *image(name)))
    assert 2 * etude.graph(model, image(name)).macs == counter.get_total_flops()


@each
def test_the_cost_of_its_stages_adds_up(name: str) -> None:
    model = exact.without_weights(name, **small(name))
    found = cost(model, image(name))
    assert sum(stage.parameters for stage in found.stages) == found.parameters
    assert sum(stage.macs for stage in found.stages if not stage.side) == found.macs
    assert found.kept is not None
    assert sum(stage.kept or 0 for stage in found.stages) == found.kept
    assert 0 < found.peak < found.kept


@each
def test_a_gradient_reaches_every_parameter(name: str) -> None:
    model, (x, y) = network(name).train(), noise(name, 8)
    loss_of(model, x, y).backward()
    cold = [path for path, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not cold, f"{name}: no gradient reaches {cold}"


@each
def test_ten_steps_lower_the_loss(name: str) -> None:
    model, (x, y) = network(name).train(), noise(name, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02 if not name.startswith("googlenet") else 0.002, momentum=0.9)
    losses = []
    for _ in range(10):
        loss = loss_of(model, x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


@each
def test_eval_is_deterministic_and_knows_no_batch(name: str) -> None:
    model, (x, _) = network(name).eval(), noise(name, 4)
    with torch.no_grad():
        whole = model(x)
        assert torch.equal(whole, model(x))
        torch.testing.assert_close(torch.cat([model(image[None]) for image in x]), whole, rtol=1e-3, atol=1e-4)


@each
def test_classes_are_an_option(name: str) -> None:
    with torch.device("meta"):
        assert exact.without_weights(name, **small(name), classes=3)(torch.zeros(2, *image(name))).shape == (2, 3)


SHORTCUTS = ("identity", "constant_scaling", "exclusive_gating", "shortcut_only_gating", "conv", "dropout")
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {"depth": 20, "shortcut": shortcut}) for name in ("ablation_resnet110", "ablation_resnet164") for shortcut in SHORTCUTS),
    *((name, {"depth": 20, "order": order}) for name in ("ablation_resnet110", "ablation_resnet164") for order in identity.ORDERS),
    ("ablation_resnet110", {"depth": 14, "shortcut": "constant_scaling", "shortcut_scale": 0.0, "residual_scale": 1.0}),
    ("ablation_resnet110", {"depth": 14, "shortcut": "dropout", "dropout": 0.3}),
    *((name, {"shortcut": option}) for name in ("resnet18", "resnet50", "resnet20") for option in ("A", "B", "C")),
    ("resnet20", {"depth": 8, "classes": 100}),
    ("googlenet", {"auxiliary": False, "classes": 10}),
    ("googlenet@torchvision", {"auxiliary": False}),
    *(
        ("densenet_40_12", {"depth": 22, "bottleneck": bottleneck, "compression": theta, "dropout": dropout, "growth_rate": 5})
        for bottleneck in (False, True)
        for theta in (1.0, 0.5, 0.3)
        for dropout in (0.0, 0.2)
    ),
    ("densenet264", {"layers": (1, 2, 3, 4), "growth_rate": 16, "dropout": 0.2}),
]


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_every_operator_is_the_papers_whatever_the_options(name: str, options: dict[str, Any]) -> None:
    for check in exact.layers(name, **options):
        assert check.verdict == "exact", f"{name} {options}: {check.path}: {check.differences}"


@pytest.mark.parametrize("name", ["resnet20", "plain20", "resnet18", "resnet50", "plain18"])
def test_experiments_leave_out_normalisation_and_change_the_input(name: str) -> None:
    model = exact.without_weights(name, norm=None, in_channels=1)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert all(module.bias is not None for module in model.modules() if isinstance(module, nn.Conv2d))
    with torch.device("meta"):
        assert model(torch.zeros(1, 1, 32, 32)).dim() == 2
    with pytest.raises(UsageError, match="has no `norm`"):
        steps_of(name, norm=None)


def test_the_identity_form_of_the_ablation_is_the_residual_network() -> None:
    """Same weights, same function: `ablation_resnet110` is He 2015's `resnet110`, `ablation_resnet164` is `resnet164`."""
    x = noise("resnet20", 2)[0].double()
    for one, other, options in (
        ("ablation_resnet110", "resnet110", {"depth": 20}),
        ("ablation_resnet164", "resnet164", {"depth": 20}),
        ("preact_resnet110", "ablation_resnet110", {"depth": 20, "order": "full_preactivation"}),
        ("preact_resnet164", "ablation_resnet164", {"depth": 20, "order": "full_preactivation"}),
    ):
        first = etude.build(one, depth=20).double().train()
        second = etude.build(other, **options).double().train()
        second.load_state_dict(in_order_of_use(second, first))
        torch.testing.assert_close(first(x), second(x), rtol=1e-12, atol=1e-12)


def in_order_of_use(target: nn.Module, source: nn.Module) -> dict[str, Tensor]:
    """The state of `target` filled from `source`, whose weight layers run in the same order and are named otherwise."""
    x, used = torch.randn(1, 3, 32, 32, dtype=torch.float64), {}
    for network in (target, source):
        order: list[tuple[str, nn.Module]] = []
        handles = [
            module.register_forward_hook(lambda module, *_, name=name, order=order: order.append((name, module)))
            for name, module in network.named_modules()
            if not list(module.children()) and list(module.parameters())
        ]
        network(x)
        used[network] = order
        for handle in handles:
            handle.remove()
    state: dict[str, Tensor] = {}
    for (name, _), (_, module) in zip(used[target], used[source], strict=True):
        state |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
    return state
