// Colours, axes and parts that all views share, and the files that they save.

// ---------------------------------------------------------------- colours

const LIGHT = {
  ink: "#16202a",
  soft: "#51606e",
  line: "#dfe5ea",
  rule: "#b9c4cd",
  card: "#ffffff",
  normal: "#16837a",
};
const DARK = {
  ink: "#e8edf1",
  soft: "#a3b1bd",
  line: "#2c3741",
  rule: "#4a5864",
  card: "#182027",
  normal: "#5cc7bb",
};
function channels(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}
function luminance(rgb) {
  const [r, g, b] = rgb.map((c) =>
    c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
// On a dark ground the dark shades of an arm are brought up until they can be seen.
function onGround(hex, dark) {
  let rgb = channels(hex);
  for (let i = 0; dark && i < 20 && (luminance(rgb) + 0.05) / 0.0615 < 4; i++)
    rgb = rgb.map((c) => c + (255 - c) * 0.1);
  return `#${rgb.map((c) => Math.round(c).toString(16).padStart(2, "0")).join("")}`;
}
function choosePalette() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  palette = { ...(dark ? DARK : LIGHT), dark };
}
function colourOf(cohort, arm, paint = palette) {
  return arm < 0 ? paint.ink : onGround(cohort.arms[arm].colour, paint.dark);
}

// ---------------------------------------------------------------- axes

function ticks(low, high, most = 6) {
  const raw = (high - low) / most,
    power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= raw);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k++) found.push(k * step);
  return found.map((value) => Number(value.toPrecision(10)));
}
// One axis for all cohorts. Estimates are always inside; a huge interval is cut, with an arrow.
function domainOf(rows) {
  const seen = rows.filter(known);
  const largest = Math.max(0.5, ...seen.map((row) => Math.abs(row.value)));
  const low = Math.min(0, ...seen.map((row) => Math.max(row.low, -2.2 * largest)));
  const high = Math.max(0, ...seen.map((row) => Math.min(row.high, 2.2 * largest)));
  const room = 0.06 * Math.max(high - low, 0.5);
  return [Math.min(low - room, -0.25), Math.max(high + room, 0.25)];
}
const placeOn =
  ([low, high]) =>
  (value) =>
    (100 * (value - low)) / (high - low);

function barOf(row, domain, colour, filled) {
  const at = placeOn(domain),
    y = 14;
  const picture = svg("svg", { height: 28, "aria-hidden": "true" });
  if (!known(row)) return picture;
  const low = Math.max(row.low, domain[0]),
    high = Math.min(row.high, domain[1]);
  picture.append(
    svg("line", {
      x1: `${at(low)}%`,
      x2: `${at(high)}%`,
      y1: y,
      y2: y,
      stroke: colour,
      "stroke-width": 2.2,
    }),
  );
  for (const [end, cut, turn] of [
    [low, row.low < domain[0], 1],
    [high, row.high > domain[1], -1],
  ]) {
    if (!cut) continue;
    const arrow = svg("svg", { x: `${at(end)}%`, y, overflow: "visible" });
    arrow.append(svg("path", { d: `M0 0L${7 * turn} -4V4Z`, fill: colour }));
    picture.append(arrow);
  }
  picture.append(
    svg("circle", {
      cx: `${at(row.value)}%`,
      cy: y,
      r: 4.6,
      fill: filled ? colour : palette.card,
      stroke: colour,
      "stroke-width": 2,
    }),
  );
  return picture;
}
// The lines of the axis are the ground of the column: one property, and not seven lines in each row.
function groundOf(domain, most = 6) {
  const at = placeOn(domain),
    lines = ticks(...domain, most);
  const line = (tick) =>
    `linear-gradient(var(${tick === 0 ? "--soft" : "--line"}) 0 0) ${at(tick).toFixed(3)}% 0 / 1px 100% no-repeat`;
  return lines
    .sort((a, b) => (b === 0) - (a === 0))
    .map(line)
    .join(", ");
}
function axisOf(domain, shares) {
  const at = placeOn(domain),
    picture = svg("svg", { height: 20, "aria-hidden": "true" });
  for (const tick of ticks(...domain, shares ? 4 : 6)) {
    picture.append(
      svg(
        "text",
        { x: `${at(tick)}%`, y: 14, "text-anchor": "middle", "font-size": 11.5, fill: palette.soft },
        shares ? percent(tick) : plain(String(tick)),
      ),
    );
  }
  return picture;
}

// ---------------------------------------------------------------- parts of pages

function tags(cohort) {
  return [
    cohort.simulated && el("span", { class: "tag" }, "SIMULATED"),
    cohort.other && el("span", { class: "tag" }, cohort.disease.toUpperCase()),
  ];
}
function about(cohort) {
  const parts = [
    cohort.title,
    cohort.other ? "" : cohort.disease,
    cohort.platform && `${cohort.assay}, ${cohort.platform}`,
    `${count(cohort.biopsies, "biopsy", "biopsies")} of ${count(cohort.people, "person", "people")}`,
  ];
  return parts.filter(Boolean).join(" · ");
}
function cardOf(cohort, ...content) {
  return el(
    "section",
    { class: "card", "aria-label": cohort.id },
    el("h2", {}, cohort.id, tags(cohort)),
    el("p", { class: "about" }, about(cohort)),
    cohort.aliased
      ? el(
          "p",
          { class: "why" },
          `Batch and what is compared cannot be told apart in ${count(cohort.aliased, "comparison")}; see comparisons.tsv.`,
        )
      : null,
    ...content,
  );
}
// What scrolls sideways must be within reach of the keyboard.
const scrolled = (label, ...content) =>
  el("div", { class: "scroll", role: "region", "aria-label": label, tabindex: 0 }, ...content);
const button = (text, act, attributes) => el("button", { type: "button", onclick: act, ...attributes }, text);
// The head of a view: its name, what it says, what stands below it, and its tools.
const viewHead = (title, lead, below, ...tools) =>
  el(
    "div",
    { class: "head" },
    el("div", {}, el("h1", {}, title), el("p", { class: "lead" }, lead), below),
    el("div", { class: "tools" }, tools),
  );
// A switch with its words.
const switchOf = (words, checked, act) =>
  el(
    "label",
    { class: "switch" },
    el("input", { type: "checkbox", role: "switch", checked, onchange: (event) => act(event.target.checked) }),
    words,
  );
// What stands out in a table of the index.
const marksNote = (between = "") =>
  `Bold: the interval of the difference from placebo excludes 0, or of NI where there is no placebo. ${between}${run.exploratory} exploratory: few patients or a wide interval.`;
// What an address says of the order of rows: by which column, and whether its largest comes first.
const orderOf = (sort) => ({ key: sort.replace(/^-/, ""), falling: sort.startsWith("-") });
// Compare two rows by a value; those without one stand last.
const byValue = (at, falling) => (a, b) => {
  const [p, q] = [at(a), at(b)];
  if (p === null || q === null) return (p === null) - (q === null);
  return (p < q ? -1 : p > q ? 1 : 0) * (falling ? -1 : 1);
};
// The title of a column by which its table can be ordered; the order it has now is told by `order`.
const sortTitle = (holder, order, act, id, text, right, rest = null) =>
  th(
    {
      class: right ? "r" : null,
      "aria-sort": order.key === id ? (order.falling ? "descending" : "ascending") : null,
    },
    button(
      text + (order.key === id ? (order.falling ? " ↓" : " ↑") : ""),
      () => {
        act();
        holder.querySelector(`[data-by="${id}"]`).focus();
      },
      { "data-by": id },
    ),
    rest,
  );
function swap(...content) {
  $("main").replaceChildren(...content);
}
function say(text) {
  $("status").textContent = text;
}
const scoreLink = (name) => `#score=${encodeURIComponent(name)}`;
const geneLink = (name) => `#gene=${encodeURIComponent(name)}`;
function setAddress(changes) {
  const parts = new URLSearchParams(location.hash.slice(1));
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "" || value === false) parts.delete(key);
    else parts.set(key, value === true ? "1" : value);
  }
  history.replaceState(null, "", `#${write(parts)}`);
}
const write = (parts) =>
  [...parts].map(([k, v]) => (v === "" ? k : `${k}=${encodeURIComponent(v)}`)).join("&");

// ---------------------------------------------------------------- files

function save(name, type, text) {
  const link = el("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
const fileName = (...parts) => parts.join("_").replace(/[^\w.-]+/g, "-");
function csvOf(columns, rows) {
  const cell = (value) => {
    if (typeof value === "number") return Number.isNaN(value) ? "NA" : String(Number(value.toFixed(6)));
    const text = value === null || value === undefined ? "NA" : String(value);
    // A spreadsheet takes a text that opens like this for a formula.
    const tame = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(tame) ? `"${tame.replaceAll('"', '""')}"` : tame;
  };
  return [columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}
function saveSvg(name, width, height, content, about_) {
  const picture = svg(
    "svg",
    {
      xmlns: SVG,
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      "font-family": "system-ui, 'DejaVu Sans', Arial, sans-serif",
      role: "img",
    },
    svg("title", {}, about_),
    svg("rect", { width, height, fill: "#ffffff" }),
    ...content,
  );
  save(
    name,
    "image/svg+xml",
    `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(picture)}\n`,
  );
}
const word = (x, y, text, attributes) =>
  svg("text", { x, y, "font-size": 12, fill: LIGHT.ink, ...attributes }, text);
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
// A picture leaves the page without its banner: each cohort says what it is.
const fullName = (cohort) =>
  `${cohort.id}${cohort.simulated ? " (SIMULATED)" : ""}${cohort.other ? ` (${cohort.disease})` : ""}`;
const allSimulated = () => run.cohorts.every((cohort) => cohort.simulated);
const simulated = () => run.cohorts.some((cohort) => cohort.simulated);
const small = () => `${simulated() ? "SIMULATED cohorts are marked. " : ""}${NOTICE}`;
