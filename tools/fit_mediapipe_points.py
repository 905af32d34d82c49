"""Fit the map from MediaPipe's vertices to the 68 points, ``assets/mediapipe_points.csv``.

    python tools/fit_mediapipe_points.py meshes.npz [--data ../shared/data]

``meshes.npz`` comes from ``tools/mediapipe_meshes.py``. Each point is put on the line through two
vertices, those with the least squared error over the training faces of 300-W, relative to their eye
distances. The errors printed are those on every tenth photo, which is held out.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from common import DATA, options_with_data

import facedots
from facedots import IBUG68, load_split, read_image
from facedots.annotations import FaceAnnotation
from facedots.geometry import Floats, Matrix

TABLE = Path(facedots.__file__).parent / "assets" / "mediapipe_points.csv"
VERTICES = 468
"""Those of the surface; the ten others are the irises."""
EYE_CORNERS = [33, 263]
"""The subject's right and left."""
MAX_OFF = 0.3
"""A mesh whose eye corners are farther off, in eye distances, is another face's."""
IN_TEST_SETS = ("image_0862", "image_0215", "image_0828")
"""Photos of the training part that 300-W's test part has too."""


def matched(
    faces: Sequence[FaceAnnotation], root: Path, meshes: Mapping[str, Sequence[Floats]]
) -> tuple[Matrix, Matrix]:
    """Vertices ``(N, 468, 2)`` and labels ``(N, 68, 2)`` of the faces that MediaPipe found, both in
    eye distances.
    """
    vertices, labels = list[Floats](), list[Floats]()
    for face in faces:
        height, width = read_image(face.image, orient=False).shape[:2]
        corners = face.points[list(IBUG68.norm_pair)]
        eyes = float(np.linalg.norm(corners[1] - corners[0]))
        found = [
            mesh[:VERTICES] * (width, height) - 0.5
            for mesh in meshes[Path(str(face.image)).relative_to(root).as_posix()]
        ]
        off = [np.linalg.norm(mesh[EYE_CORNERS] - corners, axis=1).mean() for mesh in found]
        if off and min(off) < MAX_OFF * eyes:
            vertices.append(found[int(np.argmin(off))] / eyes)
            labels.append(face.points / eyes)
    return np.array(vertices, np.float64), np.array(labels, np.float64)


def best_lines(vertices: Matrix, labels: Matrix) -> tuple[Matrix, Matrix]:
    """The two vertices ``(68, 2)`` on whose line each point lies best, and where: the fraction
    ``(68,)`` of the way from the first to the second, which may be below 0 or above 1.
    """
    flat = vertices.transpose(0, 2, 1).reshape(-1, vertices.shape[1])
    products = flat.T @ flat
    squares = np.diag(products)
    lengths = squares[:, None] + squares - 2 * products
    np.fill_diagonal(lengths, np.inf)
    ends, fractions = list[tuple[int, int]](), list[float]()
    for point in range(labels.shape[1]):
        label = labels[:, point].reshape(-1)
        along = flat.T @ label
        dots = along - along[:, None] - products + squares[:, None]  # (label - a)·(b - a)
        errors = (label @ label - 2 * along + squares)[:, None] - dots**2 / lengths
        a, b = sorted(int(end) for end in np.unravel_index(np.argmin(errors), errors.shape))
        ends.append((a, b))
        fractions.append(float(dots[a, b] / lengths[a, b]))
    return np.array(ends), np.array(fractions)


def main() -> None:
    """Write the table and print the errors."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("meshes", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    options = options_with_data(parser)
    stored, meshes = np.load(options.meshes), defaultdict[str, list[Floats]](list)
    for file, mesh in zip(stored["files"].tolist(), stored["meshes"], strict=True):
        meshes[file].append(mesh)
    split, root = load_split(options.data, ["300w"], "official", 0), options.data / "300w"
    train = [face for face in split.train if Path(str(face.image)).stem not in IN_TEST_SETS]
    vertices, labels = matched(train, root, meshes)
    ends, fractions = best_lines(vertices, labels)
    lines = [f"{a},{b},{part:.3f}\n" for (a, b), part in zip(ends, fractions, strict=True)]
    TABLE.write_text("".join(["vertex,other,fraction\n", *lines]))
    print(f"{TABLE}: fitted to {len(vertices)} of {len(train)} faces")
    vertices, labels = matched(split.test, root, meshes)
    first, second = vertices[:, ends[:, 0]], vertices[:, ends[:, 1]]
    off = first + fractions[:, None] * (second - first) - labels
    errors = 100 * np.linalg.norm(off, axis=2)
    print(f"% of the eye distance, on {len(vertices)} of {len(split.test)} faces held out:")
    for region, points in IBUG68.regions.items():
        each = " ".join(f"{error:.1f}" for error in errors[:, list(points)].mean(axis=0))
        print(f"{region:12} {errors[:, list(points)].mean():5.2f}   {each}")
    print(f"{'all':12} {errors.mean():5.2f}")


if __name__ == "__main__":
    main()
