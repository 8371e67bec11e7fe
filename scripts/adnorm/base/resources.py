"""What a job asks a scheduler for: memory and minutes, by the size of what it works on.

A scheduler kills what takes more than it asked for, and lets wait what asks for too much. Both
follow the number of values, samples × genes, which the published files tell as soon as they are
fetched: jobs of a cohort that run as one submission are asked for before any of their own files
exists. The first kilobytes of a file tell how many values come in a byte of it; to read it whole
would take longer than some of the jobs.
"""

from __future__ import annotations

import functools
import math
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from adnorm.base.errors import AdnormError
from adnorm.base.files import is_entry, read_json
from adnorm.base.inflate import GZIP_MAGIC


@dataclass(frozen=True)
class Need:
    """What one stage needs, measured with `benchmarks/large.py` and `benchmarks/atlas.py`.

    Attributes
    ----------
    base, start
        MiB and seconds without any values: Python, what the stage imports, and, on a cluster, the
        two processes of Snakemake beside it.
    each, seconds
        Bytes per value, and seconds per million values.
    cohort_mib, cohort_seconds
        MiB and seconds per cohort of a stage that joins them.
    """

    base: float
    each: float
    start: float
    seconds: float
    cohort_mib: float = 0.0
    cohort_seconds: float = 0.0


#: One core of a slow machine that has other work; 0.1 to 118 million values, 1 to 200 cohorts.
NEEDS: Mapping[str, Need] = {
    "expression": Need(base=550, each=34, start=10, seconds=0.9),
    "scores": Need(base=550, each=24, start=10, seconds=0.5),
    "effects": Need(base=600, each=45, start=20, seconds=0.8),
    "index": Need(base=600, each=40, start=15, seconds=0.8),
    "figures": Need(base=900, each=4, start=30, seconds=0.5),
    "index_figures": Need(base=600, each=4, start=30, seconds=0.2),
    "lesional_effects": Need(
        base=450, each=7, start=5, seconds=0.1, cohort_mib=1.5, cohort_seconds=1
    ),
    "atlas": Need(base=450, each=1, start=5, seconds=0.05, cohort_mib=1.5, cohort_seconds=1.2),
    "atlas_figures": Need(base=550, each=0, start=15, seconds=0, cohort_mib=8, cohort_seconds=1),
    "explorer": Need(base=450, each=17, start=10, seconds=0.2, cohort_mib=2, cohort_seconds=0.3),
    "cohorts": Need(base=400, each=0, start=5, seconds=0, cohort_mib=0.1, cohort_seconds=0.1),
}
#: Asked for beyond what was measured: machines, libraries and cohorts differ.
MARGIN_MEMORY, MARGIN_TIME = 1.5, 4.0
#: No job asks for less: a scheduler's clock counts minutes, and file systems of clusters are slow.
FEWEST_MINUTES = 10
#: Values from which on scoring has work for several cores: below, it takes them for a second, and a
#: submission of several stages keeps them from others for a minute.
FEWEST_PARALLEL = 5_000_000
#: So many cohorts are joined in seconds: a scheduler would take longer to start the job.
FEW_COHORTS = 10
#: Taken for a cohort whose files cannot be counted: an array series of 80 samples.
UNKNOWN_VALUES = 4_000_000
#: Roles of files in a manifest that hold values.
_VALUES = ("series_matrix", "table")
_COMMENTS = (b"!", b"#")
#: How much of a file is looked at, and how far into it its table may begin.
_SAMPLE, _FURTHEST, _BLOCK = 1 << 20, 1 << 24, 1 << 16
#: Values in a byte of a file that is no text: compressed numbers of four bytes.
_VALUES_PER_BYTE = 0.5
_MIB = 1 << 20


def mem_mb(stage: str, values: float, cohorts: int, attempt: int) -> int:
    """Megabytes that a job asks for, in steps of 100; each further attempt asks for twice as many.

    >>> mem_mb("expression", 12_000_000, 1, 1), mem_mb("expression", 12_000_000, 1, 2)
    (1500, 3000)
    """
    need = NEEDS[stage]
    wanted = need.base + need.each * values / _MIB + need.cohort_mib * cohorts
    return 2 ** (attempt - 1) * 100 * math.ceil(MARGIN_MEMORY * wanted / 100)


def runtime(stage: str, values: float, cohorts: int, attempt: int) -> int:
    """Minutes that a job asks for; each further attempt asks for twice as many.

    >>> runtime("expression", 12_000_000, 1, 1), runtime("expression", 400_000_000, 1, 2)
    (10, 50)
    """
    need = NEEDS[stage]
    seconds = need.start + need.seconds * values / 1e6 + need.cohort_seconds * cohorts
    return 2 ** (attempt - 1) * max(FEWEST_MINUTES, math.ceil(MARGIN_TIME * seconds / 60))


def cores(values: float, most: int) -> int:
    """Cores that a scoring job asks for: small cohorts are scored on one (`adnorm.scores`)."""
    return most if values >= FEWEST_PARALLEL else 1


def values_of(manifests: Iterable[Path]) -> int:
    """Count the values that cohorts have, by the manifests of their files.

    Parameters
    ----------
    manifests
        ``fetch/manifest.json`` of each cohort. One that is not there or cannot be read counts as a
        cohort of `UNKNOWN_VALUES`: the stage that needs it will say what is wrong with it.
    """
    return sum(map(_values_of, manifests))


def _values_of(manifest: Path) -> int:
    try:
        stamp = os.stat(manifest).st_mtime_ns
    except OSError:
        return UNKNOWN_VALUES
    return _count(manifest, stamp)


@functools.cache
def _count(manifest: Path, stamp: int) -> int:
    try:
        entries = [entry for entry in read_json(manifest)["files"] if is_entry(entry)]
        # A series that comes with counts has its matrix without values.
        sizes = [
            values_in(manifest.parent / entry["name"])
            for entry in entries
            if entry["role"] in _VALUES
        ]
    except (AdnormError, OSError, KeyError, TypeError):
        return UNKNOWN_VALUES
    return round(max(sizes, default=0)) or UNKNOWN_VALUES


def values_in(path: Path) -> float:
    """Estimate how many values a file of values holds, from its beginning and its size.

    Text, packed by gzip or not: tabs, or the commas or semicolons of a table without tabs, in the
    lines that are no comment (``!``, ``#``). Anything else: two bytes a value.
    """
    size = path.stat().st_size
    table, rest = b"", b""
    before, end = 0, 0
    with path.open("rb") as file:
        for end, text in _beginning(file):
            *lines, rest = (rest + text).split(b"\n")
            table += b"\n".join(line for line in lines if not line.startswith(_COMMENTS))
            if len(table) >= _SAMPLE:
                break
            if not table and (not rest or rest.startswith(_COMMENTS)):
                before = end
    # A small file may be a single line.
    table += rest
    separators = max(table.count(mark) for mark in (b"\t", b",", b";"))
    if b"\0" in table or not separators or end == before:
        return size * _VALUES_PER_BYTE
    return separators / (end - before) * (size - before)


def _beginning(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Give the first blocks of a file, unpacked, each with the bytes of the file up to its end."""
    unpack = None
    while (at := file.tell()) < _FURTHEST and (block := file.read(_BLOCK)):
        if at == 0 and block.startswith(GZIP_MAGIC):
            unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
        if not unpack:
            yield file.tell(), block
            continue
        try:
            text = unpack.decompress(block)
        except zlib.error:
            return
        # Files packed in pieces (bgzip, several packed files in a row): the first piece will do.
        yield file.tell() - len(unpack.unused_data), text
        if unpack.eof:
            return
