"""The rule for orders, against enumerations and integrals that share no code with it."""

import itertools
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.reproduce.orders import Order, holm, judge_orders, least_seen, p_of_mean, pairs_that_decide, sign_test
from etude.reproduce.verdict import student_t, student_tail


@pytest.mark.parametrize("n", [1, 5, 8])
def test_the_sign_test_counts_every_way_of_tossing_n_coins(n: int) -> None:
    tosses = [sum(coins) for coins in itertools.product((0, 1), repeat=n)]
    for positive in range(n + 1):
        assert sign_test(positive, n) == sum(heads >= positive for heads in tosses) / len(tosses)


@pytest.mark.parametrize(("t", "degrees"), [(0.0, 4), (1.0, 1), (2.132, 4), (-0.7, 7), (3.0, 11)])
def test_the_tail_is_the_integral_of_the_density(t: float, degrees: int) -> None:
    """Simpson's rule on x = tan(angle), which brings the whole axis into reach."""

    def density(x: float) -> float:
        scale = math.gamma((degrees + 1) / 2) / math.sqrt(degrees * math.pi) / math.gamma(degrees / 2)
        return scale * (1 + x * x / degrees) ** (-(degrees + 1) / 2)

    start, end, pieces = math.atan(t), math.pi / 2 - 1e-9, 4_000
    angles = [start + (end - start) * at / pieces for at in range(pieces + 1)]
    weights = [1, *[4, 2] * (pieces // 2 - 1), 4, 1]
    values = [density(math.tan(angle)) / math.cos(angle) ** 2 for angle in angles]
    integral = sum(weight * value for weight, value in zip(weights, values, strict=True)) * (end - start) / pieces / 3
    assert student_tail(t, degrees) == pytest.approx(integral, abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_holm_is_the_closure_of_bonferroni(values: list[float]) -> None:
    """One of a family is rejected at a level when every part of the family that has it in it is, by its least p value."""
    corrected = holm(values)
    for index, p in enumerate(corrected):
        parts = [part for size in range(1, len(values) + 1) for part in itertools.combinations(range(len(values)), size) if index in part]
        closed = max(min(1, len(part) * min(values[at] for at in part)) for part in parts)
        assert p == pytest.approx(closed)


def words(*orders: Order, budget: str = "laptop") -> list[str]:
    return [verdict.word for verdict in judge_orders(orders, budget)]


FIVE = (1.0, 1.2, 0.8, 1.1, 0.9)  # mean 1, spread 0.158, lower bound 1 - 2.132 · 0.158 / √5 = 0.849


def test_what_the_words_say() -> None:
    turned = Order(FIVE).reversed()
    assert words(Order(FIVE)) == ["order holds"]
    assert words(turned) == ["order reversed"]
    assert words(Order(FIVE[:4])) == words(Order(FIVE), budget="smoke") == ["not judged"]
    assert words(Order(FIVE, least=0.84)) == ["order holds"]
    assert words(Order(FIVE, least=0.86)) == words(Order(turned.differences, 0.86)) == ["undecided"]
    assert words(Order((*FIVE[:4], -0.1))) == ["undecided"], "four of five: the sign test has p = 6/32"
    assert words(Order((1.0, 1.2, 0.8, 1.1, 0.9, 1.0, 1.0, -0.1))) == ["order holds"], "seven of eight: 9/256"
    assert words(Order((0.1, 0.1, 0.1, 0.1, 9.0))) == ["undecided"], "five of five, but the mean may be anything"
    assert words(Order((0.0,) * 5)) == words(Order((1.0, 1.0, 1.0, 1.0, 0.0))) == ["undecided"], "a tie is no pair in that order"
    assert words(Order((0.5,) * 5)) == ["order holds"]


def test_a_family_is_corrected_and_those_not_judged_are_no_part_of_it() -> None:
    weak = Order((0.1, 0.9, 0.3, 1.0, 0.1))
    assert 0.025 < p_of_mean(weak) < 0.05
    assert words(weak) == ["order holds"]
    assert words(weak, Order(FIVE)) == ["order holds", "order holds"], "Holm: the larger of two keeps its level"
    assert words(weak, weak) == ["undecided", "undecided"]
    assert words(weak, Order((1.0,))) == ["order holds", "not judged"]


def test_the_sentence_has_the_numbers_and_what_would_decide() -> None:
    (held,) = judge_orders([Order(FIVE, 0.5, "at 1 epoch, 20 and 56 layers")], "laptop")
    assert held.why == (
        "at 1 epoch, 20 and 56 layers: 5 of 5 pairs, mean difference +1.00, 95 % lower bound +0.85, to be above 0.5; "
        "a true difference below 0.72 would have been missed in one of five such experiments, or more"
    )
    (open_,) = judge_orders([Order((*FIVE[:4], -0.1))], "laptop")
    assert open_.why.endswith("; 13 pairs would decide it, should mean and spread stay"), "10 of 13: 0.046; 9 of 12: 0.073"
    (never,) = judge_orders([Order((0.1, -0.1, 0.2, -0.2, 0.0))], "laptop")
    assert never.why.endswith("no number of pairs would decide it, should mean and spread stay")


def test_how_many_pairs_would_decide() -> None:
    """By hand for a spread of 1 and a mean of 0.5: the least n with t(0.95, n-1) / √n < 0.5, and a share of signs that passes."""
    base = (1.5, 0.7, 0.5, 0.3, -0.5)
    order = Order(base)
    number = pairs_that_decide(order)
    assert number is not None

    def decides(n: int) -> bool:
        heads = math.floor(0.8 * n + 1e-9)
        coins = sum(math.comb(n, k) for k in range(heads, n + 1)) / 2**n
        return coins <= 0.05 and student_t(0.95, n - 1) * order.spread / math.sqrt(n) < order.mean

    assert number == next(n for n in range(5, 100) if decides(n))
    assert pairs_that_decide(order.reversed()) == number
    assert (pairs_that_decide(order, family=3) or 0) >= number
    assert pairs_that_decide(Order(base, least=0.6)) is None


def test_what_could_not_have_been_seen() -> None:
    """By hand for five pairs, of which all have to be in the order: Φ(d/s)⁵ = 0.8; and t(0.95, 4) = 2.132, t(0.8, 4) = 0.941."""
    order = Order(FIVE)
    assert least_seen(order) == pytest.approx(order.spread * statistics.NormalDist().inv_cdf(0.8**0.2), rel=1e-4)
    assert least_seen(Order(FIVE, 1.0)) == pytest.approx(1 + (2.1318 + 0.9410) / math.sqrt(5) * order.spread, rel=1e-4)
    assert least_seen(Order(FIVE, 1.0), family=4) > least_seen(Order(FIVE, 1.0))
