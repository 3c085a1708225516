// A field for Python: Ace where it is installed (`parts.editor()` in the head of the page), or else the textarea as it is.
//
// text        begun with; may be read and set, and what is set can be undone
// changed(f)  calls f whenever the text changes, by whomever
// mark(marks) shows messages at their lines, [{line, text}], the first in view, in place of those before, until the text changes
// show(line)  goes there, lines counted from 1
// begin(line) goes there, and shows as much of what stands above as there is room for when all behind it is seen

export const editor = (area, text) => (window.ace ? new Ace(area, text) : new Plain(area, text));

class Plain {
  constructor(area, text) {
    this.area = area;
    area.value = text;
  }

  get text() {
    return this.area.value;
  }

  set text(text) {
    this.area.value = text;
    this.area.dispatchEvent(new Event("input"));
  }

  changed(then) {
    this.area.addEventListener("input", then);
  }

  mark() {}

  show(line) {
    const before = this.text.split("\n").slice(0, line - 1).join("\n").length;
    this.area.focus();
    this.area.setSelectionRange(before + (line > 1), before + (line > 1));
  }

  begin() {}
}

class Ace {
  constructor(area, text) {
    const place = document.createElement("div");
    place.className = "code";
    place.textContent = text;
    area.after(place);
    area.hidden = true;
    window.ace.config.set("basePath", "/static/ace");
    this.it = window.ace.edit(place, {
      mode: "ace/mode/python",
      useWorker: false,
      fontFamily: "ui-monospace, monospace",
      fontSize: 14,
      tabSize: 4,
      useSoftTabs: true,
      showPrintMargin: false,
      showFoldWidgets: false,
      wrap: true,
      scrollPastEnd: 0.9,
      enableKeyboardAccessibility: true,
      textInputAriaLabel: area.getAttribute("aria-label"),
    });
    place.style.lineHeight = 1.5; // under which Ace cuts underscores off
    this.it.renderer.updateFontSize();
    this.it.commands.removeCommands(["showSettingsMenu", "gotoline", "openCommandPalette"]); // keys that the browser has
    this.markers = [];
    this.session.on("change", () => this.mark([]));
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const coloured = () => this.it.setTheme(dark.matches ? "ace/theme/github_dark" : "ace/theme/github_light_default");
    dark.addEventListener("change", coloured);
    coloured();
  }

  get session() {
    return this.it.session;
  }

  get text() {
    return this.it.getValue();
  }

  set text(text) {
    const { row, column } = this.it.getCursorPosition();
    this.it.setValue(text, -1);
    this.it.moveCursorTo(row, column);
  }

  changed(then) {
    this.session.on("change", then);
  }

  mark(marks) {
    for (const marker of this.markers) this.session.removeMarker(marker);
    const Range = window.ace.require("ace/range").Range;
    this.markers = marks.map(({ line }) => this.session.addMarker(new Range(line - 1, 0, line - 1, Infinity), "wrong-line", "fullLine"));
    if (marks.length) this.it.renderer.scrollCursorIntoView({ row: marks[0].line - 1, column: 0 });
    this.session.setAnnotations(marks.map(({ line, text }) => ({ row: line - 1, type: "error", text })));
  }

  show(line) {
    this.it.gotoLine(line, 0, false);
    this.it.focus();
  }

  begin(line) {
    this.it.resize(true); // so that it knows how long lines are broken
    const seen = Math.floor(this.it.container.clientHeight / this.it.renderer.lineHeight);
    const rows = this.session.documentToScreenRow(line - 1, 0);
    this.it.moveCursorTo(line - 1, 0);
    this.it.renderer.scrollToRow(Math.max(0, Math.min(rows, this.session.getScreenLength() - seen)));
  }
}
