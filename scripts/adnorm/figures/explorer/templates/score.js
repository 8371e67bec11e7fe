// The view of a score (#score=…): the index over time, patients, and its genes.

// ---------------------------------------------------------------- the index

// A published list of disease genes is known by the name of its file.
const listed = (name) => `Disease axis of a list: ${name.replaceAll("_", " ")}`;

const PLANS = { holm: "Holm", "fixed sequence": "fixed sequence" };
function pCell(row) {
  if (row.p === null) return td({ class: "r" });
  const title =
    row.plan === "FDR"
      ? "false discovery rate over the other scores"
      : `adjusted within the primary family: ${row.plan}`;
  return td(
    { class: "r", "data-label": "adjusted p", title },
    rate(row.p),
    " ",
    el("span", { class: "small" }, row.plan),
  );
}
function indexRows(cohort) {
  if (cohort.lines) return cohort.lines;
  const { words, columns } = cohort.index;
  cohort.lines = columns.name.map((_, i) => {
    const row = { cohort };
    for (const key of Object.keys(columns)) row[key] = columns[key][i];
    for (const key of ["name", "family", "status", "reason", "dni_reason"]) row[key] = words[row[key]];
    const score = sets.get(row.name);
    row.label = score ? score.label : listed(row.name);
    row.topic = score ? score.category : "";
    row.armName = row.arm < 0 ? "" : cohort.arms[row.arm].name;
    row.isPlacebo = row.arm >= 0 && cohort.arms[row.arm].kind === "placebo";
    row.explore = row.status === "exploratory";
    const excludes = (low, high) => low !== null && high !== null && (low > 0 || high < 0);
    row.boldD = !row.isPlacebo && excludes(row.dni_lower, row.dni_upper);
    row.boldN = !row.isPlacebo && !cohort.placebo && excludes(row.lower, row.upper);
    [row.p, row.plan] =
      row.family === "primary" ? [row.adjusted_p_value, PLANS[run.multiplicity]] : [row.fdr, "FDR"];
    return row;
  });
  // Arms by dose, placebo after the drugs, then visits, then scores with the primary ones first.
  const rank = new Map(
    run.scores.map((score, i) => [score.name, score.primary < 0 ? 1000 + i : score.primary]),
  );
  const place = (row) => (rank.has(row.name) ? rank.get(row.name) : 9999);
  cohort.lines.sort(
    (a, b) => a.isPlacebo - b.isPlacebo || a.arm - b.arm || a.week - b.week || place(a) - place(b),
  );
  return cohort.lines;
}
const niText = (row) =>
  row.ni === null ? "" : percents(row.ni, row.lower, row.upper) + (row.explore ? run.exploratory : "");
const dniText = (row) =>
  row.dni === null
    ? ""
    : pointed(row.dni, row.dni_lower, row.dni_upper) + (row.explore ? run.exploratory : "");
const style = (row, bold) => [row.explore ? "explore" : "", bold ? "strong" : ""].filter(Boolean).join(" ");
const patientsOf = (row) =>
  groups(
    row.placebo_pairs && !row.isPlacebo && row.cohort.placebo ? [row.pairs, row.placebo_pairs] : [row.pairs],
  );

function chart(cohort, name, width, paint) {
  const rows = indexRows(cohort).filter((row) => row.name === name && row.ni !== null);
  if (!rows.length) return null;
  const narrow = width < 520,
    left = 44,
    right = narrow ? 14 : 190,
    height = 280,
    top = 14,
    bottom = height - 36;
  const courses = coursesOf(cohort, name),
    last = Math.max(...rows.map((row) => row.week), ...courses.map((c) => c.points[c.points.length - 1][0]));
  const ends = rows.flatMap((row) => [row.lower, row.upper]).filter((v) => v !== null);
  const single = courses.flatMap((course) => course.points.map((p) => p[1])).sort((a, b) => a - b);
  const domain = [
    Math.max(-1, Math.min(-0.12, ...ends, ...single)),
    Math.min(2, Math.max(1.12, ...ends, ...single)),
  ];
  const x = (week) => left + ((width - left - right) * week) / last;
  const y = (value) => bottom - ((bottom - top) * (value - domain[0])) / (domain[1] - domain[0]);
  const clip = (value) => Math.max(domain[0], Math.min(domain[1], value));
  const beyond = single.filter((v) => v < domain[0] || v > domain[1]).length;
  const picture = svg("svg", {
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": `${rows[0].label} in ${cohort.id}: normalization index over time; the numbers stand in the table below`,
  });
  for (const tick of ticks(domain[0], domain[1], 5)) {
    picture.append(
      svg("line", { x1: left, x2: width - right, y1: y(tick), y2: y(tick), stroke: paint.line }),
    );
    picture.append(
      svg(
        "text",
        { x: left - 7, y: y(tick) + 4, "font-size": 11.5, "text-anchor": "end", fill: paint.soft },
        `${percent(tick)} %`,
      ),
    );
  }
  for (const [value, text, colour] of [
    [0, "as before treatment", paint.soft],
    [1, `${cohort.index.reference} skin`, paint.normal],
  ]) {
    picture.append(
      svg("line", {
        x1: left,
        x2: width - right,
        y1: y(value),
        y2: y(value),
        stroke: colour,
        "stroke-width": 1.4,
        "stroke-dasharray": value ? "5 3" : null,
      }),
    );
    picture.append(
      svg(
        "text",
        {
          x: width - right - 4,
          y: y(value) + (value ? -5 : 13),
          "font-size": 11,
          "text-anchor": "end",
          fill: colour,
        },
        text,
      ),
    );
  }
  const weeks = [...new Set([0, ...rows.map((row) => row.week)])].sort((a, b) => a - b);
  let edge = -99;
  for (const week of weeks) {
    picture.append(svg("line", { x1: x(week), x2: x(week), y1: bottom, y2: bottom + 4, stroke: paint.rule }));
    if (x(week) - edge < 18) continue;
    edge = x(week);
    picture.append(
      svg(
        "text",
        { x: x(week), y: bottom + 17, "font-size": 11.5, "text-anchor": "middle", fill: paint.soft },
        week,
      ),
    );
  }
  picture.append(
    svg(
      "text",
      {
        x: (left + width - right) / 2,
        y: height - 3,
        "font-size": 11.5,
        "text-anchor": "middle",
        fill: paint.soft,
      },
      "week",
    ),
  );
  for (const course of courses) {
    const colour = colourOf(cohort, course.arm, paint);
    const points = [[0, 0], ...course.points].map(
      ([week, value]) => `${x(week).toFixed(1)} ${y(clip(value)).toFixed(1)}`,
    );
    course.line = svg("path", {
      d: `M${points.join("L")}`,
      fill: "none",
      stroke: colour,
      "stroke-opacity": 0.28,
      "stroke-width": 1.1,
      class: "course",
    });
    picture.append(course.line);
  }
  const arms = [...new Set(rows.map((row) => row.arm))].sort((a, b) => a - b),
    labels = [];
  arms.forEach((arm, k) => {
    const own = rows.filter((row) => row.arm === arm).sort((a, b) => a.week - b.week);
    const colour = colourOf(cohort, arm, paint),
      shift = (k - (arms.length - 1) / 2) * 4;
    const px = (row) => x(row.week) + shift;
    picture.append(
      svg("path", {
        d: `M${[`${x(0)} ${y(0)}`, ...own.map((row) => `${px(row)} ${y(clip(row.ni))}`)].join("L")}`,
        fill: "none",
        stroke: colour,
        "stroke-width": 2.4,
      }),
    );
    for (const row of own) {
      if (row.lower !== null)
        picture.append(
          svg("line", {
            x1: px(row),
            x2: px(row),
            y1: y(clip(row.lower)),
            y2: y(clip(row.upper)),
            stroke: colour,
            "stroke-width": 2,
          }),
        );
      picture.append(
        svg("circle", {
          cx: px(row),
          cy: y(clip(row.ni)),
          r: 4.5,
          fill: row.explore ? paint.card : colour,
          stroke: colour,
          "stroke-width": 2,
        }),
      );
    }
    labels.push({ y: y(clip(own[own.length - 1].ni)) + 4, text: own[own.length - 1].armName, colour });
  });
  if (!narrow) {
    labels.sort((a, b) => a.y - b.y);
    labels.forEach((label, k) => {
      if (k && label.y - labels[k - 1].y < 15) label.y = labels[k - 1].y + 15;
    });
    const over = labels[labels.length - 1].y - bottom;
    for (const label of labels) {
      const text = cut(label.text, 24);
      picture.append(
        svg(
          "text",
          {
            x: width - right + 12,
            y: label.y - Math.max(0, over),
            "font-size": 12,
            "font-weight": 600,
            fill: paint.ink,
          },
          svg("tspan", { fill: label.colour }, "● "),
          text,
        ),
      );
    }
  }
  return { picture, courses, x, y, clip, beyond, height };
}
function coursesOf(cohort, name) {
  const { courses } = cohort;
  const at = courses ? courses.names.indexOf(name) : -1;
  if (at < 0) return [];
  const size = courses.keys.length,
    found = new Map();
  courses.keys.forEach(([patient, arm, week], i) => {
    const value = millionth(cohort.response[at * size + i]);
    if (Number.isNaN(value)) return;
    const key = `${patient}/${arm}`;
    if (!found.has(key)) found.set(key, { patient, arm, points: [] });
    found.get(key).points.push([week, value]);
  });
  for (const course of found.values()) course.points.sort((a, b) => a[0] - b[0]);
  return [...found.values()];
}
function nearest(drawn, cohort, event) {
  const box = drawn.picture.getBoundingClientRect(),
    scale = drawn.picture.viewBox.baseVal.width / box.width;
  const px = (event.clientX - box.left) * scale,
    py = (event.clientY - box.top) * scale;
  let best = null,
    distance = 24 ** 2;
  for (const course of drawn.courses)
    for (const [week, value] of course.points) {
      const away = (drawn.x(week) - px) ** 2 + (drawn.y(drawn.clip(value)) - py) ** 2;
      if (away < distance) [best, distance] = [{ course, week, value }, away];
    }
  for (const course of drawn.courses) {
    const lit = best && best.course === course;
    course.line.setAttribute("stroke-opacity", lit ? 1 : best ? 0.12 : 0.28);
    course.line.setAttribute("stroke-width", lit ? 2.6 : 1.1);
  }
  tell(
    best
      ? `${person(cohort, best.course.patient)}, ${cohort.arms[best.course.arm].name}\nweek ${best.week}: ${percent(best.value)} % of the way back`
      : "",
    event,
  );
}

function scoreCard(cohort, score, redraws) {
  const rows = indexRows(cohort).filter((row) => row.name === score.name);
  const have = score.genes.filter(([gene]) => cohort.at.has(gene)).length;
  const below = score.genes.filter(([gene]) => cohort.below.has(gene)).length;
  const found =
    score.name === "global"
      ? ""
      : `${have} of ${count(score.genes.length, "gene")} measured${below ? `, ${below} below the expression filter` : ""}.`;
  if (!rows.some((row) => row.ni !== null)) {
    const reasons = [...new Set(rows.map((row) => row.reason).filter(Boolean))];
    const why = rows.length
      ? reasons.slice(0, 2).join("; ")
      : cohort.refused.change || "the index of this cohort does not have this score";
    return el(
      "section",
      { class: "card missing", "aria-label": cohort.id },
      el("h2", {}, cohort.id, tags(cohort)),
      el("p", { class: "why" }, `No index: ${why}. ${found}`),
    );
  }
  const holder = el("div", { class: "chart" }),
    draw = () => {
      const width = Math.max(280, Math.min(900, holder.clientWidth || 800)),
        drawn = chart(cohort, score.name, width, palette);
      holder.replaceChildren(drawn.picture);
      drawn.picture.addEventListener("pointermove", (event) => nearest(drawn, cohort, event));
      drawn.picture.addEventListener("pointerleave", (event) => {
        nearest({ ...drawn, courses: drawn.courses.map((c) => ({ ...c, points: [] })) }, cohort, event);
      });
      if (drawn.beyond)
        holder.append(
          el(
            "p",
            { class: "why" },
            `${count(drawn.beyond, "value of a single patient lies", "values of single patients lie")} outside the picture, and at its edge.`,
          ),
        );
    };
  redraws.push(draw);
  const lines = rows.flatMap((row, i) => {
    const first = !i || rows[i - 1].arm !== row.arm;
    const arm = first
      ? [
          tr(
            { class: "group" },
            rowhead(
              { colspan: 5, scope: "rowgroup" },
              el("span", { class: "swatch", "--arm": colourOf(cohort, row.arm) }),
              row.armName,
            ),
          ),
        ]
      : [];
    return [
      ...arm,
      tr(
        {},
        rowhead({ class: "nowrap" }, sr(`${row.armName} `), shown(row.week)),
        td(
          { class: `nowrap ${style(row, row.boldN)}`, "data-label": "NI" },
          row.ni === null ? el("span", { class: "small" }, row.reason) : niText(row),
        ),
        td(
          { class: `nowrap ${style(row, row.boldD)}`, "data-label": "minus placebo" },
          row.isPlacebo ? "" : dniText(row) || el("span", { class: "small" }, row.dni_reason || ""),
        ),
        pCell(row),
        td({ class: "nowrap small" }, patientsOf(row)),
      ),
    ];
  });
  const courses = coursesOf(cohort, score.name);
  return cardOf(
    cohort,
    el(
      "div",
      { class: "duo" },
      holder,
      el(
        "div",
        {},
        table(
          { class: "list cards" },
          el("caption", { class: "sr" }, `${score.label} in ${cohort.id}`),
          head(
            th({}, "Visit"),
            th({}, `NI (${level(run.confidence.index)} CI)`),
            th({}, "Minus placebo"),
            th({ class: "r" }, "adjusted p"),
            th({}, "Patients"),
          ),
          body(...lines),
        ),
        el("p", { class: "why" }, found),
        courses.length
          ? el(
              "details",
              {},
              el("summary", {}, `The ${count(courses.length, "patient")} as a table`),
              scrolled("Patients", patientTable(cohort, courses)),
            )
          : null,
      ),
    ),
  );
}
function patientTable(cohort, courses) {
  const weeks = [...new Set(courses.flatMap((course) => course.points.map((p) => p[0])))].sort(
    (a, b) => a - b,
  );
  return table(
    { class: "list" },
    head(
      th({}, "Patient"),
      th({}, "Arm"),
      weeks.map((week) => th({ class: "r" }, `week ${week}`)),
    ),
    body(
      ...courses.map((course) => {
        const at = new Map(course.points);
        return tr(
          {},
          rowhead({}, person(cohort, course.patient)),
          td({}, cohort.arms[course.arm].name),
          weeks.map((week) => td({ class: "r" }, at.has(week) ? `${percent(at.get(week))} %` : "")),
        );
      }),
    ),
  );
}
// The column of a treated cohort is chosen by the design: highest dose, last visit, minus placebo.
function memberColumns() {
  const columns = [];
  run.cohorts.forEach((cohort, c) => {
    const disease = cohort.rows.findIndex(([group]) => group === "disease");
    if (disease >= 0) columns.push({ c, row: disease, title: cohort.rows[disease][1], id: cohort.id });
    for (const group of ["difference", "change"]) {
      const own = cohort.rows
        .map((row, i) => [row, i])
        .filter(([row]) => row[0] === group && cohort.arms[row[2]].kind !== "placebo");
      if (!own.length) continue;
      const [row, i] = own[own.length - 1];
      columns.push({
        c,
        row: i,
        id: cohort.id,
        title: `${row[1]}, week ${row[3]}${group === "difference" ? ", minus placebo" : ""}`,
      });
      break;
    }
  });
  return columns;
}
function valueAt(column, gene) {
  const cohort = run.cohorts[column.c],
    place = cohort.at.get(gene);
  if (place === undefined) return null;
  const at = column.row * cohort.genes.length + place,
    value = thousandth(cohort.estimate[at]);
  return Number.isNaN(value) ? null : { value, fdr: decodeRate(cohort.fdr[at]) };
}
function heat(value, largest) {
  const share = Math.min(1, Math.abs(value) / largest) * 0.55;
  const [r, g, b] = value > 0 ? [213, 94, 0] : [0, 114, 178];
  return `rgb(${r} ${g} ${b} / ${share.toFixed(3)})`;
}
function memberTable(score, parts) {
  const columns = memberColumns();
  const genes = score.genes.map(([gene, sign]) => ({
    gene,
    sign,
    values: columns.map((column) => valueAt(column, gene)),
  }));
  const all = genes
    .flatMap((g) => g.values)
    .filter(Boolean)
    .map((v) => Math.abs(v.value))
    .sort((a, b) => a - b);
  const largest = Math.max(1, all[Math.floor(0.97 * (all.length - 1))] || 1);
  const holder = scrolled(`Genes of ${score.label}`);
  const mean = (g) => {
    const own = g.values.filter(
      (v, k) => v && run.cohorts[columns[k].c].rows[columns[k].row][0] === "disease",
    );
    return own.length ? own.reduce((sum, v) => sum + v.value, 0) / own.length : null;
  };
  const draw = () => {
    const order = orderOf(new URLSearchParams(location.hash.slice(1)).get("by") || "-mean"),
      { key, falling } = order;
    const at = (g) =>
      key === "gene"
        ? run.genes[g.gene]
        : key === "mean"
          ? mean(g)
          : g.values[Number(key)]
            ? g.values[Number(key)].value
            : null;
    const inOrder = byValue(at, falling),
      byName = (a, b) => (run.genes[a.gene] < run.genes[b.gene] ? -1 : 1);
    genes.sort((a, b) => inOrder(a, b) || (at(a) === null ? byName(a, b) : 0));
    const title = (id, text, rest, right) =>
      sortTitle(
        holder,
        order,
        () => {
          setAddress({ by: (key === id ? falling : id === "gene") ? id : `-${id}` });
          draw();
        },
        id,
        text,
        right,
        rest ? el("div", { class: "small" }, rest) : null,
      );
    holder.replaceChildren(
      table(
        { class: "list" },
        el("caption", { class: "sr" }, `Genes of ${score.label}`),
        head(
          title("gene", "Gene"),
          score.signed ? th({}, "Expected") : null,
          title("mean", "Mean of cohorts", "lesional − nonlesional or healthy", true),
          columns.map((column, k) => title(String(k), column.id, column.title, true)),
        ),
        body(
          ...genes.map((g) =>
            tr(
              {},
              rowhead({}, el("a", { href: geneLink(run.genes[g.gene]) }, run.genes[g.gene])),
              score.signed ? td({}, g.sign > 0 ? "▲ up" : "▼ down") : null,
              td({ class: "r" }, mean(g) === null ? "–" : digits(mean(g), true)),
              g.values.map((v, k) => {
                const cell = td(
                  {
                    class: `heat${v && v.fdr < run.fdr ? " strong" : ""}`,
                    title: v ? `FDR ${rate(v.fdr)}` : missing(run.cohorts[columns[k].c], g.gene),
                  },
                  v ? digits(v.value, true) : "–",
                );
                if (v) cell.style.background = heat(v.value, largest);
                return cell;
              }),
            ),
          ),
        ),
      ),
    );
  };
  draw();
  return [
    el(
      "h2",
      {},
      score.name === "global"
        ? `The ${genes.length} genes with the largest weights on the axis`
        : `Its ${count(genes.length, "gene")}`,
    ),
    el(
      "p",
      { class: "lead" },
      `log2 differences; bold: FDR below ${run.fdr}; – : no value. A gene leads to its own page.`,
    ),
    holder,
  ];
}
function showScore(name, parts) {
  const known_ = new Set([
    ...run.cohorts.flatMap((cohort) => indexRows(cohort).map((row) => row.name)),
    ...sets.keys(),
  ]);
  const chosen = known_.has(name) ? name : run.scores[0].name;
  const score = sets.get(chosen) || {
    name: chosen,
    label: listed(chosen),
    topic: "Other scores",
    genes: [],
    signed: true,
  };
  document.title = `${score.label}: explorer`;
  // A link from an older run, or a slip of the pen: what is shown in its place is named.
  const unknown = name && name !== chosen ? `No score is called ${name}; this is ${score.label}.` : "";
  if (unknown) say(unknown);
  const topics = new Map();
  for (const s of [
    ...run.scores.filter((s) => s.primary >= 0).sort((a, b) => a.primary - b.primary),
    ...run.scores.filter((s) => s.primary < 0),
  ]) {
    const topic = s.primary >= 0 ? "Primary family" : s.topic;
    topics.set(topic, [...(topics.get(topic) || []), s]);
  }
  const rest = [...known_].filter((n) => !sets.has(n));
  if (rest.length)
    topics.set(
      "Other scores",
      rest.map((n) => ({ name: n, label: listed(n) })),
    );
  const select = el(
    "select",
    {
      id: "score",
      onchange: (event) => {
        location.hash = `score=${encodeURIComponent(event.target.value)}`;
      },
    },
    [...topics].map(([topic, own]) =>
      el(
        "optgroup",
        { label: topic },
        own.map((s) => el("option", { value: s.name, selected: s.name === chosen }, s.label)),
      ),
    ),
  );
  const redraws = [];
  const ordered = [...run.cohorts].sort((a, b) => hasIndex(b, chosen) - hasIndex(a, chosen));
  swap(
    viewHead(
      score.label,
      `How far the arms are back. ${scales()}${run.patients === "none" ? "" : " Thin lines are single patients, as the model estimates them."}`,
      unknown ? el("p", { class: "why" }, unknown) : null,
      el("label", { for: "score" }, "Score"),
      select,
      button(
        "CSV",
        () =>
          indexCsv(
            run.cohorts.flatMap(indexRows).filter((row) => row.name === chosen),
            fileName("score", chosen),
          ),
        { id: "csv" },
      ),
      button("SVG", () => scoreSvg(score), { id: "svg" }),
    ),
    el(
      "div",
      { class: "grid" },
      ordered.map((cohort) => scoreCard(cohort, score, redraws)),
    ),
    el(
      "section",
      { class: "card" },
      score.genes.length
        ? memberTable(score, parts)
        : el("p", { class: "why" }, "The genes of this score are in the file that names it."),
    ),
    el(
      "p",
      { class: "note" },
      marksNote(),
    ),
  );
  for (const draw of redraws) draw();
  redraw = redraws;
  say(
    `${score.label}: index in ${count(run.cohorts.filter((c) => hasIndex(c, chosen)).length, "cohort")}, ${count(score.genes.length, "gene")}.`,
  );
}
const hasIndex = (cohort, name) =>
  indexRows(cohort).some((row) => row.name === name && row.ni !== null) ? 1 : 0;
let redraw = [];
function scoreSvg(score) {
  const width = 820,
    content = [word(20, 32, score.label, { "font-size": 20, "font-weight": 700 })];
  let y = 48;
  for (const cohort of run.cohorts) {
    const drawn = chart(cohort, score.name, width - 40, LIGHT);
    if (!drawn) continue;
    content.push(word(20, y + 16, fullName(cohort), { "font-weight": 700, "font-size": 14 }));
    drawn.picture.setAttribute("x", 20);
    drawn.picture.setAttribute("y", y + 22);
    content.push(drawn.picture);
    y += 30 + drawn.height;
  }
  content.push(
    word(
      20,
      y + 20,
      `Normalization index with ${level(run.confidence.index)} interval; hollow: exploratory; thin lines: single patients.`,
      { "font-size": 11, fill: LIGHT.soft },
    ),
    word(20, y + 36, small(), { "font-size": 11, fill: LIGHT.soft }),
  );
  saveSvg(fileName("score", score.name) + ".svg", width, y + 50, content, score.label);
}
