"""Who may talk to the studio: the first layer, which every request passes. It knows no page.

A page of another site can make a browser send requests here, and a name of its own can be made to lead here (DNS rebinding). So the
Host must be ours to the letter; a request needs the secret, which is in the address that the terminal prints and then in a cookie;
what changes anything must come from a page of ours and carry a type that no form of another site can send.

Not protected: whoever runs as the same user can read the secret, and the learner's own code has the learner's rights
(`verification/apart.py` says what limits it).
"""

import hmac
import ipaddress
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEGABYTE = 2**20
LARGEST = {"application/json": MEGABYTE, "application/octet-stream": 20 * MEGABYTE}  # of a body, by its type
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Door:
    """Where the studio is reached.

    host    the address that it is bound to: this machine only, unless somebody asked for another
    secret  which opens it; new at every start
    """

    host: str
    port: int
    secret: str

    @classmethod
    def new(cls, host: str, port: int) -> "Door":
        return cls(host, port, secrets.token_urlsafe(32))

    @property
    def address(self) -> str:
        """To be opened in a browser."""
        host = LOOPBACK[0] if self.host in ("0.0.0.0", "::") else f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/?token={self.secret}"

    @property
    def cookie(self) -> str:
        """Cookies know no ports: two studios must not lock each other out."""
        return f"etude-{self.port}"

    def is_ours(self, host: str) -> bool:
        """Whether a Host header names us, to the letter. On all addresses of a machine no name can be checked, but a number can."""
        name, _, port = host.rpartition(":") if re.search(r":\d+$", host) else (host, "", "80")  # which browsers leave out
        if port != str(self.port):
            return False
        if name in LOOPBACK or name.strip("[]") == self.host:
            return True
        return self.host in ("0.0.0.0", "::") and is_number(name.strip("[]"))

    def opens(self, secret: str | None) -> bool:
        return secret is not None and hmac.compare_digest(secret.encode(), self.secret.encode())


def is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Guard:
    """Lets through what may come in, and says no to everything else in one line."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app, self.door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self.http(scope, receive, send)
        else:  # sockets: there are none here
            await send({"type": "websocket.close", "code": 1008})

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *((name.lower().encode(), value.encode()) for name, value in HEADERS.items())]
            await send(message)

        headers = Headers(scope=scope)
        if answer := self.refusal(scope, headers):
            await answer(scope, receive, guarded)
            return
        await self.app(scope, limited(receive, LARGEST.get(kind(headers), 0)), guarded)

    def refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """What is answered in place of a page; None for a request that may come in."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self.door.is_ours(hosts[0]):
            return refused(f"this studio is {self.door.host}:{self.door.port}, not {', '.join(hosts) or 'nameless'}")
        reads = scope["method"] in ("GET", "HEAD")
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if reads and "token" in query:
            return self.opened(scope["path"], query) if self.door.opens(query["token"]) else locked()
        if not self.door.opens(cookie(headers, self.door.cookie)):
            return locked()
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return refused("a page of another site asked for this")
        return None if reads else self.unlike_ours(headers, hosts[0])

    def unlike_ours(self, headers: Headers, host: str) -> Response | None:
        """What is answered to a change that no page of ours can have asked for."""
        if headers.getlist("origin") != [f"http://{host}"]:
            return refused(f"only a page of this studio may change anything, not one of {headers.get('origin', 'nowhere')}")
        if kind(headers) not in LARGEST:
            return PlainTextResponse(f"expected {' or '.join(LARGEST)}, found {kind(headers) or 'no type'}\n", 415)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > LARGEST[kind(headers)]:
            return PlainTextResponse(too_large(LARGEST[kind(headers)]) + "\n", 413, {"Connection": "close"})
        return None

    def opened(self, path: str, query: Mapping[str, str]) -> Response:
        """Leads to the same page without the secret in its address."""
        rest = urlencode({key: value for key, value in query.items() if key != "token"})
        answer = RedirectResponse(f"/{path.lstrip('/')}{'?' if rest else ''}{rest}", 303)
        answer.set_cookie(self.door.cookie, self.door.secret, httponly=True, samesite="strict", path="/")
        return answer


def kind(headers: Headers) -> str:
    """The type of a body, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def cookie(headers: Headers, name: str) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return found.value if found else None


def limited(receive: Receive, most: int) -> Receive:
    """The same, until more bytes have come than there may be: what a request says of its length need not be true."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise HTTPException(413, too_large(most))
        return message

    return counted


def too_large(most: int) -> str:
    return f"too large: at most {most // MEGABYTE} MB"


def refused(why: str) -> Response:
    return PlainTextResponse(f"refused: {why}\n", 403)


def locked() -> Response:
    """To somebody without the secret, or with that of an earlier start."""
    texts = (
        "This studio is locked. Open the address that `etude studio` has printed in the terminal; it is a new one at every start.",
        "此页面已锁定。请打开 `etude studio` 在终端里显示的地址；每次启动，地址都会更新。",
    )
    return PlainTextResponse("\n".join(texts) + "\n", 403)
