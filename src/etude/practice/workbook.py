"""A learner's folder: a file for every exercise, and the progress, which survives crashes. No torch."""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from filelock import FileLock

from etude.errors import EtudeError, UsageError
from etude.files import write_text
from etude.practice.exercises import LANGUAGES, Language, exercise, names
from etude.source import UNREADABLE, code_only
from etude.tables import TableError, build

STATE = ".etude-practice.json"
USUAL = "practice"


@dataclass(frozen=True)
class Work:
    """On one exercise.

    passed         whether the last check passed; `digest` is that of the file which did, "" where it was a cell of a notebook
    checks, hints  how often it was checked, how many hints were read
    solved         whether it has ever passed, so that the solution may be seen
    """

    passed: bool = False
    checks: int = 0
    hints: int = 0
    digest: str = ""
    solved: bool = False


@dataclass(frozen=True)
class State:
    """What the file of the progress holds.

    last  the exercise that was worked on last: checked, or helped with; None where none was yet
    """

    language: Language = "en"
    works: Mapping[str, Work] = field(default_factory=dict)
    last: str | None = None


@dataclass(frozen=True)
class Workbook:
    folder: Path

    @classmethod
    def begun(cls, folder: Path, language: Language) -> "Workbook":
        """Write the starting files that are not there; what is there stays. Raises OSError."""
        book = cls.empty(folder, language)
        for name in names():
            if not book.file(name).exists():
                write_text(book.file(name), exercise(name).starting_file(language))
        return book

    @classmethod
    def empty(cls, folder: Path, language: Language) -> "Workbook":
        """A folder for progress alone; what is there of it stays. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        book = cls(folder)
        with book.locked():
            book.save(replace(book.read(), language=language))
        return book

    @classmethod
    def here(cls) -> "Workbook":
        """The folder that one is in, or below, or that has the usual name. Raises UsageError where there is none."""
        if book := cls.near():
            return book
        raise UsageError(f"no exercises here; `etude practice start` writes them to ./{USUAL}, `etude practice start FOLDER` elsewhere")

    @classmethod
    def near(cls, folder: Path | None = None) -> "Workbook | None":
        """The same, or as one finds it from another folder; None where there is none."""
        working = (folder or Path.cwd()).resolve()
        books = (cls(folder) for folder in (working, *working.parents, working / USUAL))
        return next((book for book in books if book.is_begun), None)

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.py"

    @property
    def is_begun(self) -> bool:
        return (self.folder / STATE).exists()

    @property
    def language(self) -> Language:
        return self.read().language

    def works(self) -> Mapping[str, Work]:
        """What was done, by exercise."""
        return self.read().works

    def work(self, name: str) -> Work:
        return self.works().get(name, Work())

    def first_open(self, order: Iterable[str]) -> str | None:
        """The first of these exercises that has not passed; then the first that has been changed since."""
        works, order = self.works(), list(order)
        left = (name for name in order if not works.get(name, Work()).passed)
        return next(left, None) or next((name for name in order if self.is_changed(name, works[name])), None)

    def standing(self, name: str) -> Literal["passed", "changed", "tried", "new"]:
        """Of an exercise; `changed` since it passed."""
        work = self.work(name)
        if work.passed:
            return "changed" if self.is_changed(name, work) else "passed"
        return "tried" if work.checks or work.hints else "new"

    def passed(self) -> int:
        """How many exercises stand as they passed."""
        return sum(work.passed and not self.is_changed(name, work) for name, work in self.works().items())

    def is_changed(self, name: str, work: Work) -> bool:
        """Whether the code is another than that which passed; comments and line breaks aside."""
        return work.passed and bool(work.digest) and work.digest != self.digest(name)

    def digest(self, name: str) -> str:
        """Of the code in a file; "" where there is none."""
        try:
            text = self.file(name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        with contextlib.suppress(*UNREADABLE):
            text = code_only(text)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def note(self, name: str, passed: bool | None = None, *, digest: str = "", check: bool = False, hints: int = 0) -> Work:
        """Add to the progress: what a check of the code with that digest has found, that it was asked for, hints that were read."""
        with self.locked():
            state = self.read()
            new = state.works.get(name, Work())
            new = replace(new, checks=new.checks + check, hints=max(new.hints, hints))
            if passed is not None:
                new = replace(new, passed=passed, digest=digest if passed else "", solved=new.solved or new.passed or passed)
            self.save(replace(state, works={**state.works, name: new}, last=name if check or hints else state.last))
        return new

    def reset(self, name: str) -> Path | None:
        """Write the starting file anew; where the learner's own differs it is kept beside it, and its new place returned."""
        file, start = self.file(name), exercise(name).starting_file(self.language)
        kept = None
        with self.locked():
            if file.exists() and file.read_bytes() != start.encode():
                numbers = (f".{number}" if number > 1 else "" for number in range(1, 1_000))
                kept = next(path for path in (file.with_name(f"{file.name}.old{number}") for number in numbers) if not path.exists())
                file.replace(kept)
            write_text(file, start)
        return kept

    def hint(self, name: str) -> None:
        """One more of the hints is read."""
        self.note(name, hints=min(self.work(name).hints + 1, len(exercise(name).hints)))

    # ── The file ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """So that `check` and `watch` may run side by side."""
        with FileLock(self.folder / f"{STATE}.lock", timeout=10):
            yield

    def read(self) -> State:
        """Raises EtudeError where the file is damaged, and says what to do."""
        path = self.folder / STATE
        if not path.exists():
            return State()
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            works = {name: build(Work, table, name) for name, table in state["exercises"].items()}
            last = state.get("last")
            return State(LANGUAGES[LANGUAGES.index(state["language"])], works, last if last in names() else None)
        except (ValueError, KeyError, TypeError, AttributeError, TableError) as error:
            advice = f"remove it, then `etude practice start {self.folder}` and `etude practice check --all` there find your progress again"
            raise EtudeError(f"{path}: the progress cannot be read ({error}); your exercises are not touched. {advice}") from error

    def save(self, state: State) -> None:
        content = {"language": state.language, "last": state.last, "exercises": {name: asdict(work) for name, work in state.works.items()}}
        write_text(self.folder / STATE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
