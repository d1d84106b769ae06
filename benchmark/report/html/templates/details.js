// The panel of a row: what it is, the command that makes it, and its runs.
const panel = find("panel");

function makeCommand(title, text) {
  return text ? [make("h3", {}, title), make("pre", { class: "command", tabindex: "0" }, text)] : [];
}

function makeRuns(runs) {
  const head = make("tr", {}, ...data.runFields.map((name) => make("th", { scope: "col" }, name)));
  const lines = runs.map((run) => make("tr", {}, ...run.map((value) => make("td", {}, String(value)))));
  const caption = make("caption", {}, `${runs.length} planned run${runs.length === 1 ? "" : "s"}`);
  const runTable = make("table", { class: "plain" }, caption, make("thead", {}, head), make("tbody", {}, ...lines));
  return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Runs of the row" }, runTable);
}

/** Open the panel of a row. */
function openRow(index) {
  const row = data.rows[index];
  const facts = Object.entries(row.facts).flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]);
  panel.replaceChildren(
    make("button", { type: "button", class: "close", click: () => panel.close() }, "Close"),
    make("h2", { id: "panel-title" }, row.label),
    make("dl", {}, ...facts),
    ...(row.problems.length ? [make("ul", { class: "problems" }, ...row.problems.map((text) => make("li", {}, text)))] : []),
    makeRuns(row.runs),
    ...makeCommand("Command that makes these runs", row.command),
    ...makeCommand("Whether a result repeats bit for bit is checked by", row.check),
  );
  panel.showModal();
  panel.scrollTop = 0;
}

body.addEventListener("click", (event) => {
  const row = event.target.closest("tr");
  if (row && !event.target.closest("a")) openRow(Number(row.dataset.row));
});
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}
