"""Where eyes look, from pupils, the corners of the lids and head pose.

The geometric model of Ishikawa, Baker, Matthews and Kanade, "Passive driver gaze tracking with
active appearance models" (CMU-RI-TR-04-08, 2004): an eyeball is a sphere about a point behind the
middle of the lids' corners, and the eye looks from there through its pupil.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from facedots.analysis.pose import Camera, project, rotation, unproject
from facedots.analysis.shapes import HEAD_MODEL
from facedots.drawing import FRACTION_BITS, Color, fixed_point
from facedots.geometry import Floats, Image, Matrix
from facedots.head import EyeGaze, Gaze, HeadPose
from facedots.schema import IBUG68
from facedots.types import VISIBLE, Face, check_image

EYES = ("right_eye", "left_eye")
CORNERS = np.array([IBUG68.regions[eye][::3] for eye in EYES])
"""The points of the lids' corners of each eye."""

PUPIL_RADIUS = 10.5 / 90
"""From the center about which an eyeball turns to its pupil as seen, in outer-eye distances: 13.5
mm to the cornea, less the 3 mm to the entrance pupil.
"""

EYE_CENTER = np.array([0.0, -0.03, 6.5 / 90])
"""That center from the middle of the lids' corners, in the head's axes and outer-eye distances; its
height is measured, see docs/reading.md.
"""

COLOR: Color = (255, 255, 255)


def eye_gaze(face: Face, camera: Camera) -> Gaze | None:
    """Where the eyes of a face look, relative to its head; ``None`` where neither can be read.

    An eye cannot be read where its lids read as closed, its points are hidden, its pupil lies
    beside the eyeball, or it or its covariance is unknown. The optical axis is measured; people see
    some 5 degrees nearer to their nose, which the mean of both eyes takes out. Errors of the head
    pose and of the eyeball's place add to ``sigma``, see docs/reading.md.

    Args:
        face: With ``pose`` and ``signals``, as :class:`FaceAnalyzer` adds them.
        camera: The one that the pose was computed with.
    """
    if face.pose is None or face.pupils is None or face.pupils_covariance is None:
        return None
    centers = eye_centers(face.points, face.pose, camera)
    found = [
        _optical_axis(pupil, covariance, center, face.pose, camera) if is_readable else None
        for pupil, covariance, center, is_readable in zip(
            face.pupils, face.pupils_covariance, centers, _readable(face), strict=True
        )
    ]
    known = [axis for axis in found if axis is not None]
    if not known:
        return None
    direction = np.mean([axis for axis, _ in known], axis=0)
    variance = sum(one for _, one in known) / len(known) ** 2
    right, left = (axis and EyeGaze(*_angles(*axis)) for axis in found)
    return Gaze(*_angles(direction, variance), right_eye=right, left_eye=left)


def eye_centers(points: Floats, pose: HeadPose, camera: Camera) -> Matrix:
    """The centers of both eyeballs ``float64 (2, 3)`` in the head's axes, the right one first."""
    flat = CORNERS.ravel()
    corners = unproject(points[flat], HEAD_MODEL[flat, 2], pose, camera)
    return np.asarray(corners.reshape(2, 2, 3).mean(axis=1) + EYE_CENTER)


def _readable(face: Face) -> list[bool]:
    """Whether each eye is open and seen."""
    signals = face.signals or {}
    return [not signals.get(f"{eye}_closed", 0) >= 1 and not is_hidden(face, eye) for eye in EYES]


def is_hidden(face: Face, region: str) -> bool:
    """Whether the points of a region of IBUG68 are mostly hidden; false where no network tells."""
    if face.visibility is None:
        return False
    return not face.visibility[list(IBUG68.regions[region])].mean() >= VISIBLE


def _optical_axis(
    pupil: Floats, covariance: Floats, center: Matrix, pose: HeadPose, camera: Camera
) -> tuple[Matrix, float] | None:
    """The unit vector ``(3,)`` from an eyeball's center to its pupil, in the head's axes, and its
    variance along a direction, square radians; ``None`` where the line of sight passes the eyeball,
    or the pupil or its covariance is unknown.
    """
    to_head = rotation(pose.yaw, pose.pitch, pose.roll).T
    start = -to_head @ pose.translation - center
    sight = to_head @ [*(pupil - camera.center) / camera.focal, 1]
    square, along = sight @ sight, sight @ start
    inside = along**2 - square * (start @ start - PUPIL_RADIUS**2)
    if not inside > 0 or np.isnan(covariance).any():
        return None
    reach = -(along + np.sqrt(inside)) / square
    axis = (start + reach * sight) / PUPIL_RADIUS
    # By the pupil's pixels: it stays on the sphere, along the line of sight.
    onto = np.eye(3) - np.outer(sight, axis) / (axis @ sight)
    jacobian = reach / (camera.focal * PUPIL_RADIUS) * onto @ to_head[:, :2]
    return axis, float(np.trace(jacobian @ covariance @ jacobian.T)) / 2


def _angles(direction: Matrix, variance: float) -> tuple[float, float, float]:
    """Yaw, pitch and sigma in degrees of a direction in the head's axes."""
    x, y, z = direction
    yaw, pitch = np.arctan2(x, -z), np.arctan2(-y, np.hypot(x, z))
    sigma = np.sqrt(variance)
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(sigma))


def gaze_vector(gaze: EyeGaze) -> Matrix:
    """The unit vector ``float64 (3,)`` of a gaze in the head's axes.

    >>> gaze_vector(EyeGaze(30.0, 20.0, 1.0)).round(2)
    array([ 0.47, -0.34, -0.81])
    """
    return rotation(gaze.yaw, gaze.pitch, 0) @ [0, 0, -1]


def draw_gaze(image: Image, faces: Sequence[Face], camera: Camera, length: float = 0.4) -> Image:
    """A copy of the image with a line from each eye that can be read, along its gaze.

    Args:
        image: RGB, ``uint8 (H, W, 3)``.
        faces: With ``pose`` and ``gaze``.
        camera: The one that they were computed with.
        length: Of each line, in eye distances.
    """
    drawn = check_image(image).copy()
    for face in faces:
        if face.pose is None or face.gaze is None:
            continue
        thickness = max(1, round(camera.focal / float(face.pose.translation[2]) / 40))
        centers = eye_centers(face.points, face.pose, camera)
        eyes = (face.gaze.right_eye, face.gaze.left_eye)
        for center, eye in zip(centers, eyes, strict=True):
            if eye is not None:
                ends = center + np.outer([PUPIL_RADIUS, length], gaze_vector(eye))
                line = fixed_point(project(ends, face.pose, camera)).tolist()
                cv2.line(drawn, *line, COLOR, thickness, cv2.LINE_AA, FRACTION_BITS)
    return drawn
