# What all rules share: the checked configuration, the cohorts, and where their files are.
import gc
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Of the objects of a plan hardly one becomes garbage before the end. Looking for it again and again
# took a seventh of the time for 500 cohorts.
gc.freeze()
gc.set_threshold(50_000, 20, 50)

# Also right when another workflow uses this one through `module:`.
HOME = Path(workflow.current_basedir).parents[1]
sys.path.insert(0, str(HOME / "scripts"))

from adnorm.base.leftovers import mark

# Snakemake's own folders of this run, first of all: if it is killed, the next one must know them.
_CACHE = workflow.sourcecache.runtime_cache
TEMPORARY = [str(workflow.snakemake_tmp_dir), *([_CACHE.name] if _CACHE else [])]
mark(TEMPORARY)

from adnorm.base.digest import code_digest
from adnorm.base.errors import AdnormError
from adnorm.base.stage import harmless
from adnorm.base.text import printable
from adnorm.study.cohort import MeasuredCohort, PublishedCohort
from adnorm.study.config import MANNER
from adnorm.study.reading import locate, read_study

try:
    STUDY = read_study(config, HOME, typed=workflow.config_settings.config)
except AdnormError as error:
    # Snakemake prints a WorkflowError without a traceback.
    raise WorkflowError(
        f"the configuration cannot be run.\n{printable(str(error))}"
    ) from None

# As plain values: rules write what their stage uses into its parameters.
SETTINGS = STUDY.config.model_dump()
# Without the keys that change no result, and these alone.
DECIDING = STUDY.config.model_dump(exclude=MANNER)
WORKING = STUDY.config.model_dump(include=MANNER)

# Files of this machine, as they are: no prefix of a module comes before them, and they are in no storage.
GENE_SETS = [local(str(path)) for path in SETTINGS["gene_sets"]]
_TABLE = SETTINGS["identifiers"]["table"]
# A table named by URL is fetched once for all cohorts; one named by path is read where it lies.
IDENTIFIERS = (
    [f"<results>/references/{_TABLE.rsplit('/', 1)[-1]}"]
    if _TABLE and "://" in _TABLE
    else [local(str(path)) for path in [_TABLE] if path]
)


wildcard_constraints:
    # As in the cohort schema; spelling out 500 names would cost seconds of planning.
    cohort="[A-Za-z0-9][A-Za-z0-9_-]*",
    file="[^/]+",


def cohort_file(wildcards):
    """The checked cohort file."""
    if wildcards.cohort not in STUDY.cohorts:
        known = ", ".join(sorted(STUDY.cohorts))
        raise WorkflowError(
            f"'{wildcards.cohort}' is not a cohort of this run; cohorts: {known}"
        )
    return STUDY.cohorts[wildcards.cohort]


def cohort_part(kind):
    """What a stage asks of a cohort file, as a parameter: any other change reruns nothing.

    Entry scripts turn its texts back.
    """
    return lambda wildcards: harmless(
        cohort_file(wildcards).view(kind).model_dump(by_alias=True)
    )


def fetch_settings(wildcards):
    """Only what decides which bytes are fetched: mending a mapping must not download again."""
    part = cohort_file(wildcards).view(PublishedCohort).model_dump(by_alias=True)
    pins = STUDY.pins.get(wildcards.cohort, {})
    pinned = {name: pin.model_dump() for name, pin in sorted(pins.items())}
    return harmless({"cohort": part, "geo": DECIDING["geo"], "pinned": pinned})


def expression_settings(wildcards):
    """The cohort, and what of the configuration decides its expression."""
    return {
        "cohort": cohort_part(MeasuredCohort)(wildcards),
        "expression": SETTINGS["expression"],
        "minimum_pairs": SETTINGS["effects"]["minimum_pairs"],
        "identifiers_sha256": SETTINGS["identifiers"]["sha256"],
        "symbols": STUDY.symbols,
    }


def code_of(*stages):
    """The digest of the code that a job runs; taken for jobs of the plan alone, of which there is
    one where a cluster runs it."""
    return lambda wildcards: [code_digest(stage) for stage in stages]


def uncompared(**values):
    """What alone reruns nothing: Snakemake does not compare what asks for the input."""
    return lambda wildcards, input: harmless(values)


def fetch_inputs(wildcards):
    """Files of the lab that a cohort reads, so that changing one runs the cohort again."""
    return [local(str(path)) for path in cohort_file(wildcards).local_files]


def simulation_gene_sets(wildcards):
    """The gene sets that a simulated cohort draws its genes from; nothing for real cohorts."""
    simulation = cohort_file(wildcards).simulation
    return [local(str(locate(simulation.gene_sets, HOME)))] if simulation else []


def downloads(wildcards):
    """Whether a cohort may ask a server; simulated ones never wait for those that do."""
    return 0 if cohort_file(wildcards).simulation else 1
