"""What is heavy waits until it is needed; and what a fresh interpreter has under our names."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = "from etude.cli.app import run; assert run({!r}.split()) == 0"
STEPS = (  # one after the other in one process: code, or a command, and what is not imported behind it
    ("import etude.data, etude.data.catalog", "torch numpy rich jinja2 matplotlib"),
    ("from etude.data import fetch, is_cached", "torch rich jinja2 matplotlib"),
    ("from etude.targets.target import Target; Target.read('resnet20(depth=8)')", "torch rich jinja2 matplotlib"),
    ("import etude.explain.receptive, etude.explain.conv1x1", "torch rich jinja2 matplotlib"),
    ("etude --help", "torch rich jinja2 matplotlib"),
    ("etude ls --json", "torch rich jinja2 matplotlib"),
    ("etude ls", "torch jinja2 matplotlib"),
    ("etude ls --recipes", "torch jinja2 matplotlib"),
    ("etude ls --weights", "torch jinja2 matplotlib"),
    ("etude data ls", "torch jinja2 matplotlib"),
    ("etude audit --list resnet20", "torch jinja2 matplotlib"),
    ("etude show lecture_inception", "torch jinja2 matplotlib"),
    ("etude show resnet1202", "torch jinja2 matplotlib"),
    ("etude explain conv1x1", "torch jinja2 matplotlib"),
    ("etude practice start .", "torch jinja2 matplotlib"),
    ("etude practice list", "torch jinja2 matplotlib"),
    ("etude practice next", "torch jinja2 matplotlib"),
    ("etude practice hint", "torch jinja2 matplotlib"),
    ("etude practice reset densenet", "torch jinja2 matplotlib"),
    ("etude lessons", "torch jinja2 matplotlib"),
    ("import etude.practice; etude.practice.hint('densenet'); repr(etude.practice['densenet'])", "torch jinja2 matplotlib"),
    ("import etude.report.diagram", "torch matplotlib"),
    ("from etude.report.web import page_of; from etude.views.facts import facts_view; page_of(facts_view('resnet20'))", "torch matplotlib"),
    ("from etude.views.card import card_view; page_of(card_view('googlenet', {}))", "torch"),
)
PLAN = tuple(
    (f"etude reproduce {name} --plan --seeds 2", "torch numpy PIL jinja2 matplotlib") for name in ("lecture", "densenet --budget paper")
)
PROGRAM = """
import json, sys
for code, absent in json.loads(sys.argv[1]):
    exec(code)
    if found := sorted({*absent.split()} & {*sys.modules}):
        sys.exit(f"{code} imports {', '.join(found)}")
"""


@pytest.mark.parametrize("one_by_one", [STEPS, PLAN], ids=["all", "plan"])
def test_what_is_heavy_waits_until_it_is_needed(one_by_one: tuple[tuple[str, str], ...], tmp_path: Path) -> None:
    steps = [(COMMAND.format(code.removeprefix("etude ")) if code.startswith("etude ") else code, absent) for code, absent in one_by_one]
    command = [sys.executable, "-c", PROGRAM, json.dumps(steps)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr


def test_no_room_hides_a_public_name() -> None:
    """In a fresh interpreter, after rooms were imported: a room called `verify` would stand where the function is."""
    code = """
import etude.explain.graph, etude.report.web, etude.train.engine, etude.verification.judge
print([name for name in etude.__all__ if name != "__version__" and not callable(getattr(etude, name))], etude.__all__ == dir(etude))
print(etude.practice["residual_block"].name, callable(etude.practice.check))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split("\n")[:2] == ["['practice'] True", "residual_block True"]


def test_a_picture_does_not_depend_on_the_order_of_sets() -> None:
    code = """
import zlib
from etude.report.diagram import diagram
from etude.verification.facts import graph_of
print(zlib.crc32(diagram(graph_of("resnet20")).encode()))
"""
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONHASHSEED": seed}).stdout for seed in "12"
    }
    assert len(runs) == 1
