"""Expression signals: how open eyes and mouth are, smile, brows; measured on the face as it would
look from the front.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from facedots.analysis.pose import Camera, head_pose, rotation
from facedots.analysis.shapes import HEAD_MODEL
from facedots.errors import PointsError
from facedots.geometry import Image, Matrix, check_shape
from facedots.schema import IBUG68
from facedots.types import Face, HeadPose, check_image

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
"""What :func:`expression_signals` measures. Left and right are the subject's own.

========================
=========================================================================================
``…_eye_open``            Height of the gap between the lids, mean of two places. Half of all
people: 0.06 to 0.10. ``…_eye_closed``          The same as a share: 0 from :data:`OPEN_EYE` up, 1
from :data:`CLOSED_EYE` down. ``mouth_open``            Height of the gap between the lips, mean of
three places; 0 where they touch. ``smile``                 Half of the mouth's width minus how far
its corners lie below the base of the nose, minus
                          that of a face at rest: smiling pulls the corners apart and up. A broad
                          smile has 0.2.
``brow_raise``            How far the brows lie above the eyes' corners, minus that of a face at
rest. ``frown``                 How much nearer than at rest the inner halves of the brows are to
the inner corners of the eyes. ========================
=========================================================================================

All but the shares are in outer-eye distances of the person. People differ at rest, by about 0.05:
the change of a signal over time says more than its value.
"""

OPEN_EYE, CLOSED_EYE = 0.07, 0.03
"""Gaps between the lids, in outer-eye distances: a quarter of labeled eyes has less than 0.06, one
in fifty less than 0.024.
"""

SMILE_AT_REST, BROWS_AT_REST, INNER_BROWS_AT_REST = 0.03, 0.21, 0.22
"""Medians over 97 labeled faces that do not smile, and, for the brows, over 1,700 labeled faces."""


def expression_signals(points: ArrayLike, pose: HeadPose, camera: Camera) -> dict[str, float]:
    """The expression signals :data:`SIGNALS` of one face; NaN where points that a signal needs are
    missing.

    Of a head turned by more than about 45 degrees the far eye is hidden, and its signals are
    guesses.

    Args:
        points: ``(68, 2)``, pixels, in the order of IBUG68.
        pose: Found in the same points with the same camera.
        camera: What took the image.

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
    """The points as they lie on the face itself, its turn, nod, tilt and distance undone: ``float64
    (68, 2)``.

    Each point is carried along its line of sight to the depth at which the head model has it. Units
    are the person's own outer-eye distance, the origin lies between the outer eye corners, x points
    to the subject's left, y down. Where a head is turned so far that a point's depth hides its
    place (beyond 60 degrees), the result means little.

    Args:
        points: ``(68, 2)``, pixels; missing ones (NaN) stay missing.
        pose: Found with the same camera.
        camera: What took the image.

    Raises:
        ShapeError: Not (68, 2).
        PointsError: An outer eye corner is missing.
    """
    given = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float64)
    sight = (given - camera.center) / camera.focal
    turn = rotation(pose.yaw, pose.pitch, pose.roll)
    # A place is seen at u where (turn @ place + t)[:2] = u * (turn @ place + t)[2]; its z is known,
    # so this is linear in x and y.
    rows = turn[:2] - sight[..., None] * turn[2]
    known = rows[..., 2] * HEAD_MODEL[:, 2:] + pose.translation[:2] - sight * pose.translation[2]
    places = np.linalg.solve(rows[..., :2], -known[..., None])[..., 0]
    right, left = places[list(IBUG68.norm_pair)]
    distance = np.linalg.norm(left - right)
    if not distance > 0:
        raise PointsError(
            "the outer eye corners (points 36 and 45) are missing, whose distance scales all signals"
        )
    return np.asarray((places - (right + left) / 2) / distance)


class BlinkCounter:
    """Counts the blinks of one person: both eyes close and open again within half a second.

    Eyes differ, so "closed" is relative to how open this person's eyes usually are: the 75th
    percentile of the last seconds. A blink begins where they fall below ``closed`` of that and ends
    where they rise above ``opened``; the distance between the two keeps noise from counting. Eyes
    that stay shut longer are shut, not blinking. At fewer than 10 frames a second blinks get lost
    between the frames.

    Networks do not close eyes as far as people do. Where a warp drew the lids of 132 faces shut,
    the network ``small`` still saw 73 % of the opening before (half of the faces: 68 to 80 %;
    ``benchmarks/reading.py``), while noise and motion move it by 2.5 % and never took it below 86
    %. So the limits lie higher than the shape of an eye asks for: a short look down may count.

    Args:
        closed: Share of the usual opening below which eyes are closed.
        opened: Share of it above which they are open again.
        longest: Seconds from closing to opening that still are a blink.
        window: Seconds over which the usual opening is taken.

    Raises:
        ValueError: The shares are not 0 < closed < opened < 1.
    """

    def __init__(
        self, closed: float = 0.85, opened: float = 0.92, longest: float = 0.5, window: float = 10.0
    ) -> None:
        if not 0 < closed < opened < 1:
            raise ValueError(
                f"closed {closed} and opened {opened}: 0 < closed < opened < 1 is expected"
            )
        self.count = 0
        self._closed, self._opened, self._longest, self._window = closed, opened, longest, window
        self._seen: deque[tuple[float, float]] = deque()
        self._shut_since: float | None = None

    def update(self, signals: Mapping[str, float], time: float) -> bool:
        """Take in the next frame.

        Args:
            signals: Of the person in this frame, from
                :func:`~facedots.analysis.expression.expression_signals`; a frame without the eyes (NaN) is
                passed over.
            time: Of the frame, in seconds; never less than before.

        Returns:
            Whether a blink ended with this frame; ``count`` has then grown by one.
        """
        opening = (signals["right_eye_open"] + signals["left_eye_open"]) / 2
        if math.isnan(opening):
            return False
        self._seen.append((time, opening))
        while self._seen[0][0] < time - self._window:
            self._seen.popleft()
        share = opening / max(float(np.percentile([value for _, value in self._seen], 75)), 1e-6)
        if self._shut_since is None:
            self._shut_since = time if share < self._closed else None
            return False
        if share < self._opened:
            return False
        blinked = time - self._shut_since <= self._longest
        self._shut_since = None
        self.count += blinked
        return blinked


EMOTIONS = ("neutral", "happy", "surprised", "frowning")
"""What the rule can say. ``frowning`` is no more than low brows: anger, thought, sun in the eyes,
or a low brow at rest.
"""

SMILE = (0.07, 0.13)
GAPE = (0.08, 0.20)
RAISED = (0.01, 0.05)
LOWERED = (0.03, 0.07)
"""Each signal in outer-eye distances: where its score begins, and where it is 1."""


@dataclass(frozen=True)
class EmotionGuess:
    """What a rule of thumb makes of the signals of one face.

    Attributes:
        name: The word with the highest score.
        scores: Word -> score in [0, 1]; how far its signs show, not a probability, and the scores
            have no fixed sum.
    """

    name: str
    scores: Mapping[str, float]


def guess_emotion(signals: Mapping[str, float]) -> EmotionGuess:
    """Neutral, happy, surprised or frowning, by fixed rules from the signals of
    :func:`~facedots.analysis.expression.expression_signals`.

    happy
        as far as ``smile`` shows;
    surprised
        as far as ``mouth_open`` and ``brow_raise`` both show, and less the more the face smiles;
    frowning
        as far as ``frown`` shows, and less the more the face smiles, since laughing eyes pull the
        brows down;
    neutral
        as far as none of them does.

    This is a heuristic: rules and limits were set by hand while looking at faces, without a data
    set of labeled emotions, and a face at rest may look like any of the words. Do not decide about
    people by it. A missing signal (NaN) does not show.

    >>> guess_emotion({"smile": 0.2, "mouth_open": 0.1, "brow_raise": 0.0, "frown": 0.0}).name
    'happy'
    """
    smile, gape = _ramp(signals["smile"], SMILE), _ramp(signals["mouth_open"], GAPE)
    raised, lowered = _ramp(signals["brow_raise"], RAISED), _ramp(signals["frown"], LOWERED)
    happy, surprised, frowning = smile, min(gape, raised) * (1 - smile), lowered * (1 - smile)
    neutral = 1 - max(happy, surprised, frowning)
    scores = dict(zip(EMOTIONS, (neutral, happy, surprised, frowning), strict=True))
    return EmotionGuess(max(scores, key=scores.__getitem__), scores)


def _ramp(value: float, limits: tuple[float, float]) -> float:
    """0 up to the first limit, 1 from the second one on; NaN gives 0.

    >>> _ramp(3, (2, 4)), _ramp(float("nan"), (2, 4))
    (0.5, 0.0)
    """
    begins, full = limits
    return min(max(0.0, (value - begins) / (full - begins)), 1.0)


class FaceAnalyzer:
    """Reads head pose and expression signals off keypoints.

    Args:
        camera: What takes the images; guessed from the size of each where it is not given.
    """

    signals = SIGNALS

    def __init__(self, camera: Camera | None = None) -> None:
        self._camera = camera

    def __call__(self, image: Image, faces: Sequence[Face]) -> list[Face]:
        """The same faces with ``pose`` and ``signals``; a face with too few points for them stays
        as it is.

        Args:
            image: RGB, ``uint8 (H, W, 3)``; only its size matters.
            faces: Found in it; their keypoints are in the order of IBUG68.

        Raises:
            ShapeError: The image or the points have another shape.
        """
        height, width = check_image(image).shape[:2]
        camera = self._camera or Camera.guess((height, width))
        return [_read(face, camera) for face in faces]


def _read(face: Face, camera: Camera) -> Face:
    try:
        pose = head_pose(face.points, camera)
        return replace(face, pose=pose, signals=expression_signals(face.points, pose, camera))
    except PointsError:
        return face
