"""Foreign code runs apart: whatever it does, there is one clear sentence within the limit, and nothing is left behind."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

import places
from etude.errors import EtudeError, UsageError
from etude.practice.exercises import exercise
from etude.verification import apart, bound
from etude.verification.apart import Failed, Server

LIMIT = 3.0
HOSTILE = {
    "prints": "answers ['conv']",
    "loops": "the code ran longer than the limit of 3 s and was stopped (loops.py line 9)",
    "exits": "exits.py cannot be imported: it ends the program with sys.exit(3) (exits.py line 8)…add --run-all",
    "imports": "imports.py cannot be imported: ModuleNotFoundError: No module named 'a_package_nobody_has' (line 3)",
    "syntax_error": "syntax_error.py cannot be imported: SyntaxError: expected ':' (line 6)",
    "huge": "the code needs more memory than the limit of 8192 MB (huge.py line 10)",
    "raises": "Net … KeyError: 'stage5'",
    "no_tensor": "Net … it returns a dict in which no tensor comes from its input",
}
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="what the system allows is tested where it allows most")

Call = Callable[..., Any]


@pytest.fixture(params=["direct", "server"])
def call(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Both ways to call, which must behave alike: that of macOS and Windows, and that of Linux, for which `call` starts a server too."""
    monkeypatch.setattr(apart, "FORKS", apart.FORKS and request.param == "server")
    found = request.getfixturevalue("server").call if request.param == "server" else apart.call

    def call(name: str, *, seconds: float = 30, megabytes: int = 8192, network: bool = False, **arguments: Any) -> Any:
        return found(f"called_apart:{name}", arguments, path=[places.TESTS], seconds=seconds, megabytes=megabytes, network=network)

    return call


def failure(call: Call, name: str, **arguments: Any) -> Failed:
    with pytest.raises(Failed) as caught:
        call(name, **arguments)
    return caught.value


# ── The eight files ──────────────────────────────────────────────────────────────────────────────────────────────────


@on_linux
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_gets_one_clear_answer(server: Server, tmp_path: Path, name: str) -> None:
    file = Path(shutil.copy(next(places.HOSTILE.glob(f"{name}.*")), tmp_path / f"{name}.py"))
    seconds = LIMIT if name == "loops" else 60.0  # what ends by itself may take its time
    try:
        arguments = {"target": f"{file}:Net"}
        found = f"answers {server.call('called_apart:operators', arguments, path=[places.TESTS], seconds=seconds)}"
    except EtudeError as error:
        found = str(error).removeprefix(f"{file.parent}{os.sep}")
    begun, _, ended = HOSTILE[name].partition("…")  # between them are the words of `explain`
    assert found == HOSTILE[name] or (ended and found.startswith(begun) and found.endswith(ended) and "\n" not in found)


# ── Other ends ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_calling_sys_exit_is_not_our_end(call: Call) -> None:
    error = failure(call, "leave", code=4)
    assert (error.kind, error.exit_code) == ("exit", 1)
    assert str(error).startswith("the code called sys.exit(4) (called_apart.py line ")


def test_a_process_that_ends_itself_is_quoted(call: Call) -> None:
    for code in (0, 7):
        error = failure(call, "vanish", code=code)
        assert (error.kind, str(error)) == ("died", f"the code ended its process with exit code {code}; the last it printed: nearly there")


@on_linux
def test_a_crash_is_named_and_placed(call: Call) -> None:
    error = failure(call, "crash")
    assert error.kind == "died"
    assert str(error).startswith("the code died of signal 11, Segmentation fault (called_apart.py line ")


@on_linux
def test_what_does_not_end_is_stopped_at_the_limit(call: Call) -> None:
    error = failure(call, "loop", seconds=LIMIT)
    assert error.kind == "time"
    assert str(error).startswith("the code ran longer than the limit of 3 s and was stopped (called_apart.py line ")


@on_linux
def test_memory_taken_bit_by_bit_ends_at_the_limit(call: Call) -> None:
    error = failure(call, "hoard", megabytes=400)
    assert error.kind == "memory"
    assert str(error).startswith("the code needs more memory than the limit of 400 MB (called_apart.py line ")


def test_errors_keep_their_kind(call: Call) -> None:
    with pytest.raises(UsageError, match="did you mean resnet20"):
        call("misuse")
    error = failure(call, "bug")
    assert error.kind == "bug"
    assert str(error).startswith("called_apart:bug raised KeyError: 'stage5' (called_apart.py line ")
    assert "Traceback" in error.output
    assert str(failure(call, "no_json")) == "called_apart:no_json raised TypeError: Object of type set is not JSON serializable"
    assert "has no attribute 'nothing'" in str(failure(call, "nothing"))


def test_values_come_back_whole_but_not_without_end(call: Call) -> None:
    value = {"text": "刘二大人 \ud800 \n", "numbers": [1, -0.5, 10**30], "none": None}
    assert call("echo", value=value) == value
    assert len(call("bytes_of", count=20_000_000)) == 20_000_000
    assert "at most 67,108,864 are taken" in str(failure(call, "bytes_of", count=70_000_000))


def test_what_is_printed_is_never_taken_for_an_answer(call: Call) -> None:
    assert call("forge") == "true"
    assert call("echo", value=1) == 1


def test_of_what_is_printed_the_end_is_kept(call: Call) -> None:
    error = failure(call, "shout_and_leave", megabytes_printed=30)
    assert len(error.output) <= apart.OUTPUT_BYTES
    assert "SystemExit" in error.output


@on_linux
def test_a_convolution_computes_in_both(call: Call) -> None:
    threads, *shape = call("convolve")
    assert shape == [8, 8, 3, 3]
    assert threads == int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


# ── What stays ours ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_surroundings_are_private_and_removed(call: Call, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    within = Path(server._folder).resolve() if apart.FORKS else tmp_path.resolve()
    found = call("surroundings")
    assert Path(found["folder"]).is_relative_to(within)
    assert Path(found["temporary"]) == Path(found["home"])
    assert Path(found["home"]).resolve() == Path(found["folder"])
    assert (found["arguments"], found["stdin"]) == ([], "")
    failure(call, "vanish", code=1)
    failure(call, "loop", seconds=0.5)
    assert [*tmp_path.iterdir(), *within.iterdir()] == []


def test_no_variable_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCESS_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    found = apart.call("called_apart:surroundings", {}, path=[places.TESTS])["environment"]
    ours = {"PYTHONHASHSEED", "PYTHONUTF8", "PYTHONUNBUFFERED", "CUDA_VISIBLE_DEVICES", "LC_CTYPE"}
    assert set(found) <= ours | {*apart.KEPT, "HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"}
    with Server(()) as server:
        assert "secret" not in server.call("called_apart:surroundings", {}, path=[places.TESTS])["environment"].values()


@on_linux
def test_there_is_no_network_unless_asked_for(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        call("connect", port=port, network=True)
        assert "OSError" in str(failure(call, "connect", port=port))
        refused = failure(call, "connect_where_namespaces_are_not_permitted", port=port, network=True)
        assert "no network here" in str(refused)


@on_linux
def test_nothing_is_left_behind(call: Call, tmp_path: Path) -> None:
    call("echo", value=1)
    open_files = len(list(Path("/proc/self/fd").iterdir()))
    call("leave_behind", note=str(tmp_path))
    assert all_gone(tmp_path)
    assert call("fork_and_return") > 0
    failure(call, "vanish", code=1)
    assert len(list(Path("/proc/self/fd").iterdir())) == open_files


def test_neither_side_imports_torch_for_nothing() -> None:
    program = f"""
import sys
from pathlib import Path
from etude.verification import apart
assert "torch" not in apart.call("called_apart:modules", {{}}, path=[Path({str(places.TESTS)!r})])
with apart.Server() as server:
    assert "torch" in server.call("called_apart:modules", {{}}, path=[Path({str(places.TESTS)!r})]) or sys.platform != "linux"
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# ── How it ends ──────────────────────────────────────────────────────────────────────────────────────────────────────

WITHOUT_FORKS = "apart.FORKS = False"
REFUSED = apart.BOOT.replace("{module}.", "from etude.verification import namespaces\nnamespaces.moved_to = lambda kinds: False\n{module}.")
WITHOUT_NAMESPACES = f"apart.BOOT = {REFUSED!r}"


def alive(folder: Path) -> list[str]:
    """The commands of processes that have the folder in their command line or in the environment they were started with."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
            if str(folder).encode() in command + environment:
                found.append(command.replace(b"\0", b" ").decode()[-100:])
    return found


def all_gone(folder: Path) -> bool:
    """Whether they have ended within ten seconds."""
    end = time.monotonic() + 10
    while alive(folder) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(folder)


@contextlib.contextmanager
def interrupted(folder: Path, program: Sequence[str], processes: int) -> Iterator[subprocess.Popen[bytes]]:
    """A program whose temporary files are in `folder`, in the middle: what it checks has started processes and written a note there."""
    note, environment = folder / "note", os.environ | {"TMPDIR": str(folder)}
    with subprocess.Popen([sys.executable, *program], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as us:
        while not note.exists():
            assert us.poll() is None
            time.sleep(0.01)
        assert len(alive(folder)) >= processes
        yield us


def calling(function: str, folder: Path, before: str = "") -> list[str]:
    """A program that calls a function of `called_apart`."""
    signals = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # which nohup has ignored
    arguments = {"note": str(folder / "note"), "seconds": 60}
    call = f"apart.call('called_apart:{function}', {arguments}, path=[Path({str(places.TESTS)!r})])"
    return ["-c", f"from pathlib import Path\nfrom etude.verification import apart\n{signals}\n{before}\n{call}"]


@on_linux
@pytest.mark.parametrize(
    ("before", "function", "number"),
    [
        ("", "scatter", signal.SIGINT),
        ("", "scatter", signal.SIGHUP),
        ("", "scatter", signal.SIGKILL),
        (WITHOUT_NAMESPACES, "scatter", signal.SIGINT),
        (WITHOUT_NAMESPACES, "scatter", signal.SIGKILL),
        (WITHOUT_FORKS, "sleep", signal.SIGINT),
        (WITHOUT_FORKS, "sleep", signal.SIGKILL),
    ],
)
def test_all_of_it_ends_with_us(before: str, function: str, number: int, tmp_path: Path) -> None:
    with interrupted(tmp_path, calling(function, tmp_path, before), 8 if function == "scatter" else 4) as us:
        us.send_signal(number)
        assert us.wait(60) == -number
    assert all_gone(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["note"]


@on_linux
@pytest.mark.parametrize(
    "command", [["verify", "{file}:Net", "--against", "resnet20"], ["practice", "check", "conv1x1", "--file", "{file}"]]
)
def test_all_of_it_ends_with_a_command(command: list[str], tmp_path: Path) -> None:
    file, work = tmp_path / "net.py", tmp_path / "work"
    work.mkdir()
    note = str(work / "note")
    names = f"Net = {exercise('conv1x1').callables[0]}"
    made = f"{names} = called_apart.scatter(60, {note!r})"
    file.write_text(f"import sys\nsys.path.append({str(places.TESTS)!r})\nimport called_apart\n{made}\n")
    with interrupted(work, ["-m", "etude", *(word.format(file=file) for word in command)], 8) as us:
        us.kill()
    assert all_gone(work)
    assert [file.name for file in work.iterdir()] == ["note"]


@on_linux
def test_all_of_it_ends_with_its_keeper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    note = tmp_path / "note"

    def kill(process: int) -> None:
        while not note.exists():
            time.sleep(0.01)
        os.kill(process, signal.SIGKILL)

    with Server(()) as server:
        assert server._process
        threading.Thread(target=kill, args=[server._process.pid]).start()
        with pytest.raises(Failed, match="the process for the checks has died"):
            server.call("called_apart:scatter", {"note": str(note), "seconds": 60}, path=[places.TESTS])
    assert all_gone(tmp_path)
    assert list(tmp_path.iterdir()) == [note]


@on_linux
@pytest.mark.parametrize("boot", [apart.BOOT, REFUSED], ids=["namespaces", "none"])
def test_what_a_call_leaves_ends_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, boot: str) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(apart, "BOOT", boot)
    note = tmp_path / "note"
    with Server(()) as server:
        server.call("called_apart:scatter", {"note": str(note), "seconds": 0}, path=[places.TESTS])
        assert len(alive(tmp_path)) == 2  # the keeper and the server
    assert list(tmp_path.iterdir()) == [note]


def test_windows_is_asked_to_end_all_of_a_job() -> None:
    class Limits(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION up to its flags, and what is behind them."""

        _fields_ = (
            ("times", ctypes.c_int64 * 2),
            ("flags", ctypes.c_uint32),
            ("sizes", ctypes.c_size_t * 2),
            ("processes", ctypes.c_uint32),
            ("affinity", ctypes.c_size_t),
            ("classes", ctypes.c_uint32 * 2),
            ("counters", ctypes.c_uint64 * 6),
            ("memory", ctypes.c_size_t * 4),
        )

    kernel = Mock()
    kernel.CreateJobObjectW.return_value = 7
    assert bound.job_of(kernel, 12).value == 7
    (job, kind, limits, size), _ = kernel.SetInformationJobObject.call_args
    assert (job.value, kind, size) == (7, 9, ctypes.sizeof(Limits))
    assert Limits.from_buffer_copy(limits).flags == 0x2000
    (job, process), _ = kernel.AssignProcessToJobObject.call_args
    assert (job.value, process.value) == (7, 12)


# ── The server ───────────────────────────────────────────────────────────────────────────────────────────────────────


@on_linux
def test_a_server_outlives_what_it_calls(server: Server) -> None:
    process = server._process
    assert process
    for name, arguments in (("crash", {}), ("vanish", {"code": 1}), ("sleep", {"seconds": 60}), ("deaf", {"seconds": 60})):
        with pytest.raises(Failed):
            server.call(f"called_apart:{name}", arguments, path=[places.TESTS], seconds=0.5)
        assert server.call("called_apart:echo", {"value": name}, path=[places.TESTS]) == name
    assert server._process is process
    assert process.poll() is None


@on_linux
def test_without_its_server_a_call_still_works() -> None:
    with Server(()) as server:
        assert server._process
        os.kill(server._process.pid, signal.SIGKILL)
        with pytest.raises(Failed, match="the process for the checks has died"):
            server.call("called_apart:echo", {"value": 1}, path=[places.TESTS])
        assert server.call("called_apart:echo", {"value": 1}, path=[places.TESTS]) == 1
    with pytest.raises(Failed, match="cannot start: ModuleNotFoundError: No module named"):
        Server(["etude.nothing"])


@pytest.mark.parametrize("forks", [True, False])
def test_a_call_is_stopped_from_another_thread(monkeypatch: pytest.MonkeyPatch, forks: bool) -> None:
    monkeypatch.setattr(apart, "FORKS", apart.FORKS and forks)
    with Server(()) as server:
        assert server.is_ready
        threading.Timer(0.5, server.stop).start()
        with pytest.raises(Failed) as caught:
            server.call("called_apart:sleep", {"seconds": 60}, path=[places.TESTS])
        assert caught.value.kind == "died"
        assert server.is_ready == (not apart.FORKS)
        assert server.call("called_apart:echo", {"value": 1}, path=[places.TESTS]) == 1


def test_where_nothing_can_fork_a_server_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "FORKS", False)
    with Server(["etude.nothing"]) as server:
        assert server.call("called_apart:echo", {"value": 1}, path=[places.TESTS]) == 1
