# What jobs ask a scheduler for: memory and minutes by the size of their cohort and the attempt.
from adnorm.base import resources as needs


def cohorts_of(wildcards):
    """The cohort of a job; all cohorts of a job that joins them."""
    return [wildcards.cohort] if "cohort" in wildcards.keys() else list(STUDY.cohorts)


def values_of(wildcards):
    """Values of these cohorts together."""
    folders = (Path(RESULTS) / name for name in cohorts_of(wildcards))
    return needs.values_of(folder / "fetch" / "manifest.json" for folder in folders)


def asks(stage):
    """Memory and minutes of a job."""

    def by(ask):
        return lambda wildcards, attempt: ask(
            stage, values_of(wildcards), len(cohorts_of(wildcards)), attempt
        )

    return {"mem_mb": by(needs.mem_mb), "runtime": by(needs.runtime)}


def scoring_threads(wildcards):
    """Cores of a scoring job; `--cores` and `--set-threads` bound them."""
    return needs.cores(values_of(wildcards), SETTINGS["scores"]["threads"])


def look_when_a_job_ends():
    """Let Snakemake look for jobs to start when one has ended, and no more often.

    It starts a hundred jobs a second at most, which no run of ours reaches; to know when it may go on, it
    looks through all ready jobs once more a second for every job that has ended so far (9.27), which takes
    a core after a thousand jobs of 200 cohorts. Another limit than this default stays.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduling_settings.max_jobs_per_timespan = None
