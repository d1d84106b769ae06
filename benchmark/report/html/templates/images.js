// The browser of images: a list in the order of the difference A - B, and the chosen image beside it.
const MOST_LISTED = 400;
const list = find("image-list");
let sides = null;

function fillImageClasses(group) {
  const select = find("image-class");
  if (select.dataset.group === group.name) return;
  select.dataset.group = group.name;
  select.replaceChildren(new Option("any", ""), ...group.classes.map((name, at) => new Option(name, at)));
}

/** Images of the group that the filters let through, the largest difference first. */
function listImages({ group, a, b }) {
  const wanted = find("image-class").value;
  const isEmbedded = find("image-embedded")?.checked && group === data.groups[0];
  return group.images
    .map((id, at) => ({ id, at, a: group.image_scores[a][at], b: group.image_scores[b][at] }))
    .map((image) => ({ ...image, difference: subtract(image.a, image.b) }))
    .filter((image) => image.difference !== null)
    .filter((image) => wanted === "" || group.image_classes[image.at].includes(Number(wanted)))
    .filter((image) => !isEmbedded || data.embedded[image.id])
    .sort((one, other) => other.difference - one.difference);
}

function drawImages() {
  const images = listImages(sides);
  const half = MOST_LISTED / 2;
  const listed = images.length > MOST_LISTED ? [...images.slice(0, half), ...images.slice(-half)] : images;
  list.replaceChildren(
    ...listed.map((image, at) => {
      const entry = make("li", { role: "option", id: `image-${at}`, "aria-selected": "false" }, make("span", {}, image.id),
        make("b", {}, showDifference(image.difference)));
      entry.addEventListener("click", () => choose(at));
      entry.image = image;
      return entry;
    }),
  );
  const rest = listed.length < images.length ? `; the list has the ${half} at either end` : "";
  const held = sides.group.images.length < sides.group.num_images ? `, of ${sides.group.num_images} those on which rows differ most` : "";
  find("image-count").textContent = `${images.length} of ${sides.group.images.length} images${held}${rest}`;
  find("image-view").replaceChildren();
  list.removeAttribute("aria-activedescendant");
  if (listed.length) choose(0);
}

function makeFigure(source, text) {
  return make("figure", {}, make("img", { src: source, alt: text }), make("figcaption", {}, text));
}

/** Choose an image of the list by its position. */
function choose(at) {
  const entry = list.children[at];
  for (const one of list.querySelectorAll("[aria-selected=true]")) one.setAttribute("aria-selected", "false");
  entry.setAttribute("aria-selected", "true");
  list.setAttribute("aria-activedescendant", entry.id);
  const [top, bottom] = [entry.offsetTop - list.offsetTop, entry.offsetTop - list.offsetTop + entry.offsetHeight];
  if (top < list.scrollTop) list.scrollTop = top;
  if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  showImage(entry.image);
}

function showImage(image) {
  const { group, a, b } = sides;
  const labels = [a, b].map((row) => data.rows[group.rows[row]].label);
  const names = group.image_classes[image.at].map((index) => group.classes[index]).join(", ");
  const shown_image = group === data.groups[0] ? data.embedded[image.id] : undefined;
  const shown = [];
  if (shown_image) {
    shown.push(makeFigure(shown_image.image, `${image.id}: image`), makeFigure(shown_image.target, "target"));
    labels.forEach((label, at) => {
      const side = "AB"[at];
      if (shown_image.predictions[label]) shown.push(makeFigure(shown_image.predictions[label], `${side}: prediction of ${label}`));
      if (shown_image.errors[label]) shown.push(makeFigure(shown_image.errors[label], `${side}: errors of ${label}`));
    });
  }
  find("image-view").replaceChildren(
    make("h3", {}, image.id),
    make("dl", {}, make("dt", {}, `A: ${labels[0]}`), make("dd", {}, showTenths(image.a)),
      make("dt", {}, `B: ${labels[1]}`), make("dd", {}, showTenths(image.b)),
      make("dt", {}, "A − B"), make("dd", {}, showDifference(image.difference)),
      make("dt", {}, "Classes"), make("dd", {}, names)),
    make("div", { class: "embedded" }, ...shown),
  );
}

const IMAGE_KEYS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9 };
list.addEventListener("keydown", (event) => {
  if (!(event.key in IMAGE_KEYS) || !list.children.length) return;
  event.preventDefault();
  const now = [...list.children].findIndex((entry) => entry.getAttribute("aria-selected") === "true");
  choose(Math.max(0, Math.min(list.children.length - 1, now + IMAGE_KEYS[event.key])));
});

connectSides("image", (group, a, b) => {
  fillImageClasses(group);
  sides = { group, a, b };
  drawImages();
});
for (const id of ["image-class", "image-embedded"]) find(id)?.addEventListener("change", drawImages);
