"""Networks: all that are registered, and each of them to walk through. Torch is imported for its source alone."""

import functools
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from etude.errors import UsageError
from etude.models.network import Network
from etude.studio.frame import answer, language_of, page, shown
from etude.studio.rooms import own
from etude.studio.rooms.walking import Walk, source_of, within_reason
from etude.studio.words import say, tell
from etude.values import read_settings, write_settings
from etude.verification.facts import graph_of
from etude.views.card import card, counts, head, published
from etude.views.listings import networks_by_paper
from etude.views.options import choices
from etude.views.view import Passage, View, called, command
from etude.views.walk import walk_of
from etude.wording import sizes

KEPT = 64  # networks whose pictures and sources are kept


def everything(request: Request) -> Response:
    title = say(language_of(request), "frame", "networks")
    return page(request, "networks", title, room="networks", papers=networks_by_paper())


def one(request: Request) -> Response:
    """One network, with the options of its address; for options that do not go together, why."""
    asked, language = asked_for(request), language_of(request)
    trouble, walk, paper = "", None, None
    try:
        walk, paper = walk_through(asked), what_the_paper_says(asked)
    except UsageError as error:
        if not asked.options:
            raise
        trouble = tell(language, str(error))
    values = {word: [written(word, value) for value in several] for word, several in choices(asked.name).items()}
    return page(
        request,
        "network",
        called(asked.name, asked.options),
        room="networks",
        network=asked,
        about=asked.row.about,
        options=values,
        chosen={word: written(word, asked.options[word]) if word in asked.options else own[0] for word, own in values.items()},
        trouble=trouble,
        walk=walk,
        paper=paper and shown(paper, language),
        published=paper and shown(what_it_prints(asked), language),
        picture=command("explain", asked.name, asked.options, f"--diagram {asked.name}.svg"),
        read=command("read", asked.name, asked.options),
        sizes=sizes,
    )


def written(word: str, value: Any) -> str:
    """As it stands behind its word in an address, and behind --set."""
    return write_settings({word: value})[0].removeprefix(f"{word}=")


def source(request: Request) -> Response:
    """The passages of its source, for the page above, which asks for them when it stands."""
    return answer(source_of(passages(asked_for(request)), language_of(request)))


def asked_for(request: Request) -> Network:
    """The network of an address. Raises UsageError for a name or an option that is not there."""
    options = read_settings([f"{word}={value}" for word, value in request.query_params.items()])
    return within_reason(Network(request.path_params["name"], options))


@functools.lru_cache(KEPT)
def walk_through(network: Network) -> Walk:
    return Walk.of(graph_of(network.name, **network.options), walk_of(network.name, network.options))


@functools.lru_cache(KEPT)
def passages(network: Network) -> tuple[Passage, ...]:
    from etude.views.reading import reading

    return reading(network.name, **network.options).passages


def what_the_paper_says(network: Network) -> View:
    """In short: where it stands, what departs, and the counts."""
    found = card(network.name, **network.options)
    return View("", "", (head(found, network.options), *counts(found, {})), None)


def what_it_prints(network: Network) -> View:
    """At length: its results, and the table layer by layer."""
    return View("", "", tuple(published(card(network.name, **network.options), network.options)), None)


PLACE = "/networks"
routes = [
    Route(f"{PLACE}/", everything),
    *own.routes,
    Route(f"{PLACE}/{{name}}", one),
    Route(f"{PLACE}/{{name}}/source", source),
]
