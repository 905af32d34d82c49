"""labelme's JSON files: one per image, its points by name."""

from collections import defaultdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from facedots.annotations.base import AnnotationFile, FaceAnnotation, Origin, read_json
from facedots.annotations.exports import TOOL_ORIGIN, ExportedImage, annotations_of
from facedots.annotations.schemas import SCHEMA_HINT, named_schema, numbered_labels, point_order
from facedots.errors import AnnotationError, DataError
from facedots.geometry import Matrix
from facedots.schema import IBUG68, KeypointSchema


class LabelmeFolder(AnnotationFile):
    """All of labelme's JSON files in a folder, or one of them.

    The points of an image are one face, or one per ``group_id``; their labels are the schema's
    names in any order, or numbers. A point that is absent is missing (NaN). Boxes and polygons are
    skipped. For names and groups see :func:`~facedots.annotations.exports.annotations_of`.

    Args:
        path: The folder, or a file.

    Example:
        >>> faces = LabelmeFolder("labels").faces()  # doctest: +SKIP
    """

    origin: ClassVar[Origin] = TOOL_ORIGIN

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        files = sorted(self.path.glob("*.json")) if self.path.is_dir() else [self.path]
        self._images = [_Image(file) for file in files]
        labels = [label for image in self._images for face in image.faces for label in face]
        self._labels = list(dict.fromkeys(labels))

    @property
    def image_folder(self) -> Path:
        """The folder, or that of the file."""
        return self.path if self.path.is_dir() else self.path.parent

    def schema(self) -> KeypointSchema:
        """The schema of the labels; IBUG68 for its names, or for 68 numbers.

        Raises:
            DataError: The labels are numbers, or do not tell which point mirrors which.
        """
        names = tuple(self._labels)
        if len(names) == IBUG68.count:
            return IBUG68
        if len(names) < 2 or numbered_labels(names, len(names)):
            what = f"its {len(names)} points have no names"
            raise DataError(f"{self.path}: {what}; {SCHEMA_HINT}")
        faces = [face for image in self._images for face in image.faces]
        shape = [[face.get(name, (np.nan, np.nan)) for name in names] for face in faces]
        return named_schema(self.path.stem, names, shape, (), self.path)

    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        faults = [fault for image in self._images for fault in image.faults]
        try:
            order = point_order(self._labels, schema)
        except DataError as error:
            raise AnnotationError(self.path, [str(error), *faults]) from error
        names = [self._labels[i] for i in order]
        exported = [
            ExportedImage(image.name, image.reference, faces, image.size)
            for image in self._images
            for faces in [[_points(face, names) for face in image.faces]]
        ]
        return annotations_of(self.path, exported, faults, images, origin, notes=self._notes)


class _Image:
    """The content of one file: the image's name and size, and faces as label -> (x, y)."""

    def __init__(self, file: Path) -> None:
        self.name, self.reference, self.faults = file.name, "", list[str]()
        self.size: tuple[float, float] | None = None
        self.faces: list[dict[str, tuple[float, float]]] = []
        content: Any = read_json(file, "labelme")
        faces: defaultdict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
        try:
            self.reference = str(content["imagePath"])
            width, height = content.get("imageWidth"), content.get("imageHeight")
            self.size = (float(width), float(height)) if width and height else None
            for shape in content["shapes"]:
                if shape.get("shape_type", "point") != "point":
                    continue
                label, ((x, y),) = str(shape["label"]), shape["points"]
                face = faces[str(shape.get("group_id"))]
                if label in face:
                    hint = "give the points of each face a group id of their own"
                    self.faults.append(f"{file.name}: {label!r} is there twice; {hint}")
                face[label] = float(x), float(y)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            self.faults.append(f"{file.name}: not a file of labelme: {error!r}")
        self.faces = list(faces.values())


def _points(face: dict[str, tuple[float, float]], names: list[str]) -> Matrix:
    return np.array([face.get(name, (np.nan, np.nan)) for name in names], np.float64)
