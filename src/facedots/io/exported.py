"""What the exports of annotation tools have in common: pictures with the faces that people put on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedots.errors import AnnotationError, ImageError
from facedots.geometry import Matrix
from facedots.io.annotations import Annotation, Origin
from facedots.io.orientation import stored_points
from facedots.io.picture_names import PictureFinder
from facedots.schema import KeypointSchema

TOOL_ORIGIN: Origin = (0.5, 0.5)
"""What annotation tools on a canvas call the centre of the top-left pixel: their (0, 0) is the picture's corner."""


@dataclass(frozen=True, eq=False)
class ExportedPicture:
    """The faces of one picture, as an export has them.

    Attributes:
        where: How messages call the entry, as in ``"image 3"``.
        reference: What the tool calls the picture.
        faces: Each ``float64 (K, 2)``, in pixels of the picture as it is seen, in the tool's coordinates; NaN where missing.
    """

    where: str
    reference: str
    faces: Sequence[Matrix]


def point_index(label: str, schema: KeypointSchema) -> int | None:
    """Which point of the schema a label means: by its name, or by its number from 1, as CVAT calls points by itself.

    >>> from facedots.schema import IBUG68
    >>> point_index("right_eye_0", IBUG68), point_index("37", IBUG68), point_index("tail", IBUG68)
    (36, 36, None)
    """
    if label in schema.names:
        return schema.names.index(label)
    return int(label) - 1 if label.isdecimal() and 0 < int(label) <= schema.count else None


def annotations_of(
    source: object, pictures: Sequence[ExportedPicture], faults: Sequence[str], root_dir: str | Path, origin: Origin
) -> list[Annotation]:
    """The faces of an export, with points in pixels of the stored pictures; faces without any point are passed over.

    Names are paths below ``root_dir``, with ``#1``, ``#2``, … where several faces share a picture; the group is the path.

    Args:
        source: The file that errors name.
        pictures: What it holds.
        faults: What is wrong with it besides.
        root_dir: Folder in which the pictures are looked for, see :class:`~facedots.io.picture_names.PictureFinder`.
        origin: The coordinates that the file gives to the centre of the top-left pixel; they are subtracted.

    Raises:
        AnnotationError: With all faults; also where pictures are not there, or stand in two entries.
    """
    finder, wrong = PictureFinder(root_dir), list(faults)
    first: dict[Path, str] = {}
    annotations: list[Annotation] = []
    for entry in pictures:
        faces = [face for face in entry.faces if np.isfinite(face).any()]
        if not faces:
            continue
        try:
            path = finder.find(entry.reference)
            points = stored_points(np.asarray(np.stack(faces) - np.asarray(origin), np.float32), path)
        except ImageError as error:
            wrong.append(f"{entry.where}: {error}")
            continue
        if path in first:
            wrong.append(f"{entry.where}: {path} stands in {first[path]} already; export one of the two")
        first.setdefault(path, entry.where)
        name = path.relative_to(finder.root).as_posix()
        marks = [f"#{i + 1}" for i in range(len(faces))] if len(faces) > 1 else [""]
        annotations += [Annotation(path, face, name + mark, name) for face, mark in zip(points, marks, strict=True)]
    if not annotations and not wrong:
        wrong.append(f"no face in {len(pictures)} pictures")
    if wrong:
        raise AnnotationError(source, wrong)
    return annotations
