"""Labeled faces, and what the readers of every format have in common."""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from facedots.errors import AnnotationError
from facedots.geometry import Floats, Matrix
from facedots.io.guard import protect
from facedots.schema import IBUG68, KeypointSchema

Origin = tuple[float, float]
"""The coordinates (x, y) that a file gives to the center of the top-left pixel."""


@dataclass(frozen=True, eq=False)
class FaceAnnotation:
    """One labeled face. Two are equal only if they are the same object.

    Attributes:
        image: The image's file.
        points: ``float32 (K, 2)``, (x, y) in pixels of the stored image; (0, 0) is the center of
            its top-left pixel. A missing point is NaN.
        name: Identifies the face within its data set, as in ``"training/Luis_Fonsi_21.jpg"``.
        group: What a split must keep on one side: the person or the photo; ``""`` where unknown.
        label_bias_x: Constant horizontal offset of the labels from the features, in pixels to the
            right.
        label_style: The data set whose way of labeling the points follow; ``""`` where unknown.

    Example:
        >>> face = FaceAnnotation(Path("a.jpg"), np.zeros((68, 2), np.float32), "a.jpg")
        >>> face.points.shape, face.group
        ((68, 2), '')
    """

    image: Path
    points: Floats
    name: str
    group: str = ""
    label_bias_x: float = 0.0
    label_style: str = ""


class AnnotationFile(ABC):
    """A file with labeled faces, parsed once when it is opened.

    Args:
        path: The file; for ``.pts`` files, their folder.

    Raises:
        AnnotationError: It cannot be read or parsed.
    """

    origin: ClassVar[Origin] = (0.0, 0.0)
    """What files of this format usually call the center of the top-left pixel."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        protect([self.path])

    @property
    def image_folder(self) -> Path:
        """Where the images are unless the user names another folder."""
        return self.path.parent

    def schema(self) -> KeypointSchema:
        """What the points mean; IBUG68 for formats that do not name points.

        Raises:
            DataError: The file does not name its points; the message says what to write.
        """
        return IBUG68

    def faces(
        self,
        images: Path | None = None,
        schema: KeypointSchema = IBUG68,
        origin: Origin | None = None,
    ) -> list[FaceAnnotation]:
        """The labeled faces, in the file's order.

        Args:
            images: Folder that the names of images are relative to; None for the usual place.
            schema: What the points mean.
            origin: Subtracted from the file's coordinates; None for the usual one of the format.

        Raises:
            AnnotationError: With all faults of the file at once.
        """
        faces = self._faces(images or self.image_folder, schema, origin or self.origin)
        protect({face.image for face in faces})
        return faces

    @abstractmethod
    def _faces(self, images: Path, schema: KeypointSchema, origin: Origin) -> list[FaceAnnotation]:
        """As :meth:`faces`."""


def to_pixels(points: Matrix, origin: Origin) -> Floats:
    """A file's coordinates as pixels whose (0, 0) is the center of the top-left pixel."""
    return np.asarray(points - np.asarray(origin), np.float32)


def read_json(path: Path, contents: str) -> Any:
    """The content of a JSON file; ``contents`` names in errors what it should hold.

    Raises:
        AnnotationError: It cannot be read or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AnnotationError(path, [f"cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise AnnotationError(path, [f"not a JSON file of {contents}: {error}"]) from error
