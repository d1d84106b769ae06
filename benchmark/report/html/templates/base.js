"use strict";
// What all scripts of the page share: its data, elements, the theme, tooltips, and the list of sections.
const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);

/** Make an element; attributes that are functions listen, texts are never markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Tenths of a percent as text; a dash for none. */
const showTenths = (value) => (value === null ? "-" : (value / 10).toFixed(1));

/** A difference of tenths with its sign. */
const showDifference = (value) => (value === null ? "-" : (value > 0 ? "+" : "") + (value / 10).toFixed(1));

const subtract = (a, b) => (a === null || b === null ? null : a - b);

/** Fill the choices of a group, A and B, and call `draw` with the group and both positions when they change. */
function connectSides(prefix, draw) {
  const [group, a, b] = ["group", "a", "b"].map((name) => find(`${prefix}-${name}`));
  data.groups.forEach((one, at) => one.rows.length && group.append(new Option(one.name, at)));
  const read = () => draw(data.groups[group.value], Number(a.value), Number(b.value));
  const fill = () => {
    const known = data.groups[group.value];
    const labels = known.rows.map((row) => data.rows[row].label);
    for (const select of [a, b]) select.replaceChildren(...labels.map((label, at) => new Option(label, at)));
    const base = Math.max(0, labels.indexOf(known.baseline));
    b.value = base;
    a.value = labels.length > 1 ? (base === 0 ? 1 : 0) : 0;
    read();
  };
  group.addEventListener("change", fill);
  for (const select of [a, b]) select.addEventListener("change", read);
  if (group.options.length) fill();
  return read;
}

document.documentElement.classList.add("has-script");
if (data.groups.length === 1) document.documentElement.classList.add("single");

const THEMES = ["system", "light", "dark"];
find("theme").addEventListener("click", (event) => {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme || "system") + 1) % THEMES.length];
  document.documentElement.dataset.theme = next;
  event.currentTarget.textContent = `Theme: ${next}`;
});

for (const section of document.querySelectorAll("main > section")) {
  const link = make("a", { href: `#${section.id}` }, section.querySelector("h2").textContent);
  find("contents").append(make("li", {}, link));
}

/** Show the text of the element that `data-tip` names beside an element, while it has the pointer or the focus. */
function showTip(event) {
  const source = event.target.closest?.("[data-tip]");
  const tip = find("tip");
  tip.hidden = !source;
  if (!source) return;
  tip.textContent = find(source.dataset.tip)?.textContent ?? "";
  const box = source.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(box.left, innerWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = box.bottom + tip.offsetHeight + 8 < innerHeight ? `${box.bottom + 6}px` : `${box.top - tip.offsetHeight - 6}px`;
}
for (const name of ["mouseover", "focusin"]) document.addEventListener(name, showTip);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") find("tip").hidden = true;
});
addEventListener("scroll", () => (find("tip").hidden = true), { passive: true });
