"""The .h5ad files that stages hand on: plain types only, so that scanpy and R readers open them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.errors import AdnormError, listing
from adnorm.base.files import atomic

if TYPE_CHECKING:
    from anndata import AnnData

#: Columns of obs that every container of the workflow has.
SHEET = frozenset({"patient", "state", "week", "arm"})
#: What an .h5ad holds besides layers.
_PARTS = ("X", "obs", "var", "obsm", "varm", "obsp", "varp", "uns")


def read_container(path: Path | str, layers: Collection[str] | None = None) -> AnnData:
    """Read an .h5ad of this workflow; say which file is missing, or what is wrong with it.

    `layers` names those that are needed, ``None`` for all: the counts of a large cohort are half of
    what a job would hold.

    Raises
    ------
    AdnormError
        The file is absent, or is not one of this workflow.
    """
    import anndata
    import h5py

    path = Path(path)
    if not path.is_file():
        raise AdnormError(f"{path}: this file is missing; run the stage that writes it again")
    try:
        with h5py.File(path) as file:
            parts = {name: anndata.io.read_elem(file[name]) for name in _PARTS if name in file}
            known = file.get("layers", {})
            wanted = [name for name in known if layers is None or name in layers]
            kept = {name: anndata.io.read_elem(known[name]) for name in wanted}
        data = anndata.AnnData(**parts, layers=kept)
    except (OSError, ValueError, KeyError) as error:
        raise AdnormError(f"{path}: cannot be read as h5ad ({error}); write it again") from error
    lacking = SHEET - set(data.obs)
    if lacking or "adnorm" not in data.uns:
        raise AdnormError(
            f"{path}: not an h5ad file of this workflow "
            f"(lacks {listing(sorted(lacking)) or 'uns[adnorm]'}); write it with the stage before"
        )
    return data


def write_container(data: AnnData, path: Path | str) -> None:
    """Write an .h5ad whole or not at all; texts stay as they are, without nullable types."""
    import anndata

    with (
        atomic(path) as temporary,
        anndata.settings.override(allow_write_nullable_strings=False),
    ):
        # The default level takes twice the time for files that are a tenth smaller.
        data.write_h5ad(
            temporary,
            compression="gzip",
            compression_opts=1,
            convert_strings_to_categoricals=False,
        )
