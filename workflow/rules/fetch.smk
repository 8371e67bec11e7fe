# Bytes in, proven: the files as published, and a manifest that says where they came from.
# So many cohorts download at once (geo: downloads:); `--resources downloads=N` names another number.
if "downloads" not in workflow.global_resources:
    workflow.register_resource("downloads", SETTINGS["geo"]["downloads"])


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
        code=code_of("fetch"),
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
        code=code_of("fetch_identifiers"),
    message:
        "fetching the identifier table {wildcards.file}"
    script:
        "../../scripts/fetch_identifiers.py"
