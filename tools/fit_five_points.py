"""Where the constants of ``facedots.detection.candidates`` come from: RetinaFace's five points on
training faces, upright and tilted, against the upright squares around the labels.

    python tools/fit_five_points.py [--data ../shared/data]
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from common import DATA, options_with_data

from facedots import IBUG68, read_image
from facedots.data import load_source
from facedots.detection import RetinaFace
from facedots.detection.candidates import upright_points
from facedots.geometry import (
    Floats,
    Matrix,
    apply_affine,
    crop_matrix,
    similarity,
    tight_boxes,
    warp_image,
)

MIRRORED = [1, 0, 2, 4, 3]
VIEW, SCORE, MAX_ROLL, FACE_SIDES = 192, 0.05, 45.0, (40, 120)


def square_of(points: Floats) -> tuple[Matrix, float, float]:
    """Center, side and roll in degrees of the upright square around labeled points."""
    right, left = IBUG68.right_to_left or (36, 45)
    across = points[left] - points[right]
    roll = float(np.degrees(np.arctan2(across[1], across[0])))
    upright = similarity(-roll, 1, (0, 0), (0, 0))
    x0, y0, x1, y1 = tight_boxes(apply_affine(upright, points)[None])[0]
    center = np.array([[(x0 + x1) / 2, (y0 + y1) / 2]])
    return apply_affine(similarity(roll, 1, (0, 0), (0, 0)), center)[0], max(x1 - x0, y1 - y0), roll


def main() -> None:
    """Measure and print the constants."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    data, rng = options_with_data(parser).data, np.random.default_rng(0)
    faces = [face for part in load_source(data, "300w").subsets.values() for face in part]
    faces += list(load_source(data, "youtube-faces").subsets["training"])[::2]
    detector, five, squares = RetinaFace(), list[Floats](), list[list[float]]()
    for face in faces:
        image = read_image(face.image, orient=False)
        labels = face.points - np.array([face.label_bias_x, 0], np.float32)
        center, side, _ = square_of(labels)
        for tilt in (0.0, rng.uniform(-MAX_ROLL, MAX_ROLL)):
            wide = side * VIEW / rng.uniform(*FACE_SIDES)
            matrix = crop_matrix((*center, wide, tilt), VIEW)
            found = detector.candidates(warp_image(image, matrix, (VIEW, VIEW)), SCORE)
            middle, true_side, roll = square_of(apply_affine(matrix, labels))
            off = np.abs(found.centers - middle).max(axis=1, initial=0)
            for nearest in found.points[off < true_side / 2][:1]:
                five.append(nearest)
                squares.append([*middle, true_side, roll])
    points, truth = np.stack(five).astype(np.float64), np.array(squares)
    turns = np.radians(truth[:, 3])
    rotations = np.array([[np.cos(turns), np.sin(turns)], [-np.sin(turns), np.cos(turns)]])
    framed = np.einsum("ijn,nkj->nki", rotations, points - truth[:, None, :2])
    template = (framed / truth[:, 2, None, None]).mean(axis=0)
    template = (template + template[MIRRORED] * (-1, 1)) / 2
    print(f"TEMPLATE, of {len(points)} faces\n{template.round(3).tolist()}")
    upright, turns_back, rolls = upright_points(np.stack(five))
    offsets = (truth[:, None, :2] - points.mean(axis=1, keepdims=True)) @ turns_back.swapaxes(1, 2)
    targets = np.column_stack([offsets[:, 0], truth[:, 2]])
    both = np.concatenate([upright, upright[:, MIRRORED] * (-1, 1)]).reshape(-1, 10)
    goals = np.concatenate([targets, targets * (-1, 1, 1)])
    weights = np.tile(1 / truth[:, 2:3], (2, 1))
    fit = np.linalg.lstsq(both * weights, goals * weights, rcond=1e-6)[0].T
    print(f"SQUARE_FIT\n{fit.round(3).tolist()}")
    wrong = (upright.reshape(-1, 10) @ fit.T - targets) / truth[:, 2:3]
    rolls = np.abs((rolls - truth[:, 3] + 180) % 360 - 180)
    for name, error in (("center", np.hypot(*wrong.T[:2])), ("side", np.abs(wrong[:, 2]))):
        print(f"{name}: median {np.median(error):.3f}, 95 % {np.quantile(error, 0.95):.3f} sides")
    print(f"roll: median {np.median(rolls):.1f}, 95 % {np.quantile(rolls, 0.95):.1f} degrees")


if __name__ == "__main__":
    main()
