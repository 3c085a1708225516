"""Etude: the classic convolutional networks, read, run, rewritten and reproduced.

    import etude

    etude.names("lecture_*")                          the networks
    model = etude.build("lecture_residual")           an nn.Module with random weights
    etude.facts("lecture_residual")                   what its paper says
    etude.graph(model, (1, 28, 28))                   the operators it runs, with shapes and cost
    etude.show("resnet20"), etude.read("resnet20")    in a notebook: what its paper says, and its source beside that
    etude.look(model, (1, 28, 28), "cost")            and what any module does
    etude.fit("lecture_residual.lecture", seed=0)     train it
    etude.load("runs/…")                              what was trained, as a module
    etude.load("lecture_residual.lecture")            what Etude brings trained
    etude.verify(model, against="resnet20")           hold anybody's module against a paper
    etude.identify(model)                             which network it is, or is nearest to
    etude.command("explain googlenet --shapes")       what that command shows, in a cell
    etude.practice.check("residual_block", MyBlock)   what is wrong with an answer to an exercise

Whatever comes back shows itself in a notebook, and in the same words on a terminal.
Nothing heavy is imported before it is used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from etude.shown import Face, Shown
from etude.version import VERSION

if TYPE_CHECKING:
    import etude.practice as practice
    from etude.cli.cell import command
    from etude.explain.graph import graph
    from etude.models.registry import build, names
    from etude.models.weights import load_torchvision
    from etude.report.notebook import look, read, show
    from etude.train.engine import fit
    from etude.train.trained import load
    from etude.verification.facts import facts_of as facts
    from etude.verification.identify import identify
    from etude.verification.judge import verify

__version__ = VERSION
__all__ = [
    "__version__",
    "build",
    "command",
    "facts",
    "fit",
    "graph",
    "identify",
    "load",
    "load_torchvision",
    "look",
    "names",
    "practice",
    "read",
    "show",
    "verify",
]

_HOMES = {
    "build": "etude.models.registry:build",
    "command": "etude.cli.cell:command",
    "facts": "etude.verification.facts:facts_of",
    "fit": "etude.report.notebook:fit",
    "graph": "etude.explain.graph:graph",
    "identify": "etude.verification.identify:identify",
    "load": "etude.train.trained:load",
    "load_torchvision": "etude.models.weights:load_torchvision",
    "look": "etude.report.notebook:look",
    "names": "etude.models.registry:names",
    "practice": "etude.practice",
    "read": "etude.report.notebook:read",
    "show": "etude.report.notebook:show",
    "verify": "etude.verification.judge:verify",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'etude' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    home = importlib.import_module(module)
    return getattr(home, attribute) if attribute else home


def __dir__() -> list[str]:
    return __all__


def _face(value: Shown) -> Face:
    face: Face = importlib.import_module("etude.report.notebook").cell_of(value)
    return face


Shown.face = staticmethod(_face)
