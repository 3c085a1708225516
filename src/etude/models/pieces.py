"""What several papers share."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ZeroPadShortcut(nn.Module):
    """Option A (He 2015, section 3.3): an identity that fits a larger and smaller map, without parameters.

    N×C×H×W to N×(C+extra)×⌈H/stride⌉×⌈W/stride⌉. Every stride-th pixel is kept; the new channels are zeros, behind the old ones.
    The paper leaves open which pixel and which side.
    """

    def __init__(self, extra: int, stride: int) -> None:
        super().__init__()
        self.extra, self.stride = extra, stride

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.extra))


@torch.no_grad()
def he_init(network: nn.Module) -> None:
    """He et al. 2015 for rectifiers: convolutions N(0, 2 / (kernel²·out_channels)), linear layers N(0, 1 / in_features), biases 0.

    The papers leave open whether the fan is counted in or out; the authors of ResNet and DenseNet count it out in their code.
    A network on the meta device, which has no memory for values, stays as it is: drawing them there takes as long as building it.
    """
    if any(parameter.is_meta for parameter in network.parameters()):
        return
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            he_weight(module)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def he_weight(module: nn.Conv2d | nn.Linear, random: torch.Generator | None = None) -> None:
    """The weight of one layer as `he_init` draws it, from that generator or torch's own."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=random)
    else:
        nn.init.kaiming_normal_(module.weight, nonlinearity="linear", generator=random)


def check(**options: tuple[Any, tuple[Any, ...]]) -> None:
    """Raises ValueError for an option whose value is not among its choices: `check(shortcut=("D", ("A", "B", "C")))`."""
    for name, (value, choices) in options.items():
        if value not in choices:
            raise ValueError(f"{name} = {value!r}, expected one of {', '.join(map(repr, choices))}")


def check_sizes(**sizes: Any) -> None:
    """Raises ValueError for a size that is no whole number of at least 1: `check_sizes(classes=0)`."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name} = {size!r}, expected a whole number of at least 1")


def check_list(name: str, sizes: Any, length: int) -> None:
    """Raises ValueError where `sizes` are not that many whole numbers of at least 1."""
    if not isinstance(sizes, (tuple, list)) or len(sizes) != length:
        raise ValueError(f"{name} = {sizes!r}, expected {length} whole numbers, one a stage")
    check_sizes(**{f"{name}[{index}]": size for index, size in enumerate(sizes)})


def chosen(kinds: str, shortcut: str, **options: tuple[float | None, float]) -> list[float]:
    """The values of options that only these kinds of shortcut have, or their defaults. Raises ValueError for one given in vain."""
    for name, (value, _) in options.items():
        if value is not None and (shortcut not in kinds.split() or not isinstance(value, (int, float))):
            raise ValueError(f"{name} = {value!r} with shortcut = {shortcut!r}, expected a number, with shortcut one of {kinds} (Table 1)")
    return [default if value is None else float(value) for value, default in options.values()]
