"""Disease effects that can be divided by, and the rule that refuses the others."""

from __future__ import annotations

import numpy as np
import pytest

from adnorm.index.means import Group, judge_denominator


@pytest.mark.parametrize(
    ("ratio", "asked", "absent"),
    [
        (2.3, "at least 2.5 standard errors are asked, it is 2.3", "bound"),
        (1.0, "at least 2.5 standard errors are asked, it is 1.0; a lower", "above the"),
        (1.0, "a lower 95% bound above 0 is asked, it is -", "rounding"),
    ],
)
def test_a_refused_disease_effect_says_by_which_rule(ratio, asked, absent):
    size = 40
    noise = np.random.default_rng(1).normal(size=(size, 1))
    noise = (noise - noise.mean()) / (noise.std(ddof=1) / np.sqrt(size))
    group = Group(np.arange(size), noise + ratio)
    scale = np.array([10.0])
    judged = judge_denominator([group], size, ["set"], "nonlesional", scale, 0.95)
    assert judged.code == ["DENOM_NOT_ESTIMABLE"]
    assert asked in judged.reason[0] and absent not in judged.reason[0]
