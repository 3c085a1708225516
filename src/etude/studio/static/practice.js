// The page of an exercise. The file on the disk is the truth: this page saves when asked to, and looks whether others have.

import { ask, watch } from "./studio.js";
import { editor } from "./editor.js";

const at = (id) => document.getElementById(id);
const { state: first, words, file } = JSON.parse(at("page").textContent);
const here = location.pathname;

// ── The file ──────────────────────────────────────────────────────────────────────────────────────────────────────

const DRAFT = `etude ${file}`;
const code = editor(at("code"), first.text);
let base = first.digest; // of the file that the text here was begun with
let clean = code.text; // and its text, as the editor has it
let seen = first; // the file as it was looked at last

const unsaved = () => code.text !== clean || !seen.digest;

function show_saved() {
  at("saved").textContent = unsaved() ? words.unsaved : words.saved;
  if (unsaved()) localStorage.setItem(DRAFT, JSON.stringify({ text: code.text, digest: base }));
  else localStorage.removeItem(DRAFT);
}

function adopt(state) {
  base = state.digest;
  if (code.text !== state.text) code.text = state.text;
  clean = code.text;
  show_saved();
}

// What is to be said of a file that is not the one that the text here was begun with.
function compare(state) {
  if (!state.digest) {
    notice(words.gone, true);
  } else if (state.digest === base) {
    if (present) notice();
  } else if (code.text === state.text) {
    adopt(state);
    notice();
  } else if (!unsaved()) {
    adopt(state);
    notice(words.reloaded);
  } else {
    notice(words.changed_elsewhere, true, true);
  }
}

let present = false; // whether the notice is of the file as it is now, and not of what has happened

function notice(text = "", now = false, choose = false) {
  present = now;
  at("notice").hidden = !text;
  at("notice").firstElementChild.textContent = text;
  at("choice").hidden = !choose;
}

at("theirs").addEventListener("click", () => {
  adopt(seen);
  notice();
});
at("mine").addEventListener("click", () => {
  base = seen.digest;
  clean = null;
  notice();
  act(save);
});

// ── What the server says ──────────────────────────────────────────────────────────────────────────────────────────

let began = null; // when the check that is not done yet was asked for
let runs = false; // whether it has its turn
let number = 0; // of the result that is shown

function see(state) {
  seen = { text: clean, ...state };
  compare(state);
  at("standing").textContent = state.standing;
  const count = state.hints_of;
  for (let number = at("hints").childElementCount + 1; number <= state.hints.length; number++) {
    const text = filled(words.hint_shown, { number, count, text: state.hints[number - 1] });
    at("hints").append(Object.assign(document.createElement("li"), { textContent: text }));
  }
  at("hint").hidden = state.hints.length === count;
  at("hint").textContent = filled(words.hint, { number: state.hints.length + 1, count });
  at("solution").hidden = !state.solved;
  at("next").hidden = !state.next;
  if (state.next) {
    at("next").href = state.next.address;
    at("next").textContent = filled(words.next, { title: state.next.title });
  }
  runs = state.runs;
  began = state.waits === null ? null : performance.now() - 1000 * state.waits;
  if (state.found && state.found.number !== number) show_found(state.found);
  show_check();
}

const filled = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);

function show_found(found) {
  number = found.number;
  at("found").innerHTML = found.html;
  at("found").hidden = false;
  at("next").classList.toggle("main", found.passed);
  code.mark(found.digest === base && !unsaved() ? found.marks : []);
  for (const button of at("found").querySelectorAll("[data-line]")) {
    button.addEventListener("click", () => code.show(Number(button.dataset.line)));
  }
}

function show_check() {
  at("stop").hidden = began === null;
  at("check").hidden = began !== null;
  if (began !== null) at("stop").textContent = filled(runs ? words.stop : words.waiting, { seconds: Math.floor((performance.now() - began) / 1000) });
}

function say_trouble(message, bad = true) {
  at("trouble").hidden = !message;
  at("trouble").classList.toggle("bad", bad);
  at("trouble").textContent = message;
}

// ── What is done here ─────────────────────────────────────────────────────────────────────────────────────────────

let doings = 0; // so that a look from before one of them is not taken for news
let last = Promise.resolve();

// One after the other; what goes wrong is said.
function act(doing) {
  last = last.then(async () => {
    doings++;
    say_trouble("");
    try {
      await doing();
    } catch (error) {
      say_trouble(error.message);
    }
    doings++;
  });
  return last;
}

async function save() {
  if (!unsaved()) return true;
  const text = code.text;
  const state = await ask(`${here}/save`, { text, digest: base });
  if (state.saved) {
    base = state.digest;
    clean = text;
    notice();
  }
  see(state);
  show_saved();
  return state.saved;
}

const news = () => ask(`${here}/state?known=${base}`);

let checks = 0;

// Not within `act`: while it runs one may write, save, and ask for another, which takes its place.
async function check() {
  let saved = false;
  await act(async () => (saved = await save()));
  if (!saved) return;
  const mine = ++checks;
  doings++;
  began = performance.now();
  show_check();
  at("found").hidden = true;
  code.mark([]);
  try {
    const { stopped } = await ask(`${here}/check`, {});
    if (mine !== checks) return;
    await act(async () => see(await news()));
    at("found").scrollIntoView({ block: "nearest" });
    if (stopped) say_trouble(words.stopped, false);
  } catch (error) {
    say_trouble(error.message);
  }
}

async function reset() {
  if (!(await save())) return;
  const state = await ask(`${here}/reset`, {});
  adopt(state);
  see(state);
  notice(state.kept ? filled(words.kept, { file: state.kept }) : words.restored);
}

let lost = false; // the server

async function look() {
  const before = doings;
  try {
    const state = await news();
    if (before === doings) see(state);
    if (lost) say_trouble("");
    lost = false;
  } catch (error) {
    say_trouble(error.message);
    lost = true;
  }
}

at("check").addEventListener("click", check);
at("save").addEventListener("click", () => act(save));
at("stop").addEventListener("click", () => ask(`${here}/stop`, {}).catch((error) => say_trouble(error.message)));
at("reset").addEventListener("click", () => act(reset));
at("hint").addEventListener("click", () => act(async () => see(await ask(`${here}/hint`, {}))));

addEventListener(
  "keydown",
  (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const does = { enter: check, s: () => act(save) }[event.key.toLowerCase()];
    if (!does) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) does();
  },
  true, // before the editor
);

// ── Begin ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const draft = JSON.parse(localStorage.getItem(DRAFT) ?? "null");
if (draft && draft.text !== clean) {
  code.text = draft.text;
  if (draft.digest !== base) clean = null;
  base = draft.digest;
  notice(words.draft);
} else {
  const task = /^\s*""".*?"""\s*/s.exec(first.text);
  if (task) code.begin(task[0].split("\n").length);
}
code.changed(show_saved);
show_saved();
see(first);
setInterval(show_check, 250);
watch(look);
