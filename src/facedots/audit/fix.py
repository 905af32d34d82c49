"""``--fix``: correct what is certain in a copy of the labels, and list each change.

Certain are a wrong order of points, and a face that is labeled twice in files of the same bytes.
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
from facedots.errors import DataError
from facedots.geometry import box_iou, tight_boxes
from facedots.io.files import atomic_write
from facedots.io.tar_files import ImagePlace

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
    """Changes by index of the face; ``drop_suspicious`` drops outliers, too, unless they are
    corrected.
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
    """Write a cleaned CSV per subset, and ``changes.json``, into a folder; the files written.

    The CSVs name images relative to the folders that ``changes.json`` lists. Coordinates are pixels
    to two decimals; (0, 0) is the center of the top-left pixel, whatever the source counted from.

    Raises:
        DataError: The images are in a pack.
        OutputError: The folder cannot be written.
    """
    root = Path(folder)
    counts = Counter(change.action for change in changes.values())
    dropped = {i for i, change in changes.items() if change.action == "dropped"}
    contents: dict[Path, str] = {}
    image_folders: dict[str, str] = {}
    for subset in audit.subsets:
        kept = [
            _in_order(audit, i)
            for i in range(len(audit.faces))
            if audit.subset_of[i] == subset and i not in dropped
        ]
        folders = [str(face.image.parent) for face in kept if isinstance(face.image, Path)]
        images = Path(os.path.commonpath(folders or [str(root)]))
        image_folders[subset] = str(images)
        rows = [replace(face, name=_name_in(images, face)) for face in kept]
        contents[root / f"{subset.replace('/', '-')}.csv"] = annotations_csv(rows, audit.schema)
    summary = {
        "corrected": counts["corrected"],
        "dropped": counts["dropped"],
        "images": image_folders,
        "changes": [_to_json(change) for change in changes.values()],
    }
    contents[root / "changes.json"] = json.dumps(summary, indent=1) + "\n"
    for path, content in contents.items():
        atomic_write(path, content)
    return list(contents)


def _name_in(folder: Path, face: FaceAnnotation) -> str:
    """The face by its image's path below a folder, with the ``#2`` that its name may end in."""
    if not isinstance(face.image, Path):
        raise DataError(
            f"{face.image}: a CSV cannot name images of a pack; `facedots data unpack` it, "
            "and fix the folder"
        )
    mark = face.name.rpartition(face.image.name)[2]
    return face.image.relative_to(folder).as_posix() + mark


def _repeated_faces(audit: Audit) -> dict[int, str]:
    """Faces that are labeled again in a file of the same bytes, and where the remaining one is: the
    first of a subset, that of the later subset (the test), or that of data only compared with.
    """
    faces_of: defaultdict[tuple[str, ImagePlace], list[int]] = defaultdict(list)
    for i, face in enumerate(audit.faces):
        faces_of[audit.subset_of[i], face.image].append(i)
    rank = {subset: i for i, subset in enumerate(audit.subsets)}
    repeated: dict[int, str] = {}
    for pair in audit.equal_files:
        images = [audit.images[i] for i in pair]
        kept, lost = sorted(images, key=lambda image: -rank.get(image.subset, len(rank)))
        boxes = tight_boxes(audit.labels[faces_of[kept.subset, kept.file.path]])
        for i in faces_of[lost.subset, lost.file.path]:
            overlaps = box_iou(tight_boxes(audit.labels[i, None]), boxes)
            if kept.subset.startswith(AGAINST) or (overlaps > SAME_FACE_IOU).any():
                repeated[i] = f"the same file as {kept.name}"
    return repeated


def _to_json(change: Change) -> dict[str, Any]:
    fields = asdict(change)
    if change.order is None:
        del fields["order"], fields["mirrored"]
    return fields


def _in_order(audit: Audit, i: int) -> FaceAnnotation:
    """The label of a face with its points, and what is known of each, in the right order."""
    face, permutation = audit.faces[i], audit.permutations[i]
    visible = face.visible
    if permutation and visible is not None:
        visible = visible[list(permutation.order)]
    return replace(face, points=audit.ordered[i].astype(np.float32), visible=visible)
