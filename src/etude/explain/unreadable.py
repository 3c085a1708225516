"""What Python cannot read, in a beginner's words: signs of a Chinese keyboard, brackets, indentation. No torch."""

import re
import unicodedata

from etude.explain.findings import Finding

# what Python says, and the message in raised.toml that explains it
KNOWN = {
    "full_width": r"invalid character '(?P<sign>.)'",
    "strange_space": r"invalid non-printable character (?P<code>U\+\w+)",
    "tabs": r"inconsistent use of tabs",
    "indent_missing": r"expected an indented block",
    "indent_too_far": r"unexpected indent",
    "indent_uneven": r"unindent does not match",
    "colon_missing": r"expected ':'",
    "print_2": r"Missing parentheses in call to 'print'",
    "never_closed": r"'(?P<sign>.)' was never closed",
    "never_opened": r"unmatched '(?P<sign>.)'",
    "closed_by_another": r"closing parenthesis '(?P<have>.)' does not match opening parenthesis '(?P<want>.)'",
    "text_not_closed": r"unterminated .*string literal",
    "comma_missing": r"forgot a comma",
    "equals_for_compare": r"Maybe you meant '==' or ':='",
    "outside_function": r"'(?P<word>\w+)' outside function",
    "digit_first": r"invalid decimal literal",
}
PLAIN = dict(zip("“”‘’。、【】《》—–−×", "\"\"''.,[]<>---*", strict=True))  # what Unicode itself does not call a wide form


def unreadable(error: SyntaxError) -> Finding:
    """Why Python cannot read the file, with the line where it stopped."""
    for key, pattern in KNOWN.items():
        if found := re.search(pattern, error.msg):
            values = found.groupdict()
            if key == "full_width":
                plain = PLAIN.get(values["sign"], unicodedata.normalize("NFKC", values["sign"]))
                if plain == values["sign"]:
                    break
                values["plain"] = plain
            return Finding(key, values, error.lineno)
    rest = (error.text or "")[max((error.offset or 1) - 1, 0) :].strip()
    return Finding("syntax" if rest else "syntax_somewhere", {"text": error.msg} | ({"rest": rest} if rest else {}), error.lineno)
