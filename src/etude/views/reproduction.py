"""What a reproduction takes, and what it has found."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from etude.reproduce.cost import multiply_adds, rates, seconds
from etude.reproduce.plan import Plan
from etude.train.job import Job
from etude.train.recipe import Recipe
from etude.train.store import Store
from etude.views.runs import state_of
from etude.views.view import Remarks, Table, View
from etude.wording import UNKNOWN, result, time

if TYPE_CHECKING:
    from etude.reproduce.reproduction import Judged, Reproduction


USED = "a run that is there is used where the same code on the same machine, with as many threads, made it; else it is made anew"
NO_RATE = "no time is known of networks of a paper of which none was trained here"


def plan_view(name: str, planned: Plan, store: Store, command: str) -> View:
    """A row for every network and recipe. No torch, so that nothing is known of what a run that is there stands on."""
    known = rates(store)
    found = [planned_job(job, planned, store, known) for job in planned.jobs]
    groups = list(dict.fromkeys((row["recipe"], row["length"], row["data"]) for row in found))
    rows, left = list[tuple[str, ...]](), list[float | None]()
    for group in groups:
        several = [row for row in found if (row["recipe"], row["length"], row["data"]) == group]
        first, states = several[0], Counter(row["state"] for row in several)
        to_do = [row["seconds"] for row in several if row["state"] != "finished"]
        left += to_do
        rows.append(
            (
                *map(str, group[:2]),
                f"{first['images'] or 'all'}",
                str(group[2]),
                f"{first['multiply_adds'] / 1e6:,.1f} M",
                first["budget"],
                f"0 to {len(several) - 1}" if len(several) > 1 else "0",
                ", ".join(f"{count} {state}" for state, count in states.items()),
                time(sum_or_none(to_do)),
            )
        )
    columns = ("network and recipe", "length", "images", "data", "multiply-adds", "budget", "seeds", "there", "time left")
    sets = tuple(f"{order.claim.id}: --set {' '.join(order.claim.set)}" for order in planned.orders if order.claim.set and "smoke" != order.worse.budget)
    said = f"{len(found)} runs, {sum(row['state'] == 'finished' for row in found)} of them finished; time left: {time(sum_or_none(left))}"
    rate = "; ".join(f"{rate / 1e9:.3g} billion multiply-adds a second for {paper}" for paper, rate in known.items())
    remarks = (said, *((f"by the finished runs in {store.root}: {rate}",) if rate else ()), *((NO_RATE,) if None in left else ()), *sets, USED)
    return View(f"Plan of {name}", f"{command} --plan", (Table(columns, tuple(rows), (1, 2, 4, 8)), Remarks(remarks)), found)


def planned_job(job: Job, planned: Plan, store: Store, known: Mapping[str, float]) -> dict[str, Any]:
    """One job and what is there of it."""
    recipe, run = job.recipe, store.found(job, {})
    return {
        "recipe": recipe.title,
        "options": dict(recipe.model.options),
        "budget": recipe.budget,
        "seed": job.seed,
        "length": recipe.length,
        "images": recipe.images,
        "data": on_data(recipe, planned),
        "multiply_adds": multiply_adds(recipe.model),
        "seconds": seconds(recipe, known),
        "run": str(run.folder),
        "state": state_of(run),
    }


def on_data(recipe: Recipe, planned: Plan) -> str:
    """Which data a recipe is on: "cifar10", "/my/folder (cifar10 in another encoding)"."""
    claimed = [(one.recipe, one) for one in planned.values]
    claimed += [(own, order) for order in planned.orders for own in (order.worse, order.better)]
    return next((f"{recipe.data} ({one.data} in another encoding)" for own, one in claimed if own == recipe and one.reencoded), recipe.data)


def sum_or_none(parts: Sequence[float | None]) -> float | None:
    """The sum, None where a part is not known."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def reproduction_view(found: "Reproduction") -> View:
    """What was checked exactly, and what took training."""
    parts = (exact_table(found), Remarks(tuple(exact_remarks(found))), trained_table(found), Remarks(tuple(map(why, found.judged))))
    return View(found.claims.title, found.command, parts, found.as_dict())


def exact_table(found: "Reproduction") -> Table:
    """What can be checked to the last digit."""
    rows: list[tuple[str, ...]] = [
        (check.what, f"{check.expected:,}", f"{check.found:,}", check.unit, f"{check.at} ({check.kind})", check.verdict)
        for check in found.exact
    ]
    for network, checks in found.layers.items():
        right = sum(check.verdict == "exact" for check in checks)
        word = "exact" if found.layers_exact[network] else "departs"
        rows.append((f"{network}: layers", str(len(checks)), str(right), "operators", "shapes, kernels, strides, order", word))
    return Table(("exact facts", "expected", "found", "unit", "where", "verdict"), tuple(rows), (1, 2))


def exact_remarks(found: "Reproduction") -> Iterator[str]:
    """Where the source slips, and what departs from it."""
    for check in found.exact:
        if check.printed is not None:
            yield f"{check.at} prints {check.printed:,}; {check.note}"
    for network, checks in found.layers.items():
        for layer in checks:
            yield from (f"{network}: {layer.path}: {difference}" for difference in layer.differences)


def trained_table(found: "Reproduction") -> Table:
    columns = ("trained", "published", "where", "mean", "spread", "n", "unit", "budget", "seconds", "verdict")
    return Table(columns, tuple(map(trained_row, found.judged)), (1, 3, 4, 5, 8))


def trained_row(judged: "Judged") -> tuple[str, ...]:
    published, sample = judged.planned.published, judged.sample
    return (
        str(judged.network),
        result(published.value) if published else UNKNOWN,
        published.at if published else UNKNOWN,
        result(sample.mean) if sample.n else UNKNOWN,
        result(sample.spread) if sample.n > 1 else UNKNOWN,
        str(sample.n),
        judged.planned.unit,
        judged.planned.recipe.budget,
        f"{judged.seconds:.0f}",
        judged.verdict.word,
    )


def why(judged: "Judged") -> str:
    """The sentence of the verdict, and the difference to the network it is put beside."""
    said = f"{judged.network}: {judged.verdict.why}"
    if judged.beside is None:
        return said
    return f"{said}; {judged.beside:+.2f} points of accuracy beside {judged.planned.claim.beside} on the same seeds"
