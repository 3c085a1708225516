"""Where somebody's code runs for the studio: apart, one piece of work at a time, each once, to be stopped at any time."""

import functools
import hashlib
import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from etude.errors import EtudeError
from etude.files import whole_file
from etude.verification.apart import Server

State = Literal["waiting", "running", "done", "failed", "stopped"]
KEPT, MOST_WAITING = 64, 8
LARGEST = 2**20  # bytes of source
SUFFIXES = (".py", ".ipynb")
MODULES = ("etude.verification.request", "etude.views.own", "etude.views.reading")  # which the process has imported before it is asked


class Piece:
    """A piece of work: a function that runs apart.

    value    what it gave, once it is done; `message` says why it failed
    """

    def __init__(self, function: str, arguments: Mapping[str, Any], seconds: float, megabytes: int) -> None:
        self.function, self.arguments, self.seconds, self.megabytes = function, arguments, seconds, megabytes
        self.state: State = "waiting"
        self.value: Any = None
        self.message = ""
        self.ended = threading.Event()

    def end(self, state: State, value: Any = None, message: str = "") -> None:
        """The first end counts: what was stopped stays so."""
        if not self.ended.is_set():
            self.state, self.value, self.message = state, value, message
            self.ended.set()


class Bench:
    """All pieces of this studio by what they are of, and the files that were dropped, in a folder that goes when the studio ends."""

    def __init__(self) -> None:
        self.pieces: OrderedDict[Any, Piece] = OrderedDict()
        self.known, self.turn = threading.Lock(), threading.Lock()
        self.server: Server | None = None
        self.closed = False

    def piece(self, key: Any, work: Piece) -> Piece:
        """What is known by that key; else `work`, which begins when its turn comes. Raises EtudeError where too many wait."""
        with self.known:
            if key in self.pieces:
                self.pieces.move_to_end(key)
                return self.pieces[key]
            if sum(not one.ended.is_set() for one in self.pieces.values()) >= MOST_WAITING:
                raise EtudeError(f"{MOST_WAITING} networks wait for their turn; stop one of them, or try again later")
            self.pieces[key] = work
            while len(self.pieces) > KEPT and (old := next((one for one, piece in self.pieces.items() if piece.ended.is_set()), None)):
                del self.pieces[old]
        threading.Thread(target=self.run, args=[work], daemon=True).start()
        return work

    def run(self, work: Piece) -> None:
        """In its turn, in the process that waits for it, unless it was stopped before."""
        with self.turn:
            if work.ended.is_set():
                return
            work.state = "running"
            server = None
            try:
                self.server = server = self.server or Server(MODULES)
                if not work.ended.is_set():
                    work.end("done", server.call(work.function, work.arguments, seconds=work.seconds, megabytes=work.megabytes))
            except EtudeError as error:
                work.end("failed", message=str(error))
            except Exception as error:
                work.end("failed", message=f"{type(error).__name__}: {error}")
                raise
            finally:
                if server and (self.closed or self.server is not server):  # which was stopped with its work
                    server.close()

    def stop(self, key: Any) -> None:
        """Nothing of it runs any more."""
        work = self.pieces.get(key)
        if work is None or work.ended.is_set():
            return
        running = work.state == "running"
        work.end("stopped")
        if running and (server := self.server):
            self.server = None
            server.stop()

    def forget(self, key: Any) -> None:
        """So that it is done again when it is asked for."""
        with self.known:
            if key in self.pieces and self.pieces[key].ended.is_set():
                del self.pieces[key]

    def close(self) -> None:
        """End what runs, also a process that is still being made, and remove what was dropped."""
        self.closed = True
        for key in list(self.pieces):
            self.stop(key)
        if self.server and self.turn.acquire(timeout=1):
            self.server.close()
        if "folder" in vars(self):
            self.folder.cleanup()

    # ── Files that were dropped ──────────────────────────────────────────────────────────────────────────────────────

    @functools.cached_property
    def folder(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="etude-studio-")

    def keep(self, name: str, content: bytes) -> str:
        """The digest under which a file that somebody dropped is found again. Raises EtudeError for what is no script or too large."""
        safe = re.sub(r"[^\w.-]+", "_", Path(name.replace("\\", "/")).name)[-80:].lstrip(".")
        if not safe.endswith(SUFFIXES):
            raise EtudeError(f"{safe or 'a file without a name'}: expected a script (.py) or a notebook (.ipynb)")
        if len(content) > LARGEST:
            raise EtudeError(f"{safe}: {len(content):,} bytes, expected at most {LARGEST:,}")
        digest = hashlib.sha256(safe.encode() + b"\0" + content).hexdigest()[:16]
        with whole_file(Path(self.folder.name, digest, safe)) as temporary:
            temporary.write_bytes(content)
        return digest

    def kept(self, digest: str) -> Path:
        """The file of a digest. Raises EtudeError where it was dropped into another studio, or into an earlier one."""
        there = Path(self.folder.name, digest) if re.fullmatch("[0-9a-f]{16}", digest) else None
        file = next((one for one in there.iterdir() if not one.name.startswith(".")), None) if there and there.is_dir() else None
        if file is None:
            raise EtudeError("this file is here no more: files that are dropped are kept until the studio ends; drop it again")
        return file
