"""Departures planted two and three at a time are all named, and none is invented: a small part of `benchmarks/planted.py`."""

import importlib

import pytest

import places


@pytest.mark.parametrize("seed", range(1, 11))
def test_planted_departures_are_named(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.syspath_prepend(places.ROOT / "benchmarks")
    planted = importlib.import_module("planted")
    name, garden, report = planted.case(seed, ("lecture_inception", "lecture_residual", "lecture_densenet", "resnet20@b"))
    assert planted.wrong(garden, report) == [], f"{name}: {report.sentence}"
