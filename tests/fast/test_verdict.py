"""The rule of judging, against a printed t table and cases worked out by hand."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.papers import Statistic
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


def test_an_interval_that_is_too_wide_is_said_and_not_judged() -> None:
    """Nearly any published value would lie in it. 5 seeds: 2.776 · 0.158 · √(1 + 1/5) = 0.481."""
    ours = [8.0, 8.2, 7.8, 8.1, 7.9]
    for widest, word in ((0.48, "not judged: too wide"), (0.49, "reproduced")):
        found = judge(ours, published=8.4, runs=1, budget="paper", margin=0.3, lower_is_better=True, widest=widest)
        assert (found.word, "± 0.48" in found.why) == (word, True)
    assert judge(ours[:4], published=8.0, runs=1, budget="paper", margin=0.3, seeds_needed=5).why.endswith("--seeds 5")


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


def test_an_error_is_better_when_it_is_lower() -> None:
    """The same results as errors get the same words."""
    ours = [1.1, 1.0, 0.9]  # half width 0.497
    for published, word in ((1.0, "reproduced"), (1.49, "reproduced"), (1.51, "exceeded"), (0.49, "not reproduced")):
        assert judge(ours, published=published, runs=1, budget="paper", margin=0.3, lower_is_better=True).word == word
    for published, word in ((0.71, "consistent"), (0.69, "not reproduced"), (5.0, "consistent")):
        assert judge(ours, published=published, runs=1, budget="laptop", margin=0.3, lower_is_better=True).word == word


def test_a_median_is_compared_with_our_median() -> None:
    """1.0, 1.1, 6.0: median 1.1, mean 2.7; a median's error is √(π/2) times a mean's: 4.303·2.857·√(π/2·(1/5 + 1/3)) = 11.25."""
    ours = [1.0, 1.1, 6.0]
    how: Any = {"published": 2.7, "runs": 5, "budget": "laptop", "margin": 0.3, "lower_is_better": True}
    assert judge(ours, **how, statistic="median").why.startswith("1.60 points below")
    assert judge(ours, **how).why.startswith("0.00 points")
    sample = Sample(tuple(ours))
    assert prediction_half_width(sample, 5, "median") == pytest.approx(
        4.303 * sample.spread * math.sqrt(math.pi / 2 * (1 / 5 + 1 / 3)), 1e-3
    )


@pytest.mark.parametrize("statistic", ["best", "ensemble", "not said"])
def test_what_is_no_mean_and_no_median_is_not_compared(statistic: Statistic) -> None:
    verdict = judge([1.0] * 5, published=1.0, runs=5, budget="paper", margin=0.3, statistic=statistic)
    assert (verdict.word, statistic in verdict.why) == ("not judged", True)
    assert judge([1.0] * 5, published="fail", runs=5, budget="paper", margin=0.3).word == "not judged"
