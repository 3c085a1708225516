"""Requests that no page makes: an address that is none, and a client that leaves in the middle."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the studio is an extra: pip install 'etude-cnn[studio]'")

from starlette.testclient import TestClient

LEAVES = {"type": "http.disconnect"}


def answered(client: TestClient, method: str, path: str, messages: Sequence[dict[str, Any]]) -> tuple[int, bytes]:
    """Status and body of the answer to what a server has received; what it raises is a bug."""
    given, sent = iter(messages), list[Any]()
    built = client.build_request(method, "/", headers={"Content-Type": "application/json"}).headers.raw
    headers = [(name.lower(), value) for name, value in built]
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "scheme": "http", "query_string": b"", "headers": headers}

    async def receive() -> dict[str, Any]:
        return next(given)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(client.app(scope, receive, send))  # type: ignore[arg-type]
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def test_a_client_that_leaves_is_no_fault_of_ours(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    begun = {"type": "http.request", "body": b"{", "more_body": True}
    for path in ("/en/training/start", "/en/digit/look", "/en/lessons/1-conv1x1/run", "/en/networks/own/file"):
        assert answered(client, "POST", path, [begun, LEAVES]) == (400, b"")
    assert capsys.readouterr().err == ""


def test_an_address_that_is_no_path_is_not_there(client: TestClient) -> None:
    """HTTP has it for a server as a whole."""
    assert answered(client, "GET", "*", [LEAVES])[0] == 404
