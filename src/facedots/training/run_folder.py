"""The folder of a run: its files, its lock, and the record of what it was made from.

* ``recipe.yaml``: the recipe, defaults included; written last, it makes the folder a run.
  ``schema.json``: the points.
* ``provenance.json``: ``data`` (path, or ``synthetic:N``), ``faces`` (how many to train on, to
  validate and to test), ``fingerprint`` (a SHA-256 of the training and of the validation faces),
  ``processes`` (how many it began with),
  ``started`` (UTC), ``command``, ``git`` (revision), ``machine``, ``versions`` (of packages).
* ``checkpoints/best.ckpt`` (by validation NME) and ``last.ckpt``.
* ``logs/metrics.csv``, ``tensorboard/`` and ``curves.png``: loss, learning rate, validation NME.
* ``model.safetensors`` and ``model.onnx``: the averaged weights of the best epoch, and the network
  with its model card.
"""

import contextlib
import csv
import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from pathlib import Path
from typing import Any

from facedots.annotations.base import LOG, FaceAnnotation
from facedots.data.splits import Split
from facedots.errors import DataError, TrainingError
from facedots.inference.session import CODE_LICENSE
from facedots.inference.weights import RECIPE_FILE
from facedots.io.files import atomic_write
from facedots.io.locks import lock_folder
from facedots.io.remote import is_remote
from facedots.io.tar_files import TarMember
from facedots.io.text import utf8
from facedots.schema import KeypointSchema

SCHEMA_FILE, PROVENANCE_FILE = "schema.json", "provenance.json"
WEIGHTS_FILE = "model.safetensors"
PACKAGES = ("facedots", "torch", "pytorch-lightning", "numpy", "opencv-python", "onnx")


@contextlib.contextmanager
def lock_run(run: Path) -> Iterator[None]:
    """Hold the folder of a run, made if need be, against other processes; see
    :func:`~facedots.io.locks.lock_folder`.

    Raises:
        TrainingError: Another process trains in it.
        OutputError: The folder cannot be written.
    """
    with lock_folder(run) as is_ours:
        if not is_ours:
            raise TrainingError(
                f"{run}: another `facedots train` is at work in this folder; wait until it has "
                "ended, or give another --out"
            )
        yield


def tell_faces(data: str, split: Split) -> None:
    """Print how many faces a run learns from.

    Raises:
        DataError: There are none to train on.
    """
    if not split.train:
        others = f"{len(split.validation)} faces to validate on, {len(split.test)} to test on"
        raise DataError(f"{data}: nothing to train on, only {others}")
    counts = f"{len(split.train)} to train on, {len(split.validation)} to validate on"
    print(f"faces: {counts}", file=sys.stderr)  # noqa: T201


def provenance(data: str, split: Split, processes: int = 1) -> dict[str, Any]:
    """What ``provenance.json`` of a new run holds."""
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    is_address = data.startswith("synthetic:") or is_remote(data)
    return {
        "data": data if is_address else str(Path(data).resolve()),
        "faces": {name: len(faces) for name, faces in parts.items()},
        "fingerprint": {name: fingerprint(parts[name]) for name in ("train", "validation")},
        "processes": processes,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "git": _git_revision(),
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {package: _version(package) for package in PACKAGES},
    }


def begin_run(run: Path, recipe: str, record: Mapping[str, Any], schema: str = "") -> None:
    """Write what a run begins with; the recipe last, as it makes the folder a run.

    Args:
        run: Its folder.
        recipe: Text of ``recipe.yaml``.
        record: What ``provenance.json`` holds.
        schema: Text of ``schema.json``, which a finder has not.

    Raises:
        OutputError: A file cannot be written; the run can then be begun again.
    """
    if schema:
        atomic_write(run / SCHEMA_FILE, schema + "\n")
    atomic_write(run / PROVENANCE_FILE, json.dumps(record, indent=2) + "\n")
    atomic_write(run / RECIPE_FILE, recipe)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # as opencv-python where its headless twin stands in
        return None


def fingerprint(faces: list[FaceAnnotation]) -> str:
    """A SHA-256 of the names, labels and image files, in the order of the list."""
    digest = hashlib.sha256()
    for face in faces:
        if isinstance(face.image, TarMember):  # which is checked whenever it is read
            image_hash = bytes.fromhex(face.image.sha256)
        else:
            image_hash = hashlib.sha256(face.image.read_bytes()).digest()
        digest.update(_labels(face) + image_hash)
    return digest.hexdigest()


def label_digest(faces: list[FaceAnnotation]) -> str:
    """A SHA-256 of the names and labels, in the order of the list."""
    digest = hashlib.sha256()
    for face in faces:
        digest.update(_labels(face))
    return digest.hexdigest()


def _labels(face: FaceAnnotation) -> bytes:
    pupils = b"" if face.pupils is None else face.pupils.tobytes()
    return utf8(face.name) + face.points.tobytes() + pupils


def _git_revision() -> str | None:
    """The revision of the checkout, followed by ``-dirty`` where files differ."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    folder = Path(__file__).parent
    try:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None


def check_same_faces(run: Path, split: Split) -> None:
    """Refuse to go on with other faces than those that a run began with.

    Raises:
        TrainingError: Labels, images or the schema have changed.
    """
    before = json.loads((run / PROVENANCE_FILE).read_text()).get("fingerprint", {})
    parts = {"training": ("train", split.train), "validation": ("validation", split.validation)}
    changed = [
        f"{what} faces"
        for what, (key, faces) in parts.items()
        if key in before and before[key] != fingerprint(faces)
    ]
    schema = run / SCHEMA_FILE
    if schema.exists() and KeypointSchema.from_json(schema.read_text()) != split.schema:
        changed.append("schema")
    if changed:
        raise TrainingError(
            f"the {' and '.join(changed)} changed since the run began; put labels and images back, "
            "or train anew with another --out"
        )


def tell_processes(run: Path, count: int) -> None:
    """Say that a run goes on with another number of processes than it began with."""
    before = json.loads((run / PROVENANCE_FILE).read_text()).get("processes", 1)
    if before != count:
        LOG.warning(
            "%s began with %d process%s and goes on with %d: by the same recipe, but not to the "
            "same bits as without the change",
            *(run, before, "es" * (before != 1), count),
        )


def weights_provenance(run: Path, sources: Sequence[str], terms: str) -> dict[str, Any]:
    """What a weight file of a run tells of its making: sources, terms, hashes of data and recipe.

    Args:
        run: Folder of the run.
        sources: Its data sets.
        terms: The license of the weights.
    """
    record = json.loads((run / PROVENANCE_FILE).read_text())
    synthetic = record["data"].startswith("synthetic:")
    return {
        "sources": [record["data"]] if synthetic else list(sources),
        "terms": {"code": CODE_LICENSE, "weights": terms},
        "faces": record.get("faces"),
        "data_sha256": record.get("fingerprint"),
        "recipe_sha256": hashlib.sha256((run / RECIPE_FILE).read_bytes()).hexdigest(),
        "git": record.get("git"),
        "versions": record.get("versions"),
    }


def archive_metrics(metrics: Path) -> list[Path]:
    """Rename the metrics of a run's earlier part, which the logger would overwrite.

    Returns:
        All earlier parts, oldest first.
    """
    parts = sorted(metrics.parent.glob("metrics.*.part.csv"))
    if metrics.exists():
        parts.append(metrics.rename(metrics.with_name(f"metrics.{len(parts):04d}.part.csv")))
    return parts


def _whole_rows(metrics: Path) -> list[dict[str, str]]:
    """The rows of a log that tell their step; the last may be cut, where a process was killed."""
    text = metrics.read_text(encoding="utf-8", errors="replace")
    lines = [line.split(",") for line in text[: text.rfind("\n") + 1].splitlines()]
    rows = [dict(zip(lines[0], line, strict=False)) for line in lines[1:]]
    return [row for row in rows if row.get("step", "").isdecimal()]


def merge_metrics(parts: Sequence[Path], metrics: Path) -> None:
    """Prepend the earlier parts to the last one; of each, only steps before the next part's first.

    Args:
        parts: Files of :func:`archive_metrics`, oldest first; they are removed.
        metrics: The last part, replaced by the merged rows; there is none if no epoch was left.
    """
    if not parts:
        return
    merged: list[dict[str, str]] = []
    for part in [*parts, metrics] if metrics.exists() else parts:
        if rows := _whole_rows(part):
            start = min(int(row["step"]) for row in rows)
            merged = [row for row in merged if int(row["step"]) < start] + rows
    text = StringIO()
    columns = dict.fromkeys(name for row in merged for name in row)
    writer = csv.DictWriter(text, list(columns), restval="")
    writer.writeheader()
    writer.writerows(merged)
    atomic_write(metrics, text.getvalue())
    for part in parts:
        part.unlink()
