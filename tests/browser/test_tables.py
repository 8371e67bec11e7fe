"""The page of tables in a browser: sorted, searched, chosen, saved, and harmless."""

from __future__ import annotations

import csv
import re

import pytest

from builders.hostile import hostile


@pytest.fixture(scope="module")
def folder(hostile_run):
    return hostile_run / "out"


@pytest.fixture
def tables(folder, browser_page):
    browser_page.goto((folder / "lab" / "figures" / "tables.html").as_uri())
    browser_page.locator("tbody tr").first.wait_for()
    return browser_page


def rows_of(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def column(page, name: str) -> list[str]:
    """What stands in a column, as it is shown."""
    heads = [text.strip(" ▲▼") for text in page.locator("thead th").all_inner_texts()]
    place = heads.index(name) + 1
    return page.locator(f"tbody td:nth-child({place})").all_inner_texts()


def sort_by(page, name: str) -> None:
    page.get_by_role("columnheader", name=name, exact=True).get_by_role("button").click()


def number(text: str) -> float:
    return float(text.replace("−", "-").rstrip("°"))


def counted(page) -> int:
    return int(re.match(r"[\d,]+", page.inner_text("#count"))[0].replace(",", ""))


def test_the_primary_family_stands_first_and_itch_is_one_click_away(tables, folder):
    assert counted(tables) == len(rows_of(folder / "lab" / "index" / "index.tsv"))
    assert "Whole disease axis" in column(tables, "name")[0]
    tables.get_by_role("button", name="Itch", exact=True).click()
    shown = column(tables, "name")
    assert len(shown) > 2
    assert all("itch" in text.lower() for text in shown)
    tables.get_by_role("button", name="Primary family").click()
    assert 0 < counted(tables) < len(shown)


def test_numbers_are_sorted_as_numbers_and_what_is_missing_stands_last(tables):
    tables.get_by_role("tab", name="Changes of gene sets").click()
    for sign in (1, -1):
        sort_by(tables, "p_value")
        shown = column(tables, "p_value")
        numbers = [sign * number(text) for text in shown if text not in ("", "NA")]
        assert len(numbers) > 20
        assert numbers == sorted(numbers)
        missing = [text in ("", "NA") for text in shown]
        assert missing == sorted(missing)
    assert tables.get_by_role("columnheader", name="p_value").get_attribute("aria-sort") == (
        "descending"
    )
    tables.get_by_role("tab", name="Index", exact=True).click()
    sort_by(tables, "ni")
    shown = column(tables, "ni")
    assert "NA" in shown
    assert shown.index("NA") > 3
    assert set(shown[shown.index("NA") :]) == {"NA"}


def test_what_is_exploratory_is_marked(tables, folder):
    written = rows_of(folder / "lab" / "index" / "index.tsv")
    doubtful = [row for row in written if row["status"] == "exploratory" and row["ni"] != "NA"]
    assert sum(text.endswith("°") for text in column(tables, "ni")) == len(doubtful) > 0
    assert len(doubtful) < len(written)
    assert tables.locator("#legend").is_visible()
    assert tables.locator("td.doubtful").first.evaluate("e => getComputedStyle(e).fontStyle") == (
        "italic"
    )
    tables.get_by_role("tab", name="Coverage").click()
    assert not tables.locator("#legend").is_visible()


def test_search_and_choices_are_joined(tables, folder):
    tables.get_by_role("tab", name="Samples").click()
    samples = rows_of(folder / "lab" / "expression" / "samples.tsv")
    tables.get_by_label("week").select_option("12")
    late = [row for row in samples if row["week"] == "12"]
    assert counted(tables) == len(late)
    tables.get_by_label("Search").fill("P3 lesional")
    # Words of any case, in any column, all of which must be there.
    expected = [
        r for r in late if all(w in "\t".join(r.values()).lower() for w in ("p3", "lesion"))
    ]
    assert counted(tables) == len(expected) > 0
    tables.get_by_label("Search").fill("no such word")
    assert tables.inner_text("#count").endswith("nothing fits what is asked")
    # Every table keeps what was asked of it.
    tables.get_by_role("tab", name="Index", exact=True).click()
    assert tables.get_by_label("Search").input_value() == ""
    tables.get_by_role("tab", name="Samples").click()
    assert tables.get_by_label("Search").input_value() == "no such word"


def test_what_is_shown_is_saved_as_it_was_written(tables, folder, tmp_path):
    tables.get_by_label("All columns").check()
    tables.get_by_role("button", name="Primary family").click()
    with tables.expect_download() as saved:
        tables.get_by_role("button", name="Save as lab_index.tsv").click()
    assert saved.value.suggested_filename == "lab_index.tsv"
    saved.value.save_as(tmp_path / "saved.tsv")
    kept = rows_of(tmp_path / "saved.tsv")
    written = rows_of(folder / "lab" / "index" / "index.tsv")
    assert len(kept) == counted(tables) > 0
    assert all(row in written for row in kept)
    assert {row["name"] for row in kept} >= {"global"}


def test_hostile_texts_are_texts(tables):
    for tab in tables.get_by_role("tab").all():
        tab.click()
    assert tables.locator("tbody img, tbody script, tbody svg, select img").count() == 0
    tables.get_by_role("tab", name="Samples").click()
    assert any("onerror" in text for text in column(tables, "sample"))
    assert tables.evaluate("document.documentElement.dataset.ran") is None


def test_texts_of_the_deposit_stay_in_the_results(tables, folder):
    sheet = (folder / "lab" / "expression" / "samples.tsv").read_text()
    assert "geo_" in sheet
    tables.get_by_role("tab", name="Samples").click()
    heads = tables.locator("thead th").all_inner_texts()
    assert not any(head.startswith("geo_") for head in heads)
    assert hostile("note")[:4] not in tables.content()


def test_keys_move_between_tables_and_sort(tables):
    tables.locator("#tab-index").focus()
    tables.keyboard.press("ArrowRight")
    chosen = tables.get_by_role("tab", selected=True)
    assert chosen.inner_text() == "Other analyses"
    tables.keyboard.press("End")
    assert chosen.inner_text() == "Negative controls"
    tables.keyboard.press("Home")
    tables.get_by_role("columnheader", name="arm").get_by_role("button").focus()
    tables.keyboard.press("Enter")
    head = tables.get_by_role("columnheader", name="arm")
    assert head.get_attribute("aria-sort") == "ascending"
    # The focus stays where it was.
    assert tables.evaluate("document.activeElement.textContent").startswith("arm")


def test_a_table_is_linked_to_by_its_name(folder, browser_page):
    page = (folder / "lab" / "figures" / "tables.html").as_uri()
    browser_page.goto(f"{page}#coverage")
    browser_page.locator("tbody tr").first.wait_for()
    assert browser_page.get_by_role("tab", selected=True).inner_text() == "Coverage"


def test_the_head_stays_and_a_telephone_does_not_scroll_the_page_sideways(tables):
    tables.set_viewport_size({"width": 390, "height": 844})
    assert tables.evaluate("document.documentElement.scrollWidth") <= 390
    tables.locator(".rows").evaluate("e => e.scrollTo(0, 300)")
    top = tables.locator(".rows").bounding_box()["y"]
    assert abs(tables.locator("thead th").first.bounding_box()["y"] - top) < 3


def test_tables_of_all_cohorts(folder, browser_page):
    browser_page.goto((folder / "atlas" / "tables.html").as_uri())
    browser_page.locator("tbody tr").first.wait_for()
    assert browser_page.get_by_role("tab").all_inner_texts() == ["Dose", "Time", "Drug classes"]
    assert browser_page.locator("#save").inner_text() == "Save as atlas_dose.tsv"
    assert counted(browser_page) == len(rows_of(folder / "atlas" / "dose.tsv"))


def test_long_tables_are_shown_in_parts(tables):
    tables.get_by_role("tab", name="Patients").click()
    total = counted(tables)
    assert total > 200
    assert tables.locator("tbody tr").count() == 200
    tables.locator("#more").click()
    assert tables.locator("tbody tr").count() == min(400, total)
