// The table as Markdown and LaTeX: the shown rows and columns, in their order.
const LATEX = {
  "\\": "\\textbackslash{}", "&": "\\&", "%": "\\%", $: "\\$", "#": "\\#", _: "\\_", "{": "\\{", "}": "\\}",
  "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "|": "\\textbar{}", "'": "\\textquotesingle{}",
  "`": "\\textasciigrave{}", '"': "{\\ttfamily\\char34}", "*": "{*}", "[": "{[}", "]": "{]}", "<": "$<$", ">": "$>$",
  "±": "$\\pm$", "−": "$-$", "Δ": "$\\Delta$", "≥": "$\\geq$", "…": "\\ldots{}", "†": "\\textdagger{}",
  "‡": "\\textdaggerdbl{}",
};
/** Letters of other scripts, which pdfLaTeX cannot print, get their code points. */
const escapeOther = (character) => `\\texttt{U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}}`;
const isLatin = (character) => character.codePointAt(0) < 0x180 || "–—‘’“”".includes(character);
const escapeLatex = (text) =>
  [...text].map((one) => LATEX[one] ?? (isLatin(one) ? one : escapeOther(one))).join("");
const escapeMarkdown = (text) => text.replace(/[\\`*_{}[\]<>|#~$&]/g, "\\$&");
const OTHER_CLASS = "‡";
const readText = (node) => node.textContent.replace(/\s+/g, " ").trim();

/** Parts of a cell; of its marks, the one that a difference across protocol classes never stands without. */
function readCell(cell, isText) {
  const copy = cell.cloneNode(true);
  const take = (name) => [...copy.querySelectorAll(name)].map((part) => (part.remove(), readText(part)));
  const marks = take("sup").filter((mark) => mark === OTHER_CLASS);
  const spread = take("small").join(" ");
  const [text, range] = [readText(copy), spread].map((part) => (isText ? part : part.replace(/-(?=\d)/g, "−")));
  return { text, spread: range, marks, isBest: !!cell.querySelector("strong"), isItalic: !!cell.querySelector("em") };
}

/** Header and shown rows of the table in one syntax, whether each column is text, and the notes that always stay. */
function readTable(syntax) {
  const shown = listShownColumns();
  const isText = shown.map((at) => headers[at].classList.contains("t"));
  const write = ({ text, spread, marks, isBest, isItalic }) => {
    const inner = isBest ? syntax.bold(syntax.escape(text)) : syntax.escape(text);
    const marked = (isItalic ? syntax.italic(inner) : inner) + marks.map((mark) => syntax.raise(syntax.escape(mark))).join("");
    return spread ? `${marked} ${syntax.small(syntax.escape(spread))}` : marked;
  };
  const rows = [...body.rows].filter((row) => !row.hidden).map((row) => [...row.cells]);
  const lines = [headers, ...rows].map((cells) => shown.map((at, index) => write(readCell(cells[at], isText[index]))));
  const notes = [...document.querySelectorAll("#table .notes li.warn")].map((note) => {
    const mark = note.querySelector("b");
    const text = syntax.escape(readText(note).slice(mark ? readText(mark).length : 0).trim());
    return mark ? `${syntax.raise(syntax.escape(readText(mark)))} ${text}` : text;
  });
  return { isText, lines, notes };
}

function formatMarkdown() {
  const { isText, lines, notes } = readTable({
    escape: (text) => escapeMarkdown(text.replaceAll("−", "-")), bold: (text) => `**${text}**`,
    italic: (text) => `*${text}*`, raise: (text) => `<sup>${text}</sup>`, small: (text) => text,
  });
  const rule = isText.map((text) => (text ? ":--" : "--:"));
  const table = [lines[0], rule, ...lines.slice(1)].map((cells) => `| ${cells.join(" | ")} |`);
  return [...table, ...(notes.length ? [""] : []), ...notes.map((note) => `- ${note}`), ""].join("\n");
}

function formatLatex() {
  const { isText, lines, notes } = readTable({
    escape: escapeLatex, bold: (text) => `\\textbf{${text}}`, italic: (text) => `\\textit{${text}}`,
    raise: (text) => `\\textsuperscript{${text}}`, small: (text) => `{\\scriptsize ${text}}`,
  });
  const [head, ...rows] = lines.map((cells) => `  ${cells.join(" & ")} \\\\`);
  const columns = isText.map((text) => (text ? "l" : "r")).join("");
  return ["% needs \\usepackage{booktabs,textcomp}", `\\begin{tabular}{${columns}}`, "  \\toprule", head, "  \\midrule",
    ...rows, "  \\bottomrule", "\\end{tabular}", ...notes.map((note) => `\n{\\footnotesize ${note}\\par}`), ""].join("\n");
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
