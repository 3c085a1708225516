"""Departures planted two and three at a time are all named, and none is invented: a small part of `benchmarks/planted.py`."""

import importlib

import pytest

planted = importlib.import_module("planted")
SMALL = ("lecture_inception", "lecture_residual", "lecture_densenet", "resnet20@b")
ONCE_WRONG = {  # seeds among all networks
    45: "a unit of other layers, and a unit that is missing",
    75: "a unit that is missing, and changes inside of another",
    77: "interchangeable branches in front of the departures",
    198: "two changes in a stage, and no stage of other layers",
}


@pytest.mark.parametrize("seed", [*range(1, 11), *ONCE_WRONG])
def test_planted_departures_are_named(seed: int) -> None:
    name, garden, report = planted.case(seed, tuple(planted.NETWORKS) if seed in ONCE_WRONG else SMALL)
    assert planted.wrong(garden, report) == [], f"{name}: {report.sentence}"
