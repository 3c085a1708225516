"""How far a learner is in the lessons, and with which exercise to go on. No torch."""

from etude.lessons.pages import exercises_of, pages
from etude.practice.exercises import names
from etude.practice.workbook import Workbook


def going_on(book: Workbook, after: str | None = None) -> str | None:
    """The next exercise that has not passed: of the same lesson, then behind that one, then from the beginning; None where all have.

    after  which exercise; without one that which was worked on last, with which one goes on where it has not passed
    """
    here = after or book.read().last
    if here is None:
        return book.first_open(names())
    lesson, order = next((own for page in pages("en") if here in (own := exercises_of(page))), ()), names()
    behind = [name for some in (lesson, order) if here in some for name in some[some.index(here) + 1 :]]
    turned = [*behind, *order[: order.index(here)], here]
    return book.first_open(dict.fromkeys(turned if after else [here, *turned]))
