# Bytes in, proven: the files as published, and a manifest that says where they came from.
# So many cohorts download at once (geo: downloads:); `--resources downloads=N` names another number.
if "downloads" not in workflow.global_resources:
    workflow.register_resource("downloads", SETTINGS["geo"]["downloads"])


def downloads(wildcards):
    """Whether a cohort may ask a server; simulated ones never wait for those that do."""
    return 0 if cohort_file(wildcards).simulation else 1


def tell_what_is_missing():
    """Say in one message what a run without a connection lacks."""
    if not SETTINGS["geo"]["offline"]:
        return
    from adnorm.fetch.build import absent_from_run

    table = SETTINGS["identifiers"]["table"]
    cohorts = {name: c.view(PublishedCohort) for name, c in STUDY.cohorts.items()}
    shared = {}
    if table and "://" in table:
        shared[table] = Path(RESULTS) / "references" / table.rsplit("/", 1)[-1]
    missing = absent_from_run(
        cohorts, STUDY.pins, STUDY.config.geo, Path(RESULTS), shared
    )
    if missing:
        print(missing, file=sys.stderr)


rule fetch:
    input:
        left_by("{cohort}/logs/fetch"),
        files=fetch_inputs,
        gene_sets=simulation_gene_sets,
    output:
        manifest="<results>/{cohort}/fetch/manifest.json",
    log:
        "<results>/{cohort}/logs/fetch.log",
    localrule: True
    conda:
        "../../envs/adnorm.yaml"
    resources:
        downloads=downloads,
    params:
        settings=fetch_settings,
        manner=uncompared(geo=WORKING["geo"]),
        code=code_digest("fetch"),
    message:
        "{wildcards.cohort}: fetching the files"
    script:
        "../../scripts/fetch.py"


rule fetch_identifiers:
    input:
        left_by("references/logs/{file}"),
    output:
        table="<results>/references/{file}",
    log:
        "<results>/references/logs/{file}.log",
    localrule: True
    conda:
        "../../envs/adnorm.yaml"
    resources:
        downloads=1,
    params:
        settings=harmless(
            {
                "address": SETTINGS["identifiers"]["table"],
                "sha256": SETTINGS["identifiers"]["sha256"],
                "geo": DECIDING["geo"],
            }
        ),
        manner=uncompared(geo=WORKING["geo"]),
        code=code_digest("fetch_identifiers"),
    message:
        "fetching the identifier table {wildcards.file}"
    script:
        "../../scripts/fetch_identifiers.py"
