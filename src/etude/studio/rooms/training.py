"""Start a training, watch its curves, stop it and go on; lay runs over each other; see a reproduction fill."""

import contextlib
import datetime
import functools
import shlex
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from etude.data import catalog
from etude.errors import EtudeError, UsageError
from etude.report.plain import finite
from etude.reproduce import claims, cost
from etude.studio.background import Background
from etude.studio.frame import Places, answer, asked, language_of, page, part, places, shown
from etude.studio.words import say, tell, words_of
from etude.train import recipe as recipes
from etude.train.job import Job
from etude.train.recipe import Recipe
from etude.train.run import Run
from etude.views.runs import Pace, pace, published_curve, run_view, summary
from etude.wording import duration, percent

BUDGETS = ("smoke", "laptop", "paper")
FIRST = {"recipe": "lecture_residual.lecture", "budget": "laptop", "seed": "0", "data": ""}  # of the form
MOST = 100  # runs of the list, the newest
TOGETHER = 8  # runs over each other
MOST_SEEDS = 100
SHOW, GO_ON = ("runs", "show"), ("train", "--resume")
computing = threading.Lock()  # gradients, of one run at a time


def words(request: Request, key: str, **values: Any) -> str:
    return say(language_of(request), "training", key, **values)


def background(where: Places) -> Background:
    return Background.of(where.store.root)


# ── All runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def training(request: Request) -> Response:
    asked = {**FIRST, **{key: request.query_params[key] for key in FIRST if key in request.query_params}}
    return page(
        request,
        "training",
        words(request, "title"),
        room="training",
        recipes=by_file(),
        budgets=BUDGETS,
        data=catalog.names(),
        asked=asked,
        told=told(request, asked),
        list=listed(request),
        reproductions=claims.names(),
        said=said(request),
    )


def said(request: Request) -> dict[str, str]:
    """The words of the script."""
    return {key: both[language_of(request)] for key, both in words_of("training").items() if key.startswith("js_")}


@functools.cache
def by_file() -> dict[str, list[str]]:
    """The recipes that Etude brings with the data that they are for, those of the lecture first."""
    found: dict[str, list[str]] = {"lecture": []}
    for name in recipes.names():
        found.setdefault(name.rpartition(".")[2], []).append(name)
    return {file: names for file, names in found.items() if recipes.read(recipes.FOLDER / f"{file}.toml").data}


def told(request: Request, asked: Mapping[str, str]) -> dict[str, str]:
    """Of what is chosen: the command, and what it takes; or the error of a choice that cannot be."""
    try:
        job = job_of(asked)
    except EtudeError as error:
        return {"command": "", "text": "", "error": tell(language_of(request), str(error))}
    recipe, expected = job.recipe, cost.seconds(job.recipe, cost.rates(places(request).store))
    images = words(request, "some_images", count=f"{recipe.images:,}") if recipe.images else words(request, "all_images")
    text = words(request, "takes", length=length(request, recipe), images=images, data=recipe.data)
    text += words(request, "time", time=time_in_words(request, expected)) if expected is not None else words(request, "no_time")
    return {"command": shlex.join(["etude", *arguments(asked)]), "text": text, "error": ""}


def length(request: Request, recipe: Recipe) -> str:
    if recipe.epochs is None:
        return words(request, "steps", count=f"{recipe.steps:,}")
    return words(request, "one_epoch" if recipe.epochs == 1 else "epochs", count=f"{recipe.epochs:g}")


def time_in_words(request: Request, seconds: float) -> str:
    number, unit = duration(seconds).split(" ")
    return words(request, f"unit_{unit}", number=number)


def job_of(asked: Mapping[str, str]) -> Job:
    """What was chosen, as a job. Raises EtudeError for what is not there."""
    if not any(asked["recipe"] in names for names in by_file().values()):
        raise UsageError(f"no recipe `{asked['recipe']}` of Etude's; choose one from the list")
    if asked["data"] and asked["data"] not in catalog.names():
        raise UsageError(f"no data set `{asked['data']}`; choose one from the list")
    if not asked["seed"].isdecimal() or len(asked["seed"]) > 9:
        raise UsageError(f"seed {asked['seed']}: expected a whole number, 0 or more")
    recipe = recipes.load(asked["recipe"], asked["budget"])
    return Job(recipe.on(asked["data"]) if asked["data"] else recipe, int(asked["seed"]))


def arguments(asked: Mapping[str, str]) -> list[str]:
    data = ["--data", asked["data"]] if asked["data"] else []
    return ["train", asked["recipe"], "--budget", asked["budget"], "--seed", str(int(asked["seed"])), *data]


def estimate(request: Request) -> Response:
    return answer(told(request, {**FIRST, **{key: value for key, value in request.query_params.items() if key in FIRST}}))


def list_(request: Request) -> Response:
    return answer({"html": listed(request)})


def listed(request: Request) -> str:
    """The newest runs as rows of a table, and what the studio has started."""
    where = places(request)
    runs = sorted(where.runs, key=lambda run: stamp(run)[0], reverse=True)
    rows = [row_of(request, run) for run in runs[:MOST]]
    task = background(where).running()
    return filled(request, "training_list", rows=rows, more=len(runs) - len(rows), task=task)


def filled(request: Request, template: str, **values: Any) -> str:
    """A part of a page."""
    return part(language_of(request), "training", template, **values)


def row_of(request: Request, run: Run) -> dict[str, Any]:
    found = summary_at(run, stamp(run))
    state, name = found["state"], name_of(run, places(request))
    if state == "unfinished" and run.running:
        state = "running"
    readable = not state.startswith("unreadable")
    return {
        **found,
        "name": name,
        "folder": run.folder.name.removeprefix("seed-"),
        "when": datetime.datetime.fromtimestamp(stamp(run)[0]).strftime("%Y-%m-%d %H:%M"),
        "epoch": f"{found['epoch']:.3g}",
        "accuracy": percent(found["test_accuracy"]),
        "words": words(request, f"state_{state}") if readable else tell(language_of(request), state.removeprefix("unreadable: ")),
        "state": state if readable else "unreadable",
        "query": urlencode({"run": name}),
    }


def stamp(run: Run) -> tuple[float, ...]:
    """When it was last written, and what tells whether it has changed since."""
    found = []
    for file in (run.metrics_file, run.folder / "recipe.toml", run.folder / "env.json", run.folder / "result.json"):
        try:
            found.append(file.stat().st_mtime)
        except OSError:
            found.append(0.0)
    return max(found), *found


@functools.lru_cache(4096)
def summary_at(run: Run, _: tuple[float, ...]) -> dict[str, Any]:
    """Read once, as long as nothing changes. Whether a process writes there leaves no trace, and is asked anew."""
    found = summary(run)
    return found | {"state": "unfinished"} if found["state"] == "running" else found


# ── One run, or several ──────────────────────────────────────────────────────────────────────────────────────────────


def run_of(request: Request, name: str) -> Run:
    """The run of that name below the folder of runs. Raises UsageError for a name that leads elsewhere."""
    root = places(request).store.root
    try:
        folder, inside = (root / name).resolve(), root.resolve()
        (root / name).exists()  # which says what is wrong with a name
        if folder != inside and folder.is_relative_to(inside) and name_of(Run(folder), places(request)) == name:
            return Run(root / name)
    except (OSError, ValueError):  # longer than a name may be, or with a zero in it
        pass
    raise UsageError(words(request, "no_run", name=name[:100]))


def name_of(run: Run, where: Places) -> str:
    """`lecture_residual.lecture/smoke/seed-0`."""
    root = where.store.root if run.folder.is_relative_to(where.store.root) else where.store.root.resolve()
    return run.folder.relative_to(root).as_posix()


def from_here(run: Run, where: Places) -> str:
    """As a command in the studio's folder names it."""
    return run.folder.relative_to(where.folder).as_posix()


def page_of(run: Run, where: Places) -> str:
    return "training/run?" + urlencode({"run": name_of(run, where)})


def state_of(run: Run, where: Places) -> str:
    """`starting`, `running`, `stopping` (what the studio started), `elsewhere`, `finished`, `failed`, `unfinished`, or `gone`."""
    behind = background(where)
    task, name = behind.running(), page_of(run, where)
    if task and task.page == name:
        return "stopping" if task.stopping else "running" if run.started else "starting"
    if run.finished:
        return "finished"
    if run.running:
        return "elsewhere"
    return "failed" if behind.failure(name) else "unfinished" if run.started else "gone"


def run(request: Request) -> Response:
    """The curves of the runs that the address names; of a single one also what it is, and its buttons."""
    where = places(request)
    names = list(dict.fromkeys(request.query_params.getlist("run")))
    if not 1 <= len(names) <= TOGETHER:
        raise UsageError(words(request, "too_many", most=TOGETHER, count=len(names)))
    runs = [run_of(request, name) for name in names]
    states = [state_of(one, where) for one in runs]
    if "gone" in states:
        raise UsageError(words(request, "no_run", name=names[states.index("gone")][:100]))
    lines = [line_of(request, one, index) for index, one in enumerate(runs)]
    first, one = runs[0], len(runs) == 1
    return page(
        request,
        "training_run",
        lines[0]["title"] if one else words(request, "several", count=len(runs)),
        room="training",
        one=one,
        lines=lines,
        state=states[0] if one else "",
        failure=background(where).failure(page_of(first, where)) if one else "",
        name=names[0],
        query=urlencode({"run": names[0]}),
        details=shown(run_view(first), language_of(request)) if one and first.started else "",
        started=first.started,
        commands=[
            shlex.join(["etude", *(GO_ON if state == "unfinished" else SHOW), from_here(each, where)])
            for each, state in zip(runs, states, strict=True)
        ],
        whole="whole" in request.query_params,
        otherwise="?" + urlencode([("run", name) for name in names] + ([] if "whole" in request.query_params else [("whole", "1")])),
        said=said(request),
    )


def line_of(request: Request, run: Run, index: int) -> dict[str, Any]:
    """What the script draws of a run, without its points."""
    name = name_of(run, places(request))
    line = {"name": name, "title": name, "colour": index, "epochs": 0, "published": None, "query": urlencode({"run": name})}
    if not run.started:
        return line
    job = run.job()
    curve = published_curve(job.recipe)
    return line | {
        "title": words(request, "run_title", recipe=job.recipe.title, seed=job.seed, budget=job.recipe.budget),
        "epochs": epochs(job.recipe, run.curve()),
        "published": curve
        and {"at": f"{job.recipe.model.row.paper}, {curve.at}", "points": [asdict(point) for point in curve.points], "id": curve.id},
    }


def epochs(recipe: Recipe, rows: list[dict[str, Any]]) -> float:
    """How long it will be; 0 where that is not known yet, of a number of steps."""
    done = rows[-1] if rows and rows[-1]["step"] else None
    return recipe.epochs or (recipe.steps or 0) * (done["epoch"] / done["step"] if done else 0)


def rows(request: Request) -> Response:
    """For ?run=NAME&since=N, as often as there are runs: the lines of their metrics behind the first N, and how they are."""
    names, since = request.query_params.getlist("run"), request.query_params.getlist("since")
    if len(names) != len(since) or len(names) > TOGETHER or not all(number.isdecimal() and len(number) < 9 for number in since):
        raise UsageError(f"expected up to {TOGETHER} runs, and `since` for each")
    return answer([news(request, run_of(request, name), int(number)) for name, number in zip(names, since, strict=True)])


def news(request: Request, run: Run, since: int) -> dict[str, Any]:
    state = state_of(run, places(request))
    if not run.started:
        return {"state": state, "from": 0, "rows": [], "words": status(request, state, None), "epochs": 0, "checkpoint": False}
    lines, recipe = run.curve(), run.recipe()
    begin = since if since <= len(lines) else 0  # lines behind the checkpoint are cut off where a run goes on
    return {
        "state": state,
        "from": begin,
        "rows": finite(lines[begin:]),
        "words": status(request, state, pace(recipe, lines)),
        "epochs": epochs(recipe, lines),
        "checkpoint": run.checkpoint.exists(),
    }


def status(request: Request, state: str, now: Pace | None) -> str:
    """How far it is, in a line."""
    said = words(request, f"state_{state}")
    if now is None:
        return said
    if now.steps:
        said += words(request, "step_of", step=f"{now.step:,}", steps=f"{now.steps:,}")
    if now.images_per_second and state in ("running", "elsewhere", "stopping"):
        said += words(request, "speed", speed=f"{now.images_per_second:,.0f}")
        said += words(request, "left", time=time_in_words(request, now.seconds_left)) if now.seconds_left is not None else ""
    return said


def gradients(request: Request) -> Response:
    """The page, at once; what it shows is computed when its script asks."""
    where, one = places(request), run_of(request, request.query_params.get("run", ""))
    job = one.job()
    typed = ["etude", "explain", str(job.recipe.model), "--gradients", "--run", from_here(one, where), "--data", job.recipe.data]
    return page(
        request,
        "training_gradients",
        words(request, "gradients_of", recipe=job.recipe.title, seed=job.seed),
        room="training",
        query=urlencode({"run": name_of(one, where)}),
        command=shlex.join(typed),
        said=said(request),
    )


def gradients_now(request: Request) -> Response:
    """At the last checkpoint."""
    from etude.train import checkpoint
    from etude.views.network import gradients_view, trained_subject

    one = run_of(request, request.query_params.get("run", ""))
    with computing:
        view = gradients_view(trained_subject(one))
        step = checkpoint.read(one.checkpoint)[1]["step"]
    return answer({"html": filled(request, "training_gradients_now", view=shown(view, language_of(request)), step=f"{step:,}")})


# ── Start and stop ───────────────────────────────────────────────────────────────────────────────────────────────────


def posted(act: Callable[[Request, dict[str, str]], str]) -> Callable[[Request], Any]:
    """An endpoint that takes a table of texts and gives the page to go to."""

    async def endpoint(request: Request) -> Response:
        given = await asked(request)
        if not all(isinstance(value, str) for value in given.values()):
            raise EtudeError("expected a table of texts")
        return answer({"page": f"/{language_of(request)}/{await run_in_threadpool(act, request, given)}"})

    return endpoint


def start(request: Request, given: dict[str, str]) -> str:
    where, asked = places(request), {**FIRST, **given}
    job = job_of(asked)
    refuse_a_second(request)
    one = where.store.new(job)
    try:
        background(where).start([*arguments(asked), "--run", from_here(one, where)], page_of(one, where), where.folder)
    except EtudeError:
        with contextlib.suppress(OSError):
            one.folder.rmdir()
        raise
    return page_of(one, where)


def resume(request: Request, given: dict[str, str]) -> str:
    where, one = places(request), run_of(request, given.get("run", ""))
    one.job()
    if one.finished or one.running:
        raise EtudeError(words(request, "no_going_on"))
    refuse_a_second(request)
    background(where).start(["train", "--resume", from_here(one, where)], page_of(one, where), where.folder)
    return page_of(one, where)


def refuse_a_second(request: Request) -> None:
    if task := background(places(request)).running():
        raise EtudeError(words(request, "busy", command=task.command))


def stop(request: Request, given: dict[str, str]) -> str:
    where, one = places(request), run_of(request, given.get("run", ""))
    background(where).stop(page_of(one, where))
    return page_of(one, where)


routes = [
    Route("/training/", training),
    Route("/training/list", list_),
    Route("/training/estimate", estimate),
    Route("/training/run", run),
    Route("/training/rows", rows),
    Route("/training/gradients", gradients),
    Route("/training/gradients_now", gradients_now),
    Route("/training/start", posted(start), methods=["POST"]),
    Route("/training/resume", posted(resume), methods=["POST"]),
    Route("/training/stop", posted(stop), methods=["POST"]),
]
