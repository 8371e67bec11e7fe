"""Made-up cohorts for swaps: skin of two states, genes that tell people apart."""

from __future__ import annotations

import numpy as np
import pandas as pd

INHERITED = 30


def cohort(patients=12, seed=0, left=0.3, weeks=(0.0, 12.0), genes=400, tails=None):
    """Log2 expression and sheet: both states at each visit; at the last a share `left` of disease.

    Genes D... differ in lesions (half up, half down), I... have two levels by person, N... neither.
    Patients differ in severity and response, biopsies share a hidden factor; `tails` draws the
    noise from a t distribution of so many degrees of freedom.
    """
    rng = np.random.default_rng(seed)
    noise = (lambda size: rng.standard_t(tails, size)) if tails else rng.standard_normal
    diseased = genes // 4
    effect = np.zeros(genes)
    effect[:diseased] = rng.normal(1.5, 0.4, diseased) * np.where(np.arange(diseased) % 2, -1, 1)
    factor = rng.normal(0, 0.3, genes)
    base = rng.normal(7, 2, genes)
    levels = rng.random((patients, INHERITED)) < rng.uniform(0.25, 0.75, INHERITED)
    columns, rows = [], []
    for patient in range(patients):
        own, severity = 0.3 * noise(genes), rng.normal(1, 0.25)
        response = np.clip(rng.normal(left, 0.3), -0.3, 1.1)
        for week in weeks:
            remaining = severity * (response if week else 1)
            for state in ("lesional", "nonlesional"):
                disease = remaining if state == "lesional" else rng.normal(0, 0.12)
                value = base + own + disease * effect + rng.normal() * factor + 0.5 * noise(genes)
                inherited = 3 + 4 * levels[patient] + 0.3 * rng.standard_normal(INHERITED)
                columns.append(np.r_[value, inherited])
                rows.append((f"P{patient:02d}", state, week))
    names = [f"D{i}" for i in range(diseased)] + [f"N{i}" for i in range(genes - diseased)]
    names += [f"I{i}" for i in range(INHERITED)]
    sheet = pd.DataFrame(rows, columns=["patient", "state", "week"])
    sheet.insert(0, "sample", [f"S{i:03d}" for i in range(len(sheet))])
    log2 = pd.DataFrame(np.array(columns).T, index=names, columns=sheet["sample"].to_numpy())
    return log2, sheet.assign(arm="drug")


def rows_of(sheet, patient, week):
    """Positions of the lesional and the non-lesional sample of a visit."""
    mine = (sheet["patient"] == patient) & (sheet["week"] == week)
    return [
        int(np.flatnonzero(mine & (sheet["state"] == s))[0]) for s in ("lesional", "nonlesional")
    ]


def exchange(log2, first, second):
    """Give each of two columns the values of the other."""
    changed = log2.copy()
    changed.iloc[:, [first, second]] = log2.iloc[:, [second, first]].to_numpy()
    return changed
