"""The studio's rooms behind one door."""

import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from etude.errors import EtudeError, UsageError
from etude.practice.words import language_here
from etude.studio.bench import Bench
from etude.studio.dropped import Dropped
from etude.studio.frame import Places, answer, editor, language_of, page, places
from etude.studio.guard import Door, Guard
from etude.studio.rooms import digit, figures, lessons, networks, practice, reproduction, training
from etude.studio.words import LANGUAGES, say, tell

STATIC = Path(__file__).with_name("static")


Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def studio(
    where: Places, door: Door, lifespan: Lifespan | None = None, bench: Bench | None = None, dropped: Dropped | None = None
) -> Guard:
    """The application that serves one folder through one door; whoever gives it a bench and files that were dropped closes them."""
    errors = {EtudeError: mendable, OSError: of_the_disk, HTTPException: no_page, ClientDisconnect: left, Exception: broken}
    app = Starlette(routes=routes(), exception_handlers=errors, lifespan=lifespan)
    app.state.places, app.state.bench, app.state.dropped = where, bench or Bench(), dropped or Dropped()
    return Guard(app, door)


def routes() -> list[Route | Mount]:
    """Every page has an address in each language."""
    pages = [*lessons.routes, *figures.routes, *practice.routes, *networks.routes, *digit.routes, *training.routes, *reproduction.routes]
    return [
        Route("/", first),
        *(Mount(f"/{language}", routes=[Route("/", home), *pages]) for language in LANGUAGES),
        *(Mount("/static/ace", Files(directory=place)) for place in editor()),
        Mount("/static", Files(directory=STATIC)),
    ]


class Files(StaticFiles):
    """Whose copy in the browser is held against ours each time: they change with the version."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def first(request: Request) -> Response:
    """In the language of the learner's folder, or else that of the machine."""
    book = places(request).book
    return RedirectResponse(f"/{book.language if book.folder.exists() else language_here()}/", 303)


def home(request: Request) -> Response:
    return page(request, "home", "Etude")


# ── What goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────────


def mendable(request: Request, error: Exception) -> Response:
    """What a person can mend."""
    return sorry(request, tell(language_of(request), str(error)), 404 if isinstance(error, UsageError) else 422)


def of_the_disk(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    return sorry(request, f"{error.filename or 'input/output'}: {error.strerror or error}", 422)


def no_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    missing = say(language_of(request), "frame", "not_found")
    return sorry(request, missing if error.status_code == 404 else error.detail, error.status_code)


def left(request: Request, error: Exception) -> Response:
    """Whoever asked has gone before all was said, and reads no answer."""
    return Response(status_code=400)


def broken(request: Request, error: Exception) -> Response:
    traceback.print_exception(error)
    return sorry(request, say(language_of(request), "frame", "broken"), 500)


def sorry(request: Request, message: str, status: int) -> Response:
    """One message: JSON to a script of ours, a page to a person."""
    if "application/json" in request.headers.get("accept", ""):
        return answer({"error": message}, status)
    return page(request, "sorry", "Etude", status=status, message=message)
