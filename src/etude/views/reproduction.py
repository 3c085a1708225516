"""What a reproduction takes, and what it has found."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from etude.data import catalog
from etude.reproduce.claims import OrderClaim
from etude.reproduce.cost import multiply_adds, rates, seconds
from etude.reproduce.plan import Plan
from etude.train.job import Job
from etude.train.recipe import Recipe
from etude.train.store import Store
from etude.views.runs import state_of
from etude.views.view import Block, Remarks, Table, View
from etude.wording import UNKNOWN, duration, result

if TYPE_CHECKING:
    from etude.reproduce.reproduction import Judged, JudgedOrder, Reproduction


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
                f"{first['multiply_adds'] / 1e6:,.1f} M" if first["multiply_adds"] else UNKNOWN,
                first["budget"],
                f"0 to {len(several) - 1}" if len(several) > 1 else "0",
                ", ".join(f"{count} {state}" for state, count in states.items()),
                duration(sum_or_none(to_do)),
            )
        )
    columns = ("network and recipe", "length", "images", "data", "multiply-adds", "budget", "seeds", "there", "time left")
    jobs = Table(columns, tuple(rows), (1, 2, 4, 8))
    orders = (planned_orders(planned),) if planned.orders else ()
    plain = {"orders": [asdict(one.claim) | {"conditions": one.at} for one in planned.orders], "jobs": found}
    return View(f"Plan of {name}", f"{command} --plan", (*orders, jobs, Remarks(tuple(plan_remarks(found, left, known, store)))), plain)


def plan_remarks(
    found: Sequence[Mapping[str, Any]], left: Sequence[float | None], known: Mapping[str, float], store: Store
) -> Iterator[str]:
    """How much there is to do, and by which rate."""
    finished = sum(row["state"] == "finished" for row in found)
    yield f"runs: {len(found)}, of them finished: {finished}; time left: {duration(sum_or_none(left))}"
    for paper, rate in known.items():
        yield f"by the finished runs in {store.root}: {rate / 1e9:.3g} billion multiply-adds a second for networks of {paper}"
    if None in left:
        yield NO_RATE
    yield USED


def planned_orders(planned: Plan) -> Table:
    """What is claimed of which pairs, before they are trained."""
    rows = tuple((*stated(one.claim), one.at, " ".join(one.claim.set) or UNKNOWN) for one in planned.orders)
    return Table(("order", "claimed", "measured", "to be above", "family", "at", "set"), rows, (3,))


def stated(claim: OrderClaim) -> tuple[str, ...]:
    return (claim.id, claim.says, claim.measured, f"{claim.least:g}", claim.family)


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
        "data": recipe.data
        if recipe.data in catalog.names() or not planned.reencoded
        else f"{recipe.data} ({planned.reencoded} in another encoding)",
        "multiply_adds": multiply_adds(recipe),
        "seconds": seconds(recipe, known),
        "run": str(run.folder),
        "state": state_of(run),
    }


def sum_or_none(parts: Sequence[float | None]) -> float | None:
    """The sum, None where a part is not known."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def reproduction_view(found: "Reproduction") -> View:
    """What was checked exactly, and what took training."""
    parts: list[Block] = [exact_table(found), Remarks(tuple(exact_remarks(found)))]
    if shown := found.shown:
        parts += [trained_table(shown), Remarks(tuple(map(why, shown)))]
    parts += order_parts(found.orders)
    return View(found.claims.title, found.command, tuple(parts), found.as_dict())


def so_far_view(planned: Plan, store: Store) -> View:
    """What took training, by the runs that are there; the exact facts are checked when it is done."""
    from etude.reproduce.reproduction import so_far

    values, orders = so_far(planned, store)
    shown = [judged for judged in values if judged.planned.trained or judged.results]
    parts: list[Block] = [trained_table(shown), Remarks(tuple(map(why, shown)))] if shown else []
    plain = {"trained": [judged.as_dict() for judged in shown], "orders": [judged.as_dict() for judged in orders]}
    return View("So far", "", (*parts, *order_parts(orders)), plain)


def order_parts(orders: Sequence["JudgedOrder"]) -> list[Block]:
    """The claimed orders and what is said of each; nothing where there are none."""
    words = tuple(f"{one.claim.id}: {order_words(one)}" for one in orders)
    return [order_table(orders), Remarks(words)] if orders else []


def recipes_of(found: "Reproduction") -> tuple[Recipe, ...]:
    """By which anything was trained, or was to be."""
    own = [one.planned.recipe for one in found.shown]
    return tuple(dict.fromkeys([*own, *(recipe for one in found.orders for recipe in (one.planned.worse, one.planned.better))]))


def on_data(recipe: Recipe, found: "Reproduction") -> str:
    """`cifar10`, or `/my/folder, cifar10 in another encoding`."""
    reencoded = {one.planned.recipe.data: one.planned.data for one in found.judged if one.planned.reencoded}
    reencoded |= {one.planned.worse.data: one.planned.data for one in found.orders if one.planned.reencoded}
    return f"{recipe.data}, {reencoded[recipe.data]} in another encoding" if recipe.data in reencoded else recipe.data


def order_table(orders: Sequence["JudgedOrder"]) -> Table:
    """The claimed orders, with what was found."""
    return Table(
        ("order", "claimed", "measured", "to be above", "family", "mean", "spread", "n", "verdict"),
        tuple(map(order_row, orders)),
        (3, 5, 6, 7),
    )


def order_row(judged: "JudgedOrder") -> tuple[str, ...]:
    order = judged.order
    return (
        *stated(judged.claim),
        f"{order.mean:+.2f}" if order else UNKNOWN,
        result(order.spread) if order and order.n > 1 else UNKNOWN,
        str(order.n if order else 0),
        judged.verdict.word,
    )


def order_words(judged: "JudgedOrder") -> str:
    """The verdict as a sentence: "order holds at 1 epoch, 20 and 56 layers: 5 of 5 pairs, …"; what diverged, and what is disputed."""
    said = f"{judged.verdict.word}{' ' if judged.verdict.why.startswith('at ') else ': '}{judged.verdict.why}"
    for pair in judged.pairs:
        said += "".join(
            f"; {run.recipe.model}, seed {run.seed}, diverged at step {run.diverged}" for run in pair if run.diverged is not None
        )
    return said + (f" ({judged.claim.note})" if judged.claim.note else "")


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


def trained_table(judged: Sequence["Judged"]) -> Table:
    columns = ("trained", "published", "where", "mean", "spread", "n", "unit", "budget", "seconds", "verdict")
    return Table(columns, tuple(map(trained_row, judged)), (1, 3, 4, 5, 8))


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
