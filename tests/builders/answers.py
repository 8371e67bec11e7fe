"""Answers of made-up cohorts, for what tells them."""

from __future__ import annotations

from dataclasses import replace

from adnorm.figures.answer import Answer, Estimate, Told

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'{{ 7*7 }}"
ESTIMATE = Estimate(
    arm="drug 20 mg",
    week=12.0,
    visit="last",
    highest=True,
    name="itch_core_skin_up",
    label="Itch: core (skin)",
    reference="nonlesional",
    measure="dNI",
    value=0.56,
    lower=0.35,
    upper=0.76,
    ni=(0.77, 0.6, 0.9),
    pairs=13,
    placebo_pairs=11,
    people="n = 13 and 11",
    adjusted_p_value=0.001,
    exploratory="",
    reason_code="",
    reason="",
    short="",
)
TRIAL = Answer(
    cohort="trial",
    title="A trial",
    disease="atopic dermatitis",
    simulated=False,
    treated=True,
    controlled=True,
    placebo="placebo",
    confidence="95 %",
    level=0.05,
    size="60 samples of 20 people",
    classes={"drug 20 mg": "JAK inhibitor"},
    banners=[],
    told=[Told("drug 20 mg", "At week 12, drug 20 mg had removed 56° more.", "Others: 40.")],
    sentence="",
    care=["On placebo alone, it fell by 20 %."],
    primary=["Itch: core (skin)"],
    estimates=[ESTIMATE],
)
REFERENCE = replace(
    TRIAL, cohort="reference", title="Untreated", treated=False, controlled=False, placebo="",
    classes={}, told=[], sentence="Nobody got a drug here.", care=[], estimates=[],
)  # fmt: skip
