"""What every page of ours has to be, as far as can be seen without a browser: no wider than its window, with nothing from elsewhere."""

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "link", "input", "hr"}
WIDE = {"table", "pre", "svg"}
SCROLLS = {"scroll", "figure", "pre"}  # a class or a tag
BOUNDED = r"minmax\((0|min\([^)]*\)), \d+fr\)|fit-content\([^)]*\)|repeat\(auto-fit,"  # tracks that do not grow with what is in them
UNBROKEN = 40  # characters that always have room in a line


class Reader(HTMLParser):
    """The words outside of pictures, the styles, and what is wider than its window."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[tuple[str, set[str]]] = []
        self.text = ""
        self.styles = ""
        self.wide: list[str] = []
        self.feed(page)
        self.close()

    @property
    def words(self) -> list[str]:
        return self.text.split()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in WIDE and not self.within("svg") and not self.within(*SCROLLS) and tag not in SCROLLS:
            self.wide.append(tag)
        if tag != "span":  # which colours a part of a word
            self.text += " "
        if tag not in VOID:
            self.open.append((tag, set((dict(attributes).get("class") or "").split())))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, text: str) -> None:
        if self.within("style"):
            self.styles += text
        elif not self.within("svg", "title", "nav"):
            self.text += text
            if self.within("n") and not self.within("th") and len(text) > UNBROKEN:
                self.wide.append(text)

    def within(self, *names: str) -> bool:
        return any(tag in names or classes & {*names} for tag, classes in self.open)


def rules(styles: str) -> list[tuple[str, str]]:
    """Selectors, each with its declarations; those for some windows as those for all."""
    return [
        (selector.strip(), body)
        for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", re.sub(r"@media[^{]*\{", "", styles))
        for selector in selectors.split(",")
    ]


def too_wide(page: str) -> list[str]:
    """What keeps a page from fitting into any window, down to that of a phone."""
    read = Reader(page)
    said = rules(read.styles)
    found = [f"<{tag}> neither scrolls nor shrinks" if tag in WIDE else f"cannot be broken: {tag}" for tag in read.wide]
    for name in (".scroll", "figure", "pre"):
        if not any(selector.endswith(name) and "overflow-x: auto" in body for selector, body in said):
            found.append(f"{name} does not scroll")
    for selector, body in said:
        if "nowrap" in body and not selector.endswith(".n"):
            found.append(f"{selector} has texts that cannot be broken")
        for tracks in re.findall(r"grid-template-columns: ([^;]*)", body):
            if re.sub(BOUNDED, "", tracks).strip(" )"):
                found.append(f"{selector} grows with what is in it: {tracks}")
    if not any("svg" in selector and "max-width: 100%" in body for selector, body in said):
        found.append("pictures do not shrink")
    if not any("overflow-wrap: break-word" in body for _, body in said):
        found.append("long words are not broken")
    if '<meta name="viewport" content="width=device-width' not in page:
        found.append("a phone would show the page of a large screen")
    return found
