"""The options of ``facedots batch``; nothing heavy is imported for them."""

from dataclasses import dataclass
from typing import Annotated, Literal


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """How to cut a collection and who works on it; ``facedots batch --help`` explains each.

    Example:
        >>> BatchOptions(workers=2).engine
        'local'
    """

    engine: Annotated[
        Literal["local", "ray"], "local: processes of this machine; ray: Ray Data."
    ] = "local"
    workers: Annotated[int, "Processes, each with its networks.", {"min": 1, "max": 4096}] = 1
    address: Annotated[
        str | None, "Of a running Ray cluster; by default Ray starts and ends here.", {}
    ] = None
    part_size: Annotated[
        int, "Images in a part, the most that a killed process loses.", {"min": 1, "max": 100_000}
    ] = 256
    column: Annotated[
        str | None, "Column of CSV or Parquet with the images, or their paths.", {}
    ] = None
    frame_step: Annotated[
        int | None,
        "Take every N-th frame of videos by itself; by default all are tracked.",
        {"min": 1, "metavar": "N"},
    ] = None
    limit: Annotated[
        int | None, "Do at most N parts now; the next call goes on.", {"min": 1, "metavar": "N"}
    ] = None
    retry_errors: Annotated[bool, "Do the parts with failed sources again."] = False
