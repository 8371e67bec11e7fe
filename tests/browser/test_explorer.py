"""The explorer in a browser without a network: what a reader does with it."""

from __future__ import annotations

import csv
import io
import re
from xml.etree import ElementTree

import pytest

from adnorm.base.shipped import PACKAGE
from adnorm.base.stops import Stop, write_stop
from adnorm.base.tables import read_table
from adnorm.base.text import points
from builders.explorer import HOSTILE, make_cohort, make_page

expect = pytest.importorskip("playwright.sync_api").expect

VIEWS = (
    "#",
    "#gene=IL13",
    "#gene=IL13&samples=1",
    "#score=itch_core_skin_up",
    "#index",
    "#gene=XX",
)


@pytest.fixture(scope="module")
def made(repository, tmp_path_factory):
    """Files of two cohorts, and their page; a third one stopped."""
    root = tmp_path_factory.mktemp("explorer")
    psoriasis = {"disease": "psoriasis", "simulated": False, "assay": "microarray"}
    cohorts = {
        "alpha": make_cohort(root, "alpha", repository),
        "beta": make_cohort(
            root,
            "beta",
            repository,
            facts=psoriasis,
            arms={"drug 10 mg": 8, "healthy": 5},
            states=("lesional",),
        ),
    }
    stopped = {key: root / "gamma" / path.name for key, path in cohorts["alpha"].items()}
    for path in stopped.values():
        write_stop(path, Stop("gamma", "effects", "too few patients"))
    return cohorts, make_page(root, repository, cohorts | {"gamma": stopped})


@pytest.fixture(scope="module")
def hostile(repository, tmp_path_factory):
    """A page in which genes, arms, patients and titles are not what they should be."""
    root = tmp_path_factory.mktemp("hostile")
    rename = {"drug 20 mg": f"{HOSTILE} 20 mg", "FLG": HOSTILE, "p0": HOSTILE}
    made = make_cohort(root, "alpha", repository, rename=rename, facts={"disease": HOSTILE})
    settings = {"figures": {"explorer": {"patients": "named"}}, "titles": {"alpha": HOSTILE}}
    return make_page(root, repository, {"alpha": made}, **settings)


@pytest.fixture
def visit(browser_page, made):
    """Open the page at an address of it."""

    def go(address="#", page=None, **media):
        if media:
            browser_page.emulate_media(**media)
        browser_page.goto("about:blank")
        browser_page.goto(f"{(page or made[1]).as_uri()}{address}")
        browser_page.wait_for_selector("html[data-ready]")
        return browser_page

    return go


def heading(page) -> str:
    return page.locator("h1").inner_text()


def titled(page, start: str) -> None:
    """Wait until the title of the page begins so.

    Not `wait_for_function`: from its second look on it evaluates text in the page, which the
    page's own rules refuse, so it works only where the title is there at the first look.
    """
    expect(page).to_have_title(re.compile(f"^{re.escape(start)}"), timeout=30_000)


def download(page, button: str) -> str:
    with page.expect_download() as saved:
        page.click(button)
    return saved.value.path().read_text("utf-8")


def card(page, cohort: str):
    return page.locator(f"section[aria-label='{cohort}']")


# ---------------------------------------------------------------- finding a gene


def test_an_example_leads_to_its_gene_and_back(visit):
    page = visit()
    assert heading(page) == "And this gene?"
    page.get_by_role("button", name="FLG", exact=True).click()
    titled(page, "FLG")
    assert heading(page) == "FLG" and page.url.endswith("#gene=FLG")
    page.go_back()
    titled(page, "Explorer")
    assert heading(page) == "And this gene?"


def test_a_gene_is_found_with_the_keyboard_alone(visit):
    page = visit()
    page.keyboard.press("/")
    page.keyboard.type("ccl1")
    box = page.get_by_role("combobox", name="Gene, other name of it or score")
    assert box.get_attribute("aria-expanded") == "true"
    first = page.locator("#options li b").first.inner_text()
    assert first.startswith("CCL1")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    active = box.get_attribute("aria-activedescendant")
    chosen = page.locator(f"#{active}")
    assert chosen.get_attribute("aria-selected") == "true"
    name = chosen.locator("b").inner_text()
    assert name != first
    page.keyboard.press("Enter")
    titled(page, name)
    assert heading(page) == name
    assert box.get_attribute("aria-expanded") == "false"
    assert name in page.get_by_role("status").inner_text()


def test_escape_closes_the_completion(visit):
    page = visit()
    page.fill("#box", "il")
    assert page.locator("#options").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#options").is_hidden() and page.input_value("#box") == ""


@pytest.mark.parametrize("typed", ["IL8", "il8"])
def test_an_older_symbol_leads_to_the_gene_of_today(visit, typed):
    page = visit()
    page.fill("#box", typed)
    assert "was IL8" in page.locator("#options li").first.inner_text()
    page.keyboard.press("Enter")
    titled(page, "IL8")
    assert heading(page) == "CXCL8"
    assert "IL8 is an older symbol of CXCL8" in page.locator("main").inner_text()


def test_a_score_is_found_by_its_name(visit):
    page = visit()
    page.fill("#box", "hyperprolif")
    page.keyboard.press("Enter")
    titled(page, "Barrier")
    assert "#score=barrier_hyperproliferation_up" in page.url


@pytest.mark.parametrize("typed", ["itch core", "core ITCH", "Itch: core (skin)"])
def test_words_of_a_score_find_it_in_any_order(visit, typed):
    page = visit()
    page.fill("#box", typed)
    page.keyboard.press("Enter")
    page.locator("h1", has_text="Itch: core (skin)").wait_for()
    assert page.url.endswith("#score=itch_core_skin_up")


@pytest.mark.parametrize(
    ("typed", "gene", "told"),
    [
        ("TARC", "CCL17", "TARC is a usual name of CCL17"),
        # Not the longer name of CCL26.
        ("eotaxin", "CCL11", "eotaxin is a usual name of CCL11"),
        ("il-31", "IL31", ""),
        ("CCL 17", "CCL17", ""),
        ("hbd2", "DEFB4A", "hBD-2 is a usual name of DEFB4A"),
        ("IL-4Ra", "IL4R", "IL-4Rα is a usual name of IL4R"),
        ("Filaggrin", "FLG", "filaggrin is a usual name of FLG"),
        ("lor", "LORICRIN", "LOR is an older symbol of LORICRIN"),
    ],
)
def test_usual_names_and_ways_to_write_a_symbol_lead_to_the_gene(visit, typed, gene, told):
    page = visit()
    page.fill("#box", typed)
    page.keyboard.press("Enter")
    page.locator("h1", has_text=gene).wait_for()
    assert heading(page) == gene
    assert told in page.locator("main .lead").first.inner_text()


def test_a_name_that_nothing_has_is_told_with_what_may_have_been_meant(visit):
    page = visit()
    page.fill("#box", "CCL177")
    page.keyboard.press("Enter")
    page.locator("h1", has_text="CCL177").wait_for()
    text = page.locator("main .lead").inner_text()
    assert text.startswith("No gene or score is called CCL177") and "did you mean" in text
    assert "CCL17" in page.get_by_role("list", name="Similar names").inner_text()
    page = visit("#gene=itch%20nonsense")
    page.get_by_role("link", name="Itch: core (skin)", exact=True).click()
    page.locator("h1", has_text="Itch: core (skin)").wait_for()
    text = visit("#gene=qqqqqqqqqqq").locator("main .lead").inner_text()
    assert "did you mean" not in text


def test_a_symbol_that_no_gene_has_is_told_with_similar_ones(visit):
    page = visit("#gene=IL1")
    assert "No gene or score is called IL1, in the tables" in page.locator("main").inner_text()
    page.get_by_role("link", name="IL13", exact=True).click()
    titled(page, "IL13")


# ---------------------------------------------------------------- a gene


def digits(value: float, sign: bool = False) -> str:
    text = f"{value:{'+' if sign else ''}.2f}"
    return ("0.00" if float(text) == 0 else text).replace("-", "−")


def test_the_numbers_of_a_gene_are_those_of_the_table(visit, made):
    from scipy import stats

    page = visit("#gene=IL13")
    lines = card(page, "alpha").locator("tbody tr:not(.group):not(.axisrow)")
    table = read_table(made[0]["alpha"]["effects"]).set_index(["contrast", "gene"])
    contrasts = ["lesional-nonlesional@0"]
    contrasts += [
        f"change:{arm}@{week}"
        for arm in ("placebo", "drug 10 mg", "drug 20 mg")
        for week in (2, 12)
    ]
    contrasts += [f"change:drug {dose} mg-placebo@{week}" for dose in (10, 20) for week in (2, 12)]
    assert lines.count() == len(contrasts)
    for i, contrast in enumerate(contrasts):
        row = table.loc[contrast, "IL13"]
        half = stats.t.ppf(0.975, 17.3) * row["standard_error"]
        shown = lines.nth(i).locator("td.value").inner_text()
        low, high = row["log2_fold_change"] - half, row["log2_fold_change"] + half
        numbers = re.findall(r"[+−]?\d+\.\d\d+", shown)
        assert numbers == [digits(row["log2_fold_change"], True), digits(low), digits(high)]
        filled = lines.nth(i).locator("circle").get_attribute("fill")
        assert (filled != "#ffffff") == (row["fdr"] < 0.05)
    assert "n = 8 and 8" in lines.nth(7).inner_text()


def test_what_is_not_nothing_is_not_written_as_zero(visit):
    script = (PACKAGE / "figures/explorer/templates/tables.js").read_text()
    numbers = script.partition("- numbers\n")[2].partition("// ---")[0]
    told = visit("#gene=IL13").evaluate(
        f"(() => {{ const NBSP = '\xa0'; {numbers} return "
        "[percents(0.0731, -0.0031, 0.143), percents(0, 0, -0.004), pointed(0.0044, 0, 1),"
        " interval(0.41, -0.004, 0.003), interval(0, -1, 1)]; })()"
    )
    assert [text.replace("\xa0", " ") for text in told] == [
        "7 % (−0.3 to 14)",
        "0 % (0 to −0.4)",
        "0.4 points (0 to 100)",
        "+0.41 (−0.004 to 0.003)",
        "0.00 (−1.00 to 1.00)",
    ]


#: What the classes of gene_index.tsv, or their reasons, are called on the page.
WORDS = {
    "reversed": "interval above 75 %",
    "partial": "interval above 0 and includes 75 %",
    "residual": "interval below 75 %",
    "worsened": "interval below 0",
    "interval includes 0 and 75 %: inconclusive": "inconclusive: includes 0 and 75 %",
    "disease effect too small against its standard error": "baseline difference too small",
}


def test_the_index_of_a_gene_is_that_of_the_table_to_the_per_cent_with_its_interval(visit, made):
    index = read_table(made[0]["alpha"]["gene_index"])
    index = index[index["reference"] == "nonlesional"]
    effects = read_table(made[0]["alpha"]["effects"]).set_index(["contrast", "gene"])
    named = ["CCL17", "CCL22", "FLG", "IL13", "KRT16", "OSM", "S100A7", "IL4R"]
    kinds = set()
    for gene in sorted(set(index["gene"]) & set(named)):
        page = visit(f"#gene={gene}")
        rows = card(page, "alpha").locator("tbody tr:not(.group):not(.axisrow)")
        told = [
            (row.locator("td.ni").inner_text().replace("\xa0", " "), "muted" in classes)
            for row in rows.all()
            if (classes := row.locator("td.ni").get_attribute("class"))
        ][1:7]
        places = [(a, w) for a in ("placebo", "drug 10 mg", "drug 20 mg") for w in (2, 12)]
        for (text, muted), (arm, week) in zip(told, places, strict=True):
            row = index.query("gene == @gene and arm == @arm and week == @week").iloc[0]
            known = row["ni"] == row["ni"]
            why = row["reason"] if row["class"] == "not estimable" else row["class"]
            assert text.endswith(WORDS.get(why, why)), (text, why)
            assert "partial" not in text and "not estimable" not in text
            fdr = effects.loc[(f"change:{arm}@{week}", gene), "fdr"]
            assert muted == (not known or fdr >= 0.05)
            kinds.add((why, known))
            if known:
                value, low, high = (points(row[name]) for name in ("ni", "lower", "upper"))
                assert f"{value} % ({low} to {high})" in text
            else:
                assert text.startswith("none")
    assert len(kinds) > 2 and {known for _, known in kinds} >= {True}
    head = card(page, "alpha").locator("thead").inner_text()
    assert head.count("of the arm alone: descriptive") == 1


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("+", ""))


def test_a_gene_below_the_filter_or_not_on_the_platform_says_so(visit):
    page = visit("#gene=IL31")
    text = card(page, "alpha").inner_text()
    assert "IL31 was measured and lies below the expression filter (genes with at least 10" in text
    page = visit("#gene=IFNG")
    assert "IFNG is not in the deposited table (GPL1)." in card(page, "alpha").inner_text()
    assert "IFNG is not measured on the platform (GPL1)." in card(page, "beta").inner_text()
    page = visit("#gene=STILL")
    assert "do not vary" in card(page, "alpha").inner_text()


def test_diseases_simulation_and_stopped_cohorts_are_named(visit):
    page = visit("#gene=IL13")
    assert "1 of 2 cohorts are simulated" in page.locator("#banner").inner_text()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert page.evaluate("scrollY") > 100
    assert page.locator("#banner").bounding_box()["y"] >= 0
    assert "PSORIASIS" in card(page, "beta").inner_text()
    assert "SIMULATED" in card(page, "alpha").inner_text()
    assert "SIMULATED" not in card(page, "beta").inner_text()
    # Five healthy people are few.
    assert "°" in card(page, "beta").locator("td.explore").first.inner_text()
    foot = page.locator("#foot").inner_text()
    assert "Not treatment advice" in foot
    assert "gamma is not here: it stopped at the stage effects. too few patients" in foot


def test_sample_values_come_behind_a_switch_that_the_address_remembers(visit):
    page = visit("#gene=IL13")
    assert page.locator(".panels").count() == 0
    page.get_by_role("switch", name="Sample values").check()
    page.wait_for_selector(".panels circle")
    assert "samples=1" in page.url
    panels = card(page, "alpha").locator("figure")
    assert panels.locator("figcaption").all_inner_texts() == [
        "placebo n = 8",
        "drug 10 mg n = 8",
        "drug 20 mg n = 7",
    ]
    legend = card(page, "alpha").locator(".legend").inner_text()
    assert "NL: nonlesional skin" in legend and "H: healthy" not in legend
    assert "H: healthy skin" in card(page, "beta").locator(".legend").inner_text()
    # 8 patients with 2 states before and 2 visits after.
    assert panels.first.locator("circle").count() == 32
    assert panels.first.locator("path").count() == 8
    panels.first.locator("circle").first.hover()
    tip = page.locator("#tip")
    assert re.fullmatch(r"patient \d+, \w+(, week \d+)?: \d+\.\d", tip.inner_text())
    page.reload()
    page.wait_for_selector(".panels circle")


def test_a_gene_goes_out_as_csv_and_svg(visit, made):
    page = visit("#gene=IL13")
    rows = list(csv.DictReader(io.StringIO(download(page, "#csv"))))
    table = read_table(made[0]["alpha"]["effects"]).set_index(["contrast", "gene"])
    first = rows[0]
    expected = table.loc["lesional-nonlesional@0", "IL13"]
    assert first["cohort"] == "alpha" and first["simulated"] == "yes"
    assert float(first["log2_difference"]) == pytest.approx(
        expected["log2_fold_change"], abs=0.00051
    )
    assert {row["cohort"] for row in rows} == {"alpha", "beta"}
    picture = ElementTree.fromstring(download(page, "#svg"))
    words = " ".join(picture.itertext())
    assert "IL13" in words and "not treatment advice" in words and "psoriasis" in words
    assert "SIMULATED" in words and "Minus placebo" in words


# ---------------------------------------------------------------- a score


def test_a_score_shows_patients_on_hover_and_leads_to_its_genes(visit):
    page = visit("#score=itch_core_skin_up")
    chart = card(page, "alpha").locator(".chart svg")
    assert chart.locator("path.course").count() == 23
    end = chart.evaluate(
        """svg => { const line = svg.querySelector("path.course"), m = svg.getScreenCTM(),
        p = line.getPointAtLength(line.getTotalLength());
        return [p.x * m.a + m.e, p.y * m.d + m.f]; }"""
    )
    page.mouse.move(*end)
    assert re.search(r"patient \d+, .+\nweek 12: −?\d+ % of the way back", tip_of(page))
    lit = [p.get_attribute("stroke-opacity") for p in chart.locator("path.course").all()]
    assert lit.count("1") == 1
    page.mouse.move(5, 5)
    assert page.locator("#tip").is_hidden()
    genes = page.get_by_role("table", name="Genes of").get_by_role("link")
    name = genes.first.inner_text()
    genes.first.click()
    titled(page, name)
    page.go_back()
    titled(page, "Itch")
    assert page.url.endswith("#score=itch_core_skin_up")


def tip_of(page) -> str:
    return page.locator("#tip").inner_text()


def test_genes_of_a_score_are_sorted_by_effect_and_by_what_is_asked(visit):
    page = visit("#score=itch_core_skin_up")
    table = page.get_by_role("table", name="Genes of")

    def column(place: int) -> list[str]:
        texts = table.locator(f"tbody tr td:nth-of-type({place})").all_inner_texts()
        return [text for text in texts if text != "–"]

    means = [number(text) for text in column(2)]
    assert means == sorted(means, reverse=True) and len(means) > 5
    table.get_by_role("button", name="Gene", exact=True).focus()
    page.keyboard.press("Enter")
    names = table.locator("tbody th").all_inner_texts()
    assert names == sorted(names) and "by=gene" in page.url
    assert table.locator("[aria-sort=ascending]").inner_text() == "Gene ↑"


def test_another_score_is_chosen_in_the_list(visit):
    page = visit("#score")
    assert heading(page) == "Whole disease axis"
    page.get_by_label("Score", exact=True).select_option("th2")
    page.wait_for_url("**#score=th2")
    assert "No index" in card(page, "alpha").inner_text()
    page = visit("#score=ithc_core")
    told = page.locator(".head .why").inner_text()
    assert told == "No score is called ithc_core; this is Whole disease axis."
    picture = download(visit("#score=global"), "#svg")
    assert "alpha (SIMULATED)" in "".join(ElementTree.fromstring(picture).itertext())


# ---------------------------------------------------------------- the index


def lines_of(page):
    return page.locator("#table tbody tr")


def test_the_table_opens_with_the_primary_family_and_itch_is_a_click_away(visit, made):
    page = visit("#index")
    scores = set(lines_of(page).locator("a").all_inner_texts())
    assert {"Whole disease axis", "Itch: core (skin)"} <= scores
    assert page.get_by_role("button", name="Primary family").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Itch", exact=True).click()
    assert set(lines_of(page).locator("a").all_inner_texts()) == {"Itch: core (skin)"}
    assert page.url.endswith("#index&family=itch")
    table = read_table(made[0]["alpha"]["index"])
    row = table[
        (table["name"] == "itch_core_skin_up")
        & (table["arm"] == "drug 20 mg")
        & (table["week"] == 12)
        & (table["reference"] == "nonlesional")
    ].iloc[0]
    shown = lines_of(page).filter(has_text="drug 20 mg").filter(has_text="12").first.inner_text()
    expected = (round(100 * row[name]) for name in ("dni", "dni_lower", "dni_upper"))
    value, low, high = (str(v).replace("-", "−") for v in expected)
    assert f"{value} points ({low} to {high})" in shown.replace("\xa0", " ")
    # The scale of NI and that of minus placebo are told apart, and no reference is called normal.
    lead = page.locator("main .lead").first.inner_text()
    assert "NI: 0 % = as before treatment, 100 % = at the level of nonlesional skin" in lead
    assert "Minus placebo, in percentage points: 0 = as on placebo" in lead
    # beta has healthy people as its reference, and no placebo.
    assert "nonlesional skin (healthy skin in beta)." in lead
    axis = page.locator("#table th.plot").inner_text()
    assert "minus placebo, points; without placebo NI, %" in axis
    for address in VIEWS:
        assert "normal skin" not in visit(address).locator("main").inner_text()


def test_every_p_value_says_how_it_was_adjusted(visit, made):
    page = visit("#index&family=all")
    assert page.get_by_role("button", name="Adjusted p", exact=True).count() == 1
    table = read_table(made[0]["alpha"]["index"])
    primary = set(table.loc[table["family"] == "primary", "name"])
    plans = set()
    for line in lines_of(page).filter(has_text="alpha").all():
        cell = line.locator("td[data-label='adjusted p']")
        if not cell.count():
            continue
        name = re.search("score=(.+)", line.locator("a").get_attribute("href"))[1]
        expected = "Holm" if name in primary else "FDR"
        assert cell.inner_text().endswith(expected)
        plans.add(expected)
    assert "Holm" in plans


def test_rows_are_filtered_sorted_and_found_again_by_the_address(visit):
    page = visit("#index&family=all")
    everything = lines_of(page).count()
    page.fill("#find", "drug 20 week 12")
    assert 0 < lines_of(page).count() < everything
    assert all("drug 20 mg" in text for text in lines_of(page).all_inner_texts())
    page.get_by_role("button", name="NI (95 % CI)").click()
    page.get_by_role("button", name="NI (95 % CI)").click()
    shown = lines_of(page).all_inner_texts()
    numbers = [number(re.search(r"(−?\d+)\s%", text)[1]) for text in shown]
    assert numbers == sorted(numbers, reverse=True) and len(set(numbers)) > 1
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert lines_of(page).all_inner_texts() == shown
    assert page.input_value("#find") == "drug 20 week 12"
    rows = list(csv.DictReader(io.StringIO(download(page, "#csv"))))
    assert len(rows) == len(shown) and {row["arm"] for row in rows} == {"drug 20 mg"}
    picture = ElementTree.fromstring(download(page, "#svg"))
    assert "drug 20 mg" in " ".join(picture.itertext())


def test_rows_without_a_number_say_why(visit):
    page = visit("#index&family=all")
    before = lines_of(page).count()
    page.get_by_role("switch", name="Rows without a number").check()
    assert lines_of(page).count() > before
    assert "numbers=all" in page.url


def test_bold_is_what_excludes_0_minus_placebo_and_never_placebo(visit):
    page = visit("#index")
    rows = lines_of(page).filter(has=page.locator("td", has_text="placebo"))
    for row in lines_of(page).all():
        text, bold = row.inner_text(), row.locator("td.strong")
        if "alpha" not in text:
            continue
        cell = row.locator("td[data-label='minus placebo']").inner_text()
        found = re.search(r"\((−?\d+) to (−?\d+)\)", cell)
        excludes = bool(found) and number(found[1]) * number(found[2]) > 0
        if found and 0 in (number(found[1]), number(found[2])):
            continue
        assert bold.count() == int(excludes), text
    assert rows.count() > 0


# ---------------------------------------------------------------- for everybody


@pytest.mark.parametrize("address", VIEWS)
@pytest.mark.parametrize("width", [390, 768])
def test_nothing_is_wider_than_a_narrow_screen(visit, browser_page, address, width):
    browser_page.set_viewport_size({"width": width, "height": 844})
    page = visit(address)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", VIEWS)
def test_text_can_be_read_in_light_and_dark(visit, address, scheme):
    page = visit(address, color_scheme=scheme)
    faint = page.evaluate(
        """() => {
      const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
      const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ?
        v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      const ground = (node) => { const layers = []; for (let n = node; n; n = n.parentElement) {
        const c = rgb(getComputedStyle(n).backgroundColor);
        if (c.length < 3 || c[3] === 0) continue; layers.push(c); if (c.length === 3) break; }
        return layers.reverse().reduce((under, c) => [0, 1, 2].map((i) =>
          c[i] * (c[3] ?? 1) + under[i] * (1 - (c[3] ?? 1))), [255, 255, 255]); };
      const found = [];
      for (const node of document.querySelectorAll("body *")) {
        const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
        if (!own || !node.checkVisibility() || node.closest("script, option, .tip, .sr")) continue;
        const style = getComputedStyle(node), svg = node.namespaceURI.endsWith("svg");
        if (svg && node.tagName === "tspan") continue;
        const a = light(rgb(svg ? style.fill : style.color)), b = light(ground(node));
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) found.push([contrast.toFixed(2), node.textContent.slice(0, 40)]);
      }
      return found;
    }"""
    )
    assert not faint
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.search(r"\d+", ground)[0]) < 60) == (scheme == "dark")


@pytest.mark.parametrize("address", VIEWS)
def test_whatever_can_be_used_has_a_name_and_a_place_in_the_order(visit, address):
    page = visit(address)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("a[href], button, input, select, [tabindex='0']")]
      .filter((n) => !(n.getAttribute("aria-label") || n.textContent.trim() ||
        (n.labels && n.labels.length))).map((n) => n.outerHTML)"""
    )
    assert not nameless
    assert page.locator("h1").count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_pictures_have_their_numbers_beside_them(visit):
    page = visit("#score=itch_core_skin_up")
    table = card(page, "alpha").get_by_role("table").first
    assert table.get_by_role("row").count() == 10
    page.get_by_text("patients as a table").first.click()
    assert card(page, "alpha").get_by_role("table").nth(1).get_by_role("row").count() == 24
    assert "numbers stand in the table" in card(page, "alpha").get_by_role("img").get_attribute(
        "aria-label"
    )


# ---------------------------------------------------------------- names from outside


def test_hostile_names_are_shown_as_they_are_and_do_nothing(visit, browser_page, hostile):
    opened = []
    browser_page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
    page = visit("#", hostile)
    page.fill("#box", "</script")
    assert page.locator("#options li b").first.inner_text() == HOSTILE
    page.keyboard.press("Enter")
    titled(page, "</script")
    assert heading(page) == HOSTILE
    page.get_by_role("switch", name="Sample values").check()
    page.wait_for_selector(".panels circle")
    assert HOSTILE in page.locator(".panels").inner_text()
    svg = ElementTree.fromstring(download(page, "#svg"))
    assert HOSTILE in [text.strip() for text in svg.itertext()]
    assert all(
        node.tag.endswith(("svg", "title", "rect", "text", "line", "circle", "g"))
        for node in svg.iter()
    )
    text = download(page, "#csv")
    assert next(csv.DictReader(io.StringIO(text)))["gene"] == HOSTILE
    for address in ("#score=barrier_terminal_differentiation_down", "#index", f"#gene={HOSTILE}"):
        page = visit(address, hostile)
        assert page.locator("main img").count() == 0
        assert page.locator("main script").count() == 0
    assert not opened


def test_cells_that_a_spreadsheet_would_run_are_tamed(repository, tmp_path, visit):
    made = make_cohort(tmp_path, "alpha", repository, rename={"drug 20 mg": "=cmd|' /C calc'!A0"})
    page = visit("#index", make_page(tmp_path, repository, {"alpha": made}))
    text = download(page, "#csv")
    assert "'=cmd|" in text and ",=cmd" not in text
