"""What face detectors share: the protocol, and the step from a detector's box to the tight box
around the keypoints.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.errors import PointsError
from facedots.geometry import Floats, Image, check_boxes, check_shape, tight_boxes, upright_square
from facedots.spec import Predictor
from facedots.types import Keypoints, check_image


@dataclass(frozen=True)
class Detections:
    """The faces that a detector found in one image, best first.

    Attributes:
        boxes: ``float32 (N, 4)``, tight boxes around where the keypoints are expected, ``x0 y0 x1
            y1`` in pixels.
        scores: ``float32 (N,)`` in [0, 1], the detector's confidence that this is a face.
        squares: ``float32 (N, 4)``, where the detector measures the tilt of a face: the square
            around where the keypoints are expected, tilted with the face, as center x, center y,
            side in pixels and roll in degrees (positive: clockwise as seen); NaN where unknown. A
            predictor crops by it instead of by the box.

    Raises:
        ShapeError: The arrays have other shapes.
        PointsError: A score is not a number.

    Example:
        >>> box, score = np.array([[10, 20, 50, 60]], np.float32), np.ones(1, np.float32)
        >>> len(Detections(box, score, squares=np.array([[30, 40, 44, -15]], np.float32)))
        1
    """

    boxes: Floats
    scores: Floats
    squares: Floats | None = None

    def __post_init__(self) -> None:
        count = len(check_shape(self.boxes, "N 4", "boxes"))
        scores = check_shape(self.scores, str(count), "scores")
        if self.squares is not None:
            check_shape(self.squares, f"{count} 4", "squares")
        if not np.isfinite(scores).all():
            raise PointsError("a detector's score is not a number")

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, rows: "slice | NDArray[np.intp]") -> "Detections":
        """Some of the faces, in the order of the rows."""
        squares = None if self.squares is None else self.squares[rows]
        return Detections(self.boxes[rows], self.scores[rows], squares)


def checked_count(max_faces: int | None) -> int | None:
    """The number of faces at most, which is at least 1.

    Raises:
        ValueError: It is not.
    """
    if max_faces is not None and max_faces < 1:
        raise ValueError(f"max_faces={max_faces}: at least 1, or None for all")
    return max_faces


def square_boxes(squares: Floats) -> Floats:
    """Boxes ``float32 (N, 4)`` of the centers and sides of tilted squares (N, 4), upright.

    >>> square_boxes(np.array([[5, 10, 20, 30]], np.float32)).tolist()
    [[-5.0, 0.0, 15.0, 20.0]]
    """
    half = squares[:, 2:3] / 2
    return np.concatenate([squares[:, :2] - half, squares[:, :2] + half], axis=1)


@dataclass(frozen=True)
class SearchRange:
    """What a detector looks for in an image.

    Attributes:
        smallest: Longer side of the tight box of the smallest face, in pixels.
        max_roll: Degrees by which a head may be tilted to either side.
        kind: The faces that the detector is made for.

    Example:
        >>> str(SearchRange(32, 45))
        'faces from 32 pixels, tilted by up to 45°'
    """

    smallest: float = 0.0
    max_roll: float = 180.0
    kind: str = "faces"

    def __str__(self) -> str:
        size = f" from {math.ceil(self.smallest)} pixels" if self.smallest else ""
        tilt = "at any angle" if self.max_roll >= 180 else f"tilted by up to {self.max_roll:.0f}°"
        return f"{self.kind}{size}, {tilt}"

    def omissions(self, smallest: float) -> str:
        """What was not looked for of all faces down to a size, in words; ``""`` for nothing.

        >>> SearchRange(125).omissions(24)
        'faces below 125 pixels were not looked for'
        """
        parts = []
        if self.kind != "faces":
            parts.append(f"only {self.kind} were looked for")
        if self.smallest > smallest:
            parts.append(f"faces below {math.ceil(self.smallest)} pixels were not looked for")
        if self.max_roll < 180 and self.kind == "faces":
            parts.append(f"heads tilted by more than {self.max_roll:.0f}° were not looked for")
        return ", ".join(parts)


class Detector(Protocol):
    """Finds the faces in an image: ``detector(image) -> Detections``, best first.

    Example:
        >>> detector: Detector = PrecomputedBoxes([[10, 20, 30, 40]])
        >>> len(detector(np.zeros((50, 50, 3), np.uint8)))
        1
    """

    def __call__(self, image: Image) -> Detections:
        """The faces in an RGB image ``uint8 (H, W, 3)``; none found is an empty result."""
        ...

    def search_range(self, width: int, height: int) -> SearchRange:
        """What is looked for in an image of this size; by default all faces."""
        return SearchRange()

    def accepts(self, found: Floats, keypoints: Keypoints) -> NDArray[np.bool_]:
        """Which of N faces hold, by the detector's scores ``(N,)`` and their keypoints; by default
        all.
        """
        return np.ones(len(found), bool)


def predict_accepted(
    image: Image, found: Detections, detector: Detector, predictor: Predictor, most: int | None
) -> tuple[Keypoints, Detections, NDArray[np.intp]]:
    """The best of the faces that a detector found and, with their keypoints, accepts.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        found: What the detector found in it.
        detector: Which found them.
        predictor: Finds their keypoints.
        most: The number of faces at most; all for ``None``.

    Returns:
        The keypoints and detections of those looked at, and the rows of the accepted ones therein.
    """
    count = most = len(found) if most is None else most
    while True:  # The detector may take back some of the best: then more are looked at.
        best = found[:count]
        keypoints = predictor.predict(image, best.boxes, best.squares)
        rows = np.flatnonzero(detector.accepts(best.scores, keypoints))
        if count >= len(found) or len(rows) >= most:
            return keypoints, best, rows[:most]
        count *= 2


@dataclass(frozen=True)
class Adjustment:
    """How the tight box around the keypoints lies relative to a detector's box.

    Each edge moves by a fraction of the side of the detector's box (left, right: of its width; top,
    bottom: of its height); positive is to the right and down.

    Example:
        >>> Adjustment(left=-0.1, top=0.25, right=0.1, bottom=0.0).tight([[0, 0, 10, 20]]).tolist()
        [[-1.0, 5.0, 11.0, 20.0]]
    """

    left: float
    top: float
    right: float
    bottom: float

    def tight(self, boxes: ArrayLike) -> Floats:
        """The tight boxes ``float32 (N, 4)`` for a detector's boxes (N, 4)."""
        detected = check_shape(boxes, "N 4", "boxes").astype(np.float64)
        sides = np.tile(detected[:, 2:] - detected[:, :2], 2)
        moved = detected + sides * (self.left, self.top, self.right, self.bottom)
        return np.asarray(moved, np.float32)

    @classmethod
    def between(cls, detected: ArrayLike, tight: ArrayLike) -> "Adjustment":
        """The adjustment from detected boxes (N, 4) to tight boxes (N, 4): the median of the pairs.

        >>> Adjustment.between([[0, 0, 10, 20]], [[-1, 5, 11, 20]])
        Adjustment(left=-0.1, top=0.25, right=0.1, bottom=0.0)
        """
        start = check_shape(detected, "N 4", "detected").astype(np.float64)
        sides = np.tile(start[:, 2:] - start[:, :2], 2)
        moves = (np.asarray(tight, np.float64) - start) / sides
        return cls(*np.median(moves, axis=0).tolist())


class PrecomputedBoxes(Detector):
    """A detector that returns fixed boxes: from labels, another program, or a person.

    Args:
        boxes: Tight boxes around the keypoints (N, 4), ``x0 y0 x1 y1`` in pixels, any two opposite
            corners.

    Raises:
        ShapeError: Not (N, 4).
        ValueError: A box is not finite or has no area.

    Example:
        >>> PrecomputedBoxes([[30, 40, 10, 20]])(np.zeros((50, 50, 3), np.uint8)).boxes.tolist()
        [[10.0, 20.0, 30.0, 40.0]]
    """

    def __init__(self, boxes: ArrayLike) -> None:
        self._boxes = check_boxes(boxes)

    def __call__(self, image: Image) -> Detections:
        """The boxes in their order, each with score 1."""
        check_image(image)
        return Detections(self._boxes.copy(), np.ones(len(self._boxes), np.float32))


class SingleObjectDetector(Detector):
    """Finds the one object of an image by means of its keypoints.

    The first box is the middle of the image, each next one the tight box around the points
    predicted in the box before. There is always a box, whether the image shows the object or not:
    the network's score and sigma tell. The network must have been trained on boxes that are far off
    (``jitter`` of ``recipes/custom.yaml``), and the object must fill a good part of the image.

    Args:
        predictor: The network that will also predict the points.
        share: Side of the first box over the shorter side of the image.
        refine: Number of predictions before the box is taken.

    Example:
        >>> predictor = KeypointPredictor("runs/hands/model.onnx")  # doctest: +SKIP
        >>> pipeline = Pipeline(SingleObjectDetector(predictor), predictor)  # doctest: +SKIP
    """

    def __init__(self, predictor: Predictor, share: float = 0.8, refine: int = 3) -> None:
        self.predictor, self.share, self.refine = predictor, share, refine

    def __call__(self, image: Image) -> Detections:
        """One box, with score 1."""
        height, width = check_image(image).shape[:2]
        middle, half = np.array([width - 1, height - 1]) / 2, self.share * min(height, width) / 2
        box = np.concatenate([middle - half, middle + half])[None].astype(np.float32)
        squares = np.full((1, 4), np.nan, np.float32)
        for _ in range(self.refine):
            points = self.predictor.predict(image, box).points
            around = tight_boxes(points)
            if not (around[:, 2:] > around[:, :2]).all():  # of a network that knows nothing yet
                break
            box = around
            squares[0] = upright_square(points[0], self.predictor.spec.schema.right_to_left)
        return Detections(box, np.ones(1, np.float32), squares)
