from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from adnorm.base.stops import Stop, write_stop
from adnorm.base.tables import read_table
from adnorm.figures import names
from adnorm.figures.explorer.cohort import CohortResults
from adnorm.figures.explorer.packing import MISSING, NO_SHARE
from adnorm.study.comparisons import derive_design, design_tables
from adnorm.study.config import ExplorerSettings, RunConfig
from builders.explorer import (
    FREEDOM,
    HOSTILE,
    arrays_of,
    blocks_of,
    core_of,
    effects_of,
    inflate,
    make_cohort,
    make_page,
)


@pytest.fixture(scope="module")
def cohorts(repository, tmp_path_factory):
    root = tmp_path_factory.mktemp("cohorts")
    healthy = {"arms": {"drug 10 mg": 8, "healthy": 5}, "states": ("lesional",)}
    return {
        "alpha": make_cohort(root, "alpha", repository),
        "beta": make_cohort(
            root,
            "beta",
            repository,
            facts={"disease": "psoriasis", "simulated": False, "assay": "microarray"},
            **healthy,
        ),
    }


@pytest.fixture(scope="module")
def page(cohorts, repository, tmp_path_factory):
    return make_page(tmp_path_factory.mktemp("page"), repository, cohorts)


def written(table: pd.DataFrame, contrast: str, genes: list[str]) -> pd.DataFrame:
    return table[table["contrast"] == contrast].set_index("gene").reindex(genes)


def contrast_of(row, arms) -> str:
    group, label, arm, week, _ = row
    if group == "disease":
        return f"{label.replace(' − ', '-')}@0"
    placebo = "-placebo" if group == "difference" else ""
    return f"change:{arms[arm]['name']}{placebo}@{week:g}"


# ---------------------------------------------------------------- numbers of the tables


def test_effects_intervals_and_rates_are_those_of_the_table(page, cohorts):
    core = core_of(page)
    for number, (name, paths) in enumerate(sorted(cohorts.items())):
        told, arrays = core["cohorts"][number], arrays_of(page, number)
        assert told["id"] == name
        table = read_table(paths["effects"])
        genes = [core["genes"][i] for i in told["genes"]]
        shape = (len(told["rows"]), len(genes))
        estimate, half, fdr = (arrays[k].reshape(shape) for k in ("estimate", "half", "fdr"))
        assert "STILL" in genes
        for i, row in enumerate(told["rows"]):
            rows = written(table, contrast_of(row, told["arms"]), genes)
            there = rows["t"].notna().to_numpy()
            assert there.sum() == len(genes) - 1
            assert (estimate[i][~there] == MISSING).all()
            # What the page shows is what the table gives with two decimals.
            true = rows["log2_fold_change"][there].to_numpy()
            wide = (stats.t.ppf(0.975, FREEDOM) * rows["standard_error"][there]).to_numpy()
            codes, halves = estimate[i][there].astype(int), half[i][there].astype(int)
            np.testing.assert_allclose(codes / 1000, true, atol=0.0016)
            np.testing.assert_allclose(halves / 1000, wide, atol=0.0026)
            for shown, number in (
                (codes, true),
                (codes - halves, true - wide),
                (codes + halves, true + wide),
            ):
                assert (shown % 10 != 5).all()
                np.testing.assert_array_equal(np.rint(shown / 10), np.rint(100 * number))
            decoded = [decode_rate(int(code)) for code in fdr[i][there]]
            true = rows["fdr"][there].to_numpy()
            # Cut after three digits: never larger, and on the same side of every limit.
            assert all(d <= r * (1 + 1e-6) for d, r in zip(decoded, true, strict=True))
            assert all(d >= r * 0.99 or r < 0.001 for d, r in zip(decoded, true, strict=True))
            assert ((np.array(decoded) < 0.05) == (true < 0.05)).all()


def decode_rate(code: int) -> float:
    if code == 0:
        return 0.0
    return ((code - 1) % 900 + 100) * 10.0 ** ((code - 1) // 900 - 5)


def test_rows_are_the_disease_then_arms_by_visits_then_minus_placebo(page):
    alpha, beta = core_of(page)["cohorts"]
    assert [row[0] for row in alpha["rows"]] == ["disease"] + 6 * ["change"] + 4 * ["difference"]
    labels = [(row[1], row[3]) for row in alpha["rows"][1:7]]
    arms = ("placebo", "drug 10 mg", "drug 20 mg")
    assert labels == [(arm, week) for arm in arms for week in (2, 12)]
    # A difference rests on the patients of both arms, a comparison with healthy people on both.
    assert alpha["rows"][7][4] == [8, 8] and alpha["rows"][-1][4] == [7, 8]
    assert beta["rows"][0][1:] == ["lesional − healthy", -1, None, [8, 5]]
    assert beta["refused"]["difference"] == "the cohort has no placebo arm"
    assert "disease" not in alpha["refused"]


def test_the_index_of_genes_is_that_of_the_table(page, cohorts):
    core = core_of(page)
    told, arrays = core["cohorts"][0], arrays_of(page, 0)
    table = read_table(cohorts["alpha"]["gene_index"])
    place = {core["genes"][gene]: i for i, gene in enumerate(told["genes"])}
    visits = {tuple(visit): i for i, visit in enumerate(told["gene_index"]["visits"])}
    arms = {arm["name"]: i for i, arm in enumerate(told["arms"])}
    size, numbers, classes = len(place), 0, table["class"]
    for row in table.itertuples():
        at = visits[arms[row.arm], row.week] * size + place[row.gene]
        text = told["gene_index"]["classes"][arrays["class"][at]]
        assert text.split(": ")[0] == classes[row.Index]
        if np.isnan(row.ni):
            assert arrays["gene_ni"][at] == NO_SHARE
            assert text.endswith(row.reason)
        else:
            numbers += 1
            for column in ("ni", "lower", "upper"):
                expected = getattr(row, column)
                shown = arrays[f"gene_{column}"][at] / 1e6
                assert shown == pytest.approx(expected, abs=5.1e-7)
                # Rounded once, so that the page and the table agree on every per cent.
                assert round(100 * shown) == round(100 * expected)
    assert numbers > 100


def test_the_index_and_courses_are_those_of_the_tables(page, cohorts):
    told, arrays = core_of(page)["cohorts"][0], arrays_of(page, 0)
    table = read_table(cohorts["alpha"]["index"])
    table = table[table["reference"] == "nonlesional"]
    columns, words = told["index"]["columns"], told["index"]["words"]
    assert told["index"]["reference"] == "nonlesional"
    assert [words[i] for i in columns["name"]] == list(table["name"])
    assert [told["arms"][i]["name"] for i in columns["arm"]] == list(table["arm"])
    for name in ("ni", "lower", "upper", "dni", "dni_lower", "dni_upper"):
        shown = [np.nan if v is None else v for v in columns[name]]
        np.testing.assert_allclose(shown, table[name], atol=5.1e-7)
    courses = read_table(cohorts["alpha"]["trajectories"])
    courses = courses[courses["response"].notna() & (courses["reference"] == "nonlesional")]
    keys, scores = told["courses"]["keys"], told["courses"]["names"]
    response = arrays["response"].reshape(len(scores), len(keys))
    assert (response != NO_SHARE).sum() == len(courses) > 50
    one = courses.iloc[7]
    people = sorted_people(cohorts["alpha"])
    key = [people.index(one["patient"]), arm_at(told, one["arm"]), one["week"]]
    assert response[scores.index(one["name"]), keys.index(key)] / 1e6 == pytest.approx(
        one["response"], abs=5.1e-7
    )


def arm_at(told, name):
    return [arm["name"] for arm in told["arms"]].index(name)


def sorted_people(paths):
    import anndata

    obs = anndata.read_h5ad(paths["expression"]).obs
    rank = {"healthy": 0, "placebo": 1, "drug 10 mg": 2, "drug 20 mg": 3}
    pairs = {(rank[a], p) for a, p in zip(obs["arm"], obs["patient"].astype(str), strict=True)}
    return [patient for _, patient in sorted(pairs)]


def test_sample_values_are_those_of_the_container(page, cohorts):
    import anndata

    core = core_of(page)
    told, packed = core["cohorts"][0]["samples"], blocks_of(page)["samples-0"].split(" ")
    data = anndata.read_h5ad(cohorts["alpha"]["expression"])
    people, states = sorted_people(cohorts["alpha"]), ("healthy", "nonlesional", "lesional")
    names_ = [core["genes"][core["cohorts"][0]["genes"][i]] for i in told["genes"]]
    assert len(packed) == -(-len(names_) // told["piece"])
    chosen = names_.index("IL13")
    piece = np.frombuffer(inflate(packed[chosen // told["piece"]]), np.uint8)
    codes = piece.reshape(-1, len(told["keys"]))[chosen % told["piece"]]
    step = told["steps"][chosen]
    values = told["lowest"][chosen] + step * codes
    obs = data.obs.assign(value=data.to_df()["IL13"].to_numpy(float)).astype({"patient": str})
    for (patient, arm, state, week), value in zip(told["keys"], values, strict=True):
        here = obs[
            (obs["patient"] == people[patient])
            & (obs["arm"] == core["cohorts"][0]["arms"][arm]["name"])
            & (obs["state"] == states[state])
            & (obs["week"] == week)
        ]
        assert value == pytest.approx(here["value"].item(), abs=step / 2 + 0.002)


# ---------------------------------------------------------------- symbols


def test_older_symbols_lead_to_the_gene_and_ambiguous_ones_nowhere(
    cohorts, repository, tmp_path, page
):
    core = core_of(page)
    aliases = {old: core["genes"][gene] for old, gene in core["aliases"]}
    assert aliases["IL8"] == "CXCL8"
    # Of the gene sets alone.
    assert aliases["C9orf26"] == "IL33"
    other = {"renamed": np.array(["IL8>FLG", "IL13>FLG"], dtype=object)}
    twice = cohorts | {"beta": make_cohort(tmp_path, "beta", repository, facts=other)}
    core = core_of(make_page(tmp_path, repository, twice))
    aliases = {old: core["genes"][gene] for old, gene in core["aliases"]}
    assert "IL8" not in aliases
    # A gene of its own stays one.
    assert "IL13" not in aliases


def test_usual_names_are_of_genes_of_the_shipped_sets_and_no_symbols(page, repository):
    from adnorm.figures.explorer.build import USUAL_NAMES
    from adnorm.study.gene_sets import previous_symbols, read_gene_sets

    sets = read_gene_sets([repository / "config" / "gene_sets" / "adnorm.tsv"])
    symbols = {gene.symbol for gene_set in sets.values() for gene in gene_set.genes}
    assert set(USUAL_NAMES.values()) <= symbols
    taken = symbols | set(previous_symbols(sets))
    assert not {name.upper().replace("-", "") for name in USUAL_NAMES} & taken
    core = core_of(page)
    told = {name: core["genes"][gene] for name, gene in core["names"]}
    assert told == USUAL_NAMES


def test_why_a_gene_has_no_value_is_known(page):
    core = core_of(page)
    alpha, beta = core["cohorts"]
    gene = core["genes"].index("IL31")
    assert gene in alpha["undetected"] and gene not in alpha["genes"]
    assert alpha["filter"] == "genes with at least 10 reads in at least 10 samples"
    assert alpha["absent"] == "not in the deposited table"
    assert beta["absent"] == "not measured on the platform"
    # Members of gene sets that no cohort has can be asked for, too.
    absent = core["genes"].index("IFNG")
    assert absent not in alpha["genes"] and absent not in alpha["undetected"]


def test_scores_hold_their_genes_with_directions(page, cohorts):
    core = core_of(page)
    scores = {score["name"]: score for score in core["scores"]}
    axis = {core["genes"][gene]: sign for gene, sign in scores["global"]["genes"]}
    weights = pd.concat([read_table(paths["axis"]) for paths in cohorts.values()])
    weights = weights.groupby("gene")["weight"].sum()
    assert axis == np.sign(weights[weights != 0]).to_dict()
    first = core["genes"][scores["global"]["genes"][0][0]]
    assert abs(weights[first]) == weights.abs().max()
    down = scores["barrier_terminal_differentiation_down"]["genes"]
    assert {sign for _, sign in down} == {-1}
    assert "FLG" in {core["genes"][gene] for gene, _ in down}
    assert scores["itch_minus_th2"]["label"] == "Itch: core without Th2 genes"
    primary = sorted((s["primary"], s["name"]) for s in core["scores"] if s["primary"] >= 0)
    assert [name for _, name in primary] == list(RunConfig.model_fields["index"].default.primary)


# ---------------------------------------------------------------- cohorts of a run


def test_simulated_cohorts_and_other_diseases_are_told(page):
    alpha, beta = core_of(page)["cohorts"]
    assert alpha["simulated"] and not alpha["other"]
    assert beta["other"] and beta["disease"] == "psoriasis" and not beta["simulated"]


def test_a_stopped_cohort_is_named_and_stops_nothing(cohorts, repository, tmp_path):
    stopped = {key: tmp_path / "gamma" / path.name for key, path in cohorts["alpha"].items()}
    for path in stopped.values():
        write_stop(path, Stop("gamma", "effects", "too few patients"))
    core = core_of(make_page(tmp_path, repository, cohorts | {"gamma": stopped}))
    assert core["stopped"] == [["gamma", "effects", "too few patients"]]
    assert [cohort["id"] for cohort in core["cohorts"]] == ["alpha", "beta"]
    alone = core_of(make_page(tmp_path, repository, {"gamma": stopped}))
    assert alone["cohorts"] == [] and len(alone["stopped"]) == 1


def test_a_cohort_without_visits_or_comparisons_is_shown_with_its_reasons(repository, tmp_path):
    plans = {"still": {"weeks": ()}, "bare": {"arms": {"untreated": 8}, "states": ("lesional",)}}
    made = {n: make_cohort(tmp_path, n, repository, clinic=False, **p) for n, p in plans.items()}
    bare, still = core_of(make_page(tmp_path, repository, made))["cohorts"]
    assert still["refused"]["change"] == "no lesional samples after baseline"
    assert [row[0] for row in still["rows"]] == ["disease"]
    assert bare["refused"]["disease"] == "no nonlesional samples at baseline"


def test_lesions_of_one_patient_in_two_arms_count_once_and_share_their_baseline():
    rows = [(f"P{i}", state, "all arms", 0.0) for i in range(6) for state in ("lesional", SKIN)]
    rows += [(f"P{i}", "lesional", arm, 2.0) for i in range(6) for arm in ("drug", "vehicle")]
    sheet = pd.DataFrame(rows, columns=["patient", "state", "arm", "week"])
    sheet["lesion"] = np.where(sheet["week"] > 0, sheet["patient"] + ", " + sheet["arm"], "")
    sheet["treatment"] = sheet["arm"]
    design = derive_design(sheet, "vehicle", 3)
    genes = np.array(["A", "B", "C", "D"], dtype=object)
    tables = {
        "effects": effects_of(design, list(genes)),
        "comparisons": design_tables(design)[1].assign(batch=""),
        **{name: empty() for name in ("index", "gene_index", "trajectories")},
    }
    values = np.arange(len(sheet) * 4, dtype=float).reshape(-1, 4)
    facts = {"placebo_arm": "vehicle"}
    cohort = CohortResults("split", "Split", tables, facts, sheet, genes, values)
    told, _, _ = cohort.content(set(), ExplorerSettings(), 0.95)
    found = {(row[0], row[1]): row[4] for row in told["rows"]}
    assert found["difference", "drug"] == [6]
    assert found["change", "vehicle"] == [6]
    assert [arm["kind"] for arm in told["arms"]] == ["shared", "placebo", "drug"]
    assert len(told["samples"]["keys"]) == len(sheet)
    assert {key[0] for key in told["samples"]["keys"]} == set(range(6))


SKIN = "nonlesional"


def empty() -> pd.DataFrame:
    """A table with its columns and no rows, as a cohort without an index has it."""
    numbers = "ni lower upper dni dni_lower dni_upper adjusted_p_value fdr pairs placebo_pairs week"
    texts = "reference arm name family status reason dni_reason gene class patient response"
    columns = [*numbers.split(), *texts.split()]
    return pd.DataFrame({column: [] for column in columns})


# ---------------------------------------------------------------- settings


def test_ids_of_patients_are_in_the_page_only_where_the_configuration_says_so(
    cohorts, repository, tmp_path
):
    people = sorted_people(cohorts["alpha"])
    for kept in ("numbered", "named", "none"):
        made = make_page(tmp_path, repository, cohorts, figures={"explorer": {"patients": kept}})
        core = core_of(made)
        alpha, text = core["cohorts"][0], json.dumps(core)
        assert (alpha["patients"] == people) == (kept == "named")
        assert any(f'"{patient}"' in text for patient in people) == (kept == "named")
        single = kept != "none"
        assert bool(alpha["courses"]) == bool(alpha["samples"]["genes"]) == single
        assert bool(blocks_of(made)["samples-0"]) == single
        assert ("response" in arrays_of(made, 0)) == single


def test_members_of_gene_sets_come_first_where_few_genes_have_sample_values(
    cohorts, repository, tmp_path
):
    few = {"figures": {"explorer": {"sample_genes": 20}}}
    core = core_of(make_page(tmp_path, repository, cohorts, **few))
    told = core["cohorts"][0]
    chosen = {told["genes"][i] for i in told["samples"]["genes"]}
    members = {gene for score in core["scores"] for gene, _ in score["genes"]}
    assert len(chosen) == 20 and chosen <= members
    none = {"figures": {"explorer": {"sample_genes": 0}}}
    made = make_page(tmp_path, repository, cohorts, **none)
    assert core_of(made)["cohorts"][0]["samples"]["genes"] == []
    assert blocks_of(made)["samples-0"] == ""


def test_another_confidence_gives_other_intervals(cohorts, repository, tmp_path, page):
    wide = make_page(tmp_path, repository, cohorts, effects={"confidence": 0.99})
    ratio = stats.t.ppf(0.995, FREEDOM) / stats.t.ppf(0.975, FREEDOM)
    first, second = arrays_of(page, 0)["half"], arrays_of(wide, 0)["half"]
    there = first != MISSING
    np.testing.assert_allclose(second[there] / first[there], ratio, rtol=0.01)
    assert core_of(wide)["confidence"]["effects"] == 0.99


def test_every_key_that_draws_the_page_is_one_of_the_configuration():
    config = RunConfig(cohorts=("a",)).model_dump()
    for section, keys in names.EXPLORER_SETTINGS.items():
        assert set(keys) <= set(config[section])
    assert config["figures"]["explorer"] == {"patients": "numbered", "sample_genes": 1000}


# ---------------------------------------------------------------- the file


def test_the_same_tables_give_the_same_bytes(cohorts, repository, tmp_path, page):
    again = make_page(tmp_path, repository, dict(reversed(cohorts.items())))
    assert again.read_bytes() == page.read_bytes()


def test_a_page_that_browsers_open_slowly_is_told(
    cohorts, repository, tmp_path, page, monkeypatch, caplog
):
    monkeypatch.setattr("adnorm.figures.explorer.build.LARGE", 1000)
    assert make_page(tmp_path, repository, cohorts).read_bytes() == page.read_bytes()
    assert "explorer.html holds 2 cohorts and has" in caplog.text
    assert "`figures: explorer: sample_genes: 0` (now 1,000)" in caplog.text


def test_the_page_asks_for_nothing_and_says_so_to_the_browser(page):
    text = re.sub(r'<script type="text/plain".*?</script>', "", page.read_text())
    assert "default-src 'none'" in text
    addresses = set(re.findall(r"https?://[^\s\"']+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(?:link|img|iframe)\b|\bsrc=|@import|url\(|fetch\(|innerHTML", text)


def test_hostile_names_are_nowhere_in_the_page_but_packed(repository, tmp_path):
    rename = {"drug 20 mg": f"{HOSTILE} 20 mg", "FLG": HOSTILE, "p0": f'"><svg onload={HOSTILE}'}
    made = make_cohort(
        tmp_path, "alpha", repository, rename=rename, facts={"disease": HOSTILE, "platform": "\x1b"}
    )
    settings = {"figures": {"explorer": {"patients": "named"}}, "titles": {"alpha": HOSTILE}}
    page = make_page(tmp_path, repository, {"alpha": made}, **settings)
    text, core = page.read_text(), core_of(page)
    assert "onerror" not in text and "onload" not in text
    assert text.count("</script>") == len(blocks_of(page)) + 1
    assert HOSTILE in core["genes"] and core["cohorts"][0]["title"] == HOSTILE
    assert f"{HOSTILE} 20 mg" in [arm["name"] for arm in core["cohorts"][0]["arms"]]
    # An exported SVG may not hold control characters.
    assert core["cohorts"][0]["platform"] == "␛"
