"""What the parts of facedots hand each other: frozen values with their shapes and units."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedots.errors import PointsError, ShapeError
from facedots.geometry import Floats, tight_boxes
from facedots.head import Gaze, HeadPose
from facedots.regions import Mask, region_mask
from facedots.schema import KeypointSchema
from facedots.uncertainty import sigma_of

VISIBLE = 0.5
"""Probability from which on a point counts as not hidden."""


def check_image(image: object) -> NDArray[np.uint8]:
    """The image, after it has been checked to be RGB ``uint8 (H, W, 3)`` with at least one pixel.

    Raises:
        ShapeError: It is not; the message names the conversion where there is one.
    """
    if not isinstance(image, np.ndarray):
        fault = f"an image is a NumPy array, not {type(image).__name__}"
        raise ShapeError(f"{fault}; facedots.read_image(path) gives one")
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
class Keypoints:
    """The keypoints of N faces in one image.

    Attributes:
        points: ``float32 (N, K, 2)``, (x, y) in pixels of the image.
        covariance: ``float32 (N, K, 2, 2)`` of a point's error, in square pixels; NaN where the
            network predicts none.
        confidence: ``float32 (N, K)`` in [0, 1], the probability that a point is within 5 % of the
            eye distance of its label; NaN where the covariance is.
        score: ``float32 (N,)`` in [0, 1], the network's confidence that the crop shows a face, well
            placed; NaN where it predicts none.
        schema: Meaning of the K points.
        visibility: ``float32 (N, K)`` in [0, 1], the probability that a point is not hidden; as the
            next ones, ``None`` where the network predicts none.
        pupils: ``float32 (N, 2, 2)``, pixels, the subject's right one first.
        pupils_covariance: ``float32 (N, 2, 2, 2)``, as ``covariance``.

    Example:
        >>> keypoints = KeypointPredictor().predict(image, boxes)  # doctest: +SKIP
        >>> keypoints.points[0, 30], keypoints.sigma[0, 30]  # doctest: +SKIP
    """

    points: Floats
    covariance: Floats
    confidence: Floats
    score: Floats
    schema: KeypointSchema
    visibility: Floats | None = None
    pupils: Floats | None = None
    pupils_covariance: Floats | None = None

    def __len__(self) -> int:
        return len(self.points)

    @property
    def sigma(self) -> Floats:
        """``float32 (N, K)``: standard deviation of a point in pixels, averaged over directions."""
        return sigma_of(self.covariance)

    def faces(self, boxes: Floats, detection_scores: Floats | None = None) -> "list[Face]":
        """Each row as a :class:`Face`, with its box ``float32 (N, 4)`` and the detector's score
        ``float32 (N,)``, which stands in for a missing one of the network.
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
                visibility=_row(self.visibility, i),
                pupils=_row(self.pupils, i),
                pupils_covariance=_row(self.pupils_covariance, i),
            )
            for i in range(len(self))
        ]


@dataclass(frozen=True)
class Face:
    """One face in one image.

    Attributes:
        points: ``float32 (K, 2)``, (x, y) in pixels of the image; (0, 0) is the center of its
            top-left pixel.
        covariance: ``float32 (K, 2, 2)`` of a point's error, in square pixels; NaN where the
            network predicts none.
        confidence: ``float32 (K,)`` in [0, 1], the probability that a point is within 5 % of the
            eye distance of its label; NaN where the covariance is.
        box: ``float32 (4,)``, the detected box, ``x0 y0 x1 y1`` in pixels.
        score: Confidence in [0, 1] that this is a face and the points lie on it: the network's,
            else the detector's.
        schema: Meaning of the K points.
        detection_score: The detector's confidence in [0, 1]; ``None`` without a detector.
        track_id: Constant for a face from frame to frame of a video; ``None`` in a single image.
        pose: Head pose, where measured.
        signals: Expression signals by name, where measured.
        emotions: Probability of each emotion by name, where measured; their sum is 1.
        visibility: ``float32 (K,)`` in [0, 1], the probability that a point is not hidden; as the
            next ones, ``None`` where the network predicts none.
        pupils: ``float32 (2, 2)``, pixels, the subject's right one first.
        pupils_covariance: ``float32 (2, 2, 2)``, as ``covariance``.
        gaze: Where the eyes look, where measured and seen.

    Example:
        >>> (face,) = Pipeline()(read_image("portrait.jpg"))  # doctest: +SKIP
        >>> face.region("left_eye"), face.sigma.mean()  # doctest: +SKIP
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
    emotions: Mapping[str, float] | None = None
    visibility: Floats | None = None
    pupils: Floats | None = None
    pupils_covariance: Floats | None = None
    gaze: Gaze | None = None

    @property
    def sigma(self) -> Floats:
        """``float32 (K,)``: standard deviation of a point in pixels, averaged over directions."""
        return sigma_of(self.covariance)

    @property
    def hidden(self) -> Mask:
        """``bool (K,)``: the points that are likely hidden; none where no network tells."""
        if self.visibility is None:
            return np.zeros(len(self.points), bool)
        return self.visibility < VISIBLE

    @property
    def uncertainty(self) -> float:
        """The mean sigma of the points in percent of the longer side of their tight box.

        Infinite where the network gives no sigma. How well it finds errors: docs/annotating.md.
        """
        if not np.isfinite(self.sigma).any():
            return math.inf
        left, top, right, bottom = tight_boxes(self.points[None])[0]
        return 100 * float(np.nanmean(self.sigma) / max(right - left, bottom - top, 1e-6))

    def region(self, name: str) -> Floats:
        """The points ``(n, 2)`` of one region of the schema, as in ``face.region("left_eye")``.

        Raises:
            PointsError: There is no such region.
        """
        if name not in self.schema.regions:
            names = ", ".join(self.schema.regions)
            raise PointsError(f"no region is called {name!r}; there are {names}")
        return self.points[list(self.schema.regions[name])]

    def mask(self, name: str, size: tuple[int, int]) -> Mask:
        """The pixels of a region, ``bool (H, W)``, as in ``face.mask("left_eye",
        image.shape[:2])``.

        Raises:
            PointsError: There is no such region (see :func:`~facedots.regions.region_names`), or a
                point of it is missing.
        """
        return region_mask(self.points, name, size, self.schema)

    def to_dict(self) -> dict[str, Any]:
        """The face of the results document (docs/results.md): plain numbers and lists for JSON.

        What is missing is ``None``. ``covariance`` has ``[xx, xy, yy]`` per point.
        What comes after ``schema`` is left out where not measured.
        """
        has_covariance = not np.isnan(self.covariance).all()
        fields: dict[str, Any] = {
            "score": round(float(self.score), 4),
            "box": _rounded(self.box),
            "points": _rounded(self.points),
            "sigma": _rounded(self.sigma) if has_covariance else None,
            "covariance": _upper(self.covariance) if has_covariance else None,
            "confidence": _rounded(self.confidence, 4) if has_covariance else None,
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
        if self.emotions is not None:
            fields["emotions"] = {name: round(value, 4) for name, value in self.emotions.items()}
        if self.visibility is not None:
            fields["visibility"] = _rounded(self.visibility, 4)
        if self.pupils is not None:
            fields["pupils"] = _rounded(self.pupils)
        if self.pupils_covariance is not None:
            fields["pupils_covariance"] = _upper(self.pupils_covariance)
        if self.gaze is not None:
            fields["gaze"] = self.gaze.to_dict()
        return fields


@dataclass(frozen=True)
class ImageResult:
    """The faces of one image.

    Attributes:
        source: The path or URL of the image.
        width: In pixels.
        height: In pixels.
        faces: Best first; empty where none was found.
        drawing: The image that was written of it, if any.

    Example:
        >>> ImageResult("empty.jpg", 640, 480, []).faces
        []
    """

    source: str
    width: int
    height: int
    faces: Sequence[Face]
    drawing: Path | None = None

    @property
    def uncertainty(self) -> float:
        """The uncertainty of the worst face; infinite where no face was found."""
        return max((face.uncertainty for face in self.faces), default=math.inf)


def _row(array: Floats | None, row: int) -> Floats | None:
    return None if array is None else array[row]


def _upper(covariance: Floats) -> list[Any]:
    """``[xx, xy, yy]`` of each covariance ``(n, 2, 2)``."""
    return _rounded(covariance[:, [0, 0, 1], [0, 1, 1]], 4)


def _rounded(array: Floats, digits: int = 2) -> list[Any]:
    """Nested lists of numbers with this many decimals; ``None`` for a row that is not finite."""
    rows = np.asarray(array, np.float64).round(digits)
    finite = np.atleast_1d(np.isfinite(rows).reshape(len(rows), -1).all(axis=1))
    return [row if known else None for row, known in zip(rows.tolist(), finite, strict=True)]
