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
from facedots.uncertainty import sigma_of


def check_image(image: object) -> NDArray[np.uint8]:
    """The image itself, once it is RGB, ``uint8 (H, W, 3)`` with at least one pixel.

    Raises:
        ShapeError: It is anything else; the message says how to convert what is known.
    """
    if not isinstance(image, np.ndarray):
        raise ShapeError(
            f"an image is a NumPy array, not {type(image).__name__}; facedots.read_image(path) gives one"
        )
    if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and image.size:
        return image
    fix = ""
    if image.dtype != np.uint8:
        fix = "; scale it to 0–255 and convert it with .astype(np.uint8)"
    elif image.ndim == 2 or image.shape[2:] == (1,):
        fix = "; cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) converts gray"
    elif image.shape[2:] == (4,):
        fix = "; image[:, :, :3] drops the alpha channel"
    raise ShapeError(f"an image is RGB uint8 (H, W, 3), not {image.dtype} {image.shape}{fix}")


@dataclass(frozen=True)
class Detections:
    """The faces that a detector found in one image, best first.

    Attributes:
        boxes: ``float32 (N, 4)``, tight boxes around where the keypoints are expected, ``x0 y0 x1
            y1`` in pixels.
        scores: ``float32 (N,)`` in [0, 1], the detector's own belief that this is a face.
    """

    boxes: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class Keypoints:
    """The keypoints of N faces in one image.

    Attributes:
        points: ``float32 (N, K, 2)``, (x, y) in pixels of the image.
        covariance: ``float32 (N, K, 2, 2)``, of the error of a point, in square pixels; NaN where
            the network gives none.
        confidence: ``float32 (N, K)`` in [0, 1], the probability that a point is within 5 % of the
            eye distance of where people put it; NaN where the network gives no covariance.
        score: ``float32 (N,)`` in [0, 1], the network's belief that it was shown a face, and shown
            it well; NaN if it has none.
        schema: What the K points mean.
    """

    points: Floats
    covariance: Floats
    confidence: Floats
    score: Floats
    schema: KeypointSchema

    def __len__(self) -> int:
        return len(self.points)

    @property
    def sigma(self) -> Floats:
        """``float32 (N, K)``: one standard deviation of a point along an axis, in pixels, the mean
        over directions.
        """
        return sigma_of(self.covariance)

    def faces(self, boxes: Floats, detection_scores: Floats | None = None) -> "list[Face]":
        """Each row as a :class:`Face`.

        Args:
            boxes: The predictor's input, ``float32 (N, 4)``.
            detection_scores: ``float32 (N,)``; they stand in for missing scores of the network.
        """
        scores = self.score
        if detection_scores is not None:
            scores = np.where(np.isnan(scores), detection_scores, scores)
        return [
            Face(
                points=self.points[i],
                covariance=self.covariance[i],
                confidence=self.confidence[i],
                box=boxes[i],
                score=float(scores[i]),
                schema=self.schema,
                detection_score=None if detection_scores is None else float(detection_scores[i]),
            )
            for i in range(len(self))
        ]


@dataclass(frozen=True)
class HeadPose:
    """Where a head is and how it is turned, seen from the camera.

    Attributes:
        yaw: Degrees; positive where the subject turns to their own left, which is the right of the
            image.
        pitch: Degrees; positive where the subject looks up.
        roll: Degrees; positive where the head is tilted clockwise as seen in the image.
        translation: ``float32 (3,)``, from the camera to the middle of the eyes: x right, y down, z
            ahead, in eye distances.
        reprojection_error: Root mean square distance between the points and the model's projection,
            in eye distances.
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
    """One face in one image.

    Attributes:
        points: ``float32 (K, 2)``, (x, y) in pixels of the image; (0, 0) is the center of its
            top-left pixel.
        covariance: ``float32 (K, 2, 2)``, of the error of a point, in square pixels; NaN where the
            network gives none.
        confidence: ``float32 (K,)`` in [0, 1], the probability that a point is within 5 % of the
            eye distance of where people put it; NaN where the network gives no covariance.
        box: ``float32 (4,)``, the box that the network was given, ``x0 y0 x1 y1`` in pixels.
        score: The belief in [0, 1] that this is a face, and that the points are its own: the
            network's where it has one, else the detector's.
        schema: What the K points mean.
        detection_score: The detector's belief in [0, 1]; ``None`` where none was asked.
        track_id: The same number for the same face from frame to frame of a video; ``None`` in a
            single image.
        pose: Where the head is and how it is turned, where somebody measured it.
        signals: Expression signals by name, where somebody measured them.
    """

    points: Floats
    covariance: Floats
    confidence: Floats
    box: Floats
    score: float
    schema: KeypointSchema
    detection_score: float | None = None
    track_id: int | None = None
    pose: HeadPose | None = None
    signals: Mapping[str, float] | None = None

    @property
    def sigma(self) -> Floats:
        """``float32 (K,)``: one standard deviation of a point along an axis, in pixels, the mean
        over directions.
        """
        return sigma_of(self.covariance)

    def region(self, name: str) -> Floats:
        """The points ``(n, 2)`` of one region of the schema, as in ``face.region("left_eye")``."""
        return self.points[list(self.schema.regions[name])]

    def mask(self, name: str, size: tuple[int, int]) -> Mask:
        """The pixels of a region, ``bool (H, W)``, as in ``face.mask("left_eye",
        image.shape[:2])``.

        Raises:
            PointsError: No region is called so (see :func:`~facedots.regions.region_names`), or a
                point of it is missing.
        """
        return region_mask(self.points, name, size, self.schema)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, ready for JSON.

        ``covariance`` has ``[xx, xy, yy]`` for each point. Where the network gives none, it,
        ``sigma`` and ``confidence`` are ``None``. ``detection_score``, ``track_id``, ``pose`` and
        ``signals`` are there only where somebody found them out; an unknown signal is ``None``.
        """
        known = not np.isnan(self.covariance).all()
        fields: dict[str, Any] = {
            "score": round(float(self.score), 4),
            "box": _rounded(self.box),
            "points": _rounded(self.points),
            "sigma": _rounded(self.sigma) if known else None,
            "covariance": _rounded(self.covariance[:, [0, 0, 1], [0, 1, 1]], 4) if known else None,
            "confidence": _rounded(self.confidence, 4) if known else None,
            "schema": self.schema.name,
        }
        if self.detection_score is not None:
            fields["detection_score"] = round(float(self.detection_score), 4)
        if self.track_id is not None:
            fields["track_id"] = self.track_id
        if self.pose is not None:
            fields["pose"] = self.pose.to_dict()
        if self.signals is not None:
            fields["signals"] = {
                name: round(float(value), 4) if math.isfinite(value) else None
                for name, value in self.signals.items()
            }
        return fields


def _rounded(array: Floats, digits: int = 2) -> list[Any]:
    """Nested lists with so many decimals, hundredths of a pixel, without float32's tail of digits."""
    values: list[Any] = np.asarray(array, np.float64).round(digits).tolist()
    return values
