// All networks: filter them by name; and hand in a file of one's own, or name one.

import { ask } from "/static/studio.js";

// ── Filter ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const filter = document.getElementById("filter");
const count = document.getElementById("count");
const rows = [...document.querySelectorAll("tr[data-name]")];

function narrow() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of rows) row.hidden = !words.every((word) => row.dataset.name.toLowerCase().includes(word));
  for (const paper of document.querySelectorAll("section.paper")) paper.hidden = !paper.querySelector("tr[data-name]:not([hidden])");
  const found = rows.filter((row) => !row.hidden).length;
  count.textContent = count.dataset.of.replace("{found}", found).replace("{all}", rows.length);
  document.getElementById("none").hidden = found > 0;
}

filter.value = new URLSearchParams(location.search).get("filter") ?? "";
filter.addEventListener("input", () => {
  history.replaceState(null, "", filter.value ? `?filter=${encodeURIComponent(filter.value)}` : location.pathname);
  narrow();
});
narrow();

// ── One's own ───────────────────────────────────────────────────────────────────────────────────────────────────────

const drop = document.getElementById("drop");
const trouble = document.getElementById("trouble");

async function go(address, value) {
  trouble.hidden = true;
  try {
    location.assign((await ask(drop.dataset.address + address, value)).address);
  } catch (error) {
    trouble.textContent = error.message;
    trouble.hidden = false;
  }
}

const take = (file) => file && go(`file?name=${encodeURIComponent(file.name)}`, file);

const chosen = document.getElementById("file");
chosen.addEventListener("change", () => take(chosen.files[0]));
document.getElementById("typed").addEventListener("submit", (event) => {
  event.preventDefault();
  go("target", { target: document.getElementById("target").value });
});

for (const name of ["dragover", "drop", "dragleave"]) {
  window.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") take(event.dataTransfer.files[0]);
  });
}
