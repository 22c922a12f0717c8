// Parallel coordinates. Axes are parameters, the most important first, then the score; dragging along one selects.
const brushes = new Map();
const axes = data.order.map((index) => {
  const scale = parameterScale(index, 4);
  return { name: data.parameters[index].name, scale, at: (trial) => place(scale, trial.values[index]) };
});
axes.push({ name: data.metric, scale: scoreScale, at: (trial) => place(scoreScale, trial.score) });

// Trials that lack the value pass below the axis.
const ABSENT = -0.09;
function place(scale, value) {
  return value === null ? ABSENT : scale.place(value);
}

function drawParallel() {
  const svg = document.getElementById("parallel");
  if (!svg) return;
  const wide = Math.max(svg.parentElement.clientWidth, axes.length * 92);
  const box = frame(svg, wide, 400, { top: 56, bottom: 52, left: 40, right: 46 });
  const x = (axis) => box.left + (axes.length > 1 ? (box.width * axis) / (axes.length - 1) : box.width / 2);
  const y = (at) => box.bottom - at * box.height;
  const spacing = axes.length > 1 ? box.width / (axes.length - 1) : box.width;

  const worstFirst = data.trials.toSorted((a, b) => {
    if ((a.number === data.winner) !== (b.number === data.winner)) return a.number === data.winner ? 1 : -1;
    if (a.score === null || b.score === null) return (a.score !== null) - (b.score !== null);
    return better(a.score, b.score) ? 1 : -1;
  });
  for (const trial of worstFirst) {
    const line = axes.map((axis, at) => `${x(at).toFixed(1)},${y(axis.at(trial)).toFixed(1)}`).join("L");
    add(svg, "path", { d: `M${line}`, class: classes("ways", trial), "data-trial": trial.number, style: `stroke:${colour(trial)}` });
  }
  const someAbsent = axes.map((axis) => data.trials.some((trial) => axis.at(trial) === ABSENT));
  axes.forEach((axis, at) => {
    add(svg, "line", { x1: x(at), x2: x(at), y1: box.top, y2: box.bottom, class: "base" });
    // Names stand in two rows, so that each has the room of two.
    const room = (axes.length > 2 ? 2 : 1) * spacing - 10;
    const anchor = at === 0 ? "start" : at === axes.length - 1 ? "end" : "middle";
    const left = at === 0 ? 2 : at === axes.length - 1 ? wide - 2 : x(at);
    const name = add(svg, "text", { x: left, y: at % 2 ? 16 : 36, class: "title", "text-anchor": anchor }, fitted(axis.name, anchor === "middle" ? room : room * 0.7));
    add(name, "title", {}, axis.name);
    let free = Infinity;
    for (const tick of axis.scale.ticks) {
      if (y(tick.at) > free) continue;
      free = y(tick.at) - 13;
      const last = at === axes.length - 1;
      add(svg, "text", { x: x(at) + (last ? -5 : 5), y: y(tick.at) + 4, class: "axis-end", "text-anchor": last ? "end" : "start" }, fitted(tick.text, spacing - 14));
    }
    if (someAbsent[at]) add(svg, "text", { x: x(at), y: y(ABSENT) + 18, "text-anchor": "middle" }, "none");
    const handle = add(svg, "rect", { x: x(at) - 14, y: box.top - 6, width: 28, height: box.bottom - box.top + 52, class: "handle" });
    const brush = add(svg, "rect", { x: x(at) - 7, width: 14, class: "brush" });
    showBrush(brush, brushes.get(at), y);
    let start = null;
    const here = (event) => (box.bottom - (event.clientY - svg.getBoundingClientRect().top)) / box.height;
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      start = here(event);
    });
    handle.addEventListener("pointermove", (event) => {
      if (start === null) return;
      const now = here(event);
      if (Math.abs(now - start) * box.height > 4) brushes.set(at, [Math.min(start, now), Math.max(start, now)]);
      showBrush(brush, brushes.get(at), y);
      select();
    });
    const end = (event) => {
      if (event.type === "pointerup" && start !== null && Math.abs(here(event) - start) * box.height <= 4) brushes.delete(at);
      start = null;
      showBrush(brush, brushes.get(at), y);
      select();
    };
    handle.addEventListener("pointerup", end);
    handle.addEventListener("pointercancel", end);
  });
}

function showBrush(rect, range, y) {
  rect.setAttribute("y", range ? y(range[1]) : 0);
  rect.setAttribute("height", range ? Math.max(1, y(range[0]) - y(range[1])) : 0);
  rect.style.display = range ? "" : "none";
}

function select() {
  const passes = (trial) => [...brushes].every(([at, [low, high]]) => axes[at].at(trial) >= low && axes[at].at(trial) <= high);
  selected = brushes.size ? new Set(data.trials.filter(passes).map((trial) => trial.number)) : null;
  document.getElementById("selection").textContent = selected ? `${selected.size} of ${data.trials.length} trials selected` : "";
  showSelection();
}
