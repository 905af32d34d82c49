"""Where the numbers of ``facedots.analysis.pose`` come from: a hand-laid head, refined on labeled
faces.

    python benchmarks/head_model.py --data ../shared/data

The start is laid out by hand from rounded measures of adults (outer eye corners 90 mm apart, lids
13 mm before their outer corners, nose tip 46 mm, mouth 52 mm wide, …). The refinement is structure
from motion with one rigid shape, so the factorised matrix of all labels has rank 3: turn by turn,
every face gets the scaled-orthographic pose that fits it best, and every point the place in space
that fits all faces best in least squares. Each face is also used mirrored, so the shape comes out
symmetric. Faces that fit badly count less. The jaw's labels slide along the outline of a turned
head, so they have no part in the poses, and only nearly frontal faces place them. The head is
nodded until the median pitch of the faces is zero.

One rigid shape comes out too flat, since it takes differences between people for turns of the head:
the tip of its nose stands 35 mm before the corners of the eyes. So all depths are stretched by
:data:`RELIEF`, to 45 mm, which is an adult's nose. On 440 labeled faces the yaw then came out 1.01
times as large as that of MediaPipe's face mesh (0.10.21), and flat 1.17 times.
"""

import argparse
from pathlib import Path

import numpy as np

from facedots import IBUG68
from facedots.data import load_source
from facedots.geometry import Matrix

FLIP = list(IBUG68.flip)
JAW = list(IBUG68.regions["jaw"])
RELIEF = 1.3
"""How much deeper than the rigid shape the head is."""

FRONTAL = 12.0
"""Degrees of yaw and pitch up to which a face places the points of the jaw."""


def by_hand() -> Matrix:
    """The start ``(68, 3)``: x to the subject's left, y down, z away from the viewer, outer eye
    corners one apart.
    """
    half = np.zeros((IBUG68.count, 3))
    half[0:6] = [
        (-70, 0, 40),
        (-69, 20, 38),
        (-67, 40, 35),
        (-63, 58, 30),
        (-56, 76, 20),
        (-44, 92, 6),
    ]
    half[6:9] = [(-30, 104, -8), (-16, 112, -15), (0, 115, -18)]
    half[17:22] = [
        (-58, -14, -2),
        (-51, -22, -12),
        (-40, -26, -19),
        (-27, -25, -24),
        (-14, -21, -26),
    ]
    half[27:31] = [(0, -2, -20), (0, 12, -27), (0, 26, -36), (0, 40, -46)]
    half[31:34] = [(-15, 50, -26), (-8, 53, -31), (0, 55, -33)]
    half[36:42] = [
        (-45, 0, 0),
        (-36, -5, -11),
        (-25, -5, -13),
        (-16, 2, -8),
        (-26, 5, -12),
        (-36, 4, -10),
    ]
    half[48:52] = [(-26, 76, -17), (-17, 71, -26), (-6, 68, -31), (0, 69, -31)]
    half[57:60] = [(0, 88, -29), (-7, 87, -28), (-17, 83, -23)]
    half[60:63] = [(-23, 76, -18), (-8, 75, -28), (0, 76, -29)]
    half[66:68] = [(0, 78, -28), (-8, 78, -27)]
    laid_out = np.flatnonzero(half.any(axis=1))
    whole = half[FLIP] * (-1, 1, 1)
    whole[laid_out] = half[laid_out]
    return np.asarray(whole / 90)


def turned(vectors: Matrix) -> Matrix:
    """Rotation matrices ``(N, 3, 3)`` of rotation vectors ``(N, 3)``, in radians."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None] + 1e-12
    x, y, z = (vectors / angle[:, 0]).T
    nothing = np.zeros_like(x)
    cross = np.stack([nothing, -z, y, z, nothing, -x, -y, x, nothing], axis=1).reshape(-1, 3, 3)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross))


def poses(shape: Matrix, faces: Matrix, rotations: Matrix, steps: int = 4) -> tuple[Matrix, Matrix]:
    """Rotations ``(N, 3, 3)`` and zooms ``(N,)`` that fit a shape (n, 3) to faces (N, n, 2), both
    about their means.

    Gauss-Newton steps over the rotation; the zoom is the best one for it.
    """
    for _ in range(steps):
        x, y, z = np.moveaxis(shape @ rotations.transpose(0, 2, 1), -1, 0)
        zoom = (faces[..., 0] * x + faces[..., 1] * y).sum(axis=1) / (x**2 + y**2).sum(axis=1)
        nothing = np.zeros_like(x)
        across, down = (
            np.stack([nothing, z, -y, x], axis=-1),
            np.stack([-z, nothing, x, y], axis=-1),
        )
        slopes = np.concatenate([across, down], axis=1) * zoom[:, None, None]
        missed = faces - zoom[:, None, None] * np.stack([x, y], axis=-1)
        upright = slopes.transpose(0, 2, 1)
        change = np.linalg.solve(
            upright @ slopes,
            upright @ np.concatenate([missed[..., 0], missed[..., 1]], axis=1)[..., None],
        )
        rotations = turned(change[:, :3, 0]) @ rotations
    return rotations, zoom


def refined(faces: Matrix, rounds: int) -> Matrix:
    """The shape ``(68, 3)`` behind labeled faces (N, 68, 2)."""
    inner = np.setdiff1d(np.arange(IBUG68.count), JAW)
    faces = np.concatenate([faces, faces[:, FLIP] * (-1, 1)])
    faces = faces - faces[:, inner].mean(axis=1, keepdims=True)
    faces = faces / np.abs(faces[:, inner]).mean(axis=(1, 2), keepdims=True)
    shape, rotations = by_hand(), np.tile(np.eye(3), (len(faces), 1, 1))
    for done in range(rounds):
        middle = shape[inner].mean(axis=0)
        rotations, zoom = poses(
            shape[inner] - middle, faces[:, inner], rotations, 30 if done == 0 else 3
        )
        views = zoom[:, None, None] * rotations[:, :2]
        missed = faces - (shape - middle) @ views.transpose(0, 2, 1)
        error = np.sqrt((missed[:, inner] ** 2).sum(axis=-1).mean(axis=1)) / zoom
        weight = 1 / (1 + (error / (2 * np.median(error))) ** 4) / zoom**2
        frontal = (np.abs(angles(rotations)[:, :2]) < FRONTAL).all(axis=1)
        shape = np.where(
            np.isin(np.arange(68), JAW)[:, None],
            placed(views, faces, weight * frontal),
            placed(views, faces, weight),
        )
        shape = (shape + shape[FLIP] * (-1, 1, 1)) / 2
        shape, rotations = nodded(shape, rotations)
        shape = (shape - (shape[36] + shape[45]) / 2) / np.linalg.norm(shape[45] - shape[36])
    print(
        f"{len(faces) // 2} faces, median error {100 * np.median(error):.2f} % of the eye "
        f"distance, {frontal.sum()} frontal"
    )
    shape = shape * (1, 1, RELIEF)
    rotations, _ = poses(shape[inner] - shape[inner].mean(axis=0), faces[:, inner], rotations, 10)
    shape, rotations = nodded(shape, rotations)
    spread = np.percentile(angles(rotations)[: len(faces) // 2], [2, 50, 98], axis=0).round(1)
    print("yaw, pitch, roll: 2nd, 50th and 98th percentiles", spread.T.tolist())
    return np.asarray(shape)


def nodded(shape: Matrix, rotations: Matrix) -> tuple[Matrix, Matrix]:
    """The shape nodded so that the median pitch of the rotations is zero, and the rotations that go
    with it.
    """
    nod = turned(np.deg2rad([[-np.median(angles(rotations)[:, 1]), 0, 0]]))[0]
    return shape @ nod.T, rotations @ nod.T


def placed(views: Matrix, faces: Matrix, weight: Matrix) -> Matrix:
    """The points ``(68, 3)`` that views (N, 2, 3) of them show nearest to faces (N, 68, 2)."""
    weighted = views * weight[:, None, None]
    normal = np.einsum("nij,nik->jk", weighted, views)
    return np.asarray(np.linalg.solve(normal, np.einsum("nij,npi->jp", weighted, faces)).T)


def angles(rotations: Matrix) -> Matrix:
    """Yaw, pitch and roll ``(N, 3)`` in degrees, signed as in :class:`facedots.types.HeadPose`."""
    yaw = np.arcsin(rotations[:, 2, 0].clip(-1, 1))
    pitch = -np.arctan2(rotations[:, 2, 1], rotations[:, 2, 2])
    roll = np.arctan2(rotations[:, 1, 0], rotations[:, 0, 0])
    return np.asarray(np.rad2deg(np.stack([yaw, pitch, roll], axis=1)))


def main() -> None:
    """Print the shape as Python, and statistics of the data under it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--faces", type=int, default=800, help="how many of each data set")
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    chosen = []
    youtube = load_source(options.data, "youtube-faces").subsets["training"]
    for faces in (load_source(options.data, "300w").faces, youtube):
        points = np.stack([face.points for face in faces]).astype(np.float64)
        chosen.append(points[generator.permutation(len(points))[: options.faces]])
    shape = refined(np.concatenate(chosen), options.rounds)
    for first, last in [(0, 8), (17, 21), (27, 33), (36, 41), (48, 51), (57, 62), (66, 67)]:
        rows = ", ".join(
            f"({x:.3f}, {y:.3f}, {z:.3f})" for x, y, z in shape[first : last + 1] + 0.0
        )
        print(f"{first}: [{rows}]")


if __name__ == "__main__":
    main()
