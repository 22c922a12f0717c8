// The data, and what all charts share: elements, what a trial says of itself, which trials are selected.
const data = JSON.parse(document.getElementById("data").textContent);
const trials = new Map(data.trials.map((trial) => [trial.number, trial]));
const better = (a, b) => (data.minimize ? a < b : a > b);
const scored = data.trials.filter((trial) => trial.score !== null);

// An SVG element under `parent`. Texts are set as text, so nothing in them is markup.
function add(parent, name, attributes = {}, text) {
  const element = document.createElementNS(parent.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return parent.appendChild(element);
}

// Empties a chart and sizes it; what is left inside its margins.
function frame(svg, width, height, margin) {
  svg.replaceChildren();
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  const { top = 10, right = 10, bottom = 36, left = 54 } = margin;
  return { left, top, right: width - right, bottom: height - bottom, width: width - left - right, height: height - top - bottom };
}

// At most `room` pixels of text, about.
function fitted(text, room) {
  const wide = (char) => (char > "\u1100" ? 11.5 : 6.6);
  let used = 0;
  for (const [at, char] of [...text].entries()) {
    used += wide(char);
    if (used > room) return [...text].slice(0, Math.max(at - 1, 1)).join("") + "…";
  }
  return text;
}

function figure(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  return String(Number(value.toPrecision(4)));
}

function duration(seconds) {
  if (seconds < 60) return `${figure(seconds)} s`;
  return seconds < 3600 ? `${figure(seconds / 60)} min` : `${figure(seconds / 3600)} h`;
}

function words(trial) {
  const won = trial.number === data.winner ? ", the winner" : "";
  const lines = [`Trial ${trial.number}, ${trial.state}${won}`, `${data.metric} ${figure(trial.score)} · ${duration(trial.seconds)}`];
  data.order.forEach((index) => {
    if (trial.texts[index] !== "–") lines.push(`${data.parameters[index].name} = ${trial.texts[index]}`);
  });
  return lines.slice(0, 18).join("\n");
}

// The classes of everything that stands for a trial.
function classes(kind, trial) {
  return `${kind} ${trial.state}${trial.number === data.winner ? " winner" : ""}`;
}

// Everything that stands for a trial, in any chart or the table, bears its number.
let selected = null;
function showSelection() {
  for (const element of document.querySelectorAll("[data-trial]")) {
    element.classList.toggle("off", selected !== null && !selected.has(Number(element.dataset.trial)));
  }
}

let hot = null;
function heat(number) {
  if (hot === number) return;
  for (const element of document.querySelectorAll(".hot")) element.classList.remove("hot");
  hot = number;
  if (number !== null) for (const element of document.querySelectorAll(`[data-trial="${number}"]`)) element.classList.add("hot");
}

const tip = document.getElementById("tip");
document.addEventListener("pointerover", (event) => {
  const of = event.target.closest("[data-trial]");
  heat(of ? Number(of.dataset.trial) : null);
  tip.hidden = !of || of.tagName === "TR";
  if (!tip.hidden) tip.textContent = words(trials.get(hot));
});
document.addEventListener("pointermove", (event) => {
  if (tip.hidden) return;
  const [wide, high] = [tip.offsetWidth, tip.offsetHeight];
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - wide - 6))}px`;
  tip.style.top = `${Math.max(4, event.clientY + 16 + high > innerHeight ? event.clientY - high - 10 : event.clientY + 16)}px`;
});
