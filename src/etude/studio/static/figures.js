// Figures that one can move. Every number comes from the server, which computes as `etude explain` does; here it is only drawn.

import { ask } from "./studio.js";

const words = JSON.parse(document.getElementById("figure-words").textContent);
const said = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

const drawn = (name, attributes = {}, ...children) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

// Asks with the values of now; while an answer is on its way, only the newest question waits. What goes wrong is said below the stage.
function asking(stage, address, values, show) {
  let busy = false;
  let again = false;
  const trouble = element("p", { className: "message bad", hidden: true });
  trouble.setAttribute("role", "alert");
  stage.after(trouble);
  const turn = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      show(await ask(`/${document.documentElement.lang.slice(0, 2)}/lessons/figures/${address}?${new URLSearchParams(values())}`));
      trouble.hidden = true;
    } catch (error) {
      trouble.textContent = error.message;
      trouble.hidden = false;
    }
    busy = false;
    if (again) {
      again = false;
      turn();
    }
  };
  return turn;
}

function slider(label, { min, max, step, value }, changed) {
  const input = element("input", { type: "range", min, max, step, value });
  const output = element("output", { textContent: value });
  input.setAttribute("aria-label", label);
  input.addEventListener("input", () => {
    output.textContent = input.value;
    changed();
  });
  return { input, parts: [element("span", { textContent: label }), input, output] };
}

const figures = {
  conv1x1(stage, command) {
    let sliders = []; // made of the worked example, which comes where nothing is asked for
    const turn = asking(stage, "conv1x1", () => (sliders.length ? { weights: sliders.map(({ input }) => input.value).join(",") } : {}), show);
    const maps = element("div", { className: "maps" });
    stage.append(maps);
    function show(found) {
      if (!sliders.length) {
        sliders = found.weights.map((value, index) => slider(said("weight", { number: index + 1 }), { min: -1, max: 1, step: 0.1, value }, turn));
        stage.prepend(element("div", { className: "sliders" }, ...sliders.flatMap(({ parts }) => parts)));
      }
      const table = (rows) => element("table", {}, ...rows.map((row) => element("tr", {}, ...row.map((value) => element("td", { textContent: +value.toFixed(2) })))));
      const parts = found.maps.flatMap((map, index) => [
        element("div", {}, said("channel", { number: index + 1 }), table(map)),
        element("div", { className: "sign", textContent: `· ${found.weights[index]} ${index + 1 < found.maps.length ? "+" : "="}` }),
      ]);
      maps.replaceChildren(...parts, element("div", {}, said("sum"), table(found.sum)));
      command.textContent = found.command;
    }
    turn();
  },

  cost(stage, command) {
    let sliders = null; // made of the slides' sizes, which come where nothing is asked for
    const asked = () => (sliders ? Object.fromEntries(Object.entries(sliders).flatMap(([name, { input }]) => (name === "size" ? [["height", input.value], ["width", input.value]] : [[name, input.value]]))) : {});
    const turn = asking(stage, "cost", asked, show);
    const ways = element("div", { className: "ways" });
    const sentence = element("p", {});
    sentence.setAttribute("aria-live", "polite");
    stage.append(ways, sentence);
    function show(found) {
      if (!sliders) {
        const [squeeze, large] = found.reduced.convolutions;
        const first = { in_channels: [512, squeeze.in_channels], reduce: [256, squeeze.out_channels], out_channels: [256, large.out_channels], size: [56, large.height] };
        sliders = Object.fromEntries(Object.entries(first).map(([name, [max, value]]) => [name, slider(said(name), { min: 1, max, step: 1, value }, turn)]));
        stage.prepend(element("div", { className: "sliders" }, ...Object.values(sliders).flatMap(({ parts }) => parts)));
      }
      const most = Math.max(found.direct.multiplications, found.reduced.multiplications);
      ways.replaceChildren(
        ...["direct", "reduced"].flatMap((name) => {
          const bar = element("i");
          bar.style.width = `${(100 * found[name].multiplications) / most}%`;
          return [element("span", { textContent: said(name) }), bar, element("span", { className: "n", textContent: found[name].multiplications.toLocaleString("en") })];
        }),
      );
      sentence.textContent = said(found.ratio <= 1 ? "saves" : "saves_not", { share: (100 * found.ratio).toFixed(1) });
      command.textContent = found.command;
    }
    turn();
  },

  receptive(stage, command) {
    const choice = element("select");
    choice.setAttribute("aria-label", said("network"));
    const picture = drawn("svg", { class: "pressed", role: "img" });
    const sentence = element("p", { className: "soft" });
    sentence.setAttribute("aria-live", "polite");
    let found = null;
    let at = [0.5, 0.5];
    const layer = slider(said("layer"), { min: 0, max: 1, step: 1, value: 0 }, draw);
    const turn = asking(stage, "receptive", () => (choice.value ? { network: choice.value } : {}), (answer) => {
      if (!found) choice.append(...answer.networks.map((name) => element("option", { textContent: name })));
      found = answer;
      layer.input.max = answer.layers.length - 1;
      layer.input.value = Math.min(layer.input.value, layer.input.max);
      layer.parts[2].textContent = layer.input.value;
      command.textContent = answer.command;
      draw();
    });
    choice.addEventListener("change", () => {
      layer.input.value = 0;
      turn();
    });
    stage.append(choice, element("div", { className: "sliders" }, ...layer.parts), picture, sentence);

    function draw() {
      if (!found) return;
      const one = found.layers[layer.input.value];
      const [, height, width] = found.image;
      const units = [0, 1].map((axis) => Math.min(one.shape[axis + 1] - 1, Math.floor(at[axis] * one.shape[axis + 1])));
      const begin = [0, 1].map((axis) => one.first[axis] + units[axis] * one.jump[axis]);
      const outside = Math.max(...found.layers.map(({ first }) => -Math.min(...first))); // how far fields reach into the padding
      const margin = Math.max(height, width) * Math.min(0.8, Math.max(0.1, outside / Math.max(height, width) + 0.05));
      picture.setAttribute("viewBox", `${-margin} ${-margin} ${width + 2 * margin} ${height + 2 * margin}`);
      const ink = [[0.3, 0.25], [0.45, 0.15], [0.65, 0.2], [0.68, 0.35], [0.5, 0.47], [0.68, 0.55], [0.7, 0.75], [0.5, 0.85], [0.3, 0.78]];
      picture.replaceChildren(
        drawn("rect", { class: "image", width, height }),
        drawn("polyline", { class: "ink", "stroke-width": width * 0.07, points: ink.map(([x, y]) => `${x * width},${y * height}`).join(" ") }),
        drawn("rect", { class: "field", x: begin[1], y: begin[0], width: one.size[1], height: one.size[0] }),
      );
      const op = `${one.kernel ? `${one.kernel}×${one.kernel} ` : ""}${one.op.replace("_", " ")}`;
      sentence.textContent = said("sees", { place: one.path || choice.value, op, height: one.shape[1], width: one.shape[2], rows: one.size[0], columns: one.size[1], step: one.jump[0] });
      picture.setAttribute("aria-label", sentence.textContent);
    }
    const choose = (event) => {
      const [, height, width] = found.image;
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
      const within = (value) => Math.max(0, Math.min(0.999, value));
      at = [within(point.y / height), within(point.x / width)];
      draw();
    };
    picture.addEventListener("pointerdown", (event) => {
      picture.setPointerCapture(event.pointerId);
      choose(event);
    });
    picture.addEventListener("pointermove", (event) => event.buttons && choose(event));
    turn();
  },

  depth(stage, command) {
    const button = element("button", { type: "button", textContent: said("measure") });
    stage.append(button);
    const turn = asking(stage, "depth", () => ({}), (found) => {
      command.textContent = found.command;
      const start = element("select", {}, ...Object.keys(found.starts).map((name) => element("option", { value: name, textContent: said(`start_${name}`) })));
      const norm = element("input", { type: "checkbox", checked: true });
      const picture = drawn("svg", { viewBox: "0 0 560 300", role: "img", "aria-label": said("depth_title") });
      const draw = () => picture.replaceChildren(...curves(found.cells, (cell) => cell.start === start.value && cell.norm === norm.checked, found.cells));
      for (const control of [start, norm]) control.addEventListener("change", draw);
      stage.replaceChildren(element("p", { className: "row" }, element("label", {}, said("start"), " ", start), element("label", {}, norm, " ", said("norm"))), picture);
      draw();
    });
    button.addEventListener("click", async () => {
      button.disabled = true;
      button.textContent = said("measuring");
      await turn();
      button.disabled = false; // where it is still there, the measurement has failed
      button.textContent = said("measure");
    });
  },
};

// A line for each kind of network; the axes are those of all cells, so that they stay when one chooses others.
function curves(cells, shown, all) {
  const [left, right, top, bottom] = [64, 460, 14, 256];
  const depths = [...new Set(all.map(({ depth }) => depth))];
  const powers = all.map(({ gradient }) => Math.log10(Math.max(gradient, 1e-12)));
  const low = Math.floor(Math.min(...powers));
  const high = Math.ceil(Math.max(...powers));
  const x = (depth) => left + ((right - left) * depths.indexOf(depth)) / (depths.length - 1);
  const y = (gradient) => bottom - ((bottom - top) * (Math.log10(Math.max(gradient, 1e-12)) - low)) / (high - low);
  const every = Math.ceil((high - low) / 8);
  const parts = [];
  for (let power = low; power <= high; power += every) {
    parts.push(drawn("path", { class: "grid", d: `M${left} ${y(10 ** power)}H${right}` }), drawn("text", { x: left - 8, y: y(10 ** power) + 4, "text-anchor": "end" }, `1e${power}`));
  }
  for (const depth of depths) parts.push(drawn("text", { x: x(depth), y: bottom + 18, "text-anchor": "middle" }, depth));
  parts.push(drawn("text", { class: "soft", x: (left + right) / 2, y: bottom + 36, "text-anchor": "middle" }, said("depth")));
  parts.push(drawn("text", { class: "soft", transform: `translate(14 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, said("gradient")));
  const colours = { plain: "var(--bad)", residual: "var(--name)", preactivation: "var(--good)" };
  const ends = [];
  for (const [network, colour] of Object.entries(colours)) {
    const line = cells.filter((cell) => cell.network === network && shown(cell));
    if (!line.length) continue;
    parts.push(drawn("polyline", { points: line.map((cell) => `${x(cell.depth)},${y(cell.gradient)}`).join(" "), fill: "none", stroke: colour, "stroke-width": 2 }));
    parts.push(...line.map((cell) => drawn("circle", { cx: x(cell.depth), cy: y(cell.gradient), r: 3.5, fill: colour }, drawn("title", {}, cell.gradient.toPrecision(3)))));
    ends.push([y(line.at(-1).gradient), network, colour]);
  }
  let lowest = -Infinity;
  for (const [height, network, colour] of ends.sort((a, b) => a[0] - b[0])) {
    lowest = Math.max(height + 4, lowest + 14); // names do not stand on each other
    parts.push(drawn("text", { x: right + 10, y: lowest, style: `fill: ${colour}` }, said(network)));
  }
  return parts;
}

for (const figure of document.querySelectorAll("[data-figure]")) {
  figures[figure.dataset.figure](figure.querySelector(".stage"), figure.querySelector(".command code"));
}
