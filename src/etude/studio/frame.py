"""What the pages share: their language, their frame, and how a view stands in one."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from etude.errors import EtudeError
from etude.practice.workbook import STATE, USUAL, Workbook
from etude.report.web import content
from etude.report.web import templates as templates_of_report
from etude.studio.words import LANGUAGES, Language, say
from etude.train.store import Store
from etude.version import VERSION
from etude.views.view import View

ROOMS = ("lessons", "practice", "networks", "digit", "training")


@dataclass(frozen=True)
class Places:
    """The folder that the studio was opened on; nothing is written outside of it."""

    folder: Path

    @property
    def book(self) -> Workbook:
        """The learner's exercises, as in the terminal: in this folder, or in `practice` within it."""
        return Workbook(self.folder if (self.folder / STATE).exists() else self.folder / USUAL)

    @property
    def store(self) -> Store:
        return Store(self.folder / "runs")


@functools.cache
def templates() -> jinja2.Environment:
    loader = jinja2.ChoiceLoader([jinja2.PackageLoader("etude.studio", "pages"), jinja2.PackageLoader("etude.report", ".")])
    made = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= templates_of_report().filters | {"as_json": as_json}
    return made


def as_json(value: Any) -> Markup:
    """Values for a script of the page: for an element `<script type="application/json">`, which nothing runs."""
    return Markup(json.dumps(value, ensure_ascii=False).replace("<", "\\u003c"))


def page(request: Request, template: str, title: str, *, room: str = "", status: int = 200, **values: Any) -> Response:
    """The page `pages/TEMPLATE.html`, which extends `frame.html`.

    room    the room it belongs to: whose words its `say` takes, whose script `static/ROOM.js` it loads, and which is marked above
    values  what the template asks for beside `say`, `frame` (the words of every page), `language` and `room`
    """
    language = language_of(request)
    text = (
        templates()
        .get_template(f"{template}.html")
        .render(
            title=title,
            room=room,
            rooms=ROOMS,
            language=language,
            other=in_other_language(request),
            version=VERSION,
            say=functools.partial(say, language, room or "frame"),
            frame=functools.partial(say, language, "frame"),
            **values,
        )
    )
    return HTMLResponse(text, status, {"Cache-Control": "no-store"})


def language_of(request: Request) -> Language:
    """Every address begins with its language."""
    first = request.scope["path"].split("/")[1]
    return next((language for language in LANGUAGES if language == first), "en")


def in_other_language(request: Request) -> str:
    """The address of the same page in the other language."""
    language = language_of(request)
    path = request.scope["path"].removeprefix(f"/{language}") or "/"
    query = request.scope["query_string"].decode("latin-1")
    return f"/{'zh' if language == 'en' else 'en'}{path}{'?' if query else ''}{query}"


def places(request: Request) -> Places:
    return request.app.state.places


def shown(view: View) -> Markup:
    """A view within a page: its parts, without its title."""
    return content(view)


def answer(value: Any, status: int = 200) -> Response:
    """To a script of ours."""
    return JSONResponse(value, status, {"Cache-Control": "no-store"})


async def sent(request: Request) -> Any:
    """The values that a script of ours has sent. Raises EtudeError for what is no JSON."""
    try:
        return await request.json()
    except ValueError as error:
        raise EtudeError(f"expected JSON, found something else ({error})") from error
