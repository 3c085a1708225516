"""The rule by which a trained result is judged. It knows nothing of networks, and was there before the runs."""

import math
import statistics
from dataclasses import dataclass
from typing import Literal

import mpmath

from etude.papers import Statistic
from etude.reproduce.claims import PublishedValue

Word = Literal["reproduced", "exceeded", "consistent", "not reproduced", "not judged"]
SEEDS_NEEDED = 3
COMPARABLE = ("single run", "mean", "median")


@dataclass(frozen=True)
class Verdict:
    """The word, and the sentence that says why."""

    word: Word
    why: str


@dataclass(frozen=True)
class Sample:
    """Results of n seeds, in % accuracy or % error; the spread is the standard deviation of the sample, nan for a single one."""

    values: tuple[float, ...]

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float:
        return statistics.stdev(self.values) if self.n > 1 else math.nan


def judge(sample: Sample, published: PublishedValue, *, budget: str, margin: float) -> Verdict:
    """Judge results of ours, one a seed, against a published value of the same unit.

    budget  "paper" followed the published protocol: the published value has to lie in the 95 % prediction interval around our mean,
            or our median where a median is published. "smoke" is never judged. Any other is smaller: `margin` points are allowed.
    """
    if budget == "smoke":
        return Verdict("not judged", "the smoke budget shows that everything runs and claims nothing")
    if isinstance(published.value, str):
        return Verdict("not judged", f"the source prints `{published.value}`, and no value")
    if published.statistic not in COMPARABLE:
        return Verdict("not judged", f"the published value is the {published.statistic} of {published.runs} runs, no mean and no median")
    if budget != "paper":
        return _judge_smaller(sample, published, published.value, budget, margin)
    if sample.n < SEEDS_NEEDED:
        return Verdict("not judged", f"n = {sample.n}; the rule needs n ≥ {SEEDS_NEEDED}: --seeds {SEEDS_NEEDED}")
    centre, half = _centre(sample, published), prediction_half_width(sample, published.runs, published.statistic)
    interval = f"our 95 % prediction interval [{centre - half:.2f}, {centre + half:.2f}]"
    if abs(published.value - centre) <= half:
        return Verdict("reproduced", f"published {published.value:.2f} lies in {interval}")
    below = published.value < centre
    where = f"published {published.value:.2f} lies {'below' if below else 'above'} {interval}"
    return Verdict("not reproduced" if below == published.is_error else "exceeded", where)


def _judge_smaller(sample: Sample, published: PublishedValue, value: float, budget: str, margin: float) -> Verdict:
    above = _centre(sample, published) - value
    worse = above if published.is_error else -above
    allowed = f"{budget} allows {margin:g} {'above' if published.is_error else 'below'}"
    how = f"{abs(above):.2f} points {'above' if above > 0 else 'below'} the published value; {allowed}"
    return Verdict("consistent" if worse <= margin else "not reproduced", how)


def _centre(sample: Sample, published: PublishedValue) -> float:
    """What of ours is compared with a published value: the median with a median, the mean with anything else."""
    return statistics.median(sample.values) if published.statistic == "median" else sample.mean


def prediction_half_width(sample: Sample, runs: int, statistic: Statistic = "mean") -> float:
    """Half the width of the 95 % prediction interval for a mean, or a median, of `runs` new runs.

    The standard error of a median is √(π/2) times that of a mean, of values that are distributed normally; of one run both are the value.
    """
    variances = (1 / runs, 1 / sample.n)
    if statistic == "median":
        variances = (1 / runs if runs < 3 else math.pi / 2 / runs, math.pi / 2 / sample.n)
    return student_t(0.975, sample.n - 1) * sample.spread * math.sqrt(sum(variances))


def student_t(probability: float, degrees: int) -> float:
    """The quantile of Student's t distribution, for a probability above one half.

    With x = ν/(ν + t²) the tail beyond t is half the regularised incomplete beta function at x.
    """

    def excess(x: mpmath.mpf) -> mpmath.mpf:
        return mpmath.betainc(degrees / 2, 0.5, 0, x, regularized=True) - 2 * (1 - probability)

    x = float(mpmath.findroot(excess, (1e-9, 1 - 1e-9), solver="bisect", tol=1e-12))
    return math.sqrt(degrees * (1 - x) / x)
