"""Where a run comes from: its data, command, revision, machine and versions."""

import hashlib
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from facedots.annotations.base import FaceAnnotation
from facedots.data.splits import Split
from facedots.io.text import utf8

PACKAGES = ("facedots", "torch", "pytorch-lightning", "numpy", "opencv-python", "onnx")


def provenance(data: str, split: Split) -> dict[str, Any]:
    """Data, versions, machine and revision of a run, ready for JSON."""
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    held = ("train", "validation")
    return {
        "data": data if data.startswith("synthetic:") else str(Path(data).resolve()),
        "faces": {name: len(faces) for name, faces in parts.items()},
        "fingerprint": {name: fingerprint(parts[name]) for name in held},
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "git": _git_revision(),
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {package: version(package) for package in PACKAGES},
    }


def fingerprint(faces: list[FaceAnnotation]) -> str:
    """A sha256 of the names, points and image files, in the order of the list."""
    digest = hashlib.sha256()
    for face in faces:
        image_hash = hashlib.sha256(face.image.read_bytes()).digest()
        digest.update(utf8(face.name) + face.points.tobytes() + image_hash)
    return digest.hexdigest()


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
