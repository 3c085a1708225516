"""torchvision's models, also where its compiled part does not load: the one from PyPI asks for CUDA, beside torch for the CPU.

Its Python part then stops at the first operator that it wants to describe to torch. Those it asks for are declared here; the models
use none of them.
"""

import importlib.util
from pathlib import Path

import torch


def compiled_part_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    try:
        torch.ops.load_library(str(next(file for name in ("_C.so", "_C.pyd") if (file := folder / name).exists())))
    except (OSError, StopIteration):
        return False
    return True


if not compiled_part_loads():
    library = torch.library.Library("torchvision", "FRAGMENT")  # its operators are there for as long as it is
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from torchvision import models  # noqa: E402

__all__ = ["models"]
