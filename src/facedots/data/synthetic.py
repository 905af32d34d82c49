"""Synthetic faces with exact keypoints, to run everything without data and to test against.

A drawn face is a random head in three dimensions, laid out by hand, in a random pose, painted by
:mod:`facedots.data.synthetic_painter`. Networks trained on drawn faces do not work on photos, and
their model cards say so.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from facedots.annotations.base import FaceAnnotation, cache_folder
from facedots.annotations.csv_table import CsvFile
from facedots.data.synthetic_painter import HeadOutline, paint_head
from facedots.geometry import Floats, Image, Matrix
from facedots.io.files import atomic_write
from facedots.io.images import write_image
from facedots.schema import IBUG68


def write_synthetic(folder: str | Path, count: int, seed: int = 0) -> list[FaceAnnotation]:
    """Write drawn faces as JPEGs of quality 95 and ``faces-<count>.csv``; existing images are kept.

    Face ``i`` is ``draw_face(np.random.default_rng((seed, i)))``.

    Returns:
        One annotation per face, read back from the CSV; each face is a group of its own.

    Raises:
        OutputError: The folder cannot be written.
    """
    root = Path(folder)
    table = root / f"faces-{count}.csv"
    files = [root / f"{number:06}.jpg" for number in range(count)]
    if not all(file.is_file() for file in (*files, table)):
        rows = ["name," + ",".join(f"{axis}{i}" for i in range(IBUG68.count) for axis in "xy")]
        for number, file in enumerate(files):
            image, points = draw_face(np.random.default_rng((seed, number)))
            if not file.is_file():
                write_image(file, image)
            rows.append(f"{file.name}," + ",".join(map(str, points.ravel())))
        atomic_write(table, "\n".join(rows) + "\n")
    names = [f"synthetic/{number:06}" for number in range(count)]
    faces = zip(CsvFile(table).faces(root), names, strict=True)
    return [replace(face, name=name, group=name) for face, name in faces]


def cached_synthetic(count: int, seed: int = 0) -> list[FaceAnnotation]:
    """As :func:`write_synthetic`, in a folder of ``$XDG_CACHE_HOME/facedots``, by default
    ``~/.cache/facedots``, that is named after a hash of the drawing.

    Raises:
        OutputError: The cache cannot be written.
    """
    image, points = draw_face(np.random.default_rng((seed, 0)))
    drawing = hashlib.sha256(image.tobytes() + points.tobytes()).hexdigest()[:12]
    return write_synthetic(cache_folder() / f"synthetic-{drawing}", count, seed)


def draw_face(generator: np.random.Generator) -> tuple[Image, Floats]:
    """An image of one face, and its keypoints.

    Images are 90-300 px a side; the outer eye corners of a frontal face are 0.2-0.32 of the shorter
    side apart. Roll is up to 30 degrees, yaw 32 and pitch 18; eyes and mouth are anywhere between
    closed and wide open.

    Args:
        generator: Source of the randomness; the same state gives the same image.

    Returns:
        The image ``uint8 (H, W, 3)`` RGB and the points ``float32 (68, 2)`` in pixels, in the order
        of IBUG68; some may lie outside the image.

    >>> image, points = draw_face(np.random.default_rng(0))
    >>> image.dtype, points.shape
    (dtype('uint8'), (68, 2))
    """
    width = int(generator.integers(90, 301))
    height = int(np.clip(width * generator.uniform(0.9, 1.2), 90, 300))
    unit = min(width, height) * generator.uniform(0.2, 0.32)
    middle = np.array([width, height]) * generator.uniform(0.42, 0.58, 2)
    rotation = random_rotation(generator)
    head = random_head(generator)
    center = head.mean(axis=0)
    points, forehead = (
        (solid - center) @ rotation[:2].T * unit + middle for solid in (head, _forehead(head))
    )
    image = paint_head(HeadOutline(points, forehead, unit), height, width, generator)
    return image, points.astype(np.float32)


def random_rotation(generator: np.random.Generator) -> Matrix:
    """Rotation matrix (3, 3); x points right, y down, z at the viewer."""
    yaw, pitch, roll = np.deg2rad(generator.uniform((-32, -18, -30), (32, 18, 30)))
    cos, sin = np.cos, np.sin
    about_y = np.array([[cos(yaw), 0, sin(yaw)], [0, 1, 0], [-sin(yaw), 0, cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, cos(pitch), -sin(pitch)], [0, sin(pitch), cos(pitch)]])
    about_z = np.array([[cos(roll), -sin(roll), 0], [sin(roll), cos(roll), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def random_head(generator: np.random.Generator) -> Matrix:
    """The 68 points (68, 3) of a random person with a random expression, in outer-eye distances.

    x points to the subject's left, y down, z at the viewer; the outer eye corners are at y = 0.
    """
    vary = generator.uniform
    opening = vary(0.02, 0.075) if generator.random() < 0.85 else vary(0.0, 0.012)
    gape = max(0.0, float(generator.normal(0.0, 0.16)))
    smile, raised = vary(-0.04, 0.07), vary(-0.05, 0.06)
    face_width, chin = vary(0.74, 0.88), vary(1.22, 1.45)
    nose_end, mouth_y = vary(0.52, 0.66), vary(0.84, 0.96)
    mouth_width, lips, inner_eye = vary(0.27, 0.4), vary(0.045, 0.1), vary(0.17, 0.22)

    # The subject's right half (x < 0); the schema's flip gives the other.
    half = np.full((IBUG68.count, 3), np.nan)
    angle = np.linspace(np.pi / 2, 0, 9)
    half[0:9, 0] = -face_width * np.sin(angle) ** vary(0.75, 1.0)
    half[0:9, 1] = 0.02 + (chin + 0.6 * gape) * np.cos(angle) ** vary(0.75, 0.95)
    half[0:9, 2] = 0.08 - 0.5 * np.sin(angle) ** 2
    half[17:22, 0] = (-0.70, -0.60, -0.46, -0.31, -0.17)
    half[17:22, 1] = np.array([-0.17, -0.27, -0.31, -0.29, -0.25]) - raised
    half[17:22, 2] = (-0.16, -0.04, 0.03, 0.07, 0.09)
    half[27:31] = [(0, nose_end * part, 0.08 + 0.38 * part) for part in (0.02, 0.3, 0.58, 0.87)]
    half[31:34, 0] = -vary(0.8, 1.2) * np.array([0.17, 0.09, 0])
    half[31:34, 1] = nose_end + np.array([0.02, 0.06, 0.075])
    half[31:34, 2] = (0.14, 0.21, 0.26)
    across = np.linspace(-0.5, -inner_eye, 4)
    half[36:40, 0], half[[41, 40], 0] = across, across[1:3]
    half[36:40, 1], half[[41, 40], 1] = (
        (0, -opening, -opening, 0.015),
        (0.75 * opening, 0.8 * opening),
    )
    half[36:42, 2] = (-0.12, 0.0, 0.03, 0.0, 0.03, 0.0)
    half[48:52, 0] = mouth_width * np.array([-1, -0.62, -0.22, 0])
    half[48:52, 1] = mouth_y + lips * np.array([0, -0.75, -1.05, -0.9])
    half[57:60, 0] = mouth_width * np.array([0, -0.25, -0.64])
    half[57:60, 1] = mouth_y + gape + lips * np.array([1.2, 1.15, 0.75])
    half[60:63, 0] = mouth_width * np.array([-0.86, -0.3, 0])
    half[60:63, 1] = mouth_y + lips * np.array([0.02, -0.12, -0.06])
    half[66:68, 0] = mouth_width * np.array([0, -0.3])
    half[66:68, 1] = mouth_y + gape + lips * np.array([0.1, 0.08])
    half[48:68, 1] -= smile * (np.abs(half[48:68, 0]) / mouth_width) ** 2
    half[48:68, 2] = 0.22 - 1.4 * half[48:68, 0] ** 2

    mirrored = half[list(IBUG68.flip)] * (-1, 1, 1)
    return np.where(np.isnan(half), mirrored, half) + generator.normal(0, 0.006, half.shape)


def _forehead(head: Matrix) -> Matrix:
    """Eleven points (11, 3) of the arc over the forehead, from one end of the jaw to the other."""
    angle = np.linspace(0, np.pi, 13)[1:-1]
    right, left = head[0], head[16]
    arc = (right + left) / 2 + np.outer(np.cos(angle), (right - left) / 2)
    return arc + np.outer(np.sin(angle) ** 0.8, (0, -1.0, 0.35))
