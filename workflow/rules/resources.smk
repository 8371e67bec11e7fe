# What jobs ask a scheduler for: memory and minutes by the size of their cohort and the attempt.
from adnorm.base import resources as needs


def asks(stage):
    """Memory and minutes of a job; of all cohorts together where it joins them."""

    def values(wildcards):
        names = [wildcards.cohort] if "cohort" in wildcards.keys() else STUDY.cohorts
        folders = (Path(RESULTS) / name for name in names)
        return needs.values_of(folder / "fetch" / "manifest.json" for folder in folders)

    return {
        "mem_mb": lambda wildcards, attempt: needs.mem_mb(
            stage, values(wildcards), attempt
        ),
        "runtime": lambda wildcards, attempt: needs.runtime(
            stage, values(wildcards), attempt
        ),
    }
