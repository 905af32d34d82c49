"""A rigid model of a human head: where the 68 points of IBUG68 lie in space.

facedots' own. It was laid out by hand from rounded measures of adults, mirror symmetric, and then
refined on 1,600 labeled faces, half of 300-W and half of YouTube Faces, by structure from motion:
poses and shape take turns until the shape, seen under the poses, is nearest to all labels in least
squares. A last step deepens it to an adult's relief. ``benchmarks/head_model.py`` holds the start,
the method and its checks, and prints the numbers below. The refined shape misses the labels by 3.8
% of the eye distance in the median, which is how much people and expressions differ from one rigid
head.

Axes: x to the subject's left, y down, z away from the viewer; the origin lies between the outer eye
    corners, which are one apart
(about 90 mm on adults). A head in pose zero is held like the median of those faces: as people hold
it before a camera. On that head the chin lies 0.22 (20 mm) behind the top of the nose's bridge, so
the face looks a little further down than where an anatomist would call it upright, by some 7
degrees.
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
from facedots.schema import IBUG68
from facedots.types import HeadPose, check_image

POSE_POINTS = (*range(55), *range(60, 65))
"""The 60 points that decide a pose: all but the lower lip, which an open mouth would take for a
nod.

The jaw stays, though its labels slide along the outline of a turned head: without it poses differ
more from MediaPipe's.
"""

MIN_POINTS = 8
"""So many of the points that decide a pose must be known."""

AXIS_COLORS = ((255, 60, 60), (60, 220, 60), (70, 130, 255))
"""RGB of the drawn axes: to the subject's left, down, and straight ahead."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion.

    Attributes:
        focal: Focal length in pixels.
        center: Where the optical axis meets the image, (x, y) in pixels.
    """

    focal: float
    center: tuple[float, float]

    GUESSED_FOCAL = 1.2
    """Focal length over the longer side of the image: 45 degrees of view, between a telephone's
    lens and one for portraits.
    """

    @classmethod
    def guess(cls, image_size: tuple[int, int], focal: float | None = None) -> Self:
        """A usual camera for images of this height and width that were not cut out of larger ones.

        Args:
            image_size: Height and width in pixels.
            focal: In pixels, where it is known; then only the center is guessed.

        >>> Camera.guess((480, 640))
        Camera(focal=768.0, center=(319.5, 239.5))
        """
        height, width = image_size
        known = cls.GUESSED_FOCAL * max(height, width) if focal is None else focal
        return cls(known, ((width - 1) / 2, (height - 1) / 2))

    @property
    def matrix(self) -> Matrix:
        """The intrinsic matrix ``float64 (3, 3)``."""
        return np.array(
            [[self.focal, 0, self.center[0]], [0, self.focal, self.center[1]], [0, 0, 1]]
        )


def rotation(yaw: float, pitch: float, roll: float) -> Matrix:
    """The rotation ``float64 (3, 3)`` from the head's axes to the camera's, angles in degrees.

    Both have x to the right of the image, y down and z away from the viewer; the head's are those
    of
    :data:`~facedots.analysis.shapes.HEAD_MODEL`. The head nods first, then turns, then tilts:
        ``Rz(roll) Ry(-yaw) Rx(-pitch)``.
    So roll is the angle of the line through the eyes as a distant camera sees it, and once it is
    undone, yaw and pitch are the azimuth and the elevation of where the face points.

    >>> rotation(30, 0, 0) @ [0, 0, -1]  # A face turned to the subject's left points to the right of the image.
    array([ 0.5      ,  0.       , -0.8660254])
    """
    y, x, z = np.deg2rad((-yaw, -pitch, roll))
    nod = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    tilt = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return np.asarray(tilt @ turn @ nod + 0.0)


def angles(matrix: Matrix) -> tuple[float, float, float]:
    """Yaw in [-90, 90], pitch and roll in degrees: what :func:`rotation` made the matrix of.

    >>> [round(angle, 6) for angle in angles(rotation(30, -20, 10))]
    [30.0, -20.0, 10.0]
    """
    yaw = np.arcsin(np.clip(matrix[2, 0], -1, 1))
    pitch = -np.arctan2(matrix[2, 1], matrix[2, 2])
    roll = np.arctan2(matrix[1, 0], matrix[0, 0])
    return float(np.rad2deg(yaw)), float(np.rad2deg(pitch)), float(np.rad2deg(roll))


def project(solid: ArrayLike, pose: HeadPose, camera: Camera) -> Matrix:
    """Where the camera sees points ``(n, 3)`` given in the axes of the head: ``float64 (n, 2)`` in
    pixels.
    """
    given = np.asarray(check_shape(solid, "N 3", "solid points"), np.float64)
    seen = given @ rotation(pose.yaw, pose.pitch, pose.roll).T + pose.translation
    return np.asarray(camera.focal * seen[:, :2] / seen[:, 2:] + camera.center)


def head_pose(points: ArrayLike, camera: Camera) -> HeadPose:
    """The pose of a head from its keypoints in the order of IBUG68.

    All points but the lower lip (:data:`~facedots.analysis.pose.POSE_POINTS`) decide. SQPnP
    (Terzakis and Lourakis, ECCV 2020) finds the start, Levenberg-Marquardt the least squared
    distance in the image; both are OpenCV's.

    Angles are about the camera's own axes: a head at the border of the image that faces the lens is
    turned. People differ in shape from the model, which costs some degrees, most of them in pitch.

    Args:
        points: ``(68, 2)``, pixels; missing ones (NaN) do not count.
        camera: What took the image.

    Raises:
        ShapeError: Not (68, 2).
        PointsError: Too few points are known, or no head in front of the camera looks like this.
    """
    given = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float64)
    chosen = [i for i in POSE_POINTS if np.isfinite(given[i]).all()]
    if len(chosen) < MIN_POINTS:
        raise PointsError(
            f"a head pose needs {MIN_POINTS} of the points above the lower lip, not {len(chosen)}"
        )
    solid, seen = HEAD_MODEL[chosen], given[chosen]
    if not np.ptp(seen, axis=0).max() > 0:
        raise PointsError("all known keypoints lie on each other, which no head's do")
    turned, moved = cv2.solvePnPRefineLM(
        solid, seen, camera.matrix, None, *_start(solid, seen, camera)
    )
    if not np.isfinite([turned, moved]).all() or moved[2, 0] <= 0:
        raise PointsError("no head in front of the camera has its keypoints there")
    yaw, pitch, roll = angles(np.asarray(cv2.Rodrigues(turned)[0], np.float64))
    pose = HeadPose(yaw, pitch, roll, np.asarray(moved[:, 0], np.float32), 0.0)
    missed = np.linalg.norm(project(solid, pose, camera) - seen, axis=1)
    return replace(
        pose, reprojection_error=float(np.sqrt((missed**2).mean()) * moved[2, 0] / camera.focal)
    )


def _start(solid: Matrix, seen: Matrix, camera: Camera) -> tuple[Matrix, Matrix]:
    """A first rotation vector and translation, ``float64 (3, 1)`` each.

    SQPnP sees the head through a camera that looks straight at it and that it fills: through the
    given one, OpenCV refuses heads of less than about a hundredth of the image. What it finds is
    then turned to where the head is.
    """
    middle = seen.mean(axis=0)
    focal = 4 * np.ptp(seen, axis=0).max()
    lens = Camera(focal, (middle[0], middle[1])).matrix
    done, turned, moved = cv2.solvePnP(solid, seen, lens, None, flags=cv2.SOLVEPNP_SQPNP)
    if not done:
        raise PointsError("no head has its keypoints there")
    x, y = (middle - camera.center) / camera.focal
    aside = np.hypot(x, y)
    to_head = cv2.Rodrigues(np.arctan(aside) / max(aside, 1e-12) * np.array([-y, x, 0]))[0]
    farther = np.diag([1, 1, camera.focal * np.hypot(1, aside) / focal])
    rotated = cv2.Rodrigues(to_head @ cv2.Rodrigues(turned)[0])[0]
    return np.asarray(rotated, np.float64), np.asarray(to_head @ farther @ moved, np.float64)


def draw_axes(
    image: Image, poses: Sequence[HeadPose], camera: Camera, length: float = 0.6
) -> Image:
    """A copy of the image with the axes of every head, drawn from between the eyes.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        poses: Of the heads; the farthest is drawn first.
        camera: The same that the poses were found with.
        length: Of each axis, in eye distances.

    Returns:
        Red points to the subject's left, green down, blue straight ahead out of the face.
    """
    drawn = check_image(image).copy()
    root = HEAD_MODEL[IBUG68.index("nose_0")]
    tips = root + length * np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, -1)])
    for pose in sorted(poses, key=lambda pose: -float(pose.translation[2])):
        start, *ends = fixed_point(project(tips, pose, camera)).tolist()
        depths = tips[1:] @ rotation(pose.yaw, pose.pitch, pose.roll)[2]
        thickness = max(1, round(camera.focal / float(pose.translation[2]) / 25))
        for axis in np.argsort(-depths):
            cv2.arrowedLine(
                drawn,
                start,
                ends[axis],
                AXIS_COLORS[axis],
                thickness,
                cv2.LINE_AA,
                FRACTION_BITS,
                0.15,
            )
    return drawn
