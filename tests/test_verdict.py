"""The rule of judging, against a printed t table and cases worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.reproduce.verdict import Sample, judge, prediction_half_width, student_t

# two-sided 95 % points of Student's t, as printed in statistics textbooks
T_TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 30: 2.042, 120: 1.980}


@pytest.mark.parametrize(("degrees", "printed"), T_TABLE.items())
def test_the_quantile_is_that_of_the_printed_table(degrees: int, printed: float) -> None:
    assert student_t(0.975, degrees) == pytest.approx(printed, abs=5.1e-4)


def test_the_interval_by_hand() -> None:
    """Three seeds 98.0, 99.0, 100.0: s = 1; against one published run: 4.303·1·√(1 + 1/3) = 4.968."""
    sample = Sample((98.0, 99.0, 100.0))
    assert (sample.mean, sample.spread, sample.n) == (99.0, 1.0, 3)
    assert prediction_half_width(sample, runs=1) == pytest.approx(4.303 * math.sqrt(4 / 3), abs=1e-3)
    assert prediction_half_width(sample, runs=5) == pytest.approx(4.303 * math.sqrt(1 / 5 + 1 / 3), abs=1e-3)


def verdict(ours: list[float], published: float, budget: str = "paper", runs: int = 1) -> str:
    return judge(ours, published=published, runs=runs, budget=budget, margin=0.3).word


def test_the_paper_budget() -> None:
    ours = [98.9, 99.0, 99.1]  # mean 99.0, s = 0.1, half width 0.497
    assert verdict(ours, 99.0) == "reproduced"
    assert verdict(ours, 98.51) == "reproduced"
    assert verdict(ours, 98.49) == "exceeded"
    assert verdict(ours, 99.49) == "reproduced"
    assert verdict(ours, 99.51) == "not reproduced"
    assert verdict(ours[:2], 99.0) == "not judged"
    assert verdict(ours[:1], 99.0) == "not judged"


def test_many_published_runs_narrow_the_interval() -> None:
    ours = [98.9, 99.0, 99.1]  # with 100 runs behind the published value: half width 0.253
    assert verdict(ours, 99.3, runs=1) == "reproduced"
    assert verdict(ours, 99.3, runs=100) == "not reproduced"


def test_smaller_budgets() -> None:
    assert verdict([98.8], 99.0, "laptop") == "consistent"
    assert verdict([98.69], 99.0, "laptop") == "not reproduced"
    assert verdict([99.9], 99.0, "laptop") == "consistent"
    assert verdict([99.0] * 9, 99.0, "smoke") == "not judged"


@given(st.lists(st.floats(90, 100), min_size=3, max_size=9), st.floats(90, 100), st.floats(0.01, 5))
def test_a_better_result_is_never_judged_worse(ours: list[float], published: float, gain: float) -> None:
    order = ["not reproduced", "reproduced", "exceeded"]
    before, after = verdict(ours, published), verdict([value + gain for value in ours], published)
    assert order.index(after) >= order.index(before)
