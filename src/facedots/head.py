"""Where a head is turned and where its eyes look: frozen values with their signs and units."""

from dataclasses import dataclass
from typing import Any

from facedots.geometry import Floats


@dataclass(frozen=True)
class HeadPose:
    """Position and rotation of a head in the camera's frame.

    Attributes:
        yaw: Degrees; positive where the subject turns to their left, the right of the image.
        pitch: Degrees; positive where the subject looks up.
        roll: Degrees; positive where the head is tilted clockwise as seen in the image.
        translation: ``float32 (3,)``, from the camera to the middle of the eyes: x right, y down, z
            ahead, in eye distances.
        reprojection_error: Root mean square distance between the points and the projected head
            model, in eye distances.

    Example:
        >>> import numpy as np
        >>> pose = HeadPose(10.0, -3.25, 0.0, np.array([0.1, 0.2, 9], np.float32), 0.02)
        >>> pose.to_dict()["pitch"]
        -3.25
    """

    yaw: float
    pitch: float
    roll: float
    translation: Floats
    reprojection_error: float

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, ready for JSON."""
        angles = {name: round(float(getattr(self, name)), 2) for name in ("yaw", "pitch", "roll")}
        error = round(float(self.reprojection_error), 4)
        return angles | {
            "translation": [round(float(value), 4) for value in self.translation],
            "reprojection_error": error,
        }


@dataclass(frozen=True)
class EyeGaze:
    """Where an eye looks, in the frame of the head: both angles are 0 straight out of it.

    Attributes:
        yaw: Degrees; positive to the subject's left, the right of the image.
        pitch: Degrees; positive upwards.
        sigma: Degrees; one standard deviation along an axis, as far as it comes from the pupils.

    Example:
        >>> EyeGaze(12.5, -3.0, 2.25).to_dict()
        {'yaw': 12.5, 'pitch': -3.0, 'sigma': 2.25}
    """

    yaw: float
    pitch: float
    sigma: float

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, ready for JSON."""
        return {name: round(float(getattr(self, name)), 2) for name in ("yaw", "pitch", "sigma")}


@dataclass(frozen=True)
class Gaze(EyeGaze):
    """Where both eyes look together, the mean of their directions, and each of them.

    Attributes:
        right_eye: The subject's own; ``None`` where it is closed or hidden.
        left_eye: As ``right_eye``; at least one is known.

    Example:
        >>> eye = EyeGaze(12.5, -3.0, 2.25)
        >>> Gaze(12.5, -3.0, 2.25, right_eye=None, left_eye=eye).to_dict()["right_eye"] is None
        True
    """

    right_eye: EyeGaze | None
    left_eye: EyeGaze | None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, ready for JSON."""
        eyes = {"right_eye": self.right_eye, "left_eye": self.left_eye}
        each = {name: eye and eye.to_dict() for name, eye in eyes.items()}
        return super().to_dict() | each
