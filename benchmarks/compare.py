"""Says how far two saved tables agree:  compare.py OURS PEER."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd


def agreement(ours: pd.DataFrame, peer: pd.DataFrame) -> str:
    """Give the largest absolute difference of each kind of number."""
    if set(ours.index) != set(peer.index) or set(ours.columns) != set(peer.columns):
        return "other rows or columns"
    peer = peer.loc[ours.index, ours.columns]
    if "p_value" not in ours:
        difference = np.abs(ours.to_numpy() - peer.to_numpy())
        if "sum" in ours:
            return "same" if np.allclose(ours, peer, rtol=1e-9) else "other sums"
        together = np.corrcoef(ours.to_numpy().ravel(), peer.to_numpy().ravel())[0, 1]
        share = difference.max() / peer.to_numpy().std()
        return f"largest difference {share:.1e} standard deviations, r = {together:.7f}"
    change = np.abs(ours["log2_fold_change"] - peer["log2_fold_change"]).max()
    p = np.abs(np.log10(ours["p_value"]) - np.log10(peer["p_value"])).max()
    return f"log2 fold change {change:.1e}, −log10 p {p:.1e}"


if __name__ == "__main__":
    print(agreement(*(pd.read_csv(path, sep="\t", index_col="row") for path in sys.argv[1:3])))
