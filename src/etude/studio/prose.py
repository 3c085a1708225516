"""Markdown of ours, as HTML."""

import functools
import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup

CHINESE = "[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"


def html_of(text: str) -> Markup:
    return Markup(markdown().render(text))


@functools.cache
def markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.add_render_rule("softbreak", softbreak)
    return made


def softbreak(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    """A line break within a sentence: a space, but nothing between two Chinese signs, whatever is linked or set off there."""
    before = next((token.content[-1] for token in reversed(tokens[:index]) if token.content), "")
    after = next((token.content[0] for token in tokens[index + 1 :] if token.content), "")
    return "" if re.fullmatch(f"{CHINESE}{{2}}", before + after) else "\n"
