"use strict";
(async () => {
  const panel = document.getElementById("panel"), tabs = document.getElementById("tabs");
  const wait = document.getElementById("wait");
  const CHUNK = 200;
  const collator = new Intl.Collator("en", { numeric: true });

  /* Every text goes in as text, never as markup. */
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element) element[name] = value; else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  async function unpack() {
    const text = atob(document.getElementById("packed").textContent.trim());
    const bytes = Uint8Array.from(text, letter => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  let content;
  try {
    content = await unpack();
  } catch (error) {
    wait.textContent = "This browser cannot unpack the tables (it is older than 2023): open the "
      + "page with another one, or read the tables of the results folder.";
    return;
  }

  /* ------------------------------------------------------------ what a table holds */

  for (const table of content.tables) {
    for (const column of table.columns) {
      if (column.numbers !== undefined) {
        column.number = true;
        column.words = table.rows ? column.numbers.split("\n") : [];
        column.values = Float64Array.from(column.words, word => word === "" ? NaN : Number(word));
        column.text = row => column.words[row];
      } else {
        column.text = row => column.texts[column.places[row]];
      }
    }
    table.state = { query: "", group: null, chosen: {}, sort: null, down: false, all: false };
    if (table.score) {
      const column = table.columns.find(column => column.name === table.score);
      table.scoreOf = row => column.text(row);
    }
  }

  const labelOf = name => Object.hasOwn(content.labels, name) ? content.labels[name] : name;

  /* Whether a number is exploratory: its status or its own reason says so. */
  function doubtful(table, column, row) {
    const { word, where } = content.exploratory;
    const names = Object.hasOwn(where, column.name) ? where[column.name] : [];
    return column.text(row) !== "NA" && names.some(name => {
      const told = table.columns.find(other => other.name === name);
      return told !== undefined && told.text(row).startsWith(word);
    });
  }

  /* What the search looks through: all that a row says, and the names that are shown for it. */
  function haystacks(table) {
    return table.haystacks ??= Array.from({ length: table.rows }, (_, row) => {
      const words = table.columns.map(column => column.text(row));
      if (table.scoreOf) words.push(labelOf(table.scoreOf(row)));
      return words.join("\t").toLowerCase();
    });
  }

  function chosenRows(table) {
    const { query, group, chosen, sort, down } = table.state;
    let rows = Array.from({ length: table.rows }, (_, row) => row);
    if (group !== null) {
      const names = new Set(content.groups[group].names);
      rows = rows.filter(row => names.has(table.scoreOf(row)));
    }
    for (const column of table.columns) {
      const value = chosen[column.name];
      if (value !== undefined) rows = rows.filter(row => column.text(row) === value);
    }
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) {
      const all = haystacks(table);
      rows = rows.filter(row => words.every(word => all[row].includes(word)));
    }
    const by = table.columns.find(column => column.name === sort);
    if (by) {
      const turn = down ? -1 : 1;
      const missing = by.number ? row => Number.isNaN(by.values[row])
        : row => by.text(row) === "" || by.text(row) === "NA";
      const shownText = by.name === table.score ? row => labelOf(by.text(row)) : by.text;
      const compare = by.number ? (a, b) => by.values[a] - by.values[b]
        : (a, b) => collator.compare(shownText(a), shownText(b));
      /* What is missing stands last in either direction. */
      rows.sort((a, b) => missing(a) - missing(b) || (missing(a) ? 0 : turn * compare(a, b)));
    }
    return rows;
  }

  const chosenColumns = table => table.columns.filter(column => table.state.all || column.shown);

  /* Three digits are read; the file, and what is saved, has all of them. */
  function short(word) {
    if (word === "" || word === "NA" || !/[.e]/i.test(word)) return word.replace(/^-/, "−");
    const value = Number(word);
    if (!Number.isFinite(value)) return word;
    const text = value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(1)
      : Math.abs(value) < 1000 ? value.toPrecision(3) : String(Math.round(value));
    return text.replace(/-/g, "−");
  }

  function quoted(word) {
    return /["\t\n\r]/.test(word) ? `"${word.replaceAll('"', '""')}"` : word;
  }

  function save(table) {
    const columns = chosenColumns(table);
    const lines = chosenRows(table).map(row => columns.map(column => quoted(column.text(row))));
    const text = [columns.map(column => quoted(column.name)), ...lines]
      .map(line => line.join("\t") + "\n").join("");
    const address = URL.createObjectURL(new Blob([text], { type: "text/tab-separated-values" }));
    const link = make("a", { href: address, download: table.file });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  /* ------------------------------------------------------------ what is shown */

  function cell(table, column, row) {
    const word = column.text(row);
    if (column.number) {
      const missing = word === "" || word === "NA";
      const shown = make("td", { className: missing ? "number none" : "number" }, short(word));
      if (shown.textContent.replace("−", "-") !== word) shown.title = word;
      if (doubtful(table, column, row)) {
        shown.classList.add("doubtful");
        shown.append(content.exploratory.mark);
      }
      return shown;
    }
    const long = word.length > 60 ? "long" : word.length > 14 ? "words" : "";
    if (column.name === table.score && labelOf(word) !== word) {
      return make("td", { className: "words" }, labelOf(word), make("small", {}, word));
    }
    return make("td", { className: word === "NA" ? "none" : long }, word);
  }

  function show(table) {
    const state = table.state;
    const count = make("p", { id: "count", role: "status" });
    const legend = make("p", { id: "legend", hidden: true }, `${content.exploratory.mark} exploratory: `
      + "the columns reason, dni_reason and share_reason say why");
    const body = make("tbody"), head = make("tr");
    const more = make("button", { id: "more", type: "button", hidden: true });
    let rows = [], drawn = 0;

    function extend() {
      const columns = chosenColumns(table);
      const part = rows.slice(drawn, drawn + CHUNK);
      body.append(...part.map(row => make("tr", {}, ...columns.map(c => cell(table, c, row)))));
      drawn += part.length;
      more.hidden = drawn >= rows.length;
      more.textContent = `Show ${Math.min(CHUNK, rows.length - drawn)} more rows`;
    }

    function refresh() {
      rows = chosenRows(table);
      drawn = 0;
      body.replaceChildren();
      extend();
      const some = rows.length < table.rows ? `${rows.length.toLocaleString("en")} of ` : "";
      count.textContent = `${some}${table.rows.toLocaleString("en")} rows`
        + (rows.length ? "" : table.rows ? ": nothing fits what is asked" : ": this table is empty");
      const marked = table.columns.filter(column => Object.hasOwn(content.exploratory.where, column.name));
      const doubt = rows.some(row => marked.some(column => doubtful(table, column, row)));
      legend.hidden = !doubt;
    }

    function heads() {
      head.replaceChildren(...chosenColumns(table).map(column => {
        const sorted = state.sort === column.name;
        const sign = sorted ? (state.down ? " ▼" : " ▲") : "";
        const button = make("button", { type: "button" }, column.name,
          make("span", { "aria-hidden": "true" }, sign));
        const place = make("th", { scope: "col", className: column.number ? "number" : "",
          "aria-sort": sorted ? (state.down ? "descending" : "ascending") : "none" }, button);
        button.addEventListener("click", () => {
          /* Up, down, and as it was. */
          if (!sorted) [state.sort, state.down] = [column.name, false];
          else if (!state.down) state.down = true;
          else [state.sort, state.down] = [null, false];
          heads();
          refresh();
          const again = [...head.children].find(c => c.dataset.column === column.name);
          again.firstChild.focus();
        });
        place.dataset.column = column.name;
        return place;
      }));
    }

    const search = make("input", { type: "search", value: state.query, id: "search" });
    search.addEventListener("input", () => { state.query = search.value; refresh(); });
    const tools = make("div", { className: "tools" },
      make("label", { className: "search" }, "Search", search));
    if (table.scoreOf) {
      const chips = make("div", { className: "chips", role: "group", "aria-label": "Scores" });
      const choices = [["All scores", null], ...content.groups.map((group, i) => [group.label, i])];
      for (const [label, group] of choices) {
        const chip = make("button", { type: "button" }, label);
        chip.setAttribute("aria-pressed", String(state.group === group));
        chip.addEventListener("click", () => {
          state.group = group;
          for (const other of chips.children) other.setAttribute("aria-pressed", "false");
          chip.setAttribute("aria-pressed", "true");
          refresh();
        });
        chips.append(chip);
      }
      tools.append(chips);
    }
    const filters = table.columns.filter(column => column.filter !== null)
      .sort((a, b) => a.filter - b.filter);
    for (const column of filters) {
      const values = [...new Set(column.number ? column.words : column.texts)]
        .sort(collator.compare);
      const select = make("select", {}, make("option", { value: "" }, "all"),
        ...values.map((value, i) => make("option", { value: String(i + 1) }, value || "(empty)")));
      const before = values.indexOf(state.chosen[column.name]);
      select.value = before < 0 ? "" : String(before + 1);
      select.addEventListener("change", () => {
        if (select.value === "") delete state.chosen[column.name];
        else state.chosen[column.name] = values[Number(select.value) - 1];
        refresh();
      });
      tools.append(make("label", {}, column.name, select));
    }
    if (table.columns.some(column => !column.shown)) {
      const all = make("input", { type: "checkbox", checked: state.all });
      all.addEventListener("change", () => { state.all = all.checked; heads(); refresh(); });
      tools.append(make("label", { className: "beside" }, all, "All columns"));
    }
    const keep = make("button", { type: "button", id: "save" }, `Save as ${table.file}`);
    keep.addEventListener("click", () => save(table));
    tools.append(keep);

    more.addEventListener("click", extend);
    const about = make("details", { className: "about" }, make("summary", {}, "What the columns say"));
    const words = make("p");
    table.about.split("`").forEach((part, i) => words.append(i % 2 ? make("code", {}, part) : part));
    about.append(words);
    panel.setAttribute("aria-labelledby", `tab-${table.id}`);
    const shown = make("table", { "aria-label": table.title }, make("thead", {}, head), body);
    panel.replaceChildren(about, tools, count, legend,
      make("div", { className: "rows", tabIndex: 0, role: "region", "aria-label": table.title },
        shown), more);
    heads();
    refresh();
  }

  function open(table, focus) {
    for (const tab of tabs.children) {
      const own = tab.id === `tab-${table.id}`;
      tab.setAttribute("aria-selected", String(own));
      tab.tabIndex = own ? 0 : -1;
      if (own) {
        tab.scrollIntoView({ block: "nearest", inline: "nearest" });
        if (focus) tab.focus();
      }
    }
    show(table);
  }

  content.tables.forEach((table, i) => {
    const tab = make("button", { type: "button", role: "tab", id: `tab-${table.id}`,
      "aria-controls": "panel" }, table.title);
    tab.addEventListener("click", () => open(table, true));
    tab.addEventListener("keydown", event => {
      const last = content.tables.length - 1;
      const next = { ArrowRight: i < last ? i + 1 : 0, ArrowLeft: i ? i - 1 : last, Home: 0,
        End: last }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      open(content.tables[next], true);
    });
    tabs.append(tab);
  });

  function named() {
    return content.tables.find(table => `#${table.id}` === location.hash);
  }
  window.addEventListener("hashchange", () => { if (named()) open(named(), false); });
  open(named() ?? content.tables[0], false);
})();
