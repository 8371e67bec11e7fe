"""Words of messages that more than one reader needs."""

from __future__ import annotations

#: What a person does with a file that is cut off or damaged, wherever it came from.
GET_AGAIN = (
    "get the whole file again: export or copy your own once more; one that was fetched is fetched "
    "again at the next call"
)


def counted(number: int, one: str, many: str = "") -> str:
    """Say how many there are, in the singular for one.

    Examples
    --------
    >>> counted(1, "sample"), counted(2, "sample"), counted(1, "row names", "rows name")
    ('1 sample', '2 samples', '1 row names')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
