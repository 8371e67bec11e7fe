# What the record of a run is made from: its files under names that mean the same elsewhere.
from adnorm.provenance import portable

CRATE = portable.portable(STUDY, HOME)
CRATE_FOLDER = f"<results>/{portable.FOLDER}"


def results_of_rules(wildcards):
    """What the rules of this workflow write below the results, but for the mark of a whole run."""
    found = set()
    for made in workflow.rules:
        for file in map(strip_wildcard_constraints, made.output):
            inside = file.removeprefix(f"{RESULTS}/")
            if file != inside and made.wildcard_names <= {"cohort"}:
                found.add(inside)
    left_out = {file for file in found if file.startswith(f"{portable.FOLDER}/")}
    return sorted(found - left_out - {"atlas/finished.txt"})


def provenance_settings(wildcards):
    """The whole configuration: a change of it is a change of the record, whatever it reruns."""
    decided = {
        key: (
            {k: v for k, v in part.items() if k not in MANNER.get(key, ())}
            if isinstance(part, dict)
            else part
        )
        for key, part in CRATE.config.items()
    }
    crate = {
        "cohorts": CRATE.cohorts,
        "renamed": CRATE.renamed,
        "results": results_of_rules(wildcards),
    }
    return harmless(decided | {"crate": crate})


def provenance_manner():
    """The rest of the configuration, as the record has it: paths of this machine are not in it."""
    return {
        key: part if keys is True else {k: part[k] for k in sorted(keys)}
        for key, keys in MANNER.items()
        for part in [CRATE.config[key]]
    }
