// A field for Python: Ace where it is installed (`parts.editor()` in the head of the page), or else the textarea as it is.
//
// text        begun with; may be read and set, and what is set can be undone
// changed(f)  calls f whenever the text changes, by whomever
// mark(marks) shows messages at their lines, [{line, text}], in place of those before
// show(line)  goes there, lines counted from 1
// begin(line) lets it stand at the top

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
    this.marked = [];
    this.session.on("change", () => requestAnimationFrame(() => this.annotate())); // when the marks have moved
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
    for (const { start, end, marker } of this.marked) {
      start.detach();
      end.detach();
      this.session.removeMarker(marker);
    }
    const Range = window.ace.require("ace/range").Range;
    this.marked = marks.map(({ line, text }) => {
      const range = new Range(); // moves with the text
      range.start = this.session.doc.createAnchor(line - 1, 0);
      range.end = this.session.doc.createAnchor(line - 1, Infinity);
      return { start: range.start, end: range.end, marker: this.session.addMarker(range, "wrong-line", "fullLine"), text };
    });
    this.annotate();
  }

  annotate() {
    this.session.setAnnotations(this.marked.map(({ start, text }) => ({ row: start.row, type: "error", text })));
  }

  show(line) {
    this.it.gotoLine(line, 0, false);
    this.it.focus();
  }

  begin(line) {
    this.it.moveCursorTo(line - 1, 0);
    this.it.renderer.scrollToLine(line - 1, false, false);
  }
}
