"""Practice: the exercises, a task beside an editor, and what a check has found. The learner's folder is the same as in the terminal."""

import functools
import re
import time
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from etude.errors import EtudeError
from etude.lessons.pages import exercises_of, pages, stem_of, title_of
from etude.lessons.progress import going_on
from etude.practice import checker, editing
from etude.practice.checker import SECONDS, Outcome
from etude.practice.exercises import Exercise, Language, exercise, names
from etude.practice.words import say
from etude.practice.workbook import Workbook
from etude.report.web import highlighted
from etude.studio import words
from etude.studio.bench import Piece
from etude.studio.frame import answer, asked, bench, language_of, page, part, places
from etude.studio.prose import html_of
from etude.verification.apart import Server

MARKS = {"passed": "✓", "changed": "●", "tried": "○", "new": ""}
OF_THE_SCRIPT = (
    *("saved", "unsaved", "reloaded", "draft", "changed_elsewhere", "gone", "kept", "restored"),
    *("stop", "waiting", "stopped", "next", "hint", "hint_shown"),
)


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def exercises(request: Request) -> Response:
    """All, in their order; or how to begin."""
    book, language = places(request).book, language_of(request)
    title = words.say(language, "frame", "practice")
    if not book.is_begun:
        return page(request, "practice_begin", title, room="practice", count=len(names()), folder=book.folder)
    rows = [(exercise(name), standing := book.standing(name), MARKS[standing], standing_text(book, name, language)) for name in names()]
    done: dict[str, Any] = {"passed": book.passed(), "count": len(names()), "next": next_of(book, None, language)}
    bench(request).warm()
    return page(request, "practice", title, room="practice", rows=rows, **done)


def one(request: Request) -> Response:
    """A task beside the editor."""
    task, book, language = here(request)
    if not book.is_begun:
        return exercises(request)
    values: dict[str, Any] = {
        "state": state_of(request),
        "words": {key: words.words_of("practice")[key][language] for key in OF_THE_SCRIPT},
        "file": book.file(task.name),
        "text": task_text(task, language),
        "place": words.say(language, "practice", "place", number=names().index(task.name) + 1, count=len(names())),
        "lessons": [(stem_of(file), title_of(file)) for file in pages(language) if task.name in exercises_of(file)],
    }
    bench(request).warm()
    return page(request, "practice_one", task.title[language], room="practice", task=task, **values)


def solution(request: Request) -> Response:
    """One beside the learner's own, once that has passed."""
    task, book, language = here(request)
    if not is_solved(book, task):
        return RedirectResponse(f"/{language}/practice/{task.name}", 303)
    sources = {"yours": editing.read(book.file(task.name), language).text, "solution": task.solution.read_text(encoding="utf-8")}
    columns = [(say(language, key), highlighted(without_task(source))) for key, source in sources.items()]
    following = next_of(book, task.name, language)
    return page(request, "practice_solution", task.title[language], room="practice", task=task, columns=columns, next=following)


# ── What the page of an exercise asks for ────────────────────────────────────────────────────────────────────────────


def begin(request: Request) -> Response:
    """Write the exercises, in the language of the page; what is there stays."""
    Workbook.begun(places(request).book.folder, language_of(request))
    return answer({})


def state(request: Request) -> Response:
    return answer(state_of(request))


async def save(request: Request) -> Response:
    given, (task, book, language) = await asked(request, text=str, digest=str), here(request)
    saved = await run_in_threadpool(editing.save, book, task.name, given["text"], given["digest"], language)
    return answer({"saved": saved, **await run_in_threadpool(state_of, request)})


def check(request: Request) -> Response:
    """Answers when the check has ended; one that was stopped has taken its process with it."""
    task, book, _ = here(request)
    work = bench(request).anew(key_of(task), functools.partial(found_in, book, task.name))
    work.ended.wait()
    if work.state == "failed":
        raise EtudeError(work.message)
    if work.state == "done":
        book.note(task.name, work.value.outcome.status == "pass", digest=work.value.code, check=True)
    bench(request).warm()
    return answer({"stopped": work.state == "stopped"})


def stop(request: Request) -> Response:
    bench(request).stop(key_of(here(request)[0]))
    return answer({})


def key_of(task: Exercise) -> tuple[str, str]:
    """By which the bench knows the last check of an exercise."""
    return "check", task.name


@dataclass(frozen=True)
class Found:
    """What a check has found in the file of that digest; `code` is that of its code alone."""

    outcome: Outcome
    digest: str
    code: str


def found_in(book: Workbook, name: str, server: Server) -> Found:
    """In the file as it is when its turn has come. Raises EtudeError where it is no text."""
    file = book.file(name)
    text, code = editing.read(file, book.language), book.digest(name)
    return Found(checker.outcome(name, file, server, SECONDS), text.digest, code)


def hint(request: Request) -> Response:
    task, book, _ = here(request)
    book.hint(task.name)
    return answer(state_of(request))


def reset(request: Request) -> Response:
    task, book, _ = here(request)
    kept = book.reset(task.name)
    return answer({"kept": kept.name if kept else "", **state_of(request)})


def state_of(request: Request) -> dict[str, Any]:
    """All that changes on the page; the text of the file only where it is not the one with the digest `known`, as the address has it."""
    task, book, language = here(request)
    file, work = editing.read(book.file(task.name), language), book.work(task.name)
    check = bench(request).pieces.get(key_of(task))
    return {
        "digest": file.digest,
        **({} if request.query_params.get("known") == file.digest else {"text": file.text}),
        "standing": standing_text(book, task.name, language),
        "hints": [text[language] for text in task.hints[: work.hints]],
        "hints_of": len(task.hints),
        "solved": is_solved(book, task),
        "next": next_of(book, task.name, language),
        "waits": time.monotonic() - check.began if check and not check.ended.is_set() else None,
        "runs": check is not None and check.state == "running",
        "found": found_of(check, language) if check and check.state == "done" else None,
    }


def found_of(check: Piece, language: Language) -> dict[str, Any]:
    """What the last check has found: a part for the page, and what is to be marked in the editor."""
    found: Found = check.value
    checked = found.outcome.said(language)
    html = part(language, "practice", "practice_found", checked=checked, about_printed=say(language, "printed"))
    marks = [{"line": one.line, "text": one.message} for one in checked.diagnoses if one.line]
    return {"number": check.began, "digest": found.digest, "passed": checked.passed, "html": html, "marks": marks}


# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def here(request: Request) -> tuple[Exercise, Workbook, Language]:
    """The exercise of an address, the learner's folder, and the language. Raises UsageError for an unknown exercise."""
    return exercise(request.path_params["name"]), places(request).book, language_of(request)


def is_solved(book: Workbook, task: Exercise) -> bool:
    work = book.work(task.name)
    return work.passed or work.solved


def standing_text(book: Workbook, name: str, language: Language) -> str:
    """Nothing of one that was not begun."""
    standing = book.standing(name)
    return say(language, f"state_{standing}", **vars(book.work(name))) if standing != "new" else ""


def next_of(book: Workbook, after: str | None, language: Language) -> dict[str, str] | None:
    """Where to go on, behind an exercise or with the one at hand; None where nothing is left but that."""
    name = going_on(book, after)
    return {"address": f"/{language}/practice/{name}", "title": exercise(name).title[language]} if name and name != after else None


def without_task(source: str) -> str:
    """A file without the docstring at its top."""
    return re.sub(r'\A\s*""".*?"""\s*', "", source, flags=re.DOTALL).strip()


def task_text(task: Exercise, language: Language) -> Markup:
    return html_of((task.folder / f"task.{language}.md").read_text(encoding="utf-8"))


routes = [
    Route("/practice/", exercises),
    Route("/practice/begin", begin, methods=["POST"]),
    Route("/practice/{name}", one),
    Route("/practice/{name}/solution", solution),
    Route("/practice/{name}/state", state),
    *(Route(f"/practice/{{name}}/{does.__name__}", does, methods=["POST"]) for does in (save, check, stop, hint, reset)),
]
