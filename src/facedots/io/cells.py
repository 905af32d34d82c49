"""The cells of a CSV file, and what is wrong with them. Needs pandas (``facedots[train]``)."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from facedots.errors import AnnotationError


def csv_cells(csv_file: Path) -> list[list[str]]:
    """The cells of every row, however many they are; a blank line has none.

    Raises:
        AnnotationError: The file is missing, or is not a CSV file in UTF-8.
    """
    try:
        text = csv_file.read_text(encoding="utf-8-sig")
        table = pd.read_csv(
            io.StringIO(text),
            header=None,
            # As wide as the widest row: pandas stops at longer rows, or takes their first cells for an index.
            names=list(range(1 + max((line.count(",") for line in text.splitlines()), default=0))),
            index_col=False,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            engine="python",  # The C parser fills short rows with "", as if the cells were there but empty.
        )
    except OSError as error:
        raise AnnotationError(csv_file, [f"cannot be read: {error.strerror}"]) from error
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise AnnotationError(csv_file, [f"not a CSV file in UTF-8: {error}"]) from error
    return [[cell for cell in row if isinstance(cell, str)] for row in table.to_numpy().tolist()]


def number_faults(cells: Sequence[str], place: str, first: int) -> list[str]:
    """A sentence about the cells that are no finite numbers, or nothing; ``first`` is the number of the first cell's place."""
    try:
        values = np.array(cells, np.float64)
    except ValueError:
        values = pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if not len(bad):
        return []
    more = f", nor are {len(bad) - 1} more" if len(bad) > 1 else ""
    return [f"{cells[bad[0]]!r} in {place} {bad[0] + first} is not a finite number{more}"]
