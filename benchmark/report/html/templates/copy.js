// The table as Markdown and LaTeX: the shown rows and columns in their order, with the warnings that concern them.

/** Header, lines and notes of the shown table in a format of the page's data, and whether each column is text. */
function readTable(texts) {
  const columns = listShownColumns();
  const rows = [...body.rows].filter((row) => !row.hidden).map((row) => Number(row.dataset.row));
  const isShown = ([row, column]) => rows.includes(row) && columns.includes(column);
  return {
    isText: columns.map((at) => headers[at].classList.contains("t")),
    lines: [texts.header, ...rows.map((row) => texts.rows[row])].map((cells) => columns.map((at) => cells[at])),
    notes: texts.notes.filter((_, at) => data.copied.noteCells[at]?.some(isShown) ?? true),
  };
}

function formatMarkdown() {
  const { isText, lines, notes } = readTable(data.copied.markdown);
  const rule = isText.map((text) => (text ? ":--" : "--:"));
  const table = [lines[0], rule, ...lines.slice(1)].map((cells) => `| ${cells.join(" | ")} |`);
  return [...table, ...(notes.length ? ["", ...notes] : []), ""].join("\n");
}

/** Comment and definition for the characters of a text that pdfLaTeX does not know; none if there are none. */
function defineCharacters(text) {
  const { characterCommand: command, characterDefinition: definition } = data.copied;
  const codes = text.split(`${command}{`).slice(1).map((rest) => parseInt(rest));
  const names = [...new Set(codes)].map((code) => String.fromCodePoint(code)).join(" ");
  return names ? [`% pdfLaTeX prints ${names} as code points; LuaLaTeX and XeLaTeX need a font that has them`, definition] : [];
}

function formatLatex() {
  const { isText, lines, notes } = readTable(data.copied.latex);
  const [head, ...rows] = lines.map((cells) => `  ${cells.join(" & ")} \\\\`);
  const columns = isText.map((text) => (text ? "l" : "r")).join("");
  const below = notes.length ? ["{\\par\\medskip\\footnotesize\\raggedright", notes.join(" \\\\\n"), "\\par}"] : [];
  const packages = rows.some((row) => row.includes("$\\checkmark$")) ? "booktabs,amssymb" : "booktabs";
  return [`% needs \\usepackage{${packages}}`, ...defineCharacters([head, ...rows, ...below].join()),
    `\\begin{tabular}{${columns}}`, "  \\toprule", head, "  \\midrule", ...rows,
    "  \\bottomrule", "\\end{tabular}", ...below, ""].join("\n");
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
