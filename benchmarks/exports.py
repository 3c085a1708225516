"""Exports every registered network at full size to ONNX and torch.export, and prints the largest differences: an hour on a quiet core.

python benchmarks/exports.py [PATTERN]      a line of JSON a network, such as "resnet*@cifar"
"""

import argparse
import json
import tempfile
from pathlib import Path

from etude.errors import EtudeError
from etude.export.card import card_of_network
from etude.export.formats import export
from etude.models import registry
from etude.models.network import Network


def differences(name: str) -> dict[str, float | str]:
    """By format, the largest difference of the largest logit, or why there is none."""
    card, found = card_of_network(Network(name)), dict[str, float | str]()
    for to in ("pt2", "onnx"):
        with tempfile.TemporaryDirectory() as folder:
            try:
                found[to] = export(card, to, Path(folder) / f"{name}.{to}").compared.difference
            except EtudeError as error:
                found[to] = str(error)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="*")
    for network in registry.names(parser.parse_args().pattern):
        print(json.dumps({"network": network, **differences(network)}), flush=True)
