"""The places a file of a data set may come from: a folder, an official mirror. (The package index is in wheel.py.)

Each origin yields, for the files it is asked for, `(file, bytes)` with the bytes uncompressed and checked, one file at a time, so
that what has arrived is kept when the rest does not.
"""

import hashlib
import io
import socket
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from etude.data import catalog, idx
from etude.data.catalog import File

CONNECT_SECONDS = 5  # firewalls that swallow packets would otherwise hang for minutes
READ_SECONDS = 60

Arrivals = Iterator[tuple[File, bytes]]


class Unavailable(Exception):
    """This origin cannot supply a file; the message says why in a few words."""


class Damaged(Unavailable):
    """The file is there, but it is not the official one."""


def checked(file: File, data: bytes, where: str) -> bytes:
    """The bytes of `file` from `data`; of an IDX file uncompressed. Raises Damaged if they are not bit for bit the official ones."""
    if file.size is not None:
        data = _unpacked(file.size, data, where)
    digest = hashlib.new(file.algorithm, data, usedforsecurity=False).hexdigest()
    if digest != file.digest:
        name = {"md5": "MD5", "sha256": "SHA-256"}[file.algorithm]
        raise Damaged(f"{where}: {len(data):,} bytes of {name} {digest[:12]}…{_owner(digest)}, expected {file.digest[:12]}…")
    return data


def _unpacked(size: int, data: bytes, where: str) -> bytes:
    try:
        data = idx.gunzip(data, limit=size + 1)
    except ValueError as error:
        raise Damaged(f"{where}: {error}, expected {size:,} bytes of IDX in it") from error
    if len(data) != size:
        found = f"{len(data):,}" if len(data) < size else f"more than {size:,}"
        raise Damaged(f"{where}: {found} bytes uncompressed, expected {size:,}")
    return data


def _owner(digest: str) -> str:
    """Which set a digest belongs to: MNIST and Fashion-MNIST use the same file names, and are easily mixed up."""
    official = ((row.name, file) for row in catalog.rows() for form in row.forms for file in form.files)
    return next((f" (the file of {name})" for name, file in official if file.digest == digest), "")


def from_folders(files: Sequence[File], folders: Sequence[Path]) -> Arrivals:
    """From local folders, the first that has the file, under any of its spellings.

    Every file that is there is checked before the first absent one is reported, for a damaged file is worth more to know about.
    Raises Damaged or Unavailable.
    """
    absent = []
    for file in files:
        path = find(file, folders)
        if path is None:
            absent.append(file.name)
        else:
            yield file, checked(file, _read(path), str(path))
    if absent:
        raise Unavailable("none of the files there" if len(absent) == len(files) else f"no {' or '.join(absent)} there")


def find(file: File, folders: Sequence[Path]) -> Path | None:
    """The file in the first of the folders that has it. Raises Damaged where one cannot be read."""
    spellings = [file.name]
    if file.shape:
        spellings = [name + ending for name in (file.name, file.name.replace("-idx", ".idx")) for ending in ("", ".gz")]
    candidates = (folder / name for folder in folders for name in spellings)
    try:
        return next((path for path in candidates if path.is_file()), None)
    except OSError as error:
        raise Damaged(f"{error.filename or folders[-1]}: cannot be read ({error.strerror})") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Damaged(f"{path}: cannot be read ({error.strerror})") from error


def from_mirror(files: Sequence[File], address: str) -> Arrivals:
    """From an official mirror, over HTTP. Its first failure ends it, so a dead mirror costs one time-out. Raises Unavailable."""
    _check_connection(address)
    for file in files:
        name = file.name + (".gz" if file.shape else "")
        yield file, checked(file, _download(address + name), name)


def _check_connection(address: str) -> None:
    """Give up a host within the time-out, however many addresses it has: below, each of them would get the whole of it."""
    if urllib.request.getproxies():
        return  # the proxy connects, not we
    url = urllib.parse.urlsplit(address)
    deadline = time.monotonic() + CONNECT_SECONDS
    error: OSError = OSError()
    try:
        found = socket.getaddrinfo(url.hostname, url.port or url.scheme, type=socket.SOCK_STREAM)
    except OSError as unknown:
        raise Unavailable("host name not found (offline?)") from unknown
    for family, kind, protocol, _, where in found:
        with socket.socket(family, kind, protocol) as connection:
            connection.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                return connection.connect(where)
            except OSError as refused:
                error = refused
        if time.monotonic() > deadline:
            break
    words = f"no connection within {CONNECT_SECONDS} s" if isinstance(error, TimeoutError) else "cannot connect"
    raise Unavailable(words) from error


def _download(url: str) -> bytes:
    from pooch import HTTPDownloader  # slow to import, seldom needed

    download = HTTPDownloader(chunk_size=1 << 16, timeout=(CONNECT_SECONDS, READ_SECONDS))
    body = io.BytesIO()
    try:
        download(url, body, None)
    except OSError as error:  # the base of everything that requests raises
        raise Unavailable(_in_short(error)) from error
    return body.getvalue()


def _in_short(error: OSError) -> str:
    """A few words for an error of requests, whose own text is a page."""
    kind = type(error).__name__
    if kind == "HTTPError":
        return f"HTTP {getattr(getattr(error, 'response', None), 'status_code', 'error')}"
    if kind == "ConnectionError" and "resolve" in str(error):
        return "host name not found (offline?)"
    words = {
        "ConnectTimeout": f"no connection within {CONNECT_SECONDS} s",
        "ReadTimeout": f"no answer within {READ_SECONDS} s",
        "SSLError": "its TLS certificate is not accepted",
        "ProxyError": "the proxy does not let it through",
        "ConnectionError": "cannot connect",
        "ChunkedEncodingError": "the connection broke off",
    }
    return words.get(kind, kind)
