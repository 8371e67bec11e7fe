// The view of a gene (#gene=…), with the values of samples.

// ---------------------------------------------------------------- a gene

function note(row) {
  return row.few ? run.exploratory : "";
}
function rowOf(cohort, row, domain, previous) {
  const again = previous && previous.group === row.group && previous.label === row.label;
  const colour = colourOf(cohort, row.arm),
    about_ = row.index;
  const name = again ? sr(row.label) : el("span", {}, row.label);
  const first = previous && previous.group === row.group && !again;
  const value = known(row) ? interval(row.value, row.low, row.high) : "not estimable";
  let ni = [];
  const there = about_ && !Number.isNaN(about_.ni);
  if (about_ && about_.class) {
    const title = `gene_index.tsv: ${about_.class}${about_.why ? `, ${about_.why}` : ""}`;
    ni = [
      there ? el("span", { class: "share" }, percents(about_.ni, about_.low, about_.high)) : "none",
      " ",
      el("span", { class: "class", title }, about_.words),
    ];
  }
  return tr(
    { class: first ? "first" : null },
    rowhead(
      { class: "name-cell" },
      el("span", { class: "name" }, name, el("span", { class: "week" }, shown(row.week))),
    ),
    td({ class: "bar" }, barOf(row, domain, colour, marked(row))),
    td({ class: `value${row.few ? " explore" : ""}` }, value, note(row)),
    td({ class: `fdr${marked(row) ? " sig" : ""}`, "data-label": "FDR" }, rate(row.fdr)),
    td({ class: "n" }, groups(row.n)),
    td({ class: `ni${there && marked(row) ? "" : " muted"}` }, ...ni),
  );
}
function geneCard(cohort, gene, domain, samples) {
  const rows = effectsOf(cohort, gene),
    why = missing(cohort, gene);
  if (why)
    return el(
      "section",
      { class: "card missing", "aria-label": cohort.id },
      el("h2", {}, cohort.id, tags(cohort)),
      el("p", { class: "why" }, why),
      samples && cohort.at.has(gene) ? panels(cohort, gene) : null,
    );
  if (!rows.some(known))
    return cardOf(
      cohort,
      el("p", { class: "why" }, "The values do not vary, so that no effect can be estimated."),
    );
  const lines = [];
  let previous = null;
  for (const group of Object.keys(GROUPS)) {
    const own = rows.filter((row) => row.group === group);
    if (own.length) {
      // Where the table is a list, its head is not there to say it.
      const narrow =
        group === "change" ? el("span", { class: "narrow" }, "NI: of the arm alone, descriptive") : null;
      lines.push(
        tr(
          { class: "group" },
          rowhead({ colspan: 6, scope: "rowgroup" }, GROUPS[group][0], " ", el("span", {}, GROUPS[group][1]), narrow),
        ),
      );
      for (const row of own) {
        lines.push(rowOf(cohort, row, domain, previous));
        previous = row;
      }
    }
  }
  const axis = () =>
    tr(
      { class: "axisrow", "aria-hidden": "true" },
      td({ class: "fill" }),
      td({ class: "bar" }, axisOf(domain)),
      td({ class: "fill", colspan: 4 }),
    );
  return cardOf(
    cohort,
    table(
      { class: "forest", "--grid": groundOf(domain) },
      el("caption", { class: "sr" }, `${run.genes[gene]} in ${cohort.id}`),
      el(
        "colgroup",
        {},
        ["name", "bar", "value", "fdr", "n", "ni"].map((name) => el("col", { class: `c-${name}` })),
      ),
      head(
        th({}, "Comparison"),
        th({ class: "bar" }, el("span", {}, "log2 difference")),
        th({ class: "value" }, `log2 (${level(run.confidence.effects)} CI)`),
        th({}, "FDR"),
        th({}, "Patients"),
        th(
          {},
          `NI of the gene (${level(run.confidence.index)} CI)`,
          el("div", {}, "of the arm alone: descriptive"),
        ),
      ),
      body(...lines, axis()),
    ),
    refusals(cohort).map(([group, why]) => el("p", { class: "why" }, `${GROUPS[group][0]}: none, ${why}.`)),
    samples ? panels(cohort, gene) : null,
  );
}
function showGene(text, parts) {
  const found = find(text);
  document.title = `${text}: explorer`;
  if (!found) {
    const told = `No gene or score is called ${text}`,
      near = similar(text, 6);
    say(`${told}.`);
    swap(
      el(
        "div",
        { class: "start" },
        el("h1", {}, text),
        el(
          "p",
          { class: "lead" },
          `${told}, in the tables of this run and in the gene sets${near.length ? "; did you mean …" : "."}`,
        ),
        near.length
          ? el(
              "ul",
              { class: "chips", "aria-label": "Similar names" },
              near.map((option) =>
                el(
                  "li",
                  {},
                  option.score
                    ? el("a", { href: scoreLink(option.score.name) }, option.score.label)
                    : el("a", { href: geneLink(run.genes[option.gene]) }, run.genes[option.gene]),
                ),
              ),
            )
          : null,
      ),
    );
    return;
  }
  const { gene, alias, what } = found,
    name = run.genes[gene];
  const samples = parts.has("samples") && run.patients !== "none";
  const each = run.cohorts.map((cohort) => effectsOf(cohort, gene));
  const domain = domainOf(each.flat());
  const hasNi = (cohort) =>
    each[run.cohorts.indexOf(cohort)].some((row) => row.index && !Number.isNaN(row.index.ni));
  const measured = run.cohorts.filter((cohort) => cohort.at.has(gene)).length;
  const sentence = `${name} has values in ${measured} of ${count(run.cohorts.length, "cohort")}.`;
  const named = (list) => list.filter(([, g]) => g === gene).map(([other]) => other);
  const older = named(run.aliases),
    usual = named(run.names);
  const others = [
    older.length ? ` Older symbol${older.length > 1 ? "s" : ""}: ${older.join(", ")}.` : "",
    usual.length ? ` Also called ${usual.join(", ")}.` : "",
  ].join("");
  say(alias ? `${alias} is ${what} of ${name}. ${sentence}` : sentence);
  const belongs = memberOf.get(gene) || [];
  const ordered = [...run.cohorts].sort((a, b) => (missing(a, gene) ? 1 : 0) - (missing(b, gene) ? 1 : 0));
  swap(
    viewHead(
      name,
      [alias ? el("b", {}, `${alias} is ${what} of ${name}. `) : null, sentence, alias ? "" : others],
      belongs.length
        ? el(
            "ul",
            { class: "chips", "aria-label": "Scores with this gene" },
            belongs.map(([score, sign]) =>
              el(
                "li",
                {},
                el(
                  "a",
                  { href: scoreLink(score.name) },
                  `${score.label}${score.signed ? (sign > 0 ? " ▲" : " ▼") : ""}`,
                ),
              ),
            ),
          )
        : null,
      run.patients !== "none" &&
        switchOf("Sample values", samples, (checked) => {
          setAddress({ samples: checked });
          render(false);
        }),
      button("CSV", () => geneCsv(gene), { id: "csv" }),
      button("SVG", () => geneSvg(gene, domain), { id: "svg" }),
    ),
    el(
      "div",
      { class: "grid" },
      ordered.map((cohort) => geneCard(cohort, gene, domain, samples)),
    ),
    el(
      "p",
      { class: "note" },
      `Dots are moderated estimates with their ${level(run.confidence.effects)} interval; a filled dot has an FDR below ${run.fdr}. NI of a gene: ${scaleOf((cohort) => hasNi(cohort) && cohort.gene_index.reference) || scaleOf((cohort) => cohort.gene_index.reference)} It is of the arm alone, with nothing taken off for placebo: descriptive; grey where the change has an FDR of ${run.fdr} or more. Its classes in gene_index.tsv are ${Object.entries(CLASSES).map(([name, words]) => `${name} (${words})`).join(", ")}.${ordered.some((c) => effectsOf(c, gene).some((row) => row.few)) ? ` ${run.exploratory} exploratory: fewer than ${FEWEST} patients in a group.` : ""}${belongs.some(([s]) => s.signed) ? " ▲▼ direction expected in lesional skin." : ""}`,
    ),
  );
}
function geneCsv(gene) {
  const rows = run.cohorts.flatMap((cohort) => {
    const base = [run.genes[gene], cohort.id, cohort.disease, cohort.simulated ? "yes" : "no"];
    const why = missing(cohort, gene);
    if (why) return [[...base, ...Array(12).fill(null), why]];
    return effectsOf(cohort, gene).map((row) => {
      const i = row.index || { ni: NaN, low: NaN, high: NaN, class: null };
      return [
        ...base,
        GROUPS[row.group][0] + (row.arm < 0 ? `: ${row.label}` : ""),
        row.arm < 0 ? null : row.label,
        row.week,
        row.n[0],
        row.n.length > 1 ? row.n[1] : null,
        row.value,
        row.low,
        row.high,
        row.fdr === 0 ? "<0.001" : row.fdr,
        i.ni,
        i.low,
        i.high,
        [i.class, i.why, row.few ? "exploratory: fewer than 6 patients" : ""].filter(Boolean).join("; ") || null,
      ];
    });
  });
  save(
    fileName("gene", run.genes[gene]) + ".csv",
    "text/csv",
    csvOf(
      [
        "gene",
        "cohort",
        "disease",
        "simulated",
        "comparison",
        "arm",
        "week",
        "n",
        "n_placebo",
        "log2_difference",
        "lower",
        "upper",
        "fdr",
        "ni",
        "ni_lower",
        "ni_upper",
        "note",
      ],
      rows,
    ),
  );
}
function geneSvg(gene, domain) {
  const width = 1020,
    left = 280,
    right = 620,
    content = [],
    at = (v) => left + ((right - left) * placeOn(domain)(v)) / 100;
  let y = 34;
  content.push(word(20, y, run.genes[gene], { "font-size": 22, "font-weight": 700 }));
  for (const cohort of run.cohorts) {
    const rows = effectsOf(cohort, gene),
      why = missing(cohort, gene);
    y += 30;
    content.push(word(20, y, fullName(cohort), { "font-weight": 700, "font-size": 14 }));
    if (why) {
      y += 18;
      content.push(word(20, y, cut(why, 140), { fill: LIGHT.soft }));
      continue;
    }
    const top = y + 6;
    const grid = svg("g", {});
    content.push(grid);
    let last = null;
    for (const row of rows) {
      if (row.group !== last) {
        y += 22;
        content.push(word(20, y, GROUPS[row.group][0], { "font-weight": 600 }));
        last = row.group;
      }
      y += 18;
      const colour = colourOf(cohort, row.arm, LIGHT);
      content.push(word(34, y, `${cut(row.label, 28)} ${shown(row.week)}`));
      if (!known(row)) continue;
      const low = Math.max(row.low, domain[0]),
        high = Math.min(row.high, domain[1]);
      content.push(
        svg("line", { x1: at(low), x2: at(high), y1: y - 4, y2: y - 4, stroke: colour, "stroke-width": 2 }),
      );
      content.push(
        svg("circle", {
          cx: at(row.value),
          cy: y - 4,
          r: 4,
          fill: marked(row) ? colour : "#ffffff",
          stroke: colour,
          "stroke-width": 2,
        }),
      );
      content.push(
        word(
          right + 16,
          y,
          `${interval(row.value, row.low, row.high)}${note(row)}`,
          row.few ? { "font-style": "italic" } : {},
        ),
      );
      content.push(
        word(right + 180, y, `FDR ${rate(row.fdr)}`, { fill: LIGHT.soft }),
        word(width - 20, y, groups(row.n), { fill: LIGHT.soft, "text-anchor": "end" }),
      );
    }
    for (const tick of ticks(...domain)) {
      grid.append(
        svg("line", {
          x1: at(tick),
          x2: at(tick),
          y1: top,
          y2: y + 4,
          stroke: tick === 0 ? LIGHT.soft : LIGHT.line,
        }),
      );
      content.push(
        word(at(tick), y + 18, plain(String(tick)), {
          "text-anchor": "middle",
          "font-size": 11,
          fill: LIGHT.soft,
        }),
      );
    }
    y += 20;
  }
  y += 26;
  content.push(
    word(
      20,
      y,
      `log2 difference with ${level(run.confidence.effects)} interval; filled: FDR below ${run.fdr}; ${run.exploratory} exploratory, fewer than ${FEWEST} patients.`,
      { "font-size": 11, fill: LIGHT.soft },
    ),
  );
  content.push(word(20, y + 16, small(), { "font-size": 11, fill: LIGHT.soft }));
  saveSvg(fileName("gene", run.genes[gene]) + ".svg", width, y + 32, content, run.genes[gene]);
}

// ---------------------------------------------------------------- values of samples

const STATES = ["healthy", "nonlesional", "lesional"],
  SHORT = ["H", "NL", "L"];
async function valuesOf(cohort, gene) {
  const place = cohort.sampled.get(cohort.at.get(gene));
  if (place === undefined) return null;
  const { piece, lowest, steps, keys } = cohort.samples,
    at = Math.floor(place / piece);
  if (!cohort.pieces.has(at)) {
    if (typeof cohort.packed === "string") cohort.packed = cohort.packed.split(" ");
    cohort.pieces.set(at, await unpack(cohort.packed[at]));
  }
  const bytes = cohort.pieces.get(at),
    start = (place % piece) * keys.length;
  return keys.map((_, i) => lowest[place] + steps[place] * bytes[start + i]);
}
const person = (cohort, patient) =>
  cohort.patients.length ? cohort.patients[patient] : `patient ${patient + 1}`;
function panels(cohort, gene) {
  const box = el("div", { class: "panels" });
  valuesOf(cohort, gene).then((values) => {
    if (!values) {
      box.append(
        el(
          "p",
          { class: "why" },
          `Sample values stand here for ${count(cohort.sampled.size, "gene")} of this cohort: those of the gene sets and those that change most (figures: explorer: sample_genes). All are in expression.h5ad.`,
        ),
      );
      return;
    }
    const keys = cohort.samples.keys,
      shared = cohort.arms.findIndex((arm) => arm.kind === "shared");
    const low = Math.min(...values),
      high = Math.max(...values);
    const room = 0.08 * Math.max(high - low, 0.5),
      domain = [low - room, high + room];
    let first = true;
    cohort.arms.forEach((arm, number) => {
      if (number === shared) return;
      const own = new Set(keys.filter(([, a]) => a === number).map(([p]) => p));
      const rows = keys
        .map((key, i) => [...key, values[i]])
        .filter(([p, a]) => a === number || (a === shared && own.has(p)));
      if (!rows.length) return;
      box.append(panel(cohort, number, rows, domain, first));
      first = false;
    });
    const short = [...new Set(keys.map(([, , state]) => state))].sort();
    box.append(
      el(
        "p",
        { class: "small legend" },
        `${short.map((state) => (STATES[state] === "lesional" ? "numbers: weeks of lesional skin" : `${SHORT[state]}: ${STATES[state]} skin`)).join("; ")}. A dot is a sample, a line a patient, a bar the median.`,
      ),
      el(
        "div",
        { class: "tools" },
        button("CSV of samples", () => sampleCsv(cohort, gene, values)),
      ),
    );
  });
  return box;
}
function panel(cohort, number, rows, domain, first) {
  const places = [...new Set(rows.map(([, , state, week]) => 1000 * state + week))]
    .sort((a, b) => a - b)
    .map((key) => [Math.floor(key / 1000), key % 1000]);
  const left = 34,
    step = 44,
    width = left + step * Math.max(places.length, 2) + 6,
    height = 190,
    bottom = height - 34,
    top = 8;
  const x = (state, week) => left + step * (places.findIndex(([s, w]) => s === state && w === week) + 0.5);
  const y = (value) => bottom - ((bottom - top) * (value - domain[0])) / (domain[1] - domain[0]);
  const colour = colourOf(cohort, number),
    people = new Map();
  const picture = svg("svg", {
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": `${cohort.arms[number].name}: log2 expression of single samples`,
  });
  for (const tick of ticks(...domain, 4)) {
    picture.append(svg("line", { x1: left, x2: width, y1: y(tick), y2: y(tick), stroke: palette.line }));
    picture.append(
      svg(
        "text",
        { x: left - 6, y: y(tick) + 4, "font-size": 11, "text-anchor": "end", fill: palette.soft },
        plain(String(tick)),
      ),
    );
  }
  places.forEach(([state, week]) => {
    picture.append(
      svg(
        "text",
        { x: x(state, week), y: bottom + 14, "font-size": 11, "text-anchor": "middle", fill: palette.ink },
        STATES[state] === "lesional" ? String(week) : SHORT[state] + (week ? ` ${week}` : ""),
      ),
    );
  });
  const lesional = places.filter(([state]) => state === 2);
  if (lesional.length)
    picture.append(
      svg(
        "text",
        {
          x: (x(...lesional[0]) + x(...lesional[lesional.length - 1])) / 2,
          y: bottom + 28,
          "font-size": 11,
          "text-anchor": "middle",
          fill: palette.soft,
        },
        lesional.length > 1 ? "lesional, week" : "lesional",
      ),
    );
  if (first)
    picture.append(svg("text", { x: 2, y: bottom + 28, "font-size": 11, fill: palette.soft }, "log2"));
  for (const row of rows) people.set(row[0], [...(people.get(row[0]) || []), row]);
  for (const own of people.values()) {
    const points = own
      .map(([, , state, week, value]) => [x(state, week), y(value)])
      .sort((a, b) => a[0] - b[0]);
    if (points.length > 1)
      picture.append(
        svg("path", {
          d: `M${points.map((p) => p.join(" ")).join("L")}`,
          fill: "none",
          stroke: colour,
          "stroke-opacity": 0.35,
          "stroke-width": 1,
        }),
      );
  }
  for (const [patient, , state, week, value] of rows) {
    const dot = svg("circle", {
      cx: x(state, week),
      cy: y(value),
      r: 3,
      fill: colour,
      "fill-opacity": 0.75,
    });
    hover(
      dot,
      `${person(cohort, patient)}, ${STATES[state]}${week || STATES[state] === "lesional" ? `, week ${week}` : ""}: ${plain(value.toFixed(1))}`,
    );
    picture.append(dot);
  }
  for (const [state, week] of places) {
    const values = rows
      .filter((row) => row[2] === state && row[3] === week)
      .map((row) => row[4])
      .sort((a, b) => a - b);
    const middle = (values[(values.length - 1) >> 1] + values[values.length >> 1]) / 2;
    picture.append(
      svg("line", {
        x1: x(state, week) - 12,
        x2: x(state, week) + 12,
        y1: y(middle),
        y2: y(middle),
        stroke: palette.ink,
        "stroke-width": 2,
      }),
    );
  }
  return el(
    "figure",
    {},
    el(
      "figcaption",
      {},
      el("span", { class: "swatch", "--arm": colour }),
      cohort.arms[number].name,
      el("span", { class: "class" }, `  n = ${people.size}`),
    ),
    picture,
  );
}
function sampleCsv(cohort, gene, values) {
  const rows = cohort.samples.keys.map(([patient, arm, state, week], i) => [
    run.genes[gene],
    cohort.id,
    person(cohort, patient),
    cohort.arms[arm].name,
    STATES[state],
    week,
    Number(values[i].toFixed(2)),
  ]);
  save(
    fileName("samples", cohort.id, run.genes[gene]) + ".csv",
    "text/csv",
    csvOf(["gene", "cohort", "patient", "arm", "state", "week", "log2"], rows),
  );
}

function hover(target, text) {
  target.addEventListener("pointerenter", (event) => tell(text, event));
  target.addEventListener("pointermove", (event) => tell(text, event));
  target.addEventListener("pointerleave", () => tell(""));
}
function tell(text, event) {
  const tip = $("tip");
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 6);
  tip.style.left = `${Math.max(4, x)}px`;
  tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 6)}px`;
}
