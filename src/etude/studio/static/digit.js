// Draw, ask, show. While one answer is under way, what is drawn meanwhile waits for the next question.

import { ask } from "./studio.js";

const at = (id) => document.getElementById(id);
const told = JSON.parse(at("told").textContent);
const drawing = at("drawing");
const side = told.canvas;

let picture = null; // what is asked about: the bytes of the drawing, or a file
let cover = null; // [row, column] of what covers a part
let busy = false;
let waiting = false;
let cleared = 0; // how often: an answer to what was drawn before is shown no more

// ── Asking ───────────────────────────────────────────────────────────────────────────────────────────────────────────

async function look() {
  if (picture === null) return;
  if (busy) {
    waiting = true;
    return;
  }
  busy = true;
  const before = cleared;
  const query = new URLSearchParams({ network: at("network").value });
  if (picture instanceof Uint8Array) query.set("drawn", "1");
  if (cover) query.set("cover", cover.join(","));
  try {
    const answer = await ask(`look?${query}`, picture);
    if (before === cleared) {
      at("problem").hidden = true;
      show(answer);
    }
  } catch (error) {
    at("problem").textContent = error.message;
    at("problem").hidden = before !== cleared;
  }
  busy = false;
  if (waiting) {
    waiting = false;
    look();
  }
}

at("network").addEventListener("change", () => {
  location.search = new URLSearchParams({ network: at("network").value });
});

// ── Drawing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

if (drawing) {
  const pen = drawing.getContext("2d", { willReadFrequently: true });
  Object.assign(pen, { lineWidth: 20, lineCap: "round", lineJoin: "round" });
  let last = null;

  const place = (event) => {
    const box = drawing.getBoundingClientRect();
    return [((event.clientX - box.left) * drawing.width) / box.width, ((event.clientY - box.top) * drawing.height) / box.height];
  };
  const stroke = (from, to) => {
    pen.strokeStyle = getComputedStyle(drawing).color;
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.stroke();
  };
  drawing.addEventListener("pointerdown", (event) => {
    drawing.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(last, last);
    changed();
  });
  drawing.addEventListener("pointermove", (event) => {
    if (!last) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) {
      const next = place(each);
      stroke(last, next);
      last = next;
    }
    changed();
  });
  for (const end of ["pointerup", "pointercancel"]) drawing.addEventListener(end, () => (last = null));

  // How much ink there is, whatever its colour: a byte for every two pixels each way.
  const changed = () => {
    const small = new OffscreenCanvas(side, side).getContext("2d");
    small.drawImage(drawing, 0, 0, side, side);
    const { data } = small.getImageData(0, 0, side, side);
    picture = Uint8Array.from({ length: side * side }, (_, index) => data[4 * index + 3]);
    look();
  };
  at("clear").addEventListener("click", () => {
    pen.clearRect(0, 0, drawing.width, drawing.height);
    picture = null;
    cleared++;
    at("answer").textContent = told.empty;
    at("answer").className = "waiting";
    at("bars").replaceChildren();
    for (const id of ["places", "same", "problem"]) at(id).hidden = true;
    at("seen").getContext("2d").clearRect(0, 0, at("seen").width, at("seen").height);
  });
  at("answer").className = "waiting";
}

// ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const take = (file) => {
  if (!file) return;
  picture = file;
  look();
};
at("file").addEventListener("change", () => take(at("file").files[0]));
const main = document.querySelector("main");
main.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.querySelector(".drop").classList.add("over");
});
main.addEventListener("dragleave", () => document.querySelector(".drop").classList.remove("over"));
main.addEventListener("drop", (event) => {
  event.preventDefault();
  document.querySelector(".drop").classList.remove("over");
  take(event.dataTransfer.files[0]);
});

// ── Covering a part ──────────────────────────────────────────────────────────────────────────────────────────────────

const seen = at("seen");
const coverAt = (event) => {
  const box = seen.getBoundingClientRect();
  const corner = (offset, length, pixels) => Math.max(0, Math.min(pixels - told.cover, Math.round((offset / length) * pixels - told.cover / 2)));
  cover = [corner(event.clientY - box.top, box.height, seen.height), corner(event.clientX - box.left, box.width, seen.width)];
  look();
};
seen.addEventListener("pointerdown", (event) => {
  seen.setPointerCapture(event.pointerId);
  coverAt(event);
});
seen.addEventListener("pointermove", (event) => event.buttons && coverAt(event));
for (const end of ["pointerup", "pointercancel"]) {
  seen.addEventListener(end, () => {
    cover = null;
    look();
  });
}

// ── Showing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

function show(answer) {
  showSeen(answer.seen);
  showAnswer(answer);
  at("junctions").replaceChildren(...answer.junctions.map(junction));
  if (answer.left_out) at("junctions").append(element("p", { className: "soft", textContent: told.left_out.replace("{count}", answer.left_out) }));
  at("places").hidden = answer.junctions.length === 0;
  at("same").hidden = false;
  at("covered").hidden = !answer.before;
  seen.toBlob((blob) => {
    URL.revokeObjectURL(at("save").href);
    at("save").href = URL.createObjectURL(blob);
  });
}

function showSeen({ channels, height, width, pixels }) {
  const values = bytes(pixels);
  const image = new ImageData(width, height);
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let colour = 0; colour < 3; colour++) image.data[4 * pixel + colour] = values[(channels === 3 ? colour : 0) * height * width + pixel];
    image.data[4 * pixel + 3] = 255;
  }
  seen.getContext("2d").putImageData(image, 0, 0);
}

function showAnswer({ classes, probabilities, before }) {
  const order = classes.length <= 10 ? classes.map((_, index) => index) : [...classes.keys()].sort((a, b) => probabilities[b] - probabilities[a]).slice(0, 10);
  at("answer").className = "";
  at("answer").textContent = classes[probabilities.indexOf(Math.max(...probabilities))];
  at("bars").replaceChildren(
    ...order.flatMap((index) => {
      const bar = element("span", { className: "bar-of" }, element("i"));
      bar.firstChild.style.width = `${100 * probabilities[index]}%`;
      if (before) {
        bar.append(element("b"));
        bar.lastChild.style.left = `${100 * before[index]}%`;
      }
      return [element("span", { textContent: classes[index] }), bar, element("span", { className: "n", textContent: `${(100 * probabilities[index]).toFixed(1)} %` })];
    }),
  );
}

function junction({ kind, path, branches }) {
  const title = element("h3", {}, element("code", { textContent: path || "·" }), ` ${told[kind]}`);
  return element("section", {}, title, element("div", { className: "branches" }, ...branches.map(branch)));
}

function branch({ path, share, role, count, shown, height, width, pixels }) {
  const name = role === "sum" ? told.sum : path || told.images;
  const how = shown < count ? told.first.replace("{shown}", shown).replace("{count}", count) : `${count} ${told.channels}`;
  const caption = element("figcaption", {}, element("strong", { textContent: role && role !== "sum" ? `${role} ` : "" }), element("code", { textContent: name }), element("br"), role === "sum" ? how : `${how}, ${told.share} ${(100 * share).toFixed(0)} %`);
  const label = `${role} ${name}`.trim();
  return element("figure", {}, caption, tiles(shown, height, width, bytes(pixels), label));
}

// The maps beside each other, with a line of the ground between them.
function tiles(count, height, width, values, label) {
  const even = [4, 5, 6, 7, 8].find((columns) => count % columns === 0 && count / columns <= columns);
  const columns = even ?? Math.ceil(Math.sqrt(count * 1.5));
  const rows = Math.ceil(count / columns);
  const canvas = element("canvas", { width: columns * (width + 1) - 1, height: rows * (height + 1) - 1 });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  const zoom = Math.max(1, Math.round(36 / width));
  canvas.style.width = `${canvas.width * zoom}px`;
  const image = new ImageData(canvas.width, canvas.height);
  for (let map = 0; map < count; map++) {
    const top = Math.floor(map / columns) * (height + 1);
    const left = (map % columns) * (width + 1);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const value = (values[(map * height + row) * width + column] - 128) / 127;
        image.data.set(colour(value), 4 * ((top + row) * canvas.width + left + column));
      }
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// Orange above zero, blue below; nothing at zero, on a light ground as on a dark one.
function colour(value) {
  const strength = Math.round(255 * Math.min(1, Math.abs(value)) ** 0.7);
  return value >= 0 ? [234, 100, 20, strength] : [37, 99, 235, strength];
}
