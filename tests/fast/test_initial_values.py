"""Initial values and the loss, where a paper fixes them."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import etude
from etude.errors import UsageError
from etude.models import registry
from etude.models.identity_mappings import Gate
from etude.papers import load
from etude.train.initial import draw_by_shape
from reduced import distinct, small


@pytest.mark.parametrize("bias", [0.0, -3, -6])
@pytest.mark.parametrize("shortcut", ["exclusive_gating", "shortcut_only_gating"])
def test_gates_start_at_their_bias(shortcut: str, bias: float) -> None:
    model = etude.build("ablation_resnet110", depth=8, shortcut=shortcut, gate_bias=bias)
    gates = [module for module in model.modules() if isinstance(module, Gate)]
    assert len(gates) == 3
    assert all((gate.conv.bias == bias).all() for gate in gates)  # type: ignore[union-attr]


def test_gates_start_where_the_paper_found_best() -> None:
    model = etude.build("ablation_resnet110", depth=8, shortcut="exclusive_gating")
    best = load("identity_mappings").fact("gate_bias").held
    assert all((gate.conv.bias == best).all() for gate in model.modules() if isinstance(gate, Gate))


@pytest.mark.parametrize("name", [name for name in distinct() if registry.row(name).paper in ("resnet", "identity_mappings", "densenet")])
def test_convolutions_start_as_he_et_al_say(name: str) -> None:
    """Standard deviation √(2 / (kernel²·out)), biases and means 0, scales 1; over all weights of a network, made small."""
    torch.manual_seed(0)
    for module in etude.build(name, **small(name)).modules():
        if isinstance(module, nn.Conv2d):
            expected = math.sqrt(2 / (module.kernel_size[0] ** 2 * module.out_channels))
            assert module.weight.std().item() == pytest.approx(expected, rel=6 / math.sqrt(2 * module.weight.numel()) + 0.01)
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert not module.bias.any()


def test_auxiliary_heads_weigh_what_the_paper_says() -> None:
    weight = load("googlenet").fact("auxiliary_loss_weight").held
    torch.manual_seed(0)
    model = etude.build("googlenet", classes=5).eval()
    x, y = torch.randn(2, 3, 224, 224), torch.tensor([1, 4])
    logits, aux1, aux2 = model.outputs(x)  # type: ignore[operator]
    expected = F.cross_entropy(logits, y) + weight * (F.cross_entropy(aux1, y) + F.cross_entropy(aux2, y))
    torch.testing.assert_close(model.loss(x, y), expected)  # type: ignore[operator]
    assert torch.equal(model(x), logits)


def test_without_heads_the_loss_is_cross_entropy() -> None:
    model = etude.build("googlenet", classes=5, auxiliary=False).eval()
    x, y = torch.randn(1, 3, 224, 224), torch.tensor([3])
    torch.testing.assert_close(model.loss(x, y), F.cross_entropy(model(x), y))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ablation_resnet110", {"gate_bias": -6}, "gate_bias = -6 with shortcut = 'identity'"),
        ("preact_resnet164", {"dropout": 0.9}, "dropout = 0.9 with shortcut = 'identity'"),
        ("ablation_resnet110", {"shortcut": "exclusive_gating", "gate_bias": "x"}, "expected a number"),
        ("resnet18", {"stride_in": "3x3"}, "is about bottlenecks"),
        ("resnet18", {"units": (2, 2)}, "units = (2, 2), expected 4 whole numbers"),
        ("resnet18", {"units": 2}, "units = 2, expected 4 whole numbers"),
        ("resnet20", {"classes": -1}, "classes = -1, expected a whole number of at least 1"),
        ("resnet20", {"classes": 0}, "classes = 0, expected"),
        ("resnet20", {"depth": "deep"}, "depth = 'deep', expected a whole number"),
        ("densenet_40_12", {"growth_rate": 0}, "growth_rate = 0, expected"),
        ("densenet_40_12", {"compression": 1.5}, "compression = 1.5, expected a number in (0, 1]"),
        ("densenet121", {"layers": (1, 2, 3)}, "layers = (1, 2, 3), expected 4 whole numbers"),
        ("googlenet", {"classes": 2.5}, "classes = 2.5, expected"),
    ],
)
def test_an_option_that_means_nothing_is_refused(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        etude.build(name, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def weights(name: str, seed: int = 0, **options: object) -> dict[tuple[int, ...], list[torch.Tensor]]:
    """Of convolutions and the linear layer, drawn by shape: by shape, in order."""
    model = etude.build(name, **options)
    draw_by_shape(model, seed)
    found: dict[tuple[int, ...], list[torch.Tensor]] = {}
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            found.setdefault(tuple(module.weight.shape), []).append(module.weight.detach())
    return found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("resnet20", {"depth": 8}), ("plain20", {"depth": 14})),
        (("ablation_resnet110", {"depth": 8}), ("ablation_resnet110", {"depth": 8, "shortcut": "conv"})),
        (("ablation_resnet164", {"depth": 11}), ("preact_resnet164", {"depth": 11})),
    ],
)
def test_pairs_start_from_the_same_numbers_where_shapes_agree(one: tuple[str, dict[str, int]], other: tuple[str, dict[str, int]]) -> None:
    first, second = weights(one[0], **one[1]), weights(other[0], **other[1])
    shared = first.keys() & second.keys()
    assert len(shared) > 5
    for shape in shared:
        assert all(map(torch.equal, first[shape], second[shape]))
        assert all(not torch.equal(a, b) for a, b in zip(first[shape], first[shape][1:], strict=False)), "and every place has its own"
    apart = weights(one[0], 1, **one[1])
    assert not any(torch.equal(a, b) for shape in first for a, b in zip(first[shape], apart[shape], strict=True))
    whole, drawn = etude.build("resnet20"), weights("resnet20")
    spread = torch.cat([module.weight.flatten() for module in whole.modules() if isinstance(module, nn.Conv2d)]).std()
    assert torch.cat([weight.flatten() for several in drawn.values() for weight in several if weight.dim() == 4]).std() == pytest.approx(
        spread.item(), rel=0.02
    )
