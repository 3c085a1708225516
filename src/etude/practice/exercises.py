"""The exercises, in the order of the lecture and on to the papers: a folder each. No torch.

exercise.toml      what the learner provides, on what it is tried, hints, and the messages of the mistakes
task.en.md, .zh.md the task, which stands at the top of the learner's file
start.py           the file a learner begins with
solution.py        an answer
reference.py       the same function in layers that the checker can follow, where the solution has none
mistakes/ID.py     known wrong answers
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from etude.errors import UsageError, nearest
from etude.tables import build, read_toml

FOLDER = Path(__file__).with_name("exercises")
Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

ORDER = (
    "conv1x1",
    "conv_cost",
    "same_padding",
    "inception_a",
    "refactor",
    "flatten_size",
    "lecture_inception",
    "residual_block",
    "lecture_residual",
    "constant_scaling",
    "conv_shortcut",
    "exclusive_gating",
    "shortcut_only_gating",
    "dropout_shortcut",
    "preactivation",
    "downsampling_block",
    "bottleneck",
    "googlenet_inception",
    "auxiliary_head",
    "dense_layer",
    "dense_block",
    "transition",
    "densenet",
    "train_loop",
)


@dataclass(frozen=True)
class Words:
    """A text for the learner, in English and in Simplified Chinese."""

    en: str
    zh: str

    def __getitem__(self, language: Language) -> str:
        return self.en if language == "en" else self.zh


@dataclass(frozen=True)
class Case:
    """One way to try what the learner wrote: arguments by position and, of a module, the (channels, height, width) of its images."""

    arguments: tuple[int | float | str, ...]
    input: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Exercise:
    """What an exercise is.

    callables  what the learner's file must have
    kind       a class or function that makes a module; a function of numbers; the functions of a training loop
    source     where lecture or paper has it
    hints      three, each saying more than the one before
    mistakes   by id: what to tell a learner who made it
    without    operators that must not run, as the graph names them
    shorter    the share of the starting file's words that the answer may have
    """

    name: str
    callables: tuple[str, ...]
    kind: Literal["module", "function", "training"]
    source: Words
    title: Words
    hints: tuple[Words, ...]
    mistakes: Mapping[str, Words]
    cases: tuple[Case, ...] = ()
    without: tuple[str, ...] = ()
    shorter: float | None = None

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def solution(self) -> Path:
        return self.folder / "solution.py"

    @property
    def reference(self) -> Path:
        """What answers are held against."""
        own = self.folder / "reference.py"
        return own if own.exists() else self.solution

    @property
    def reference_source(self) -> str:
        return self.reference.read_text(encoding="utf-8")

    @property
    def sources(self) -> dict[str, str]:
        """The sources of the mistakes, by id."""
        return {id_: self.mistake(id_).read_text(encoding="utf-8") for id_ in self.mistakes}

    def mistake(self, id_: str) -> Path:
        return self.folder / "mistakes" / f"{id_}.py"

    def task(self, language: Language) -> str:
        """Title, source and task."""
        text = (self.folder / f"task.{language}.md").read_text(encoding="utf-8").strip()
        return f"{self.title[language]} ({self.source[language]})\n\n{text}"

    def starting_file(self, language: Language) -> str:
        """What a learner begins with: the task as a docstring, then code with TODO."""
        return f'"""{self.task(language)}\n"""\n\n{(self.folder / "start.py").read_text(encoding="utf-8")}'


def names() -> tuple[str, ...]:
    return ORDER


@functools.cache
def exercise(name: str) -> Exercise:
    """The exercise of that name. Raises UsageError for an unknown one."""
    if name not in ORDER:
        raise UsageError(f"no exercise `{name}`; {nearest(name, ORDER)}")
    path = FOLDER / name / "exercise.toml"
    return build(Exercise, read_toml(path), f"{name}/{path.name}", name=name)
