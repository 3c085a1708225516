"""What a reproduction takes, and what it has found."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from etude.reproduce.plan import Planned
from etude.train.store import Store
from etude.views.runs import state_of
from etude.views.view import Remarks, Table, View
from etude.wording import UNKNOWN, result

if TYPE_CHECKING:
    from etude.reproduce.reproduction import Judged, Reproduction


USED = "a run that is there is used where the same code on the same machine, with as many threads, made it; else it is made anew"


def plan_view(name: str, planned: Sequence[Planned], store: Store, command: str) -> View:
    """A row for every job. No torch, so that nothing is known of what a run that is there stands on."""
    found = [
        {
            "recipe": one.recipe.title,
            "budget": one.recipe.budget,
            "seed": job.seed,
            "epochs": one.recipe.length if one.recipe.epochs is None else one.recipe.epochs,
            "images": one.recipe.images,
            "data": f"{one.recipe.data} ({one.data} in another encoding)" if one.reencoded else one.recipe.data,
            "run": str((run := store.found(job, {})).folder),
            "state": state_of(run),
        }
        for one in planned
        for job in one.jobs
    ]
    rows = tuple(
        (
            str(row["recipe"]),
            str(row["budget"]),
            str(row["seed"]),
            str(row["epochs"]).removesuffix(".0"),
            f"{row['images'] or 'all'}",
            str(row["data"]),
            str(row["run"]),
            str(row["state"]),
        )
        for row in found
    )
    parts = (Table(tuple(found[0]), rows, (2, 3, 4)), Remarks((USED,)))
    return View(f"Plan of {name}", f"{command} --plan", parts, found)


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
