"""The two public data sets that facedots knows: where their files lie and what is odd about their
labels.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.csv_points import read_csv
from facedots.annotations.pts import read_pts
from facedots.errors import DataError
from facedots.schema import IBUG68

SOURCES = ("youtube-faces", "300w")
"""The data sets by the names of their folders, which are also their names in recipes."""

CUSTOM = "custom"
"""The source that is none of the known sets: whatever annotations a path stands for, see
:mod:`facedots.data.custom`.
"""

SOURCE_NAMES = (*SOURCES, CUSTOM)
"""All that a recipe may name."""

YTF_ORIGIN = (1.2, 0.7)
"""The coordinates that the YouTube-faces CSVs give to the center of the top-left pixel, in pixels.

The published numbers are 1-based and rounded, which is 1 px of it. Measured: mirrored against each
other, twelve independent detectors put the labels 1.2 px to the right of the features and 0.3-1.1
px below; 0.7 is the middle of that.
"""

W300_LABEL_BIAS_X = 0.0075
"""How far right of where mirroring would agree 300-W's labels sit, in outer-eye distances.

Measured: 0.6-0.9 %. The labels are people's and stay as they are; only mirroring a face needs to
    know.
"""

_YTF_PARTS = (("training", "training_frames_keypoints.csv"), ("test", "test_frames_keypoints.csv"))
_W300_PARTS = ("afw", "helen/trainset", "lfpw/trainset")


def youtube_faces(root: Path) -> tuple[list[FaceAnnotation], list[FaceAnnotation]]:
    """The labeled frames of the YouTube-faces set, as published: 3,462 to train and 770 to test.

    Names are ``training/<file>`` and ``test/<file>``, because the same file names stand in both
    folders for different images. The group is the person. The published split leaks: every person
    and video of the test part is in the training part too.

    Args:
        root: The folder with the CSVs, or its parent with the folder ``youtube-faces``.

    Raises:
        DataError: The files are not there.
        AnnotationError: A CSV has faults.
    """
    folder = _folder(root, "youtube-faces", [csv for _, csv in _YTF_PARTS])
    training, test = (
        [
            replace(
                face,
                name=f"{part}/{face.name}",
                group=f"youtube-faces/{person_id(face.name)}",
                style="youtube-faces",
            )
            for face in read_csv(folder / csv, folder / part, IBUG68, YTF_ORIGIN)
        ]
        for part, csv in _YTF_PARTS
    )
    return training, test


def detect_sources(data: str | Path) -> tuple[str, ...]:
    """What to take where nobody says it: YouTube faces where they are, else 300-W, else the path is
    somebody's own data.

    >>> detect_sources("cats/labels.csv")
    ('custom',)
    """
    for source, needed in ((SOURCES[0], [csv for _, csv in _YTF_PARTS]), (SOURCES[1], _W300_PARTS)):
        if _find(Path(data), source, needed):
            return (source,)
    return (CUSTOM,)


def person_id(name: str) -> str:
    """The person on a frame of YouTube faces.

    >>> person_id("training/Raja_Zafar-ul-Haq_31.jpg")
    'Raja_Zafar-ul-Haq'
    """
    return Path(name).stem.rpartition("_")[0] or Path(name).stem


def video_id(name: str) -> str:
    """The video that a frame of YouTube faces was cut from: the person and the first of the two
    digits.

    Raises:
        ValueError: The name is not made as the names of that set are.

    >>> video_id("training/Luis_Fonsi_21.jpg")
    'Luis_Fonsi_2'
    """
    match = re.fullmatch(r"(.+_\d)\d", Path(name).stem)
    if match is None:
        raise ValueError(
            f"{name}: the name of a YouTube-faces frame ends in _<video><frame>, two digits"
        )
    return match[1]


def w300(root: Path) -> list[FaceAnnotation]:
    """The faces of 300-W's training part: AFW and the training sets of HELEN and LFPW; its test
    parts are never read.

    Names are relative to the folder, the group is the photo (AFW's and HELEN's photos may hold
    several faces), and ``label_bias_x`` is :data:`W300_LABEL_BIAS_X` of the face's outer-eye
    distance.

    Args:
        root: The folder with ``afw``, ``helen`` and ``lfpw``, or its parent with the folder
            ``300w``.

    Raises:
        DataError: The files are not there.
        AnnotationError: ``.pts`` files have faults.
    """
    folder = _folder(root, "300w", _W300_PARTS)
    return [
        replace(
            face,
            name=f"{part}/{face.name}",
            group=f"300w/{part}/{face.group}",
            label_bias_x=_mirror_shift(face),
            style="300w",
        )
        for part in _W300_PARTS
        for face in read_pts(folder / part)
    ]


def _mirror_shift(face: FaceAnnotation) -> float:
    right, left = IBUG68.norm_pair
    return W300_LABEL_BIAS_X * float(np.linalg.norm(face.points[left] - face.points[right]))


def _folder(root: Path, name: str, needed: Sequence[str]) -> Path:
    """``root/name`` or ``root``, whichever holds all that is needed."""
    if folder := _find(root, name, needed):
        return folder
    raise DataError(
        f"no {name} data at {root}: {', '.join(needed)} must be there or in its folder {name}; "
        "`facedots data download` fetches what is public, or point --data at a copy; "
        f"your own data are the source {CUSTOM}: recipes/custom.yaml, or --sources {CUSTOM}"
    )


def _find(root: Path, name: str, needed: Sequence[str]) -> Path | None:
    for folder in (Path(root) / name, Path(root)):
        if all((folder / part).exists() for part in needed):
            return folder
    return None
