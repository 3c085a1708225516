"""The studio's rooms behind one door."""

import importlib.util
import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from etude.errors import EtudeError, UsageError
from etude.practice.words import language_here
from etude.studio.bench import Bench
from etude.studio.frame import Places, answer, language_of, page, places
from etude.studio.guard import Door, Guard
from etude.studio.rooms import digit, figures, lessons, networks, training
from etude.studio.words import LANGUAGES, say

STATIC = Path(__file__).with_name("static")


Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def studio(where: Places, door: Door, lifespan: Lifespan | None = None) -> ASGIApp:
    """The application that serves one folder through one door."""
    errors = {EtudeError: mendable, HTTPException: no_page, Exception: broken}
    app = Starlette(routes=routes(), exception_handlers=errors, lifespan=lifespan)
    app.state.places = where
    app.state.bench = Bench()
    return Guard(app, door)


def routes() -> list[Route | Mount]:
    """Every page has an address in each language."""
    pages = [*lessons.routes, *figures.routes, *networks.routes, *digit.routes, *training.routes]
    editor = importlib.util.find_spec("django_ace")  # which brings the editor as files; its code is not run
    ace = [Path(place, "static/django_ace/ace") for place in (editor.submodule_search_locations or ())] if editor else []
    return [
        Route("/", first),
        *(Mount(f"/{language}", routes=[Route("/", home), *pages]) for language in LANGUAGES),
        *(Mount("/static/ace", StaticFiles(directory=place)) for place in ace),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


def first(request: Request) -> Response:
    """In the language of the learner's folder, or else that of the machine."""
    book = places(request).book
    return RedirectResponse(f"/{book.language if book.folder.exists() else language_here()}/", 303)


def home(request: Request) -> Response:
    return page(request, "home", "Etude")


# ── What goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────────


def mendable(request: Request, error: Exception) -> Response:
    """What a person can mend."""
    return sorry(request, str(error), 404 if isinstance(error, UsageError) else 422)


def no_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    missing = say(language_of(request), "frame", "not_found")
    return sorry(request, missing if error.status_code == 404 else error.detail, error.status_code)


def broken(request: Request, error: Exception) -> Response:
    traceback.print_exception(error)
    return sorry(request, say(language_of(request), "frame", "broken"), 500)


def sorry(request: Request, message: str, status: int) -> Response:
    """One message: JSON to a script of ours, a page to a person."""
    if "application/json" in request.headers.get("accept", ""):
        return answer({"error": message}, status)
    return page(request, "sorry", "Etude", status=status, message=message)
