"""Parts on a cluster, or in processes of this machine, through Ray Data (extra ``ray``)."""

import json
import logging
import os
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import asdict
from typing import Any

from facedots.batch.sources import Part
from facedots.batch.work import Job, PartStats, PartWorker
from facedots.errors import FacedotsError, explain_missing_extra

_SPARE_CPUS = 2
"""Logical processors beside those of the actors; without them Ray's own tasks never start."""
_OBJECT_STORE = 128 << 20
_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "180"}


def run_ray(
    job: Job, parts: Sequence[tuple[int, Part]], workers: int, address: str | None = None
) -> Generator[tuple[int, PartStats], None, None]:
    """Work on parts in actors; where one is killed, Ray starts another and its part anew.

    Args:
        job: What to do; its folder must be the same on all machines.
        parts: The parts with their numbers.
        workers: Number of actors.
        address: Of a cluster; without it, one on this machine starts and ends with the work.

    Yields:
        The number and the counts of each part once its file is there.

    Raises:
        FacedotsError: A file cannot be written, or Ray fails.
    """
    os.environ |= {name: os.environ.get(name, value) for name, value in _SETTINGS.items()}
    with explain_missing_extra():
        import ray
        import ray.data
        import ray.exceptions
    local = {
        "num_cpus": workers + _SPARE_CPUS,
        "object_store_memory": _OBJECT_STORE,
        "include_dashboard": False,
    }
    try:
        ray.init(
            address or "local",
            log_to_driver=False,
            logging_level="ERROR",
            **({} if address else local),
        )
    except Exception as error:  # Ray raises bare exceptions here
        raise _failure(error, "is a cluster at --address, or is this machine too busy?") from error
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        rows = [{"number": number, "part": json.dumps(asdict(part))} for number, part in parts]
        done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            _Actor,
            fn_constructor_args=(job,),
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(rows))),
            num_cpus=1,
        )
        for row in done.iter_rows():
            if row["failure"]:
                raise FacedotsError(row["failure"])
            stats = json.loads(row["stats"])
            yield row["number"], PartStats(**{**stats, "errors": Counter(stats["errors"])})
    except ray.exceptions.RayError as error:
        raise _failure(error, "run the same command again to go on") from error
    finally:
        ray.shutdown()


def _failure(error: Exception, fix: str) -> FacedotsError:
    """The first line of what Ray says."""
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return FacedotsError(f"Ray: {reason[0]}; {fix}")


class _Actor:
    """A process of Ray with its networks loaded."""

    def __init__(self, job: Job) -> None:
        self._worker = PartWorker(job)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            stats = self._worker(row["number"], Part.from_dict(json.loads(row["part"])))
        except FacedotsError as error:  # Ray would hide it among its own
            return {"number": row["number"], "failure": str(error), "stats": ""}
        return {"number": row["number"], "failure": "", "stats": json.dumps(vars(stats))}
