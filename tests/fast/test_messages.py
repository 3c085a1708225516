"""Every message stands on the page that is for reading, as it is said today; and the Chinese ones are Chinese."""

import re

from etude.practice.exercises import exercise, names
from etude.practice.words import messages
from places import ROOT
from sentences import repeats_itself

PAGE = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")
CHINESE = re.compile(r"[\u4e00-\u9fff]")

ENGLISH = re.compile(r"\b(a|an|and|are|at|be|by|every|follows|from|has|here|in|is|it|not|nothing|of|or|the|there|this|to|was)\b")
QUOTED = r"`[^`]*`|“[^”]*”|（[^（）]*）|运行时抛出.*|此处：.*"  # code, what Python and torch say, and names of tensors


def sections(text: str) -> dict[str, list[str]]:
    """The lines of every message, by what stands in its heading."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if heading := re.match(r"#+ `(.+)`", line):
            found[heading.group(1)] = []
        elif line.startswith("- ") and found:
            found[next(reversed(found))].append(line.removeprefix("- "))
    return found


SECTIONS = sections(PAGE)


def pattern(template: str) -> re.Pattern[str]:
    """What a message looks like with whatever values."""
    fixed = [re.escape(part) for part in re.split(r"{[^}]*}", template.strip())]
    return re.compile(r".*" + r".*".join(part.replace(r"\ ", " ?") for part in fixed) + r".*", flags=re.DOTALL)


def test_no_message_is_missing_on_the_page() -> None:
    assert set(SECTIONS) == set(messages()) | {f"{name}/{id_}" for name in names() for id_ in exercise(name).mistakes}, (
        "run: docs/messages.py"
    )
    for key, words in messages().items():
        for template in (words.en, words.zh):
            assert any(pattern(template).fullmatch(line) for line in SECTIONS[key]), (
                f"{key} reads differently; run: python docs/messages.py"
            )
    for name in names():
        for id_, words in exercise(name).mistakes.items():
            assert SECTIONS[f"{name}/{id_}"] == [words.en, words.zh], f"{name}/{id_}: run: python docs/messages.py"


def test_there_is_no_english_of_ours_in_chinese_messages() -> None:
    """A phrase of ours has one of the small words of English; names, operators and code have none."""
    lines = [(key, line) for key, lines in SECTIONS.items() for line in lines if CHINESE.search(line)]
    assert len(lines) > 400
    found = {(key, word) for key, line in lines for word in ENGLISH.findall(re.sub(QUOTED, "", line))}
    assert not found


def test_no_message_says_the_same_of_an_answer_and_of_the_exercise() -> None:
    assert not [line for lines in SECTIONS.values() for line in lines if repeats_itself(line)]
    for line in (
        "What should come of it next is 3×3 conv 6; here 3×3 conv 6 (conv1) follows.",
        "here BN (bn) works with the weights that BN (bn) has used already; it should have its own.",
        "It has 660 parameters, expected 660.",
        "conv_macs(1, 2) gives 3, expected a whole number (3).",
        "接下来应当是 3×3 conv 6，这里却是 3×3 conv 6 (conv1)。",
        "这里的 BN (bn) 用的是 BN (bn) 已经用过的权重，它应当有自己的权重。",
        "参数共有 660 个，应当是 660 个。",
    ):
        assert repeats_itself(line), line
    assert not repeats_itself("It has 655 parameters, expected 660.")
