"""The metrics of a run that was resumed, in one file. Lightning's CSV logger starts an empty one at every start."""

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from facedots.io.files import write_whole


def set_aside(metrics: Path) -> list[Path]:
    """Move the metrics of a run's earlier part out of the logger's way.

    Returns:
        All parts that were moved so far, oldest first; more than one where a resumed run was killed too.
    """
    parts = sorted(metrics.parent.glob("metrics.*.part.csv"))
    if metrics.exists():
        parts.append(metrics.rename(metrics.with_name(f"metrics.{len(parts):04d}.part.csv")))
    return parts


def join_logs(parts: Sequence[Path], metrics: Path) -> None:
    """Put the earlier parts before the last one: of each, the rows of steps before the next part's first.

    Args:
        parts: Files of :func:`set_aside`, oldest first; they are removed.
        metrics: The last part, which the joined rows replace.
    """
    if not parts or not metrics.exists():
        return
    kept: list[dict[str, str]] = []
    for part in [*parts, metrics]:
        rows = _rows(part)
        if rows:
            start = min(int(row["step"]) for row in rows)
            kept = [row for row in kept if int(row["step"]) < start] + rows
    columns = list(dict.fromkeys(name for row in kept for name in row))
    text = StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(kept)
    write_whole(metrics, text.getvalue())
    for part in parts:
        part.unlink()


def _rows(part: Path) -> list[dict[str, str]]:
    with part.open(newline="") as file:
        return list(csv.DictReader(file))
