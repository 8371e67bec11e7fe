"""What the simulator writes must hold what was planted, in the formats that GEO uses."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.simulation.cohort import simulate_cohort
from adnorm.study.cohort import PublishedCohort
from adnorm.study.gene_sets import read_gene_sets
from adnorm.study.reading import read_cohort
from adnorm.study.simulation import Simulation
from builders.simulations import simulated


@dataclass
class Written:
    """A simulated cohort as read back from its files by the simplest means."""

    samples: pd.DataFrame
    log2: pd.DataFrame
    truth: pd.DataFrame
    counts: pd.DataFrame | None
    folder: Path
    files: list[tuple[str, str]]

    def effects(self) -> pd.Series:
        return self.truth[self.truth["kind"] == "gene_effect"].set_index("name")["value"]

    def planted(self, kind: str, arm: str, week: float) -> pd.Series:
        truth = self.truth
        rows = truth[(truth["kind"] == kind) & (truth["arm"] == arm) & (truth["week"] == week)]
        return rows.set_index("name")["value"]

    def of(self, tissue: str, week: int = 0, treatment: str | None = None) -> pd.DataFrame:
        """Return log2 values, genes × patients."""
        s = self.samples
        rows = s[(s["tissue"] == tissue) & (s["time point"] == f"Week {week}")]
        if treatment is not None:
            rows = rows[rows["treatment"] == treatment]
        return self.log2[rows.index].set_axis(rows["subject id"], axis=1)

    def change(self, week: int, treatment: str) -> pd.DataFrame:
        later = self.of("LS", week, treatment)
        return later - self.of("LS", 0, treatment)[later.columns]


def read_metadata(path: Path) -> tuple[dict, pd.DataFrame]:
    series, columns, names = {}, {}, []
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.reader(file, delimiter="\t"):
            if row and row[0].startswith("!Series_"):
                series[row[0][8:]] = row[1]
            elif row and row[0] == "!Sample_geo_accession":
                names = row[1:]
            elif row and row[0] == "!Sample_characteristics_ch1":
                key = next(v for v in row[1:] if v).split(": ")[0]
                columns[key] = [v.partition(": ")[2] for v in row[1:]]
            elif row and row[0] == "!series_matrix_table_begin":
                break
    return series, pd.DataFrame(columns, index=names)


def approved_symbols(repository: Path) -> dict[str, str]:
    sets = read_gene_sets([repository / "config" / "gene_sets" / "adnorm.tsv"])
    genes = [g for s in sets.values() for g in s.genes]
    return {old: g.symbol for g in genes for old in g.previous_symbols}


def read_written(folder: Path, files: list[tuple[str, str]], old: dict[str, str]) -> Written:
    names = {role: folder / name for role, name in files}
    _, samples = read_metadata(names["series_matrix"])
    counts = None
    if "table" in names:
        counts = pd.read_csv(names["table"], index_col=0)
        log2 = np.log2(counts / counts.sum() * 1e6 + 0.5)
    else:
        table = pd.read_csv(names["series_matrix"], sep="\t", comment="!", index_col=0)
        symbols = read_annotation(names["annotation"])
        single = symbols[~symbols.str.contains("///") & (symbols != "---")]
        strongest = table.loc[single.index].mean(axis=1).groupby(single).idxmax()
        log2 = table.loc[strongest].set_axis(strongest.index)
    log2 = log2.rename(index=old)
    truth = pd.read_csv(names["truth"], sep="\t")
    return Written(samples, log2, truth, counts, folder, files)


def read_annotation(path: Path) -> pd.Series:
    with gzip.open(path, "rt") as file:
        lines = file.read().splitlines()
    begin = lines.index("!platform_table_begin")
    rows = [line.split("\t") for line in lines[begin + 2 : lines.index("!platform_table_end")]]
    assert lines[begin + 1] == "ID\tGene title\tGene symbol"
    return pd.Series({row[0]: row[2] for row in rows})


@pytest.fixture(scope="module")
def demo(repository, tmp_path_factory):
    """Simulate a demo cohort once, perhaps with changes to its plan."""
    cache: dict[str, Written] = {}
    old = approved_symbols(repository)

    def make(name: str, label: str = "", **changes) -> Written:
        if name + label not in cache:
            cohort = plan(repository, name, **changes)
            folder = tmp_path_factory.mktemp(name)
            files = simulate_cohort(cohort, folder)
            cache[name + label] = read_written(folder, files, old)
        return cache[name + label]

    return make


def plan(repository: Path, name: str, **changes) -> PublishedCohort:
    cohort = read_cohort(repository / "config" / "cohorts" / f"{name}.yaml").view(PublishedCohort)
    changes["gene_sets"] = str(repository / "config" / "gene_sets" / "adnorm.tsv")
    plan = Simulation.model_validate(cohort.simulation.model_dump() | changes)
    return cohort.model_copy(update={"simulation": plan})


def slope(truth: pd.Series, estimate: pd.Series) -> float:
    return float((truth * estimate).sum() / (truth**2).sum())


@pytest.mark.parametrize("name", ["demo_jak1", "demo_biologic"])
def test_every_run_gives_the_same_bytes(repository, tmp_path, demo, name):
    first = demo(name)
    again = simulate_cohort(plan(repository, name), tmp_path)
    assert again == first.files
    for _, name in again:
        assert (tmp_path / name).read_bytes() == (first.folder / name).read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(name for _, name in again)


def test_another_seed_gives_other_patients_with_the_same_disease(demo):
    first = demo("demo_jak1")
    other = demo("demo_jak1", "other seed", seed=7)
    assert not np.array_equal(first.counts.iloc[:, :40], other.counts.iloc[:, :40])
    both = pd.concat([first.effects(), other.effects()], axis=1)
    assert both.corr().iloc[0, 1] > 0.95
    assert (both.iloc[:, 0] != both.iloc[:, 1]).any()


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("demo_jak1", ["series_matrix", "table", "truth"]),
        ("demo_biologic", ["series_matrix", "annotation", "truth"]),
    ],
)
def test_files_have_the_forms_of_geo_and_say_simulated(demo, name, roles):
    written = demo(name)
    assert [role for role, _ in written.files] == roles
    series, samples = read_metadata(written.folder / written.files[0][1])
    assert "SIMULATED" in series["title"]
    assert list(samples.columns) == [
        *("subject id", "tissue", "time point", "treatment"),
        *("Sex", "age", "easi score", "itch nrs"),
    ]
    assert samples.index.is_unique
    for _, file in written.files[:-1]:
        head = (written.folder / file).read_bytes()[:10]
        # Magic number; no name (flag 0) and no date (four zero bytes) in the header.
        assert head[:3] == b"\x1f\x8b\x08"
        assert head[3:8] == bytes(5)


def test_sequencing_leaves_the_series_matrix_empty(demo):
    written = demo("demo_jak1")
    with gzip.open(written.folder / "demo_jak1_series_matrix.txt.gz", "rt") as file:
        lines = file.read().splitlines()
    begin = lines.index("!series_matrix_table_begin")
    assert lines[begin + 1].startswith('"ID_REF"\t"demo_jak1_001"')
    assert lines[begin + 2 :] == ["!series_matrix_table_end"]
    assert list(written.counts.columns) == list(written.samples.index)


def test_array_has_probes_shared_probes_orphans_and_retired_symbols(demo):
    written = demo("demo_biologic")
    symbols = read_annotation(written.folder / "demo_biologic.annot.gz")
    single = symbols[~symbols.str.contains("///") & (symbols != "---")]
    per_gene = single.value_counts()
    assert per_gene.min() == 1 and per_gene.max() == 4
    assert 20 < symbols.str.contains("///").sum() < 300
    assert 40 < (symbols == "---").sum() < 400
    assert "LOR" in set(single) and "LORICRIN" not in set(single)
    table = pd.read_csv(
        written.folder / "demo_biologic_series_matrix.txt.gz", sep="\t", comment="!", index_col=0
    )
    assert list(table.index) == list(symbols.index)
    assert table.to_numpy().min() >= 2.5 and table.to_numpy().max() <= 14
    assert 5 < np.median(table) < 8


def test_genes_are_those_of_the_sets_and_honestly_named_others(demo, repository):
    written = demo("demo_jak1")
    sets = read_gene_sets([repository / "config" / "gene_sets" / "adnorm.tsv"])
    named = {g.symbol for s in sets.values() for g in s.genes}
    effects = written.effects()
    assert len(written.counts) == len(effects) == 4000
    assert written.counts.index.is_unique
    assert named <= set(effects.index)
    others = set(effects.index) - named
    assert all(o.startswith("SIM") for o in others - {"XIST"})
    # Every symbol of the file leads back to one gene of the truth.
    assert set(written.log2.index) == set(effects.index)


def test_effects_follow_the_published_fold_changes(demo, repository):
    effects = demo("demo_jak1").effects()
    sets = read_gene_sets([repository / "config" / "gene_sets" / "adnorm.tsv"])
    for name, sign in [
        ("itch_core_skin_up", 1),
        ("barrier_terminal_differentiation_down", -1),
        ("barrier_hyperproliferation_up", 1),
        ("th2", 1),
    ]:
        genes = [g.symbol for g in sets[name].genes if g.direction in ("up", "down")]
        assert (np.sign(effects[genes]) == sign).mean() > 0.9, name
    # Published: MADAD +2.92 and GSE193309 +4.36; the cohort deviates by chance.
    assert effects["PI3"] == pytest.approx(3.64, rel=0.6)
    steady = {g.symbol for s in sets.values() if s.category == "control" for g in s.genes}
    assert (effects[sorted(steady)] == 0).all()
    background = effects[effects.index.str.startswith("SIM")]
    assert (background != 0).mean() == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize(
    ("name", "low"), [("demo_jak1", 0.95), ("demo_biologic", 0.9), ("demo_reference_array", 0.88)]
)
def test_disease_effects_are_found_again(demo, name, low):
    written = demo(name)
    lesional, nonlesional = written.of("LS"), written.of("NL")
    pairs = lesional - nonlesional[lesional.columns]
    effects = written.effects()
    seen = written.log2.index[written.log2.mean(axis=1) > 2]
    estimate, error = pairs.loc[seen].mean(axis=1), pairs.loc[seen].sem(axis=1)
    # An array compresses fold changes of faint genes, so the slope may be a little below 1.
    assert low < slope(effects[seen], estimate) < 1.05
    steady = seen[effects[seen] == 0]
    assert (estimate[steady] / error[steady]).abs().gt(3).mean() < 0.03
    assert abs(estimate[steady].median()) < 0.05


@pytest.mark.parametrize(
    ("name", "treatment", "arm", "weeks"),
    [
        ("demo_jak1", "JAK1-INH 100 MG QD", "JAK1 inhibitor 100 mg", (2, 4, 12)),
        ("demo_jak1", "JAK1-INH 200 MG QD", "JAK1 inhibitor 200 mg", (2, 4, 12)),
        ("demo_jak1", "PLACEBO QD", "placebo", (2, 4, 12)),
        ("demo_biologic", "ANTI-IL13 300 MG Q2W", "IL-13 antibody 300 mg", (4, 16)),
        ("demo_biologic", "PLACEBO Q2W", "placebo", (4, 16)),
    ],
)
def test_reversal_and_set_changes_are_found_again(demo, repository, name, treatment, arm, weeks):
    written = demo(name)
    sets = read_gene_sets([repository / "config" / "gene_sets" / "adnorm.tsv"])
    effects = written.effects()
    background = effects.index[effects.index.str.startswith("SIM") & (effects.abs() > 0.5)]
    background = background[written.log2.loc[background].mean(axis=1) > 2]
    for week in weeks:
        change = written.change(week, treatment)
        found = -slope(effects[background], change.loc[background].mean(axis=1))
        assert found == pytest.approx(written.planted("reversal", arm, week)["other"], abs=0.08)
        planted = written.planted("set_change", arm, week)
        for set_name in ("itch_core_skin_up", "barrier_hyperproliferation_up", "th2", "th1_ifn"):
            signed = [g.symbol for g in sets[set_name].genes if g.direction in ("up", "down")]
            seen = [g for g in signed if written.log2.loc[g].mean() > 3]
            assert len(seen) >= 0.6 * len(signed)
            values = change.loc[seen].mean()
            # The planted mean is over all detectable genes of the set.
            share = effects[seen].mean() / _set_effect(written, set_name)
            error = 4 * values.sem() + 0.1 * abs(planted[set_name]) + 0.05
            assert values.mean() == pytest.approx(planted[set_name] * share, abs=error), set_name


def _set_effect(written: Written, name: str) -> float:
    return written.planted("set_effect", "all", 0)[name]


def test_truth_is_ordered_by_dose_and_programme(demo):
    written = demo("demo_jak1")
    for week in (2, 4, 12):
        placebo, low, high = (
            written.planted("reversal", arm, week)
            for arm in ("placebo", "JAK1 inhibitor 100 mg", "JAK1 inhibitor 200 mg")
        )
        for programme in ("itch", "barrier", "other"):
            assert placebo[programme] < low[programme] < high[programme]
        # Planned: itch is quicker than the rest, the barrier slower.
        assert high["itch"] > high["other"] > high["barrier"]
        assert (high <= 1.1).all()


def test_libraries_are_in_range(demo):
    sizes = demo("demo_jak1").counts.sum()
    assert sizes.between(13e6, 30e6).all()
    assert sizes.max() / sizes.min() > 1.7


def test_dispersion_is_that_of_biopsies(demo):
    written = demo("demo_jak1")
    nonlesional = written.samples.index[written.samples["tissue"] == "NL"]
    counts = written.counts[nonlesional]
    counts = counts / counts.sum() * counts.sum().mean()
    mean, variance = counts.mean(axis=1), counts.var(axis=1)
    dispersion = ((variance - mean) / mean**2)[mean > 1]
    bright, dim = dispersion[mean > 500], dispersion[mean.between(1, 20)]
    # Biological coefficient of variation of human biopsies: about 0.3 to 0.7.
    assert 0.3 < np.sqrt(bright.median()) < 0.6
    assert dim.median() > 1.5 * bright.median()
    assert (variance > mean)[mean > 500].all()


def test_genes_are_not_independent(demo):
    written = demo("demo_reference_rnaseq")
    values = written.of("NL")
    steady = values[(written.effects()[values.index] == 0) & (values.mean(axis=1) > 4)].iloc[:500]
    correlation = np.corrcoef(steady)[np.triu_indices(len(steady), 1)]
    # Independent genes of 20 people would have a mean squared correlation of 1/19.
    assert np.mean(correlation**2) > 1.15 / (values.shape[1] - 1)


@pytest.mark.parametrize("name", ["demo_jak1", "demo_reference_array"])
def test_sex_genes_agree_with_the_sheet(demo, name):
    written = demo(name)
    female = written.samples["Sex"] == "F"
    assert set(written.samples["Sex"]) == {"F", "M"}
    for gene, expressed in [("XIST", female), ("RPS4Y1", ~female), ("DDX3Y", ~female)]:
        values = written.log2.loc[gene]
        assert values[expressed].min() > values[~expressed].max() + 1.5, gene
    assert (written.samples.groupby("subject id")["Sex"].nunique() == 1).all()


def test_healthy_skin_lacks_the_field_defect(demo):
    written = demo("demo_reference_rnaseq")
    difference = written.of("NL").mean(axis=1) - written.of("HC").mean(axis=1)
    effects = written.effects()
    strong = effects.index[(effects.abs() > 1) & (written.log2.mean(axis=1) > 2)]
    assert slope(effects[strong], difference[strong]) == pytest.approx(0.2, abs=0.08)
    healthy = written.samples[written.samples["tissue"] == "HC"]
    assert len(healthy) == 14
    assert (healthy["easi score"] == "").all() and (healthy["itch nrs"] == "").all()


def _inert_arms(repository: Path) -> list[dict]:
    arms = plan(repository, "demo_jak1").simulation.model_dump()["arms"]
    return [{**a, "reversal": [0, 0, 0], "patients": 40, "dropout": 0} for a in arms[2:]]


def test_flare_ends_under_placebo(demo, repository):
    common = {"arms": _inert_arms(repository), "failed_biopsies": 0}
    decay = demo(
        "demo_jak1", "flare", regression_to_mean={"fraction": 0.3, "half_time_weeks": 2}, **common
    )
    steady = demo("demo_jak1", "no flare", regression_to_mean={"fraction": 0}, **common)
    for written, planned in [(decay, 0.3 * (1 - 0.5**6)), (steady, 0.0)]:
        truth = written.planted("reversal", "placebo", 12)
        assert truth["other"] == pytest.approx(planned, abs=0.06)
        assert truth.max() == pytest.approx(truth.min())
        easi = written.samples.assign(easi=written.samples["easi score"].astype(float))
        easi = easi[easi["tissue"] == "LS"].pivot(
            index="subject id", columns="time point", values="easi"
        )
        fall = 1 - easi["Week 12"].sum() / easi["Week 0"].sum()
        assert fall == pytest.approx(planned, abs=0.1)
        change = written.change(12, "PLACEBO QD").mean(axis=1)
        effects = written.effects()
        strong = effects.index[(effects.abs() > 1) & (written.log2.mean(axis=1) > 3)]
        assert -slope(effects[strong], change[strong]) == pytest.approx(planned, abs=0.08)


def test_clinic_follows_the_response(demo):
    written = demo("demo_jak1")
    s = written.samples.assign(
        easi=written.samples["easi score"].astype(float),
        itch=written.samples["itch nrs"].astype(float),
    )
    assert s["easi"].between(0, 72).all() and s["itch"].between(0, 10).all()
    assert (s["itch"] % 1 == 0).all()
    by_visit = s.groupby(["subject id", "time point"])[["easi", "itch"]].nunique()
    assert (by_visit == 1).all(axis=None)
    start = s[s["time point"] == "Week 0"].drop_duplicates("subject id").set_index("subject id")
    last = s[s["time point"] == "Week 12"].set_index("subject id")
    gone = 1 - last["easi"] / start.loc[last.index, "easi"]
    truth = written.truth[(written.truth["kind"] == "patient_response")]
    truth = truth[truth["week"] == 12].set_index("name")["value"]
    truth.index = truth.index.astype(str)
    assert np.corrcoef(gone, truth[gone.index])[0, 1] > 0.8


def test_dropout_and_failed_biopsies_leave_baselines(demo, repository):
    arms = plan(repository, "demo_jak1").simulation.model_dump()["arms"]
    arms = [{**a, "dropout": 0.5} for a in arms]
    written = demo("demo_jak1", "dropout", arms=arms, failed_biopsies=0)
    counts = written.samples.groupby(["treatment", "time point", "tissue"]).size()
    for treatment in written.samples["treatment"].unique():
        assert counts[treatment, "Week 0", "LS"] == counts[treatment, "Week 0", "NL"] == 14
        assert counts[treatment, "Week 12", "LS"] == 7
    weeks = written.samples[written.samples["tissue"] == "LS"].groupby("subject id")["time point"]
    full = ["Week 0", "Week 2", "Week 4", "Week 12"]
    # Who leaves stays away: the visits of everybody are the first ones, without gaps.
    assert all(list(seen) == full[: len(seen)] for _, seen in weeks)


def test_responders_are_as_many_as_planned(demo):
    truth = demo("demo_jak1").truth
    responders = truth[truth["kind"] == "responder"].groupby("arm")["value"].sum()
    assert responders.to_dict() == {
        "JAK1 inhibitor 100 mg": 9,
        "JAK1 inhibitor 200 mg": 11,
        "placebo": 4,
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"programmes": {"itsch": 2.0}}, "did you mean 'itch'"),
        ({"genes": {"total": 10}}, "the gene sets alone have"),
    ],
)
def test_nothing_is_written_for_a_plan_that_the_gene_sets_refute(
    repository: Path, tmp_path: Path, change, told
):
    gene_sets = str(repository / "config" / "gene_sets" / "adnorm.tsv")
    cohort = simulated(gene_sets=gene_sets, **change)
    with pytest.raises(AdnormError, match=told):
        simulate_cohort(cohort, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cohort_without_a_plan_is_told(tmp_path):
    cohort = simulated().model_copy(update={"simulation": None})
    with pytest.raises(AdnormError, match="needs a `simulation:` block"):
        simulate_cohort(cohort, tmp_path)
