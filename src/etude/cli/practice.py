"""`etude practice`: write the classic blocks, and be told what went wrong. Torch is imported by the process that checks, never here."""

from pathlib import Path

import click

from etude.cli.classroom import MARKS, check_class
from etude.cli.render import as_json, table
from etude.cli.results import language_option, show_hint, show_next, show_progress, show_result, shown, writing
from etude.cli.watching import watch
from etude.errors import UsageError
from etude.lessons.progress import going_on
from etude.practice.checker import SECONDS, Checked, checked, side_by_side
from etude.practice.exercises import Language, exercise, names
from etude.practice.words import language_here, say
from etude.practice.workbook import Workbook
from etude.report.terminal import wrapped


@click.group()
def practice() -> None:
    """Write the classic blocks yourself, and be told exactly what went wrong.

    `start` writes the exercises to a folder; `next`, `check`, `watch`, `hint` and `compare` work inside it.

    Exit code: 0 passed, 1 not yet, 2 wrong usage.
    """


@practice.command(short_help="Write the exercises to FOLDER, ./practice by default.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="practice")
@language_option
def start(folder: Path, lang: Language | None) -> None:
    """Write the exercises to FOLDER (by default ./practice); files that are there stay as they are."""
    language = lang or language_here()
    with writing(folder, "etude practice start"):
        book = Workbook.begun(folder, language)
    click.echo(wrapped(say(language, "started", count=len(names()), folder=folder)))
    show_next(book, language)


@practice.command("list")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@language_option
def list_(json_: bool, lang: Language | None) -> None:
    """All exercises, with your progress."""
    book = Workbook.here()
    language = lang or book.language
    if json_:
        as_json([{"exercise": name, "title": exercise(name).title[language], **progress(book, name)} for name in names()])
        return
    rows = [(str(number), name, exercise(name).title[language], state_of(book, name, language)) for number, name in enumerate(names(), 1)]
    table(("", *(say(language, key) for key in ("exercise", "title", "state"))), rows, right=(0,))
    show_progress(book, language)


def progress(book: Workbook, name: str) -> dict[str, bool | int]:
    """For JSON."""
    work, standing = book.work(name), book.standing(name)
    return {"passed": standing == "passed", "changed": standing == "changed", "checks": work.checks, "hints": work.hints}


def state_of(book: Workbook, name: str, language: Language) -> str:
    return say(language, f"state_{book.standing(name)}", **vars(book.work(name)))


@practice.command("next", short_help="The exercise to go on with, and its task.")
@language_option
def next_(lang: Language | None) -> None:
    """The exercise to go on with, and its task: the one at hand, then the next that has not passed, in its lesson first."""
    book = Workbook.here()
    language = lang or book.language
    name = going_on(book)
    if name:
        click.echo(exercise(name).task(language) + "\n")
    show_next(book, language)


# ── Checking ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@practice.command()
@click.argument("name", metavar="[EXERCISE]", required=False)
@click.option(
    "--file", type=click.Path(dir_okay=False, path_type=Path), help="A script or notebook elsewhere; what it has beside is not run."
)
@click.option("--run-all", is_flag=True, help="Run all of the file, not only what the exercise asks for.")
@click.option("--all", "all_", is_flag=True, help="Every exercise; with --folder, of every learner.")
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="With --all: a class, a folder a learner.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), default=SECONDS, show_default=True, help="Time limit.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@language_option
def check(
    name: str | None,
    file: Path | None,
    run_all: bool,
    all_: bool,
    folder: Path | None,
    seconds: float,
    json_: bool,
    lang: Language | None,
) -> int:
    """Check an exercise: by default the next one; with --all every one.

    A teacher's: `etude practice check --all --folder CLASS/`, where every folder in CLASS is a learner's.
    """
    if all_ and (name or file):
        raise UsageError("--all checks every exercise; leave out EXERCISE and --file")
    if folder and not all_:
        raise UsageError("--folder goes with --all")
    if all_:
        if folder:
            return check_class(folder, seconds, json_, lang or language_of(Workbook.near()))
        return check_own(Workbook.here(), seconds, json_, lang)
    if file:
        name, book, digest = exercise(name or file.stem).name, None, ""
        language = lang or language_of(Workbook.near())
    else:
        book = Workbook.here()
        language = lang or book.language
        name = name or going_on(book)
        if name is None:
            click.echo(say(language, "all_passed", count=len(names())))
            return 0
        file, digest = book.file(exercise(name).name), book.digest(name)
    result = checked(name, file, language, run_all=run_all, seconds=seconds)
    if book:
        book.note(name, result.passed, digest=digest, check=True)
    as_json(result.plain()) if json_ else show_result(result, language)
    if result.passed and book and not json_:
        show_next(book, language)
    return 0 if result.passed else 1


def language_of(book: Workbook | None) -> Language:
    """As the folder was begun; without one as the locale."""
    return book.language if book else language_here()


def check_own(book: Workbook, seconds: float, json_: bool, lang: Language | None) -> int:
    """Every exercise of one's own folder."""
    language, results = lang or book.language, list[Checked]()
    there = [name for name in names() if book.file(name).exists()]
    digests = {name: book.digest(name) for name in there}
    for found in side_by_side([(name, book.file(name)) for name in there], seconds):
        results.append(found.said(language))
        if found.status == "pass" or book.work(found.exercise).digest:  # what has passed in a notebook is no matter of the file
            book.note(found.exercise, found.status == "pass", digest=digests[found.exercise])
        if not json_:
            click.echo(f"{MARKS[found.status]} {found.exercise}")
    if json_:
        as_json([result.plain() for result in results])
    else:
        click.echo(say(language, "passed_of", passed=sum(result.passed for result in results), count=len(names())))
    return 0 if results and all(result.passed for result in results) else 1


practice.add_command(watch)


# ── Help ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@practice.command()
@click.argument("name", metavar="[EXERCISE]", required=False)
@language_option
def hint(name: str | None, lang: Language | None) -> None:
    """A hint: one level more each time."""
    book = Workbook.here()
    language, name = lang or book.language, chosen(book, name)
    show_hint(book, name, language)


@practice.command(short_help="Write the starting file anew, and keep what you had written.")
@click.argument("name", metavar="EXERCISE")
@language_option
def reset(name: str, lang: Language | None) -> None:
    """Write the starting file anew; what you had written is kept beside it."""
    book = Workbook.here()
    language, name = lang or book.language, chosen(book, name)
    kept = book.reset(name)
    click.echo(say(language, "reset", file=shown(book.file(name))))
    if kept:
        click.echo(say(language, "kept", file=shown(kept)))


@practice.command()
@click.argument("name", metavar="EXERCISE")
@language_option
def compare(name: str, lang: Language | None) -> int:
    """A solution beside your file, once it has passed."""
    book = Workbook.here()
    language, name = lang or book.language, chosen(book, name)
    if not (book.work(name).passed or book.work(name).solved):
        click.echo(say(language, "compare_later", name=name))
        return 1
    own = book.file(name).read_text(encoding="utf-8", errors="replace")
    show_beside((say(language, "yours"), own), (say(language, "solution"), exercise(name).solution.read_text(encoding="utf-8")))
    return 0


def show_beside(*columns: tuple[str, str]) -> None:
    """Python sources beside each other; below each other where the terminal is narrow."""
    from rich.columns import Columns
    from rich.console import Console, Group
    from rich.panel import Panel
    from rich.syntax import Syntax

    console = Console()
    width = console.width // 2 if console.width >= 140 else console.width
    codes = ((title, Syntax(code.strip(), "python", word_wrap=True, background_color="default")) for title, code in columns)
    panels = [Panel(code, title=title, width=width) for title, code in codes]
    console.print(Columns(panels, padding=0) if width < console.width else Group(*panels))


def chosen(book: Workbook, name: str | None) -> str:
    """The exercise of that name; without one the next. Raises UsageError for an unknown one."""
    name = name or going_on(book) or names()[-1]
    return exercise(name).name
