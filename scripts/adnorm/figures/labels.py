"""How gene sets are named, grouped and explained in every figure."""

from __future__ import annotations

from adnorm.figures.shared import CohortMaterial
from adnorm.figures.theme import shorten

DIRECTION_NOTE = "▲▼ direction expected in lesional skin of atopic dermatitis."
#: Stands at the colour bar, where a reader asks what red means.
SIGNED_BAR = "± signed set: red = further in\nthe direction of lesional skin"
MOST_LETTERS = 45


def signed_note(material: CohortMaterial, names: list[str]) -> str:
    """Say what a high score means, for the kinds of sets that are among some sets."""
    unsigned = material.sets.loc[names, "direction"].isin(["unsigned", ""])
    notes = []
    if not unsigned.all():
        notes.append(
            "Signed sets: higher = further in the direction of lesional skin of atopic dermatitis, "
            "also where the genes of the set go down there."
        )
    if unsigned.any():
        notes.append("Unsigned sets: higher = more expression.")
    return " ".join(notes)


def mark_label(material: CohortMaterial, name: str, sign: bool = False) -> str:
    """Write the label of a set, with a dagger if its coverage is low or it has no score.

    Parameters
    ----------
    material, name
        The cohort and the set.
    sign
        Mark signed sets with ±.
    """
    row = material.sets.loc[name]
    # The block's heading already says "Itch" or "Cells".
    label = str(row["label"]).partition(": ")[2] or str(row["label"])
    label = shorten(label[:1].upper() + label[1:], MOST_LETTERS)
    if sign and row["direction"] not in ("unsigned", ""):
        label = f"{label} ±"
    return f"{label} †" if row["status"] != "ok" else label


def set_notes(material: CohortMaterial, names: list[str]) -> list[str]:
    """Write why sets carry a dagger."""
    sets = material.sets.loc[names]
    flagged = sets[sets["status"] != "ok"]
    counts = material.tables["coverage"].set_index("set")
    whys = [
        f"{shorten(row['label'], MOST_LETTERS)} "
        f"{counts.loc[name, 'found']}/{counts.loc[name, 'asked']}"
        for name, row in flagged.iterrows()
    ]
    if not whys:
        return []
    return ["† low coverage or not scored; genes found of genes asked: " + "; ".join(whys) + "."]


def category_blocks(material: CohortMaterial, names: list[str]) -> list[tuple[str, list[str]]]:
    """Group sets under the heading of their category, in display order."""
    wanted = set(names)
    sets = material.sets.loc[[n for n in material.sets.index if n in wanted]]
    headings = sets["category"].map(material.heading)
    return [(heading, list(rows.index)) for heading, rows in sets.groupby(headings, sort=False)]
