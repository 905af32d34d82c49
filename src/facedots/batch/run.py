"""``run_batch``: the faces of a collection of any size as Parquet files, by many processes."""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from facedots.batch.local_engine import run_local
from facedots.batch.options import BatchOptions
from facedots.batch.ray_engine import run_ray
from facedots.batch.sources import Part, absolute, list_parts
from facedots.batch.work import ATTEMPTS_FOLDER, PARTS_FOLDER, Job, PartStats, read_stats
from facedots.errors import DataError, OutputError
from facedots.inference.weights import read_weights, weights_file
from facedots.io.files import atomic_write, local_path, output_errors
from facedots.io.headers import MAX_PIXELS
from facedots.io.inputs import Names, each_name, is_newer
from facedots.io.locks import lock_folder
from facedots.io.parquet import load_pyarrow
from facedots.io.text import json_line
from facedots.pipeline_options import PipelineOptions

MANIFEST_FILE, SUMMARY_FILE = "manifest.jsonl", "summary.json"
_PACKAGES = ("facedots", "onnxruntime", "numpy", "pyarrow")


@dataclass
class BatchProgress:
    """How far a batch is.

    Attributes:
        parts: Parts in all.
        done: Finished ones, those of earlier runs included.
        planned: Those to finish in this run.
        finished: Those finished in this run.
        stats: Counts of all finished ones.
        images: Images, with or without success, of this run.
        started: ``time.monotonic()`` at its begin.

    Example:
        >>> progress = BatchProgress(parts=10, done=5, planned=5)
        >>> progress.count(PartStats(images=256))
        >>> progress.done, progress.finished, progress.images
        (6, 1, 256)
    """

    parts: int
    done: int = 0
    planned: int = 0
    finished: int = 0
    stats: PartStats = field(default_factory=PartStats)
    images: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def images_per_second(self) -> float:
        """Images done in a second of this run."""
        return self.images / max(time.monotonic() - self.started, 1e-6)

    @property
    def seconds_left(self) -> float | None:
        """As long as the remaining parts will take at the rate of the finished ones."""
        if not self.finished:
            return None
        seconds = time.monotonic() - self.started
        return seconds * (self.planned - self.finished) / self.finished

    def count(self, stats: PartStats) -> None:
        """Count a part that was finished now."""
        self.done, self.finished = self.done + 1, self.finished + 1
        self.images += stats.images + stats.errors.total()
        self.stats.add(stats)


def run_batch(
    sources: Names,
    out: str | Path,
    networks: PipelineOptions | None = None,
    options: BatchOptions | None = None,
    *,
    recursive: bool = False,
    max_pixels: int = MAX_PIXELS,
    on_part: Callable[[BatchProgress], object] | None = None,
    on_skip: Callable[[str], object] | None = None,
) -> BatchProgress:
    """Find the faces of a collection, part by part; what earlier calls finished stays.

    ``out`` then holds ``parts/*.parquet`` with a row a face (docs/how-to/batch.md), the manifest
    and ``summary.json``. A program that calls this needs ``if __name__ == "__main__":``, since the
    processes import it.

    Args:
        sources: As in :func:`~facedots.batch.sources.list_parts`.
        out: Folder of the results, on a local or shared disk.
        networks: What finds the faces.
        options: How to work.
        recursive: Search the folders of folders as well.
        max_pixels: Larger images are refused.
        on_part: Called at the begin and after each part, always with the same object.
        on_skip: Gets a line for each source in which something was skipped.

    Raises:
        OutputError: The folder cannot be written, another process works in it, or it was begun with
            other sources or options.
        FacedotsError: The sources cannot be listed, or the processes fail.

    Example:
        >>> progress = run_batch(["photos/*.tar"], "faces", options=BatchOptions(workers=8))
        ... # doctest: +SKIP
    """
    networks, options = networks or PipelineOptions(), options or BatchOptions()
    load_pyarrow()
    out, sources = local_path(out).absolute(), each_name(sources)
    job = Job(out, networks, max_pixels, options.frame_step)
    head = _head(sources, networks, options, recursive, max_pixels)
    listed: list[Part] = []
    if not (out / MANIFEST_FILE).exists():  # what cannot be listed leaves no folder behind
        listed = list_parts(sources, options.part_size, recursive, options.column, on_skip)
    with lock_folder(out) as is_ours:
        if not is_ours:
            raise OutputError(f"{out}: another `facedots batch` is at work in this folder")
        parts = _read_manifest(out, head)
        if parts is None:
            parts = listed
            _write_manifest(out, head, parts)
        progress = BatchProgress(len(parts))
        todo = _missing(job, parts, progress, options.retry_errors)[: options.limit]
        progress.planned = len(todo)
        try:
            _work(job, todo, options, progress, on_part)
        finally:
            _remove_leftovers(out)
            atomic_write(out / SUMMARY_FILE, _summary(progress))
    return progress


def _write_manifest(out: Path, head: Mapping[str, Any], parts: Iterable[Part]) -> None:
    """Write down once what a batch is made of: in the first line what the rows depend on, in each
    further one a part. A batch that goes on takes its parts from there, so that they stay the same
    whatever came to the folders since.
    """
    lines = [json_line(head), *(json_line(asdict(part)) for part in parts)]
    atomic_write(out / MANIFEST_FILE, "".join(lines))


def _read_manifest(out: Path, head: Mapping[str, Any]) -> list[Part] | None:
    """The parts of a batch begun before; None where there is none.

    Args:
        out: Folder of the results.
        head: What the rows depend on now.

    Raises:
        OutputError: The batch was begun with other sources, options, networks or versions, or the
            file is no manifest.
    """
    file = out / MANIFEST_FILE
    try:
        first, *lines = file.read_text(encoding="utf-8").splitlines()
        before = dict(json.loads(first))
        parts = [Part.from_dict(json.loads(line)) for line in lines]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        fix = "delete the folder, or give another --out"
        raise OutputError(f"{file}: damaged, or not of `facedots batch`; {fix}") from error
    plain = json.loads(json_line(head))
    for key in plain | before:
        if before.get(key) != plain.get(key):
            change = f"{key} {before.get(key)} instead of {plain.get(key)}"
            fix = "give another --out, or the same sources and options again"
            raise OutputError(f"{out}: begun with {change}; {fix}")
    return parts


def _work(
    job: Job,
    todo: list[tuple[int, Part]],
    options: BatchOptions,
    progress: BatchProgress,
    on_part: Callable[[BatchProgress], object] | None,
) -> None:
    """Work on parts with the engine that is asked for."""
    tell = on_part or (lambda _: None)
    tell(progress)
    if not todo:
        return
    if options.engine == "ray":
        results = run_ray(job, todo, options.workers, options.address)
    else:
        results = run_local(job, todo, options.workers)
    with contextlib.closing(results):  # the processes end before the folder is free
        for _, stats in results:
            progress.count(stats)
            tell(progress)


def _missing(
    job: Job, parts: Sequence[Part], progress: BatchProgress, retry_errors: bool
) -> list[tuple[int, Part]]:
    """The parts that are not done, or whose files changed since."""
    for folder in (job.out / PARTS_FOLDER, job.out / ATTEMPTS_FOLDER):
        with output_errors(folder):
            folder.mkdir(exist_ok=True)
    _remove_leftovers(job.out)
    missing = []
    for number, part in enumerate(parts):
        file = job.part_file(number)
        try:
            stats = read_stats(file)
        except DataError:
            missing.append((number, part))
            continue
        if any(is_newer(location, file) for location in part.locations) or (
            retry_errors and stats.errors
        ):
            missing.append((number, part))
        else:
            progress.done += 1
            progress.stats.add(stats)
    return missing


def _remove_leftovers(out: Path) -> None:
    """Remove what killed processes wrote of their parts."""
    for file in (out / PARTS_FOLDER).glob(".*.part.parquet"):
        file.unlink(missing_ok=True)


def _head(
    sources: Sequence[str],
    networks: PipelineOptions,
    options: BatchOptions,
    recursive: bool,
    max_pixels: int,
) -> dict[str, Any]:
    """What the rows depend on, by the names of the options."""
    return {
        "sources": list(map(absolute, sources)),
        "model": networks.model,
        "model-sha256": hashlib.sha256(read_weights(weights_file(networks.model))).hexdigest(),
        **networks.recorded,
        "recursive": recursive,
        "max-pixels": max_pixels,
        "part-size": options.part_size,
        "column": options.column,
        "frame-step": options.frame_step,
        "versions": {package: version(package) for package in _PACKAGES},
    }


def _summary(progress: BatchProgress) -> str:
    """The counts of all finished parts as JSON."""
    counts = {"parts": progress.parts, "parts_missing": progress.parts - progress.done}
    return json.dumps(counts | progress.stats.to_dict(), indent=1) + "\n"
