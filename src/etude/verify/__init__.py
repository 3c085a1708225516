"""Holds modules against the facts of the papers. Here `models` and `papers` meet, and nowhere below.

The room is also the verb: `etude.verify(module, against="resnet50")`.
"""

import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """A module that can be called, since room and verb have one name in the public API."""

    def __call__(self, module: Any, against: str, **how: Any) -> Any:
        from etude.verify.judge import verify

        return verify(module, against, **how)


sys.modules[__name__].__class__ = _Room
