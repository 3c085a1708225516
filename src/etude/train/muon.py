"""Muon for the convolutions of small networks: momentum whose update is made orthogonal, all layers at once.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024): the momentum of a weight, seen as a matrix, is
replaced by the nearest (semi-)orthogonal one, so that every direction learns at the same rate. Newton–Schulz iterations of
X ← aX + b(XXᵀ)X + c(XXᵀ)²X do that without a decomposition.

A layer of these networks has at most a few dozen rows, and the iteration only ever mixes rows: X_k = P_k X with P_k made of
G = XXᵀ alone. So the iterations run on the small Gram matrices, padded to one size and stacked: a handful of batched products
for the whole network in place of fifteen a layer, and the long side is touched twice. See docs/performance.md.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

ITERATIONS = 5
A, B, C = 3.4445, -4.7750, 2.0315  # the coefficients of the source: they pull singular values near 1, fast rather than exactly


def orthogonalized(matrices: list[Tensor]) -> list[Tensor]:
    """Each matrix with its singular values pulled near 1 and its singular vectors kept. Float32, any shapes."""
    wide = [m if m.shape[0] <= m.shape[1] else m.T for m in matrices]
    wide = list(torch._foreach_div(wide, torch._foreach_add(torch._foreach_norm(wide), 1e-7)))
    size = max(m.shape[0] for m in wide)
    gram = wide[0].new_zeros(len(wide), size, size)
    for slot, m in zip(gram, wide, strict=True):
        rows = m.shape[0]
        torch.mm(m, m.T, out=slot[:rows, :rows])
    mix = mixing(gram)
    turned = [p[: len(m), : len(m)] @ m for p, m in zip(mix, wide, strict=True)]
    return [t if t.shape == m.shape else t.T for t, m in zip(turned, matrices, strict=True)]


def mixing(gram: Tensor) -> Tensor:
    """The row mixtures P that the iterations amount to, from the Gram matrices G (both N×R×R)."""
    identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device).expand_as(gram)
    mix = identity
    for _ in range(ITERATIONS):
        step = torch.baddbmm(gram, gram, gram, beta=B, alpha=C).add_(identity, alpha=A)
        mix = step @ mix
        gram = step @ gram @ step
    return mix


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum for weights of two or more dimensions, the first of which counts the outputs.

    lr        size of an update: the update of a rows×columns matrix has a spectral norm of about lr·√max(1, rows/columns)
    momentum  share of the old average kept at every step
    """

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if not weights:  # all are frozen
                continue
            gradients = [p.grad for p in weights if p.grad is not None]
            averages = [self._average(p) for p in weights]
            torch._foreach_lerp_(averages, gradients, 1 - group["momentum"])
            directions = torch._foreach_lerp(gradients, averages, group["momentum"])
            updates = orthogonalized([as_matrix(direction) for direction in directions])
            for weight, update in zip(weights, updates, strict=True):
                rows, columns = update.shape
                as_matrix(weight).add_(update, alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)

    def _average(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            state["average"] = torch.zeros_like(weight)
        average: Tensor = state["average"]
        return average


def as_matrix(weight: Tensor) -> Tensor:
    """outputs × everything else, as a view: a convolution's weight lies channels-last in memory, or in its own order."""
    if weight.dim() == 4 and not weight.is_contiguous():
        weight = weight.permute(0, 2, 3, 1)
    return weight.view(len(weight), -1)
