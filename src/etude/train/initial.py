"""Initial values for runs that are compared pair by pair."""

from collections import Counter

from torch import nn

from etude.data.batches import generator
from etude.models.pieces import he_weight


def draw_by_shape(network: nn.Module, seed: int) -> None:
    """Draw every weight by seed, shape and its place among those of that shape, in order of the modules, as `he_init` would.

    So networks that differ in depth, in what stands on their shortcuts, or in the order of their layers start from the same numbers
    wherever their shapes agree.
    """
    places = Counter[tuple[int, ...]]()
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            shape = tuple(module.weight.shape)
            he_weight(module, generator(seed, "initial", *shape, places[shape]))
            places[shape] += 1
