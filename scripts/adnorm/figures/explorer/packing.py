"""Numbers small enough for a page: rounded to integers, laid out in bytes, deflated.

A browser unpacks them without a library (``DecompressionStream``). zlib's own format has no
header that knows a time or a machine, so that the same numbers are the same bytes.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

#: Steps of one unit of an effect.
STEPS = 1000
#: Stands for a missing value of 16 bits with a sign, and without one.
MISSING, UNKNOWN = -32768, 65535
#: Steps of one share, and its missing value in 32 bits.
FINE_STEPS, NO_SHARE = 1_000_000, -(2**31)
#: Below this, a false discovery rate is written as "below".
LEAST_FDR = 0.001


#: Estimate, lower and upper end as sums of estimate and half the width.
ENDS = np.array([[1, 0], [1, -1], [1, 1]])
#: By how many thousandths estimate and half the width may be moved, least first.
MOVES = sorted(product((0, 1, -1), (0, 1, -1, 2, -2)), key=lambda move: abs(move[0]) + abs(move[1]))


def as_shown(estimate: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Round estimates and half the widths of their intervals to thousandths in 16 bits with a sign.

    The page shows estimate, lower and upper end with two decimals. Rounded to thousandths first,
    one of ten would end in another digit than in the table; where that is so, the thousandths are
    moved by as little as mends it. Missing is `MISSING`, the rest is bounded. The first axis of the
    result has the estimates, then the halves.

    Examples
    --------
    >>> as_shown(np.array([-0.235284, np.nan, 99]), np.array([0.151, np.nan, 1])).tolist()
    [[-236, -32768, 32767], [152, -32768, 1000]]
    """
    given = np.stack([estimate, half]).astype(float)
    true = np.nan_to_num(given).reshape(2, -1)
    nearest = np.rint(true * STEPS)
    chosen, left = nearest.copy(), np.arange(true.shape[1])
    for move in MOVES:
        steps = nearest[:, left] + np.reshape(move, (2, 1))
        right = _looks_like(ENDS @ steps, ENDS @ true[:, left]).all(axis=0)
        chosen[:, left[right]] = steps[:, right]
        left = left[~right]
    bounded = np.clip(chosen, MISSING + 1, -MISSING - 1).reshape(given.shape)
    return np.where(np.isnan(given), MISSING, bounded).astype("<i2")


def _looks_like(steps: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Whether thousandths have the sign and the two decimals of a number, however 5 is rounded."""
    size = np.abs(steps)
    hundredths = np.rint(np.abs(true) * 100)
    return (steps * true >= 0) & (size % 10 != 5) & ((size + 4) // 10 == hundredths)


def millionths(values: np.ndarray) -> np.ndarray:
    """Round shares to millionths in 32 bits; missing is `NO_SHARE`, the rest is bounded.

    The tables have six digits. A share that is rounded to thousandths, and then once more to per
    cent where it is shown, is one per cent off in one of twenty.

    Examples
    --------
    >>> millionths(np.array([1.07462, -2, np.nan, 9999])).tolist()
    [1074620, -2000000, -2147483648, 2147483647]
    """
    values = np.asarray(values, dtype=float)
    steps = np.rint(np.nan_to_num(values) * FINE_STEPS)
    steps = np.clip(steps, NO_SHARE + 1, -NO_SHARE - 1)
    return np.where(np.isnan(values), NO_SHARE, steps).astype("<i4")


def rates(values: np.ndarray) -> np.ndarray:
    """Code false discovery rates by their first three digits, cut and not rounded.

    Cutting keeps every rate on its side of a limit such as 0.05. 0 is below `LEAST_FDR`, 1 is
    0.00100, 900 is 0.00999, 901 is 0.0100, … 2701 is 1; missing is `UNKNOWN`.

    Examples
    --------
    >>> rates(np.array([1e-9, 0.001, 0.0499999, 0.05, 1, np.nan])).tolist()
    [0, 1, 1300, 1301, 2701, 65535]
    """
    values = np.asarray(values, dtype=float)
    known = np.where(np.isnan(values), 1.0, values)
    shown = np.clip(known, LEAST_FDR, 1.0)
    # A rate was written with six digits: its logarithm must not fall below a power of ten.
    decade = np.floor(np.log10(shown) + 1e-9).astype(int)
    digits = np.floor(shown / 10.0 ** (decade - 2) + 1e-6).astype(int)
    codes = np.where(known < LEAST_FDR, 0, (decade + 3) * 900 + digits - 99)
    return np.where(np.isnan(values), UNKNOWN, codes).astype("<u2")


def packed(content: bytes | Iterable[bytes], strategy: int = zlib.Z_RLE) -> str:
    """Deflate, and write in letters that mean nothing to HTML.

    Measured numbers repeat nothing but runs of one value (nothing there): looking for more takes
    a hundred times as long and saves one part in five hundred.
    """
    deflate = zlib.compressobj(9, zlib.DEFLATED, 15, 9, strategy)
    parts = [content] if isinstance(content, bytes) else content
    written = [*map(deflate.compress, parts), deflate.flush()]
    return base64.b64encode(b"".join(written)).decode("ascii")


def packed_json(values: Mapping[str, Any], name: str, rows: Iterable[Any]) -> str:
    """Pack plain values by name, and under `name` many more, one after the other.

    Examples
    --------
    >>> zlib.decompress(base64.b64decode(packed_json({"a": 1}, "b", [2, 3])))
    b'{"a":1,"b":[2,3]}'
    """

    def texts() -> Iterator[str]:
        yield f"{_json(values)[:-1]},{_json(name)}:["
        for number, row in enumerate(rows):
            yield f"{',' if number else ''}{_json(row)}"
        yield "]}"

    return packed((text.encode("utf-8") for text in texts()), zlib.Z_DEFAULT_STRATEGY)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@dataclass
class Block:
    """Arrays one behind the other; `layout` says what they are."""

    #: Name, kind (u1, i2, u2, i4) and length of each.
    layout: list[tuple[str, str, int]] = field(default_factory=list)
    _parts: list[bytes] = field(default_factory=list)

    def add(self, name: str, values: np.ndarray) -> None:
        """Append an array; first all lowest bytes, highest ones last, which deflate better."""
        flat = np.ascontiguousarray(values).ravel()
        width = flat.dtype.itemsize
        little = flat.astype(flat.dtype.newbyteorder("<"))
        self.layout.append((name, f"{flat.dtype.kind}{width}", int(flat.size)))
        self._parts.append(little.view(np.uint8).reshape(-1, width).T.tobytes())

    def pack(self) -> str:
        """Pack all arrays together."""
        return packed(b"".join(self._parts))


@dataclass(frozen=True)
class Ladder:
    """Values in 8 bits: a lowest one and a step for each row."""

    lowest: list[float]
    steps: list[float]
    values: np.ndarray


#: Log2 units between neighbours; finer than a line of a plot.
FINEST = 0.05


def ladder(values: np.ndarray) -> Ladder:
    """Put each row (genes × samples, no missing values) on a ladder of at most 255 steps."""
    lowest = values.min(axis=1)
    steps = np.maximum((values.max(axis=1) - lowest) / 255, FINEST)
    # The page computes with what it is told, so that rounding does not add up.
    lowest, steps = np.round(lowest, 3), np.round(steps, 4)
    codes = np.rint((values - lowest[:, None]) / steps[:, None])
    return Ladder(lowest.tolist(), steps.tolist(), np.clip(codes, 0, 255).astype(np.uint8))


def pieces(rows: np.ndarray, size: int) -> Iterable[bytes]:
    """Cut rows into pieces that are unpacked one at a time."""
    for start in range(0, len(rows), size):
        yield np.ascontiguousarray(rows[start : start + size]).tobytes()
