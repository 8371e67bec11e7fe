"""What a run lost on the way: rows, samples, pairs, genes of the sets.

Told in the log, by `adnorm check` and in the report; large losses are warnings everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adnorm.base.logs import get_logger, progress

if TYPE_CHECKING:
    import pandas as pd

#: Columns of losses.tsv.
COLUMNS = ("what", "lost", "of", "share", "warning", "detail", "advice")
#: A loss above this share is a warning unless its kind says otherwise.
SMALL_SHARE = 0.05


@dataclass(frozen=True)
class Loss:
    """One thing that was lost: how many, of how many."""

    #: What is gone and why, as a phrase that a number may stand before.
    what: str
    lost: int
    of: int
    #: Which ones: examples, samples, what it means.
    detail: str = ""
    #: What a person can do about it.
    advice: str = ""
    #: Share from which it is a warning; 1 never warns of what is declared or lies in the nature of
    #: a platform.
    above: float = SMALL_SHARE
    #: The share of all values (reads, TPM) that is lost, where that says more than their number; it
    #: is judged instead.
    weight: float | None = None

    @property
    def share(self) -> float:
        """The share that was lost, 0 to 1."""
        return self.lost / self.of if self.of else 0.0

    @property
    def warns(self) -> bool:
        """Whether a person must be warned."""
        judged = self.share if self.weight is None else self.weight
        return self.lost > 0 and judged > self.above

    @property
    def which(self) -> str:
        """Which ones, and what they weigh."""
        weight = ""
        if self.weight is not None:
            weight = f"they hold {percent(self.weight)} of all reads or TPM"
        return "; ".join(filter(None, (weight, self.detail)))

    @property
    def sentence(self) -> str:
        """The loss in one sentence, for a log."""
        count = f"{self.lost:,} of {self.of:,} {self.what} ({percent(self.share)})"
        return "; ".join(filter(None, (count, self.which, self.advice)))


def percent(share: float) -> str:
    """Write a share as per cent; what is not nothing is never written as 0, or as all.

    Examples
    --------
    >>> percent(0.0175), percent(0.0004), percent(0.999)
    ('2 %', 'below 1 %', '99 %')
    """
    if 0 < share < 0.01:
        return "below 1 %"
    return f"{min(round(100 * share), 99) if share < 1 else 100} %"


def tell(losses: Iterable[Loss]) -> None:
    """Log every loss; large ones as warnings, which `adnorm check` shows too."""
    for loss in losses:
        if loss.warns:
            get_logger().warning("%s", loss.sentence)
        elif loss.lost:
            progress(loss.sentence)


def losses_table(losses: Iterable[Loss]) -> pd.DataFrame:
    """Lay losses out as losses.tsv: what, lost, of, share, warning (yes|no), detail, advice."""
    import pandas as pd  # A run is planned without it.

    rows = [
        (x.what, x.lost, x.of, x.share, "yes" if x.warns else "no", x.which, x.advice)
        for x in losses
        if x.lost
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
