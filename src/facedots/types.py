"""What the parts of facedots hand each other. Frozen; units stand with each field."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedots.errors import ShapeError
from facedots.geometry import Floats
from facedots.regions import Mask, region_mask
from facedots.schema import KeypointSchema


def check_image(image: object) -> NDArray[np.uint8]:
    """The picture itself, once it is RGB, ``uint8 (H, W, 3)`` with at least one pixel.

    Raises:
        ShapeError: It is anything else; the message says how to convert what is known.
    """
    if not isinstance(image, np.ndarray):
        raise ShapeError(f"a picture is a NumPy array, not {type(image).__name__}; facedots.read_image(path) gives one")
    if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and image.size:
        return image
    fix = ""
    if image.dtype != np.uint8:
        fix = "; scale it to 0–255 and convert it with .astype(np.uint8)"
    elif image.ndim == 2 or image.shape[2:] == (1,):
        fix = "; cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) converts grey"
    elif image.shape[2:] == (4,):
        fix = "; image[:, :, :3] drops the alpha channel"
    raise ShapeError(f"a picture is RGB uint8 (H, W, 3), not {image.dtype} {image.shape}{fix}")


@dataclass(frozen=True)
class Detections:
    """The faces that a detector found in one picture, best first.

    Attributes:
        boxes: ``float32 (N, 4)``, tight boxes around where the keypoints are expected, ``x0 y0 x1 y1`` in pixels.
        scores: ``float32 (N,)`` in [0, 1], the detector's own belief that this is a face.
    """

    boxes: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class Keypoints:
    """The keypoints of N faces in one picture.

    Attributes:
        points: ``float32 (N, K, 2)``, (x, y) in pixels of the picture.
        sigma: ``float32 (N, K)``, one standard deviation of a point along each axis, in pixels; NaN where the network gives none.
        schema: What the K points mean.
    """

    points: Floats
    sigma: Floats
    schema: KeypointSchema

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True)
class HeadPose:
    """Where a head is and how it is turned, seen from the camera.

    Attributes:
        yaw: Degrees; positive where the subject turns to their own left, which is the right of the picture.
        pitch: Degrees; positive where the subject looks up.
        roll: Degrees; positive where the head is tilted clockwise as seen in the picture.
        translation: ``float32 (3,)``, from the camera to the middle of the eyes: x right, y down, z ahead, in eye distances.
        reprojection_error: Root mean square distance between the points and the model's projection, in eye distances.
    """

    yaw: float
    pitch: float
    roll: float
    translation: Floats
    reprojection_error: float

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, ready for JSON."""
        return {
            "yaw": round(float(self.yaw), 2),
            "pitch": round(float(self.pitch), 2),
            "roll": round(float(self.roll), 2),
            "translation": [round(float(value), 4) for value in self.translation],
            "reprojection_error": round(float(self.reprojection_error), 4),
        }


@dataclass(frozen=True)
class Face:
    """One face in one picture.

    Attributes:
        points: ``float32 (K, 2)``, (x, y) in pixels of the picture; (0, 0) is the centre of its top-left pixel.
        sigma: ``float32 (K,)``, one standard deviation of a point, in pixels; NaN where the network gives none.
        box: ``float32 (4,)``, the box that the network was given, ``x0 y0 x1 y1`` in pixels.
        score: The detector's belief in [0, 1] that this is a face.
        schema: What the K points mean.
        track_id: The same number for the same face from frame to frame of a video; ``None`` in a single picture.
        pose: Where the head is and how it is turned, where somebody measured it.
        signals: Expression signals by name, where somebody measured them.
    """

    points: Floats
    sigma: Floats
    box: Floats
    score: float
    schema: KeypointSchema
    track_id: int | None = None
    pose: HeadPose | None = None
    signals: Mapping[str, float] | None = None

    def region(self, name: str) -> Floats:
        """The points ``(n, 2)`` of one region of the schema, as in ``face.region("left_eye")``."""
        return self.points[list(self.schema.regions[name])]

    def mask(self, name: str, size: tuple[int, int]) -> Mask:
        """The pixels of a region, ``bool (H, W)``, as in ``face.mask("left_eye", image.shape[:2])``.

        Raises:
            PointsError: No region is called so (see :func:`~facedots.regions.region_names`), or a point of it is missing.
        """
        return region_mask(self.points, name, size, self.schema)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, ready for JSON; an unknown sigma is ``None``.

        ``track_id``, ``pose`` and ``signals`` are there only where somebody found them out; an unknown signal is ``None``.
        """
        fields: dict[str, Any] = {
            "score": round(float(self.score), 4),
            "box": _rounded(self.box),
            "points": _rounded(self.points),
            "sigma": None if np.isnan(self.sigma).all() else _rounded(self.sigma),
            "schema": self.schema.name,
        }
        if self.track_id is not None:
            fields["track_id"] = self.track_id
        if self.pose is not None:
            fields["pose"] = self.pose.to_dict()
        if self.signals is not None:
            known = {name: math.isfinite(value) for name, value in self.signals.items()}
            fields["signals"] = {name: round(float(value), 4) if known[name] else None for name, value in self.signals.items()}
        return fields


def _rounded(array: Floats) -> list[Any]:
    """Nested lists with hundredths of a pixel, without float32's tail of digits."""
    values: list[Any] = np.asarray(array, np.float64).round(2).tolist()
    return values
