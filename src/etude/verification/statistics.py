"""Which buffers are the running statistics of a normalisation, by the numbers of a run in eval mode: one by hand does not say."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from etude.papers import Step
from etude.verification.align import Alignment, Binding, result_of, vector
from etude.verification.interpret import Choice, compute
from etude.verification.trace import Trace

MOST = 1_000  # pairs of buffers that are tried for one normalisation


@torch.no_grad()
def find_statistics(steps: Sequence[Step], found: Alignment, evaluated: Trace, module: nn.Module) -> None:
    """Give every normalisation the mean and variance under which its result is in a run in eval mode; up to the first that is left without.

    evaluated  a run in eval mode, with signatures
    """
    homes = {id(parameter): home(name) for name, parameter in module.named_parameters()}
    free = {name: buffer for name, buffer in module.named_buffers() if buffer.dim()}
    results: dict[int, Tensor] = {-1: evaluated.images}
    for index, step in enumerate(steps):
        if step.side:
            continue
        if step.op == "batch_norm":
            inputs = [results[i] for i in step.inputs]
            binding = found.bindings[index]
            vectors = {name: buffer for name, buffer in free.items() if buffer.numel() == step.shape[0]}
            own = [name for name in vectors if home(name) == homes.get(binding.uses[0])]
            pairs = itertools.chain(itertools.permutations(own, 2), itertools.permutations(vectors, 2))
            tried = ((pair, with_statistics(binding, *(vectors[name] for name in pair))) for pair in itertools.islice(pairs, MOST))
            for pair, one in itertools.chain([((), binding)] if binding.mean else [], tried):
                if evaluated.has(compute(step, inputs, one.weights(), Choice(), False)):
                    found.bindings[index] = one
                    free = {name: buffer for name, buffer in free.items() if name not in pair}
                    break
            if found.bindings[index].mean is None:
                return
        results[index] = result_of(index, step, results, found, training=False)


def with_statistics(binding: Binding, mean: Tensor, variance: Tensor) -> Binding:
    return replace(binding, mean=vector(mean), variance=vector(variance))


def home(name: str) -> str:
    """The module of a parameter or buffer."""
    return name.rpartition(".")[0]
