"""The paper's table as a function: its operators run one by one, with weights from wherever they are given.

So anybody's module is compared with the table itself, and with no implementation of ours.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from etude.papers import Step

NORM_EPS = 1e-5
RESPONSE = {"alpha": 1e-4, "beta": 0.75, "k": 1.0}  # in the order of the arguments of torch


@dataclass(frozen=True)
class Weights:
    """What an operator with parameters is given: weight and bias, and of a batch norm the running statistics and ε."""

    weight: Tensor | None = None
    bias: Tensor | None = None
    mean: Tensor | None = None
    variance: Tensor | None = None
    eps: float = NORM_EPS


@dataclass(frozen=True)
class Choice:
    """How a shortcut without parameters fits: which pixel it keeps, and where its channels stand among those of zeros.

    pixel   its row and its column among `stride` by `stride`
    front   how many zeros stand in front of all of them
    places  of each, where they do not stand side by side
    """

    pixel: tuple[int, int] = (0, 0)
    front: int = 0
    places: tuple[int, ...] = ()

    def among(self, channels: int) -> Tensor:
        """The places of so many channels."""
        return torch.tensor(self.places) if self.places else torch.arange(self.front, self.front + channels)


def compute(
    step: Step, inputs: list[Tensor], weights: Weights, choice: Choice, training: bool, facts: dict[str, Any] | None = None
) -> Tensor:
    """What the operator makes of its inputs, each N×C×H×W or N×features.

    facts  what the paper leaves open and somebody has chosen: parameters of a local response norm
    """
    if step.again:
        return step.again(inputs)
    x = inputs[0]
    kernel: Any = step.kernel
    window: dict[str, Any] = {"stride": step.stride, "padding": step.padding or 0}
    match step.op:
        case "conv":
            assert weights.weight is not None
            return F.conv2d(x, weights.weight, weights.bias, **window, dilation=step.dilation, groups=step.groups)
        case "linear":
            assert weights.weight is not None
            return F.linear(x, weights.weight, weights.bias)
        case "batch_norm":
            mean, variance = (None, None) if training else (weights.mean, weights.variance)
            return F.batch_norm(x, mean, variance, weights.weight, weights.bias, training=training, eps=weights.eps)
        case "relu":
            return F.relu(x)
        case "sigmoid":
            return torch.sigmoid(x)
        case "max_pool":
            return F.max_pool2d(x, kernel, **window, ceil_mode=step.ceil)
        case "avg_pool":
            return F.avg_pool2d(x, kernel, **window, ceil_mode=step.ceil)
        case "adaptive_avg_pool":
            return F.adaptive_avg_pool2d(x, step.shape[-1])
        case "global_avg_pool":
            return x.mean(dim=(2, 3))
        case "local_response_norm":
            return F.local_response_norm(x, kernel, **(RESPONSE | (facts or {})))
        case "flatten":
            return x.flatten(1)
        case "dropout":
            return without_chance(x, step.factor or 0) if training else x
        case "scale":
            return x * float(step.factor or 0)
        case "one_minus":
            return 1 - x
        case "multiply":
            return inputs[0] * inputs[1]
        case "add":
            return sum(inputs[1:], inputs[0])
        case "concat":
            return torch.cat(inputs, dim=1)
        case "slice":
            row, column = choice.pixel
            return x[:, :, row :: step.stride, column :: step.stride]
        case "pad":
            new = step.shape[0] - x.shape[1]
            if choice.places:
                return x.new_zeros(len(x), step.shape[0], *x.shape[2:]).index_copy(1, choice.among(x.shape[1]), x)
            return F.pad(x, (0, 0, 0, 0, choice.front, new - choice.front))
    raise AssertionError(f"no such operator: {step.op}")


def without_chance(x: Tensor, share: float) -> Tensor:
    """What stands for a dropout while functions are compared: x·(1 + share/4·sin 16|x|), for shares below 4.

    So numbers tell where it stands, what share it has and whether it is active: no addition, scaling or normalisation undoes it. As with a
    dropout, a ReLU may stand on either side, for the sign stays; and a max pool may not, for it rises and falls.
    """
    return x * (1 + share / 4 * (16 * x.abs()).sin())
