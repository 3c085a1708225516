"""Batch normalisation over the images of all processes, for processors; torch's own is for graphics cards only."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Sum = Callable[[Tensor], Tensor]


def synchronise(model: nn.Module, total: Sum) -> None:
    """Have every batch norm of a network see the whole batch. Parameters, statistics and their names stay what they are.

    total  the sum of a tensor over all processes
    """
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = WholeBatchNorm
            module.total = total  # type: ignore[assignment]


class WholeBatchNorm(nn.BatchNorm2d):
    """In training by mean and variance of the whole batch, of which each process has a part; otherwise as any other."""

    total: Sum

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        y, mean, variance, count = _Normalised.apply(x, self.weight, self.bias, self.eps, self.total)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            assert self.momentum is not None and self.running_mean is not None and self.running_var is not None
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
        return y


class _Normalised(torch.autograd.Function):
    """The batch B×C×H×W, normalised; its mean and variance, C each; how many numbers a channel has."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, total: Sum) -> tuple[Tensor, Tensor, Tensor, float]:
        variance, mean = (each.double() for each in torch.var_mean(x.to(weight.dtype), (0, 2, 3), correction=0))
        count = torch.full_like(mean, x.numel() / len(mean))
        count, mean, square = total(torch.stack((count, count * mean, count * (variance + mean**2))))
        mean, square = mean / count, square / count
        mean, variance = mean.to(weight.dtype), (square - mean**2).to(weight.dtype)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps, ctx.total, ctx.count = eps, total, count[0].item()
        ctx.mark_non_differentiable(mean, variance)
        return F.batch_norm(x, mean, variance, weight, bias, eps=eps), mean, variance, ctx.count

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """That of mean and variance held fast, less what goes through them, for which all processes are needed."""
        x, weight, mean, variance = ctx.saved_tensors
        held = (gradient, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True])
        to_x, to_weight, to_bias = torch.ops.aten.native_batch_norm_backward(*held)
        by_weight, by_bias = ctx.total(torch.stack((to_weight, to_bias)).double()).to(weight.dtype) / ctx.count
        scale = (variance + ctx.eps).rsqrt()
        through = (x - plane(mean)) * plane(weight * scale**2 * by_weight) + plane(weight * scale * by_bias)
        return to_x.sub_(through), to_weight, to_bias, None, None


def plane(numbers: Tensor) -> Tensor:
    """One number a channel, C, as 1×C×1×1."""
    return numbers.view(1, -1, 1, 1)
