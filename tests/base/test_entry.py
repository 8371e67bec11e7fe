"""What a stage gets from the job of the workflow."""

from __future__ import annotations

from types import SimpleNamespace

from adnorm.base.entry import run


class Outputs(dict):
    """Named files, which are also a list."""

    def __iter__(self):
        return iter(self.values())


def test_a_stage_works_with_the_threads_of_its_job(tmp_path):
    """Not with those that the configuration allows: there may be fewer cores."""
    given = {}

    def build(inputs, outputs, settings, seed):
        given.update(settings)
        outputs["made"].write_text("x")

    job = SimpleNamespace(
        input={},
        output=Outputs(made=str(tmp_path / "made")),
        params={"settings": {"methods": ["gsva"]}, "manner": {"threads": 8, "chunk_size": 250}},
        log=[str(tmp_path / "log")],
        wildcards={"cohort": "lab"},
        threads=2,
    )
    run(job, "scores", build)
    assert given == {"methods": ["gsva"], "threads": 2, "chunk_size": 250}
