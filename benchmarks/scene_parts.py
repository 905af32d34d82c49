"""Scenes of the data beside the project, read, or drawn from photos: turned ones, a crowd, large
photos with small faces.
"""

import csv
import random
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots import RetinaFace, read_image, write_image
from facedots.annotations import FaceAnnotation
from facedots.data import Scene, load_source, map_squares, squares_of_boxes, tilted_square
from facedots.geometry import Image, compose, similarity, warp_image

ANGLES = (45, 90, 135, 180)
CROWD_SIDE, CROWD_FACE = 12, 50
CELL = 500
"""Side in pixels of what a face of the large photo has for itself."""


def frames(data: Path) -> list[FaceAnnotation]:
    """Every third test frame of YouTube Faces."""
    return load_source(data, "youtube-faces").subsets["test"][::3]


def photos(data: Path) -> list[FaceAnnotation]:
    """250 faces of 300-W, the labels without their bias."""
    faces = load_source(data, "300w").subsets["300w"]
    random.Random(3).shuffle(faces)
    return [
        replace(face, points=face.points - np.array([face.label_bias_x, 0], np.float32))
        for face in faces[:250]
    ]


def infants(data: Path) -> list[FaceAnnotation]:
    """The faces of ``more/infanface``."""
    folder = data / "more" / "infanface"
    with (folder / "points.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    points = [np.array(row[1:], np.float32).reshape(-1, 2) for row in rows]
    return [FaceAnnotation(folder / row[0], p, row[0]) for row, p in zip(rows, points, strict=True)]


def labeled_scenes(faces: list[FaceAnnotation]) -> list[Scene]:
    """A scene of each face with the points of IBUG68."""
    return [
        Scene(Path(str(face.image)), "labeled", tilted_square(face.points)[None]) for face in faces
    ]


def boxed_scenes(folder: Path, smallest: int) -> list[Scene]:
    """The photos of a folder of ``scenes`` with their boxes; smaller faces count neither way."""
    boxes = defaultdict(list)
    with (folder / "boxes.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            boxes[row["image"]].append([float(row[key]) for key in ("x0", "y0", "x1", "y1")])
    scenes = []
    for image, corners in boxes.items():
        native = np.array(corners, np.float32)
        tight = RetinaFace.adjustment.tight(native)
        large = (native[:, 2:] - native[:, :2]).max(axis=1) >= smallest
        scenes.append(
            Scene(folder / image, folder.name, squares_of_boxes(tight[large]), tight[~large])
        )
    return scenes


def empty_scenes(folder: Path) -> list[Scene]:
    """The photos of a folder, which show no face."""
    return [Scene(path, folder.name) for path in sorted(folder.glob("*.jpg"))]


def turned(scene: Scene, angle: float, folder: Path) -> Scene:
    """The scene turned about its middle, in a square that holds all of it."""
    image = read_image(scene.image, orient=False)
    height, width = image.shape[:2]
    side = int(np.hypot(height, width))
    shift = ((side - width) / 2, (side - height) / 2)
    matrix = similarity(angle, 1, shift, ((width - 1) / 2, (height - 1) / 2))
    path = folder / f"{angle}_{scene.image.stem}.png"
    write_image(path, warp_image(image, matrix, (side, side)))
    return replace(
        scene,
        image=path,
        source=f"300w turned by {angle}",
        squares=map_squares(scene.squares, matrix),
        ignore=np.zeros((0, 4), np.float32),
    )


def pasted(
    scenes: list[Scene], canvas: Image, corners: NDArray[np.intp], face: int, path: Path
) -> Scene:
    """The canvas, written to the path, with an upright tile around the face of one scene after the
    other at each corner (left, top); ``face`` is its side, half of the tile's, in pixels.
    """
    tile, squares = 2 * face, []
    for i, (left, top) in enumerate(corners.tolist()):
        scene = scenes[i % len(scenes)]
        x, y, side, _ = scene.squares[0].tolist()
        center = similarity(0, face / side, (face - x, face - y), (x, y))
        image = warp_image(read_image(scene.image, orient=False), center, (tile, tile))
        canvas[top : top + tile, left : left + tile] = image
        place = compose(similarity(0, 1, (left, top), (0, 0)), center)
        squares.append(map_squares(scene.squares[:1], place))
    write_image(path, canvas)
    return Scene(path, path.stem, np.concatenate(squares))


def crowd(scenes: list[Scene], folder: Path) -> Scene:
    """One image with many faces of the same size."""
    rows, columns = np.indices((CROWD_SIDE, CROWD_SIDE)) * 2 * CROWD_FACE
    side = CROWD_SIDE * 2 * CROWD_FACE
    canvas = np.zeros((side, side, 3), np.uint8)
    corners = np.stack([columns.ravel(), rows.ravel()], axis=1)
    return pasted(scenes, canvas, corners, CROWD_FACE, folder / "crowd of 144.png")


def large_photo(scenes: list[Scene], background: Path, face: int, folder: Path) -> Scene:
    """12 megapixels with 48 faces of one size, each somewhere in its cell."""
    empty = read_image(background, orient=False)
    canvas = np.asarray(cv2.resize(empty, (8 * CELL, 6 * CELL)), np.uint8)
    cells = np.indices((8, 6)).reshape(2, -1).T * CELL
    corners = cells + np.random.default_rng(0).integers(0, CELL - 2 * face, cells.shape)
    return pasted(scenes, canvas, corners, face, folder / f"faces of {face}.png")
