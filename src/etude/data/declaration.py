"""What a folder of images declares itself to be: `reencoded = "cifar10"` in its dataset.toml, a known set in another encoding.

Imports nothing heavy, so that a plan can ask.
"""

from dataclasses import dataclass
from pathlib import Path

from etude.data import catalog
from etude.errors import UsageError
from etude.files import at_home
from etude.tables import build, read_toml

FILE = "dataset.toml"


@dataclass(frozen=True)
class Declaration:
    """What dataset.toml says."""

    reencoded: str


def declared(root: Path) -> str:
    """The set of the catalog that the folder is declared to be in another encoding, "" if none. Raises TableError, UsageError."""
    path = at_home(root) / FILE
    if not path.is_file():
        return ""
    row = catalog.row(build(Declaration, read_toml(path), str(path)).reencoded)
    if not row.balanced:
        known = ", ".join(row.name for row in catalog.rows() if row.balanced)
        raise UsageError(f"{path}: reencoded = {row.name!r}, whose images cannot be counted by class; expected one of {known}")
    return row.name
