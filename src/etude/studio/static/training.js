// The room Training: curves that grow, a list and a table that fill, and buttons that start and stop.

import { ask, watch } from "./studio.js";

const said = JSON.parse(document.getElementById("said")?.textContent ?? "{}");
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// ── Curves ──

const MARGIN = { left: 46, right: 14, top: 10, bottom: 28 };
const TICKS = [10, 50, 90, 95, 98, 99, 99.5]; // % accuracy
const logit = (share) => Math.log(share / (1 - share));

function svg(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

// Whole steps of 1, 2 or 5 times a power of ten, about `count` of them.
function ticksTo(end, count) {
  const rough = end / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= rough);
  return Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, index) => Number((index * step).toPrecision(6)));
}

function lossTicks(low, high) {
  const all = [];
  for (let power = -6; power < 4; power++) for (const digit of [1, 2, 5]) all.push(Number(`${digit}e${power}`));
  const inside = all.filter((value) => value >= low && value <= high);
  return inside.length > 6 ? inside.filter((value) => /^(0\.0*)?1/.test(String(value))) : inside;
}

// Draws lines into `figure`. A line is { points: [[x, y], …], kind: "test" | "training" | "published", className, hollow, titles }.
// `scale` maps a value to a number that grows upwards; [low, high] are the values at bottom and top.
function draw(figure, lines, end, scale, [low, high], ticks) {
  const width = figure.clientWidth, height = figure.clientHeight;
  const across = (x) => MARGIN.left + (x / end) * (width - MARGIN.left - MARGIN.right);
  const from = scale(low), over = scale(high) - from || 1;
  const up = (y) => height - MARGIN.bottom - ((scale(Math.min(Math.max(y, low), high)) - from) / over) * (height - MARGIN.top - MARGIN.bottom);
  const drawn = [];
  for (const tick of ticks) {
    drawn.push(svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: up(tick.at), y2: up(tick.at) }));
    drawn.push(svg("text", { x: MARGIN.left - 8, y: up(tick.at) + 4, "text-anchor": "end" }, tick.text));
  }
  for (const tick of ticksTo(end, Math.max(2, Math.min(10, width / 70)))) {
    drawn.push(svg("text", { x: across(tick), y: height - 10, "text-anchor": "middle" }, tick ? String(tick) : `0 ${said.js_epoch}`));
  }
  for (const { points, kind, className, hollow = [], titles = [] } of lines) {
    const there = points.filter(([x]) => x <= end * 1.0001);
    const path = there.map(([x, y], index) => `${index ? "L" : "M"}${across(x).toFixed(1)} ${up(y).toFixed(1)}`).join("");
    if (there.length > 1) drawn.push(svg("path", { class: `${kind} ${className}`, d: path }));
    if (kind === "training") continue;
    there.forEach(([x, y], index) => {
      const dot = svg("circle", { class: `${kind} ${className}${hollow[index] ? " hollow" : ""}`, cx: across(x), cy: up(y), r: 3.5 });
      dot.append(svg("title", {}, titles[index] ?? ""));
      drawn.push(dot);
    });
  }
  figure.replaceChildren(...drawn);
}

function curves(place) {
  const runs = JSON.parse(document.getElementById("lines").textContent).map((line) => ({ ...line, rows: [] }));
  const shown = { accuracy: place.querySelector("svg.accuracy"), loss: place.querySelector("svg.loss") };
  const texts = place.querySelectorAll(".status");
  const isTest = (row) => "test_accuracy" in row;

  function lines(test, training) {
    return runs.flatMap((run) => {
      const className = `line${run.colour}`;
      const tests = run.rows.filter(isTest);
      const between = run.rows.filter((row) => !isTest(row) && row[training]); // of a network with auxiliary heads 0: nothing is known
      const title = (row) => fill(said.js_accuracy, { title: run.title, value: (100 * row.test_accuracy).toFixed(2), epoch: Number(row.epoch.toFixed(2)) });
      return [
        { kind: "training", className, points: between.map((row) => [row.epoch, row[training]]) },
        { kind: "test", className, points: tests.map((row) => [row.epoch, row[test]]), titles: tests.map(title) },
      ];
    });
  }

  function redraw() {
    const own = Math.max(...runs.map((run) => Math.max(run.epochs, run.rows.at(-1)?.epoch ?? 0)));
    const published = [...new Map(runs.filter((run) => run.published).map((run) => [run.published.id, run.published])).values()];
    const last = "whole" in place.dataset ? Math.max(...published.map((curve) => curve.points.at(-1).epoch)) : 0;
    const end = Math.max(own, last) || 1;
    const theirs = published.map((curve) => ({
      kind: "published",
      className: "",
      points: curve.points.map((point) => [point.epoch, point.value / 100]),
      hollow: curve.points.map((point) => point.read === "plot"),
      titles: curve.points.map((point) => fill(said.js_accuracy, { title: curve.at, value: point.value, epoch: point.epoch })),
    }));
    const accuracy = [...theirs, ...lines("test_accuracy", "train_accuracy")];
    draw(shown.accuracy, accuracy, end, logit, [0.04, 0.997], TICKS.map((tick) => ({ at: tick / 100, text: String(tick) })));
    const losses = lines("test_loss", "train_loss");
    const values = losses.flatMap((line) => line.points.map(([, y]) => y)).filter((value) => value > 0);
    const range = values.length ? [Math.min(...values) * 0.9, Math.max(...values) * 1.1] : [0.1, 3];
    draw(shown.loss, losses, end, Math.log, range, lossTicks(...range).map((at) => ({ at, text: String(at) })));
    const newest = runs.map((run) => run.rows.filter(isTest).at(-1));
    const words = runs.flatMap((run, index) => newest[index] ? [fill(said.js_accuracy, { title: run.title, value: (100 * newest[index].test_accuracy).toFixed(2), epoch: Number(newest[index].epoch.toFixed(2)) })] : []);
    shown.accuracy.setAttribute("aria-label", words.join("; ") || said.js_nothing);
  }

  let lost = false; // whether the last look failed: what a button was told stays
  new ResizeObserver(redraw).observe(place);
  watch(async () => {
    const query = new URLSearchParams(runs.flatMap((run) => [["run", run.name], ["since", run.rows.length]]));
    let found;
    try {
      found = await ask(`rows?${query}`);
    } catch (error) {
      lost = true;
      return wrong(error);
    }
    if (lost) wrong();
    lost = false;
    found.forEach((news, index) => {
      const run = runs[index];
      run.rows.length = news.from;
      run.rows.push(...news.rows);
      run.epochs = news.epochs || run.epochs;
      texts[index].textContent = news.words;
    });
    redraw();
    const checkpoint = document.getElementById("checkpoint");
    if (checkpoint) checkpoint.hidden = !found[0].checkpoint;
    if (place.dataset.state && place.dataset.state !== found[0].state) location.reload();
    return found.some((news) => news.state !== "finished");
  });
}

// ── Buttons ──

function wrong(error) {
  const place = document.getElementById("wrong") ?? document.querySelector("#new .message");
  place.hidden = !error;
  place.textContent = error?.message ?? "";
}

for (const button of document.querySelectorAll("[data-act]")) {
  button.addEventListener("click", () => act(button, button.dataset.act, JSON.parse(button.dataset.given)));
}

async function act(button, address, given) {
  button.disabled = true;
  try {
    const { page } = await ask(address, given);
    if (page === location.pathname + location.search) location.reload();
    else location.assign(page);
  } catch (error) {
    wrong(error);
    button.disabled = false;
  }
}

// ── Forms ──

function choosing(form) {
  const chosen = () => Object.fromEntries(new FormData(form));
  form.addEventListener("change", async () => {
    const query = `?${new URLSearchParams(chosen())}`;
    history.replaceState(null, "", query);
    try {
      const told = await ask(`estimate${query}`);
      form.querySelector(".takes").textContent = told.text;
      form.querySelector("code").textContent = told.command;
      wrong(told.error ? new Error(told.error) : undefined);
    } catch (error) {
      wrong(error);
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(event.submitter ?? form.querySelector("button"), "start", chosen());
  });
}

let pressed = false; // what is pressed stays until it is let go, or else the click would be lost
addEventListener("pointerdown", () => (pressed = true));
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(() => (pressed = false)));

// Puts new rows in place of old ones; what was chosen stays chosen, and what was pointed at by the keyboard stays so.
function put(place, html) {
  if (pressed || place.dataset.html === html) return;
  place.dataset.html = html;
  const key = (element) => element && (element.value || element.getAttribute("href"));
  const chosen = new Set([...place.querySelectorAll("input:checked")].map(key));
  const pointed = place.contains(document.activeElement) ? key(document.activeElement) : null;
  place.innerHTML = html;
  for (const element of place.querySelectorAll("input, a")) {
    if (element.type === "checkbox") element.checked = chosen.has(key(element));
    if (pointed && key(element) === pointed) element.focus();
  }
}

const list = document.getElementById("list");
if (list) {
  choosing(document.getElementById("new"));
  const rows = list.querySelector(".rows");
  watch(async () => {
    try {
      put(rows, (await ask("list")).html);
    } catch {} // the next time
  }, 3000);
}

const reproduction = document.getElementById("reproduction");
if (reproduction) {
  let lost = false;
  watch(async () => {
    try {
      const { state, html } = await ask(`table?${reproduction.dataset.query}`);
      if (lost) wrong();
      lost = false;
      put(reproduction, html);
      if (state !== reproduction.dataset.state) location.reload();
    } catch (error) {
      lost = true;
      wrong(error);
    }
  }, 3000);
}

const gradients = document.getElementById("gradients");
if (gradients) {
  ask(`gradients_now?${gradients.dataset.query}`).then(
    ({ html }) => (gradients.innerHTML = html),
    (error) => {
      gradients.replaceChildren();
      wrong(error);
    },
  );
}

const place = document.getElementById("curves");
if (place) curves(place);
