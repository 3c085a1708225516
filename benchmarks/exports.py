"""Exports every registered network at full size to ONNX and torch.export, and keeps the largest differences: hours on a quiet core.

python benchmarks/exports.py [PATTERN]      those of them, such as "resnet*@cifar", that are not in docs/records/exports.json yet
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from etude.errors import EtudeError
from etude.export.card import BATCH, Card, card_of_network, settle
from etude.export.extras import version
from etude.export.formats import export
from etude.files import write_text
from etude.models import registry
from etude.models.network import Network

RECORD = Path(__file__).parent.parent / "docs" / "records" / "exports.json"
FORMATS = ("pt2", "onnx")
CALM = ("plain110", "resnet1001")  # of whose random weights float32 tells nothing: it is a tenth of the largest logit away from float64


def compared(name: str) -> dict[str, Any]:
    """By format, the largest difference of the largest logit, or why there is none; and how far float32 is from float64, where asked."""
    card, found = card_of_network(Network(name)), dict[str, Any]()
    if name in CALM:
        calm(card)
    for to in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                done = export(card, to, Path(folder) / f"{name}.{to}").compared
            except EtudeError as error:
                found[to] = str(error)
                continue
        found |= {to: done.difference} if done.rounding is None else {to: done.difference, "rounding": done.rounding}
    return found


@torch.no_grad()
def calm(card: Card) -> None:
    """Give normalisations a bias of a tenth: less is clipped behind them, and rounding grows less from layer to layer."""
    for part in card.trained.module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.bias.fill_(0.1)
    settle(card.trained.module, torch.randn(BATCH, *card.network.input, generator=torch.Generator().manual_seed(0)))
    card.trained.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="*")
    pattern = parser.parse_args().pattern
    rows = json.loads(RECORD.read_text(encoding="utf-8"))["networks"] if RECORD.exists() else {}
    for name in registry.names(pattern):
        if name in rows and not any(isinstance(each, str) for each in rows[name].values()):
            continue
        rows[name] = compared(name)
        print(name, json.dumps(rows[name]), flush=True)
        ordered = {each: rows[each] for each in registry.names() if each in rows}
        versions = {package: version(package) for package in ("torch", "onnx", "onnxruntime")}
        write_text(RECORD, json.dumps({"command": "python benchmarks/exports.py", **versions, "networks": ordered}, indent=1) + "\n")


if __name__ == "__main__":
    main()
