"""The files of a cohort: proven by the manifest, read by their role, joined by sample."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from adnorm.base.errors import AdnormError, AskedForError, Problems, RefusedFileError
from adnorm.base.logs import get_logger
from adnorm.base.tables import digest_of, read_json
from adnorm.expression.annotation import read_annotation
from adnorm.expression.evidence import scaled_genes
from adnorm.expression.generated import samples_without_counts
from adnorm.expression.h5ad import read_hints, read_obs, read_values, refuse_cells
from adnorm.expression.hints import Hints, hints_of
from adnorm.expression.identifier_table import IdentifierTable, read_identifier_table
from adnorm.expression.lanes import sum_lanes
from adnorm.expression.sample_columns import match_samples
from adnorm.expression.series_matrix import read_series_matrix
from adnorm.expression.species import refuse_other_species
from adnorm.expression.value_tables import read_sheet, read_value_table
from adnorm.study.samples import build_sample_sheet

#: What a person does when the fetched files are not those of the manifest.
FETCH_AGAIN = "the next call will fetch again"
#: Roles that each route needs.
_NEEDS = {
    "geo_series_matrix": ("series_matrix", "annotation"),
    "geo_supplementary": ("series_matrix", "table"),
    "ncbi_counts": ("series_matrix", "table", "annotation"),
    "local": ("table", "sheet"),
    "h5ad": ("table",),
}


@dataclass(frozen=True)
class Sources:
    """The published files of one cohort.

    Attributes
    ----------
    written
        Role → file as the cohort file wrote it, or its place at GEO: what people know it by.
    raw
        Raw metadata, one row per sample; the index holds the sample ids.
    without_values
        Samples of `raw` that the table of values lacks for a reason that is known, and the reason.
    """

    cohort: dict
    route: str
    files: dict[str, Path]
    written: dict[str, str]
    raw: pd.DataFrame
    without_values: dict[str, str] = field(default_factory=dict)

    @property
    def values_name(self) -> str:
        """Cohort and source of the file that holds the values, for messages."""
        role = "series_matrix" if self.route == "geo_series_matrix" else "table"
        name = f"cohort {self.cohort['id']}: {self.written[role]}"
        if self.route == "h5ad":
            layer = self.cohort["source"].get("layer")
            name += f" (layer '{layer}')" if layer else " (X)"
        return name

    def sample_sheet(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Make the canonical sample sheet and the list of excluded samples.

        Samples without values are excluded with their reason, whatever else is wrong with them;
        samples of other species and rows that are cells stop the run.

        Returns
        -------
        samples, excluded : DataFrame
            See `adnorm.study.samples.build_sample_sheet`.
        """
        where = f"cohort {self.cohort['id']}"
        refuse_other_species(self.raw, where, all_of_them=True)
        rules = [
            {
                "samples": sorted(
                    name for name, why in self.without_values.items() if why == reason
                ),
                "reason": reason,
            }
            for reason in sorted(set(self.without_values.values()))
        ]
        cohort = self.cohort | {"exclude": [*self.cohort["exclude"], *rules]}
        samples, excluded = build_sample_sheet(self.raw, cohort)
        refuse_other_species(self.raw.loc[list(samples["sample"])], where)
        if self.route == "h5ad":
            refuse_cells(samples, f"{where}: {self.written['table']}")
        return samples, excluded

    def identifiers(self) -> IdentifierTable | None:
        """NCBI's table of the genes that it counts; ``None`` for other routes."""
        if self.route != "ncbi_counts":
            return None
        path = self.files["annotation"]
        with reading(path, self.written["annotation"]):
            return read_identifier_table(path)

    def annotation(self) -> pd.Series | None:
        """Probe → symbol text of the platform; ``None`` when the rows are genes already."""
        if "annotation" not in self.files or self.route == "ncbi_counts":
            return None
        column = self.cohort["source"].get("symbol_column")
        path = self.files["annotation"]
        with reading(path, self.written["annotation"]):
            return read_annotation(path, column)

    def values(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Read the values of the samples of a sheet.

        Parameters
        ----------
        samples
            Canonical sample sheet; raw samples that it lacks were excluded by the cohort file.

        Returns
        -------
        DataFrame
            Rows (probes or gene ids) × samples, in the order of the sheet. Where lanes were
            summed, ``attrs["summed"]`` says for each sample of which columns; ``attrs["scaled"]``
            says how the rows of all published samples were scaled, if they were.

        Raises
        ------
        AdnormError
            The series matrix has no table of values, or columns and samples do not match.
        """
        wanted = list(samples["sample"])
        if self.route == "geo_series_matrix":
            return _chosen(self._matrix_values(), wanted)
        path, source = self.files["table"], self.cohort["source"]
        with reading(path, self.written["table"]):
            if self.route == "h5ad":
                table = read_values(path, source.get("layer"), source.get("gene_column"))
                return _chosen(table, wanted)
            table = read_value_table(path, source.get("gene_column"), "annotation" in self.files)
        if self.route == "ncbi_counts":
            return table[wanted]
        lanes: dict[str, list[str]] = {}
        if source.get("libraries"):
            table, lanes = sum_lanes(table, source["libraries"], self.values_name)
        excluded = sorted(set(self.raw.index.astype(str)) - set(wanted))
        names = match_samples(
            table.columns, self.raw.index, self.raw, excluded, where=self.values_name
        )
        columns = {sample: column for column, sample in names.items()}
        values = _chosen(table[list(names)], [columns[sample] for sample in wanted])
        values = values.set_axis(pd.Index(wanted, dtype=object), axis=1)
        if lanes:
            values.attrs["summed"] = {sample: lanes[columns[sample]] for sample in wanted}
        return values

    def hints(self, samples: pd.DataFrame) -> Hints:
        """Read what the deposit says of the scale of its values, besides the values themselves."""
        if self.route == "h5ad":
            with reading(self.files["table"], self.written["table"]):
                return read_hints(self.files["table"], self.cohort["source"].get("layer"))
        return hints_of(self.raw.loc[list(samples["sample"])])

    def _matrix_values(self) -> pd.DataFrame:
        path = self.files["series_matrix"]
        with reading(path, self.written["series_matrix"]):
            matrix = read_series_matrix(path, self.cohort.get("platform"))
        if matrix.values is None:
            raise AdnormError(
                f"{self.values_name}: the table of the series matrix is empty, as GEO leaves it "
                "for sequencing. Use `route: geo_supplementary` in the cohort file and name the "
                "supplementary table of counts or expression (source: table:)"
            )
        return matrix.values


def _chosen(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Take some columns; scaling over all of them would be hard to see in a part."""
    values = table[columns]
    if len(columns) < table.shape[1]:
        values.attrs["scaled"] = scaled_genes(table.to_numpy(dtype=float))
    return values


def open_sources(manifest: Path, cohort: dict) -> Sources:
    """Check the fetched files against the manifest and read the raw metadata.

    Parameters
    ----------
    manifest
        ``fetch/manifest.json``.
    cohort
        The checked cohort file.

    Returns
    -------
    Sources

    Raises
    ------
    AdnormError
        A file is missing or has other bytes than the manifest says, or a role that the route needs
        is missing.
    """
    manifest = Path(manifest)
    content = read_json(manifest)
    problems = Problems(str(manifest))
    if content.get("cohort") != cohort["id"]:
        problems.add(f"belongs to cohort '{content.get('cohort')}', not '{cohort['id']}'")
    files: dict[str, Path] = {}
    written: dict[str, str] = {}
    for entry in content.get("files", []):
        path = manifest.parent / entry["name"]
        files[entry["role"]] = path
        written[entry["role"]] = _as_written(entry, cohort)
        if not path.is_file():
            problems.add(f"{entry['name']} is missing; {FETCH_AGAIN}")
        elif digest_of(path)[1] != entry["sha256"]:
            problems.add(f"{entry['name']} has changed since it was fetched; {FETCH_AGAIN}")
    route = _effective_route(cohort["route"], files)
    for role in _NEEDS[route]:
        if role not in files:
            problems.add(f"no file has the role '{role}'; {FETCH_AGAIN}")
    if problems:
        try:
            problems.stop()
        except AdnormError as error:
            raise RefusedFileError(str(error), files.values()) from None
    raw = _read_metadata(route, files, written, cohort)
    sources = Sources(cohort, route, files, written, raw)
    if route != "ncbi_counts":
        return sources
    with reading(files["table"], written["table"]):
        absent = samples_without_counts(files["table"], files["series_matrix"], raw)
    return replace(sources, without_values=absent)


def _as_written(entry: dict, cohort: dict) -> str:
    """Name a file as the cohort file does; the manifest shortens paths of one machine."""
    role, source = entry["role"], entry.get("source", "")
    if cohort["route"] == "simulated" or not source:
        return entry["name"]
    if source.startswith("geo:"):
        return source
    key = "matrix" if role == "series_matrix" else role
    return cohort["source"].get(key) or source


@contextmanager
def reading(path: Path, name: str) -> Iterator[None]:
    """Let the messages of a reader name the file that a person can mend, not its copy.

    Parameters
    ----------
    path, name
        The file, and what people know it by.

    Raises
    ------
    AskedForError
        The cohort file asks for something that is not in it.
    RefusedFileError
        The reader refused it for any other reason, foreseen or not.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        message = str(error)
        if isinstance(error, AdnormError) and not message.startswith(f"{path}: "):
            raise
        get_logger().debug("%s was read from its copy %s", name, path)
        if not isinstance(error, AdnormError):
            told = f"{name}: this file cannot be read: {type(error).__name__}: {message}"
            raise RefusedFileError(told, [path]) from error
        told = name + message.removeprefix(str(path))
        if isinstance(error, AskedForError):
            raise AskedForError(told) from error
        raise RefusedFileError(told, [path]) from error


def _effective_route(route: str, files: dict[str, Path]) -> str:
    """A simulated cohort carries the files of one of GEO's routes."""
    if route != "simulated":
        return route
    return "geo_supplementary" if "table" in files else "geo_series_matrix"


def _read_metadata(
    route: str, files: dict[str, Path], written: dict[str, str], cohort: dict
) -> pd.DataFrame:
    if route == "local":
        path = files["sheet"]
        with reading(path, written["sheet"]):
            key = cohort["source"].get("sheet_key") or read_sheet(path).columns[0]
            return read_sheet(path, key).rename_axis(index=None)
    if route == "h5ad":
        with reading(files["table"], written["table"]):
            return read_obs(files["table"])
    path = files["series_matrix"]
    with reading(path, written["series_matrix"]):
        matrix = read_series_matrix(path, cohort.get("platform"), read_metadata_only=True)
    return matrix.samples.rename_axis(index=None)
