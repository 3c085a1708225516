"""Where the code of a source lies so that it can be judged: a package in an environment of its own, a repository in a checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from etude.audit.implementations import Repository, Source
from etude.errors import EtudeError
from etude.files import write_text

OURS = Path(__file__).parents[2]
SECONDS = 3600.0  # for one command; a slow line is to change no verdict


class Unavailable(EtudeError):
    """A source cannot be had; the message says why, in one line."""


@dataclass(frozen=True)
class Place:
    """python: the one that finds the code and us; code: the folder from which its files are named, and in which it runs."""

    python: Path
    code: Path


def place_of(source: Source, folder: Path) -> Place:
    """The code of a source, got into `folder` unless it is there already. Raises Unavailable."""
    python, packages = Path(sys.executable), folder
    if source.installs:
        python, packages = environment(source.installs, folder / "environment")
    return Place(python, checkout(source, folder / "code") if isinstance(source, Repository) else packages)


def environment(installs: tuple[str, ...], folder: Path) -> tuple[Path, Path]:
    """An environment with these packages and no others of its own: its Python, and where they lie. Raises Unavailable.

    What it has not, it finds where we do: torch, which is large, and Etude. A file `.pth` says so, which works on every system, also
    where we are in an environment ourselves; it is written last, so that pip does not take what is ours for its own.
    """
    python, packages = _paths(folder)
    done, wanted = folder / "installed.txt", "\n".join((sys.version, *installs))
    if not (done.is_file() and done.read_text(encoding="utf-8") == wanted):
        shutil.rmtree(folder, ignore_errors=True)
        run(sys.executable, "-m", "venv", str(folder))
        run(str(python), "-m", "pip", "install", "--no-deps", "--no-input", "--disable-pip-version-check", *installs)
        write_text(done, wanted)
    ours = [str(OURS), *(path for path in sys.path if Path(path).is_absolute())]
    write_text(packages / "etude.pth", "".join(f"{path}\n" for path in ours))
    return python, packages


def _paths(folder: Path) -> tuple[Path, Path]:
    """The Python of an environment, and the folder of its packages."""
    base = {"base": str(folder), "platbase": str(folder)}
    name = "python.exe" if os.name == "nt" else "python"
    return Path(sysconfig.get_path("scripts", "venv", base)) / name, Path(sysconfig.get_path("purelib", "venv", base))


def checkout(source: Repository, folder: Path) -> Path:
    """The files of a repository at its revision. Raises Unavailable.

    Of that revision alone what is Python: many keep weights and pictures beside it. Whoever has a mirror tells git
    (`url.….insteadOf`).
    """
    done = folder.with_name("revision.txt")
    if done.is_file() and done.read_text(encoding="utf-8") == source.revision:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    run("git", "init", "--quiet", str(folder))
    run("git", "-C", str(folder), "remote", "add", "origin", source.repository)
    run("git", "-C", str(folder), "sparse-checkout", "set", "--no-cone", "*.py", "*.ipynb")
    run("git", "-C", str(folder), "fetch", "--quiet", "--depth", "1", "--filter", "blob:none", "origin", source.revision)
    run("git", "-C", str(folder), "checkout", "--quiet", "--detach", "FETCH_HEAD")
    write_text(done, source.revision)
    return folder


def run(*command: str) -> None:
    """Raises Unavailable with what the command said last where it fails, where it does not end, or where it is not there."""
    short = f"`{Path(command[0]).name} {' '.join(command[1:4])} …`"
    try:
        done = subprocess.run(
            command,
            env=os.environ | unasked(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise Unavailable(f"{command[0]} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{short} did not end within {SECONDS:g} s") from error
    if done.returncode:
        said = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        errors = [line for line in said if line.lower().startswith(("error", "fatal"))]
        raise Unavailable(f"{short} failed: {(errors or said or ['it says nothing'])[-1]}")


def unasked() -> dict[str, str]:
    """What keeps git from asking for a name or a password, which it does at the terminal whatever its standard input is.

    GitHub asks for them where a repository is not there.
    """
    return {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": "", "GCM_INTERACTIVE": "never"}
