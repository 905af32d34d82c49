"""300-W's ``.pts`` files."""

import re
from pathlib import Path

import numpy as np

from facedots.annotations.base import FaceAnnotation, Origin, _pixels
from facedots.annotations.csv_points import number_faults
from facedots.errors import AnnotationError
from facedots.geometry import Matrix
from facedots.io.images import SUFFIXES
from facedots.schema import IBUG68, KeypointSchema


def read_pts(
    folder: str | Path, schema: KeypointSchema = IBUG68, origin: Origin = (1.0, 1.0)
) -> list[FaceAnnotation]:
    """Faces from all ``.pts`` files in a folder and below it, each with the image of the same name
    beside it.

    Args:
        folder: Searched to any depth; names are relative to it.
        schema: Its K says how many points a file holds.
        origin: The coordinates that the files give to the center of the top-left pixel; 300-W's are
            1-based.

    Returns:
        One annotation a file, sorted by name; the group is the photo, see :func:`photo_id`.

    Raises:
        AnnotationError: With the faults of all files, by file and line.
    """
    root = Path(folder)
    found = sorted(root.rglob("*"))
    images = {path.with_suffix(""): path for path in found if path.suffix.lower() in SUFFIXES}
    files = [path for path in found if path.suffix == ".pts"]
    faults: list[str] = [] if files else ["no .pts file in this folder"]
    annotations: list[FaceAnnotation] = []
    for file in files:
        points, wrong = _pts_points(file, schema.count)
        image = images.get(file.with_suffix(""))
        if image is None:
            wrong = [*wrong, "no image of the same name beside it"]
        faults += [f"{file.relative_to(root)}: {fault}" for fault in wrong]
        if points is not None and image is not None:
            name = image.relative_to(root).as_posix()
            annotations.append(FaceAnnotation(image, _pixels(points, origin), name, photo_id(name)))
    if faults:
        raise AnnotationError(root, faults)
    return annotations


def photo_id(name: str) -> str:
    """The photo that a 300-W face was cut from, which may hold several: ``<photo>_<face>`` where
    the photo ends in a digit.

    >>> photo_id("afw/111076519_2.jpg"), photo_id("lfpw/trainset/image_0226.jpg")
    ('afw/111076519', 'lfpw/trainset/image_0226')
    """
    return re.sub(r"(?<=\d)_[1-9]\d?$", "", Path(name).with_suffix("").as_posix())


def _pts_points(file: Path, count: int) -> tuple[Matrix | None, list[str]]:
    """The coordinates (K, 2) as the file has them, or None and what is wrong with the file."""
    try:
        lines = [
            (number, line.split())
            for number, line in enumerate(file.read_text().splitlines(), start=1)
            if line.strip()
        ]
    except (OSError, UnicodeDecodeError) as error:
        return None, [f"cannot be read as text: {error}"]
    braces = [i for i, (_, words) in enumerate(lines) if words in (["{"], ["}"])]
    if len(braces) != 2 or lines[braces[0]][1] != ["{"]:
        return None, [
            "not a .pts file: a header, then the points between { and } on lines of their own"
        ]
    body = lines[braces[0] + 1 : braces[1]]
    faults = [] if len(body) == count else [f"{count} points expected, found {len(body)}"]
    for number, words in body:
        wrong = (
            number_faults(words, "place", 1)
            if len(words) == 2
            else [f"two numbers expected, found {len(words)}"]
        )
        faults += [f"line {number}: {fault}" for fault in wrong]
    return (None, faults) if faults else (np.asarray([words for _, words in body], np.float64), [])
