"""The rule by which a trained result is judged. It knows nothing of networks, and was there before the runs."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import mpmath

Word = Literal["reproduced", "exceeded", "consistent", "not reproduced", "not judged"]
SEEDS_NEEDED = 3


@dataclass(frozen=True)
class Verdict:
    """The word, and the sentence that says why."""

    word: Word
    why: str


@dataclass(frozen=True)
class Sample:
    """Results of n seeds, in per cent; the spread is the standard deviation of the sample, nan for a single one."""

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


def judge(ours: Sequence[float], *, published: float, runs: int, budget: str, margin: float) -> Verdict:
    """Judge accuracies of ours, one a seed, against a published mean of `runs` runs (all in per cent, higher is better).

    budget  "paper" followed the published protocol: the published value has to lie in the 95 % prediction interval,
            mean ± t·s·√(1/runs + 1/n). "smoke" is never judged. Any other is smaller: `margin` points are allowed.
    """
    if budget == "smoke":
        return Verdict("not judged", "the smoke budget shows that everything runs and claims nothing")
    sample = Sample(tuple(ours))
    if budget != "paper":
        return _judge_smaller(sample, published, budget, margin)
    if sample.n < SEEDS_NEEDED:
        return Verdict("not judged", f"n = {sample.n}; the rule needs n ≥ {SEEDS_NEEDED}: --seeds {SEEDS_NEEDED}")
    half = prediction_half_width(sample, runs)
    interval = f"[{sample.mean - half:.2f}, {sample.mean + half:.2f}]"
    if published < sample.mean - half:
        return Verdict("exceeded", f"published {published:.2f} lies below our 95 % prediction interval {interval}")
    if published > sample.mean + half:
        return Verdict("not reproduced", f"published {published:.2f} lies above our 95 % prediction interval {interval}")
    return Verdict("reproduced", f"published {published:.2f} lies in our 95 % prediction interval {interval}")


def _judge_smaller(sample: Sample, published: float, budget: str, margin: float) -> Verdict:
    behind = published - sample.mean
    how = f"{abs(behind):.2f} points {'below' if behind > 0 else 'above'} the published value; {budget} allows {margin:g} below"
    return Verdict("consistent" if behind <= margin else "not reproduced", how)


def prediction_half_width(sample: Sample, runs: int) -> float:
    """Half the width of the 95 % prediction interval for a mean of `runs` new runs."""
    return student_t(0.975, sample.n - 1) * sample.spread * math.sqrt(1 / runs + 1 / sample.n)


def student_t(probability: float, degrees: int) -> float:
    """The quantile of Student's t distribution, for a probability above one half.

    With x = ν/(ν + t²) the tail beyond t is half the regularised incomplete beta function at x.
    """

    def excess(x: mpmath.mpf) -> mpmath.mpf:
        return mpmath.betainc(degrees / 2, 0.5, 0, x, regularized=True) - 2 * (1 - probability)

    x = float(mpmath.findroot(excess, (1e-9, 1 - 1e-9), solver="bisect", tol=1e-12))
    return math.sqrt(degrees * (1 - x) / x)
