// What the packed tables hold: unpacking, numbers as text, and what they say of a gene. The files beside
// this one follow it in one function (page.js is the last); texts of the tables are set as text, never as HTML.

const FEWEST = 6,
  MISSING = -32768,
  UNKNOWN = 65535,
  NO_SHARE = -2147483648,
  NBSP = "\u00a0";
const SVG = "http://www.w3.org/2000/svg";
const NOTICE = "Group means of gene expression in biopsies: not treatment advice, and not how patients feel.";
const GROUPS = {
  disease: ["Lesional skin before treatment", "difference to nonlesional or healthy skin"],
  change: ["Change under treatment", "lesional skin, visit − baseline"],
  difference: ["Minus placebo", "change in the arm − change on placebo"],
};
// What the classes of gene_index.tsv say of the interval: "108 % partial" would read as an error.
const CLASSES = {
  reversed: `interval above 75${NBSP}%`,
  partial: `interval above 0 and includes 75${NBSP}%`,
  residual: `interval below 75${NBSP}%`,
  worsened: "interval below 0",
};
const WHY_NOT = {
  "disease effect too small against its standard error": "baseline difference too small",
  "interval includes 0 and 75 %: inconclusive": `inconclusive: includes 0 and 75${NBSP}%`,
};
const $ = (id) => document.getElementById(id);
let run, genesAt, otherNames, lower, sets, palette;

// ---------------------------------------------------------------- elements

function node(space, tag, attributes, children) {
  const made = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) made.style.setProperty(key, value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false)
      made.append(child.nodeType ? child : String(child));
  }
  return made;
}
const el = (tag, attributes, ...children) => node(null, tag, attributes, children);
const svg = (tag, attributes, ...children) => node(SVG, tag, attributes, children);
const sr = (text) => el("span", { class: "sr" }, text);
// Tables that become lists on a narrow screen keep being tables for a screen reader.
const table = (attributes, ...rows) => el("table", { role: "table", ...attributes }, ...rows);
const tr = (attributes, ...cells) => el("tr", { role: "row", ...attributes }, ...cells);
const td = (attributes, ...content) => el("td", { role: "cell", ...attributes }, ...content);
const th = (attributes, ...content) =>
  el("th", { role: "columnheader", scope: "col", ...attributes }, ...content);
const rowhead = (attributes, ...content) =>
  el("th", { role: "rowheader", scope: "row", ...attributes }, ...content);
const body = (...rows) => el("tbody", { role: "rowgroup" }, ...rows);
const head = (...cells) => el("thead", { role: "rowgroup" }, tr({}, ...cells));

// ---------------------------------------------------------------- numbers

const plain = (text) => text.replace("-", "−");
// What is not nothing is never written as 0: an end of an interval shows on which side it lies.
function digits(value, sign) {
  let text = Math.abs(value).toFixed(2);
  if (Number(text) === 0) text = Math.abs(value).toFixed(3);
  if (Number(text) === 0) return "0.00";
  return (value < 0 ? "−" : sign ? "+" : "") + text;
}
const interval = (value, low, high) => `${digits(value, true)} (${digits(low)} to ${digits(high)})`;
function percent(share) {
  const whole = Math.round(100 * share) + 0;
  return plain(String(whole || Number((100 * share).toPrecision(1)) + 0));
}
function percents(value, low, high) {
  if (low === null || low === undefined || Number.isNaN(low)) return `${percent(value)}${NBSP}%`;
  return `${percent(value)}${NBSP}% (${percent(low)} to ${percent(high)})`;
}
// A difference of two shares is not a share of anything.
function pointed(value, low, high) {
  const range =
    low === null || low === undefined || Number.isNaN(low) ? "" : ` (${percent(low)} to ${percent(high)})`;
  return `${percent(value)}${NBSP}points${range}`;
}
// 100 % is another level in cohorts with another reference.
function scaleOf(referenceOf) {
  const cohorts = run.cohorts.filter(referenceOf),
    levels = [...new Set(cohorts.map(referenceOf))];
  if (!levels.length) return "";
  const others = levels
    .slice(1)
    .map((name) => `${name} skin in ${cohorts.filter((c) => referenceOf(c) === name).map((c) => c.id).join(", ")}`);
  return `0 % = as before treatment, 100 % = at the level of ${levels[0]} skin${others.length ? ` (${others.join("; ")})` : ""}.`;
}
function scales() {
  // A cohort without a number has no level of its own to explain.
  const numbered = (cohort) => cohort.index.columns.ni.some((value) => value !== null);
  const ni = scaleOf((cohort) => numbered(cohort) && cohort.index.reference);
  if (!run.cohorts.some((cohort) => cohort.placebo)) return ni && `NI: ${ni}`;
  return `${ni && `NI: ${ni} `}Minus placebo, in percentage points: 0 = as on placebo, 100 = more than on placebo by the whole disease effect.`;
}
function rate(value, least = 0.001) {
  if (value === null || Number.isNaN(value)) return "";
  if (value < least) return `< ${least}`;
  const text = value < 0.1 ? String(Number(value.toPrecision(2))) : value.toFixed(2);
  // Rounding must not carry a rate over the limit that is marked.
  return value < run.fdr && Number(text) >= run.fdr ? String(value) : text;
}
function decodeRate(code) {
  if (code === UNKNOWN) return NaN;
  if (code === 0) return 0;
  const decade = Math.floor((code - 1) / 900) - 3;
  return Number(`${((code - 1) % 900) + 100}e${decade - 2}`);
}
const count = (number, one, many) =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many || one + "s"}`;
const level = (share) => `${Number((100 * share).toPrecision(6))} %`;
const groups = (n) => (n.length === 2 ? `n = ${n[0]} and ${n[1]}` : `n = ${n[0]}`);
const shown = (week) => (week === null ? "" : `week ${week}`);

// ---------------------------------------------------------------- unpacking

function letters(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text),
    bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
async function unpack(text) {
  const stream = new Blob([letters(text)]).stream();
  const inflated = stream.pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(inflated).arrayBuffer());
}
function arrays(bytes, layout) {
  const found = {};
  let at = 0;
  for (const [name, kind, length] of layout) {
    if (kind === "u1") found[name] = bytes.subarray(at, at + length);
    else {
      const values = new { i2: Int16Array, u2: Uint16Array, i4: Int32Array }[kind](length);
      // First all lowest bytes, the highest ones last.
      for (let byte = 0; byte < Number(kind[1]); byte++)
        for (let i = 0, from = at + byte * length; i < length; i++)
          values[i] |= bytes[from + i] << (8 * byte);
      found[name] = values;
    }
    at += length * Number(kind[1]);
  }
  return found;
}
const thousandth = (code) => (code === MISSING ? NaN : code / 1000);
const millionth = (code) => (code === NO_SHARE ? NaN : code / 1e6);

async function open() {
  run = JSON.parse(new TextDecoder().decode(await unpack($("core").textContent)));
  genesAt = new Map(run.genes.map((gene, i) => [gene, i]));
  lower = run.genes.map(squeeze);
  // Older symbols and usual names; a symbol of today comes first.
  otherNames = [
    ...run.aliases.map(([name, gene]) => ({ name, gene, what: "an older symbol", short: "was" })),
    ...run.names.map(([name, gene]) => ({ name, gene, what: "a usual name", short: "also" })),
  ].map((other) => ({ ...other, key: squeeze(other.name) }));
  sets = new Map(run.scores.map((score) => [score.name, score]));
  for (const cohort of run.cohorts) {
    cohort.at = new Map(cohort.genes.map((gene, i) => [gene, i]));
    cohort.below = new Set(cohort.undetected);
    cohort.sampled = new Map(cohort.samples.genes.map((gene, i) => [gene, i]));
    cohort.pieces = new Map();
    cohort.shownAs = new Map(cohort.index.words.map((word, i) => [word, i]));
  }
  membership();
}
async function openTables() {
  for (const [i, cohort] of run.cohorts.entries()) {
    Object.assign(cohort, arrays(await unpack($(`effects-${i}`).textContent), cohort.layout));
    cohort.packed = $(`samples-${i}`).textContent;
  }
}
let memberOf;
function membership() {
  memberOf = new Map();
  for (const score of run.scores)
    for (const [gene, sign] of score.genes) {
      if (!memberOf.has(gene)) memberOf.set(gene, []);
      memberOf.get(gene).push([score, sign]);
    }
}

// ---------------------------------------------------------------- what the tables say of a gene

// IL-31, il 31 and IL31 are the same to a reader; so are α and a.
const GREEK = { Α: "A", Β: "B", Γ: "G", Κ: "K" };
function squeeze(text) {
  const upper = text.trim().toUpperCase();
  // Of signs alone nothing would be left.
  return upper.replace(/[-‐‑–\s]/g, "").replace(/[ΑΒΓΚ]/g, (letter) => GREEK[letter]) || upper;
}
function find(text) {
  const asked = text.trim(),
    key = squeeze(text);
  if (genesAt.has(asked)) return { gene: genesAt.get(asked) };
  const same = [run.genes.findIndex((gene) => gene.toUpperCase() === asked.toUpperCase()), lower.indexOf(key)];
  const gene = same.find((at) => at >= 0);
  if (key && gene !== undefined) return { gene };
  const other = otherNames.find((one) => key && one.key === key);
  return other ? { gene: other.gene, alias: other.name, what: other.what } : null;
}
function missing(cohort, gene) {
  const name = run.genes[gene];
  if (cohort.below.has(gene))
    return `${name} was measured and lies below the expression filter${cohort.filter ? ` (${cohort.filter})` : ""}.`;
  if (!cohort.at.has(gene)) {
    const platform = cohort.platform ? ` (${cohort.platform})` : "";
    return `${name} is ${cohort.absent}${platform}.`;
  }
  if (!cohort.rows.length)
    return `No comparison: ${[...new Set(refusals(cohort).map(([, why]) => why))].join("; ")}.`;
  return "";
}
// Where nothing was treated, that there is no placebo goes without saying.
const refusals = (cohort) =>
  Object.entries(cohort.refused).filter(([group]) => group !== "difference" || !cohort.refused.change);
function geneIndex(cohort, place, arm, week) {
  const { visits, classes } = cohort.gene_index,
    size = cohort.genes.length;
  const visit = visits.findIndex(([a, w]) => a === arm && w === week);
  if (visit < 0) return null;
  const at = visit * size + place;
  const [name, ...why] = (classes[cohort.class[at]] || "").split(": ");
  return {
    class: name,
    why: why.join(": "),
    words: CLASSES[name] || WHY_NOT[why.join(": ")] || why.join(": ") || name,
    ni: millionth(cohort.gene_ni[at]),
    low: millionth(cohort.gene_lower[at]),
    high: millionth(cohort.gene_upper[at]),
  };
}
function effectsOf(cohort, gene) {
  const place = cohort.at.get(gene),
    size = cohort.genes.length;
  if (place === undefined) return [];
  return cohort.rows.map(([group, label, arm, week, n], i) => {
    const at = i * size + place;
    const value = thousandth(cohort.estimate[at]),
      half = thousandth(cohort.half[at]);
    return {
      group,
      label,
      arm,
      week,
      n,
      value,
      low: value - half,
      high: value + half,
      fdr: decodeRate(cohort.fdr[at]),
      few: Math.min(...n) < FEWEST,
      index: group === "change" ? geneIndex(cohort, place, arm, week) : null,
    };
  });
}
const known = (row) => !Number.isNaN(row.value);
const marked = (row) => row.fdr < run.fdr;
