"""Errors of head pose and expression signals on heads with ground truth.

    python benchmarks/reading.py

The first table turns the head model itself, adds noise to its projection, and estimates the angles.
The second reads solid heads of drawn people, which differ from the model in every proportion, under
random turns. What networks read of closed eyes: `closed_eyes.py`.
"""

import argparse

import cv2
import numpy as np

from facedots import Camera, HeadPose, head_pose
from facedots.analysis import HEAD_MODEL, expression_signals, frontal, project
from facedots.data import random_head, random_rotation
from facedots.geometry import Matrix

CAMERA = Camera.guess((480, 640))
SHUT = 0.024
"""Drawn eyes with a smaller gap, in outer-eye distances, are those that the painter means to be
closed.
"""


def pose_errors(noise: float, count: int, rng: np.random.Generator) -> Matrix:
    """Absolute errors ``(count, 3)`` of yaw, pitch and roll in degrees; noise is a point's
    deviation along each axis.
    """
    errors = []
    for _ in range(count):
        turn = rng.uniform((-40, -25, -40), (40, 25, 40))
        place = rng.uniform((-0.3, -0.2, 1), (0.3, 0.2, 1)) * rng.uniform(4, 16)
        yaw, pitch, roll = turn.tolist()
        truth = HeadPose(yaw, pitch, roll, place.astype(np.float32), 0.0)
        points = project(HEAD_MODEL, truth, CAMERA)
        pose = head_pose(
            points + rng.normal(0, noise * CAMERA.focal / place[2], points.shape), CAMERA
        )
        errors.append(np.abs(np.array([pose.yaw, pose.pitch, pose.roll]) - turn))
    return np.array(errors)


def drawn(count: int, rng: np.random.Generator) -> tuple[Matrix, Matrix]:
    """True and measured gaps ``(count, 2)`` of right eye and mouth, in outer-eye distances."""
    truth, read = [], []
    for _ in range(count):
        turn, solid = random_rotation(rng), random_head(rng)
        points = solid @ turn[:2].T * 90 + CAMERA.center
        values = expression_signals(frontal(points, head_pose(points, CAMERA), CAMERA))
        down = solid[:, 1]
        truth.append(
            (
                down[[41, 40]].mean() - down[[37, 38]].mean(),
                down[[67, 66, 65]].mean() - down[[61, 62, 63]].mean(),
            )
        )
        read.append((values["right_eye_open"], values["mouth_open"]))
    return np.array(truth), np.array(read)


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heads", type=int, default=5000)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    print(
        "| noise, % of the eye distance | angle | mean | 95 % below | largest, degrees "
        "|\n|---|---|---|---|---|"
    )
    for noise in (0.0, 0.015, 0.03):
        for name, errors in zip(
            ("yaw", "pitch", "roll"), pose_errors(noise, options.heads, rng).T, strict=True
        ):
            print(
                f"| {100 * noise:.1f} | {name} | {errors.mean():.2f} | "
                f"{np.percentile(errors, 95):.2f} | {errors.max():.2f} |"
            )
    truth, read = drawn(1000, rng)
    gaps = np.abs(read - truth).mean(axis=0)
    print(
        f"\n1000 drawn heads: mean error of the gap between lids {gaps[0]:.4f}, between lips "
        f"{gaps[1]:.4f} eye distances"
    )
    print("\n| drawn | read closed | read open |\n|---|---|---|")
    for name, chosen in (("closed", truth[:, 0] < SHUT), ("open", truth[:, 0] >= SHUT)):
        closed = (read[chosen, 0] < SHUT).sum()
        print(f"| {name} eyes | {closed} | {chosen.sum() - closed} |")
    for name, chosen in (("closed", truth[:, 1] < 0.05), ("open", truth[:, 1] >= 0.05)):
        closed = (read[chosen, 1] < 0.05).sum()
        print(f"| {name} mouths | {closed} | {chosen.sum() - closed} |")


if __name__ == "__main__":
    main()
