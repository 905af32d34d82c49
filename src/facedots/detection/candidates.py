"""What a network takes for faces: boxes and five points, the squares from them, each face once."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facedots.geometry import Floats, Matrix, apply_affine, box_iou, check_shape, fit_similarity

TEMPLATE = np.array(
    [[-0.21, -0.309], [0.21, -0.309], [0.0, -0.073], [-0.174, 0.129], [0.174, 0.129]]
)
"""Where the five points lie, on average, in a square of side 1 about (0, 0)."""

SQUARE_FIT = np.array(
    [
        [0.477, -0.585, 0.477, 0.585, -1.6, 0.0, 0.323, 0.979, 0.323, -0.979],
        [0.595, -0.065, -0.595, -0.065, 0.0, -0.22, -0.67, 0.175, 0.67, 0.175],
        [-0.677, -0.647, 0.677, -0.647, 0.0, -0.151, -0.289, 0.722, 0.289, 0.722],
    ]
)
"""Center x, center y and side of the square, linear in the coordinates x0 y0 x1 y1 … of the
upright points about their mean; of tools/fit_five_points.py: docs/experiments.md, Detection.
"""

_AGREEING = (0.3, 0.5, 50.0)
"""Shift in sides, log zoom, and degrees between box and points on one face."""
_LEVEL = 8.0
"""Degrees up to which a tilt is no more than the points' error."""
_SAME_FACE_IOU, _SAME_FACE_NEAR, _CUT_INSIDE = 0.4, 0.5, 0.5


@dataclass(frozen=True)
class Candidates:
    """What a network takes for faces.

    Attributes:
        boxes: ``float32 (N, 4)``, tight boxes.
        scores: ``float32 (N,)`` in [0, 1].
        points: ``float32 (N, 5, 2)``: right and left eye, nose tip, right and left corner of the
            mouth; NaN where the network does not predict them.
        turns: ``float32 (N,)``, degrees by which the view was turned from the image.
        spare: ``bool (N,)``: gives way to any other box on the same face.
    """

    boxes: Floats
    scores: Floats
    points: Floats
    turns: Floats
    spare: NDArray[np.bool_]

    @classmethod
    def of(cls, boxes: Matrix | Floats, scores: Floats, points: Matrix | Floats) -> "Candidates":
        """Of arrays of any float type, in a view as it is."""
        single, turns = np.float32, np.zeros(len(scores), np.float32)
        arrays = boxes.astype(single), scores.astype(single), points.astype(single), turns
        return cls(*arrays, np.zeros(len(scores), bool))

    @classmethod
    def joined(cls, parts: list["Candidates"]) -> "Candidates":
        """All of them, one part after the other."""
        nothing = cls.of(np.zeros((0, 4)), np.zeros(0, np.float32), np.zeros((0, 5, 2)))
        arrays = (vars(one).values() for one in [nothing, *parts])
        return cls(*map(np.concatenate, zip(*arrays, strict=True)))

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(
        self, rows: NDArray[np.bool_] | NDArray[np.intp] | list[int] | slice
    ) -> "Candidates":
        return Candidates(*(array[rows] for array in vars(self).values()))

    def giving_way(self, rows: NDArray[np.bool_]) -> "Candidates":
        """The same, with these rows spare as well."""
        return replace(self, spare=self.spare | rows)

    @property
    def sides(self) -> Floats:
        """The longer side of each box."""
        return np.asarray((self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1, initial=0))

    @property
    def centers(self) -> Floats:
        """``float32 (N, 2)``."""
        return np.asarray((self.boxes[:, :2] + self.boxes[:, 2:]) / 2)

    def mapped(self, matrix: Matrix) -> "Candidates":
        """Under an affine map; a box becomes the one around the ellipse in it."""
        centers = apply_affine(matrix, self.centers)
        halves = (self.boxes[:, 2:] - self.boxes[:, :2]) / 2
        halves = np.sqrt(halves**2 @ (matrix[:, :2] ** 2).T)
        boxes = np.concatenate([centers - halves, centers + halves], axis=1).astype(np.float32)
        turn = np.float32(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
        points = apply_affine(matrix, self.points)
        return replace(self, boxes=boxes, points=points, turns=self.turns + turn)

    def squares(self) -> Floats:
        """The squares ``float32 (N, 4)`` of :class:`~facedots.detection.base.Detections`: the box's
        where the points are level in the view, else between the box's and the points'; NaN where
        these do not agree on one face.
        """
        squares = upright_squares(self.points)
        tilts = (squares[:, 3] - self.turns + 180) % 360 - 180
        box_squares = np.column_stack([self.centers, self.sides, self.turns])
        shifts = np.abs(squares - box_squares)[:, :2].max(axis=1, initial=0) / self.sides
        zooms = np.log(squares[:, 2].clip(min=1e-6) / self.sides)
        off = np.abs(np.column_stack([shifts, zooms, tilts])) >= _AGREEING
        level = np.abs(tilts) < _LEVEL
        squares[:, :3] = (squares + box_squares)[:, :3] / 2
        squares[level] = box_squares[level]
        squares[off.any(axis=1) | np.isnan(tilts)] = np.nan
        return squares


def upright_squares(points: Floats) -> Floats:
    """The squares ``float32 (N, 4)`` of :class:`~facedots.detection.base.Detections` from the eyes,
    nose tip and corners of the mouth ``(N, 5, 2)``, right before left; NaN where a point is
    missing.
    """
    upright, rotations, roll = upright_points(points)
    offsets = upright.reshape(-1, 10) @ SQUARE_FIT.T
    centers = points.mean(axis=1) + (offsets[:, None, :2] @ rotations)[:, 0]
    return np.column_stack([centers, offsets[:, 2], roll]).astype(np.float32)


def upright_points(points: Floats) -> tuple[Matrix, Matrix, Matrix]:
    """Five points ``(N, 5, 2)`` about their mean, rotated upright; the rotations ``(N, 2, 2)``; the
    roll ``(N,)`` in degrees.
    """
    five = check_shape(points, "N 5 2", "points").astype(np.float64)
    linear = fit_similarity(five, TEMPLATE)[:, :, :2]
    rotations = linear / np.hypot(linear[:, :1, :1], linear[:, 1:, :1])
    roll = -np.degrees(np.arctan2(rotations[:, 1, 0], rotations[:, 0, 0]))
    upright = (five - five.mean(axis=1, keepdims=True)) @ rotations.swapaxes(1, 2)
    return upright, rotations, roll


def shares_inside(boxes: Floats, others: Floats) -> Floats:
    """The share of each box (N, 4) that lies in each of the others (M, 4): ``(N, M)``."""
    overlaps = box_iou(boxes, others)
    areas, other_areas = ((b[:, 2:] - b[:, :2]).prod(axis=1) for b in (boxes, others))
    shared = overlaps * (areas[:, None] + other_areas) / (1 + overlaps)
    return np.asarray(shared / np.maximum(areas[:, None], 1e-6))


def first_of_alike(alike: NDArray[np.bool_], order: NDArray[np.intp]) -> list[int]:
    """The rows, in this order, that are ``alike`` (N, N) to none of those before that stay."""
    kept: list[int] = []
    for i in order.tolist():
        if not alike[i, kept].any():
            kept.append(i)
    return kept


def distinct(found: Candidates) -> Candidates:
    """Each face once, best first; a spare box gives way to any other on the same face."""
    shares = shares_inside(found.boxes, found.boxes)
    same = _on_same_face(found) | (found.spare[:, None] & (shares > _CUT_INSIDE))
    kept = first_of_alike(same, np.lexsort((-found.scores, found.spare)))
    return found[sorted(kept, key=lambda i: -float(found.scores[i]))]


def completed(found: Candidates, others: Candidates) -> Candidates:
    """Distinct faces, and of others those that lie on none of them, best first."""
    both = Candidates.joined([found, others])
    kept = first_of_alike(_on_same_face(both), np.arange(len(both)))
    return both[sorted(kept, key=lambda i: -float(both.scores[i]))]


def _on_same_face(found: Candidates) -> NDArray[np.bool_]:
    """Which boxes lie on the same face: ``(N, N)``."""
    apart = np.linalg.norm(found.centers[:, None] - found.centers, axis=2)
    near = apart < _SAME_FACE_NEAR * np.minimum(found.sides[:, None], found.sides)
    return np.asarray((box_iou(found.boxes, found.boxes) > _SAME_FACE_IOU) | near)
