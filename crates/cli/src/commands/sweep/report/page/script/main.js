// Draws everything, and again when the width has changed.
function draw() {
  drawHistory();
  drawParallel();
  drawCurves();
  drawSlices();
  showSelection();
}

for (const button of document.querySelectorAll("#history-axis button")) {
  button.addEventListener("click", () => {
    historyBy = button.value;
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
    drawHistory();
    showSelection();
  });
}

if (data.trials.length) {
  let width = 0;
  new ResizeObserver(([entry]) => {
    if (Math.round(entry.contentRect.width) === width) return;
    width = Math.round(entry.contentRect.width);
    requestAnimationFrame(draw);
  }).observe(document.querySelector("main"));
}
