"""The rule by which a trained result is judged. It knows nothing of networks, and was there before the runs."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import mpmath

from etude.papers import Statistic
from etude.reproduce.claims import SEEDS_NEEDED

Word = Literal[
    "reproduced",
    "exceeded",
    "consistent",
    "not reproduced",
    "not judged",
    "not judged: re-encoded",
    "not judged: too wide",
    "order holds",
    "order reversed",
    "undecided",
]
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


def judge(
    ours: Sequence[float],
    *,
    published: float | str,
    runs: int,
    budget: str,
    margin: float,
    statistic: Statistic = "mean",
    lower_is_better: bool = False,
    widest: float = math.inf,
    seeds_needed: int = SEEDS_NEEDED,
    fail: float | None = None,
) -> Verdict:
    """Judge results of ours, one a seed, against a published one of the same unit; its `statistic` of `runs` runs.

    budget  "paper" followed the published protocol: the published value has to lie in the 95 % prediction interval around our mean,
            or our median where a median is published. "smoke" is never judged. Any other is smaller: `margin` points are allowed.
    margin  0 where nothing is claimed at a smaller budget
    widest  half the width of that interval, in points, beyond which nearly every value would lie in it and none is judged
    fail    % error above which the source prints "fail"
    """
    sample = Sample(tuple(ours))
    if budget == "smoke":
        return Verdict("not judged", "the smoke budget shows that everything runs and claims nothing")
    if isinstance(published, str) and (budget != "paper" or fail is None):
        return Verdict("not judged", f"the source prints `{published}`, and no value that a smaller budget can be held to")
    if statistic == "not said":
        return Verdict("not judged", "whether the published value is of one run or of several is not said")
    if statistic not in COMPARABLE:
        return Verdict("not judged", f"the published value is the {statistic} of {runs} runs, no mean and no median")
    if budget != "paper" and not margin:
        return Verdict("not judged", f"the {budget} budget is a part of the paper's, and nothing is claimed of its values")
    centre = statistics.median(ours) if statistic == "median" else sample.mean
    if budget != "paper" and not isinstance(published, str):
        return _judge_smaller(centre - published, budget, margin, lower_is_better)
    if sample.n < seeds_needed:
        return Verdict("not judged", f"n = {sample.n}; the rule needs n ≥ {seeds_needed}: --seeds {seeds_needed}")
    if isinstance(published, str):
        how = f"the source prints `{published}`, for more than {fail:g} % error; ours is {centre:.2f}"
        return Verdict("reproduced" if fail is not None and centre > fail else "not reproduced", how)
    half = prediction_half_width(sample, runs, statistic)
    if half > widest:
        how = f"our 95 % prediction interval is {centre:.2f} ± {half:.2f}, at most ± {widest:g} was to be judged; more seeds narrow it"
        return Verdict("not judged: too wide", how)
    interval = f"our 95 % prediction interval [{centre - half:.2f}, {centre + half:.2f}]"
    if widest < math.inf:
        interval += f" (± {half:.2f}, at most ± {widest:g} is judged)"
    if abs(published - centre) <= half:
        return Verdict("reproduced", f"published {published:.2f} lies in {interval}")
    below = published < centre
    where = f"published {published:.2f} lies {'below' if below else 'above'} {interval}"
    return Verdict("not reproduced" if below == lower_is_better else "exceeded", where)


def _judge_smaller(above: float, budget: str, margin: float, lower_is_better: bool) -> Verdict:
    """Of a result that lies `above` the published one by so many points."""
    worse = above if lower_is_better else -above
    allowed = f"{budget} allows {margin:g} {'above' if lower_is_better else 'below'}"
    how = f"{abs(above):.2f} points {'above' if above > 0 else 'below'} the published value; {allowed}"
    return Verdict("consistent" if worse <= margin else "not reproduced", how)


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


def student_tail(t: float, degrees: int) -> float:
    """The probability that Student's t exceeds `t`."""
    beyond = float(mpmath.betainc(degrees / 2, 0.5, 0, degrees / (degrees + t * t), regularized=True)) / 2
    return beyond if t >= 0 else 1 - beyond
