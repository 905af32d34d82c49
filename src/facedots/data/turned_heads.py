"""Heads turned in depth: large poses from the faces of everyday photos, in image and labels.

After 3D face profiling (Zhu et al., Face Alignment Across Large Poses, CVPR 2016), without a mesh:
seen from afar, a turn about an axis in the image plane moves pixels across that axis only. So each
line across it is a profile of the head's heights, turned by itself.

A *frame* lies on a face as it is seen: its unit is the distance of the outer eye corners, its
origin lies between them, t points down along the axis, and s is where the face turns to. Arrays
over it are sampled at :data:`COLUMNS` and :data:`ROWS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from facedots.analysis.pose import angles
from facedots.analysis.shapes import HEAD_MODEL
from facedots.data.dataset import Randomized, Sample
from facedots.geometry import Floats, Image, Matrix, apply_affine, compose, invert
from facedots.schema import IBUG68, KeypointSchema

_HALF, _FINE, _COARSE = 2.1, 0.035, 0.0875
COLUMNS: Matrix = np.linspace(-_HALF, _HALF, 121)
ROWS: Matrix = np.linspace(-_HALF, _HALF, 49)[:, None]
_CELLS: Matrix = np.array([[_FINE, 0, -_HALF], [0, _COARSE, -_HALF]])  # indices -> places

AXIS_DEPTH = float(HEAD_MODEL[8, 2])
"""The head turns about an axis through the chin, so that the neck stays where it is."""

RELIEF_POINTS = (8, *range(17, 68))
"""The points that say how a head lies: the jaw's slide along the outline of a turned head."""

MAX_MISFIT = 0.065
"""RMS distance of :data:`RELIEF_POINTS` from the head model, in outer-eye distances, above which a
face is left alone.
"""

LEFT_JAW, RIGHT_JAW = range(16, 7, -1), range(9)
"""From the ear to the chin."""

EAR, SURROUNDINGS = 0.15, 1.0
"""Width of what the head hides beside its far outline, and of the surroundings that bend."""

HIDDEN_BY = 0.02
"""How far behind the outline a point is hidden."""

# fmt: off
_RIGHT_SKULL = [
    (-350, -450, -180), (-620, -400, 50), (-400, -750, -80), (-650, -700, 200), (-400, -1000, 80),
    (-650, -950, 350), (-450, -1200, 500), (-750, -850, 650), (-850, -400, 600), (-880, 0, 650),
    (-880, 300, 650), (-830, 650, 600), (-480, 300, -60), (-620, 250, 100), (-560, 600, 120),
    (-1100, -500, 950), (-1100, 300, 950), (-950, 1000, 800), (-500, 1400, 350), (-700, 1900, 500),
]
_MIDDLE_SKULL = [(0, -450, -270), (0, -750, -200), (0, -1000, -50), (0, -1300, 450),
                 (0, 1500, 250), (0, 1900, 400)]
# fmt: on
"""Where :data:`HEAD_MODEL` has no points: forehead, hair, ears, cheeks, neck; laid out by hand."""


@dataclass
class TurnHead(Randomized):
    """Turn some heads farther in depth, with probability ``p``, by yaw and a little pitch.

    Points that the head then hides become 0 in ``'visible'``, those of the jaw slide to the visible
    outline, where people label them. A face is left alone that lacks points of
    :data:`~facedots.schema.IBUG68`, is unlike the head model, or is already turned far.

    Attributes:
        schema: The points.
        p: Probability.
        largest: Largest yaw after the turn, in degrees to either side.
        step: Smallest and largest angle of the turn.
        tilt: Largest angle between the axis and the head's own upright one.
    """

    schema: KeypointSchema = field(repr=False)
    p: float = 0.25
    largest: float = 60.0
    step: tuple[float, float] = (10.0, 45.0)
    tilt: float = 20.0

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> the sample, its face turned or not."""
        random = self.generator
        if random.random() >= self.p or self.schema != IBUG68:
            return dict(sample)
        draws = random.random(3)
        view = view_of(sample["keypoints"])
        if view is None:
            return dict(sample)
        yaw = view.yaw if abs(view.yaw) > 10 else view.yaw * 1e-9 + draws[0] - 0.5
        high = min(self.step[1], self.largest - abs(view.yaw))
        if high <= self.step[0]:
            return dict(sample)
        angle = self.step[0] + draws[1] * (high - self.step[0])
        tilt = (2 * draws[2] - 1) * self.tilt
        return turn_head(sample, view, float(np.copysign(angle, yaw)), tilt)


class View(NamedTuple):
    """How a head lies in an image: ``yaw`` in degrees, the affine map from the head's plane."""

    yaw: float
    matrix: Matrix

    @property
    def step(self) -> int:
        """The yaw in the steps of :func:`_seen`."""
        return round(self.yaw / 5)


def view_of(points: Floats) -> View | None:
    """Scaled-orthographic pose from points ``(68, 2)``; None where they are unlike the head."""
    relief = points[list(RELIEF_POINTS)].astype(np.float64)
    if not np.isfinite(points).all():
        return None
    solid, inverse = _solid_fit()
    camera = inverse @ relief  # (4, 2): affine camera
    stretch, sizes, axes = np.linalg.svd(camera[:3].T, full_matrices=False)
    misfit = np.sqrt(((solid @ camera - relief) ** 2).sum(axis=1).mean()) / max(sizes.mean(), 1e-9)
    if not misfit <= MAX_MISFIT:
        return None
    right, down = stretch @ axes
    yaw, _, _ = angles(np.array([right, down, np.cross(right, down)]))
    return View(yaw, np.asarray((_seen(round(yaw / 5)).inverse @ relief).T))


def turn_head(sample: Sample, view: View, angle: float, tilt: float = 0.0) -> Sample:
    """The sample, its head turned by ``angle`` degrees, positive toward the right of the image.

    Args:
        sample: Its points are all known.
        view: Of these points.
        angle: In degrees.
        tilt: Of the axis in the image, in degrees away from the head's own.
    """
    image, points = sample["image"], sample["keypoints"]
    side, turn = float(np.sign(angle)) or 1.0, np.deg2rad(tilt)
    cos, sin = np.cos(turn), np.sin(turn)
    plane = np.array([[side * cos, -side * sin, 0], [sin, cos, 0]])  # frame -> the view's plane
    frame = compose(view.matrix, plane)
    places = apply_affine(invert(frame), points)
    far, near = [_outline(places, jaw) for jaw in (LEFT_JAW, RIGHT_JAW)[:: int(side)]]
    heights = _resampled(_seen(view.step).heights, plane)
    moved, shown = _turned(heights, far, near, np.deg2rad(abs(angle)))
    ends, true_ends = _at(shown, places), _at(moved, places)
    result = {**sample, "image": _bent(image, frame, _inverse(shown) - COLUMNS)}
    if "visible" in sample:
        hidden = ends - true_ends > HIDDEN_BY
        hidden[list(IBUG68.regions["jaw"])] = False
        result["visible"] = np.where(hidden, np.float32(0), sample["visible"])
    places[:, 0] = ends
    result["keypoints"] = apply_affine(frame, places)
    if "pupils" in sample:
        pupils = apply_affine(invert(frame), sample["pupils"])
        pupils[:, 0] = _at(shown, pupils)
        result["pupils"] = apply_affine(frame, pupils)
    return result


def _outline(places: Floats, jaw: Sequence[int]) -> Matrix:
    """Where the face ends on one side, ``(rows, 1)``; ``jaw`` runs from the ear to the chin."""
    s, t = places[jaw].T
    return np.interp(ROWS, np.maximum.accumulate(t), s)


def _turned(heights: Matrix, far: Matrix, near: Matrix, angle: float) -> tuple[Matrix, Matrix]:
    """Where turning takes each place of a frame ``(rows, columns)``: by itself, and where it then
    appears, at the head's outline if it is behind that. The surroundings bend.

    Args:
        heights: Depth behind the axis.
        far: The outline at the side that the head turns to, ``(rows, 1)``.
        near: The other one.
        angle: In radians.
    """
    rows = _falling(-ROWS, 1.5, 2.0) * _falling(ROWS, 1.4, 2.0)
    share = _falling(near - COLUMNS, 0.15, 1.0) * rows
    moved = COLUMNS + share * (COLUMNS * (np.cos(angle) - 1) - heights * np.sin(angle))
    ahead = far >= COLUMNS
    shown = np.maximum.accumulate(np.where(ahead, moved, -np.inf), axis=1)
    cell = np.clip((far + _HALF) / _FINE, 0, COLUMNS.size - 2)
    part = cell - np.floor(cell)
    before = np.take_along_axis(moved, cell.astype(int), 1)
    after = np.take_along_axis(moved, cell.astype(int) + 1, 1)
    edge = np.maximum(shown[:, -1:], before + part * (after - before))
    start = far + EAR * min(1.0, 2 * angle) * rows * _falling(ROWS, 0.5, 0.9)
    end = start + SURROUNDINGS
    behind = edge + (end - edge) * (COLUMNS - start).clip(0) / SURROUNDINGS
    shown = np.where(ahead, shown, np.where(end > COLUMNS, behind, COLUMNS))
    shown[:, [0, -1]] = -_HALF, _HALF
    return moved, np.maximum.accumulate(shown, axis=1)


def _falling(values: Matrix, start: float, end: float) -> Matrix:
    """1 up to ``start``, 0 from ``end`` on."""
    return ((end - values) / (end - start)).clip(0, 1)


def _inverse(shown: Matrix) -> Matrix:
    """The columns that appear at each column, of :func:`_turned`'s second array."""
    apart = 4 * _HALF * np.arange(len(shown))[:, None]  # all rows in one ascending line
    start, end = (shown + apart).ravel(), np.broadcast_to(COLUMNS, shown.shape).ravel()
    return np.interp((COLUMNS + apart).ravel(), start, end).reshape(shown.shape)


def _at(values: Matrix, places: Floats) -> Matrix:
    """Values of a frame at places ``(N, 2)``, ``float64 (N,)``."""
    x, y = apply_affine(invert(_CELLS), places).T
    field = values.astype(np.float32)
    return cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).ravel()


def _resampled(values: Floats, plane: Matrix) -> Matrix:
    """Values of a view's plane in a frame, by the map from the frame to that plane."""
    matrix = compose(invert(_CELLS), compose(plane, _CELLS))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(values, matrix, values.shape[::-1], None, flags, cv2.BORDER_REPLICATE)


def _bent(image: Image, frame: Matrix, shift: Matrix) -> Image:
    """The image, in which what lies ``shift`` farther along s appears at each place of a frame."""
    cells, size = compose(frame, _CELLS), image.shape[1::-1]
    along = cv2.warpAffine(shift.astype(np.float32), cells, size, flags=cv2.INTER_LINEAR)
    right, down = frame[:, 0].astype(np.float32)
    x = along * right + np.arange(size[0], dtype=np.float32)
    y = along * down + np.arange(size[1], dtype=np.float32)[:, None]
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


class _Seen(NamedTuple):
    """The head model, turned: depths of its visible surface behind the axis, and the inverse
    design of an affine fit of its :data:`RELIEF_POINTS`.
    """

    heights: Floats
    inverse: Matrix


@lru_cache
def _seen(step: int) -> _Seen:
    """The head as it is seen turned by ``step`` times 5 degrees."""
    if step < 0:
        heights = np.ascontiguousarray(_seen(-step).heights[:, ::-1])
    else:
        turn, front = np.deg2rad(5 * step), _front()
        moved = COLUMNS * np.cos(turn) - front * np.sin(turn)
        shown = np.maximum.accumulate(moved, axis=1)
        shown[:, [0, -1]] = -2 * _HALF, 2 * _HALF
        columns = _inverse(shown)
        cells = (columns + _HALF) / _FINE
        rows = np.broadcast_to(np.arange(len(front))[:, None], front.shape)
        maps = [part.astype(np.float32) for part in (cells, rows)]
        depths = cv2.remap(front.astype(np.float32), *maps, cv2.INTER_LINEAR)
        heights = (columns * np.sin(turn) + depths * np.cos(turn)).astype(np.float32)
    angle = np.deg2rad(5 * step)
    x, y, z = (HEAD_MODEL[list(RELIEF_POINTS)] - (0, 0, AXIS_DEPTH)).T
    design = np.column_stack([x * np.cos(angle) - z * np.sin(angle), y, np.ones_like(x)])
    return _Seen(heights, np.linalg.pinv(design))


@lru_cache
def _solid_fit() -> tuple[Matrix, Matrix]:
    """Homogeneous :data:`RELIEF_POINTS` ``(N, 4)`` and their pseudo-inverse."""
    solid = HEAD_MODEL[list(RELIEF_POINTS)]
    design = np.column_stack([solid, np.ones(len(solid))])
    return design, np.linalg.pinv(design)


@lru_cache
def _front() -> Matrix:
    """Depths behind the axis of the head seen from the front: a thin-plate spline."""
    half = np.array(_RIGHT_SKULL) / 1000
    solid = np.concatenate([HEAD_MODEL, half, half * (-1, 1, 1), np.array(_MIDDLE_SKULL) / 1000])
    solid = solid[~np.isin(np.arange(len(solid)), range(60, 68))]  # the inner lips
    plane, ones = solid[:, :2], np.ones((len(solid), 1))
    base = np.concatenate([plane, ones], axis=1)
    system = np.block(
        [[_bending(plane, plane) + 1e-3 * np.eye(len(plane)), base], [base.T, np.zeros((3, 3))]]
    )
    weights = np.linalg.solve(system, np.append(solid[:, 2] - AXIS_DEPTH, np.zeros(3)))
    grid = np.stack(np.broadcast_arrays(COLUMNS, ROWS), axis=-1).reshape(-1, 2)
    values = _bending(grid, plane) @ weights[:-3] + grid @ weights[-3:-1] + weights[-1]
    return values.reshape(len(ROWS), -1).clip(None, 1.2)


def _bending(a: Matrix, b: Matrix) -> Matrix:
    """The thin-plate kernel r² log r² of all pairs."""
    squares = ((a[:, None] - b) ** 2).sum(axis=-1)
    return squares * np.log(squares + 1e-12)
