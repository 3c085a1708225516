"""What is said in English, in Chinese: the table that it is looked up in, and what verdicts, networks, plans and errors say."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from etude.models import registry
from etude.reproduce import claims
from etude.reproduce.plan import plan
from etude.tables import read_toml
from etude.train import kept
from etude.train.run import Run
from etude.train.store import Store
from etude.verification.facts import facts_of
from etude.views.chinese import FILE, PART, PROSE, SAME, chinese, known, read
from etude.views.reproduction import plan_view, so_far_view
from etude.views.runs import in_short, run_view
from etude.views.walk import walk_of
from translated import HAN, english_in

TABLE = read_toml(FILE)


def phrases() -> Iterator[tuple[str, str, str, str]]:
    for kind, several in TABLE.items():
        yield from ((kind, key, words["en"], words["zh"]) for key, words in several.items())


def test_both_languages_of_a_phrase_have_the_same_values_and_every_kind_is_there() -> None:
    for kind, key, english, said in phrases():
        values = {part[1] for part in PART.finditer(english) if part[1]}
        assert values == set(re.findall(r"\{(\w+)\}", said)), f"{kind}.{key}"
        assert {value.rstrip("0123456789") for value in values} <= {*TABLE, *SAME}, f"{kind}.{key}"


def test_no_phrase_stands_in_front_of_a_text_that_is_known_word_for_word() -> None:
    for kind, key, english, said in phrases():
        if not PART.search(english):
            assert read(kind, english.removesuffix(".")) == said.removesuffix("。"), f"{kind}.{key}"


SENTENCES = (
    (
        "departs in 1 of 26 operators: conv2 (your b) has stride 2 where the paper has stride 1 (slides 31, 38); fc is as in the paper",
        "26 个运算中有 1 个与论文不一致：conv2（你的 b）是步长 2，论文是步长 1（slides 31, 38）；fc 与论文相同",
    ),
    (
        "the LRN behind conv1 and the LRN behind conv2 are missing (Table 1; Fig. 3)",
        "缺少 conv1 之后的 LRN 和 conv2 之后的 LRN（Table 1; Fig. 3）",
    ),
    (
        "conv1 … conv5_x.2.conv3 (149 places) have a bias where resnet50@v15 has no bias",
        "conv1 … conv5_x.2.conv3（149 处）是有偏置，resnet50@v15 是无偏置",
    ),
    (
        "it does not run on 3×32×32: a linear layer made for 320 features gets 4 (a.py line 3)",
        "在 3×32×32 的图像上它不能运行：线性层的输入特征数设为 320，实际输入却有 4 个特征（a.py line 3）",
    ),
    ("no model `resnet51`; did you mean resnet56 or resnet50?", "没有网络 `resnet51`；你要找的是 resnet56 或 resnet50 吗？"),
    ("conv1 has a hat where the paper has stride 2", "conv1 has a hat where the paper has stride 2"),
    ("conv1 is missing; and a hat", "conv1 is missing; and a hat"),
)


@pytest.mark.parametrize(("english", "said"), SENTENCES, ids=range(len(SENTENCES)))
def test_a_text_is_said_as_a_whole_or_stays(english: str, said: str) -> None:
    assert chinese(english) == said


@pytest.mark.parametrize("piece", ["x: ", "a; ", "b, ", "c (", "d and ", "e or ", "it ", "the ReLU behind ", " … ", "1"])
def test_whatever_code_has_raised_is_not_read_for_long(piece: str) -> None:
    for times in (50, 500, 50_000):
        assert chinese(piece * times + "!") == piece * times + "!"


def test_every_network_is_described_in_chinese() -> None:
    for row in registry.ROWS:
        for text in (row.about, *row.departures, facts_of(row.name)[1].note):
            assert known(text) is not None, f"{row.name}: {text}"


@pytest.mark.parametrize("name", ["lecture_densenet", "googlenet", "resnet50@v15"])
def test_what_a_paper_says_of_a_stop_is_told_to_be_said_or_deduced_in_chinese(name: str) -> None:
    for stop in walk_of(name, {}):
        assert [said for said in stop.said if not HAN.search(chinese(said))] == []


def test_every_claim_is_made_in_chinese() -> None:
    for name in claims.names():
        held = claims.load(name)
        for text in (held.title, *(text for order in held.orders for text in (order.says, order.measured, order.family))):
            assert known(text) is not None, f"{name}: {text}"


def test_a_reproduction_is_planned_in_chinese(tmp_path: Path) -> None:
    planned, store = plan(claims.load("resnet"), budget="laptop", seeds=5), Store(tmp_path)
    assert english_in(plan_view("resnet", planned, store, "")) | english_in(so_far_view(planned, store)) == set()


def test_a_run_is_shown_in_chinese() -> None:
    run = Run(kept.place_of("lecture_residual.lecture"))
    assert english_in(run_view(run)) == set()
    found = run.result()
    chosen = dataclasses.replace(found.recipe, validation=100, result="lowest validation error")
    for ended in (found, dataclasses.replace(found, diverged=3), dataclasses.replace(found, recipe=chosen)):
        assert not PROSE.search(chinese(in_short(ended))), chinese(in_short(ended))
