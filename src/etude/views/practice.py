"""What one gets from practice in a session: an exercise, what a check has found, a hint, a solution. No torch."""

from etude.practice.checker import Checked
from etude.practice.session import Hint, Question, Solution
from etude.practice.words import say
from etude.views.view import Block, Drawing, Passage, Remarks, Text, View


def question_view(asked: Question) -> View:
    title, _, task = asked.task.partition("\n\n")
    return View("", "", (Text(title), Drawing(f"\n{task}")), {"exercise": asked.name, "task": asked.task})


def checked_view(found: Checked) -> View:
    """Whether it has passed, what is wrong with it, what it printed, and where there is help."""
    parts: tuple[Block, ...] = (Text(found.verdict), Remarks(found.sentences))
    if found.printed:
        parts += (Remarks((say(found.language, "printed"),)), Drawing("\n".join(f"    {line}" for line in found.printed)))
    return View("", "", (*parts, *((Text(found.help),) if found.help else ())), found.json())


def hint_view(found: Hint) -> View:
    said = [say(found.language, "hint", number=number, count=found.of, text=text) for number, text in enumerate(found.texts, start=1)]
    ends = (Text(say(found.language, "no_more_hints")),) if found.last else ()
    return View("", "", (Remarks(tuple(said)), *ends), {"exercise": found.exercise, "hints": found.texts})


def solution_view(found: Solution) -> View:
    shown = Passage(found.message, "solution.py", 1, found.code.strip()) if found else Text(found.message)
    return View("", "", (shown,), {"exercise": found.exercise, "solution": found.code})
