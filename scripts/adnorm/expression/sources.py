"""The files of a cohort: proven by the manifest, read by their role, joined by sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from adnorm.base.errors import AdnormError, AskedForError, Problems, RefusedFileError, listing
from adnorm.base.files import digest_of, is_entry, read_json
from adnorm.base.logs import get_logger
from adnorm.expression.columns import match_samples, sum_lanes
from adnorm.expression.scale import Hints, hints_of, hints_of_container, scaled_genes
from adnorm.readers.annotation import IdentifierTable, read_annotation, read_identifier_table
from adnorm.readers.delimited import (
    find_layout,
    read_sheet,
    read_value_table,
    warn_of_formulas,
)
from adnorm.readers.h5ad import read_notes, read_obs, read_values, refuse_cells
from adnorm.readers.ncbi_counts import samples_without_counts
from adnorm.readers.series_matrix import read_series_matrix
from adnorm.study.cohort import ExclusionRule, MeasuredCohort
from adnorm.study.raw_fields import normalised_key
from adnorm.study.samples import build_sample_sheet
from adnorm.study.vocabulary import Route

#: What a person does when the fetched files are not those of the manifest.
FETCH_AGAIN = "the next call will fetch again"
#: Roles that each route needs.
_NEEDS = {
    Route.GEO_SERIES_MATRIX: ("series_matrix", "annotation"),
    Route.GEO_SUPPLEMENTARY: ("series_matrix", "table"),
    Route.NCBI_COUNTS: ("series_matrix", "table", "annotation"),
    Route.LOCAL: ("table", "sheet"),
    Route.H5AD: ("table",),
}
#: Raw fields that name a species, and what they say of people.
_SPECIES = frozenset({"organism", "organism_ch1", "organism_ch2", "species"})
_HUMAN = frozenset(
    {"homo sapiens", "h. sapiens", "h sapiens", "hsapiens", "human", "9606", "ncbitaxon:9606"}
)
_UNKNOWN = frozenset({"", "na", "n/a", "nan", "none", "unknown"})


@dataclass(frozen=True)
class Measured:
    """The values of the samples of a sheet."""

    #: Rows (probes or gene ids) × samples, in the order of the sheet.
    values: pd.DataFrame
    #: Sample → the columns of its lanes, where lanes were summed.
    lanes: dict[str, list[str]] = field(default_factory=dict)
    #: How the rows of all published samples were scaled, if some are left out; else empty.
    scaled: str = ""


@dataclass(frozen=True)
class Sources:
    """The published files of one cohort."""

    cohort: MeasuredCohort
    #: Whose files they are: a simulated cohort carries those of one of GEO's routes.
    route: Route
    #: Role → file.
    files: Mapping[str, Path]
    #: Role → file as the cohort file wrote it, or its place at GEO: what people know it by.
    written: Mapping[str, str]
    #: Raw metadata, one row per sample; the index holds the sample ids.
    raw: pd.DataFrame
    #: Samples of `raw` that the table of values lacks for a reason that is known, and the reason.
    without_values: Mapping[str, str] = field(default_factory=dict)

    @property
    def values_role(self) -> str:
        """Role of the file that holds the values."""
        return "series_matrix" if self.route == Route.GEO_SERIES_MATRIX else "table"

    @property
    def values_name(self) -> str:
        """Cohort and source of the file that holds the values, for messages."""
        name = f"cohort {self.cohort.id}: {self.written[self.values_role]}"
        if self.route == Route.H5AD:
            layer = self.cohort.source.layer
            name += f" (layer '{layer}')" if layer else " (X)"
        return name

    @property
    def scale_checked(self) -> str:
        """Why the declared scale is right whatever the check finds, on one line; else empty."""
        return " ".join((self.cohort.source.scale_checked or "").split())

    def sample_sheet(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Make the canonical sample sheet and the list of excluded samples.

        Samples without values are excluded with their reason, whatever else is wrong with them;
        samples of other species and rows that are cells stop the run.

        Returns
        -------
        samples, excluded : DataFrame
            See `adnorm.study.samples.build_sample_sheet`.
        """
        where = f"cohort {self.cohort.id}"
        _refuse_other_species(self.raw, where, all_of_them=True)
        named: dict[str, list[str]] = {}
        for name, reason in sorted(self.without_values.items()):
            named.setdefault(reason, []).append(name)
        rules = [
            ExclusionRule.model_validate({"samples": names, "reason": reason})
            for reason, names in sorted(named.items())
        ]
        cohort = self.cohort.model_copy(update={"exclude": (*self.cohort.exclude, *rules)})
        samples, excluded = build_sample_sheet(self.raw, cohort)
        _refuse_other_species(self.raw.loc[list(samples["sample"])], where)
        if self.route == Route.H5AD:
            refuse_cells(samples, f"{where}: {self.written['table']}")
        return samples, excluded

    def identifiers(self) -> IdentifierTable | None:
        """NCBI's table of the genes that it counts; ``None`` for other routes."""
        if self.route != Route.NCBI_COUNTS:
            return None
        with self._reading("annotation") as path:
            return read_identifier_table(path)

    def annotation(self) -> pd.Series | None:
        """Probe → symbol text of the platform; ``None`` when the rows are genes already."""
        if "annotation" not in self.files or self.route == Route.NCBI_COUNTS:
            return None
        with self._reading("annotation") as path:
            return read_annotation(path, self.cohort.source.symbol_column)

    def published_values(self) -> pd.DataFrame:
        """Read the values of every row and column that was published."""
        source = self.cohort.source
        if self.route == Route.GEO_SERIES_MATRIX:
            return self._matrix_values()
        with self._reading("table") as path:
            if self.route == Route.H5AD:
                return read_values(path, source.layer, source.gene_column)
            return read_value_table(path, source.gene_column, "annotation" in self.files)

    def values(self, samples: pd.DataFrame) -> Measured:
        """Read the values of the samples of a sheet; the cohort file excluded the other ones."""
        wanted, source = list(samples["sample"]), self.cohort.source
        table = self.published_values()
        if self.route in (Route.GEO_SERIES_MATRIX, Route.H5AD):
            return _chosen(table, wanted)
        if self.route == Route.NCBI_COUNTS:
            return Measured(columns_of(table, wanted))
        lanes: dict[str, list[str]] = {}
        if source.libraries:
            table, lanes = sum_lanes(table, source.libraries, self.values_name)
        excluded = sorted(set(self.raw.index.astype(str)) - set(wanted))
        names = match_samples(
            table.columns, self.raw.index, self.raw, excluded, where=self.values_name
        )
        columns = {sample: column for column, sample in names.items()}
        chosen = _chosen(columns_of(table, list(names)), [columns[sample] for sample in wanted])
        return Measured(
            chosen.values.set_axis(pd.Index(wanted, dtype=object), axis=1),
            {sample: lanes[columns[sample]] for sample in wanted} if lanes else {},
            chosen.scaled,
        )

    def hints(self, samples: pd.DataFrame) -> Hints:
        """Read what the deposit says of the scale of its values, besides the values themselves."""
        if self.route != Route.H5AD:
            return hints_of(self.raw.loc[list(samples["sample"])])
        with self._reading("table") as path:
            return hints_of_container(read_notes(path, self.cohort.source.layer))

    def _matrix_values(self) -> pd.DataFrame:
        with self._reading("series_matrix") as path:
            values = read_series_matrix(path, self.cohort.platform).values
        if values is None:
            raise AdnormError(
                f"{self.values_name}: the table of the series matrix is empty, as GEO leaves it "
                "for sequencing. Use `route: geo_supplementary` in the cohort file and name the "
                "supplementary table of counts or expression (source: table:)"
            )
        return values

    @contextmanager
    def _reading(self, role: str) -> Iterator[Path]:
        with reading(self.files[role], self.written[role]):
            yield self.files[role]


def columns_of(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Take some columns in an order; the table itself, not a copy, if that is how it is."""
    return table if list(table.columns) == columns else table[columns]


def _chosen(table: pd.DataFrame, columns: list[str]) -> Measured:
    """Take some columns; scaling over all of them would be hard to see in a part."""
    some = len(columns) < table.shape[1]
    scaled = scaled_genes(table.to_numpy(dtype=float)) if some else ""
    return Measured(columns_of(table, columns), scaled=scaled)


def open_sources(manifest: Path, cohort: MeasuredCohort) -> Sources:
    """Check the fetched files against ``fetch/manifest.json`` and read the raw metadata.

    Raises
    ------
    RefusedFileError
        A file is missing or has other bytes than the manifest says, or a role that the route needs
        is missing.
    """
    manifest = Path(manifest)
    content = read_json(manifest)
    problems = Problems(str(manifest))
    if content.get("cohort") != cohort.id:
        problems.add(f"belongs to cohort '{content.get('cohort')}', not '{cohort.id}'")
    files: dict[str, Path] = {}
    written: dict[str, str] = {}
    listed = content.get("files")
    if not isinstance(listed, list) or not all(map(is_entry, listed)):
        problems.add(f"a line of its files is damaged; {FETCH_AGAIN}")
        listed = [entry for entry in listed if is_entry(entry)] if isinstance(listed, list) else []
    for entry in listed:
        path = manifest.parent / entry["name"]
        files[entry["role"]] = path
        written[entry["role"]] = _as_written(entry, cohort)
        if not path.is_file():
            problems.add(f"{entry['name']} is missing; {FETCH_AGAIN}")
        elif digest_of(path)[1] != entry["sha256"]:
            problems.add(f"{entry['name']} has changed since it was fetched; {FETCH_AGAIN}")
    route = cohort.route
    if route == Route.SIMULATED:
        route = Route.GEO_SUPPLEMENTARY if "table" in files else Route.GEO_SERIES_MATRIX
    for role in _NEEDS[route]:
        if role not in files:
            problems.add(f"no file has the role '{role}'; {FETCH_AGAIN}")
    try:
        problems.stop()
    except AdnormError as error:
        raise RefusedFileError(str(error), files.values()) from None
    sources = Sources(cohort, route, files, written, _read_metadata(route, files, written, cohort))
    if route != Route.NCBI_COUNTS:
        return sources
    with reading(files["table"], written["table"]):
        absent = samples_without_counts(files["table"], files["series_matrix"], sources.raw)
    return replace(sources, without_values=absent)


def _as_written(entry: dict[str, str], cohort: MeasuredCohort) -> str:
    """Name a file as the cohort file does; the manifest shortens paths of one machine."""
    role, source = entry["role"], str(entry.get("source") or "")
    if cohort.route == Route.SIMULATED or not source:
        return entry["name"]
    if source.startswith("geo:"):
        return source
    key = "matrix" if role == "series_matrix" else role
    return getattr(cohort.source, key, None) or source


@contextmanager
def reading(path: Path, name: str) -> Iterator[None]:
    """Let the messages of a reader name the file that a person can correct, not its copy.

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
            sentence = f"{name}: this file cannot be read: {type(error).__name__}: {message}"
            raise RefusedFileError(sentence, [path]) from error
        sentence = name + message.removeprefix(str(path))
        if isinstance(error, AskedForError):
            raise AskedForError(sentence) from error
        raise RefusedFileError(sentence, [path]) from error


def _read_metadata(
    route: Route, files: Mapping[str, Path], written: Mapping[str, str], cohort: MeasuredCohort
) -> pd.DataFrame:
    if route == Route.LOCAL:
        path = files["sheet"]
        with reading(path, written["sheet"]):
            key = cohort.source.sheet_key or next(filter(None, find_layout(path)[0].names))
            sheet = read_sheet(path, key).rename_axis(index=None)
        warn_of_formulas(sheet, written["sheet"])
        return sheet
    if route == Route.H5AD:
        with reading(files["table"], written["table"]):
            return read_obs(files["table"])
    path = files["series_matrix"]
    with reading(path, written["series_matrix"]):
        matrix = read_series_matrix(path, cohort.platform, read_metadata_only=True)
    return matrix.samples.rename_axis(index=None)


def _refuse_other_species(raw: pd.DataFrame, where: str, all_of_them: bool = False) -> None:
    """Stop at samples that are not human.

    Where others may be excluded later (`all_of_them`), only when none is left that could be human.
    """
    for field_name in raw.columns:
        if normalised_key(str(field_name)) not in _SPECIES:
            continue
        names = raw[field_name].fillna("").astype(str).str.strip()
        other = names[~names.str.casefold().isin(_HUMAN | _UNKNOWN)]
        if other.empty or (all_of_them and len(other) < len(names)):
            continue
        kinds = sorted(set(other))
        mend = (
            "choose a series of human samples"
            if len(other) == len(names)
            else f"leave them out (exclude: - {{from: {field_name}, values: [{', '.join(kinds)}], "
            "reason: another species})"
        )
        raise AdnormError(
            f"{where}: {len(other)} of {len(names)} samples are not human: the field "
            f"'{field_name}' says {listing(kinds, 4)} (first: sample '{other.index[0]}'). The gene "
            f"sets and signatures of adnorm are human; {mend}"
        )
