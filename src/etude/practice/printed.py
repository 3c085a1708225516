"""What a learner's code prints, kept short and safe for a terminal. No torch."""

import io
from collections.abc import Iterable
from typing import TextIO

LINES, SIGNS = 20, 200
MORE = "…"


class Printed(io.TextIOBase):
    """Keeps each line once, since a module is run several times, and the first LINES of them; hands all on to a stream."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.kept: dict[str, None] = {}
        self.begun = ""

    def write(self, text: str) -> int:
        self.stream.write(text)
        *ended, rest = text.split("\n")
        for line in ended:
            self.keep(self.begun + line)
            self.begun = ""
        self.begun = (self.begun + rest)[: SIGNS + 1]
        return len(text)

    def keep(self, line: str) -> None:
        if len(self.kept) <= LINES:
            self.kept[line[: SIGNS + 1]] = None

    def lines(self) -> list[str]:
        return shown([*self.kept, self.begun])

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()


def shown(printed: Iterable[str]) -> list[str]:
    """Lines as they can be shown: each once, none long, without signs that a terminal obeys or that nobody sees."""
    lines = [plain(line) for line in dict.fromkeys(printed) if line.strip()]
    return lines if len(lines) <= LINES else [*lines[:LINES], MORE]


def plain(line: str) -> str:
    text = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line.expandtabs()[: SIGNS + 1].rstrip())
    return text if len(text) <= SIGNS else text[:SIGNS] + MORE
