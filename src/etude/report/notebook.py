"""A view as a cell of a notebook shows it: as on the page, and in the words of the terminal where there is no HTML."""

from dataclasses import dataclass

from etude.report.terminal import WIDTH, text_of
from etude.views.view import View


@dataclass(frozen=True, repr=False)
class Cell:
    """What a notebook shows of a view."""

    view: View

    def _repr_html_(self) -> str:
        from etude.report.web import fragment_of

        return str(fragment_of(self.view))

    def __repr__(self) -> str:
        return text_of(self.view, WIDTH + 2)
