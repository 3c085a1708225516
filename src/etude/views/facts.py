"""A fact of a paper in words, and all facts of one. No torch."""

from etude.papers import Fact, Paper
from etude.verification.facts import Facts, facts_of
from etude.views.view import Terms, Text, View, command
from etude.wording import number


def facts_view(name: str) -> View:
    """Every fact of a registered network's paper. Raises UsageError for an unknown name."""
    return view_of_facts(facts_of(name), command("show", name, {}, "--facts"))


def view_of_facts(found: Facts, shown_by: str = "") -> View:
    """All that the paper says, where that is no table."""
    paper, facts = found.paper, tuple(found.paper.facts.values())
    parts = (Text(source_of(paper)), Terms(tuple((fact.id, fact_words(fact)) for fact in facts)))
    return View(f"Facts of {paper.title}", shown_by, parts, facts)


def source_of(paper: Paper) -> str:
    return f"{paper.title}, {paper.authors}, {paper.year}, {paper.source}"


def fact_words(fact: Fact) -> str:
    """The value with its unit, its place and how sure it is."""
    unit = "" if fact.unit == "words" else f" {fact.unit}"
    reading = "" if fact.reading is None else f", read as {fact.reading:,}"
    note = f"; {fact.note}" if fact.note else ""
    return f"{number(fact.value)}{unit}{reading} ({fact.at}, {fact.kind}){note}"
