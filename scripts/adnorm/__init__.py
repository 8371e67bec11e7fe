"""adnorm: how far a drug brings atopic-dermatitis skin back to normal gene expression.

Five functions are the public face, for notebooks and other packages: `read_cohort`,
`read_gene_sets`, `score_sets`, `fit_paired_effects` and `normalization_index`. They raise
`AdnormError` where the user can mend something; `example_trial` makes data to try them on.
Everything else is private to the workflow: its sub-packages are the stages, in the order in which
data flow through them. Nothing here knows of Snakemake.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adnorm.api import (
        AdnormError,
        GeneSet,
        example_trial,
        fit_paired_effects,
        normalization_index,
        read_cohort,
        read_gene_sets,
        score_sets,
    )

__version__ = "0.2.0.dev0"
__all__ = [
    "AdnormError",
    "GeneSet",
    "example_trial",
    "fit_paired_effects",
    "normalization_index",
    "read_cohort",
    "read_gene_sets",
    "score_sets",
]


def __getattr__(name: str) -> object:
    # Planning a run imports this package, too: what the functions need comes with their first use.
    if name in __all__:
        return getattr(import_module("adnorm.api"), name)
    raise AttributeError(f"module 'adnorm' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
