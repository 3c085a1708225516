"""A view says the same on a terminal, on a page, in a notebook and as JSON."""

import ast
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import etude
from etude.audit import implementations
from etude.audit.audit import Audited, Found
from etude.cli import app, render
from etude.doctor.asking import Way
from etude.doctor.here import Here
from etude.doctor.loaded import USUAL, Diagnosis, Finding, Trial
from etude.errors import UsageError
from etude.explain.graph import graph
from etude.explain.occlusion import Occlusion
from etude.export import timing
from etude.export.timing import FAILED, Bench, Place, Timing
from etude.models.network import Network
from etude.practice.checker import Checked
from etude.practice.words import Diagnosis as Diagnosed
from etude.report import figures
from etude.report.gradients import name_places
from etude.report.notebook import Cell, cell_of
from etude.report.plain import json_of
from etude.report.terminal import text_of
from etude.report.web import fragment_of, page_of
from etude.train import recipe as recipes
from etude.train.answers import Answers
from etude.train.predict import Prediction, Reason
from etude.train.run import RunResult
from etude.verification.verdict import Level, Verification
from etude.views import depth
from etude.views.audit import audit_view, implementations_view
from etude.views.bench import bench_view
from etude.views.card import card_view
from etude.views.conv1x1 import conv1x1_view
from etude.views.depth import depth_view
from etude.views.doctor import diagnosis_view, here_view
from etude.views.facts import facts_view
from etude.views.listings import data_view, networks_view, recipes_view, weights_view
from etude.views.mistakes import mistakes_view
from etude.views.network import VIEWS, Subject, network_view, whole_view
from etude.views.reading import reading_view
from etude.views.verification import verification_view
from etude.views.view import Diagram, Text, View
from etude.views.why import why_view
from pages import Reader, rules, too_wide
from translated import english_in

HOUSE = Path(etude.__file__).parent
DECORATION = {"·", "│"}  # of lists, and of branches that take several lines


class Gated(nn.Module):
    """A residual block with names that HTML would take for its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3)
        self.add_module("<b>&amp;</b>", nn.Conv2d(4, 4, 3, padding=1))
        self.fc = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.get_submodule("<b>&amp;</b>")(x).relu()
        return self.fc(x.mean((2, 3)))


def subject(name: str = "") -> Subject:
    module = etude.build(name) if name else Gated()
    return Subject(name or "Gated", {}, module, graph(module, (1, 28, 28)), (1, 28, 28), "strokes", lambda: module, f"etude explain {name}")


def checked() -> View:
    levels = (Level("L0", "it runs", "pass", ("in <eval> mode", "once")), Level("L1", "counts", "fail"))
    return verification_view(Verification("my_net.py:Net", "resnet20", "departs", "1 < 2", levels, choices=("zeros behind",)))


def audited() -> View:
    commands = ("pip install --no-deps zoo==1.0", "etude verify 'zoo:net(\"<b>\")' --against resnet50")
    said = ('"& others" (zoo/net.py:1)', "Its error is lower.")
    found = Found("departs", "it departs", "conv1", "conv1 has <7> maps (Table 1)", "zoo/net.py:7", "resnet50@v15", 25_557_032, 3.2)
    rows = [Audited("zoo", "1.0", "zoo:net", "resnet50", commands, *said, found)]
    rows.append(Audited("owner/name", "1234567", "net.py:Net", "resnet20", commands, "", "", Found("not tried", "no network")))
    return audit_view(rows, ("zoo",))


def wrong(classes: tuple[str, ...]) -> View:
    """Two of six images wrong, one of a class that no image has."""
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    said = torch.tensor([0, 0, 1, 1, 1, len(classes) - 1])
    likely = torch.full((6, len(classes)), 0.1 / (len(classes) - 1)).scatter_(1, said[:, None], 0.9)
    images = torch.randint(0, 255, (6, 3, 8, 8), dtype=torch.uint8)
    return mistakes_view(Answers(classes, labels, likely, "cats & dogs/<{}>.png".format, images.__getitem__))


def why() -> View:
    """A dot in a corner, seen by a network that looks there alone."""
    prediction = Prediction(Path("<a> & b.png"), ("yes", "no"), (0.9, 0.1), ())
    heat = torch.zeros(8, 8, dtype=torch.float64)
    heat[0, 0] = 0.8
    return why_view("Net", [Reason(prediction, np.zeros((3, 8, 8), np.uint8), Occlusion(0.9, 0.1, heat))])


def diagnosed() -> View:
    """One cause that is certain, one that is not, in two rounds."""
    way, some, all_ = Way(USUAL[0], (8, 8)), torch.tensor([True, False, False]), torch.ones(3, dtype=torch.bool)
    before, mended = Trial("as it is", "", way, some), Trial("<twice>", "by a & b", way, all_, 0.001)
    findings = (Finding("<twice> (by a & b: 33.3 % → 100.0 %)", True), Finding("perhaps another size", False))
    return diagnosis_view(
        Diagnosis("net.py:Net", "photos", ((before, mended), (mended,)), findings), "etude doctor net.py:Net --data photos"
    )


def machine() -> View:
    return here_view(
        Here((("etude", "1"),), (("device", "cpu"),), (("cache", "~/x: can be written"),), (("mnist", "not here"),), ("unset <it>",))
    )


BENCH = "etude bench resnet20 --batch 16"


def benched() -> View:
    times = {"<fast>": Timing(0.001, 0.001, 0.002, 0.001, 3.5, 2e-7), "torch": Timing(0.02, 0.01, 0.03, 0.01, 0, 0), "wrong": FAILED}
    place = Place(Network("resnet20"), (3, 32, 32), 16, 2)
    return bench_view(
        "resnet20", [Bench(place, times, {"compiled": "no <such> instruction"})], ["openvino: pip install 'etude-cnn[openvino]'"], BENCH
    )


def depths() -> View:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(depth, "IMAGES", 4)
        return depth_view("8", "strokes")


def run() -> View:
    rows = [
        {"epoch": epoch, "step": epoch, "train_loss": 2.0 - epoch, "test_accuracy": 0.1 + epoch / 2, "test_images": 50} for epoch in (0, 1)
    ]
    result = RunResult(
        Path("runs/<1>"),
        recipes.load("lecture_residual.lecture", "smoke"),
        0,
        0.98,
        50,
        3.1,
        (rows[0], {"epoch": 0.5, "train_loss": 1.2}, rows[1]),
    )
    return cell_of(replace(result, warning="not bit-identical: threads")).view


def wrong_answer() -> View:
    diagnosis = Diagnosed("slip", "`<b>` is 1 & not 2", 4, 3)
    return cell_of(Checked("conv1x1", "fail", (diagnosis,), 0.2, "zh", made="Conv1x1(3)", printed=("<here>", "there"), live=True)).view


MADE: dict[str, Callable[[], View]] = {
    "networks": lambda: networks_view("*"),
    "recipes": lambda: recipes_view("*"),
    "weights": lambda: weights_view("*"),
    "data": data_view,
    "card": lambda: card_view("resnet34", {"shortcut": "A"}),
    "card with rows": lambda: card_view("googlenet", {}),
    "card, measured": lambda: card_view("resnet20", {}, measure=True),
    "card of a variant": lambda: card_view("googlenet@torchvision", {}),
    "facts": lambda: facts_view("densenet_40_12"),
    "reading": lambda: reading_view("resnet34", {"shortcut": "A"}),
    "conv1x1": lambda: conv1x1_view({}),
    "depth": depths,
    "verification": checked,
    "audit": audited,
    "bench": benched,
    "implementations": lambda: implementations_view(implementations.read(), ()),
    "graph": lambda: cell_of(graph(Gated(), (1, 28, 28))).view,
    "run": run,
    "wrong answer": wrong_answer,
    "mistakes": lambda: wrong(("cats & dogs", "<b>", "never")),
    "mistakes among many": lambda: wrong(tuple(f"class {index}" for index in range(30))),
    "why": why,
    "diagnosis": diagnosed,
    "machine": machine,
    "network": lambda: network_view(subject(), tuple(VIEWS)),
    "whole network": lambda: whole_view(subject("lecture_residual")),
}


IN_ENGLISH = {"audit", "bench", "implementations", "wrong answer"}  # which the studio does not show
THEIRS = re.compile(  # what a paper, a person, a file or a machine says
    r".*arXiv .*|slides .*|\d+ model, \d+ crops?|googlenet, V1 weights|composite|transition|etude train .*|.*\bmp\b.*"
    r"|in <eval> mode|departs: 1 < 2|not bit-identical: threads"
    r"|a free choice: zeros behind|.*<twice>.*|by a & b|perhaps another size|unset <it>|~/x.*"
    r"|.*cats & .*|1  yes|never.*|class \d+.*|paper, laptop, smoke|googlenet: GoogLeNet|.*rblock\d|fc|stem|cats &amp; dogs"
)


@pytest.fixture(scope="module", params=MADE)
def view(request: pytest.FixtureRequest) -> View:
    return MADE[request.param]()


@pytest.fixture(scope="module")
def page(view: View) -> str:
    return page_of(view)


def said(text: str) -> Counter[str]:
    """The words of a text, without the numbers in front of a source's lines."""
    lines = (re.sub(r"^(?=.{4}\d(  |$)) *\d+", "", line) for line in text.splitlines())
    return Counter(word for line in lines for word in line.split() if word not in DECORATION and word.strip("─"))


def titles(view: View) -> Counter[str]:
    own = Counter([*view.title.split(), *view.command.split()])
    return sum((titles(part) for part in view.parts if isinstance(part, View)), own)


def test_a_page_says_what_the_terminal_says_and_its_titles(view: View, page: str) -> None:
    on_page = Counter(word for word in Reader(page).words if word not in DECORATION)
    on_terminal = said(text_of(view)) + titles(view)
    assert (on_page - on_terminal, on_terminal - on_page) == (Counter(), Counter())


def test_a_notebook_says_what_page_and_terminal_say(view: View, page: str) -> None:
    cell = Cell(view)
    assert Reader(cell._repr_html_()).words == Reader(page).words
    assert said(repr(cell)) == said(text_of(view))


def test_a_view_is_chinese_on_a_chinese_page(view: View, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["view"] not in IN_ENGLISH:
        assert [text for text in english_in(view) if not THEIRS.fullmatch(text)] == []


def test_a_view_is_json(view: View) -> None:
    assert json.loads(json_of(view.plain))


def test_colours_add_nothing_to_the_words(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    coloured = text_of(view, 160, colour=True)
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured).split() == text_of(view, 160).split()


def test_a_page_fits_into_every_window(page: str) -> None:
    assert too_wide(page) == []


def test_pages_that_are_too_wide_are_found() -> None:
    page = page_of(conv1x1_view({}))
    for before, after in (
        ('<div class="scroll"><table>', "<div><table>"),
        (".n { text-align: right;", ".n { } .etude-view th {"),
        ("overflow-wrap: break-word", ""),
        ("overflow-x: auto", ""),
        ("minmax(0, 1fr)", "1fr"),
        ('<td class="n">', f'<td class="n">{"long " * 20}'),
        ("svg { max-width: 100%", "svg { max-width: 90rem"),
        ('<meta name="viewport"', "<meta"),
    ):
        assert before in page
        assert too_wide(page.replace(before, after)), before


def test_a_cell_stands_alone_and_changes_nothing_around_it(view: View) -> None:
    cell = fragment_of(view)
    assert not [word for word in ("<script", "<link", "src=", "@import", "url(http", "<body", "<html") if word in cell]
    for svg in re.findall(r"<svg.*?</svg>", cell, flags=re.DOTALL):
        ElementTree.fromstring(svg)
    styles = rules(Reader(cell).styles)
    assert styles
    assert [selector for selector, _ in styles if not selector.startswith(".etude")] == []


def test_a_file_may_have_any_name(tmp_path: Path) -> None:
    """On Linux the bytes of one need not be UTF-8; Python has them as halves of surrogates, which cannot be written down."""
    view = View("caf\udce9.png", "etude explain 'caf\udce9.py:Net'", (Text("caf\udce9.png"),), None)
    for html in (page_of(view), fragment_of(view)):
        assert html.encode().decode().count("caf\N{REPLACEMENT CHARACTER}.p") >= 3
    render.draw(tmp_path / "a.svg", Diagram(subject().graph, "caf\udce9.py:Net"))
    assert "caf\N{REPLACEMENT CHARACTER}.py:Net" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_the_names_of_layers_are_no_mathematics() -> None:
    with figures.figure(4, 3) as drawn:
        name_places(drawn.subplots(), ["$_$"])
        assert "$_$" in figures.svg(drawn)


def test_a_bench_names_the_command_that_shows_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(Network("resnet20"), (3, 32, 32), 16, 2)
    monkeypatch.setattr(timing, "bench", lambda *given: Bench(place, {"torch": Timing(0.02, 0.01, 0.03, 0.01, 0, 0)}, {}))
    for typed in (BENCH, "etude bench 'resnet20(depth=8)' --batch 1,16 --threads 2"):
        assert etude.command(typed).view.command == typed


def test_the_package_shows_in_a_notebook() -> None:
    assert "21,623,848" in etude.show("resnet34", shortcut="A")._repr_html_()
    assert "ZeroPadShortcut" in repr(etude.read("resnet34", shortcut="A"))
    looked = etude.look(Gated(), (1, 28, 28), "receptive_field")
    assert "3×3" in repr(looked)
    assert "MACs" not in repr(looked)
    assert "MACs" in repr(etude.look(Gated(), (1, 28, 28)))
    with pytest.raises(UsageError, match="did you mean gradients"):
        etude.look(Gated(), (1, 28, 28), "gradient")


@pytest.mark.parametrize(
    "arguments",
    [["show", "resnet20"], ["show", "resnet20", "--facts"], ["read", "resnet20"]],
    ids=" ".join,
)
def test_every_verb_that_shows_has_a_page_and_json(capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str]) -> None:
    code = app.run(arguments)
    text = capsys.readouterr().out
    page = tmp_path / "page.html"
    assert app.run([*arguments, "--html", str(page)]) == code
    assert "open it in a browser" in capsys.readouterr().err
    assert not said(text) - Counter(Reader(page.read_text(encoding="utf-8")).words)
    assert app.run([*arguments, "--json"]) == code
    assert json.loads(capsys.readouterr().out)


def test_a_recipe_has_no_page(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert app.run(["show", "lecture_residual.lecture", "--html", str(tmp_path / "page.html")]) == 2
    assert "a recipe has no page" in capsys.readouterr().err


# ── The rooms ────────────────────────────────────────────────────────────────────────────────────────────────────────


def imports(file: Path) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


@pytest.mark.parametrize("file", sorted((HOUSE / "views").glob("*.py")), ids=lambda file: file.stem)
def test_a_view_knows_no_face(file: Path) -> None:
    faces = ("click", "rich", "jinja2", "markupsafe", "pygments", "matplotlib", "etude.report", "etude.cli")
    assert [name for name in imports(file) if name.startswith(faces)] == []


@pytest.mark.parametrize("file", sorted((HOUSE / "report").glob("*.py")), ids=lambda file: file.stem)
def test_a_face_knows_no_command_line(file: Path) -> None:
    assert [name for name in imports(file) if name.startswith(("click", "etude.cli"))] == []


def test_the_pages_of_the_docs_are_made_without_the_command_line() -> None:
    assert [name for name in imports(HOUSE.parent.parent / "docs" / "make.py") if name.startswith("etude.cli")] == []
