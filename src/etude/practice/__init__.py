"""Exercises: write the classic blocks, and be told precisely which mistake was made. In a notebook:

from etude import practice

practice["residual_block"]                     its task; .check(…), .hint() and .solution() are those below
practice.check("residual_block", MyBlock)      a class or a function, wherever it was written: true, or what is wrong
practice.hint("residual_block")                the next of three hints
practice.solution("residual_block")            once it has passed
"""

import sys
from types import ModuleType

from etude.practice.session import Question, check, hint, solution

__all__ = ["check", "hint", "solution"]


class Practice(ModuleType):
    """This module, of which one can ask for an exercise by its name."""

    def __getitem__(self, name: str) -> Question:
        return Question(name)


sys.modules[__name__].__class__ = Practice
