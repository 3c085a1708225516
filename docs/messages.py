"""Every message of the checker in both languages, made by running it on wrong files: python docs/messages.py (two minutes)

Makes docs/messages.md, for reading. The files are the known mistakes, slips, answers, mutants and hostile files of the tests.
"""

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from etude.explain.findings import Finding
from etude.files import write_text
from etude.practice.checker import Outcome, side_by_side
from etude.practice.exercises import LANGUAGES, exercise, names
from etude.practice.words import diagnosis, messages, say

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "messages.md"
TESTS = ROOT / "tests"
MOST = 3  # examples of a message
SECONDS = 30.0

# what is said where no file is wrong, or only of a network that is verified, with values as they occur
SAMPLES: dict[str, dict[str, Any]] = {
    "all_passed": {"count": 24},
    "branch": {"name": "five"},
    "bias_extra": {"names": "conv"},
    "broken_link": {"file": "conv1x1.py"},
    "cell_line": {"cell": 3, "line": 5, "message": "…"},
    "compare_later": {"name": "conv1x1"},
    "computed_nowhere": {},
    "died": {"text": "the process for the checks has died"},
    "elsewhere": {"file": "ResidualBlock.py", "want": "residual_block.py"},
    "exercise": {},
    "first": {},
    "frequent": {},
    "gives_classes": {},
    "help": {"name": "conv1x1"},
    "help_live": {"name": "conv1x1"},
    "hidden_layers": {"names": "blocks"},
    "hidden_weights": {"names": "scale"},
    "hint": {"number": 1, "count": 3, "text": "…"},
    "kept": {"file": "conv1x1.py.old"},
    "keys": {},
    "learner": {},
    "legend": {},
    "line": {"line": 5, "message": "…"},
    "made": {"call": "ResidualBlock(6)"},
    "memory": {"megabytes": "4,096"},
    "merges_images": {"images": 2, "found": "1×10"},
    "mistake": {},
    "next": {"name": "conv1x1", "title": "…", "file": "practice/conv1x1.py"},
    "no_file": {"file": "conv1x1.py"},
    "no_logits": {"images": 2, "found": "2×10×3"},
    "no_more_hints": {},
    "not_attempted": {"name": "conv1x1"},
    "not_readable": {"file": "conv1x1.py"},
    "not_recognised": {"file": "anna/notes.py"},
    "not_followed": {"before": [{"key": "the_input", "values": {}}], "want": "3×3 conv 6"},
    "not_returned": {"have": "ReLU"},
    "not_utf8": {},
    "not_yet": {"name": "conv1x1", "seconds": 0.9},
    "notebooks": {"count": 7, "folder": "lessons", "file": "lessons/1-conv1x1.en.ipynb"},
    "notebooks_kept": {"files": "1-conv1x1.en.ipynb"},
    "other_numbers": {"have": "ReLU"},
    "output_order": {},
    "overwrites": {},
    "passed": {"name": "conv1x1", "seconds": 0.9},
    "passed_live": {"name": "conv1x1", "seconds": 0.9},
    "passed_of": {"passed": 7, "count": 24},
    "printed": {},
    "reset": {"file": "conv1x1.py"},
    "shared": {},
    "shapes": {"shapes": "x 3×6×9×7, y 3×6×9×7"},
    "solution": {},
    "solution_later": {"name": "conv1x1"},
    "started": {"count": 24, "folder": "practice"},
    "state": {},
    "state_changed": {},
    "state_new": {},
    "state_passed": {},
    "state_tried": {"checks": 4, "hints": 1},
    "syntax_somewhere": {"text": "invalid syntax"},
    "time": {"seconds": "30"},
    "title": {},
    "too_large_to_edit": {"file": "conv1x1.py", "kilobytes": 512},
    "too_long": {"have": 402, "start": 415, "most": 290},
    "watching": {"folder": "practice"},
    "weights_again": {"have": "3×3 conv 6 (conv2)", "other": "3×3 conv 6 (conv1)"},
    "with_a_bias": {"have": "3×3 conv 6 (conv1)"},
    "without_a_bias": {"have": "3×3 conv 6 (conv1)"},
    "without_parameters": {"have": "3×3 conv 6"},
    "yours": {},
}


def wrong_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """An exercise and a file, of every kind that is known to be wrong."""
    sys.path.insert(0, str(TESTS))
    import mutants
    from slips import OTHERS, SLIPS

    def written(name: str, number: int, source: str) -> tuple[str, Path]:
        file = folder / f"{number}" / f"{name}.py"
        file.parent.mkdir()
        file.write_text(source, encoding="utf-8")
        return name, file

    for name in names():
        yield from ((name, exercise(name).mistake(id_)) for id_ in exercise(name).mistakes)
    yield from ((file.parents[1].name, file) for file in sorted((TESTS / "answers").glob("*/wrong/*.py")))
    sources = [(slip.name, slip.source) for slip in (*SLIPS, *OTHERS)]
    sources += [(one.exercise, one.source) for one in mutants.drawn(40, seed=6)]
    sources += [("residual_block", hostile(file)) for file in sorted((TESTS / "hostile").glob("*.*"))]
    yield from (written(name, number, source) for number, (name, source) in enumerate(sources))


def hostile(file: Path) -> str:
    source = re.sub(r"\bNet\b", "ResidualBlock", file.read_text(encoding="utf-8"))
    return re.sub(r"def __init__\(self\)", "def __init__(self, channels=3)", source)


def within(finding: Finding) -> Iterator[Finding]:
    """A finding, and those that are phrases in it."""
    yield finding
    for value in finding.values.values():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                yield from within(Finding(**part))


def examples(outcomes: Iterable[Outcome]) -> dict[str, dict[str, tuple[str, str]]]:
    """By message: a few sentences with it, in both languages, each as it was said first."""
    found: dict[str, dict[str, tuple[str, str]]] = {key: {} for key in sorted(messages())}
    for outcome in outcomes:
        for whole in outcome.findings:
            en, zh = (diagnosis(exercise(outcome.exercise), whole, language).message for language in LANGUAGES)
            for one in within(whole):
                if one.key in found and len(found[one.key]) < MOST:
                    found[one.key].setdefault(re.sub(r"\d+", "#", en), (en, zh))
    for key, values in SAMPLES.items():
        found[key] = {"": (say("en", key, **values), say("zh", key, **values))}
    return found


def page(outcomes: Iterable[Outcome]) -> str:
    lines = [
        "# Every message of the checker",
        "",
        "Made by `python docs/messages.py`, which runs the checker on wrong files. For reading.",
        "",
    ]
    found = examples(outcomes)
    if missing := [key for key, sentences in found.items() if not sentences]:
        raise SystemExit(f"no wrong file produces: {', '.join(missing)}; add one to tests/slips.py, or values to SAMPLES")
    for key, sentences in found.items():
        lines += [f"## `{key}`", "", *(f"- {text.strip()}" for pair in sentences.values() for text in pair), ""]
    lines += ["# The known mistakes", ""]
    for name in names():
        lines += [f"## {name}: {exercise(name).title.en} · {exercise(name).title.zh}", ""]
        for id_, words in exercise(name).mistakes.items():
            lines += [f"### `{name}/{id_}`", "", f"- {words.en}", f"- {words.zh}", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        write_text(PAGE, page(side_by_side(list(wrong_files(Path(place))), SECONDS)))
