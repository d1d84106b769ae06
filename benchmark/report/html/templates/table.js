// The table of results: sort, filter, choose columns.
const table = find("results");
const body = table.tBodies[0];
const studyOrder = [...body.rows];
const headers = [...table.tHead.rows[0].cells];

/** What a cell is sorted by: its unrounded number or its text; null for none. */
function readKey(cell, isText) {
  const text = cell.textContent.trim();
  if (isText) return text === "-" ? null : text;
  return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
}

/** Compare cells: numbers by size, others as texts; cells without a value come last in either direction. */
function compareCells(one, other, isText, sign) {
  const keys = [one, other].map((cell) => readKey(cell, isText));
  if (keys.includes(null)) return (keys[0] === null) - (keys[1] === null);
  return sign * (isText ? keys[0].localeCompare(keys[1]) : keys[0] - keys[1]);
}

/** Sort by a column: first in its usual direction, then the other way round, then as in the study. */
function sortBy(at) {
  const header = headers[at];
  const isText = header.classList.contains("t");
  const directions = isText ? ["ascending", "descending", "none"] : ["descending", "ascending", "none"];
  const next = directions[(directions.indexOf(header.ariaSort ?? "none") + 1) % 3];
  for (const one of headers) one.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", next);
  const rows = [...studyOrder];
  const sign = next === "ascending" ? 1 : -1;
  if (next !== "none") rows.sort((one, other) => compareCells(one.cells[at], other.cells[at], isText, sign));
  body.append(...rows);
}
headers.forEach((header, at) => header.querySelector("button").addEventListener("click", () => sortBy(at)));

/** Show the rows whose text has all words of the filter, and none of those behind a minus. */
function filterRows() {
  const words = find("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of studyOrder) {
    const text = row.textContent.toLowerCase();
    const fits = (word) => (word.length > 1 && word.startsWith("-") ? !text.includes(word.slice(1)) : text.includes(word));
    row.hidden = !words.every(fits);
    shown += !row.hidden;
  }
  find("shown").textContent = `${shown} of ${studyOrder.length} rows`;
}
find("filter").addEventListener("input", filterRows);
filterRows();

/** Indices of the columns that are shown. */
function listShownColumns() {
  const boxes = [...document.querySelectorAll("#columns input")];
  return [0, ...boxes.filter((box) => box.checked).map((box) => Number(box.value) - 1)];
}

find("columns").addEventListener("change", () => {
  const shown = listShownColumns();
  const hidden = headers.map((_, at) => at).filter((at) => !shown.includes(at));
  find("hidden-columns").textContent = hidden.map((at) => `#results tr>:nth-child(${at + 1}){display:none}`).join("");
});
