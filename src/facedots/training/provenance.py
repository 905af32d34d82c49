"""Where a run came from: versions, machine, git revision and the fingerprint of its data."""

import hashlib
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

from facedots.annotations.base import FaceAnnotation
from facedots.data.splits import Split

PACKAGES = ("facedots", "torch", "pytorch-lightning", "numpy", "opencv-python", "onnx")


def provenance(data: str, split: Split) -> dict[str, Any]:
    """What to keep beside a recipe so that a run can be repeated and its result believed. Ready for
    JSON.
    """
    return {
        "data": data if data.startswith("synthetic:") else str(Path(data).resolve()),
        "faces": {
            "train": len(split.train),
            "validation": len(split.validation),
            "test": len(split.test),
        },
        "fingerprint": {
            "train": fingerprint(split.train),
            "validation": fingerprint(split.validation),
        },
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "git": _git_revision(),
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {package: version(package) for package in PACKAGES},
    }


def fingerprint(faces: list[FaceAnnotation]) -> str:
    """A sha256 over names, points and the bytes of all images, in the order of the list."""
    digest = hashlib.sha256()
    for face in faces:
        image_hash = hashlib.sha256(face.image.read_bytes()).digest()
        digest.update(b"".join(chain([face.name.encode(), face.points.tobytes(), image_hash])))
    return digest.hexdigest()


def _git_revision() -> str | None:
    """The checkout's revision, with ``-dirty`` behind it where files differ; ``None`` outside a
    checkout.
    """
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() or None
