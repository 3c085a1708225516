"""Values that show themselves: in a cell of a notebook, and in the same words on a terminal. No face is known here."""

from collections.abc import Callable
from typing import Any, Protocol


class Face(Protocol):
    """What is shown of a value, as text and as HTML."""

    def __repr__(self) -> str: ...
    def _repr_html_(self) -> str: ...


class Shown:
    """The base of whatever one gets from this package to look at.

    face  gives the face of such a value; the package's root, which is above all rooms, sets it
    """

    face: Callable[["Shown"], Face]

    def __repr__(self) -> str:
        return repr(type(self).face(self))

    def _repr_html_(self) -> str:
        return type(self).face(self)._repr_html_()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Both at once, for those who ask for that first."""
        return {"text/plain": repr(self), "text/html": self._repr_html_()}
