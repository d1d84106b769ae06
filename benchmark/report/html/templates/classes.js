// Two rows class by class: a line with both values, and their difference.
const ROLES = ["seen", "unseen"];

/** Classes in their roles with the values of both rows, those that neither has left out. */
function listClasses(group, a, b) {
  return group.classes.flatMap((name, at) =>
    ROLES.map((role, kind) => {
      const values = [a, b].map((row) => group.class_scores[row][kind][at]);
      return { name, at, role, a: values[0], b: values[1], difference: subtract(...values) };
    }).filter((one) => one.a !== null || one.b !== null),
  );
}

const CLASS_ORDERS = {
  difference: (one, other) => (other.difference ?? -1e9) - (one.difference ?? -1e9),
  name: (one, other) => one.name.localeCompare(other.name),
  split: (one, other) => one.at - other.at,
};

function makeTrack(one) {
  const track = make("span", { "aria-hidden": "true" });
  const both = one.a !== null && one.b !== null;
  if (both) track.append(make("i", { class: "bar", style: `left:${Math.min(one.a, one.b) / 10}%;width:${Math.abs(one.difference) / 10}%` }));
  for (const side of ["a", "b"]) {
    if (one[side] !== null) track.append(make("i", { class: side, style: `left:${one[side] / 10}%` }));
  }
  return make("td", { class: "track" }, track);
}

const drawClasses = connectSides("class", (group, a, b) => {
  const classes = listClasses(group, a, b).sort(CLASS_ORDERS[find("class-order").value]);
  const lines = classes.map((one) =>
    make("tr", {}, make("th", { scope: "row" }, one.name), make("td", { class: "t" }, one.role),
      make("td", {}, showTenths(one.a)), make("td", {}, showTenths(one.b)),
      make("td", {}, showDifference(one.difference)), makeTrack(one)),
  );
  const [first, second] = [a, b].map((row) => data.rows[group.rows[row]].label);
  find("dumbbells").caption.textContent = `IoU in percent, A: ${first}, B: ${second}; means over the runs, without intervals`;
  find("dumbbells").tBodies[0].replaceChildren(...lines);
});
find("class-order").addEventListener("change", drawClasses);
find("class-swap").addEventListener("click", () => {
  const [a, b] = [find("class-a"), find("class-b")];
  [a.value, b.value] = [b.value, a.value];
  drawClasses();
});
