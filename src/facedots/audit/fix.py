"""``--fix``: correct what is certain in a copy of the labels, and list each change.

Certain are a wrong order of points, and a face that is labeled twice in files of the same bytes. An
outlier may still be right, so it is dropped only on request.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.csv_table import annotations_csv
from facedots.audit.audit import AGAINST, Audit
from facedots.geometry import Matrix, box_iou, tight_boxes
from facedots.io.files import atomic_write

SAME_FACE_IOU = 0.5
"""IoU above which the boxes of two labels of one image belong to the same face."""


@dataclass(frozen=True)
class Change:
    """Change of one face.

    Attributes:
        subset: Its subset.
        name: The face, as the annotations name it.
        image: Its file.
        action: ``"corrected"`` or ``"dropped"``.
        reason: A few words.
        order: For a corrected face: new point ``i`` is old point ``order[i]``.
        mirrored: The points were mirrored before: x became the image's width - 1 - x.

    Example:
        >>> Change("train", "a.png", "faces/a.png", "dropped", "an odd shape").action
        'dropped'
    """

    subset: str
    name: str
    image: str
    action: Literal["corrected", "dropped"]
    reason: str
    order: tuple[int, ...] | None = None
    mirrored: bool = False


def plan_changes(audit: Audit, drop_suspicious: bool = False) -> dict[int, Change]:
    """Changes by index of the face.

    Args:
        audit: The audit.
        drop_suspicious: Drop outliers, too, unless they are corrected.
    """
    changes: dict[int, Change] = {}
    repeated = _repeated_faces(audit)
    for i, face in enumerate(audit.faces):
        location = (audit.subset_of[i], face.name, str(face.image))
        permutation, kind = audit.permutations[i], audit.label_outliers.kinds[i]
        if i in repeated:
            changes[i] = Change(*location, "dropped", repeated[i])
        elif permutation:
            order, mirrored = permutation.order, permutation.mirrored
            changes[i] = Change(*location, "corrected", permutation.name, order, mirrored)
        elif kind and drop_suspicious:
            changes[i] = Change(*location, "dropped", f"suspicious: {kind}")
    return changes


def write_clean(audit: Audit, changes: Mapping[int, Change], folder: str | Path) -> list[Path]:
    """Write a cleaned CSV per subset, and ``changes.json``, into a folder.

    The CSVs name images relative to the folders that ``changes.json`` lists. Coordinates are pixels
    to two decimals; (0, 0) is the center of the top-left pixel, whatever the source counted from.

    Returns:
        The files.

    Raises:
        OutputError: The folder cannot be written.
    """
    root = Path(folder)
    dropped = {i for i, change in changes.items() if change.action == "dropped"}
    written: list[Path] = []
    image_folders: dict[str, str] = {}
    for subset in audit.subsets:
        kept = [
            replace(face, points=audit.ordered[i].astype(np.float32))
            for i, face in enumerate(audit.faces)
            if audit.subset_of[i] == subset and i not in dropped
        ]
        images = Path(os.path.commonpath([face.image.parent for face in kept] or [root]))
        image_folders[subset] = str(images)
        rows = [replace(face, name=_name_in(images, face)) for face in kept]
        written.append(root / f"{subset.replace('/', '-')}.csv")
        atomic_write(written[-1], annotations_csv(rows, audit.schema))
    counts = Counter(change.action for change in changes.values())
    content = {
        "corrected": counts["corrected"],
        "dropped": counts["dropped"],
        "images": image_folders,
        "changes": [_to_json(change) for change in changes.values()],
    }
    written.append(root / "changes.json")
    atomic_write(written[-1], json.dumps(content, indent=1) + "\n")
    return written


def _name_in(folder: Path, face: FaceAnnotation) -> str:
    """The face by its image's path below a folder, with the ``#2`` that its name may end in."""
    mark = face.name.rpartition(face.image.name)[2]
    return face.image.relative_to(folder).as_posix() + mark


def _repeated_faces(audit: Audit) -> dict[int, str]:
    """Faces that are labeled again in a file of the same bytes, and where the remaining one is.

    Within a subset the first remains. Across subsets that of the later one, the test, remains; data
    that are only compared with always do.
    """
    faces_of: defaultdict[tuple[str, Path], list[int]] = defaultdict(list)
    for i, face in enumerate(audit.faces):
        faces_of[audit.subset_of[i], face.image].append(i)
    rank = {subset: i for i, subset in enumerate(audit.subsets)}
    repeated: dict[int, str] = {}
    for pair in audit.equal_files:
        # A stable sort: of one subset, the first file remains.
        kept, lost = sorted(
            (audit.images[i] for i in pair), key=lambda image: -rank.get(image.subset, len(rank))
        )
        remaining = faces_of[kept.subset, kept.file.path]
        for i in faces_of[lost.subset, lost.file.path]:
            if kept.subset.startswith(AGAINST) or any(
                _same_face(audit.labels[i], audit.labels[j]) for j in remaining
            ):
                repeated[i] = f"the same file as {kept.name}"
    return repeated


def _same_face(first: Matrix, second: Matrix) -> bool:
    return bool(box_iou(tight_boxes(first[None]), tight_boxes(second[None]))[0, 0] > SAME_FACE_IOU)


def _to_json(change: Change) -> dict[str, Any]:
    fields = asdict(change)
    if change.order is None:
        del fields["order"], fields["mirrored"]
    return fields
