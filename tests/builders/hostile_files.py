"""Every parser of bytes from outside, a small file that it takes, and what may become of the file.

`PARSERS` and `damaged` serve the tests of `tests/faults` and `benchmarks/fuzz.py` alike. What is
read is read by a process of its own (`Reader`): some damage could end it, or hold it for ever.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

#: What may become of a file.
RESULT, REFUSED, UNFORESEEN, HANG, CRASH = "result", "refused", "unforeseen", "hang", "crash"
FINE = (RESULT, REFUSED)
#: Seconds for one file of some kilobytes.
LIMIT = 20.0
#: Characters of the longest message: a screen or two.
LONGEST_MESSAGE = 20_000


class Outcome(NamedTuple):
    """What became of one file."""

    kind: str
    what: str
    seconds: float


@dataclass(frozen=True)
class Parser:
    """A parser: how its file is called, a file that it takes, and everything that reads it."""

    file: str
    valid: Callable[[], bytes]
    #: Each gets the path; one that refuses the file does not keep it from the others.
    reads: Callable[[], list[Callable[[Path], Any]]]


# ---------------------------------------------------------------- small files that are right

_COHORT = b"""id: lab
title: A trial & its "title"
disease: atopic dermatitis
tissue: skin biopsy
assay: rna-seq
route: local
scale: counts
reference: nonlesional
placebo_arm: placebo
source: {table: counts.csv, sheet: sheet.csv}
treatments:
  JAK1 inhibitor: {drug_class: JAK inhibitor}
  placebo: &p {drug_class: placebo}
samples:
  patient: {from: [subject id, subject]}
  state: {from: tissue, values: {LS: lesional, NL: nonlesional}}
  treatment: {from: treatment, values: {JAK1-INH 200 MG QD: JAK1 inhibitor, PLACEBO QD: placebo}}
  dose_mg: {from: treatment, values: {JAK1-INH 200 MG QD: 200, PLACEBO QD: null}}
  week: {from: time point, pattern: "^Week (?P<value>[0-9]+)$"}
  easi: {from: easi score, missing: null}
exclude:
  - {from: comment, pattern: "^(bad|worse)", reason: marked by hand}
"""
_SIMULATED = b"""id: lab
title: Tiny array
disease: atopic dermatitis
tissue: skin biopsy
assay: microarray
platform: SIMULATED-ARRAY
route: simulated
scale: log2
reference: nonlesional
placebo_arm: null
treatments: {}
samples:
  patient: {from: subject id}
  state: {from: tissue, values: {LS: lesional, NL: nonlesional}}
  treatment: {constant: none}
  week: {from: time point, pattern: "^Week (?P<value>[0-9]+)$"}
simulation:
  writes: geo_series_matrix
  seed: 404
  weeks: [0]
  nonlesional_weeks: [0]
  healthy: 6
  genes: {total: 1700}
  arms:
    - {treatment: none, patients: 6}
"""
_CONFIG = b"""cohorts: [lab.yaml]
results: results/lab
gene_sets: [config/gene_sets/adnorm.tsv]
seed: 7
geo: {address: "file:mirror", attempts: 2}
index: {primary: [global]}
scores: {methods: [zscore, ssgsea]}
effects: {minimum_pairs: 3}
figures: {heatmap_sets: {itch: [itch_core_skin_up]}}
"""
_GENES = ["IL31", "IL13", "FLG", "LOR", "KRT16", "S100A7", "CCL17", "OSMR"]


def _sheet() -> bytes:
    lines = ['sample,subject id,tissue,time point,treatment,easi score,"comment"']
    for patient in range(4):
        for tissue, week in (("LS", 0), ("NL", 0), ("LS", 12)):
            arm = "JAK1-INH 200 MG QD" if patient < 2 else "PLACEBO QD"
            name = f"S{len(lines):02d}"
            note = "bad, so" if patient == 3 and week else 'of ""use""'
            lines.append(f'{name},P{patient},{tissue},Week {week},{arm},{30 - week}.5,"{note}"')
    return "\n".join(lines).encode()


def _table() -> bytes:
    names = [f"S{i:02d}" for i in range(1, 13)]
    rows = [f"{g},{','.join(str(7 * i + j) for j in range(12))}" for i, g in enumerate(_GENES)]
    return "\n".join([f"gene,{','.join(names)}", *rows]).encode()


def _matrix() -> bytes:
    names = [f"GSM{i}" for i in range(1, 7)]

    def line(key: str, values: list[str]) -> str:
        return "\t".join([key, *(f'"{value}"' for value in values)])

    lines = [
        '!Series_title\t"A series"',
        '!Series_geo_accession\t"GSE1"',
        '!Series_type\t"Expression profiling by array"',
        '!Series_platform_id\t"GPL1"',
        '!Series_sample_id\t"GSM1 GSM2 GSM3 GSM4 GSM5 GSM6 "',
        line("!Sample_title", [f"biopsy {i}, Week {6 * (i % 2)}" for i in range(6)]),
        line("!Sample_geo_accession", names),
        line("!Sample_platform_id", ["GPL1"] * 6),
        line("!Sample_organism_ch1", ["Homo sapiens"] * 6),
        line("!Sample_characteristics_ch1", [f"subject: p{i // 2}" for i in range(6)]),
        line("!Sample_characteristics_ch1", [f"tissue: {('LS', 'NL')[i % 2]}" for i in range(6)]),
        line("!Sample_characteristics_ch1", [f"drug: placebo {i} mg" for i in range(6)]),
        "!series_matrix_table_begin",
        line('"ID_REF"', names).replace('""', '"'),
        *(f'"probe{i}"\t' + "\t".join(f"{5 + i + j / 7:.3f}" for j in range(6)) for i in range(8)),
        "!series_matrix_table_end",
    ]
    return "\n".join(lines).encode()


def _annotation() -> bytes:
    rows = [f'probe{i}\t{gene} /// {gene}P1\ta 5\' "title"' for i, gene in enumerate(_GENES)]
    head = "^Annotation\n!Annotation_platform = GPL1\n#ID = probe\n!platform_table_begin\n"
    text = "\n".join(["ID\tGene symbol\tGene title", *rows])
    return f"{head}{text}\n!platform_table_end\n".encode()


def _identifiers() -> bytes:
    rows = [
        f"HGNC:{i}\t{g}\tApproved\tOLD{i}|OLDER{i}\t{g}L\t{100 + i}\tENSG{i:011d}"
        for i, g in enumerate(_GENES)
    ]
    head = "hgnc_id\tsymbol\tstatus\tprev_symbol\talias_symbol\tentrez_id\tensembl_gene_id"
    return "\n".join([head, *rows]).encode()


def _counts() -> bytes:
    rows = [f"{100 + i}\t" + "\t".join(str(i * j) for j in range(6)) for i in range(8)]
    return "\n".join(["GeneID\t" + "\t".join(f"GSM{i}" for i in range(1, 7)), *rows]).encode()


@cache
def _h5ad() -> bytes:
    import tempfile

    import anndata
    import numpy as np
    import pandas as pd
    from scipy import sparse

    obs = pd.DataFrame(
        {"patient": ["a", "a", "b", "b"], "week": [0.0, 4, 0, 4]}, index=list("wxyz")
    )
    obs["tissue"] = pd.Categorical(["LS", "NL", "LS", "NL"])
    values = np.arange(4 * len(_GENES), dtype="f4").reshape(4, -1)
    data = anndata.AnnData(values, obs=obs, var=pd.DataFrame(index=_GENES))
    data.layers["counts"] = sparse.csr_matrix(values)
    data.uns["log1p"] = {"base": 2.0}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.h5ad"
        data.write_h5ad(path)
        return path.read_bytes()


def _gmt() -> bytes:
    return "\n".join(
        ["ITCH\tof skin\tIL31\tOSMR\tIL13", "BARRIER\t\tFLG\tLOR", "E\thttp://x\tKRT16,1.0\tS100A7"]
    ).encode()


def _set_table() -> bytes:
    head = "set\tlabel\tcategory\trole\tsymbol\tprevious_symbols\tdirection\tsource"
    rows = [f"itch\tItch\titch\tprimary\t{g}\tOLD{i}\tup\tx" for i, g in enumerate(_GENES)]
    return "\n".join(["# a comment", head, *rows]).encode()


def _axis_genes() -> bytes:
    rows = [
        f"{g}\t{('up', 'down')[i % 2]}\t{1 + i / 3:.2f}\tGSE1; GSE2" for i, g in enumerate(_GENES)
    ]
    return "\n".join(["gene\tdirection\tweight\ttrained_on", *rows]).encode()


def _published() -> bytes:
    head = "drug\tdrug_class\tdose\tweek\tmeasure\tvalue\tunit\tsource\tnote"
    rows = [
        f"drug {i}\tJAK inhibitor\t5 mg\t{i}\tMADAD\t{10 * i}\tpercent\tx\tNA" for i in range(5)
    ]
    return "\n".join([head, *rows]).encode()


def _manifest() -> bytes:
    files = [
        {
            "role": role,
            "name": f"{role}.csv",
            "source": f"./{role}.csv",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for role, content in (("table", _table()), ("sheet", _sheet()))
    ]
    return json.dumps({"cohort": "lab", "route": "local", "files": files}, indent=2).encode()


def _stop() -> bytes:
    stop = {"cohort": "lab", "stage": "expression", "message": "a sentence"}
    return b"#adnorm-stopped " + json.dumps(stop).encode() + b"\n"


def _note() -> bytes:
    return _stop().partition(b" ")[2]


# ---------------------------------------------------------------- what reads them


def _cohort() -> Any:
    import tempfile

    from adnorm.base.yaml_text import read_yaml
    from adnorm.study.cohort import Cohort

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lab.yaml"
        path.write_bytes(_COHORT)
        return Cohort.model_validate(read_yaml(path) | {"where": "lab.yaml"})


def _read_cohort() -> list[Callable[[Path], Any]]:
    from adnorm.study.reading import read_cohort

    return [read_cohort]


def _read_config() -> list[Callable[[Path], Any]]:
    from adnorm.base.yaml_text import read_yaml
    from adnorm.cli.configuration import cohort_names
    from adnorm.study.config import RunConfig
    from adnorm.study.reading import read_study
    from adnorm.study.validation import check

    def study(path: Path) -> Any:
        config = read_yaml(path)
        # Without its files the whole is quick to read.
        (path.parent / "lab.yaml").write_bytes(_COHORT)
        (path.parent / "sets.gmt").write_bytes(_gmt())
        files = {"cohorts": ["lab.yaml"], "gene_sets": ["sets.gmt"]}
        return read_study(config | files, path.parent, str(path))

    return [
        lambda path: check(RunConfig, read_yaml(path), str(path)),
        study,
        lambda path: cohort_names(read_yaml(path)),
    ]


def _read_typed() -> list[Callable[[Path], Any]]:
    from adnorm.cli.configuration import _typed

    return [lambda path: _typed([f"geo={path.read_bytes().decode('utf-8', 'surrogateescape')}"])]


def _read_sheet() -> list[Callable[[Path], Any]]:
    from adnorm.onboarding.draft import draft_of_table
    from adnorm.onboarding.proposals import propose
    from adnorm.readers.delimited import read_sheet
    from adnorm.study.cohort import MeasuredCohort
    from adnorm.study.samples import build_sample_sheet

    cohort = _cohort().view(MeasuredCohort)

    def proposal(path: Path) -> Any:
        table = path.parent / "counts.csv"
        table.write_bytes(_table())
        with_values = draft_of_table(table, path)
        return _as_yaml(propose(with_values, None), path.parent)

    return [
        read_sheet,
        lambda path: build_sample_sheet(read_sheet(path, "sample").rename_axis(index=None), cohort),
        proposal,
    ]


def _as_yaml(proposed: Any, folder: Path) -> Any:
    """A proposal is written for people, but it must be YAML."""
    from adnorm.base.yaml_text import read_yaml
    from adnorm.onboarding.cohort_text import write_cohort

    path = folder / "proposed.yaml"
    path.write_text(write_cohort(proposed), encoding="utf-8")
    try:
        return read_yaml(path)
    except Exception as error:
        raise AssertionError(f"the proposal is no YAML: {error}") from error


def _read_table() -> list[Callable[[Path], Any]]:
    from adnorm.onboarding.draft import draft_of_table
    from adnorm.onboarding.proposals import propose
    from adnorm.readers.delimited import read_value_table

    def proposal(path: Path) -> Any:
        sheet = path.parent / "sheet.csv"
        sheet.write_bytes(_sheet())
        return _as_yaml(propose(draft_of_table(path, sheet), None), path.parent)

    return [read_value_table, lambda path: read_value_table(path, "gene", True), proposal]


def _read_matrix() -> list[Callable[[Path], Any]]:
    from adnorm.onboarding.draft import _from_matrix
    from adnorm.onboarding.proposals import propose
    from adnorm.readers.series_matrix import read_series_matrix

    def glance(path: Path) -> Any:
        draft = _from_matrix(path, "GSE1", None, f"file:{path.parent}/geo")
        return _as_yaml(propose(draft, None), path.parent)

    return [read_series_matrix, lambda path: read_series_matrix(path, "GPL1", True), glance]


def _read_header() -> list[Callable[[Path], Any]]:
    from adnorm.fetch import geo
    from adnorm.fetch.content import SERIES_MATRIX, Expected, check_content

    expected = Expected(SERIES_MATRIX, "GSE1", geo.series_of)
    return [
        lambda path: check_content(path, path.name, "https://example.org/x", expected),
        geo.platforms_in,
        geo.supplementary_files,
        lambda path: geo.refuse_empty_table(path, "x"),
    ]


def _read_annotation() -> list[Callable[[Path], Any]]:
    from adnorm.readers.annotation import read_annotation

    return [read_annotation, lambda path: read_annotation(path, "Gene symbol")]


def _read_identifiers() -> list[Callable[[Path], Any]]:
    from adnorm.readers.annotation import read_identifier_table

    return [read_identifier_table]


def _read_counts() -> list[Callable[[Path], Any]]:
    import pandas as pd

    from adnorm.readers.delimited import read_value_table
    from adnorm.readers.ncbi_counts import samples_without_counts

    raw = pd.DataFrame(index=[f"GSM{i}" for i in range(1, 8)])

    def samples(path: Path) -> Any:
        matrix = path.parent / "matrix.txt"
        matrix.write_bytes(_matrix())
        return samples_without_counts(path, matrix, raw)

    return [samples, lambda path: read_value_table(path, probes=True)]


def _read_h5ad() -> list[Callable[[Path], Any]]:
    from adnorm.onboarding.draft import draft_of_h5ad
    from adnorm.onboarding.proposals import propose
    from adnorm.readers.h5ad import read_counts_layer, read_notes, read_obs, read_values

    return [
        read_obs,
        read_values,
        lambda path: read_values(path, "counts"),
        lambda path: read_notes(path, None),
        read_counts_layer,
        lambda path: _as_yaml(propose(draft_of_h5ad(path), None), path.parent),
    ]


def _read_gmt() -> list[Callable[[Path], Any]]:
    from adnorm.study.gene_sets import SetSymbols, read_gene_sets

    return [lambda path: SetSymbols.of(read_gene_sets([path])).digest]


def _read_axis_genes() -> list[Callable[[Path], Any]]:
    from adnorm.study.axis_genes import read_axis_genes

    return [read_axis_genes]


def _read_published() -> list[Callable[[Path], Any]]:
    from adnorm.atlas.classes import read_published
    from adnorm.base.tables import read_table

    return [read_published, read_table]


def _read_manifest() -> list[Callable[[Path], Any]]:
    from adnorm.expression.sources import open_sources
    from adnorm.fetch.proof import PROOF, proven_files
    from adnorm.study.cohort import MeasuredCohort

    cohort = _cohort().view(MeasuredCohort)

    def proven(path: Path) -> Any:
        (path.parent / PROOF).write_bytes(path.read_bytes())
        return proven_files(path.parent)

    def sources(path: Path) -> Any:
        for name, content in (("table", _table()), ("sheet", _sheet())):
            (path.parent / f"{name}.csv").write_bytes(content)
        return open_sources(path, cohort)

    return [sources, proven]


def _read_stop() -> list[Callable[[Path], Any]]:
    from adnorm.base.stops import read_stop

    return [read_stop]


def _read_note() -> list[Callable[[Path], Any]]:
    from adnorm.base.stops import stopped_stages

    return [lambda path: stopped_stages(path.parents[1])]


PARSERS = {
    "cohort file": Parser("lab.yaml", lambda: _COHORT, _read_cohort),
    "simulation": Parser("lab.yaml", lambda: _SIMULATED, _read_cohort),
    "configuration": Parser("run.yaml", lambda: _CONFIG, _read_config),
    "--config": Parser("typed.txt", lambda: b"{address: 'file:mirror', attempts: 2}", _read_typed),
    "sample sheet": Parser("sheet.csv", _sheet, _read_sheet),
    "table of values": Parser("counts.csv", _table, _read_table),
    "series matrix": Parser("GSE1_series_matrix.txt", _matrix, _read_matrix),
    "header of GEO": Parser("GSE1_series_matrix.txt", _matrix, _read_header),
    "annotation": Parser("GPL1.annot", _annotation, _read_annotation),
    "identifiers": Parser("hgnc.tsv", _identifiers, _read_identifiers),
    "NCBI counts": Parser("counts.tsv", _counts, _read_counts),
    "h5ad": Parser("x.h5ad", _h5ad, _read_h5ad),
    "GMT": Parser("sets.gmt", _gmt, _read_gmt),
    "gene-set table": Parser("sets.tsv", _set_table, _read_gmt),
    "axis genes": Parser("axis.tsv", _axis_genes, _read_axis_genes),
    "published results": Parser("published.tsv", _published, _read_published),
    "manifest": Parser("manifest.json", _manifest, _read_manifest),
    "stopped result": Parser("samples.tsv", _stop, _read_stop),
    "note of a stop": Parser("logs/expression.stop-1", _note, _read_note),
}


# ---------------------------------------------------------------- what becomes of them

#: What damages formats: ends of cells, lines and files, words of YAML and JSON, other encodings.
_TOKENS = (
    b"\0", b"\r", b"\n", b"\r\n", b"\t", b",", b";", b'"', b'""', b"'", b"''''", b"#", b": ",
    b"- ", b"-", b":", b"?", b"|", b">", b"&", b"* *a", b"&a", b"<<", b"!", b"!!", b"%", b"@", b"`",
    *(b"[ ] { } [[[[ {{{{ ]] }} null true nan NaN -inf 1e999 1e-999 -0 0x10 010 9999999999999999999"
      b" 1_000 1,5 1.5.5 =1+1 -5 +3 @x NA N/A".split()),  # fmt: skip
    b" ", b"", b"\x1b[31m", b"\x85", b"\xa0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80",
    b"\xe2\x80\xa8", b"\xc3\xa9", b"\x1f\x8b", b"PK\x03\x04", b"<html>",
    b"!!python/name:os.system ",
    b"!!timestamp x", b"!!bool x", b"!!int ''", b"!!set {a}", b"!!binary \xc3\xa9",
    b"2001-12-14t21:59:43.10-05:00", b"12:30:45", b"(?P<value>", b"(a|aa)+b", b"(?R)", b"{999999}",
    b"\\ud800", b"\\x00", b"9" * 5000, b"a" * 3000,
    b"a" * 30_000, b" " * 30_000, b"\"" * 51, b"[" * 1200, b"{\"a\":" * 1200,
    b"\n" * 60, b"Infinity", b"{}", b"[]", b"\"files\": 3", b"!series_matrix_table_end",
    b"!Sample_geo_accession\t\"GSM1\"", b"\n? [a, b]\n: c\n", b"\n? {a: b}\n: c\n", b"\n<<: 3\n",
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    """Draw what some accidents and some malice make of a file; sometimes any bytes at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    text = valid
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from((0, 1, 1, 2, 5, 20, 100))))
        what = draw(st.sampled_from("flip flip token token token bytes cut cut again end".split()))
        piece = text[start:end]
        if what == "flip":
            new = bytes(byte ^ draw(st.integers(1, 255)) for byte in piece[:2]) + piece[2:]
        elif what == "token":
            new = draw(st.sampled_from(_TOKENS))
        elif what == "bytes":
            new = draw(st.binary(max_size=8))
        else:
            new = piece * 3 if what == "again" else b""
        text = text[:start] + new + (b"" if what == "end" else text[end:])
    return _wrapped(
        text, draw(st.sampled_from(("plain",) * 12 + _WRAPS)), draw(st.integers(0, 999))
    )


_WRAPS = (
    "gzip",
    "torn gzip",
    "gzip with a wrong byte",
    "utf-16",
    "old Macintosh",
    "Windows",
    "twice",
)


def _wrapped(text: bytes, how: str, place: int) -> bytes:
    if "gzip" in how:
        packed = gzip.compress(text, mtime=0)
        at = place % len(packed)
        if how == "gzip with a wrong byte":
            return packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :]
        return packed[:at] if how == "torn gzip" else packed
    if how == "utf-16":
        return text.decode("latin-1").encode("utf-16")
    if how == "twice":
        return text + text
    ends = {"old Macintosh": b"\r", "Windows": b"\r\n"}
    return text.replace(b"\n", ends[how]) if how in ends else text


# ---------------------------------------------------------------- a process that reads


class Reader:
    """A process that reads files with the parsers; it is started anew when one ends it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self.ended_with: int | None = None

    def __call__(self, name: str, content: bytes) -> Outcome:
        """Say what becomes of a file of a parser."""
        path = self._folder / name.replace(" ", "_") / "x" / PARSERS[name].file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        process = self._process or self._started()
        assert process.stdin and process.stdout
        begin = time.monotonic()
        with suppress(BrokenPipeError):
            # One that has ended answers nothing.
            process.stdin.write(json.dumps([name, str(path)]) + "\n")
            process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], LIMIT)
        answer = process.stdout.readline() if ready else ""
        seconds = time.monotonic() - begin
        if answer:
            return Outcome(*json.loads(answer), seconds)
        self.close()
        if not ready:
            return Outcome(HANG, f"no answer within {LIMIT:g} seconds", seconds)
        return Outcome(CRASH, f"the process ended with {self.ended_with}", seconds)

    def _started(self) -> subprocess.Popen[str]:
        tests = Path(__file__).resolve().parents[1]
        paths = [str(tests), str(tests.parent / "scripts")]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        )
        assert self._process.stdout
        # Until everything is imported.
        self._process.stdout.readline()
        return self._process

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process:
            process.kill()
            with suppress(BrokenPipeError):
                process.communicate()
            self.ended_with = process.returncode


def _outcome(reads: list[Callable[[Path], Any]], path: Path) -> tuple[str, str]:
    from adnorm.base.errors import AdnormError

    kind, what = RESULT, ""
    for read in reads:
        try:
            read(path)
        except AdnormError as error:
            kind, what = REFUSED, str(error)
            if len(what) > LONGEST_MESSAGE:
                return UNFORESEEN, f"a message of {len(what):,} characters: {what[:200]}"
        except MemoryError:
            return CRASH, "no memory is left"
        except Exception as error:  # noqa: BLE001 -- it is what is looked for
            import traceback

            at = traceback.extract_tb(error.__traceback__)
            ours = [f for f in at if "/adnorm/" in f.filename] or at
            place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
            return UNFORESEEN, f"{type(error).__name__} at {place}: {str(error)[:300]}"
    return kind, what


def _serve() -> None:
    """Answer one line per file: what became of it."""
    import resource

    # A file of some kilobytes needs no gigabytes.
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    answers = os.fdopen(os.dup(1), "w")
    # What libraries print is no answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    reads = {name: parser.reads() for name, parser in PARSERS.items()}
    _h5ad()
    print(io.TextIOBase.__name__, file=answers, flush=True)
    for line in sys.stdin:
        name, path = json.loads(line)
        print(json.dumps(_outcome(reads[name], Path(path))), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
