"""One run after another, and two at once: servers that fail once, kills, modules, locks."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import psutil
import pytest
import yaml

from adnorm.base.run_lock import NAME
from adnorm.base.stops import read_stop
from adnorm.study.reading import read_study
from builders.cohorts import TINY
from builders.fetched import fetch_cohort
from builders.servers import Quiet, serving

SERIES = {key: value for key, value in TINY.items() if key != "simulation"} | {
    "route": "geo_series_matrix",
    "accession": "GSE12",
    "platform": "GPL5",
}
MATRIX = "/geo/series/GSEnnn/GSE12/matrix/GSE12_series_matrix.txt.gz"
ANNOTATION = "/geo/platforms/GPLnnn/GPL5/annot/GPL5.annot.gz"


@pytest.fixture(scope="module")
def published(tmp_path_factory, repository):
    """A tiny series as GEO serves it: path → bytes."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "lab.yaml").write_text(yaml.safe_dump(TINY))
    study = read_study({"cohorts": [str(folder / "lab.yaml")]}, repository)
    fetch_cohort(study.cohorts["lab"], folder / "fetch")
    files = {}
    for path in (folder / "fetch").glob("*.gz"):
        text = gzip.decompress(path.read_bytes()).decode()
        text = text.replace("SIMULATED_lab", "GSE12").replace("SIMULATED-ARRAY", "GPL5")
        files[MATRIX if "series_matrix" in path.name else ANNOTATION] = text
    assert set(files) == {MATRIX, ANNOTATION}
    assert '!Series_geo_accession\t"GSE12"' in files[MATRIX]
    if "GPL5" not in files[ANNOTATION]:
        files[ANNOTATION] = f"^Annotation\n!Annotation_platform = GPL5\n{files[ANNOTATION]}"
    return files


@pytest.fixture
def geo(published):
    """A server of the series; `geo.once[path]` is answered once instead: a status or a text.

    A request of the path `geo.held` waits until `geo.go` is set, and `geo.waits` says that it does.
    """
    state = SimpleNamespace(once={}, asked=[], held=None, go=threading.Event())
    state.waits, state.published = threading.Event(), published
    state.times, state.slow, state.at_once, state.most = [], 0.0, 0, 0

    class Handler(Quiet):
        def do_GET(self):
            state.asked.append(self.path)
            state.times.append(time.monotonic())
            state.at_once += 1
            state.most = max(state.most, state.at_once)
            time.sleep(state.slow)
            state.at_once -= 1
            if self.path == state.held:
                state.waits.set()
                state.go.wait(120)
            answer = state.once.pop(self.path, published.get(self.path, 404))
            body = b"" if isinstance(answer, int) else gzip.compress(answer.encode(), mtime=0)
            self.send_response(answer if isinstance(answer, int) else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as server:
        state.config = {
            "cohorts": ["lab.yaml"],
            "results": "out",
            "geo": {
                "address": f"{server.address}/geo",
                "attempts": 1,
                "requests_per_second": 100,
            },
        }
        yield state
        state.go.set()


@pytest.fixture
def lab(tmp_path, configure, geo):
    """A working directory with the configuration and the cohort."""
    configure(tmp_path / "a", SERIES, "lab.yaml")
    configure(tmp_path / "a", geo.config)
    return tmp_path / "a"


CALL = ("out/lab/expression/samples.tsv", "--configfile", "run.yaml")


#: The line of a job that did its work or stopped itself, and Snakemake's own in another workflow.
WORKED = re.compile(
    r"^ *\d+ of \d+  \[lab · (\w+)\]  (?:stopped at the stage \1\b|(?!stopped))"
    r"|^Finished jobid: \d+ \(Rule: adnorm_(\w+)\)",
    re.MULTILINE,
)


def worked(run):
    """Stages that began to work in a call."""
    return sorted({ours or theirs for ours, theirs in WORKED.findall(run.stderr)})


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        # The record of a run alone holds the time of it.
        if path.is_file() and "logs" not in path.parts and path.name != "ro-crate-metadata.json"
    }


def test_a_server_that_fails_is_asked_again(lab, geo, snakemake):
    geo.once[MATRIX] = geo.once[ANNOTATION] = 503
    first = snakemake(lab, *CALL, check=False)
    assert first.returncode == 1
    assert "lab stopped at the stage fetch:" in first.stderr and "status 503" in first.stderr
    assert read_stop(lab / "out/lab/expression/samples.tsv").stage == "fetch"
    assert snakemake(lab, *CALL, check=False).returncode == 1
    assert geo.asked == [MATRIX, MATRIX, ANNOTATION]
    # Also without Snakemake's memory, as from another working directory.
    shutil.rmtree(lab / ".snakemake")
    plan = snakemake(lab, *CALL, "-n").stdout
    assert re.search(r"^fetch +1$", plan, re.MULTILINE)
    third = snakemake(lab, *CALL)
    assert worked(third) == ["expression", "fetch"]
    assert geo.asked == [MATRIX, MATRIX, ANNOTATION, ANNOTATION]
    assert read_stop(lab / "out/lab/expression/samples.tsv") is None
    assert "Nothing to be done" in str(snakemake(lab, *CALL))


def test_a_cohort_that_cannot_succeed_is_tried_at_every_call(lab, geo, snakemake, configure):
    samples = SERIES["samples"] | {"state": {"from": "tissue", "values": {"LS": "lesional"}}}
    configure(lab, SERIES | {"samples": samples}, "lab.yaml")
    for times in range(2):
        run = snakemake(lab, *CALL, check=False)
        assert run.returncode == 1
        assert "no mapping covers 'NL'" in run.stderr
        assert worked(run) == (["expression"] if times else ["expression", "fetch"])
    # A wrong mapping is no reason to download anything again.
    assert geo.asked == [MATRIX, ANNOTATION]
    configure(lab, SERIES, "lab.yaml")
    assert worked(snakemake(lab, *CALL)) == ["expression"]
    assert geo.asked == [MATRIX, ANNOTATION]


@pytest.mark.parametrize(
    ("path", "found", "other", "words"),
    [
        (MATRIX, "GSE12", "GSE13", "says that it is of GSE13, but GSE12 was asked for"),
        # What only a reader sees: cut off before it was packed.
        (MATRIX, "!series_matrix_table_end", "", "truncated"),
    ],
)
def test_a_wrong_file_is_fetched_again(lab, geo, snakemake, published, path, found, other, words):
    geo.once[path] = re.sub(rf"{found}\b", other, published[path])
    assert geo.once[path] != published[path]
    first = snakemake(lab, *CALL, check=False)
    assert first.returncode == 1
    assert words in first.stderr
    before = len(geo.asked)
    snakemake(lab, *CALL)
    rest = [ANNOTATION] if before == 1 and path == MATRIX else []
    assert geo.asked[before:] == [path, *rest]
    assert read_stop(lab / "out/lab/expression/samples.tsv") is None


def test_an_identifier_table_that_is_refused_is_fetched_again(lab, geo, snakemake, configure):
    address = geo.config["geo"]["address"] + "/hgnc.txt.gz"
    configure(lab, geo.config | {"identifiers": {"table": address}})
    geo.once["/geo/hgnc.txt.gz"] = "name\tvalue\nx\t1\n"
    assert snakemake(lab, *CALL, check=False).returncode == 1
    geo.once["/geo/hgnc.txt.gz"] = (
        "hgnc_id\tsymbol\talias_symbol\tprev_symbol\tentrez_id\tensembl_gene_id\n"
        "HGNC:3748\tFLG\t\t\t2312\tENSG00000143631\n"
    )
    snakemake(lab, *CALL)
    assert geo.asked.count("/geo/hgnc.txt.gz") == 2
    assert geo.asked.count(MATRIX) == 1


# ---------------------------------------------------------------- what a run tells

FETCH = ("out/lab/fetch/manifest.json", "--configfile", "run.yaml")


def test_a_run_tells_of_each_finished_job_and_little_else(lab, snakemake):
    told = snakemake(lab, *FETCH).stderr.splitlines()
    assert re.fullmatch(r"1 of 1  \[lab · fetch\]  \d+ s", told[-3])
    assert told[-4] == "1 job: fetch 1"
    assert [line.split(":")[0] for line in told[-2:]] == ["Complete log(s)", "Elapsed time"]
    assert len(told) == 6 and "\x1b" not in "".join(told)


@pytest.mark.parametrize(
    ("option", "heard", "silent"),
    [
        (["--quiet", "host"], "Finished jobid: 0 (Rule: fetch)", "[lab · fetch]"),
        (["--verbose"], "Finished jobid: 0 (Rule: fetch)", "1 of 1  ["),
        (["--quiet", "all"], "", "jobs"),
        (["-n"], "fetch        1", "1 of 1"),
    ],
)
def test_snakemakes_own_words_can_be_had(lab, snakemake, option, heard, silent):
    run = snakemake(lab, *FETCH, *option)
    assert heard in run.stdout + run.stderr
    assert silent not in run.stdout + run.stderr


def test_snakemake_looks_for_jobs_to_start_when_one_has_ended(tmp_path, snakemake, repository):
    demo = ["--configfile", str(repository / "config/config.yaml"), "--verbose", "--cores", "1"]
    config = yaml.safe_load((repository / "config/config.yaml").read_text())
    cohorts = config["cohorts"]
    assert len(cohorts) > 2
    manifests = [f"{config['results']}/{name}/fetch/manifest.json" for name in cohorts]
    told = snakemake(tmp_path, *manifests, *demo).stderr
    # Not once more a second for each job that has ended.
    assert told.count("Ready jobs: ") == len(cohorts)
    assert "Submitting maximum" not in told
    limit = ["--max-jobs-per-timespan", "7/1s", "--forceall"]
    told = snakemake(tmp_path, manifests[0], *demo, *limit).stderr
    assert "Submitting maximum 7 job(s) over 1.0 second(s)" in told


def test_a_job_that_is_killed_is_told_with_what_to_do(lab, geo, snakemake, repository):
    geo.held = ANNOTATION
    running = start(repository, lab, *FETCH)
    assert geo.waits.wait(120)
    for child in psutil.Process(running.pid).children(recursive=True):
        if any(".fetch.py" in word for word in child.cmdline()):
            child.kill()
    told = running.communicate(timeout=120)[1]
    assert running.returncode == 1
    assert (
        "[lab · fetch] was killed (SIGKILL), most likely because the memory did not suffice. "
        "Run one job at a time (--cores 1)"
    ) in told
    assert (
        "repeats only what is lacking. What it did until then is in its log: out/lab/logs" in told
    )
    assert "died with" not in told and "RuleException" not in told
    assert "1 of 1" not in told
    geo.held = None
    geo.go.set()
    assert worked(snakemake(lab, *FETCH)) == ["fetch"]
    assert list((lab / ".snakemake/scripts").iterdir()) == []


# ---------------------------------------------------------------- two runs, and killed ones


def start(repository, folder, *arguments):
    """Start a run in a process group of its own."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile")]
    return subprocess.Popen(
        [*command, "--cores", "1", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_two_runs_do_not_share_a_results_folder(lab, geo, snakemake, configure, repository):
    results = str(lab / "out")
    other = lab.with_name("b")
    configure(other, SERIES, "lab.yaml")
    configure(other, geo.config | {"results": results})
    geo.held = ANNOTATION
    running = start(repository, lab, *CALL)
    elsewhere = (f"{results}/lab/expression/samples.tsv", *CALL[1:])
    try:
        assert geo.waits.wait(120)
        refused = snakemake(other, *elsewhere, check=False)
        assert refused.returncode == 1
        assert f"{results}: another run writes into this folder: process {running.pid}" in (
            refused.stderr
        )
        assert f"started in {lab}" in refused.stderr
        assert "Traceback" not in refused.stderr
        # Who only looks is not held up.
        for look in (["-n"], ["--unlock"]):
            snakemake(other, *elsewhere, *look)
    finally:
        geo.go.set()
        told = running.communicate(timeout=120)[1]
    assert running.returncode == 0, told
    assert not (lab / "out" / NAME).exists()
    snakemake(other, *elsewhere)


@pytest.mark.parametrize("where", ["a", "b"])
def test_the_same_call_goes_on_after_a_kill(lab, geo, snakemake, configure, repository, where):
    configure(lab.with_name("undisturbed"), SERIES, "lab.yaml")
    configure(lab.with_name("undisturbed"), geo.config)
    snakemake(lab.with_name("undisturbed"), *CALL)
    shutil.rmtree(os.environ["ADNORM_CACHE"])
    asked = len(geo.asked)
    folder = lab.with_name(where)
    configure(folder, SERIES, "lab.yaml")
    for name in ("a", where):
        configure(lab.with_name(name), geo.config | {"results": str(lab / "out")})
    geo.held = ANNOTATION
    call = (f"{lab}/out/lab/expression/samples.tsv", *CALL[1:])
    running = start(repository, lab, *call)
    assert geo.waits.wait(120)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    geo.go.set()
    again = snakemake(folder, *call)
    assert "going on after a run that was killed" in again.stderr
    # What had come whole is kept.
    assert geo.asked[asked:].count(MATRIX) == 1
    assert digests(lab / "out") == digests(lab.with_name("undisturbed") / "out")


# ---------------------------------------------------------------- inside another workflow

MODULE = """
module adnorm:
    snakefile: "{snakefile}"
    config: {config}
    {where}

use rule * from adnorm as adnorm_*

{end}

rule all:
    default_target: True
    input: {target}
"""


def outer(folder, repository, config, where, target="rules.adnorm_all.input", end=""):
    """Write another workflow that uses this one; call it without a profile, as it has none."""
    text = MODULE.format(
        snakefile=repository / "Snakefile", config=config, where=where, target=target, end=end
    )
    (folder / "Snakefile").write_text(text)

    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    return call


@pytest.mark.parametrize(
    ("where", "results"),
    [('pathvars: results="results/skin"', "results/skin"), ('prefix: "skin"', "skin/out")],
)
def test_a_stopped_cohort_fails_the_workflow_that_uses_this_one(
    lab, geo, repository, where, results
):
    geo.once[MATRIX] = 503
    call = outer(lab, repository, geo.config, where)
    first = call()
    assert first.returncode == 1
    assert "lab: at the stage fetch" in first.stderr
    assert "stopped at the stage" in (lab / results / "atlas" / "cohorts.tsv").read_text()
    assert not (lab / results / "atlas" / "finished.txt").exists()
    assert not (lab / results / NAME).exists()
    assert "adnorm_fetch" in call("-n").stdout
    second = call("--until", "adnorm_expression")
    assert second.returncode == 0, second.stderr
    assert worked(second) == ["expression", "fetch"]
    plan = call("-n").stdout
    assert "adnorm_scores" in plan and "adnorm_fetch" not in plan


def test_a_workflow_that_asks_for_one_result_can_hear_of_what_stopped(lab, geo, repository):
    target, end = '"skin/lab/expression/samples.tsv"', "onsuccess: adnorm.onsuccess()"
    where = 'pathvars: results="skin"'
    geo.once[MATRIX] = 503
    call = outer(lab, repository, geo.config, where, target, end)
    first = call()
    assert first.returncode == 1
    assert "lab stopped at the stage fetch:" in first.stderr
    second = call()
    assert second.returncode == 0, second.stderr
    assert worked(second) == ["expression", "fetch"]


# ---------------------------------------------------------------- servers are not overrun


def test_eight_cohorts_ask_politely(lab, geo, snakemake, configure):
    names = [f"lab{i}" for i in range(8)]
    polite = geo.config["geo"] | {"downloads": 2, "requests_per_second": 4}
    # Series of their own; the platform is one.
    for name in names:
        path = MATRIX.replace("GSE12", f"GSE{12 + 1 + int(name[3:])}")
        geo.once[path] = geo.published[MATRIX].replace("GSE12", path.split("/")[4])
        configure(lab, SERIES | {"id": name, "accession": path.split("/")[4]}, f"{name}.yaml")
    configure(
        lab, geo.config | {"cohorts": [f"{n}.yaml" for n in names], "geo": polite}, "run.yaml"
    )
    geo.slow = 1.5
    snakemake(lab, *(f"out/{n}/fetch/manifest.json" for n in names), *FETCH[1:], "--cores", "8")
    assert geo.asked.count(ANNOTATION) == 1 and len(geo.asked) == 9
    assert geo.most == 2
    gaps = [later - earlier for earlier, later in itertools.pairwise(sorted(geo.times))]
    assert min(gaps) > 0.15 and sum(gaps) >= 8 / 4 - 0.2


def test_offline_one_message_tells_what_is_missing(lab, geo, snakemake, configure):
    snakemake(lab, *FETCH)
    asked = len(geo.asked)
    configure(lab, SERIES | {"id": "new", "accession": "GSE13"}, "new.yaml")
    offline = geo.config["geo"] | {"offline": True}
    configure(
        lab, geo.config | {"cohorts": ["lab.yaml", "new.yaml"], "results": "b", "geo": offline}
    )
    targets = ("b/lab/expression/samples.tsv", "b/new/fetch/manifest.json", "--configfile")
    run = snakemake(lab, *targets, "run.yaml", check=False)
    assert run.returncode == 1 and len(geo.asked) == asked
    begin, _, _ = run.stderr.partition("1 of ")
    assert "offline: 1 file not fetched before" in begin
    assert re.search(r"^  new: http\S+/GSE13_series_matrix\.txt\.gz$", begin, re.MULTILINE)
    assert read_stop(lab / "b/lab/expression/samples.tsv") is None
    assert "new stopped at the stage fetch: offline: 1 file" in run.stderr


def test_without_a_network_a_run_gives_the_same_bytes_from_the_cache(
    lab, geo, snakemake, configure, repository
):
    """The kernel refuses every connection: nothing but the fetch of a file asks for one."""
    alone = ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("this machine does not let a test take its network away (unshare --net)")
    targets = ("lab/expression/samples.tsv", "lab/index/index.tsv")
    snakemake(lab, *(f"out/{name}" for name in targets), *FETCH[1:])
    asked = len(geo.asked)
    offline = geo.config["geo"] | {"offline": True}
    configure(lab, geo.config | {"results": "alone", "geo": offline})
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "-s",
        str(repository / "Snakefile"),
        "--cores",
        "2",
    ]
    done = subprocess.run(
        [*alone, *command, *(f"alone/{name}" for name in targets), *FETCH[1:]],
        cwd=lab,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert len(geo.asked) == asked
    assert digests(lab / "alone") == digests(lab / "out")
