# What a reviewer gets: the record of a run, made of everything that it has made. A cohort that stopped
# is named in it, and stops nothing here.
# Page one stands for every result of every cohort, and is made again after any of them. Few inputs:
# Snakemake takes the digest of each once for every result (9.27), which took minutes for 200 cohorts
# that had six results and four more inputs each.
rule provenance:
    input:
        left_by("atlas/logs/provenance"),
        front="<results>/index.html",
        forest="<results>/atlas/figures/forest.tsv",
        explorer="<results>/explorer.html",
        identifiers=IDENTIFIERS,
        # As they are: no prefix of a module comes before them.
        cohorts=[local(str(STUDY.files[name])) for name in CRATE.cohorts],
        copied=[local(file) for file in CRATE.files.values()],
    output:
        metadata=f"{CRATE_FOLDER}/{portable.METADATA}",
        config=f"{CRATE_FOLDER}/{portable.CONFIG}",
        checksums=f"{CRATE_FOLDER}/{portable.CHECKSUMS}",
        digests=f"{CRATE_FOLDER}/{portable.DIGESTS}",
        inputs=f"{CRATE_FOLDER}/{portable.INPUTS}",
        software=f"{CRATE_FOLDER}/{portable.SOFTWARE}",
        requirements=f"{CRATE_FOLDER}/{portable.REQUIREMENTS}",
        methods=f"{CRATE_FOLDER}/{portable.METHODS}",
        readme=f"{CRATE_FOLDER}/{portable.README}",
        snakefile=f"{CRATE_FOLDER}/{portable.SNAKEFILE}",
        cohorts=[f"{CRATE_FOLDER}/{name}" for name in CRATE.cohorts.values()],
        copied=[f"{CRATE_FOLDER}/{name}" for name in CRATE.files],
        tables=[
            f"{CRATE_FOLDER}/{portable.TABLES}/{name}"
            for name in portable.copied_tables(STUDY.cohorts)
        ],
    log:
        "<results>/atlas/logs/provenance.log",
    localrule: True
    conda:
        "../../envs/adnorm.yaml"
    params:
        settings=provenance_settings,
        manner=uncompared(**provenance_manner()),
        code=code_of(*sorted(path.stem for path in (HOME / "scripts").glob("*.py"))),
    message:
        "the record of the run: inputs, software, digests, methods"
    script:
        "../../scripts/provenance.py"
