// One network: its picture to zoom and to walk, and what is said of the block that is chosen, each marked in the others.

import { ask, watch } from "/static/studio.js";

// ── What waits, and the choices above ───────────────────────────────────────────────────────────────────────────────

const own = (what) => `${location.pathname}/${what}${location.search}`;

const working = document.querySelector("[data-working]");
const busy = (state) => (state === "waiting" || state === "running" ? "busy" : state);

if (working) {
  const begun = Date.now();
  const before = working.dataset.working.split(" ").map(busy).join();
  const doing = working.querySelector("[data-doing]");
  watch(async () => {
    let states;
    try {
      ({ states } = await ask(own("state")));
    } catch (error) {
      doing.textContent = error.message;
      return false;
    }
    if (states.map(busy).join() !== before) {
      location.reload();
      return false;
    }
    const seconds = Math.round((Date.now() - begun) / 1000);
    doing.textContent = `${working.dataset[states.at(-1)]} ${seconds} s`;
    return true;
  }, 700);
}

for (const what of ["stop", "again"]) {
  for (const button of document.querySelectorAll(`[data-${what}]`)) {
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await ask(own(what), {});
        location.reload();
      } catch (error) {
        button.nextElementSibling.textContent = error.message;
        button.disabled = false;
      }
    });
  }
}

const options = document.getElementById("options");
options?.addEventListener("change", () => {
  for (const select of options.querySelectorAll("select")) select.disabled = select.value === select.dataset.own;
  options.action = location.pathname + location.hash; // the block stays chosen
  options.submit();
});

// ── The walk ────────────────────────────────────────────────────────────────────────────────────────────────────────

if (document.getElementById("walk")) walk();

function walk() {
  const { stops, paths } = JSON.parse(document.getElementById("walk-data").textContent);
  const pane = document.getElementById("pane");
  const svg = pane.querySelector("svg");
  const select = document.getElementById("stops");
  const things = [...svg.querySelectorAll("[data-nodes]")].map((element) => ({ element, nodes: element.dataset.nodes.split(" ").map(Number) }));
  const leaf = new Map(); // of an operator, the innermost stop
  stops.forEach((stop, at) => stop.blocks || stop.operators.forEach((node) => leaf.set(node, at)));
  let chosen = -1; // a stop, or the whole network
  let operator = null; // of that stop
  let passages = [];

  // What is chosen stands in the address: #conv2_x, #conv2_x.0, #conv2_x.0:17.
  function address() {
    if (chosen < 0) return "";
    return "#" + encodeURIComponent(stops[chosen].key + (operator === null ? "" : `:${operator}`)).replaceAll("%3A", ":");
  }

  function fromAddress() {
    let wanted = location.hash.slice(1);
    try {
      wanted = decodeURIComponent(wanted);
    } catch {}
    const [, key, node] = wanted.match(/^(.*?)(?::(\d+))?$/s);
    const near = [key, `${key}.0`, key.replace(/\.\d+$/, ".0")]; // a block that is folded stands for those behind it
    let at = stops.findIndex((stop) => stop.key === key);
    if (at < 0 && key) {
      const inside = paths.findIndex((path) => path === key || path.startsWith(`${key}.`));
      at = inside < 0 ? stops.findIndex((stop) => near.includes(stop.key)) : (leaf.get(inside) ?? -1);
      return show(at, null);
    }
    show(at, node !== undefined && leaf.get(Number(node)) === at ? Number(node) : null);
  }

  function choose(at, node = null) {
    if (at === chosen && node === operator) return;
    show(at, node);
    history.replaceState(null, "", address() || location.pathname + location.search);
  }

  function show(at, node) {
    chosen = at;
    operator = node;
    select.value = at < 0 ? "" : stops[at].key;
    for (const element of document.querySelectorAll(".told > .stop")) element.hidden = element.id !== `stop-${at < 0 ? "whole" : at}`;
    for (const row of document.querySelectorAll("tr[data-operator]")) row.classList.toggle("chosen", Number(row.dataset.operator) === node);
    const operators = new Set(at < 0 ? [] : stops[at].operators);
    for (const { element, nodes } of things) {
      element.classList.toggle("chosen", nodes.some((one) => operators.has(one)));
      element.classList.toggle("here", nodes.includes(node));
      element.classList.remove("used");
    }
    for (const group of svg.querySelectorAll("[data-block]")) {
      const inner = things.filter(({ element }) => group.contains(element));
      group.classList.toggle("chosen", inner.length > 0 && inner.every(({ nodes }) => nodes.some((one) => operators.has(one))));
    }
    bring([...svg.querySelectorAll(node === null ? "[data-nodes].chosen" : ".here")]);
    markSource();
  }

  // ── Source ────────────────────────────────────────────────────────────────────────────────────────────────────────

  // A passage of the chosen block opens; the lines that name what is chosen are marked.
  function markSource() {
    const wanted = chosen < 0 ? [] : operator === null ? stops[chosen].operators : [operator];
    const nodes = new Set(wanted);
    const used = passages.map(({ uses }) => uses.filter(([, operators]) => operators.some((one) => nodes.has(one))));
    const deepest = Math.max(0, ...used.flat().map(([path]) => path.split(".").filter(Boolean).length));
    passages.forEach(({ element }, at) => {
      const inner = used[at].filter(([path]) => path.split(".").filter(Boolean).length === deepest);
      const names = new Set();
      for (const [path, operators] of used[at]) {
        const start = path ? `${path}.` : "";
        for (const one of operators) if (nodes.has(one) && paths[one].startsWith(start) && paths[one] !== path) names.add(paths[one].slice(start.length).split(".")[0]);
      }
      element.classList.toggle("chosen", inner.length > 0);
      element.open = chosen < 0 ? element.open : inner.length > 0;
      const whole = chosen < 0 || (operator === null && inner.length > 0 && deepest > 0);
      for (const line of element.querySelectorAll(".line")) {
        const named = [...line.textContent.matchAll(/self\.(\w+)/g)].some(([, name]) => names.has(name));
        line.classList.toggle("chosen", !whole && named);
      }
    });
  }

  // Where a passage is used: its first place is chosen, all are marked.
  function chooseUse(uses) {
    const [path, operators] = uses.find(([path]) => path) ?? ["", []];
    const inside = new Set(operators);
    const within = stops.findIndex((stop) => stop.operators.every((one) => inside.has(one)));
    choose(path === "" ? -1 : within < 0 ? leaf.get(operators[0]) : within);
    const used = new Set(uses.flatMap(([path, operators]) => (path ? operators : [])));
    for (const { element, nodes } of things) element.classList.toggle("used", nodes.some((one) => used.has(one)));
  }

  function openPassage(event, element, uses) {
    if (element.open || !uses.length) return;
    event.preventDefault();
    chooseUse(uses);
    element.open = true;
  }

  async function loadSource() {
    const place = document.getElementById("source");
    place.textContent = place.dataset.waiting;
    try {
      const answer = await ask(own("source"));
      place.innerHTML = answer.passages.map(({ html }) => html).join("");
      passages = answer.passages.map(({ uses }, at) => ({ uses, element: place.children[at] }));
      if (!passages.length) place.textContent = place.dataset.none;
    } catch (error) {
      place.textContent = error.message;
      place.className = "message bad";
      place.setAttribute("role", "alert");
    }
    for (const { element, uses } of passages) {
      element.querySelector("summary").addEventListener("click", (event) => openPassage(event, element, uses));
    }
    markVerdict();
    markSource();
  }

  // ── What a verdict says ───────────────────────────────────────────────────────────────────────────────────────────

  const verdict = document.getElementById("verdict");

  function markVerdict() {
    if (!verdict) return;
    for (const item of verdict.querySelectorAll("[data-marks]")) {
      const marked = new Set(item.dataset.marks.split(" ").filter(Boolean).map(Number));
      for (const { element, nodes } of things) if (nodes.some((one) => marked.has(one))) element.classList.add("departs");
    }
    for (const { element } of passages) {
      if (element.dataset.file !== verdict.dataset.file) continue;
      element.querySelector(`[data-line="${verdict.dataset.line}"]`)?.classList.add("departs");
    }
  }

  for (const button of document.querySelectorAll("[data-go]")) {
    button.addEventListener("click", () => {
      const node = Number(button.dataset.go);
      choose(leaf.get(node) ?? -1, node);
      pane.scrollIntoView({ block: "nearest" });
    });
  }

  // ── Choosing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  const step = (by) => choose(Math.max(-1, Math.min(stops.length - 1, chosen + by)));

  // Within a block, to the next of the operators that are drawn.
  function stepInside(by) {
    if (chosen < 0 || stops[chosen].blocks) return step(by);
    const inside = [...document.querySelectorAll(`#stop-${chosen} [data-operator]`)].map((row) => Number(row.dataset.operator));
    const at = inside.indexOf(operator) + by;
    choose(chosen, at < 0 ? null : inside[Math.min(at, inside.length - 1)]);
  }

  select.addEventListener("change", () => choose(stops.findIndex((stop) => stop.key === select.value)));
  for (const button of document.querySelectorAll("[data-step]")) button.addEventListener("click", () => step(Number(button.dataset.step)));
  window.addEventListener("hashchange", fromAddress);

  const keys = {
    ArrowDown: () => step(1), ArrowUp: () => step(-1), ArrowRight: () => stepInside(1), ArrowLeft: () => stepInside(-1),
    Home: () => choose(0), End: () => choose(stops.length - 1), Escape: () => choose(-1),
    "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: () => fit(),
  }; // prettier-ignore
  pane.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });

  svg.addEventListener("click", (event) => {
    if (dragged) return;
    const thing = things.find(({ element }) => element.contains(event.target));
    const group = event.target.closest("[data-block]");
    const first = thing ?? (group && things.find(({ element }) => group.contains(element)));
    if (!first) return choose(-1);
    const at = leaf.get(first.nodes[0]) ?? -1;
    choose(at, thing && at === chosen ? first.nodes[0] : null);
  });

  // ── Zoom: the picture's width; the pane scrolls ───────────────────────────────────────────────────────────────────

  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  let scale = 1;
  let dragged = false;

  function zoomTo(wanted, x = pane.clientWidth / 2, y = pane.clientHeight / 2) {
    const next = Math.max(0.15, Math.min(4, wanted));
    const left = (pane.scrollLeft + x) / scale;
    const top = (pane.scrollTop + y) / scale;
    scale = next;
    svg.style.width = `${width * scale}px`;
    svg.style.height = `${height * scale}px`;
    pane.scrollTo(left * scale - x, top * scale - y);
  }

  const zoom = (by, x, y) => zoomTo(scale * by, x, y);

  // As wide as the pane, but never so small that nothing can be read.
  function fit() {
    svg.style.maxWidth = "none";
    zoomTo(Math.min(1, Math.max(0.55, (pane.clientWidth - 4) / width)));
    pane.scrollTo((width * scale - pane.clientWidth) / 2, 0);
  }

  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => (button.dataset.zoom === "0" ? fit() : zoom(button.dataset.zoom === "1" ? 1.25 : 0.8)));
  }

  pane.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const box = pane.getBoundingClientRect();
      const lines = event.deltaMode === 1 ? 16 : 1;
      zoom(Math.exp((-event.deltaY * lines) / (event.ctrlKey ? 100 : 500)), event.clientX - box.left, event.clientY - box.top);
    },
    { passive: false },
  );

  // Two fingers zoom, one scrolls as on any page; a mouse drags.
  const fingers = new Map();
  let apart = 0;
  pane.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    dragged = false;
    apart = distance();
  });
  window.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) {
      const box = pane.getBoundingClientRect();
      const [one, other] = [...fingers.values()];
      const now = distance();
      if (apart) zoom(now / apart, (one.clientX + other.clientX) / 2 - box.left, (one.clientY + other.clientY) / 2 - box.top);
      apart = now;
    } else if (event.pointerType === "mouse") {
      pane.scrollBy(before.clientX - event.clientX, before.clientY - event.clientY);
      dragged ||= Math.abs(before.clientX - event.clientX) + Math.abs(before.clientY - event.clientY) > 2;
    }
  });
  for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, (event) => fingers.delete(event.pointerId));

  function distance() {
    const [one, other] = [...fingers.values()];
    return other ? Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) : 0;
  }

  // Scrolls the pane, not the page, so that these things are well within it; of what is larger, its beginning.
  function bring(elements) {
    if (!elements.length) return;
    const boxes = elements.map((element) => element.getBoundingClientRect());
    const frame = pane.getBoundingClientRect();
    const edge = 30;
    const along = (first, last, room) => {
      const before = Math.min(...boxes.map((box) => box[first])) - frame[first];
      const size = Math.max(...boxes.map((box) => box[last])) - frame[first] - before;
      return before >= edge && before + size <= room - edge ? 0 : before - Math.max(edge, (room - size) / 2);
    };
    pane.scrollBy(along("left", "right", pane.clientWidth), along("top", "bottom", pane.clientHeight));
  }

  fit();
  fromAddress();
  loadSource();
}
