"""A recipe's optimisers and their schedule."""

import torch
from torch import nn

from etude.train import recipe as recipes
from etude.train.muon import Muon
from etude.train.recipe import AdamW, Recipe, Sgd


def make_optimizers(recipe: Recipe, model: nn.Module, device: torch.device) -> list[torch.optim.Optimizer]:
    """The recipe's optimisers, in the form that updates all parameters in one pass where the device has it.

    Every parameter group remembers its learning rate as `peak_lr`, for `set_learning_rates`.
    """
    optimizers = _make(recipe.optimizer, model, fused=device.type in ("cpu", "cuda"))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
    return optimizers


def _make(how: Sgd | AdamW | recipes.Muon, model: nn.Module, *, fused: bool) -> list[torch.optim.Optimizer]:
    parameters = list(model.parameters())
    if isinstance(how, Sgd):
        momentum, decay = how.momentum, how.weight_decay
        return [torch.optim.SGD(parameters, how.lr, momentum, nesterov=how.nesterov, weight_decay=decay, fused=fused)]
    if isinstance(how, AdamW):
        return [torch.optim.AdamW(parameters, how.lr, how.betas, weight_decay=how.weight_decay, fused=fused)]
    convolutions = [parameter for parameter in parameters if parameter.dim() == 4]
    others = [parameter for parameter in parameters if parameter.dim() != 4]
    return [
        Muon(convolutions, how.lr, how.momentum),
        torch.optim.AdamW(others, how.adam_lr, how.adam_betas, weight_decay=0.0, fused=fused),
    ]


def set_learning_rates(optimizers: list[torch.optim.Optimizer], share: float) -> None:
    """Give every parameter group that share of its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = share * group["peak_lr"]
