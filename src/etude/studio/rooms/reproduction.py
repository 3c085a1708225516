"""A reproduction as a table that fills while it runs: which runs are there, what they say so far, and its page when it is done."""

import functools
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from etude.data import catalog
from etude.errors import UsageError
from etude.reproduce import claims
from etude.reproduce.claims import Claims
from etude.reproduce.plan import Plan, command, plan
from etude.studio.frame import Places, answer, language_of, page, places, shown
from etude.studio.rooms.training import BUDGETS, background, filled, length, name_of, posted, refuse_a_second, said, words
from etude.studio.words import tell
from etude.train.job import Job
from etude.train.run import Run
from etude.views.reproduction import plan_view, so_far_view
from etude.views.runs import pace
from etude.wording import percent

MOST_SEEDS = 100


def reproduction(request: Request) -> Response:
    where, asked = places(request), reproduction_of(request.query_params)
    planned, name = planned_of(**asked), asked["name"]
    return page(
        request,
        "training_reproduction",
        tell(language_of(request), held(name).title),
        room="training",
        asked=asked,
        query=urlencode(asked),
        state=state_of_reproduction(where, asked),
        failure=background(where).failure(page_of_reproduction(asked)),
        command=command(name, asked["budget"], int(asked["seeds"]), asked["data"] or None),
        plan=shown(plan_view(name, planned, where.store, ""), language_of(request)),
        table=table_of(request, planned, asked),
        page=page_file(where, asked).exists(),
        said=said(request),
    )


def reproduction_of(given: Mapping[str, str]) -> dict[str, str]:
    """What the address asks for. Raises UsageError for what is not there."""
    asked = {"name": "lecture", "budget": "smoke", "seeds": "1", "data": ""}
    asked |= {key: str(value) for key, value in given.items() if key in asked}
    held(asked["name"])
    if asked["budget"] not in BUDGETS:
        raise UsageError(f"no budget `{asked['budget'][:100]}`; expected {', '.join(BUDGETS)}")
    if not asked["seeds"].isdecimal() or len(asked["seeds"]) > 9 or not 1 <= int(asked["seeds"]) <= MOST_SEEDS:
        raise UsageError(f"seeds {asked['seeds'][:100]}: expected a whole number, 1 to {MOST_SEEDS}")
    if asked["data"] and asked["data"] not in catalog.names():
        raise UsageError(f"no data set `{asked['data'][:100]}`; choose one from the list")
    return asked


@functools.lru_cache(16)
def held(name: str) -> Claims:
    """What Etude claims of a paper, or of one of its tables. Raises UsageError for another name, that of a file too."""
    if name.endswith(".toml"):
        raise UsageError(f"no reproduction `{name[:100]}`; choose one from the list")
    return claims.load(name)


@functools.lru_cache(16)
def planned_of(name: str, budget: str, seeds: str, data: str) -> Plan:
    return plan(held(name), budget=budget, seeds=int(seeds), data=data or None)


def page_of_reproduction(asked: Mapping[str, str]) -> str:
    return "training/reproduction?" + urlencode(asked)


def state_of_reproduction(where: Places, asked: Mapping[str, str]) -> str:
    task = background(where).running()
    if task and task.page == page_of_reproduction(asked):
        return "stopping" if task.stopping else "running"
    return "failed" if background(where).failure(page_of_reproduction(asked)) else "still"


def table(request: Request) -> Response:
    """The table as it is now."""
    asked = reproduction_of(request.query_params)
    return answer({"state": state_of_reproduction(places(request), asked), "html": table_of(request, planned_of(**asked), asked)})


def table_of(request: Request, planned: Plan, asked: Mapping[str, str]) -> str:
    """Which runs are there, and what they say so far."""
    from etude.reproduce.reproduction import runs_there

    where = places(request)
    there = runs_there(planned, where.store)
    groups: dict[str, list[dict[str, str]]] = {}
    for job, one in there.items():
        groups.setdefault(f"{job.recipe.title}, {length(request, job.recipe)}", []).append(cell(request, job, one))
    finished = page_file(where, asked)
    return filled(
        request,
        "training_table",
        groups=groups,
        verdict=shown(so_far_view(planned, where.store), language_of(request)),
        page=finished.exists(),
        query=urlencode(asked),
        done=sum(one["state"] == "finished" for group in groups.values() for one in group),
        count=len(there),
    )


def cell(request: Request, job: Job, one: Run) -> dict[str, str]:
    """One run of a reproduction."""
    where = places(request)
    state = "finished" if one.finished else "running" if one.running else "unfinished" if one.started else "to do"
    text = words(request, f"state_{state}")
    if state == "finished":
        text = percent(one.result().test_accuracy)
    elif one.started:
        now = pace(job.recipe, one.curve())
        text += f" {100 * now.step / now.steps:.0f} %" if now.steps else ""
    query = urlencode({"run": name_of(one, where)}) if one.started else ""
    return {"seed": str(job.seed), "state": state, "text": text, "query": query}


def page_file(where: Places, asked: Mapping[str, str]) -> Path:
    """Where `etude reproduce` writes its page."""
    return where.store.root / f"{asked['name']}-{asked['budget']}.html"


def finished_page(request: Request) -> Response:
    """The page that `etude reproduce` wrote; no script of it runs here (guard.py)."""
    file = page_file(places(request), reproduction_of(request.query_params))
    if not file.is_file():
        raise UsageError(words(request, "no_page"))
    return HTMLResponse(file.read_bytes(), headers={"Cache-Control": "no-store"})


def reproduce(request: Request, given: dict[str, str]) -> str:
    where, asked = places(request), reproduction_of(given)
    refuse_a_second(request)
    typed = shlex.split(command(asked["name"], asked["budget"], int(asked["seeds"]), asked["data"] or None))
    background(where).start(typed[1:], page_of_reproduction(asked), where.folder)
    return page_of_reproduction(asked)


def stop(request: Request, given: dict[str, str]) -> str:
    where, shown_on = places(request), page_of_reproduction(reproduction_of(given))
    background(where).stop(shown_on)
    return shown_on


routes = [
    Route("/training/reproduction", reproduction),
    Route("/training/table", table),
    Route("/training/page", finished_page),
    Route("/training/reproduce", posted(reproduce), methods=["POST"]),
    Route("/training/reproduce/stop", posted(stop), methods=["POST"]),
]
