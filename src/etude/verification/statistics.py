"""Which buffers are the running statistics of a normalisation that is written by hand, by the numbers of a run in eval mode."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from etude.papers import Step
from etude.verification.align import Alignment, Binding, vector
from etude.verification.interpret import Choice, Weights, compute
from etude.verification.trace import Trace


@torch.no_grad()
def find_statistics(steps: Sequence[Step], found: Alignment, evaluated: Trace, module: nn.Module) -> None:
    """Give every normalisation without mean and variance those under which its result is in a run in eval mode, as far as there are any.

    evaluated  a run in eval mode, with signatures
    """
    buffers = {id(buffer): buffer for buffer in module.buffers() if buffer.dim()}
    results: dict[int, Tensor] = {-1: evaluated.images}
    for index, step in enumerate(steps):
        inputs = [results[i] for i in step.inputs]
        if step.op == "batch_norm" and found.bindings[index].mean is None:
            for mean, variance in itertools.permutations([b for b in buffers.values() if b.numel() == step.shape[0]], 2):
                binding = with_statistics(found.bindings[index], mean, variance)
                if evaluated.has(compute(step, inputs, binding.weights(), Choice(), False)):
                    found.bindings[index] = binding
                    del buffers[id(mean)], buffers[id(variance)]
                    break
            else:
                return
        weights = found.bindings[index].weights() if index in found.bindings else Weights()
        results[index] = compute(step, inputs, weights, found.choices.get(index, Choice()), False, found.constants)


def with_statistics(binding: Binding, mean: Tensor, variance: Tensor) -> Binding:
    return replace(binding, mean=vector(mean), variance=vector(variance))
