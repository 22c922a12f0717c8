// From values to places between 0 and 1, and the ticks of an axis.
function roundTicks(low, high, about) {
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((step) => step * power).find((step) => step >= rough * 0.999);
  const ticks = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) ticks.push(Number((at * step).toPrecision(12)));
  return ticks;
}

// Powers of ten, with 2 and 5 between them where there are few.
function logTicks(low, high) {
  const factors = Math.log10(high / low) < 2.5 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const factor of factors) ticks.push(Number(`${factor}e${power}`));
  }
  return ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
}

// `place` of a value is from 0 to 1; beyond the ends it is at the end.
function numberScale(low, high, log = false, about = 5) {
  if (!(high > low)) [low, high] = log ? [low / 2, high * 2] : [low - (Math.abs(low) / 10 || 0.5), high + (Math.abs(high) / 10 || 0.5)];
  const [on, back] = log ? [Math.log, Math.exp] : [(value) => value, (value) => value];
  const [start, width] = [on(low), on(high) - on(low)];
  const margin = width * 0.04;
  const place = (value) => Math.min(1, Math.max(0, (on(value) - start + margin) / (width + 2 * margin)));
  const [first, last] = [back(start - margin), back(start + width + margin)];
  const values = log ? logTicks(first, last) : roundTicks(first, last, about);
  return { place, low, high, ticks: values.map((value) => ({ at: place(value), text: figure(value) })) };
}

function parameterScale(index, about) {
  const { scale, levels } = data.parameters[index];
  if (scale === "levels") {
    const place = (level) => (level + 0.5) / levels.length;
    return { place, levels: levels.length, ticks: levels.map((text, level) => ({ at: place(level), text })) };
  }
  const values = data.trials.map((trial) => trial.values[index]).filter((value) => value !== null);
  if (!values.length) return numberScale(1, 1);
  return numberScale(Math.min(...values), Math.max(...values), scale === "log", about);
}

// From the worst to the best value; what is far worse than most (beyond three interquartile ranges) would leave no room for the
// rest, and stands at the edge.
function robustScale(values) {
  if (!values.length) return numberScale(0, 1);
  const sorted = values.toSorted((a, b) => a - b);
  const quantile = (share) => sorted[Math.round((sorted.length - 1) * share)];
  const [least, most, q1, q3] = [sorted[0], sorted.at(-1), quantile(0.25), quantile(0.75)];
  const room = 3 * (q3 - q1);
  const clipped = room > 0 ? (data.minimize ? [least, Math.min(most, q3 + room)] : [Math.max(least, q1 - room), most]) : [least, most];
  const scale = numberScale(...clipped);
  scale.beyond = values.filter((value) => value < scale.low || value > scale.high).length;
  return scale;
}

const scoreScale = robustScale(scored.map((trial) => trial.score));

// A colour for a score: the stronger the better.
function colour(trial) {
  if (trial.score === null) return "var(--worst)";
  const place = scoreScale.place(trial.score);
  const good = Math.round(100 * (data.minimize ? 1 - place : place) ** 1.5);
  return `color-mix(in oklab, var(--best) ${good}%, var(--worst))`;
}

// A vertical axis with lines across the chart, and a title above it.
function axisY(svg, box, scale, title) {
  for (const { at, text } of scale.ticks) {
    const y = box.bottom - at * box.height;
    add(svg, "line", { x1: box.left, x2: box.right, y1: y, y2: y, class: "grid" });
    add(svg, "text", { x: box.left - 6, y: y + 4, "text-anchor": "end" }, text);
  }
  if (title) add(svg, "text", { x: 0, y: 12, class: "title" }, fitted(title, box.right));
}

// A horizontal axis; ticks that would touch the one before are left out.
function axisX(svg, box, scale, title) {
  add(svg, "line", { x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom, class: "base" });
  let free = -Infinity;
  const room = scale.levels ? Math.max(box.width / scale.levels - 6, 34) : Infinity;
  for (const { at, text } of scale.ticks) {
    const shown = fitted(text, room);
    const x = box.left + at * box.width;
    const half = [...shown].reduce((sum, char) => sum + (char > "\u1100" ? 6 : 3.4), 0);
    if (x - half < free) continue;
    free = x + half + 6;
    const anchor = x + half > box.right + 8 ? "end" : "middle";
    add(svg, "text", { x: anchor === "end" ? box.right + 8 : x, y: box.bottom + 16, "text-anchor": anchor }, shown);
  }
  if (title) add(svg, "text", { x: (box.left + box.right) / 2, y: box.bottom + 32, "text-anchor": "middle" }, fitted(title, box.width));
}
