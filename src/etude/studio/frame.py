"""What the pages share: their language, their frame, and how a view stands in one."""

import functools
import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from etude.errors import EtudeError
from etude.files import is_text
from etude.practice.workbook import STATE, USUAL, Workbook
from etude.report.pictures import in_chinese as pictures_in_chinese
from etude.report.web import content
from etude.report.web import templates as templates_of_report
from etude.studio.bench import Bench
from etude.studio.words import LANGUAGES, Language, say, tell
from etude.train.run import Run
from etude.train.store import Store
from etude.views.chinese import in_chinese
from etude.views.view import View

if TYPE_CHECKING:
    from etude.report.notebook import Cell

ROOMS = ("lessons", "practice", "networks", "digit", "training")


@dataclass(frozen=True)
class Places:
    """The folder that the studio was opened on; nothing is written outside of it.

    command  gives what a command shows: `explain googlenet --shapes`
    """

    folder: Path
    command: "Callable[[str], Cell]"

    @property
    def book(self) -> Workbook:
        """The learner's exercises, as in the terminal: in this folder, or in `practice` within it."""
        return Workbook(self.folder if (self.folder / STATE).exists() else self.folder / USUAL)

    @property
    def store(self) -> Store:
        return Store(self.folder / "runs")

    @property
    def runs(self) -> list[Run]:
        """All that were started there, but those whose names no page can hold."""
        return [run for run in self.store.runs() if is_text(str(run.folder.relative_to(self.store.root)))]


@functools.cache
def templates() -> jinja2.Environment:
    loader = jinja2.ChoiceLoader([jinja2.PackageLoader("etude.studio", "pages"), jinja2.PackageLoader("etude.report", ".")])
    made = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= templates_of_report().filters | {"as_json": as_json, "coded": coded}
    made.globals |= {"has_ace": bool(editor())}
    return made


def as_json(value: Any) -> Markup:
    """Values for a script of the page: for an element `<script type="application/json">`, which nothing runs."""
    return Markup(json.dumps(value, ensure_ascii=False).replace("<", "\\u003c"))


def coded(text: str) -> Markup:
    """A message with what stands in backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


@functools.cache
def editor() -> list[Path]:
    """The folder of Ace, or none: `django_ace` brings it as files; its code is not run."""
    found = importlib.util.find_spec("django_ace")
    return [Path(place, "static/django_ace/ace") for place in (found.submodule_search_locations or ())] if found else []


def page(request: Request, template: str, title: str, *, room: str = "", status: int = 200, **values: Any) -> Response:
    """The page `pages/TEMPLATE.html`, which extends `frame.html`.

    room    the room it belongs to: whose words its `say` takes, and which is marked above
    values  what the template asks for beside `say`, `frame` (the words of every page), `tell`, `drawn`, `language` and `room`
    """
    shared = {"title": title, "rooms": ROOMS, "other": in_other_language(request)}
    return HTMLResponse(part(language_of(request), room, template, **shared, **values), status, {"Cache-Control": "no-store"})


def part(language: Language, room: str, template: str, **values: Any) -> str:
    """The same without the frame, for a script that puts it into a page."""
    texts = {"say": functools.partial(say, language, room or "frame"), "frame": functools.partial(say, language, "frame")}
    told = {"tell": functools.partial(tell, language), "drawn": functools.partial(drawn, language=language)}
    return templates().get_template(f"{template}.html").render(language=language, room=room, **texts, **told, **values)


def language_of(request: Request) -> Language:
    """Every address of a page begins with its language; `*`, which HTTP knows too, does not."""
    first = request.scope["path"].removeprefix("/").partition("/")[0]
    return next((language for language in LANGUAGES if language == first), "en")


def in_other_language(request: Request) -> str:
    """The address of the same page in the other language."""
    language = language_of(request)
    path = request.scope["path"].removeprefix(f"/{language}") or "/"
    query = request.scope["query_string"].decode("latin-1")
    return f"/{'zh' if language == 'en' else 'en'}{path}{'?' if query else ''}{query}"


def places(request: Request) -> Places:
    return request.app.state.places


def bench(request: Request) -> Bench:
    return request.app.state.bench


def shown(view: View, language: Language) -> Markup:
    """A view within a page: its parts, without its title."""
    return content(view) if language == "en" else drawn(content(in_chinese(view)), language)


def drawn(picture: Markup, language: Language) -> Markup:
    """A picture, or what has pictures, with the words in them."""
    return picture if language == "en" else Markup(pictures_in_chinese(picture))


def answer(value: Any, status: int = 200) -> Response:
    """To a script of ours. In ASCII: what somebody's code prints may be half of a character, which no UTF-8 has."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Response(text, status, {"Cache-Control": "no-store"}, "application/json")


async def asked(request: Request, **kinds: type) -> dict[str, Any]:
    """What a script of ours has sent: an object with these values of these types. Raises EtudeError for anything else."""
    try:
        given = json.loads(await request.body())
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or any(type(given.get(name)) is not kind for name, kind in kinds.items()):
        expected = ", ".join(f"{name}: {kind.__name__}" for name, kind in kinds.items())
        raise EtudeError(f"expected a JSON object{' with ' * bool(kinds)}{expected}")
    return given
