# What jobs ask a scheduler for: memory and minutes by the size of their cohort and the attempt.
from adnorm.base import resources as needs


def values_of(wildcards):
    """Values of a cohort; of all cohorts together for a job that joins them."""
    names = [wildcards.cohort] if "cohort" in wildcards.keys() else STUDY.cohorts
    folders = (Path(RESULTS) / name for name in names)
    return needs.values_of(folder / "fetch" / "manifest.json" for folder in folders)


def asks(stage):
    """Memory and minutes of a job."""
    return {
        "mem_mb": lambda wildcards, attempt: needs.mem_mb(
            stage, values_of(wildcards), attempt
        ),
        "runtime": lambda wildcards, attempt: needs.runtime(
            stage, values_of(wildcards), attempt
        ),
    }


def scoring_threads(wildcards):
    """Cores of a scoring job; `--cores` and `--set-threads` bound them."""
    return needs.cores(values_of(wildcards), SETTINGS["scores"]["threads"])
