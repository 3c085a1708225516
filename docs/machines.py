"""Writes docs/machines.md, how many runs are done on many machines, and what the papers' tables take there: python docs/machines.py

The work follows from the papers' tables and the recipes. What machines give and cost is assumed, and stands in `MACHINES`.
"""

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from etude.files import write_text
from etude.papers import load as load_paper
from etude.reproduce import claims
from etude.reproduce.cost import images_seen, multiply_adds
from etude.train import recipe as recipes
from etude.train.recipe import Recipe

PAGE = Path(__file__).with_suffix(".md")
RECORD = PAGE.parent / "records" / "many.json"
SEEDS = 5
OPERATIONS = 6  # floating-point, of a training image for each multiply-add forward: two, and twice as many again backward
IMAGENET_IMAGES, IMAGENET_EPOCHS = 1_281_167, 90
SETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "svhn": "SVHN"}


@dataclass(frozen=True)
class Rate:
    """Floating-point operations a second at the peak, and the share of them that training reaches."""

    peak: float
    share: float


@dataclass(frozen=True)
class Machine:
    """One that is hired by the hour: at small images (TF32; of a processor float32), at ResNet-50 (bfloat16)."""

    name: str
    small: Rate
    large: Rate
    dollars: float

    @property
    def line(self) -> tuple[str, ...]:
        peak = dict.fromkeys(f"{rate.peak / 1e12:.3g}" for rate in (self.small, self.large))
        return (self.name, "; ".join(peak), f"{self.small.share:.0%}", f"{self.large.share:.0%}", f"{self.dollars:.2f}")

    def takes(self, operations: float, rate: Rate) -> str:
        """Hours and dollars."""
        hours = operations / (rate.peak * rate.share) / 3600
        return f"{two_digits(hours)} h, ${two_digits(hours * self.dollars)}"


CORES = 32 * 195e9
MACHINES = (
    Machine("32 cores of a server", Rate(CORES, 0.3), Rate(CORES, 0.55), 2.60),
    Machine("NVIDIA L4", Rate(60e12, 0.12), Rate(121e12, 0.15), 0.80),
    Machine("NVIDIA A100", Rate(156e12, 0.08), Rate(312e12, 0.15), 2.00),
    Machine("NVIDIA H100", Rate(495e12, 0.05), Rate(989e12, 0.10), 3.00),
)


@dataclass(frozen=True)
class Work:
    """Rows of a table, or a network, with one seed each."""

    name: str
    recipes: tuple[Recipe, ...]

    @property
    def images(self) -> float:
        return sum(images_seen(recipe) or 0 for recipe in self.recipes)

    @property
    def operations(self) -> float:
        return sum(map(operations, self.recipes))


@functools.cache
def operations(recipe: Recipe) -> float:
    """Of one seed."""
    return OPERATIONS * (multiply_adds(recipe) or 0) * (images_seen(recipe) or 0)


def small() -> Iterator[Work]:
    """The rows of the papers' tables on small images, paper by paper and set by set."""
    for held in (one for one in map(claims.load, claims.names()) if one.tables):
        paper = load_paper(held.paper)
        named = dict.fromkeys(claim.recipe for claim in claims.values(held, paper))
        read = [recipes.load(name, "paper") for name in named]
        for data in dict.fromkeys(recipe.data for recipe in read):
            yield Work(f"{paper.title}, {SETS[data]}", tuple(recipe for recipe in read if recipe.data == data))


def tables() -> dict[str, str]:
    """By name what stands in the page."""
    works = list(small())
    every = sorted((recipe for work in works for recipe in work.recipes), key=operations)
    whole, dearest = Work("all of these", tuple(every)), every[-1]
    imagenet = OPERATIONS * (multiply_adds(recipes.load("resnet50.he2015_imagenet", "paper")) or 0) * IMAGENET_IMAGES * IMAGENET_EPOCHS
    work = [work_line(one.name, len(one.recipes), SEEDS, one.images, one.operations) for one in (*works, whole)]
    work.append(work_line(f"ResNet-50 on ImageNet, {IMAGENET_EPOCHS} epochs", 1, 1, IMAGENET_IMAGES * IMAGENET_EPOCHS, imagenet))
    estimate = [(one.name, one.takes(SEEDS * whole.operations, one.small), one.takes(imagenet, one.large)) for one in MACHINES]
    cheaper = sum(map(operations, every[: len(every) // 2])) / whole.operations
    machine = ("machine", "peak, 10¹² operations a second", "utilisation, small images", "utilisation, ResNet-50", "dollars an hour")
    return {
        "many": many(),
        "work": markdown(("what", "rows", "seeds", "images a seed, millions", "10¹⁸ operations, all seeds"), work),
        "machines": markdown(machine, [one.line for one in MACHINES]),
        "estimate": markdown(("machine", f"{len(every)} rows × {SEEDS} seeds", f"ResNet-50, {IMAGENET_EPOCHS} epochs"), estimate),
        "spread": f"The cheaper half of the rows is {cheaper:.1%} of the work on small images; the dearest, `{dearest.title}`, "
        f"is {operations(dearest) / whole.operations:.0%}.",
    }


def many() -> str:
    """What benchmarks/many.py has found."""
    found = json.loads(RECORD.read_text(encoding="utf-8"))
    same, runs = found["bit-identical to local"], found["runs"]
    lines = (
        ("in processes, `--jobs 2`", f"{found['local']['seconds']:.0f} s", ""),
        ("on Ray, two nodes on the same machine", f"{found['ray']['seconds']:.0f} s", f"{same['ray']} of {runs}"),
        ("the same, a worker killed and later the head", f"{found['killed']['seconds']:.0f} s", f"{same['killed']} of {runs}"),
    )
    return markdown((f"{runs} runs, two at a time, of a thread each", "all of it", "bit for bit those of the first line"), lines)


def page() -> str:
    """The page as it should be."""
    text = PAGE.read_text(encoding="utf-8")
    for name, content in tables().items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end {name} -->"
        text = text[: text.index(begin) + len(begin)] + content + "\n" + text[text.index(end) :]
    return text


def work_line(name: str, rows: int, seeds: int, images: float, operations: float) -> tuple[str, ...]:
    return (name, f"{rows}", f"{seeds}", f"{images / 1e6:,.0f}", f"{seeds * operations / 1e18:,.2f}")


def two_digits(value: float) -> str:
    """As exact as an estimate is."""
    return f"{float(f'{value:.2g}'):,.0f}"


def markdown(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    head = (columns, ["---", *["---:"] * (len(columns) - 1)])
    return "\n".join(f"| {' | '.join(line)} |" for line in (*head, *lines))


if __name__ == "__main__":
    write_text(PAGE, page())
