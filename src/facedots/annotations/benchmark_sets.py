"""Test sets of papers that are published in forms of their own: COFW68 and InfAnFace."""

import csv
from pathlib import Path

import numpy as np

from facedots.annotations.base import (
    MAX_COORDINATE,
    FaceAnnotation,
    bad_cells,
    read_text,
    to_numbers,
    to_pixels,
)
from facedots.annotations.image_files import ImageFinder
from facedots.annotations.matlab import read_arrays
from facedots.annotations.published_files import CofwFile
from facedots.errors import AnnotationError, DataError, ImageError
from facedots.geometry import Matrix
from facedots.io.files import protect
from facedots.schema import COFW29, IBUG68

COFW68_LABELS = "COFW68_Data/test_annotations"
"""The folder with ``1_points.mat``, ``2_points.mat``, …: one file for each image of COFW's test."""

COFW_IMAGES = ("COFW_test_color.mat", "COFW_test.mat")
"""COFW's own files of test images; the gray one stands in for the one in color."""

INFANFACE_LABELS = "labels.csv"
INFANFACE_TEST = ("google", "youtube")
"""The batches of images that are InfAnFace's test part."""


def read_cofw68(root: Path) -> list[FaceAnnotation]:
    """COFW's test images with the 68 points of Ghiasi and Fowlkes (2015), which start at 1, and
    their occlusion.

    The folder is that of their benchmark, with COFW's images in ``COFW68_Data`` or beside it.

    Raises:
        DataError: COFW's images are missing.
        AnnotationError: A file has faults.
        MissingExtra: ``h5py`` is not installed.
    """
    labels = root / COFW68_LABELS
    places = [folder / name for name in COFW_IMAGES for folder in (labels.parent, root)]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise DataError(f"{labels.parent}: no {COFW_IMAGES[0]}; put COFW's test images there")
    images = [face.image for face in CofwFile(file).faces(schema=COFW29)]
    faces = list[FaceAnnotation]()
    for number, image in enumerate(images, start=1):
        points, occluded = _cofw68_face(labels / f"{number}_points.mat")
        name, visible = f"{file.stem}-{number:05}", np.asarray(occluded == 0, np.float32)
        placed = to_pixels(points, CofwFile.origin)
        faces.append(FaceAnnotation(image, placed, name, name, visible=visible))
    return faces


def _cofw68_face(file: Path) -> tuple[Matrix, Matrix]:
    """The coordinates ``(68, 2)`` and the occlusion ``(68,)``, 0 or 1, in a file."""
    protect([file])
    try:
        content = read_arrays(file.read_bytes())
        points, occluded = (content[name] for name in ("Points", "Occ"))
        if points.shape != (IBUG68.count, 2) or not np.isfinite(points).all():
            raise ValueError(f"points of the shape {points.shape}")
        if occluded.size != IBUG68.count or not np.isin(occluded, (0, 1)).all():
            raise ValueError(f"Occ of the shape {occluded.shape}, or neither 0 nor 1")
    except OSError as error:
        raise AnnotationError(file, [f"cannot be read: {error.strerror}"]) from error
    except (KeyError, ValueError) as error:
        fault = f"not a MATLAB file of 68 points called Points and their Occ: {error}"
        raise AnnotationError(file, [fault]) from error
    return points, occluded.ravel()


def read_infanface(root: Path) -> list[FaceAnnotation]:
    """The test part of InfAnFace (Wan et al., 2022), from its ``labels.csv`` and ``images``.

    Raises:
        AnnotationError: The table has faults, or an image is missing.
    """
    file, finder = root / INFANFACE_LABELS, ImageFinder(root / "images")
    table = csv.DictReader(read_text(file, "the table of InfAnFace").splitlines(), restval="")
    try:
        rows = list(table)
    except csv.Error as error:
        raise AnnotationError(file, [f"not the table of InfAnFace: {error}"]) from error
    columns = [f"gt-{axis}{i}" for i in range(IBUG68.count) for axis in "xy"]
    missing = {"image-set", "filename", *columns} - set(table.fieldnames or ())
    if missing:
        raise AnnotationError(file, [f"no column {min(missing)}, as InfAnFace's table has"])
    faces, faults = list[FaceAnnotation](), list[str]()
    for number, row in enumerate(rows, start=2):
        if row["image-set"] not in INFANFACE_TEST:
            continue
        name, cells = f"{row['image-set']}/{row['filename']}", [row[column] for column in columns]
        points = to_numbers(cells)
        bad = [(i, cells[i]) for i in np.flatnonzero(~(np.abs(points) < MAX_COORDINATE)).tolist()]
        wrong = bad_cells(bad, "coordinate")
        try:
            image = finder.find(name)
        except ImageError as error:
            wrong.append(str(error))
        else:
            faces.append(
                FaceAnnotation(image, to_pixels(points.reshape(-1, 2), (0, 0)), name, name)
            )
        faults += [f"row {number}: {fault}" for fault in wrong]
    if faults:
        raise AnnotationError(file, faults)
    return faces
