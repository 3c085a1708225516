// A lesson: its code runs, its commands show what they show.

import { editor } from "./editor.js";
import { ask } from "./studio.js";

const told = JSON.parse(document.getElementById("told").textContent);

for (const cell of document.querySelectorAll("[data-cell]")) {
  const [area, output, button] = ["textarea", ".output", "[data-run]"].map((one) => cell.querySelector(one));
  const [first, printed] = [area.value, output.textContent];
  const code = editor(area, first);
  code.it?.setOptions({ maxLines: 80, scrollPastEnd: 0 }); // all of it is seen, and the wheel moves the page
  let running = null; // the name under which it can be stopped
  const stop = () => ask("stop", { name: running });
  const run = async () => {
    if (running) return;
    running = `${Date.now()} ${Math.random()}`;
    const began = Date.now();
    const tick = () => (button.textContent = told.running.replace("{seconds}", Math.round((Date.now() - began) / 1000)));
    const clock = setInterval(tick, 500);
    tick();
    code.mark([]);
    try {
      const found = await ask("run", { code: code.text, name: running });
      if (found.line) code.mark([{ line: found.line, text: found.error }]);
      const error = found.error && (found.line ? told.at_line.replace("{line}", found.line).replace("{error}", () => found.error) : told[found.error] ?? found.error);
      output.textContent = [found.printed.trimEnd(), error].filter(Boolean).join("\n");
    } catch (error) {
      output.textContent = error.message;
    }
    clearInterval(clock);
    running = null;
    cell.querySelector("[data-about]").textContent = told.prints;
    button.textContent = told.run;
  };
  button.addEventListener("click", () => (running ? stop() : run()));
  addEventListener("pagehide", () => {
    const headers = { "Content-Type": "application/json" };
    if (running) fetch("stop", { method: "POST", headers, body: JSON.stringify({ name: running }), keepalive: true });
  });
  const keys = (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation();
    run();
  };
  cell.addEventListener("keydown", keys, true); // before the editor
  cell.querySelector("[data-back]").addEventListener("click", () => {
    code.text = first;
    code.mark([]);
    output.textContent = printed;
    cell.querySelector("[data-about]").textContent = told.shown_in_lesson;
  });
}

for (const asked of document.querySelectorAll("[data-number]")) {
  const button = asked.querySelector("[data-show]");
  const place = asked.querySelector(".shown");
  button.addEventListener("click", async () => {
    if (!place.hidden) {
      place.hidden = true;
      button.textContent = told.show;
      return;
    }
    if (!place.firstChild) {
      button.disabled = true;
      button.textContent = told.showing;
      try {
        place.innerHTML = (await ask(`show/${asked.dataset.number}`)).html;
      } catch (error) {
        place.textContent = error.message;
      }
      button.disabled = false;
    }
    place.hidden = false;
    button.textContent = told.hide;
  });
}
