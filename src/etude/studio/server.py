"""Starts the studio, says where it is, and ends it."""

import asyncio
import contextlib
import errno
import importlib
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable

import uvicorn
from starlette.applications import Starlette

from etude.errors import EtudeError
from etude.studio.app import studio
from etude.studio.background import Background
from etude.studio.bench import Bench
from etude.studio.dropped import Dropped
from etude.studio.frame import Places
from etude.studio.guard import Door

TRIED = 50  # ports, from the one that was asked for


def serve(where: Places, host: str, port: int, browser: bool, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C. Raises EtudeError where no port is free."""
    with bound(host, port) as listening, contextlib.closing(Dropped()) as dropped:
        door = Door.new(host, listening.getsockname()[1])

        @contextlib.asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            say(f"The studio of {where.folder} is open: {door.address}")
            say("Whoever has this address can use it. Ctrl-C ends it.")
            if browser:
                threading.Thread(target=webbrowser.open, args=[door.address], daemon=True).start()
            threading.Thread(target=importlib.import_module, args=["torch"], daemon=True).start()  # while somebody reads the first page
            yield

        bench = Bench()
        config = uvicorn.Config(
            studio(where, door, lifespan, bench, dropped),
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(Server(config, bench).serve(sockets=[listening]))
    if task := Background.of(where.store.root).running():
        say(f"Still running: {task.command}; `etude studio` here finds it again, and can stop it.")


class Server(uvicorn.Server):
    """Ends what runs before it waits for the pages that wait for it."""

    def __init__(self, config: uvicorn.Config, bench: Bench) -> None:
        super().__init__(config)
        self.bench = bench

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.bench.close()
        await super().shutdown(sockets)


def bound(host: str, port: int) -> socket.socket:
    """A socket on that port, or on the next that is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + TRIED, 65_536)):
        listening = socket.socket(family)
        try:
            listening.bind((host, candidate))
            listening.listen()  # so that a browser which comes before the server is ready waits, and is not refused
            return listening
        except OSError as error:
            listening.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise EtudeError(f"{host}: cannot be listened on ({error.strerror}); leave out --host for this machine only") from error
    raise EtudeError(f"no port from {port} to {min(port + TRIED, 65_536) - 1} is free; choose another with --port")
