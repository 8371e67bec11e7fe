"""What cohorts teach the disease axis, gene by gene: written cohort by cohort, read block by block.

Hundreds of cohorts of tens of thousands of genes make millions of rows. The table of them
(lesional_effects.tsv) is for people; the same numbers stand in a container with a row for each
cohort and a column for each gene, of which a job holds some columns at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.files import atomic

if TYPE_CHECKING:
    import h5py

#: What of a gene a cohort teaches.
VALUES = ("log2_fold_change", "standard_error", "pairs")
#: What of a cohort is known: one row each, ``pairs`` the most of any gene.
FACTS = ("cohort", "disease", "simulated", "shares", "pairs")
#: Genes of a block: so many of 200 cohorts take some ten megabytes.
BLOCK = 4096
#: Stands for the pairs of a gene that a cohort has no row for.
_NO_ROW = -1.0


@dataclass(frozen=True)
class Block:
    """Some genes of some cohorts; arrays have the shape (genes, cohorts).

    Where a cohort has no row for a gene, all three are NaN and it is not `there`.
    """

    genes: np.ndarray
    effects: np.ndarray
    errors: np.ndarray
    pairs: np.ndarray
    there: np.ndarray


@dataclass(frozen=True)
class Teaching:
    """The lesional effects of cohorts, in a file or in memory.

    Attributes
    ----------
    facts
        One row per cohort, columns `FACTS`, sorted by cohort.
    genes
        In the order of the columns.
    """

    facts: pd.DataFrame
    genes: np.ndarray
    _file: Path | None = None
    _values: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, table: pd.DataFrame) -> Teaching:
        """Take what lesional_effects.tsv holds.

        Raises
        ------
        AdnormError
            A gene has two rows in one cohort.
        """
        genes = np.array(sorted(set(table["gene"])), dtype=object)
        place = {gene: i for i, gene in enumerate(genes)}
        parts = [(str(name), rows) for name, rows in table.groupby("cohort", sort=True)]
        values = {name: np.full((len(parts), len(genes)), np.nan) for name in VALUES}
        values["pairs"][:] = _NO_ROW
        for i, (_, rows) in enumerate(parts):
            _refuse_twice(rows["gene"])
            columns = [place[gene] for gene in rows["gene"]]
            for name in VALUES:
                values[name][i, columns] = rows[name].to_numpy(dtype=float)
        facts = [_facts(name, rows) for name, rows in parts]
        return cls(pd.DataFrame(facts, columns=list(FACTS)), genes, None, values)

    @classmethod
    def read(cls, path: Path | str) -> Teaching:
        """Open what `writing` wrote; the effects stay in the file.

        Raises
        ------
        AdnormError
            The file is absent, or is another one.
        """
        import h5py

        path = Path(path)
        if not path.is_file():
            raise AdnormError(f"{path}: this file is missing; run the stage that writes it again")
        try:
            with h5py.File(path) as store:
                facts = pd.DataFrame({name: _column(store[f"facts/{name}"]) for name in FACTS})
                genes = _column(store["genes"])
        except (OSError, KeyError) as error:
            raise AdnormError(
                f"{path}: cannot be read as lesional effects ({error}); write it again"
            ) from error
        return cls(facts, genes, path)

    def blocks(self, cohorts: Sequence[str]) -> Iterator[Block]:
        """Read the effects of some cohorts, in their order here, some genes at a time."""
        import h5py

        place = {name: i for i, name in enumerate(self.facts["cohort"])}
        rows = sorted(place[name] for name in cohorts)
        order = np.argsort(np.argsort([place[name] for name in cohorts]))
        if self._file is None:
            yield from self._blocks_of(self._values, rows, order)
            return
        with h5py.File(self._file) as store:
            yield from self._blocks_of(store, rows, order)

    def _blocks_of(self, store: Any, rows: list[int], order: np.ndarray) -> Iterator[Block]:
        for start in range(0, len(self.genes) if rows else 0, BLOCK):
            part = slice(start, start + BLOCK)
            effects, errors, pairs = (
                # In rows of genes, so that sums over cohorts do not depend on the block.
                np.ascontiguousarray(np.asarray(store[name][rows, part])[order].T)
                for name in VALUES
            )
            there = pairs != _NO_ROW
            pairs[~there] = np.nan
            yield Block(self.genes[part], effects, errors, pairs, there)


@contextmanager
def writing(path: Path | str) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Write the effects of cohorts: what it gives takes those of one after the other.

    Each is what lesional_effects.tsv has of a cohort, in the order of their names. Only one is held
    at a time, and the same ones give the same bytes.

    Raises
    ------
    AdnormError
        A gene has two rows in one cohort.
    """
    import h5py

    place: dict[str, int] = {}
    facts: list[tuple[Any, ...]] = []
    with atomic(path) as temporary, h5py.File(temporary, "w") as store:
        for name in VALUES:
            store.create_dataset(
                name,
                (0, 0),
                maxshape=(None, None),
                dtype="f8",
                chunks=(1, BLOCK),
                compression="gzip",
                compression_opts=4,
                shuffle=True,
                fillvalue=_NO_ROW if name == "pairs" else np.nan,
            )

        def add(rows: pd.DataFrame) -> None:
            _refuse_twice(rows["gene"])
            columns = np.array([place.setdefault(g, len(place)) for g in rows["gene"]], dtype=int)
            for name in VALUES:
                store[name].resize((len(facts) + 1, len(place)))
                line = np.full(len(place), store[name].fillvalue)
                line[columns] = rows[name].to_numpy(dtype=float)
                store[name][len(facts)] = line
            facts.append(_facts(str(rows["cohort"].iloc[0]), rows))

        yield add
        _write_texts(store, "genes", place)
        columns = zip(*facts, strict=True) if facts else [()] * len(FACTS)
        for name, values in zip(FACTS, columns, strict=True):
            if name == "pairs":
                store[f"facts/{name}"] = np.array(values, dtype=float)
            else:
                _write_texts(store, f"facts/{name}", values)


def _facts(name: str, rows: pd.DataFrame) -> tuple[Any, ...]:
    first = rows.iloc[0]
    shares = first.get("shares", "")
    known = str(shares) if isinstance(shares, str) else ""
    return name, str(first["disease"]), str(first["simulated"]), known, float(rows["pairs"].max())


def _refuse_twice(genes: pd.Series) -> None:
    twice = genes.duplicated()
    if twice.any():
        raise AdnormError(
            f"lesional effects: genes {listing(sorted(set(genes[twice])))} stand twice in one "
            "cohort; every gene must have one row per cohort: run the effects stage again"
        )


def _column(dataset: h5py.Dataset) -> np.ndarray:
    return dataset.asstr()[()] if dataset.dtype.kind == "O" else dataset[()]


def _write_texts(store: h5py.File, name: str, texts: Iterable[Any]) -> None:
    import h5py

    values = list(map(str, texts))
    store.create_dataset(name, (len(values),), dtype=h5py.string_dtype(), data=values or None)
