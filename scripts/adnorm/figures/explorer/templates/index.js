// The table of the index (#index).

// ---------------------------------------------------------------- the table of the index

const FAMILIES = [
  [
    "primary",
    "Primary family",
    (row) => row.family === "primary" || (sets.has(row.name) && sets.get(row.name).primary >= 0),
  ],
  ["itch", "Itch", (row) => row.topic === "itch"],
  ["barrier", "Skin barrier", (row) => row.topic === "barrier"],
  ["all", "All", () => true],
];
const SORTS = {
  cohort: (row) => row.cohort.id,
  label: (row) => row.label,
  arm: (row) => row.armName,
  week: (row) => row.week,
  ni: (row) => row.ni,
  dni: (row) => (row.isPlacebo ? null : row.dni),
  p: (row) => row.p,
};
const MOST = 400,
  SHARES = [-0.4, 1.25];
function showIndex(parts) {
  document.title = "Index table: explorer";
  const state = {
    family: parts.get("family") || "primary",
    find: parts.get("find") || "",
    cohort: parts.get("cohort") || "",
    sort: parts.get("sort") || "",
    numbers: parts.get("numbers") !== "all",
  };
  const all = run.cohorts.flatMap(indexRows);
  const holder = el("div", {}),
    shownCount = el("p", { class: "lead", id: "shown" });
  let most = MOST,
    rows = [];
  const update = (changes) => {
    Object.assign(state, changes);
    setAddress({
      family: state.family === "primary" ? null : state.family,
      find: state.find,
      cohort: state.cohort,
      sort: state.sort,
      numbers: state.numbers ? null : "all",
    });
    draw();
  };
  const family = el(
    "div",
    { class: "seg", role: "group", "aria-label": "Scores" },
    FAMILIES.map(([key, text]) => button(text, () => update({ family: key }), { "data-family": key })),
  );
  const draw = () => {
    const keep = (FAMILIES.find(([key]) => key === state.family) || FAMILIES[0])[2],
      words = state.find.toLowerCase().split(/\s+/).filter(Boolean);
    rows = all.filter(
      (row) =>
        keep(row) &&
        (!state.cohort || row.cohort.id === state.cohort) &&
        (!state.numbers || row.ni !== null) &&
        words.every((part) =>
          `${row.cohort.id} ${row.label} ${row.name} ${row.armName} week ${row.week} ${row.cohort.disease}`
            .toLowerCase()
            .includes(part),
        ),
    );
    const order = orderOf(state.sort),
      at = SORTS[order.key];
    if (at) rows = [...rows].sort(byValue(at, order.falling));
    for (const choice of family.children)
      choice.setAttribute("aria-pressed", choice.dataset.family === state.family);
    const title = (id, text, right) =>
      sortTitle(
        holder,
        order,
        () => update({ sort: order.key === id && !order.falling ? `-${id}` : id }),
        id,
        text,
        right,
      );
    const domain = SHARES;
    holder.replaceChildren(
      scrolled(
        "Index table",
        table(
          { class: "list cards", id: "table", "--grid": groundOf(domain, 4) },
          el("caption", { class: "sr" }, "The normalization index"),
          head(
            title("cohort", "Cohort"),
            title("label", "Score"),
            title("arm", "Arm"),
            title("week", "Week", true),
            title("ni", `NI (${level(run.confidence.index)} CI)`),
            title("dni", "Minus placebo"),
            th(
              { class: "plot" },
              el(
                "div",
                { class: "small" },
                plottedUnits(all),
              ),
              axisOf(domain, true),
            ),
            title("p", "Adjusted p", true),
            th({}, "Patients"),
          ),
          body(...rows.slice(0, most).map((row) => indexLine(row, domain))),
        ),
      ),
      rows.length > most
        ? button(`Show all ${rows.length.toLocaleString("en")} rows`, () => {
            most = Infinity;
            draw();
          })
        : "",
    );
    shownCount.textContent = `${count(rows.length, "row")} of ${all.length.toLocaleString("en")}`;
    say(shownCount.textContent);
  };
  const box = el("input", {
    class: "field",
    type: "search",
    id: "find",
    placeholder: "Filter: arm, score, week 12 …",
    value: state.find,
    "aria-label": "Filter rows",
    oninput: (event) => update({ find: event.target.value }),
  });
  const cohorts = el(
    "select",
    { id: "cohort", "aria-label": "Cohort", onchange: (event) => update({ cohort: event.target.value }) },
    el("option", { value: "" }, "all cohorts"),
    run.cohorts.map((cohort) =>
      el("option", { value: cohort.id, selected: cohort.id === state.cohort }, cohort.id),
    ),
  );
  swap(
    viewHead(
      "Index table",
      `How far each arm is back. ${scales()}`,
      null,
      button("CSV", () => indexCsv(rows, "index"), { id: "csv" }),
      button("SVG", () => indexSvg(rows), { id: "svg" }),
    ),
    el(
      "div",
      { class: "filters" },
      family,
      cohorts,
      box,
      switchOf("Rows without a number", !state.numbers, (checked) => update({ numbers: !checked })),
    ),
    shownCount,
    el("section", { class: "card", "aria-label": "Index table" }, holder),
    el(
      "p",
      { class: "note" },
      marksNote(
        `Adjusted p: ${PLANS[run.multiplicity]} within the primary family, FDR (false discovery rate) over the other scores. `,
      ),
    ),
  );
  draw();
}
function plottedUnits(rows) {
  const numbered = rows.filter((row) => row.ni !== null);
  if (numbered.every((row) => row.cohort.placebo)) return "minus placebo, points";
  if (!numbered.some((row) => row.cohort.placebo)) return "NI, %";
  return "minus placebo, points; without placebo NI, %";
}
const plotted = (row) =>
  row.dni !== null && !row.isPlacebo
    ? { value: row.dni, low: row.dni_lower ?? row.dni, high: row.dni_upper ?? row.dni }
    : row.ni !== null && !row.cohort.placebo
      ? { value: row.ni, low: row.lower ?? row.ni, high: row.upper ?? row.ni }
      : { value: NaN };
function indexLine(row, domain) {
  const cohort = row.cohort,
    reason = row.ni === null ? row.reason : "";
  return tr(
    {},
    rowhead(
      {},
      cohort.id,
      cohort.other ? el("div", { class: "small" }, cohort.disease) : null,
      cohort.simulated && !allSimulated() ? el("div", { class: "small" }, "SIMULATED") : null,
    ),
    td({ class: "all" }, el("a", { href: scoreLink(row.name) }, row.label)),
    td({ class: "arm" }, el("span", { class: "swatch", "--arm": colourOf(cohort, row.arm) }), row.armName),
    td({ class: "nowrap r", "data-label": "week" }, row.week),
    reason
      ? td({ colspan: 3, class: "small all" }, reason)
      : [
          td({ class: `nowrap ${style(row, row.boldN)}`, "data-label": "NI" }, niText(row)),
          td(
            { class: `nowrap ${style(row, row.boldD)}`, "data-label": "minus placebo" },
            row.isPlacebo ? "" : dniText(row),
          ),
          td(
            { class: "plot" },
            Number.isNaN(plotted(row).value)
              ? null
              : el(
                  "div",
                  { class: "bar" },
                  barOf(plotted(row), domain, colourOf(cohort, row.arm), !row.explore),
                ),
          ),
        ],
    pCell(row),
    td({ class: "nowrap small" }, patientsOf(row)),
  );
}
function indexCsv(rows, name) {
  const columns = ["ni", "lower", "upper", "dni", "dni_lower", "dni_upper", "adjusted_p_value", "fdr"];
  save(
    `${name}.csv`,
    "text/csv",
    csvOf(
      [
        "cohort",
        "disease",
        "simulated",
        "reference",
        "score",
        "label",
        "arm",
        "week",
        ...columns,
        "n",
        "n_placebo",
        "family",
        "status",
        "reason",
      ],
      rows.map((row) => [
        row.cohort.id,
        row.cohort.disease,
        row.cohort.simulated ? "yes" : "no",
        row.cohort.index.reference,
        row.name,
        row.label,
        row.armName,
        row.week,
        ...columns.map((key) => row[key]),
        row.pairs,
        row.placebo_pairs,
        row.family,
        row.status,
        row.reason || null,
      ]),
    ),
  );
}
function indexSvg(rows) {
  const some = rows.slice(0, 150),
    width = 1120,
    left = 700,
    right = 920,
    domain = SHARES,
    content = [
      word(20, 32, "Normalization index, minus placebo in points (NI in % where there is no placebo)", {
        "font-size": 16,
        "font-weight": 700,
      }),
    ];
  const at = (v) =>
    left + ((right - left) * placeOn(domain)(Math.max(domain[0], Math.min(domain[1], v)))) / 100;
  let y = 52;
  const grid = svg("g", {});
  content.push(grid);
  for (const row of some) {
    y += 18;
    const drawn = plotted(row),
      colour = colourOf(row.cohort, row.arm, LIGHT);
    content.push(
      word(20, y, cut(fullName(row.cohort), 36)),
      word(250, y, cut(row.label, 32)),
      word(450, y, cut(row.armName, 28)),
      word(630, y, shown(row.week)),
    );
    if (Number.isNaN(drawn.value)) {
      content.push(
        word(right + 16, y, row.isPlacebo ? `NI ${niText(row)}` : cut(row.reason || "", 28), {
          fill: LIGHT.soft,
        }),
      );
      continue;
    }
    content.push(
      svg("line", {
        x1: at(drawn.low),
        x2: at(drawn.high),
        y1: y - 4,
        y2: y - 4,
        stroke: colour,
        "stroke-width": 2,
      }),
      svg("circle", {
        cx: at(drawn.value),
        cy: y - 4,
        r: 4,
        fill: row.explore ? "#ffffff" : colour,
        stroke: colour,
        "stroke-width": 2,
      }),
    );
    content.push(
      word(
        right + 16,
        y,
        row.dni !== null ? dniText(row) : `NI ${niText(row)}`,
        row.explore ? { "font-style": "italic" } : row.boldD || row.boldN ? { "font-weight": 700 } : {},
      ),
    );
  }
  for (const tick of ticks(...domain)) {
    grid.append(
      svg("line", {
        x1: at(tick),
        x2: at(tick),
        y1: 50,
        y2: y + 6,
        stroke: tick === 0 ? LIGHT.soft : LIGHT.line,
      }),
    );
    content.push(
      word(at(tick), y + 20, percent(tick), {
        "text-anchor": "middle",
        "font-size": 11,
        fill: LIGHT.soft,
      }),
    );
  }
  content.push(
    word(
      20,
      y + 44,
      rows.length > some.length ? `The first ${some.length} of ${rows.length} rows. ${small()}` : small(),
      { "font-size": 11, fill: LIGHT.soft },
    ),
  );
  saveSvg("index.svg", width, y + 58, content, "Normalization index");
}
