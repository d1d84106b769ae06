// The table as Markdown and LaTeX: the shown rows and columns, in their order.
const LATEX = {
  "\\": "\\textbackslash{}", "&": "\\&", "%": "\\%", $: "\\$", "#": "\\#", _: "\\_", "{": "\\{", "}": "\\}",
  "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "$<$", ">": "$>$", "±": "$\\pm$", "−": "$-$",
  "Δ": "$\\Delta$", "≥": "$\\geq$", "…": "\\ldots{}",
};
const escapeLatex = (text) => text.replace(/[\\&%$#_{}~^<>±−Δ≥…]/g, (character) => LATEX[character]);
const escapeMarkdown = (text) => text.replace(/[\\`*_{}[\]<>|#~$&]/g, "\\$&");

/** Text of a cell without the letters of its notes. */
function readCell(cell) {
  const copy = cell.cloneNode(true);
  for (const mark of copy.querySelectorAll("sup")) mark.remove();
  return copy.textContent.replace(/\s+/g, " ").trim();
}

/** Header and shown rows of the table, and whether each column is text. */
function readTable(escape, markBest) {
  const shown = listShownColumns();
  const rows = [...body.rows].filter((row) => !row.hidden);
  const read = (cell) => (cell.querySelector("strong") ? markBest : (text) => text)(escape(readCell(cell)));
  return {
    isText: shown.map((at) => headers[at].classList.contains("t")),
    lines: [headers, ...rows.map((row) => [...row.cells])].map((cells) => shown.map((at) => read(cells[at]))),
  };
}

function formatMarkdown() {
  const { isText, lines } = readTable(escapeMarkdown, (text) => `**${text}**`);
  const rule = isText.map((text) => (text ? ":--" : "--:"));
  return [lines[0], rule, ...lines.slice(1)].map((cells) => `| ${cells.join(" | ")} |`).join("\n") + "\n";
}

function formatLatex() {
  const { isText, lines } = readTable(escapeLatex, (text) => `\\textbf{${text}}`);
  const [head, ...rows] = lines.map((cells) => `  ${cells.join(" & ")} \\\\`);
  const columns = isText.map((text) => (text ? "l" : "r")).join("");
  return ["% needs \\usepackage{booktabs}", `\\begin{tabular}{${columns}}`, "  \\toprule", head, "  \\midrule", ...rows,
    "  \\bottomrule", "\\end{tabular}", ""].join("\n");
}

/** Copy a text if the browser lets us, and show it in any case. */
function copyText(title, text) {
  const area = make("textarea", { readonly: "", "aria-label": title, spellcheck: "false" });
  area.value = text;
  const state = make("p", { role: "status" }, "Select the text and copy it.");
  const close = make("button", { type: "button", class: "close", click: () => find("copied").close() }, "Close");
  find("copied").replaceChildren(close, make("h2", { id: "copied-title" }, title), state, area);
  find("copied").showModal();
  area.select();
  navigator.clipboard?.writeText(text).then(() => (state.textContent = "Copied to the clipboard."), () => {});
}
find("copy-markdown").addEventListener("click", () => copyText("Table as Markdown", formatMarkdown()));
find("copy-latex").addEventListener("click", () => copyText("Table as LaTeX", formatLatex()));
