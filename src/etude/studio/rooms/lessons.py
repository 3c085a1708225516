"""The seven lessons: their code runs and can be changed, their commands show their pictures in place, their figures move."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from etude.errors import EtudeError
from etude.lessons.pages import FOLDER, commands, exercise_of, exercises_of, in_place, pages, pieces, stem_of, title_of
from etude.lessons.progress import going_on
from etude.practice.exercises import exercise, names
from etude.practice.workbook import Workbook
from etude.studio.bench import Bench, called
from etude.studio.frame import answer, asked, bench, language_of, page, places, shown
from etude.studio.prose import html_of
from etude.studio.rooms.figures import FIGURES
from etude.studio.words import say, words_of

SECONDS, MEGABYTES, LONGEST = 60, 4_096, 100_000


@dataclass(frozen=True)
class Part:
    """Of a lesson as a page: "prose", "code", "command", or the place of its "figures".

    number  by which a command is asked for, where it can be shown; `exercise` is the one that it checks
    """

    kind: str
    text: str = ""
    html: str = ""
    output: str = ""
    number: int | None = None
    exercise: str | None = None


def lessons(request: Request) -> Response:
    """With what has passed of each, and in which of them one goes on."""
    language, book = language_of(request), places(request).book
    own, passed, next_ = {file: exercises_of(file) for file in pages(language)}, passed_in(book), going_on(book)
    rows = [(stem_of(file), title_of(file), sum(name in passed for name in own[file]), len(own[file])) for file in own]
    here = next((stem_of(file) for file in own if next_ in own[file]), None)
    return page(request, "lessons", say(language, "lessons", "title"), room="lessons", lessons=rows, here=here)


def passed_in(book: Workbook) -> set[str]:
    """The exercises that stand as they passed."""
    return {name for name in names() if book.standing(name) == "passed"}


def lesson(request: Request) -> Response:
    file, language = asked_for(request), language_of(request)
    all_ = pages(language)
    at = all_.index(file)
    around = [(stem_of(all_[place]), title_of(all_[place])) for place in (at - 1, at + 1) if 0 <= place < len(all_)]
    told = {key: words[language] for key, words in words_of("lessons").items()}
    figures = {key: words[language] for key, words in words_of("figures").items()}
    titles = {name: exercise(name).title[language] for name in names()}
    live = FIGURES.get(stem_of(file), ())
    return page(
        request,
        "lesson",
        title_of(file),
        room="lessons",
        parts=parts_of(file),
        around=around,
        live=live,
        figures=figures,
        told=told,
        titles=titles,
        passed=passed_in(places(request).book),
    )


def asked_for(request: Request) -> Path:
    """The page of the address. 404 where there is none."""
    for file in pages(language_of(request)):
        if stem_of(file) == request.path_params["name"]:
            return file
    raise HTTPException(404)


@functools.cache
def parts_of(file: Path) -> list[Part]:
    """A lesson from top to bottom; below its title stands the way to the other pages, which is left out."""
    head, *rest = pieces(file)
    made = [Part("prose", html=html_of(relinked(head.text.split("\n\n", 2)[2])))]
    for piece in rest:
        if piece.kind == "prose":
            below, heading, rest_of_it = piece.text.partition("\n\n## ")  # what is said of a code stands at it, its figures behind
            made.append(Part("prose", html=html_of(relinked(below))))
            if made[-2].kind == "code":
                made.append(Part("figures"))
            if heading:
                made.append(Part("prose", html=html_of(relinked(f"## {rest_of_it}"))))
        elif piece.kind == "python":
            made.append(Part("code", piece.text, output=piece.output))
        else:
            made += commands_of(piece.text, len(shown_commands(made)))
    return made


def shown_commands(parts: list[Part]) -> list[Part]:
    return [part for part in parts if part.number is not None]


def commands_of(text: str, count: int) -> Iterator[Part]:
    """The commands of a fence, and what the lesson shows below one."""
    output = text.partition("\n")[2] if text.startswith("$ ") else ""
    for line in commands(text):
        exercise = exercise_of(line)
        number = None if exercise or not in_place(line) else count
        count += number is not None
        yield Part("command", line, output=output, number=number, exercise=exercise)


CHANGES = (
    (r"<!--.*?-->\n?", ""),  # marks for `make docs`
    (r"\n\n[^\n]+\]\(\d-[\w-]+\.\w+\.md\)\s*$", ""),  # the way to the next lesson, which the page has as buttons
    (r"(?<!\]\()(?<![<\"])https?://[^\s)，）,:：]+[\w/]", r"<\g<0>>"),  # an address is a link
    (r"\]\((\d-[\w-]+)\.(\w+)\.md\)", r"](/\2/lessons/\1/)"),
    (r"\]\((?:\.\./)*(?:figures/)?([\w-]+\.svg)\)", r"](/en/lessons/pictures/\1)"),
    (r"(?<!!)\[([^\]]+)\]\((?!/|https?:)[^)]*\)", r"\1"),  # what lies elsewhere in the repository becomes its name
)


def relinked(text: str) -> str:
    """Prose of a page as it stands here."""
    for pattern, instead in CHANGES:
        text = re.sub(pattern, instead, text, flags=re.DOTALL)
    return text


# ── What a lesson's script asks for ──────────────────────────────────────────────────────────────────────────────────


def show(request: Request) -> Response:
    """What the command with that number shows, as HTML. In the words of the terminal."""
    parts = {str(part.number): part for part in shown_commands(parts_of(asked_for(request)))}
    part = parts.get(request.path_params["number"])
    text = in_place(part.text) if part else None
    if text is None:
        raise HTTPException(404)
    return answer({"html": shown(places(request).command(text).view, language_of(request))})


async def run(request: Request) -> Response:
    """What a changed code prints. One at a time; it may take a minute, and can be stopped by the name that the page has given it."""
    asked_for(request)
    given = await asked(request, code=str, name=str)
    if len(given["code"]) > LONGEST:
        raise EtudeError(f"the code has {len(given['code']):,} letters, expected at most {LONGEST:,}")
    return answer(await run_in_threadpool(ran, bench(request), given["code"], given["name"]))


async def stop(request: Request) -> Response:
    """End the code that runs under that name."""
    given = await asked(request, name=str)
    await run_in_threadpool(bench(request).stop, ("cell", given["name"]))
    return answer({})


def ran(bench: Bench, code: str, name: str) -> Any:
    work = bench.anew(("cell", name), called("etude.studio.cells:run", {"code": code}, SECONDS, MEGABYTES))
    work.ended.wait()
    return work.value or {"printed": "", "error": work.message or work.state, "line": None}


def picture(request: Request) -> Response:
    """A picture of the lessons."""
    file = FOLDER / "figures" / request.path_params["name"]
    if file.parent != FOLDER / "figures" or file.suffix != ".svg" or not file.is_file():
        raise HTTPException(404)
    return FileResponse(file)


routes = [
    Route("/lessons/", lessons),
    Route("/lessons/pictures/{name}", picture),
    Route("/lessons/{name}/", lesson),
    Route("/lessons/{name}/show/{number}", show),
    Route("/lessons/{name}/run", run, methods=["POST"]),
    Route("/lessons/{name}/stop", stop, methods=["POST"]),
]
