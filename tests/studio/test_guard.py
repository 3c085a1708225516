"""Nobody gets in who was not let in: each row is something that another page, another name or another program could try."""

from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the studio is an extra: pip install 'etude-cnn[studio]'")

from starlette.testclient import TestClient

from etude.cli.cell import command
from etude.studio.app import studio
from etude.studio.frame import Places
from etude.studio.guard import MEGABYTE, Door

PORT = 8517
US = f"http://127.0.0.1:{PORT}"
JSON = "application/json"


@pytest.fixture
def door() -> Door:
    return Door("127.0.0.1", PORT, "the-secret-of-this-start")


@pytest.fixture
def stranger(tmp_path: Path, door: Door) -> TestClient:
    """Somebody who has only the address."""
    return TestClient(studio(Places(tmp_path, command), door), base_url=US, follow_redirects=False)


@pytest.fixture
def owner(stranger: TestClient, door: Door) -> TestClient:
    stranger.cookies.set(door.cookie, door.secret)
    return stranger


def test_the_secret_in_the_address_opens_and_is_taken_out_of_it(stranger: TestClient, door: Door) -> None:
    answer = stranger.get("/en/?token=the-secret-of-this-start&a=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/en/?a=1")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=strict" in answer.headers["set-cookie"]
    assert stranger.get("/en/").status_code == 200
    assert door.address.startswith(f"{US}/?token=")


@pytest.mark.parametrize("path", ["/", "/en/", "/static/studio.css", "/nothing"])
@pytest.mark.parametrize("token", [None, "", "the-secret", "the-secret-of-this-start-", "\x00"])
def test_without_the_secret_there_is_nothing(stranger: TestClient, path: str, token: str | None) -> None:
    answer = stranger.get(path, params={} if token is None else {"token": token})
    assert answer.status_code == 403
    assert "etude studio" in answer.text


def test_the_secret_of_an_earlier_start_is_worth_nothing(stranger: TestClient, door: Door) -> None:
    stranger.cookies.set(door.cookie, "the-secret-of-an-earlier-start")
    assert stranger.get("/en/").status_code == 403


def test_what_leads_on_stays_here(stranger: TestClient) -> None:
    answer = stranger.get(f"{US}//evil.com/?token=the-secret-of-this-start")
    assert answer.headers["location"] == "/evil.com/"


@pytest.mark.parametrize(
    "host",
    [
        "evil.com",
        f"evil.com:{PORT}",
        f"localhost.evil.com:{PORT}",
        f"127.0.0.1.nip.io:{PORT}",
        f"127.0.0.1:{PORT}.evil.com",
        "127.0.0.1:80",
        "127.0.0.1",
        "localhost",
        f"0.0.0.0:{PORT}",
        f"10.0.0.1:{PORT}",
        f"127.0.0.1:{PORT}/?x=",
        f"a/?x=127.0.0.1:{PORT}",
        f" localhost:{PORT}",
        f"LOCALHOST:{PORT}",
        "",
    ],
)
def test_another_name_is_refused(owner: TestClient, host: str) -> None:
    assert owner.get("/en/", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_our_own_names(tmp_path: Path, door: Door, name: str) -> None:
    client = TestClient(studio(Places(tmp_path, command), door), base_url=f"http://{name}:{PORT}", cookies={door.cookie: door.secret})
    assert client.get("/en/").status_code == 200


def test_on_all_addresses_a_number_may_be_asked_for_and_no_name() -> None:
    everywhere = Door("0.0.0.0", PORT, "")
    assert everywhere.is_ours(f"192.168.1.7:{PORT}")
    for host in ("127.0.0.1", "localhost", "[::1]", "127.0.0.1:80"):
        assert Door("127.0.0.1", 80, "").is_ours(host), "which browsers say without the port"
        assert not Door("127.0.0.1", PORT, "").is_ours(host)
    assert not everywhere.is_ours(f"evil.com:{PORT}")
    assert not Door("192.168.1.7", PORT, "").is_ours(f"192.168.1.8:{PORT}")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),  # no Origin
        ({"Origin": "null"}, 403),
        ({"Origin": "https://evil.com"}, 403),
        ({"Origin": f"http://localhost:{PORT}"}, 403),  # ours, but not the one that was asked
        ({"Origin": "http://127.0.0.1:8000"}, 403),
        ({"Origin": f"{US}.evil.com"}, 403),
        ({"Origin": f"https://127.0.0.1:{PORT}"}, 403),
        ({"Origin": US, "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": US, "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": US, "Content-Type": "text/plain"}, 415),
        ({"Origin": US, "Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Origin": US, "Content-Type": "multipart/form-data"}, 415),
        ({"Origin": US, "Content-Type": ""}, 415),
        ({"Origin": US, "Sec-Fetch-Site": "same-origin"}, 404),  # came in; there is no such page
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_only_a_page_of_ours_changes_anything(owner: TestClient, method: str, headers: dict[str, str], status: int) -> None:
    answer = owner.request(method, "/en/nothing", content=b"{}", headers={"Content-Type": JSON} | headers)
    assert answer.status_code == status


def test_a_page_of_another_site_reads_nothing(owner: TestClient) -> None:
    assert owner.get("/en/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("length", [MEGABYTE + 1, 200 * MEGABYTE])
def test_a_giant_is_turned_away_before_it_has_come(owner: TestClient, length: int) -> None:
    headers = {"Content-Type": JSON, "Origin": US, "Content-Length": str(length)}
    assert owner.post("/en/nothing", content=b"", headers=headers).status_code == 413


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static/..%5capp.py", "/static//etc/passwd"]
)
def test_no_path_leads_out(owner: TestClient, path: str) -> None:
    assert owner.get(path).status_code == 404


def test_every_answer_says_what_a_browser_may_do_with_it(owner: TestClient) -> None:
    for path in ("/en/", "/static/studio.js", "/nothing"):
        headers = owner.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
