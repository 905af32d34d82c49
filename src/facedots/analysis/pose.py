"""Head pose from keypoints, and a pinhole camera.

Axes of camera and head (:data:`~facedots.analysis.shapes.HEAD_MODEL`) at zero rotation: x to the
right of the image (the subject's left), y down, z away from the viewer. For the signs of angles see
:class:`~facedots.head.HeadPose`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
from numpy.typing import ArrayLike

from facedots.analysis.shapes import HEAD_MODEL
from facedots.drawing import FRACTION_BITS, fixed_point
from facedots.errors import PointsError
from facedots.geometry import Image, Matrix, check_shape
from facedots.head import HeadPose
from facedots.schema import IBUG68
from facedots.types import check_image

POSE_POINTS = (*range(55), *range(60, 65))
"""The points that determine a pose: all but the lower lip, an open mouth would pass for a nod."""

MIN_POINTS = 8
"""How many of :data:`POSE_POINTS` a pose needs."""

AXIS_COLORS = ((255, 60, 60), (60, 220, 60), (70, 130, 255))
"""RGB of the drawn axes: to the subject's left, down, straight ahead."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion.

    Attributes:
        focal: Focal length in pixels.
        center: Principal point, (x, y) in pixels.

    Raises:
        ValueError: The focal length is not positive, or a number is not finite.

    Example:
        >>> Camera.guess((480, 640))
        Camera(focal=768.0, center=(319.5, 239.5))
    """

    focal: float
    center: tuple[float, float]

    GUESSED_FOCAL = 1.2
    """Focal length over the longer side of the image, between those of telephones and portraits."""

    def __post_init__(self) -> None:
        if not (self.focal > 0 and np.isfinite([self.focal, *self.center]).all()):
            raise ValueError(f"{self}: the focal length is positive, all numbers are finite")

    @classmethod
    def guess(cls, image_size: tuple[int, int], focal: float | None = None) -> Self:
        """A typical camera for an uncropped image of this height and width; of this focal length in
        pixels, if known.
        """
        height, width = image_size
        if focal is None:
            focal = cls.GUESSED_FOCAL * max(height, width)
        return cls(focal, ((width - 1) / 2, (height - 1) / 2))

    @property
    def matrix(self) -> Matrix:
        """The intrinsic matrix ``float64 (3, 3)``."""
        x, y = self.center
        return np.array([[self.focal, 0, x], [0, self.focal, y], [0, 0, 1]])


def rotation(yaw: float, pitch: float, roll: float) -> Matrix:
    """The rotation ``float64 (3, 3)`` from the head's axes to the camera's, angles in degrees:
    ``Rz(roll) Ry(-yaw) Rx(-pitch)``.

    >>> rotation(30, 0, 0) @ [0, 0, -1]  # turned to the subject's left, it faces right in the image
    array([ 0.5      ,  0.       , -0.8660254])
    """
    y, x, z = np.deg2rad((-yaw, -pitch, roll))
    nod = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    tilt = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return np.asarray(tilt @ turn @ nod + 0.0)


def angles(matrix: Matrix) -> tuple[float, float, float]:
    """Yaw in [-90, 90], pitch and roll in degrees; the inverse of :func:`rotation`.

    >>> [round(angle, 6) for angle in angles(rotation(30, -20, 10))]
    [30.0, -20.0, 10.0]
    """
    yaw = np.arcsin(np.clip(matrix[2, 0], -1, 1))
    pitch = -np.arctan2(matrix[2, 1], matrix[2, 2])
    roll = np.arctan2(matrix[1, 0], matrix[0, 0])
    return float(np.rad2deg(yaw)), float(np.rad2deg(pitch)), float(np.rad2deg(roll))


def project(solid: ArrayLike, pose: HeadPose, camera: Camera) -> Matrix:
    """Pixels ``float64 (N, 2)`` of points ``(N, 3)`` in the head's axes."""
    points = np.asarray(check_shape(solid, "N 3", "solid points"), np.float64)
    moved = points @ rotation(pose.yaw, pose.pitch, pose.roll).T + pose.translation
    return np.asarray(camera.focal * moved[:, :2] / moved[:, 2:] + camera.center)


def unproject(pixels: ArrayLike, depth: ArrayLike, pose: HeadPose, camera: Camera) -> Matrix:
    """The points ``float64 (N, 3)`` in the head's axes that are seen at pixels ``(N, 2)`` and have
    a depth (z) ``(N,)`` there; the inverse of :func:`project`.
    """
    places = np.asarray(check_shape(pixels, "N 2", "pixels"), np.float64)
    z = np.asarray(check_shape(depth, f"{len(places)}", "depth"), np.float64)
    ray = (places - camera.center) / camera.focal
    turn = rotation(pose.yaw, pose.pitch, pose.roll)
    # A point p is seen at ray where (turn @ p + t)[:2] = ray * (turn @ p + t)[2]. Its z is known,
    # so this is linear in x and y.
    rows = turn[:2] - ray[..., None] * turn[2]
    constant = rows[..., 2] * z[:, None] + pose.translation[:2] - ray * pose.translation[2]
    solution = np.linalg.solve(rows[..., :2], -constant[..., None])[..., 0]
    return np.column_stack([solution, z])


def head_pose(points: ArrayLike, camera: Camera) -> HeadPose:
    """The pose of a head from its keypoints: a fit of :data:`~facedots.analysis.shapes.HEAD_MODEL`.

    :data:`POSE_POINTS` count. SQPnP (Terzakis and Lourakis, ECCV 2020) gives the start,
    Levenberg-Marquardt the least squared reprojection error. Angles are about the camera's axes: a
    head at the border of the image that faces the lens is turned. People differ from the model,
    which costs some degrees, most of them in pitch.

    Args:
        points: ``(68, 2)``, pixels; missing ones (NaN) are left out.
        camera: What took the image.

    Raises:
        ShapeError: The points are not (68, 2).
        PointsError: Fewer than :data:`MIN_POINTS` are known, or no head in front of the camera
            has its keypoints there.

    Example:
        >>> camera = Camera.guess((480, 640))
        >>> straight = HeadPose(0, 0, 0, np.array([0, 0, 6], np.float32), 0)
        >>> pose = head_pose(project(HEAD_MODEL, straight, camera), camera)
        >>> bool(abs(pose.yaw) < 0.01)
        True
    """
    points = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float64)
    valid = [i for i in POSE_POINTS if np.isfinite(points[i]).all()]
    if len(valid) < MIN_POINTS:
        count = f"{MIN_POINTS} of the points above the lower lip"
        raise PointsError(f"a head pose needs {count}, not {len(valid)}")
    solid, pixels = HEAD_MODEL[valid], points[valid]
    if not np.ptp(pixels, axis=0).max() > 0:
        raise PointsError("all known keypoints lie on each other, which no head's do")
    start = _initial_pose(solid, pixels, camera)
    turn, shift = cv2.solvePnPRefineLM(solid, pixels, camera.matrix, None, *start)
    if not np.isfinite([turn, shift]).all() or shift[2, 0] <= 0:
        raise PointsError("no head in front of the camera has its keypoints there")
    yaw, pitch, roll = angles(np.asarray(cv2.Rodrigues(turn)[0], np.float64))
    pose = HeadPose(yaw, pitch, roll, np.asarray(shift[:, 0], np.float32), 0.0)
    errors = np.linalg.norm(project(solid, pose, camera) - pixels, axis=1)
    error = float(np.sqrt((errors**2).mean()) * shift[2, 0] / camera.focal)
    return replace(pose, reprojection_error=error)


def _initial_pose(solid: Matrix, pixels: Matrix, camera: Camera) -> tuple[Matrix, Matrix]:
    """A first rotation vector and translation, ``float64 (3, 1)`` each.

    SQPnP gets a virtual camera that looks straight at the head and that the head fills: OpenCV
    refuses heads of less than about a hundredth of the image. The result is rotated back.
    """
    middle = pixels.mean(axis=0)
    focal = 4 * np.ptp(pixels, axis=0).max()
    lens = Camera(focal, (middle[0], middle[1])).matrix
    success, turn, shift = cv2.solvePnP(solid, pixels, lens, None, flags=cv2.SOLVEPNP_SQPNP)
    if not success:
        raise PointsError("no head has its keypoints there")
    x, y = (middle - camera.center) / camera.focal
    offset = np.hypot(x, y)
    to_head = cv2.Rodrigues(np.arctan(offset) / max(offset, 1e-12) * np.array([-y, x, 0]))[0]
    farther = np.diag([1, 1, camera.focal * np.hypot(1, offset) / focal])
    rotated = cv2.Rodrigues(to_head @ cv2.Rodrigues(turn)[0])[0]
    return np.asarray(rotated, np.float64), np.asarray(to_head @ farther @ shift, np.float64)


def frontal(points: ArrayLike, pose: HeadPose, camera: Camera) -> Matrix:
    """The points with rotation and distance of the head undone: ``float64 (68, 2)``.

    Each point moves along its line of sight to its depth in the head model. Units are the person's
    outer-eye distance, the origin lies between the outer eye corners, x points to the subject's
    left, y down. Beyond 60 degrees of yaw the result means little.

    Args:
        points: ``(68, 2)``, pixels; missing ones (NaN) stay missing.
        pose: From the same points and camera.
        camera: What took the image.

    Raises:
        ShapeError: The points are not (68, 2).
        PointsError: An outer eye corner is missing.
    """
    pixels = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float64)
    solution = unproject(pixels, HEAD_MODEL[:, 2], pose, camera)[:, :2]
    right, left = solution[list(IBUG68.norm_pair)]
    distance = np.linalg.norm(left - right)
    if not distance > 0:
        corners = "the outer eye corners (points 36 and 45)"
        raise PointsError(f"{corners}, which set the scale, are missing")
    return np.asarray((solution - (right + left) / 2) / distance)


def draw_axes(
    image: Image, poses: Sequence[HeadPose], camera: Camera, length: float = 0.6
) -> Image:
    """A copy of the image with the axes of every head, from between the eyes.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        poses: Poses of the heads; the farthest is drawn first.
        camera: The one that the poses were computed with.
        length: Of each axis (:data:`AXIS_COLORS`), in eye distances.
    """
    drawn = check_image(image).copy()
    root = HEAD_MODEL[IBUG68.index("nose_0")]
    tips = root + length * np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, -1)])
    for pose in sorted(poses, key=lambda pose: -float(pose.translation[2])):
        start, *ends = fixed_point(project(tips, pose, camera)).tolist()
        depths = tips[1:] @ rotation(pose.yaw, pose.pitch, pose.roll)[2]
        thickness = max(1, round(camera.focal / float(pose.translation[2]) / 25))
        for axis in np.argsort(-depths):
            style = (AXIS_COLORS[axis], thickness, cv2.LINE_AA, FRACTION_BITS, 0.15)
            cv2.arrowedLine(drawn, start, ends[axis], *style)
    return drawn
