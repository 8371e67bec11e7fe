// The start, the search, and the address of the page, which is its state: links and the back button find it.

// ---------------------------------------------------------------- start, search, addresses

function showStart() {
  document.title = "Explorer: and this gene?";
  swap(
    el(
      "div",
      { class: "start" },
      el("h1", {}, "And this gene?"),
      el(
        "p",
        { class: "lead" },
        "Type a gene, an older symbol or usual name of it, or a score: what lesional skin does, what each arm changes at each visit, and what is left of it when placebo is taken off.",
      ),
      el(
        "ul",
        { class: "chips", "aria-label": "Examples" },
        run.examples.map((gene) =>
          el(
            "li",
            {},
            button(gene, () => {
              location.hash = geneLink(gene);
            }),
          ),
        ),
      ),
    ),
    el(
      "div",
      { class: "cohorts" },
      el("h2", {}, `${count(run.cohorts.length, "cohort")} of this run`),
      el(
        "ul",
        {},
        run.cohorts.map((cohort) =>
          el(
            "li",
            {},
            el("b", {}, cohort.id),
            tags(cohort),
            el("br"),
            el("span", { class: "lead" }, about(cohort)),
          ),
        ),
      ),
    ),
  );
}
function footer() {
  const stopped = run.stopped.map(([cohort, stage, why]) =>
    el("p", {}, el("strong", {}, `${cohort} is not here: `), `it stopped at the stage ${stage}. ${why}`),
  );
  const kept = {
    none: "Values of single patients are not in this file.",
    numbered: "Values of single patients and samples are in this file under numbers, not under their ids.",
    named:
      "This file holds values of single patients under the ids of the sample sheet: pass it on with care.",
  };
  $("foot").replaceChildren(
    ...stopped,
    el("p", {}, el("strong", {}, "Not treatment advice. "), NOTICE),
    el(
      "p",
      {},
      `Intervals of genes: estimate ± t × standard error, with the degrees of freedom of the moderated t test that gives the p value. NI of a gene: its change over its disease effect, both without what a gene that was high by chance gives back, so that it is not the ratio of the rows above it. FDR: Benjamini and Hochberg, within a comparison. Effects are kept to two decimals, shares to millionths, sample values to 0.05 log2 or 1/255 of a gene's range. ${kept[run.patients]}`,
    ),
    el(
      "p",
      {},
      "The answers stand on ",
      el("a", { href: "index.html" }, "page one"),
      " beside this file, and in report.html. This page is one file and asks no network for anything. The tables behind it: effects/effects.tsv, index/gene_index.tsv, index/index.tsv, index/trajectories.tsv of each cohort.",
    ),
  );
  const odd = run.cohorts.filter((cohort) => cohort.simulated).length,
    banner = $("banner");
  banner.hidden = !odd;
  banner.textContent =
    odd === run.cohorts.length
      ? "SIMULATED: no patient stands behind these numbers"
      : `SIMULATED: ${odd} of ${run.cohorts.length} cohorts are simulated, and marked so`;
}
function candidates(text, most = 12) {
  const upper = squeeze(text);
  if (!upper) return [];
  const found = [],
    seen = new Set();
  const add = (gene, alias, rank) => {
    if (seen.has(gene)) return;
    seen.add(gene);
    found.push({ gene, alias, rank });
  };
  for (let i = 0; i < lower.length; i++) {
    const at = lower[i].indexOf(upper);
    if (at === 0) add(i, "", lower[i].length === upper.length ? 0 : 2);
  }
  for (const other of otherNames)
    if (other.key.startsWith(upper)) add(other.gene, other, other.key.length === upper.length ? 1 : 3);
  // Words in any order, each of which opens a word of the score.
  const words = wordsOf(text);
  for (const score of words.length ? run.scores : []) {
    const own = wordsOf(`${score.label} ${score.name}`);
    if (words.every((part) => own.some((one) => one.startsWith(part))))
      found.push({ score, rank: squeeze(score.label) === upper ? 0 : score.primary >= 0 ? 4 : 4.5 });
  }
  if (found.length < most)
    for (let i = 0; i < lower.length && found.length < 4 * most; i++)
      if (lower[i].includes(upper)) add(i, "", 5);
  const length = (option) =>
    option.gene === undefined ? option.score.label.length : lower[option.gene].length;
  return found.sort((a, b) => a.rank - b.rank || length(a) - length(b)).slice(0, most);
}
const wordsOf = (text) => text.toUpperCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean);
// Letters that are too many, missing or others.
function distance(a, b) {
  let last = [...Array(b.length + 1).keys()];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++)
      row.push(Math.min(row[j - 1] + 1, last[j] + 1, last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    last = row;
  }
  return last[b.length];
}
// What may have been meant by a name that nothing has.
function similar(text, most) {
  const found = candidates(text, most);
  if (found.length) return found;
  const key = squeeze(text),
    limit = key.length < 6 ? 1 : 2,
    words = wordsOf(text).filter((part) => part.length > 2);
  const far = (name) => (Math.abs(name.length - key.length) > limit ? Infinity : distance(key, name));
  const genes = new Map();
  const note = (gene, away) => {
    if (away <= limit) genes.set(gene, Math.min(away, genes.get(gene) ?? Infinity));
  };
  lower.forEach((name, gene) => note(gene, far(name)));
  for (const other of otherNames) note(other.gene, far(other.key));
  const scores = run.scores
    .map((score) => {
      const own = wordsOf(`${score.label} ${score.name}`);
      return { score, hits: words.filter((part) => own.some((one) => one.startsWith(part))).length };
    })
    .filter((option) => option.hits)
    .sort((a, b) => b.hits - a.hits);
  return [
    ...[...genes].sort((a, b) => a[1] - b[1]).map(([gene]) => ({ gene })),
    ...scores,
  ].slice(0, most);
}
let active = -1,
  options = [];
function suggest() {
  const box = $("box"),
    list = $("options");
  options = candidates(box.value);
  active = -1;
  list.replaceChildren(
    ...options.map((option, i) => {
      const item = el("li", {
        role: "option",
        id: `option-${i}`,
        "aria-selected": "false",
        onpointerdown: (event) => {
          event.preventDefault();
          choose(i);
        },
      });
      if (option.score) item.append(el("b", {}, option.score.label), el("span", {}, "score"));
      else {
        const cohorts = run.cohorts.filter((cohort) => cohort.at.has(option.gene)).length;
        item.append(
          el("b", {}, run.genes[option.gene]),
          el(
            "span",
            {},
            option.alias ? `${option.alias.short} ${option.alias.name}` : cohorts ? count(cohorts, "cohort") : "no values",
          ),
        );
      }
      return item;
    }),
  );
  list.hidden = !options.length;
  box.setAttribute("aria-expanded", String(!list.hidden));
  box.removeAttribute("aria-activedescendant");
  if (box.value.trim()) say(options.length ? `${count(options.length, "suggestion")}` : "no suggestion");
}
function close() {
  $("options").hidden = true;
  $("box").setAttribute("aria-expanded", "false");
  $("box").removeAttribute("aria-activedescendant");
  active = -1;
}
function choose(i) {
  const box = $("box"),
    option = options[i];
  const exact = find(box.value);
  let target;
  if (option && option.score) target = scoreLink(option.score.name);
  else if (option)
    target = geneLink(
      option.alias && option.alias.key === squeeze(box.value)
        ? option.alias.name
        : run.genes[option.gene],
    );
  else if (box.value.trim())
    target = geneLink(exact && !exact.alias ? run.genes[exact.gene] : box.value.trim());
  close();
  box.value = "";
  if (!target) return;
  location.hash = target;
  box.blur();
}
function keys(event) {
  const list = $("options"),
    box = $("box");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (list.hidden) suggest();
    if (!options.length) return;
    active = (active + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length;
    [...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === active)));
    list.children[active].scrollIntoView({ block: "nearest" });
    box.setAttribute("aria-activedescendant", `option-${active}`);
  } else if (event.key === "Enter") {
    event.preventDefault();
    if (active < 0 && options.length && options[0].rank <= 1) choose(0);
    else if (active < 0 && options.length && !find(box.value)) choose(0);
    else choose(active);
  } else if (event.key === "Escape") {
    close();
    box.value = "";
  }
}
function render(move = true) {
  const began = performance.now(),
    parts = new URLSearchParams(location.hash.slice(1));
  tell("");
  redraw = [];
  const view = parts.has("score") ? "score" : parts.has("index") ? "index" : "gene";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  $("main").className = run.cohorts.length > 1 ? view : "";
  if (view === "score") showScore(parts.get("score"), parts);
  else if (view === "index") showIndex(parts);
  else if (parts.get("gene")) showGene(parts.get("gene"), parts);
  else showStart();
  if (move) scrollTo(0, 0);
  // Read by the benchmark and by tests.
  document.documentElement.dataset.ready = (performance.now() - began).toFixed(1);
}
async function begin() {
  if (typeof DecompressionStream === "undefined") {
    swap(
      el(
        "p",
        {},
        "This page needs a browser of 2023 or later (DecompressionStream). The same numbers are in effects/effects.tsv and index/index.tsv of each cohort.",
      ),
    );
    return;
  }
  choosePalette();
  await open();
  footer();
  await openTables();
  render();
  addEventListener("hashchange", () => render());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    choosePalette();
    render(false);
  });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (width === innerWidth) return;
    width = innerWidth;
    for (const draw of redraw) draw();
  });
  const box = $("box");
  box.addEventListener("input", suggest);
  box.addEventListener("keydown", keys);
  box.addEventListener("blur", close);
  $("skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("main").focus();
  });
  addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      box.focus();
    }
  });
}
begin().catch((error) => {
  swap(el("p", {}, `This page could not be shown (${error.message}).`));
  throw error;
});
