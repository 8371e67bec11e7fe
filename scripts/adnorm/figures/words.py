"""Comparisons in words, and how many patients stand behind each."""

from __future__ import annotations

from adnorm.figures.material import Material

KINDS = {
    "lesional-nonlesional": "lesional − nonlesional",
    "lesional-healthy": "lesional − healthy",
    "nonlesional-healthy": "nonlesional − healthy",
    "change": "Change from baseline",
    "change-difference": "Difference of changes",
    "residual": "Remaining difference from nonlesional",
    "residual-healthy": "Remaining difference from healthy",
}
DISEASE = ("lesional-nonlesional", "lesional-healthy", "nonlesional-healthy")


def split_contrast(name: str) -> tuple[str, float]:
    """Split the name of a contrast into what changes and when.

    Examples
    --------
    >>> split_contrast("change:gusacitinib 40 mg-placebo@4")
    ('gusacitinib 40 mg-placebo', 4.0)
    >>> split_contrast("lesional-nonlesional@0")
    ('lesional-nonlesional', 0.0)
    """
    head, _, week = name.rpartition("@")
    return head.partition(":")[2] or head, float(week)


def split_arms(group: str, arms: list[str]) -> tuple[str, str]:
    """Split the heading of a difference into its two arms, whose names may hold hyphens.

    Examples
    --------
    >>> split_arms("anti-IL13-placebo", ["placebo", "anti-IL13"])
    ('anti-IL13', 'placebo')
    >>> split_arms("placebo", ["placebo"])
    ('placebo', '')
    """
    for first in arms:
        second = group.removeprefix(f"{first}-")
        if second != group and second in arms:
            return first, second
    return group, ""


def in_words(contrast: str, kind: str, arms: list[str], week: bool = True) -> str:
    """Write a comparison for people.

    Examples
    --------
    >>> in_words("change:a-placebo@4", "change-difference", ["placebo", "a"])
    'Difference of changes: a − placebo, week 4'
    >>> in_words("lesional-nonlesional@0", "lesional-nonlesional", ["a"])
    'Disease: lesional − nonlesional, baseline'
    >>> in_words("lesional-nonlesional:a@4", "lesional-nonlesional", ["a"], week=False)
    'Under treatment: lesional − nonlesional, a'
    >>> in_words("residual", "residual", ["a"])
    'Remaining difference from nonlesional'
    """
    title = KINDS.get(kind, kind)
    if "@" not in contrast:
        return title
    group, when = split_contrast(contrast)
    first, second = split_arms(group, [*arms, "placebo"])
    arm = f"{first} − {second}" if second else first
    if kind not in DISEASE:
        text = f"{title}: {arm}"
    elif ":" in contrast:
        text = f"{later_title([arm])}, {arm}"
    else:
        text = f"Disease: {title}"
    return f"{text}, {f'week {when:g}' if when else 'baseline'}" if week else text


def later_title(arms: list[str]) -> str:
    """Name the comparisons of lesional and nonlesional skin after baseline."""
    treated = any(arm != "untreated" for arm in arms)
    return f"{'Under treatment' if treated else 'Later visits'}: lesional − nonlesional"


def count_text(material: Material, contrast: str, kind: str, pairs: int) -> str:
    """Write how many patients a comparison rests on, both numbers where two groups are compared.

    Returns
    -------
    str
        ``9`` patients who have both, ``9 v 3`` patients against healthy people, ``13+11``
        patients of two arms.
    """
    samples = material.samples
    group, week = split_contrast(contrast)

    def people(state: str, when: float, arm: str = "") -> set[str]:
        rows = samples[(samples["state"] == state) & (samples["week"] == when)]
        return set(rows.loc[rows["arm"] == arm, "patient"] if arm else rows["patient"])

    if kind.endswith("healthy"):
        state = "nonlesional" if kind.startswith("nonlesional") else "lesional"
        arm = group if ":" in contrast else ""
        sides, join = (len(people(state, week, arm)), len(people("healthy", 0, "healthy"))), " v "
    elif kind == "change-difference":
        both = split_arms(group, material.arms)
        sides = tuple(len(people("lesional", week, a) & people("lesional", 0, a)) for a in both)
        join = "+"
    else:
        return str(pairs)
    return join.join(map(str, sides)) if sum(sides) == pairs else str(pairs)
