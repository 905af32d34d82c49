"""Errors of head pose and expression signals: on heads with ground truth, and, with data, on eyes
that a warp draws shut.

    python benchmarks/reading.py [--data ../shared/data --model small]

The first table turns the head model itself, adds noise to its projection, and estimates the angles.
The second reads solid heads of drawn people, which differ from the model in every proportion, under
random turns. The third closes the eyes of people in the held-out photos of 300-W, by moving the
upper lids of their labels down and bending the image with them, and asks the network.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from facedots import (
    Camera,
    HeadPose,
    KeypointPredictor,
    head_pose,
    load_split,
    read_image,
    tight_boxes,
)
from facedots.analysis import HEAD_MODEL, expression_signals, frontal, project, warp_texture
from facedots.data import random_head, random_rotation
from facedots.geometry import Floats, Image, Matrix

CAMERA = Camera.guess((480, 640))
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
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


def lids_drawn_shut(data: Path, model: str, shares: tuple[float, ...]) -> Matrix:
    """What the network makes of open eyes (the first column) and of eyes closed to shares of that:
    ``(faces, 1 + shares)``.
    """
    predictor = KeypointPredictor(model, refine=0)
    rows = []
    for face in load_split(data, ["300w"], "official").test:
        image = read_image(face.image, orient=False)
        camera = Camera.guess((image.shape[0], image.shape[1]))
        pose = head_pose(face.points, camera)
        signals = expression_signals(frontal(face.points, pose, camera))
        if min(signals["right_eye_open"], signals["left_eye_open"]) < 0.07 or abs(pose.yaw) > 25:
            continue
        row = []
        for share in (1.0, *shares):
            points = face.points.copy()
            for upper, lower in LIDS:
                points[upper] = points[lower] + share * (points[upper] - points[lower])
            row.append(seen_opening(image, face.points, points, predictor, camera))
        rows.append(row)
    return np.array(rows)


def seen_opening(
    image: Image, start: Floats, end: Floats, predictor: KeypointPredictor, camera: Camera
) -> float:
    """How open the network sees the eyes, mean of both, once the face is bent from ``start`` to
    ``end``.
    """
    bent = warp_texture(image, start, end, (image.shape[0], image.shape[1]))
    shown = np.where(bent.mask[..., None], bent.image, image)
    points = predictor.predict(shown, tight_boxes(end[None])).points[0]
    values = expression_signals(frontal(points, head_pose(points, camera), camera))
    return (values["right_eye_open"] + values["left_eye_open"]) / 2


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="small")
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
    if options.data:
        shares = (0.5, 0.25, 0.08)
        opening = lids_drawn_shut(options.data, options.model, shares)
        print(f"\n{len(opening)} faces, lids open: median gap {np.median(opening[:, 0]):.3f}\n")
        print(
            "| lids closed to | measured gap, of that before: 25 % | median | 75 % |\n"
            "|---|---|---|---|"
        )
        for share, seen in zip(shares, opening.T[1:], strict=True):
            low, middle, high = np.percentile(seen / opening[:, 0], [25, 50, 75])
            print(f"| {share:.0%} | {low:.2f} | {middle:.2f} | {high:.2f} |")


if __name__ == "__main__":
    main()
