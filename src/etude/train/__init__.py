"""Training: a recipe in, a run folder and its numbers out."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etude.train.loop import fit
    from etude.train.result import Progress, RunResult

__all__ = ["Progress", "RunResult", "fit"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'etude.train' has no attribute {name!r}")
    from etude.train import loop, result

    return getattr(loop if name == "fit" else result, name)
