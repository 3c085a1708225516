"""torchvision's models, also where its compiled part does not load: the one from PyPI asks for CUDA, beside torch for the CPU."""

from etude.targets.surroundings import without_compiled_parts

with without_compiled_parts():
    from torchvision import models

__all__ = ["models"]
