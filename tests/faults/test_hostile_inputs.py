"""One small input for each kind of fault that somebody sent: what is told, and that it ends."""

from __future__ import annotations

import json
import logging
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import regex
import yaml

from adnorm.base.errors import AdnormError, AskedForError, listing
from adnorm.base.inflate import opened
from adnorm.base.logs import warnings_collected
from adnorm.base.stops import Stop, last_note, read_stop, run_again, stopped_stages, write_stop
from adnorm.base.yaml_text import read_value, read_yaml
from adnorm.cli import main
from adnorm.expression.columns import sum_lanes
from adnorm.expression.sources import open_sources
from adnorm.fetch.proof import PROOF, proven_files
from adnorm.readers.annotation import read_annotation, read_identifier_table
from adnorm.readers.delimited import read_sheet, read_value_table, warn_of_formulas
from adnorm.readers.h5ad import read_obs, read_values
from adnorm.readers.identifiers import identifier_type
from adnorm.readers.series_matrix import read_series_matrix
from adnorm.readers.text import one_line, records
from adnorm.study import patterns
from adnorm.study.axis_genes import read_axis_genes
from adnorm.study.cohort import Cohort, MeasuredCohort
from adnorm.study.gene_sets import SetSymbols, read_gene_sets
from adnorm.study.reading import read_cohort, read_study
from adnorm.study.samples import build_sample_sheet
from builders.hostile_files import PARSERS

READERS = (
    read_sheet,
    read_value_table,
    read_series_matrix,
    read_annotation,
    read_identifier_table,
    read_axis_genes,
    read_yaml,
    read_obs,
)


def refused(call, *arguments) -> str:
    """The message of a call that must be refused within some seconds of work."""
    begin = time.process_time()
    with pytest.raises(AdnormError) as told:
        call(*arguments)
    assert time.process_time() - begin < 8
    message = str(told.value)
    assert "Traceback" not in message and "Error(" not in message
    return message


def call(*arguments: str, cwd, seconds: float = 60) -> subprocess.CompletedProcess:
    """Call a command in a process of its own, which is ended when it hangs."""
    return subprocess.run(
        [sys.executable, "-m", "adnorm.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def cohort(**changes) -> dict:
    """What the small cohort file holds, with other keys."""
    return yaml.safe_load(PARSERS["cohort file"].valid()) | changes


def written(folder, value: dict):
    """Write a cohort file under the name that it must have."""
    (folder / "lab.yaml").write_text(yaml.safe_dump(value, sort_keys=False))
    return folder / "lab.yaml"


# ---------------------------------------------------------------- places that are no files


@pytest.mark.parametrize("read", READERS)
def test_devices_and_pipes_are_refused_and_nothing_waits_for_them(read, tmp_path):
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert "this is a device, not a file" in refused(read, tmp_path / "zero")
    os.mkfifo(tmp_path / "pipe")
    assert "this is a pipe, not a file" in refused(read, tmp_path / "pipe")


@pytest.mark.parametrize("read", READERS)
def test_a_folder_and_memory_of_a_process(read, tmp_path):
    assert re.search("folder|cannot be read|director", refused(read, tmp_path))
    assert "/proc/self/mem" in refused(read, Path("/proc/self/mem"))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
@pytest.mark.parametrize("read", READERS)
def test_no_permission(read, tmp_path):
    (tmp_path / "mine").write_text("a,b\n1,2\n")
    (tmp_path / "mine").chmod(0)
    assert "ermission" in refused(read, tmp_path / "mine")


@pytest.mark.parametrize("read", READERS[:6])
def test_a_file_that_the_system_does_not_let_read(read, tmp_path, monkeypatch):
    (tmp_path / "mine").write_text("a,b\n1,2\n")

    def denied(*arguments, **names):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("adnorm.base.inflate.open", denied, raising=False)
    assert "permission denied; let its owner allow it" in refused(read, tmp_path / "mine")


@pytest.mark.parametrize("place", ["configfile", "identifiers", "gene_sets", "table"])
def test_a_pipe_in_any_place_of_a_run_ends(place, tmp_path):
    os.mkfifo(tmp_path / "pipe.gmt")
    lab = cohort()
    config = {"cohorts": ["lab.yaml"], "results": "out"}
    if place == "table":
        lab["source"] = {"table": "pipe.gmt", "sheet": "pipe.gmt"}
    elif place != "configfile":
        config[place] = {"table": "pipe.gmt"} if place == "identifiers" else ["pipe.gmt"]
    written(tmp_path, lab)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    name = "pipe.gmt" if place == "configfile" else "run.yaml"
    found = call("check", "--configfile", name, cwd=tmp_path)
    assert found.returncode == 1
    assert re.search("this is a pipe|a device or a pipe", found.stderr), found.stderr
    assert "foresee" not in found.stderr


# ---------------------------------------------------------------- YAML


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # Each of these ended the process in the parser, which is written in C.
        ("a: " + "[" * 200_000, "stand in one another hundreds deep"),
        ("{a: " * 100_000, "stand in one another hundreds deep"),
        ("- " * 100_000 + "x", "stand in one another hundreds deep"),
        (
            "".join(f"a{i}: &a{i} [{f'*a{i - 1}' if i else 'x'}]\n" for i in range(400)),
            "hundreds deep",
        ),
        ("".join(f"k{i}: v\n" for i in range(120_000)), "holds more than 200,000 values"),
        ('a: "' + "x" * 5_100_000 + '"', "more than 5 million characters"),
        ("? !!set {a}\n: c\n", "a key is a list or a mapping, not a word"),
        ("a: !!bool perhaps\n", "a value cannot be read"),
        ("a: !!timestamp x\n", "a value cannot be read"),
        ('a: !!int ""\n', "a value cannot be read"),
        ("a: !!float x\n", "a value cannot be read"),
    ],
)
def test_yaml_that_ended_the_process_or_had_no_sentence(tmp_path, text, message):
    (tmp_path / "x.yaml").write_text(text)
    told = refused(read_yaml, tmp_path / "x.yaml")
    assert re.search(message, told)
    assert len(told) < 600


def test_a_value_on_the_command_line_is_shown_in_part():
    for text in ("[" * 3000, "9" * 5000, "!!bool perhaps", "? [a]\n: b"):
        told = refused(read_value, text, "--config results")
        assert told.startswith("--config results: '")
        assert len(told) < 400


# ---------------------------------------------------------------- patterns


@pytest.fixture
def sheet(tmp_path):
    (tmp_path / "sheet.csv").write_bytes(PARSERS["sample sheet"].valid())
    return read_sheet(tmp_path / "sheet.csv", "sample").rename_axis(index=None)


SLOW = "(?P<value>(a|aa)+)b"


def test_a_pattern_that_never_ends_is_told_with_file_field_pattern_and_cell(tmp_path, sheet):
    lab = cohort()
    lab["samples"]["week"]["pattern"] = SLOW
    lab["exclude"] = [{"from": "treatment", "pattern": "(x|xx)+y", "reason": "r"}]
    sheet["time point"] = "a" * 41
    sheet["treatment"] = "x" * 60
    settings = read_cohort(written(tmp_path, lab)).view(MeasuredCohort)
    told = refused(build_sample_sheet, sheet, settings)
    assert f"{tmp_path}/lab.yaml: " in told
    assert f"samples: week: pattern (key 'time point'): '{SLOW}' takes more than 2 seconds" in told
    assert f"the cell '{'a' * 41}' (41 characters)" in told
    assert "exclude: rule 1: pattern (key 'treatment'): '(x|xx)+y' takes more than" in told


def test_a_pattern_of_lanes_that_never_ends():
    table = pd.DataFrame(1, index=["g"], columns=["a" * 50])
    told = refused(sum_lanes, table, "(?P<library>(a|aa)+)b", "cohort lab: counts.csv")
    assert told.startswith("cohort lab: counts.csv: source: libraries: '(?P<library>(a|aa)+)b'")


def test_the_pattern_of_the_report_ends_at_once():
    begin = time.process_time()
    assert patterns.compiled("(a+)+$").search("a" * 41 + "!") is None
    assert time.process_time() - begin < 1


def test_many_cells_that_are_each_quick_enough_are_too_many(monkeypatch):
    monkeypatch.setattr(patterns, "MOST_SECONDS_OF_ALL", 0.05)
    pattern = patterns.Pattern("(a|aa)+b")
    with pytest.raises(patterns.SlowPatternError, match=r"has taken 0\.05 seconds for the cells"):
        for _ in range(10_000):
            pattern.search("a" * 22)
    with pytest.raises(patterns.SlowPatternError):
        pattern.search("b")


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("(a{10000}){10000}", "has more than 20,000 parts"),
        ("(?:(?:(a?)){1000}){1000}", "has more than 20,000 parts"),
        ("a{99999999999999999999}", "has more than 20,000 parts"),
        ("x" * 3000, "has 3,000 characters; at most 2,000 are allowed"),
        ("(" * 900 + ")" * 900, "hundreds deep"),
        ("(?P<value>", "is not a regular expression"),
        ("(?L)a", "is not a regular expression"),
        (r"\p{L}", "is not a regular expression"),
        ("(?<=a+)b", "is not a regular expression"),
    ],
)
def test_patterns_that_are_refused_before_they_are_prepared(tmp_path, pattern, fault):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert fault in patterns.fault_of(pattern)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
    lab = cohort()
    lab["samples"]["week"]["pattern"] = pattern
    told = refused(read_cohort, written(tmp_path, lab))
    assert "samples: week: pattern: '" in told
    assert fault in told
    assert len(told) < 1200


def all_patterns(repository) -> list[str]:
    """The patterns of all shipped cohort files and templates, and those in tests and pages."""
    found = set()
    files = [*repository.glob("config/**/*.yaml"), *repository.glob("docs/**/*.md")]
    files += [p for p in repository.glob("tests/**/*.py") if "test_hostile" not in p.name]
    for path in files:
        text = path.read_text(encoding="utf-8")
        found |= {m[2] for m in re.finditer(r"""(?:pattern|libraries): (["'])(.*?)\1""", text)}
    return sorted(p for p in found if p and not patterns.fault_of(p))


def test_regex_finds_what_re_finds_for_every_pattern_there_is(repository):
    texts = " ".join(p.read_text() for p in repository.glob("config/cohorts/*.yaml"))
    cells = {*re.findall(r"[^\n,{}\[\]]+", texts), *texts.split()}
    cells |= {f"{a}{b}{c}" for a in ("Week ", "week_", "W", "wk", "") for b in ("0", "-2", "12,5")
              for c in ("", " (LS)", "_NL", "é²", "\n")}  # fmt: skip
    cells |= {"LS", "NL", "placebo 40 mg", "m3_AL", "a/b_S1_L001.bam", "1\t2", "ß", "ſ", "İ"}
    known = all_patterns(repository)
    assert len(known) > 20
    for text in known:
        for case in (False, True):
            plain = re.compile(text, 0 if case else re.IGNORECASE)
            limited = patterns.compiled(text, case)
            for cell in cells:
                a, b = plain.search(cell), limited.search(cell)
                assert (a and (a.span(), a.groupdict())) == (b and (b.span(), b.groupdict()))


def test_where_regex_and_re_differ_as_the_module_says():
    def differing(part: str) -> list[str]:
        plain, limited = re.compile(part), regex.compile(part, regex.VERSION0)
        cells = map(chr, [*range(0x250), 0x301])
        return [c for c in cells if bool(plain.match(c)) != bool(limited.match(c))]

    assert differing(r"\w") == [*"²³¹¼½¾", "\u0301"]
    assert differing(r"\s") == ["\x1c", "\x1d", "\x1e", "\x1f"]
    assert not differing(r"\d") + differing(r"[^\W\d_a-z]")[7:] + differing(".")


# ---------------------------------------------------------------- tables


def test_quotation_marks_that_close_late_cost_no_copies():
    """At each cell the rest of the line was copied: a header of 2 MB took the work of a day."""
    line = b"gene," + b'"s",' * 60_000 + b'"x\n'
    begin = time.process_time()
    assert [lines for lines, _ in records([line, b"a,1\n"])] == [1, 1]
    assert time.process_time() - begin < 5


def test_a_cell_of_blanks_takes_no_hours_and_a_long_one_fills_no_screen(tmp_path, sheet):
    path = tmp_path / "sheet.csv"
    path.write_text("sample,a b,c\ns," + " " * 60_000 + "x," + "y" * 60_000 + "\n")
    begin = time.process_time()
    assert read_sheet(path).loc[0, "a b"] == "x"
    assert one_line("a \n \r\n b c\rd ") == "a b c d"
    assert time.process_time() - begin < 3
    assert len(listing(["x" * 60_000] * 3)) < 1000
    sheet["time point"] = "w" * 60_000
    settings = Cohort.model_validate(cohort()).view(MeasuredCohort)
    assert len(refused(build_sample_sheet, sheet, settings)) < 15_000


@pytest.mark.parametrize("name", ["sets.tsv", "axis.tsv"])
def test_a_table_of_long_cells_fills_no_screens(tmp_path, name):
    parser, read = {
        "sets.tsv": ("gene-set table", lambda path: read_gene_sets([path])),
        "axis.tsv": ("axis genes", read_axis_genes),
    }[name]
    long = b"x9" * 15_000
    text = PARSERS[parser].valid().replace(b"\tup", b"\t" + long).replace(b"itch\tItch", long, 3)
    (tmp_path / name).write_bytes(text)
    assert 200 < len(refused(read, tmp_path / name)) < 12_000


def test_a_manifest_with_a_role_that_there_is_not(tmp_path):
    import hashlib

    (tmp_path / "x").write_bytes(b"1")
    entry = {"role": "table;", "name": "x", "sha256": hashlib.sha256(b"1").hexdigest()}
    content = {"cohort": "lab", "files": [entry | {"source": "./x"}]}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    settings = Cohort.model_validate(cohort()).view(MeasuredCohort)
    assert "no file has the role 'table'" in refused(
        open_sources, tmp_path / "manifest.json", settings
    )


def test_a_mark_that_never_closes_is_told_with_its_line(tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_text("sample,a,b\n" + "s,1,2\n" * 3 + 's,1,"x\n' + "s,1,2\n" * 2)
    for read in (read_sheet, read_value_table):
        assert "stands in line 5" in refused(read, path)


def test_texts_that_a_spreadsheet_would_compute_are_warned_of_once(tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_text(
        "sample,patient,arm,change,sign\n=cmd(),+CD4,@SUM(A1),-5,+\n"
        "s2,-2+3+cmd|' /C calc'!A0,placebo,+3,-\n"
    )
    told: list[str] = []
    with warnings_collected(told):
        warn_of_formulas(read_sheet(path, "sample"), "sheet.csv")
    assert len(told) == 1
    assert told[0].startswith("sheet.csv: a spreadsheet would take 4 texts for formulas: '=cmd()'")
    for text in ("'+CD4' (column 'patient')", "'-2+3+cmd|", "'@SUM(A1)' (column 'arm')"):
        assert text in told[0]
    for number in ("'-5'", "'+3'", "'+'", "'-'"):
        assert number not in told[0]


def test_a_sheet_without_such_texts_is_not_warned_of(sheet):
    told: list[str] = []
    with warnings_collected(told):
        warn_of_formulas(sheet, "sheet.csv")
    assert told == []


def test_a_dose_below_nothing(sheet, tmp_path):
    lab = cohort()
    lab["samples"]["dose_mg"]["values"]["JAK1-INH 200 MG QD"] = -5
    settings = read_cohort(written(tmp_path, lab)).view(MeasuredCohort)
    assert "samples: dose_mg: below 0" in refused(build_sample_sheet, sheet, settings)


@pytest.mark.parametrize("key", ["table", "sheet"])
@pytest.mark.parametrize("mark", ["{x}", "<x>", "\n", "\x1b"])
def test_names_that_snakemake_reads_as_wildcards_are_told(tmp_path, key, mark):
    lab = cohort(source={"table": "counts.csv", "sheet": "sheet.csv"} | {key: f"d{mark}/x.csv"})
    written(tmp_path, lab)
    (tmp_path / "sets.gmt").write_bytes(PARSERS["GMT"].valid())
    config = {"cohorts": ["lab.yaml"], "results": "out", "gene_sets": ["sets.gmt"]}
    told = refused(read_study, config, tmp_path)
    assert "lab.yaml: source: the name 'd" in told
    assert "braces and control characters are not allowed" in told


# ---------------------------------------------------------------- collections of gene sets


def collection(path, size: int, one: str = "G{}"):
    """Write a GMT of some bytes: 20,000 genes, sets of 20 to 1,500 of them."""
    random = np.random.default_rng(1)
    genes = np.array([one.format(i) for i in range(20_000)])
    with path.open("w") as file:
        number = 0
        while file.tell() < size:
            members = random.choice(genes, random.choice([20, 100, 500, 1500]), replace=False)
            file.write(f"SET_{number}\tset {number}\t" + "\t".join(members) + "\n")
            number += 1
    return number


def test_a_large_collection_is_read_in_seconds_and_little_memory(tmp_path):
    """Four megabytes here; `benchmarks/collections.py` measures 135."""
    number = collection(tmp_path / "c.gmt", 4_000_000)
    code = (
        "import resource, time\n"
        "from adnorm.study.gene_sets import read_gene_sets\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "begin = time.process_time()\n"
        "sets = read_gene_sets(['c.gmt'])\n"
        "used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "print(len(sets), time.process_time() - begin, used * 1024)\n"
    )
    path = os.pathsep.join(sys.path)
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    sets, seconds, used = found.stdout.split()
    assert int(sets) == number
    assert float(seconds) < 3
    assert float(used) < 5 * 4_000_000


def test_a_collection_whose_every_cell_is_odd_does_not_collect_them(tmp_path):
    path = tmp_path / "c.gmt"
    collection(path, 1_000_000, "{}")
    told = refused(read_gene_sets, [path])
    assert re.search(r"numbers instead of symbols \(Entrez ids\?\): .* and [\d,]+ more", told)
    assert len(told) < 500


def test_members_kept_as_text_are_genes_like_others(tmp_path):
    (tmp_path / "a.gmt").write_text("A\tof skin\tIL31\tOSMR\tIL31\nB\t\tFLG\n")
    (tmp_path / "b.tsv").write_text("set\tsymbol\tdirection\nA\tIL31\t\nA\tOSMR\t\n")
    sets = read_gene_sets([tmp_path / "a.gmt"])
    genes = sets["A"].genes
    assert [gene.symbol for gene in genes] == ["IL31", "OSMR"] == sets["A"].symbols
    assert len(genes) == 2 and genes[1].source == "of skin" and genes[:1] == tuple(genes)[:1]
    assert genes == tuple(genes) and hash(genes) == hash(tuple(genes))
    assert not sets["A"].signed and sets["A"].up == () and sets["A"].signs == {"IL31": 1, "OSMR": 1}
    same = read_gene_sets([tmp_path / "b.tsv"])["A"]
    assert same.symbols == sets["A"].symbols and same.signs == sets["A"].signs
    assert SetSymbols.of(sets).judging == {"A": {"IL31", "OSMR"}, "B": {"FLG"}}


def test_the_digest_of_symbols_is_that_of_their_json(tmp_path):
    """Written piece by piece; another digest would run every cohort again."""
    import hashlib

    (tmp_path / "a.tsv").write_bytes(PARSERS["gene-set table"].valid())
    (tmp_path / "b.gmt").write_bytes(PARSERS["GMT"].valid())
    for files in (["a.tsv"], ["b.gmt"], ["a.tsv", "b.gmt"]):
        symbols = SetSymbols.of(read_gene_sets([tmp_path / name for name in files]))
        judging = {name: sorted(genes) for name, genes in symbols.judging.items()}
        parts = [sorted(symbols.approved), sorted(symbols.previous.items()), list(judging.items())]
        assert symbols.digest == hashlib.sha256(json.dumps(parts).encode()).hexdigest()


# ---------------------------------------------------------------- files of state


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[]", b"3", b"{", b'{"files": 3}', b'{"files": [3]}', b"[" * 100_000,
     b'{"files": [{"role": "table"}]}', b'{"cohort": ' + b"9" * 5000 + b"}",
     b'{"files": [{"role": "table", "name": "../x", "sha256": "0"}]}'],
)  # fmt: skip
def test_a_manifest_that_is_damaged(tmp_path, content):
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    told = refused(open_sources, path, Cohort.model_validate(cohort()).view(MeasuredCohort))
    assert re.search("remove it, and the next call makes it again|will fetch again", told)
    assert len(told) < 1000
    # What cannot be read proves nothing: everything is fetched again.
    assert proven_files(tmp_path) == {}
    (tmp_path / PROOF).write_bytes(content)
    assert proven_files(tmp_path) == {}


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{", b'{"a": 1}', b"[" * 100_000])
def test_a_reason_to_stop_that_is_damaged_is_still_one(tmp_path, content):
    result = tmp_path / "samples.tsv"
    write_stop(result, Stop("lab", "expression", "a sentence"))
    assert read_stop(result).message == "a sentence"
    result.write_bytes(b"#adnorm-stopped " + content + b"\n")
    assert "why it stopped cannot be read" in read_stop(result).message
    log = tmp_path / "logs" / "expression.log"
    log.parent.mkdir()
    run_again(log, Stop("lab", "expression", "a sentence"))
    assert stopped_stages(tmp_path) == [Stop("lab", "expression", "a sentence")]
    last_note(log).write_bytes(content)
    (left,) = stopped_stages(tmp_path)
    assert "why it stopped cannot be read" in left.message
    # What a cell put into a note cannot command the terminal that shows it.
    last_note(log).write_text(json.dumps({"cohort": "a", "stage": "b", "message": "\x1b[31m"}))
    assert stopped_stages(tmp_path)[0].message == "␛[31m"


# ---------------------------------------------------------------- containers and terminals


def test_an_h5ad_with_a_wrong_byte_anywhere(tmp_path):
    """Every part of the container once: superblock, trees, heaps, attributes, values."""
    valid = PARSERS["h5ad"].valid()
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from adnorm.base.errors import AdnormError\nfrom adnorm.readers.h5ad import *\n"
        "valid = Path('v').read_bytes()\n"
        "for at in range(0, len(valid), 211):\n"
        "    Path('x.h5ad').write_bytes(valid[:at] + bytes([valid[at] ^ 255]) + valid[at + 1 :])\n"
        "    for read in (read_obs, read_values, read_counts_layer):\n"
        "        try: read('x.h5ad')\n"
        "        except AdnormError: print('refused')\n"
    )
    (tmp_path / "v").write_bytes(valid)
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=tmp_path,
        timeout=120, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.count("refused") > 20


def test_a_gzip_damaged_between_fetch_and_reading(tmp_path):
    import gzip

    path = tmp_path / "counts.csv.gz"
    packed = bytearray(gzip.compress(PARSERS["table of values"].valid()))
    packed[len(packed) // 2] ^= 0xFF
    path.write_bytes(packed)
    assert "gzip file is damaged" in refused(read_value_table, path)
    path.write_bytes(packed[:-9])
    assert re.search("gzip file is (damaged|truncated)", refused(read_value_table, path))


def test_escape_sequences_do_not_reach_a_terminal(tmp_path):
    written(tmp_path, cohort(**{"\x1b[31mkey": 1, "title": "\x1b]0;PWNED\x07"}))
    (tmp_path / "lab.yaml").write_text(
        (tmp_path / "lab.yaml").read_text() + '"\\e[31munknown": 1\n'
    )
    (tmp_path / "run.yaml").write_text("cohorts: [lab.yaml]\nresults: out\n")
    found = call("check", "--configfile", "run.yaml", cwd=tmp_path)
    assert "unknown" in found.stderr
    assert "\x1b" not in found.stdout + found.stderr


def test_escape_sequences_of_a_configuration_do_not_pass_snakemake(tmp_path, snakemake):
    (tmp_path / "run.yaml").write_text('"\\e[31munknown": 1\ncohorts: [lab.yaml]\n')
    found = snakemake(tmp_path, "--configfile", "run.yaml", "-n", check=False)
    assert "unknown" in found.stdout + found.stderr
    assert "\x1b[31munknown" not in found.stdout + found.stderr


def test_a_stray_carriage_return_in_a_quoted_header(tmp_path):
    path = tmp_path / "counts.tsv"
    path.write_bytes(b'gene\t"a\rb"\tc\nFLG\t1\t2\nLOR\t3\t4\n')
    table = read_value_table(path)
    assert list(table.columns) == ["a b", "c"]
    assert table.to_numpy().tolist() == [[1, 2], [3, 4]]


def test_the_open_file_of_a_damaged_container_is_closed(tmp_path):
    path = tmp_path / "x.h5ad"
    path.write_bytes(PARSERS["h5ad"].valid()[:4000])
    refused(read_obs, path)
    with h5py.File(path, "w") as file:
        file["a"] = 1
    with opened(path) as file:
        assert file.read(4) == b"\x89HDF"


def test_no_log_line_of_a_hostile_name_commands_a_terminal(capsys, tmp_path):
    from adnorm.base.logs import start_log

    logger = start_log(tmp_path / "x.log", "stage", "lab")
    logger.warning("cell %s", "\x1b]0;PWNED\x07")
    logging.getLogger("adnorm").handlers.clear()
    assert "\x1b" not in capsys.readouterr().err + (tmp_path / "x.log").read_text()
    assert main(["check", "\x1b[31m.yaml"]) == 1
    assert "\x1b" not in "".join(capsys.readouterr())


def test_what_would_come_again_is_not_fetched_again(tmp_path):
    """A platform without a column of symbols: only the cohort file can name another one."""
    path = tmp_path / "GPL1.annot"
    for header in ("ID\tsequence", "ID\tGene symbol"):
        path.write_text(f"{header}\np1\t---\np2\t---\n")
        with pytest.raises(AskedForError, match="annotation without symbols"):
            read_annotation(path)


def test_a_container_in_which_nothing_can_be_seen_is_damaged(tmp_path):
    path = tmp_path / "x.h5ad"
    path.write_bytes(PARSERS["h5ad"].valid())
    with h5py.File(path, "a") as file:
        del file["X"]
    with pytest.raises(AskedForError, match="Layers: 'counts'"):
        read_values(path)
    with h5py.File(path, "a") as file:
        del file["layers"]
    with pytest.raises(AdnormError, match="damaged or holds no values; get the whole file") as told:
        read_values(path)
    assert not isinstance(told.value, AskedForError)


def test_a_word_of_thirty_thousand_letters_is_no_mouse_gene_at_once(tmp_path):
    word = "S" + "a" * 30_000 + "A7"
    (tmp_path / "a.gmt").write_text(f"A\tx\tIL31\t{word}\n")
    (tmp_path / "counts.csv").write_text(f"gene,a,b\nFLG,1,2\n{word},3,4\n")
    begin = time.process_time()
    assert read_gene_sets([tmp_path / "a.gmt"])["A"].symbols == ["IL31", word]
    labels = read_value_table(tmp_path / "counts.csv").index
    assert identifier_type(labels, "counts.csv")
    assert time.process_time() - begin < 5
    told = refused(read_gene_sets, [_gmt(tmp_path, "Krt16\tIl4ra\tS100a8\tTnf")])
    assert "symbols written as mouse genes are: 'Krt16'" in told


def _gmt(folder, genes: str):
    (folder / "b.gmt").write_text(f"B\tof mice\t{genes}\n")
    return folder / "b.gmt"
