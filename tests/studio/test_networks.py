"""The room Networks: every network there is, one to walk through, and somebody's own, whatever is in the file."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

pytest.importorskip("starlette", reason="the studio is an extra: pip install 'etude-cnn[studio]'")

from httpx2 import Response
from starlette.testclient import TestClient

from etude.cli.cell import command
from etude.models import registry
from etude.studio.app import studio
from etude.studio.bench import Bench
from etude.studio.dropped import LARGEST
from etude.studio.frame import Places
from etude.studio.guard import Door
from etude.verification.apart import Server
from etude.views.own import Own, look
from etude.views.walk import walk

US = "http://127.0.0.1:8517"
FOREIGN = Path(__file__).parents[1] / "foreign"
OWN = {"net.py": "departs/lecture_residual_no_bias.py", "two.py": "../scripts/two_networks.py", "net.ipynb": "../scripts/lecture.ipynb"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[TestClient]:
    """Whoever is let in, in a folder with some networks; foreign code runs in one process for all tests."""
    outside = tmp_path_factory.mktemp("outside")
    folder = outside / "folder"
    folder.mkdir()
    for name, file in OWN.items():
        shutil.copy(FOREIGN / file, folder / name)
    (outside / "secret.py").write_text("raise SystemExit")
    (folder / "link.py").symlink_to(outside / "secret.py")
    door = Door("127.0.0.1", 8517, "secret")
    bench = Bench(lambda: server)
    guarded: Any = studio(Places(folder, command), door, bench=bench)
    yield TestClient(guarded, base_url=US, cookies={door.cookie: door.secret}, headers={"Origin": US, "Accept": "application/json"})
    bench.server = None  # which is not its own to end
    bench.close()
    guarded.app.state.dropped.close()


def data_of(page: str) -> Any:
    """What the page has for its script."""
    found = re.search('<script type="application/json" id="walk-data">(.*?)</script>', page, re.DOTALL)
    return found and json.loads(found[1])


def drop(client: TestClient, name: str, content: str | bytes) -> Response:
    kind = {"Content-Type": "application/octet-stream"}
    return client.post(f"/en/networks/own/file?name={quote(name)}", content=content, headers=kind)


def settled(client: TestClient, address: str) -> str:
    """The page when nothing of it is being done any more."""
    page = client.get(address).text
    while "data-working" in page:
        time.sleep(0.05)
        page = client.get(address).text
    return page


# ── Those that are registered ────────────────────────────────────────────────────────────────────────────────────────


def test_all_networks_with_what_they_cost(client: TestClient) -> None:
    page = client.get("/en/networks/").text
    assert re.findall(r'<tr data-name="(\S+)', page) == list(registry.names())
    assert "25,557,032" in page
    assert "按名称筛选" in client.get("/zh/networks/").text


@pytest.mark.parametrize("name", ["resnet152", "densenet264", "googlenet", "preact_resnet110", "lecture_inception"])
def test_every_operator_has_a_stop_and_every_box_an_operator_of_one(client: TestClient, name: str) -> None:
    page = client.get(f"/zh/networks/{quote(name)}").text
    found = data_of(page)
    leaves = [index for stop in found["stops"] if not stop["blocks"] for index in stop["operators"]]
    assert sorted(leaves) == list(range(len(found["paths"])))
    assert len({stop["key"] for stop in found["stops"]}) == len(found["stops"])
    drawn = {int(node) for nodes in re.findall('data-nodes="([0-9 ]+)"', page) for node in nodes.split()}
    told = {int(node) for node in re.findall('data-operator="([0-9]+)"', page)}
    assert drawn == told, "what is drawn is told, and nothing else"


def test_what_is_told_of_a_block(client: TestClient) -> None:
    page = client.get("/en/networks/resnet50?shortcut=A").text
    block = page[page.index("<h2>conv3_x.0</h2>") :].split('<div class="stop"')[0]
    for told in ("256×56×56 → 512×28×28", "51×51", "zero channels", "section 4.1", "option_a: identity, padded with zeros"):
        assert told in block
    assert "etude explain resnet50 --set shortcut=A --diagram resnet50.svg" in page
    assert "×5" in page[page.index("Blocks alike are drawn once") :][:1000]


def test_the_source_says_which_operators_run_in_it(client: TestClient) -> None:
    passages = client.get("/en/networks/resnet20/source").json()["passages"]
    block = next(one for one in passages if "class BasicBlock" in re.sub("<.*?>", "", one["html"]))
    paths = data_of(client.get("/en/networks/resnet20").text)["paths"]
    assert [path for path, _ in block["uses"]] == [f"conv{stage}_x.{unit}" for stage in (2, 3, 4) for unit in range(3)]
    assert all(paths[index].startswith(path) for path, operators in block["uses"] for index in operators)
    assert 'data-line="' in block["html"]


@pytest.mark.parametrize(
    ("address", "status", "told"),
    [
        ("nonet", 404, "no model `nonet`"),
        ("resnet20?shortcut=Q", 200, "shortcut in ("),
        ("resnet20?colour=red", 200, "no `colour`"),
        ("resnet20?depth=100000", 404, "at most 2,000"),
        ("resnet20?depth=1e9999", 404, "at most 2,000"),
        ("resnet18?units=[1,1,1,9999]", 404, "at most 2,000"),
        ("resnet20?a.b(=1", 404, "--set"),
        ("resnet20?shortcut=<script>alert(1)</script>", 200, "&lt;script&gt;"),
        ("..%2f..%2fetc%2fpasswd", 404, ""),
    ],
)
def test_addresses_that_mean_nothing(client: TestClient, address: str, status: int, told: str) -> None:
    found = client.get(f"/en/networks/{address}", headers={"Accept": "text/html"})
    assert found.status_code == status
    assert told in found.text
    assert "<script>alert" not in found.text


def test_somebodys_own_is_drawn_whatever_it_is_held_against(tmp_path: Path) -> None:
    """The image of the other network is only tried first."""
    file = shutil.copy(FOREIGN / "faithful" / "lecture_residual_conv_linear.py", tmp_path)
    found = Own.from_dict(json.loads(json.dumps(look(str(file), None, [3, 224, 224]))))
    assert found.graph.input == (1, 28, 28)
    assert sum(len(stop.lines) for stop in walk(found.graph)) == len(found.graph.nodes)


def test_lines_are_counted_as_python_counts_them(tmp_path: Path) -> None:
    """A page break and what Unicode takes for the end of a line are none."""
    source = "# a\fb\x0bc\u2028d\nfrom torch import nn\n\n\nclass Net(nn.Sequential):\n    def __init__(self):\n"
    (tmp_path / "net.py").write_text(f"{source}        super().__init__(nn.Flatten(), nn.Linear(12, 10))\n", encoding="utf-8")
    found = Own.from_dict(json.loads(json.dumps(look(str(tmp_path / "net.py"), (3, 2, 2)))))
    assert [(one.line, one.text.split("\n")[0]) for one in found.passages] == [(5, "class Net(nn.Sequential):")]


# ── One's own ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_looked_at_and_held_against_its_network(client: TestClient) -> None:
    address = drop(client, "net.py", (FOREIGN / OWN["net.py"]).read_bytes()).json()["address"]
    page = settled(client, address)
    assert data_of(page)["paths"]
    assert client.get(address.replace("?", "/source?")).json()["passages"]
    page = settled(client, f"{address.replace('/en/', '/zh/')}&against=lecture_residual")
    assert "与论文不一致" in page
    marks = re.findall('data-marks="([0-9 ]+)"', page)
    drawn = {node for nodes in re.findall('data-nodes="([0-9 ]+)"', page) for node in nodes.split()}
    assert marks
    assert {node for nodes in marks for node in nodes.split()} <= drawn
    assert re.search(r'href="/zh/networks/lecture_residual#\w', page)
    assert "etude verify net.py --against lecture_residual" in page


def test_of_a_file_of_the_folder_one_network_is_chosen(client: TestClient) -> None:
    address = client.post("/en/networks/own/target", json={"target": "two.py"}).json()["address"]
    names = re.findall(r'href="\?target=two\.py%3A(\w+)"', settled(client, address))
    assert len(names) > 1
    assert data_of(settled(client, f"/en/networks/own?target=two.py:{names[0]}"))


def test_lines_of_a_notebook_are_those_of_its_cells(client: TestClient) -> None:
    assert "etude explain net.ipynb --input 1x28x28 --diagram net.svg" in settled(client, "/en/networks/own?target=net.ipynb")
    passages = client.get("/en/networks/own/source?target=net.ipynb").json()["passages"]
    assert 'data-file="net.ipynb, cell 3"' in passages[0]["html"]
    assert 'data-line="1"' in passages[0]["html"]


def test_a_name_leads_to_the_registered_network(client: TestClient) -> None:
    answer = client.post("/en/networks/own/target", json={"target": "resnet20(depth=8)"})
    assert answer.json()["address"] == "/en/networks/resnet20?depth=8"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("class Net(:\n", "line 1"),
        ("import torch\nclass Net(torch.nn.Module):\n    def __init__(self):\n        raise RuntimeError('no <b>')\n", "no <b>"),
        (b"\x00\xff\xfe\x80PNG", "cannot be imported"),
        ("x = 1\n", "There is no network in this file"),
        ("-" * 100_000 + "1", "own"),
        ("import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        return x.nothing\n", "nothing"),
        ("import torch, os\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        os._exit(3)\n", "exit code 3"),
    ],
)
def test_files_that_are_no_network(client: TestClient, content: str | bytes, told: str) -> None:
    page = settled(client, drop(client, "net.py", content).json()["address"])
    assert data_of(page) is None
    assert told in page.replace("&lt;", "<").replace("&gt;", ">")
    assert "<b>" not in page
    assert "/tmp" not in page


@pytest.fixture
def mortal(client: TestClient) -> Iterator[None]:
    """What is stopped here is a process of its own."""
    guard: Any = client.app
    shared, guard.app.state.bench = guard.app.state.bench, Bench(lambda: Server(["torch"]))
    yield
    guard.app.state.bench.close()
    guard.app.state.bench = shared


@pytest.mark.usefixtures("mortal")
def test_what_loops_is_stopped_and_nothing_waits_for_it(client: TestClient) -> None:
    address = drop(client, "loops.py", "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        while True: pass\n")
    address = address.json()["address"]
    assert "data-working" in client.get(address).text
    states = address.replace("?", "/state?")
    while client.get(states).json()["states"] != ["running"]:
        time.sleep(0.05)
    waits = drop(client, "net.py", (FOREIGN / OWN["net.py"]).read_bytes() + b"# another").json()["address"]
    assert "Waiting for its turn" in client.get(waits).text
    client.post(address.replace("?", "/stop?"), json={})
    assert client.get(states).json()["states"] == ["stopped"]
    assert "It was stopped" in client.get(address).text
    assert data_of(settled(client, waits)), "the next one has its turn"


@pytest.mark.parametrize(
    ("name", "status", "kept"),
    [
        ("<script>alert('1')</script>.py", 200, "script_.py"),
        ("../../\"quotes\" & 'more'.py", 200, "_quotes_more_.py"),
        ("网络.py", 200, "网络.py"),
        ("a" * 5_000 + ".py", 200, "aaaa.py"),
        ("net.exe", 422, "expected a script"),
        ("", 422, "expected a script"),
        ("..", 422, "expected a script"),
    ],
)
def test_names_of_files(client: TestClient, name: str, status: int, kept: str) -> None:
    answer = drop(client, name, "x = 1")
    assert answer.status_code == status
    page = settled(client, answer.json()["address"]) if status == 200 else answer.text
    assert kept in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(("size", "status"), [(LARGEST + 1, 422), (19 * LARGEST, 422), (20 * LARGEST + 1, 413)])
def test_giants(client: TestClient, size: int, status: int) -> None:
    assert drop(client, "net.py", b"#" * size).status_code == status


@pytest.mark.parametrize(
    "target",
    [
        "../secret.py:A",
        "link.py",
        "/etc/passwd",
        "/etc/x.py",
        "",
        " ",
        "\0.py",
        "a" * 5_000 + ".py",
        "os:getcwd",
        "net.py:Net(",
        3,
        None,
        [],
    ],
)
def test_targets_that_are_none_of_the_folder(client: TestClient, target: Any) -> None:
    answer = client.post("/en/networks/own/target", json={"target": target})
    assert answer.status_code == 404
    assert answer.json()["error"]
    if isinstance(target, str):
        assert client.get(f"/en/networks/own?target={quote(target)}").status_code == 404


@pytest.mark.parametrize(
    "query",
    ["file=../../etc", "file=0123456789abcdef", "file=x", "target=nothing.py", "target=net.py&input=big", "target=net.py&against=nonet"],
)
def test_addresses_of_files_that_are_not_here(client: TestClient, query: str) -> None:
    answer = client.get(f"/en/networks/own?{query}")
    assert answer.status_code in (404, 422)
    assert answer.json()["error"]


def test_what_is_sent_is_no_target(client: TestClient) -> None:
    for body in ("[]", "3", "{", '{"file": 1}'):
        answer = client.post("/en/networks/own/target", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 404
