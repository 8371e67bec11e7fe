"""Figures of odd cohorts: few, flagged or many things, and colours that hold for all."""

from __future__ import annotations

import anndata
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from adnorm.base.tables import read_table, write_table
from adnorm.figures import build, changes, results, rows, theme
from adnorm.figures.contrasts import mark
from adnorm.figures.heatmaps import draw_genes
from adnorm.figures.material import read_material
from adnorm.figures.names import FIGURES
from adnorm.figures.patients import draw_patients
from adnorm.figures.places import name_points
from adnorm.figures.quality import draw_quality
from adnorm.figures.samples import draw_pca
from adnorm.figures.sheet import Sheet
from adnorm.study.gene_sets import ADDED
from builders.figure_cohorts import HEALTHY, TRIAL, make_cohort

# ---------------------------------------------------------------- what cannot be drawn


def test_unsupported_columns_are_grey_with_the_reason(tmp_path):
    plan = TRIAL | {"arms": {"placebo": 8, "abrocitinib 100 mg": 2}}
    inputs, settings = make_cohort(tmp_path, **plan)
    figure, table = changes.draw_set_changes(read_material(inputs, settings))
    few = table[table["contrast"] == "change:abrocitinib 100 mg@2"]
    assert few["change"].isna().all()
    assert few["reason"].str.startswith("only 2 patients").all()
    assert any("only 2 patients" in text.get_text() for text in figure.texts)


@pytest.mark.parametrize(
    ("patients", "visits", "genes"), [(1, [0.0], 300), (1, [0.0, 4.0], 300), (3, [0.0, 4.0], 3)]
)
def test_one_sample_or_hardly_any_gene(tmp_path, patients, visits, genes):
    inputs, settings = make_cohort(
        tmp_path, {"ruxolitinib": patients}, visits, ["lesional"], gene_count=300
    )
    if genes < 300:
        data = anndata.read_h5ad(inputs["expression"])
        data = data[:, data.var_names[-genes:]].copy()
        data.write_h5ad(inputs["expression"])
        effects = read_table(inputs["effects"])
        write_table(effects[effects["gene"].isin(data.var_names)], inputs["effects"])
    build.build_figures(inputs, settings, {"folder": tmp_path / "figures"})
    assert len(list((tmp_path / "figures").glob("*.png"))) == len(FIGURES)


def test_scores_without_any_value(tmp_path):
    inputs, settings = make_cohort(tmp_path, **HEALTHY)
    data = anndata.read_h5ad(inputs["scores"])
    data.X[:] = np.nan
    data.layers["zscore"][:] = np.nan
    data.write_h5ad(inputs["scores"])
    build.build_figures(inputs, settings, {"folder": tmp_path / "figures"})
    svg = (tmp_path / "figures" / "patients.svg").read_text()
    assert "no itch or barrier set has a score" in svg
    assert read_table(tmp_path / "figures" / "sets_samples.tsv")["score"].isna().all()


def test_another_scoring_method_is_drawn_and_named(tmp_path):
    inputs, settings = make_cohort(tmp_path, **HEALTHY)
    data = anndata.read_h5ad(inputs["scores"])
    data.layers["ssgsea"] = data.layers.pop("zscore")
    data.write_h5ad(inputs["scores"])
    effects = read_table(inputs["set_effects"]).assign(method="ssgsea")
    write_table(effects, inputs["set_effects"])
    figure, table = changes.draw_set_changes(read_material(inputs, settings))
    assert any("ssGSEA score" in text.get_text() for text in figure.texts)
    assert table["change"].notna().any()


# ---------------------------------------------------------------- colours, order, scaling


def test_arm_colours_do_not_depend_on_the_order_of_the_arms():
    arms = ["placebo", "b 5 mg", "b 20 mg", "a", "healthy", "untreated"]
    colours = theme.arm_colours(arms, "placebo")
    assert colours == theme.arm_colours(reversed(arms), "placebo")
    assert list(colours) == ["healthy", "untreated", "placebo", "a", "b 5 mg", "b 20 mg"]
    assert colours["placebo"] == theme.PLACEBO
    assert len(set(colours.values())) == len(arms)


def test_jak_inhibitors_are_blue_in_every_cohort_and_other_classes_are_not():
    blue = theme.TREATMENTS[0]
    alone = theme.arm_colours(["placebo", "y"], classes={"y": "anti-IL-13"})
    both = theme.arm_colours(["a", "z"], classes={"a": "anti-IL-13", "z": "JAK inhibitor"})
    assert alone["y"] == both["a"] != blue
    assert both["z"] == theme.arm_colours(["z"])["z"] == blue
    many = [f"drug {letter}" for letter in "abcdefghi"]
    assert len(set(theme.arm_colours(many, classes=dict.fromkeys(many, "x")).values())) == 7


def test_the_page_holds_every_text_at_the_resolution_it_is_drawn_in(healthy, tmp_path):
    healthy.facts["quality"] = (
        "a long remark that makes the line above the figure the widest of all"
    )
    with mpl.rc_context(theme.RC):
        figure, table = draw_pca(healthy)
        theme.savefig(figure, tmp_path, "pca", table)
        ends = [t.get_window_extent(figure.canvas.get_renderer()).x1 for t in figure.texts]
        starts = [t.get_window_extent(figure.canvas.get_renderer()).x0 for t in figure.texts]
    with Image.open(tmp_path / "pca.png") as picture:
        assert figure.dpi == theme.DPI
        assert picture.width > max(ends) - min(starts)


def test_names_have_places_before_the_limits_are_drawn():
    sheet = Sheet("A", {"cohort": "a"}, "")
    axes = sheet.axes(0, 0, 3, 3)
    axes.scatter([0, 100], [-50, 50])
    assert name_points(axes, [(0, -50, "first"), (100, 50, "second")], (3, 3)) == []
    assert all(0 < place < 1 for text in axes.texts for place in text.get_position())


def test_a_higher_dose_is_darker():
    colours = theme.arm_colours(["b 5 mg", "b 20 mg", "b 100 mg"])
    light = [sum(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in colours.values()]
    assert light == sorted(light, reverse=True)


def test_the_placebo_arm_may_have_any_name():
    colours = theme.arm_colours(["vehicle cream", "a"], "vehicle cream")
    assert colours["vehicle cream"] == theme.PLACEBO
    assert list(colours) == ["vehicle cream", "a"]


def test_rows_without_variation_become_missing():
    frame = pd.DataFrame([[1.0, 2.0, 3.0], [4.1, 4.1, 4.1], [np.nan] * 3, [1.0, np.nan, 3.0]])
    scaled = rows.scale_rows(frame).to_numpy()
    np.testing.assert_allclose(scaled[0], [-1, 0, 1])
    assert np.isnan(scaled[1:3]).all()
    np.testing.assert_allclose(scaled[3, [0, 2]], [-0.7071, 0.7071], atol=1e-4)
    one = rows.scale_rows(pd.DataFrame([[5.0]]))
    assert np.isnan(one.to_numpy()).all()


def test_similar_rows_are_neighbours_and_incomplete_ones_last():
    rng = np.random.default_rng(0)
    up, down = rng.normal(0, 1, 20), rng.normal(0, 1, 20)
    frame = pd.DataFrame(
        [up, down, up + 0.01, down + 0.01, np.full(20, np.nan)], index=["a", "b", "c", "d", "e"]
    )
    order = rows.similar_order(frame)
    assert order[-1] == "e"
    assert {frozenset(order[:2]), frozenset(order[2:4])} == {frozenset("ac"), frozenset("bd")}
    assert rows.similar_order(frame.iloc[:1]) == ["a"]


def test_stars_follow_the_configured_level():
    assert [mark(f, 0.01) for f in (0.02, 0.005, 0.0001)] == ["", "**", "***"]
    assert mark(0.08, 0.1) == "*"


def test_limit_is_symmetric_and_never_noise():
    assert theme.limit_of(np.array([np.nan, 0.01]), 1.0) == 1.0
    assert theme.limit_of(np.full(10, -2.3), 1.0) == 2.5
    assert theme.limit_of(np.array([]), 1.5) == 1.5


# ---------------------------------------------------------------- added sets


def add_sets(inputs: dict, count: int) -> None:
    """Add sets as a GMT file would: unsigned, category of added sets, every tenth not scored."""
    names = [f"GOBP_{i:03d}_OF_SOMETHING_WITH_A_VERY_VERY_LONG_NAME" for i in range(count)]
    status = ["not_scored" if i % 10 == 9 else "ok" for i in range(count)]
    data = anndata.read_h5ad(inputs["scores"])
    scores = np.hstack([data.X, np.random.default_rng(0).normal(size=(data.n_obs, count))])
    facts = {"label": names, "category": ADDED, "role": "context", "direction": "unsigned"}
    facts |= {"asked": 9, "found": 9, "status": status, "reason": ""}
    var = pd.concat([data.var.astype(object), pd.DataFrame(facts, index=names, dtype=object)])
    for column in ("asked", "found"):
        var[column] = var[column].astype(int)
    more = anndata.AnnData(scores, obs=data.obs, var=var, uns=data.uns)
    more.layers["zscore"] = scores
    more.write_h5ad(inputs["scores"])
    coverage = read_table(inputs["coverage"])
    extra = {"set": names, "asked": 9, "found": 9, "renamed": 0, "absent": 0, "undetected": 0}
    extra = pd.DataFrame(extra | {"status": status, "reason": ""})
    write_table(pd.concat([coverage, extra]).fillna(""), inputs["coverage"])
    for table in ("set_effects", "enrichment"):
        own = read_table(inputs[table])
        frames = [own]
        for contrast in own["contrast"].unique():
            # The later a set stands in the file, the smaller its rate.
            rates = 0.5 - np.arange(count) / (3 * count)
            new = {"contrast": contrast, "set": names, "fdr": rates, "camera_fdr": rates}
            new |= {"change": 0.1, "nes": 1.0, "method": "zscore", "part": "all", "pairs": 7}
            frames.append(pd.DataFrame(new | {"reason": ""}))
        write_table(pd.concat(frames)[own.columns], inputs[table])


def test_of_many_added_sets_forty_are_drawn_and_all_are_in_the_table(tmp_path):
    inputs, settings = make_cohort(tmp_path, **HEALTHY)
    add_sets(inputs, 90)
    build.build_figures(inputs, settings, {"folder": tmp_path / "figures"})
    for name in ("set_changes", "sets_samples", "enrichment"):
        svg = (tmp_path / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        drawn = [i for i in range(90) if f"GOBP_{i:03d}_OF_" in svg]
        assert len(drawn) == 40
        if name != "enrichment":
            assert drawn == [i for i in range(90) if i % 10 != 9][-40:]
        assert "VERY_LONG_NAME" not in svg
        assert "40 of 90 added sets shown (those with the smallest FDR)" in svg
        table = read_table(tmp_path / "figures" / f"{name}.tsv")
        assert table["set"].str.startswith("GOBP_").groupby(table["set"]).first().sum() == 90
    svg = (tmp_path / "figures" / "coverage.svg").read_text(encoding="utf-8")
    assert "90 added sets, not drawn: 81 ok, 0 low coverage, 9 not scored" in svg
    assert "GOBP_" not in svg
    assert len(read_table(tmp_path / "figures" / "coverage.tsv")) == 90 + 12
    assert "GOBP_" not in (tmp_path / "figures" / "overview.html").read_text(encoding="utf-8")


# ---------------------------------------------------------------- warnings and counts


@pytest.fixture
def healthy(tmp_path):
    return read_material(*make_cohort(tmp_path, **HEALTHY))


def still(material) -> None:
    """Let no control set move."""
    effects = material.tables["set_effects"]
    rows_of = effects["set"] == "housekeeping"
    effects.loc[rows_of, ["change", "lower", "upper", "fdr"]] = [0.0, -0.1, 0.1, 0.9]


def test_the_page_warns_when_controls_move_or_many_samples_are_flagged(healthy):
    still(healthy)
    assert results.warnings(healthy) == []
    effects = healthy.tables["set_effects"]
    one = (effects["set"] == "housekeeping") & (effects["contrast"] == "lesional-healthy@0")
    effects.loc[one, ["change", "lower", "upper", "fdr"]] = [0.4, 0.1, 0.7, 0.2]
    assert results.warnings(healthy) == []
    effects.loc[one, "fdr"] = 0.01
    (warning,) = results.warnings(healthy)
    assert "Negative controls move: read the results with care" in warning
    assert "housekeeping +0.40 (Disease: lesional − healthy, baseline)" in warning
    healthy.samples["qc_flags"] = "small_library"
    assert results.warnings(healthy)[0].startswith("19 of 19 samples are flagged")
    healthy.facts["caution"] = "The counts are sparse."
    assert results.warnings(healthy)[0] == "The counts are sparse."


def test_placebo_is_blamed_only_where_it_falls(tmp_path, healthy):
    assert "no placebo arm" in results.placebo_note(healthy)
    trial = read_material(*make_cohort(tmp_path / "trial", **TRIAL))
    assert "Scores also fall without any drug" in results.placebo_note(trial)
    trial.tables["set_effects"]["change"] = 0.3
    assert "fall" not in results.placebo_note(trial)


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_both_groups_are_counted(tmp_path, healthy):
    assert any("\nn=7 v 5" in text for text in texts(changes.draw_set_changes(healthy)[0]))
    trial = read_material(*make_cohort(tmp_path / "trial", **TRIAL))
    shown = texts(changes.draw_set_changes(trial)[0])
    assert {"wk 12\nn=8+8", "wk 12\nn=8"} <= set(shown)


def test_lesional_against_nonlesional_skin_under_treatment_is_not_called_disease(tmp_path):
    trial = read_material(*make_cohort(tmp_path, **TRIAL))
    table = trial.tables["comparisons"]
    row = table[table["contrast"] == "lesional-nonlesional@0"]
    later = row.assign(contrast="lesional-nonlesional:abrocitinib 200 mg@4")
    trial.tables["comparisons"] = pd.concat([table, later])
    shown = [" ".join(t.split()) for t in texts(changes.draw_set_changes(trial)[0])]
    assert {"Disease", "Under treatment: lesional − nonlesional"} <= set(shown)


def test_controls_do_not_choose_the_limit_of_the_colours(healthy):
    def end(material):
        figure, _ = changes.draw_set_changes(material)
        return figure.axes[-1].get_xticklabels()[-1].get_text()

    before = end(healthy)
    effects = healthy.tables["set_effects"]
    effects.loc[effects["set"] == "housekeeping", "change"] = 50.0
    assert end(healthy) == before


def test_signed_sets_are_marked(healthy):
    shown = texts(changes.draw_set_changes(healthy)[0])
    assert "Terminal ±" in shown and "Sensory channels" in shown


# ---------------------------------------------------------------- points and lines


def test_few_of_many_flagged_samples_are_ringed(healthy):
    healthy.samples.loc[healthy.samples.index[:17], "qc_flags"] = "small_library"
    figure, table = draw_pca(healthy)
    panel = figure.axes[0]
    assert len([line for line in panel.lines if line.get_markerfacecolor() == "none"]) == 15
    assert not panel.texts
    assert any("of the 17 samples that quality control flagged" in t for t in texts(figure))
    assert (table["flags"] != "").sum() == 17


def test_one_arm_is_coloured_by_week(healthy):
    assert [axes.get_title("left") for axes in draw_pca(healthy)[0].axes] == [
        "Coloured by state",
        "Coloured by week",
    ]


def test_two_patients_have_no_mean_line(tmp_path):
    arms = {"placebo": 4, "ruxolitinib": 2}
    plan = HEALTHY | {"arms": arms, "states": ["nonlesional", "lesional"]}
    figure, _ = draw_patients(read_material(*make_cohort(tmp_path, **plan)))
    bold = [
        sum(len(x.get_xdata()) for x in a.lines if x.get_color() == theme.INK) for a in figure.axes
    ]
    assert bold == [2, 0] * 3


def test_panels_without_values_are_left_out_with_the_reason(healthy):
    qc = healthy.tables["qc"]
    qc["library_size"] = qc["detected_genes"] = np.nan
    qc["not_computed"] = "library_size: log2 values hold no reads"
    figure, _ = draw_quality(healthy)
    assert len(figure.axes) == 2
    assert any(
        "library size (million reads) (log2 values hold no reads)" in t for t in texts(figure)
    )
    labels = [t.get_text() for legend in figure.legends for t in legend.get_texts()]
    assert "lesional" in labels and "excluded" not in labels


def test_a_field_with_one_value_has_no_strip_and_no_legend(tmp_path):
    plan = {"arms": {"untreated": 5}, "visits": [0.0], "states": ["lesional"]}
    figure, _ = draw_genes(read_material(*make_cohort(tmp_path, **plan)), "genes_itch", "itch")
    shown = texts(figure)
    assert not {"state", "arm", "week"} & set(shown)
    assert "▲" in shown and "▼" not in [t for t in shown if len(t) == 1]


def test_names_that_begin_alike_still_differ():
    names = [f"demo_reference_rnaseq_{i:03d}" for i in range(3)]
    assert theme.short_names(names) == (["000", "001", "002"], "demo_reference_rnaseq_")
    long = [
        "a_same_and_much_too_long_1",
        "b_same_and_much_too_long_2",
        "b_same_and_much_too_long_3",
    ]
    assert len(set(theme.short_names(long, 12)[0])) == 3
