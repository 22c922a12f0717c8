// History, learning curves and slices.
function mark(svg, trial, x, y, size = 4) {
  const common = { class: classes("mark", trial), "data-trial": trial.number };
  if (trial.state === "failed") {
    const d = `M${x - size},${y - size}L${x + size},${y + size}M${x - size},${y + size}L${x + size},${y - size}`;
    add(svg, "path", { ...common, class: `${common.class} cross`, d });
  } else {
    add(svg, "circle", { ...common, cx: x, cy: y, r: trial.number === data.winner ? size * 1.5 : size });
  }
}

let historyBy = "number";
function drawHistory() {
  const svg = document.getElementById("history");
  if (!svg) return;
  const box = frame(svg, svg.parentElement.clientWidth, 300, { top: 26, bottom: 38 });
  const shown = data.trials.filter((trial) => trial[historyBy] !== null && (trial.score !== null || trial.state === "failed"));
  const [unit, divisor] = historyBy === "number" ? ["trial", 1] : hoursOr(Math.max(0, ...shown.map((trial) => trial.ended)));
  const at = (trial) => trial[historyBy] / divisor;
  const range = shown.length ? [Math.min(...shown.map(at)), Math.max(...shown.map(at))] : [0, 1];
  const scale = numberScale(...range, false, historyBy === "number" ? Math.min(8, Math.max(1, range[1] - range[0])) : 6);
  axisY(svg, box, scoreScale, data.metric);
  axisX(svg, box, scale, unit);
  const x = (trial) => box.left + scale.place(at(trial)) * box.width;
  const y = (score) => box.bottom - scoreScale.place(score) * box.height;
  let [best, line] = [null, ""];
  for (const trial of shown.filter((trial) => trial.score !== null).toSorted((a, b) => at(a) - at(b))) {
    if (best === null) line = `M${x(trial)},${y(trial.score)}`;
    else if (better(trial.score, best)) line += `H${x(trial)}V${y(trial.score)}`;
    if (best === null || better(trial.score, best)) best = trial.score;
  }
  if (best !== null) add(svg, "path", { d: `${line}H${box.right}`, class: "sofar" });
  const worst = data.minimize ? box.top + 6 : box.bottom - 6;
  for (const trial of shown) mark(svg, trial, x(trial), trial.score === null ? worst : y(trial.score));
  const notes = [];
  if (scoreScale.beyond) notes.push(`${scoreScale.beyond} far worse than the rest: at the edge of the plot.`);
  if (shown.some((trial) => trial.score === null)) notes.push("Crosses: failed.");
  if (shown.length < data.trials.length) notes.push(`${data.trials.length - shown.length} without a score or an end yet are not shown.`);
  document.getElementById("history-note").textContent = notes.join(" ");
}

function hoursOr(seconds) {
  if (seconds >= 7200) return ["hours since the beginning", 3600];
  return seconds >= 120 ? ["minutes since the beginning", 60] : ["seconds since the beginning", 1];
}

function drawCurves() {
  const svg = document.getElementById("curves");
  if (!svg) return;
  const box = frame(svg, svg.parentElement.clientWidth, 300, { top: 26, bottom: 38 });
  const values = data.trials.flatMap((trial) => trial.curve.filter((value) => value !== null));
  const note = document.getElementById("curves-note");
  if (!values.length) {
    note.textContent = "No evaluations yet.";
    svg.setAttribute("height", 0);
    return;
  }
  const epochs = data.trials.flatMap((trial) => trial.epochs);
  const [across, up] = [numberScale(0, epochs.reduce((a, b) => Math.max(a, b), 0), false, 8), robustScale(values)];
  axisY(svg, box, up, data.metric);
  axisX(svg, box, across, "epoch");
  const winnerLast = data.trials.toSorted((a, b) => (a.number === data.winner) - (b.number === data.winner));
  for (const trial of winnerLast) {
    const known = trial.curve.map((value, at) => [trial.epochs[at], value]).filter(([, value]) => value !== null);
    const points = known.map(([epoch, value]) => [box.left + across.place(epoch) * box.width, box.bottom - up.place(value) * box.height]);
    if (points.length > 1) {
      const d = `M${points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}`;
      add(svg, "path", { d, class: classes("curve-line", trial), "data-trial": trial.number });
    }
    // Where it ended; all there is to see of a trial with one evaluation.
    if (points.length) mark(svg, trial, ...points.at(-1), 2.5);
  }
  note.textContent = up.beyond ? `${up.beyond} evaluations far worse than the rest are drawn at the edge.` : "";
}

function drawSlices() {
  const grid = document.getElementById("slices");
  if (!grid) return;
  if (!grid.children.length) {
    for (const index of data.order) {
      const cell = grid.appendChild(document.createElement("div"));
      const svg = document.createElementNS(document.querySelector("svg").namespaceURI, "svg");
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", `Score over ${data.parameters[index].name}`);
      cell.appendChild(svg);
    }
  }
  data.order.forEach((index, at) => {
    const svg = grid.children[at].firstChild;
    const box = frame(svg, grid.children[at].clientWidth, 210, { top: 26, bottom: 24, left: 50 });
    const scale = parameterScale(index, Math.max(2, Math.floor(box.width / 60)));
    axisY(svg, box, scoreScale, data.parameters[index].name);
    axisX(svg, box, scale);
    for (const trial of scored.filter((trial) => trial.values[index] !== null)) {
      // Trials of one level stand side by side, always at the same place.
      const aside = scale.levels ? (((trial.number * 0.618) % 1) - 0.5) * (0.6 / scale.levels) : 0;
      const x = box.left + (scale.place(trial.values[index]) + aside) * box.width;
      mark(svg, trial, x, box.bottom - scoreScale.place(trial.score) * box.height, 3);
    }
  });
}
