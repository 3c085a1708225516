"""`etude practice`: write the classic blocks, and be told what went wrong. Torch is imported by the process that checks, never here."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import click

from etude.cli.render import WIDTH, as_json, filled, table
from etude.cli.render import say as remark
from etude.errors import UsageError
from etude.practice.checker import SECONDS, Checked, checked, warm
from etude.practice.exercises import LANGUAGES, Language, exercise, names
from etude.practice.words import language_here, say
from etude.practice.workbook import Work, Workbook

POLL_SECONDS = 0.3
NO_BREAK = "\N{NO-BREAK SPACE}"
UNTOUCHED = "·"
MARKS = {"pass": "✓", "fail": "✗", "error": "!"}

language_option = click.option("--lang", type=click.Choice(LANGUAGES), help="English or Chinese; by default as begun, or as your locale.")


@click.group()
def practice() -> None:
    """Write the classic blocks yourself, and be told exactly what went wrong.

    `start` writes the exercises to a folder; `next`, `check`, `watch`, `hint` and `compare` work inside it.

    Exit code: 0 passed, 1 not yet, 2 wrong usage.
    """


@practice.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="practice")
@language_option
def start(folder: Path, lang: Language | None) -> None:
    """Write the exercises to FOLDER (by default ./practice); files that are there stay as they are."""
    language = lang or language_here()
    book = Workbook.begun(folder, language)
    click.echo(wrapped(say(language, "started", count=len(names()), folder=folder)))
    show_next(book, language)


@practice.command("list")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@language_option
def list_(json_: bool, lang: Language | None) -> None:
    """All exercises, with your progress."""
    book = Workbook.here()
    language, works = lang or book.language, book.works()
    passed = sum(work.passed for work in works.values())
    if json_:
        as_json([{"exercise": name, "title": exercise(name).title[language], **vars(works.get(name, Work()))} for name in names()])
        return
    rows = [
        (str(number), name, exercise(name).title[language], state_of(works.get(name, Work()), language))
        for number, name in enumerate(names(), start=1)
    ]
    table(("", *(say(language, key) for key in ("exercise", "title", "state"))), rows, right=(0,))
    click.echo(say(language, "passed_of", passed=passed, count=len(names())))


def state_of(work: Work, language: Language) -> str:
    if work.passed:
        return say(language, "state_passed")
    return say(language, "state_tried", checks=work.checks, hints=work.hints) if work.checks or work.hints else say(language, "state_new")


@practice.command("next")
@language_option
def next_(lang: Language | None) -> None:
    """The first exercise that has not passed, and its task."""
    book = Workbook.here()
    language = lang or book.language
    name = book.next()
    if name:
        click.echo(exercise(name).task(language) + "\n")
    show_next(book, language)


def show_next(book: Workbook, language: Language) -> None:
    name = book.next()
    if name is None:
        click.echo(say(language, "all_passed", count=len(names())))
        return
    click.echo(wrapped(say(language, "next", name=name, title=exercise(name).title[language], file=shown(book.file(name)))))


def shown(path: Path) -> str:
    """A path as short as it can be said."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


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
        return check_class(folder, seconds, json_, lang) if folder else check_own(seconds, json_, lang)
    if file:
        name = name or file.stem
        if name not in names():
            exercise(name)
        language, book = lang or language_here(), None
    else:
        book = Workbook.here()
        language = lang or book.language
        name = name or book.next()
        if name is None:
            click.echo(say(language, "all_passed", count=len(names())))
            return 0
        exercise(name)
        file = book.file(name)
    result = checked(name, file, language, run_all=run_all, seconds=seconds)
    if book:
        book.note(name, passed=result.passed, check=True)
    as_json(result.plain()) if json_ else show_result(result, language)
    if result.passed and book and not json_:
        show_next(book, language)
    return 0 if result.passed else 1


def show_result(result: Checked, language: Language) -> None:
    if result.passed:
        click.echo(wrapped(say(language, "passed", name=result.exercise, seconds=result.seconds)))
        return
    click.echo(say(language, "not_yet", name=result.exercise, seconds=result.seconds))
    for diagnosis in result.diagnoses:
        key = "cell_line" if diagnosis.cell else "line"
        placed = say(language, key, **vars(diagnosis)) if diagnosis.line else diagnosis.message
        click.echo(wrapped(placed, "  "))
    if result.made:
        click.echo(wrapped(say(language, "made", call=result.made), "  "))
    click.echo(say(language, "help", name=result.exercise))


def check_own(seconds: float, json_: bool, lang: Language | None) -> int:
    """Every exercise of one's own folder."""
    book = Workbook.here()
    language, results = lang or book.language, list[Checked]()
    with warm() as server:
        for name in names():
            if book.file(name).exists():
                results.append(checked(name, book.file(name), language, server, seconds))
                if results[-1].passed:
                    book.note(name, passed=True)
                if not json_:
                    click.echo(f"{MARKS[results[-1].status]} {name}")
    if json_:
        as_json([result.plain() for result in results])
    else:
        click.echo(say(language, "passed_of", passed=sum(result.passed for result in results), count=len(names())))
    return 0 if results and all(result.passed for result in results) else 1


def check_class(folder: Path, seconds: float, json_: bool, lang: Language | None) -> int:
    """Every exercise of every learner, whose folders stand in one; and a table of them."""
    language = lang or language_here()
    learners = [one for one in sorted(folder.iterdir()) if one.is_dir() and any((one / f"{name}.py").exists() for name in names())]
    if not learners:
        raise UsageError(f"{folder}: no folder in it has a file of an exercise, such as {folder / 'ANNA' / 'residual_block.py'}")
    results: dict[str, list[Checked]] = {}
    with warm() as server:
        for learner in learners:
            files = {name: learner / f"{name}.py" for name in names()}
            results[learner.name] = [checked(name, file, language, server, seconds) for name, file in files.items() if file.exists()]
            if not json_:
                remark(f"{learner.name} {sum(result.passed for result in results[learner.name])}/{len(names())}")
    if json_:
        as_json([{"learner": learner, "exercises": [result.plain() for result in found]} for learner, found in results.items()])
    else:
        show_class(results, language)
    return 0 if all(len(found) == len(names()) and all(result.passed for result in found) for found in results.values()) else 1


def show_class(results: dict[str, list[Checked]], language: Language) -> None:
    """Learners × exercises, then what was wrong."""
    rows = []
    for learner, found in results.items():
        marks = {result.exercise: mark(result) for result in found}
        rows.append((learner, *(marks.get(name, "") for name in names()), str(list(marks.values()).count(MARKS["pass"]))))
    table((say(language, "learner"), *map(str, range(1, len(names()) + 1)), "∑"), rows)
    click.echo(say(language, "legend"))
    legend = "  ".join(f"{number}{NO_BREAK}{name}" for number, name in enumerate(names(), start=1))
    click.echo(filled(legend, "").replace(NO_BREAK, " ") + "\n")
    for learner, found in results.items():
        for result in found:
            if not result.passed and mark(result) != UNTOUCHED:
                click.echo(f"{learner}  {result.exercise}  {', '.join(diagnosis.id for diagnosis in result.diagnoses)}")


def mark(result: Checked) -> str:
    return UNTOUCHED if result.untouched else MARKS[result.status]


@practice.command()
@language_option
def watch(lang: Language | None) -> NoReturn:
    """Check an exercise whenever its file is saved; Ctrl-C ends."""
    book = Workbook.here()
    language = lang or book.language
    click.echo(say(language, "watching", folder=shown(book.folder)))
    show_next(book, language)
    with warm() as server:
        for name in saved(book):
            click.echo()
            result = checked(name, book.file(name), language, server)
            book.note(name, passed=result.passed, check=True)
            show_result(result, language)
            if result.passed:
                show_next(book, language)
    raise AssertionError("a folder is watched for ever")


def saved(book: Workbook, sleep: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """The exercises whose files change, as they do."""
    before = {name: stamp(book.file(name)) for name in names()}
    while True:
        sleep(POLL_SECONDS)
        for name in names():
            now = stamp(book.file(name))
            if now != before[name]:
                before[name] = now
                if now:  # some editors remove a file before they write it
                    yield name


def stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size


# ── Help ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@practice.command()
@click.argument("name", metavar="[EXERCISE]", required=False)
@language_option
def hint(name: str | None, lang: Language | None) -> None:
    """A hint: one level more each time."""
    book = Workbook.here()
    language, name = lang or book.language, chosen(book, name)
    hints, read = exercise(name).hints, book.works().get(name, Work()).hints
    for number, text in enumerate(hints[: read + 1], start=1):
        click.echo(wrapped(say(language, "hint", number=number, count=len(hints), text=text[language]), "  "))
    if read >= len(hints):
        click.echo(say(language, "no_more_hints"))
    book.note(name, hints=min(read + 1, len(hints)))


@practice.command()
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
    if not book.works().get(name, Work()).passed:
        click.echo(say(language, "compare_later", name=name))
        return 1
    own = book.file(name).read_text(encoding="utf-8", errors="replace")
    side_by_side((say(language, "yours"), own), (say(language, "solution"), exercise(name).solution.read_text(encoding="utf-8")))
    return 0


def side_by_side(*columns: tuple[str, str]) -> None:
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
    name = name or book.next() or names()[-1]
    return exercise(name).name


def wrapped(text: str, indent: str = "") -> str:
    """In lines as wide as is read well; Chinese is broken anywhere, by its double width."""
    from rich.console import Console
    from rich.text import Text

    lines = Text(text).wrap(Console(width=WIDTH), WIDTH - len(indent))
    return "\n".join(indent + line.plain.rstrip() for line in lines)
