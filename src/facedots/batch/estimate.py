"""What a batch will cost, from a sample that is worked on now."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from facedots.batch.items import is_image
from facedots.batch.sources import Part
from facedots.batch.work import Job, PartStats, PartWorker
from facedots.errors import FacedotsError
from facedots.io.parquet import open_parquet
from facedots.io.remote import file_bytes, open_binary
from facedots.io.tar_files import read_shard
from facedots.io.video import open_reader

T = TypeVar("T")

_PARTS, _ITEMS, _TAR_SAMPLES, _SIZES = 4, 8, 50, 200


@dataclass(frozen=True)
class BatchEstimate:
    """Extrapolated from a sample, on this machine, with one thread.

    Attributes:
        parts: Parts, exactly.
        images: Images and frames.
        size: Bytes of the sources; None where their servers do not tell.
        core_hours: Hours of one core.
        sample: Images that were worked on for it.

    Example:
        >>> BatchEstimate(10, 2560, 10**8, 0.02, 32).images
        2560
    """

    parts: int
    images: int
    size: int | None
    core_hours: float
    sample: int


def estimate_batch(job: Job, parts: Sequence[Part]) -> BatchEstimate:
    """Work on a few images of each kind of part and extrapolate; nothing is written.

    Args:
        job: What would be done.
        parts: All parts.
    """
    worker, stats = PartWorker(job), PartStats()
    images, seconds = 0.0, 0.0
    for kind in dict.fromkeys(part.kind for part in parts):
        group = [part for part in parts if part.kind == kind]
        counts = []
        for part in _spread(group, _PARTS):
            started = time.process_time()
            for _ in itertools.islice(worker.rows(part, stats), _ITEMS):
                pass
            seconds += time.process_time() - started
            counts.append(_count_images(part, job))
        images += len(group) * sum(counts) / len(counts)
    sample = stats.images + stats.errors.total()
    hours = images * seconds / max(sample, 1) / 3600
    return BatchEstimate(len(parts), round(images), _total_bytes(parts), hours, sample)


def _spread(values: Sequence[T], count: int) -> Sequence[T]:
    """At most so many of the values, evenly spaced."""
    return values[:: -(-len(values) // count)]


def _count_images(part: Part, job: Job) -> float:
    """The images of a part, of a shard or a video about; 0 where it cannot be read."""
    location = part.locations[0]
    try:
        if part.kind == "images":
            return len(part.locations)
        if part.kind == "parquet":
            with open_parquet(location) as table:
                return int(table.metadata.row_group(part.row_group).num_rows)
        if part.kind == "video":
            with open_reader(location) as video:
                return (video.info.frames or 0) / (job.frame_step or 1)
        with open_binary(location) as file:
            members = itertools.islice(read_shard(file, location), _TAR_SAMPLES)
            found = sum(is_image(name) for name, _ in members)
            return found * (file_bytes(location) or 0) / max(file.tell(), 1)
    except (FacedotsError, OSError):
        return 0


def _total_bytes(parts: Sequence[Part]) -> int | None:
    """The bytes of all sources, from the sizes of some of them."""
    locations = list(dict.fromkeys(itertools.chain(*(part.locations for part in parts))))
    sizes = [file_bytes(location) for location in _spread(locations, _SIZES)]
    known = [size for size in sizes if size is not None]
    return round(len(locations) * sum(known) / len(known)) if known else None
