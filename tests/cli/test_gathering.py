"""Files of a cohort for a command."""

from __future__ import annotations

from adnorm.base.files import read_json
from adnorm.base.yaml_text import read_yaml


def test_manifests_are_linked_not_copied_and_stay_as_they_are(trial, here, repository):
    from adnorm.cli.gathering import gathered
    from adnorm.fetch.build import fetch_cohort
    from adnorm.study.cohort import PublishedCohort
    from adnorm.study.reading import read_study

    study = read_study(read_yaml(here / "run.yaml") | {"results": "kept"}, repository)
    cohort = study.cohorts["trial"]
    manifest = fetch_cohort(
        cohort.view(PublishedCohort), study.config.geo, here / "kept/trial/fetch"
    )
    before = {p.name: p.stat().st_mtime_ns for p in manifest.parent.iterdir()}
    with gathered(cohort, study.config, {}) as aside:
        assert read_json(aside) == read_json(manifest)
        assert aside != manifest
    assert {p.name: p.stat().st_mtime_ns for p in manifest.parent.iterdir()} == before
