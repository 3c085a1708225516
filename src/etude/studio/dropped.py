"""Files that somebody drops into the studio, in a folder that goes when the studio ends."""

import functools
import hashlib
import re
import tempfile
from pathlib import Path

from etude.errors import EtudeError
from etude.files import whole_file

LARGEST = 2**20  # bytes of source
SUFFIXES = (".py", ".ipynb")


class Dropped:
    """Each by the digest of its name and its content."""

    @functools.cached_property
    def folder(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="etude-studio-")

    def keep(self, name: str, content: bytes) -> str:
        """The digest under which a file is found again. Raises EtudeError for what is no script or too large."""
        safe = re.sub(r"[^\w.-]+", "_", Path(name.replace("\\", "/")).name)[-80:].lstrip(".")
        if not safe.endswith(SUFFIXES):
            raise EtudeError(f"{safe or 'a file without a name'}: expected a script (.py) or a notebook (.ipynb)")
        if len(content) > LARGEST:
            raise EtudeError(f"{safe}: {len(content):,} bytes, expected at most {LARGEST:,}")
        digest = hashlib.sha256(safe.encode() + b"\0" + content).hexdigest()[:16]
        with whole_file(Path(self.folder.name, digest, safe)) as temporary:
            temporary.write_bytes(content)
        return digest

    def file(self, digest: str) -> Path:
        """The file of a digest. Raises EtudeError where it was dropped into another studio, or into an earlier one."""
        there = Path(self.folder.name, digest) if re.fullmatch("[0-9a-f]{16}", digest) else None
        file = next((one for one in there.iterdir() if not one.name.startswith(".")), None) if there and there.is_dir() else None
        if file is None:
            raise EtudeError("this file is here no more: files that are dropped are kept until the studio ends; drop it again")
        return file

    def close(self) -> None:
        if "folder" in vars(self):
            self.folder.cleanup()
