"""`etude practice watch`: one exercise after the other, checked whenever its file is saved."""

import contextlib
from collections.abc import Callable

import click

from etude.cli.keys import END, keys, none
from etude.cli.results import language_option, show_hint, show_next, show_progress, show_result, shown
from etude.lessons.progress import going_on
from etude.practice import checker
from etude.practice.exercises import Language, exercise
from etude.practice.naming import is_meant
from etude.practice.watching import Elsewhere, Pressed, Saved, happenings
from etude.practice.words import say
from etude.practice.workbook import Workbook
from etude.verification.apart import Server


@click.command(short_help="Check the exercise at hand whenever its file is saved.")
@language_option
def watch(lang: Language | None) -> int:
    """Check the exercise at hand now, and whenever its file is saved; keys give a hint and the next one."""
    book = Workbook.here()
    language = lang or book.language
    with contextlib.suppress(KeyboardInterrupt):  # from the first line on: whoever has read it may leave
        click.echo(say(language, "watching", folder=shown(book.folder)))
        with checker.warm() as server, keys() as wait:
            Watch(book, language, server, wait).run()
    click.echo()
    show_progress(book, language)
    return 0


class Watch:
    """One sitting; `name` is the exercise at hand."""

    def __init__(self, book: Workbook, language: Language, server: Server, wait: Callable[[float], str]) -> None:
        self.book, self.language, self.server, self.wait = book, language, server, wait
        self.name: str | None = None

    def run(self) -> None:
        """Until somebody leaves."""
        self.go_on()
        for happened in happenings(self.book, self.wait):
            match happened:
                case Saved(name):
                    self.name = name
                    if self.check(asked=True):
                        self.go_on()
                case Elsewhere(file) if self.name and is_meant(file, self.name):
                    click.echo(say(self.language, "elsewhere", file=shown(file), want=shown(self.book.file(self.name))))
                case Pressed("h") if self.name:
                    show_hint(self.book, self.name, self.language)
                case Pressed("n"):
                    self.show_task(going_on(self.book, after=self.name))
                case Pressed(key) if key in ("q", END):
                    return

    def go_on(self) -> None:
        """To the first exercise that does not pass as it is there."""
        self.show_task(going_on(self.book))
        while self.name and self.check():
            self.show_task(going_on(self.book))

    def show_task(self, name: str | None) -> None:
        self.name = name
        click.echo()
        show_progress(self.book, self.language)
        if name:
            click.echo("\n" + exercise(name).task(self.language) + "\n")
        show_next(self.book, self.language, name)

    def check(self, *, asked: bool = False) -> bool:
        """Whether the exercise at hand passes; `asked` by a save."""
        assert self.name
        file, digest = self.book.file(self.name), self.book.digest(self.name)
        result = checker.outcome(self.name, file, self.server).said(self.language)
        self.book.note(self.name, result.passed, digest=digest, check=asked)
        click.echo()
        show_result(result, self.language)
        if not result.passed and self.wait is not none:
            click.echo(say(self.language, "keys"))
        return result.passed
