// The table of trials: a heading sorts by its column, again turns the order round; cells without a value stay last.
for (const heading of document.querySelectorAll("#trials thead th")) {
  heading.querySelector("button").addEventListener("click", () => {
    const column = heading.cellIndex;
    const ascending = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const body = document.querySelector("#trials tbody");
    const key = (row) => {
      const cell = row.cells[column];
      return cell.dataset.key === undefined ? cell.textContent : Number(cell.dataset.key);
    };
    const last = (value) => value === "–";
    const order = (a, b) => (typeof a === typeof b && typeof a === "number" ? a - b : String(a).localeCompare(String(b)));
    const rows = [...body.rows].toSorted((one, other) => {
      const [a, b] = [key(one), key(other)];
      return last(a) || last(b) ? last(a) - last(b) : (ascending ? 1 : -1) * order(a, b);
    });
    body.replaceChildren(...rows);
  });
}
