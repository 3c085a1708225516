"""The rule for orders, "this trains worse than that": stated before the runs, which are paired by seed."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from etude.reproduce.claims import PAIRS_NEEDED
from etude.reproduce.verdict import Verdict, Word, student_t, student_tail

LEVEL = 0.05
POWER = 0.8  # with which a difference is seen, where it is said which ones are not
MOST_PAIRS = 1_000  # beyond which no number is said to decide


@dataclass(frozen=True)
class Order:
    """What was measured of one claimed order.

    differences  one a seed, in points, above 0 where the pair is in the claimed order
    least        difference that would matter, stated before the runs
    at           the conditions, as they follow the word: "at 1 epoch, 20 and 56 layers"
    needed       pairs without which it is not judged
    """

    differences: tuple[float, ...]
    least: float = 0.0
    at: str = ""
    needed: int = PAIRS_NEEDED

    @property
    def n(self) -> int:
        return len(self.differences)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.differences)

    @property
    def spread(self) -> float:
        return statistics.stdev(self.differences)

    @property
    def bound(self) -> float:
        """The one-sided 95 % lower bound of the mean."""
        return self.mean - student_t(1 - LEVEL, self.n - 1) * self.spread / math.sqrt(self.n)

    def reversed(self) -> "Order":
        return replace(self, differences=tuple(-difference for difference in self.differences))


def judge_orders(family: Sequence[Order], budget: str) -> tuple[Verdict, ...]:
    """The verdict on each order of a family that is claimed together.

    An order holds when both say so: the exact one-sided sign test at 5 %, and the one-sided t test of the paired differences, that
    their mean is above `least`, at 5 % for the whole family by Holm. (For a single order that is the 95 % lower bound above `least`. Five
    pairs could never pass a corrected sign test, so that one is not corrected.) Reversed is the same of the differences turned round.
    """
    told = [Verdict("not judged", why) if (why := _unjudged(order, budget)) else None for order in family]
    left = [order for order, verdict in zip(family, told, strict=True) if verdict is None]
    ahead, behind = holm([p_of_mean(order) for order in left]), holm([p_of_mean(order.reversed()) for order in left])
    judged = iter([_judge(order, p, q, len(left)) for order, p, q in zip(left, ahead, behind, strict=True)])
    return tuple(verdict or next(judged) for verdict in told)


def _unjudged(order: Order, budget: str) -> str:
    if budget == "smoke":
        return "the smoke budget shows that everything runs and claims nothing"
    return "" if order.n >= order.needed else f"n = {order.n} pairs; the rule needs n ≥ {order.needed}: --seeds {order.needed}"


def _judge(order: Order, ahead: float, behind: float, family: int) -> Verdict:
    """By the p values of the mean, corrected, in the claimed direction and against it."""
    positive, negative = (sum(difference > 0 for difference in one.differences) for one in (order, order.reversed()))
    word: Word = "undecided"
    if ahead <= LEVEL and sign_test(positive, order.n) <= LEVEL:
        word = "order holds"
    elif behind <= LEVEL and sign_test(negative, order.n) <= LEVEL:
        word = "order reversed"
    where = f"{order.at}: " if order.at else ""
    found = f"{positive} of {order.n} pairs, mean difference {order.mean:+.2f}, 95 % lower bound {order.bound:+.2f}"
    found += f", to be above {order.least:g}; {_not_seen(order, family)}"
    return Verdict(word, f"{where}{found}{f'; {_would_decide(order, family)}' if word == 'undecided' else ''}")


def _not_seen(order: Order, family: int) -> str:
    return f"a true difference below {least_seen(order, family):.2f} would have been missed in one of five such experiments, or more"


def _would_decide(order: Order, family: int) -> str:
    if number := pairs_that_decide(order, family):
        return f"{number} pairs would decide it, should mean and spread stay"
    return "no number of pairs would decide it, should mean and spread stay"


def sign_test(positive: int, n: int) -> float:
    """The probability that at least so many of n fair coins show heads."""
    return sum(math.comb(n, heads) for heads in range(positive, n + 1)) / 2**n


def p_of_mean(order: Order) -> float:
    """Of the one-sided t test that the mean difference is above the least one."""
    above = order.mean - order.least
    if not order.spread:
        return 0.0 if above > 0 else 1.0
    return student_tail(above / order.spread * math.sqrt(order.n), order.n - 1)


def holm(values: Sequence[float]) -> list[float]:
    """The p values of a family, corrected: at most 5 % of families have a wrong one at or below 0.05."""
    corrected, largest = list(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = largest
    return corrected


def pairs_that_decide(order: Order, family: int = 1) -> int | None:
    """How many pairs would decide an order of such a mean, spread and share of pairs, in the direction that it has.

    The t test takes the strictest level of a family of that size. None where no number up to `MOST_PAIRS` does.
    """
    one = order if order.mean >= 0 else order.reversed()
    above, share = one.mean - one.least, sum(difference > 0 for difference in one.differences) / one.n
    if above <= 0 or share <= 0.5:
        return None
    for n in range(PAIRS_NEEDED, MOST_PAIRS + 1):
        if sign_test(math.floor(share * n + 1e-9), n) <= LEVEL:
            t = above / one.spread * math.sqrt(n) if one.spread else math.inf
            if not one.spread or student_tail(t, n - 1) <= LEVEL / family:
                return n
    return None


def least_seen(order: Order, family: int = 1) -> float:
    """About the least true difference, in points, with which so many pairs of that spread pass both tests four times in five.

    Of the two tests the one that asks for more: the sign test, of pairs that are distributed normally, and the t test at the strictest
    level of a family of that size.
    """
    passes = next(heads for heads in range(order.n + 1) if sign_test(heads, order.n) <= LEVEL)
    low, high = 0.0, 10.0  # in standard deviations
    while high - low > 1e-6:
        middle = (low + high) / 2
        share = statistics.NormalDist().cdf(middle)
        seen = sum(math.comb(order.n, heads) * share**heads * (1 - share) ** (order.n - heads) for heads in range(passes, order.n + 1))
        low, high = (middle, high) if seen < POWER else (low, middle)
    by_mean = (student_t(1 - LEVEL / family, order.n - 1) + student_t(POWER, order.n - 1)) / math.sqrt(order.n)
    return max(high * order.spread, order.least + by_mean * order.spread)
