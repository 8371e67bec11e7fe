"""Made-up studies of patients, some of whom are in several."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd

GENES = [f"G{i:04d}" for i in range(600)]


class People:
    """A study: patients with a level of their own for every gene, sampled again and again."""

    def __init__(self, seed, patients=12, study=""):
        self.rng = np.random.default_rng(seed)
        self.own = 6 + 2.5 * np.random.default_rng(0).normal(size=len(GENES))
        self.own = self.own + 0.6 * self.rng.normal(size=(patients, len(GENES)))
        self.ids = [f"{study}{i + 1:02d}" for i in range(patients)]
        self.sex = self.rng.choice(["female", "male"], patients)
        self.age = self.rng.integers(18, 75, patients).astype(float)

    def biopsies(self, states=("lesional", "nonlesional"), weeks=(0.0,), prefix="s"):
        rows, values = [], []
        for i, patient in enumerate(self.ids):
            for state in states:
                for week in weeks:
                    rows.append((patient, state, week, "drug", self.sex[i], self.age[i]))
                    noise = 0.4 * self.rng.normal(size=len(GENES))
                    values.append(self.own[i] + (state == "lesional") + noise)
        columns = ["patient", "state", "week", "arm", "sex", "age"]
        obs = pd.DataFrame(rows, columns=columns)
        obs.index = [f"{prefix}{i:03d}" for i in range(len(obs))]
        return anndata.AnnData(
            np.array(values, dtype=np.float32), obs=obs, var=pd.DataFrame(index=GENES)
        )


def named(data, cohort, accession="", disease="atopic dermatitis", **columns):
    data = data.copy()
    data.uns["adnorm"] = {
        "cohort": cohort, "disease": disease, "simulated": False, "accession": accession,
    }  # fmt: skip
    data.obs = data.obs.assign(**columns)
    return data
