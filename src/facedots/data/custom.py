"""Somebody's own data: annotations of any schema in a CSV, a COCO file, ``.pts`` files, or a folder
with several of these.

What a file is for is told from its name: a part called *test* is the exam, one called *val* chooses
the checkpoint, the rest is to learn from. Where no file is called so, whole groups (images, photos)
are held out, by a hash of their names, so that the same faces are held out on every machine and
each time.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.load import ReadOptions, find_schema, load_annotations
from facedots.data.sources import CUSTOM
from facedots.errors import DataError
from facedots.geometry import tight_boxes
from facedots.schema import KeypointSchema

Roles = dict[str, list[FaceAnnotation]]
"""``"train"``, ``"val"`` and ``"test"`` -> faces."""


def custom_faces(
    data: str | Path, schema: KeypointSchema | None = None
) -> tuple[Roles, KeypointSchema]:
    """The faces that a path stands for by what their files are for, and what their points mean.

    Faces without two labeled points that span a box are left out: no crop can be laid around them.
    Groups begin with ``custom/``; where the annotations know no group, each image is one.

    Args:
        data: A path, see :func:`facedots.annotations.load.load_annotations`.
        schema: What the points mean; None for what the data say, see
            :func:`facedots.annotations.load.find_schema`.

    Raises:
        DataError: There is nothing to read, nothing to learn from, or nothing says what the points
            are.
        AnnotationError: A file has faults.
    """
    meaning = find_schema(data) if schema is None else schema
    parts = load_annotations(data, ReadOptions(schema=meaning))
    roles: Roles = {"train": [], "val": [], "test": []}
    for part, faces in parts.items():
        prefix = f"{part}/" if len(parts) > 1 else ""
        roles[role_of(part)].extend(_usable(faces, prefix))
    if not roles["train"]:
        raise DataError(
            f"{data}: nothing to learn from: {', '.join(parts)} hold {sum(map(len, parts.values()))} faces"
        )
    return roles, meaning


def role_of(part: str) -> str:
    """What a part is for, by its name: ``"train"``, ``"val"`` or ``"test"``.

    >>> [role_of(name) for name in ("person_keypoints_val2017", "test", "cats", "contest_2")]
    ['val', 'test', 'train', 'train']
    """
    match = re.search(r"(?<![a-z])(?:(test)|val|valid|validation)(?![a-z])", part.lower())
    return "train" if match is None else match[1] or "val"


def _usable(faces: list[FaceAnnotation], prefix: str) -> Iterator[FaceAnnotation]:
    for face in faces:
        box = tight_boxes(face.points[None])[0]
        if np.isfinite(box).all() and (box[2:] > box[:2]).any():
            yield replace(
                face, name=prefix + face.name, group=f"{CUSTOM}/{face.group or face.name}"
            )
