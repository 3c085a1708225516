"""Where the bytes come from, the file formats, in-memory batches, augmentation.

The names below are imported on first use, so that a command that only lists data sets does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etude.data.batches import Batches, epoch_order, generator, random_flip, random_shift
    from etude.data.dataset import Dataset, Split, load
    from etude.data.sources import cache_folder, fetch, is_cached

__all__ = [
    "Batches",
    "Dataset",
    "Split",
    "cache_folder",
    "epoch_order",
    "fetch",
    "generator",
    "is_cached",
    "load",
    "random_flip",
    "random_shift",
]

_HOME = {
    "batches": ("Batches", "epoch_order", "generator", "random_flip", "random_shift"),
    "dataset": ("Dataset", "Split", "load"),
    "sources": ("cache_folder", "fetch", "is_cached"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
