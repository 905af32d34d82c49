"""Expression signals: how open eyes and mouth are, smile, brows; measured on the face as it would look from the front."""

import numpy as np
from numpy.typing import ArrayLike

from facedots.apps.head_model import HEAD_MODEL
from facedots.apps.pose import Camera, rotation
from facedots.errors import PointsError
from facedots.geometry import Matrix, check_shape
from facedots.schema import IBUG68
from facedots.types import HeadPose

SIGNALS = (
    "right_eye_open",
    "left_eye_open",
    "right_eye_closed",
    "left_eye_closed",
    "mouth_open",
    "smile",
    "brow_raise",
    "frown",
)
"""What :func:`expression` measures. Left and right are the subject's own.

========================  =========================================================================================
``…_eye_open``            Height of the gap between the lids, mean of two places. Half of all people: 0.06 to 0.10.
``…_eye_closed``          The same as a share: 0 from :data:`OPEN_EYE` up, 1 from :data:`CLOSED_EYE` down.
``mouth_open``            Height of the gap between the lips, mean of three places; 0 where they touch.
``smile``                 Half of the mouth's width minus how far its corners lie below the base of the nose, minus
                          that of a face at rest: smiling pulls the corners apart and up. A broad smile has 0.2.
``brow_raise``            How far the brows lie above the eyes' corners, minus that of a face at rest.
``frown``                 How much nearer than at rest the inner halves of the brows are to the inner corners of the eyes.
========================  =========================================================================================

All but the shares are in outer-eye distances of the person. People differ at rest, by about 0.05: the change of a signal over
time says more than its value.
"""

OPEN_EYE, CLOSED_EYE = 0.07, 0.03
"""Gaps between the lids, in outer-eye distances: a quarter of labelled eyes has less than 0.06, one in fifty less than 0.024."""

SMILE_AT_REST, BROWS_AT_REST, INNER_BROWS_AT_REST = 0.03, 0.21, 0.22
"""Medians over 97 labelled faces that do not smile, and, for the brows, over 1,700 labelled faces."""


def expression(points: ArrayLike, pose: HeadPose, camera: Camera) -> dict[str, float]:
    """The expression signals :data:`SIGNALS` of one face; NaN where points that a signal needs are missing.

    Of a head turned by more than about 45 degrees the far eye is hidden, and its signals are guesses.

    Args:
        points: ``(68, 2)``, pixels, in the order of IBUG68.
        pose: Found in the same points with the same camera.
        camera: What took the picture.

    Raises:
        ShapeError: Not (68, 2).
        PointsError: An outer eye corner is missing.
    """
    x, y = frontal(points, pose, camera).T
    right, left = (y[[41, 40]] - y[[37, 38]]).mean(), (y[[47, 46]] - y[[43, 44]]).mean()
    corners = y[[48, 54]].mean()
    brows = y[[36, 39, 42, 45]].mean() - y[17:27].mean()
    inner = y[[39, 42]].mean() - y[20:24].mean()
    closed = (OPEN_EYE - np.array([right, left])) / (OPEN_EYE - CLOSED_EYE)
    values = (
        right,
        left,
        *closed.clip(0, 1),
        (y[[67, 66, 65]] - y[[61, 62, 63]]).mean(),
        (x[54] - x[48]) / 2 - (corners - y[33]) - SMILE_AT_REST,
        brows - BROWS_AT_REST,
        INNER_BROWS_AT_REST - inner,
    )
    return {name: float(value) for name, value in zip(SIGNALS, values, strict=True)}


def frontal(points: ArrayLike, pose: HeadPose, camera: Camera) -> Matrix:
    """The points as they lie on the face itself, its turn, nod, tilt and distance undone: ``float64 (68, 2)``.

    Each point is carried along its line of sight to the depth at which the head model has it. Units are the person's own
    outer-eye distance, the origin lies between the outer eye corners, x points to the subject's left, y down. Where a head is
    turned so far that a point's depth hides its place (beyond 60 degrees), the result means little.

    Args:
        points: ``(68, 2)``, pixels; missing ones (NaN) stay missing.
        pose: Found with the same camera.
        camera: What took the picture.

    Raises:
        ShapeError: Not (68, 2).
        PointsError: An outer eye corner is missing.
    """
    given = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float64)
    sight = (given - camera.centre) / camera.focal
    turn = rotation(pose.yaw, pose.pitch, pose.roll)
    # A place is seen at u where (turn @ place + t)[:2] = u * (turn @ place + t)[2]; its z is known, so this is linear in x and y.
    rows = turn[:2] - sight[..., None] * turn[2]
    known = rows[..., 2] * HEAD_MODEL[:, 2:] + pose.translation[:2] - sight * pose.translation[2]
    places = np.linalg.solve(rows[..., :2], -known[..., None])[..., 0]
    right, left = places[list(IBUG68.norm_pair)]
    distance = np.linalg.norm(left - right)
    if not distance > 0:
        raise PointsError("the outer eye corners (points 36 and 45) are missing, whose distance scales all signals")
    return np.asarray((places - (right + left) / 2) / distance)
