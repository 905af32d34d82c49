"""Checkpoints of a run: written whole or not at all, with a hash, and refused where damaged.

The hash is a sha256 of the file without it, kept as the comment of the zip archive that
``torch.save`` writes; other programs read the file as ever.
"""

import contextlib
import hashlib
import re
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from facedots.errors import WeightsError
from facedots.io.files import atomic_write

CHECKPOINTS = "checkpoints"
_END, _END_LENGTH = b"PK\5\6", 22  # of a zip archive, without its comment
_HASH = re.compile(rb"sha256 ([0-9a-f]{64})")
_HASH_LENGTH = len("sha256 ") + 64


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints with a hash, written whole or not at all, whenever the process is killed."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write under another name, then rename.

        Raises:
            OutputError: The disk is full, or the folder cannot be written.
        """
        buffer = BytesIO()
        torch.save(checkpoint, buffer)
        atomic_write(path, with_hash(buffer.getvalue()))


def best_and_last(run: Path, monitor: str, mode: Literal["min", "max"]) -> list[ModelCheckpoint]:
    """What writes ``best.ckpt``, by a value that validation logs, and after every epoch
    ``last.ckpt``: of one callback with ``save_last``, Lightning 2.6 writes it with the best alone.
    """
    folder = run / CHECKPOINTS
    best = ModelCheckpoint(folder, "best", monitor, mode=mode, enable_version_counter=False)
    last = ModelCheckpoint(
        folder, "last", enable_version_counter=False, save_on_train_epoch_end=True
    )
    return [best, last]


def with_hash(archive: bytes) -> bytes:
    """A zip archive without a comment -> one whose comment is its hash."""
    body = archive[:-2]  # the last two bytes are the length of the comment
    comment = b"sha256 " + hashlib.sha256(body).hexdigest().encode()
    return body + len(comment).to_bytes(2, "little") + comment


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU.

    Raises:
        WeightsError: It cannot be read, or is damaged: empty, cut, or not the bytes of its hash.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error
    if not data:
        raise WeightsError(f"{path}: damaged: the file is empty")
    if not data.startswith(_END, -_END_LENGTH):  # an archive without a comment is an older one
        match = _HASH.fullmatch(data[-_HASH_LENGTH:])
        digest = hashlib.sha256(memoryview(data)[: -_HASH_LENGTH - 2]).hexdigest().encode()
        if match is None or match[1] != digest:
            raise WeightsError(f"{path}: damaged: its bytes are not the ones of its hash")
    try:
        content = torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch's errors on damaged files have no narrower common base
        raise WeightsError(f"{path}: damaged, cut, or not a checkpoint") from error
    if not isinstance(content, dict) or "state_dict" not in content:
        raise WeightsError(f"{path}: not a checkpoint of a training")
    return content


def last_checkpoint(run: Path) -> Path | None:
    """The checkpoint that a resumed run goes on from: the last, else the best one, else none.

    Raises:
        WeightsError: It is damaged; the message names the other one where that is whole.
    """
    last, best = (run / CHECKPOINTS / f"{name}.ckpt" for name in ("last", "best"))
    found = next((path for path in (last, best) if path.exists()), None)
    if found is None:
        return None
    try:
        read_checkpoint(found)
    except WeightsError as error:
        advice = "delete it and train again from the start with the same --resume"
        if found == last and (epoch := _epoch(best)) is not None:
            advice = (
                f"delete it, and `facedots train --resume {run}` goes on from {best}, "
                f"saved after epoch {epoch}"
            )
        raise WeightsError(f"{error}; {advice}") from error
    return found


def whole_checkpoint(run: Path, name: str) -> dict[str, Any]:
    """What the checkpoint ``best`` or ``last`` of a run holds.

    Raises:
        WeightsError: It is damaged; the message names the other one where that is whole.
    """
    other = "last" if name == "best" else "best"
    try:
        return read_checkpoint(run / CHECKPOINTS / f"{name}.ckpt")
    except WeightsError as error:
        if (epoch := _epoch(run / CHECKPOINTS / f"{other}.ckpt")) is None:
            raise WeightsError(f"{error}; train again") from error
        command = f"facedots export {run} --checkpoint {other} --out FILE"
        raise WeightsError(
            f"{error}; `{command}` takes {other}.ckpt, saved after epoch {epoch}"
        ) from error


def remove_partial_files(run: Path) -> None:
    """Remove what a killed process left of checkpoints it was writing."""
    for path in (run / CHECKPOINTS).glob(".*.part.ckpt"):
        with contextlib.suppress(OSError):
            path.unlink()


def _epoch(path: Path) -> int | None:
    """The number of epochs that a checkpoint has seen; None where there is no whole one."""
    try:
        return int(read_checkpoint(path).get("epoch", 0)) + 1
    except WeightsError:
        return None
