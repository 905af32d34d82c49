"""Facts about the public data sets that facedots knows: files, origin, label bias, people, videos.

Wherever such a set is read, its faces get these facts. Where the numbers come from:
docs/conventions.md, "Label offsets".
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from facedots.annotations.base import FaceAnnotation, Origin
from facedots.annotations.published_files import photo_id
from facedots.schema import IBUG68, KeypointSchema

YTF_ORIGIN: Origin = (1.2, 0.7)
"""What the YouTube-faces CSVs call the center of the top-left pixel: they are 1-based, and the
labels lie right of and below the features by the rest.
"""

W300_LABEL_BIAS_X = 0.0075
"""How far right of the features 300-W's labels lie, in outer-eye distances. They stay as they are;
only mirroring a face takes it into account.
"""


@dataclass(frozen=True)
class KnownSet:
    """A public data set of 68 points.

    Attributes:
        name: Also that of its folder.
        format: See :data:`facedots.annotations.load.FORMATS`.
        labels: Prefix of the faces' names -> file or folder with their labels, within the set.
        origin: The coordinates that its files give to the center of the top-left pixel.
        group: Name of a face -> the person or the photo, which a split keeps on one side.
        video: Name of a face -> the video that it was cut from.
        label_bias_x: Constant offset of the labels to the right, in outer-eye distances.
        subsets: Whether each entry of ``labels`` is a subset; else all are one, named as the set.

    Example:
        >>> KNOWN_SETS["300w"].group("afw/111076519_2.jpg")
        'afw/111076519'
    """

    name: str
    format: str
    labels: Mapping[str, str]
    origin: Origin
    group: Callable[[str], str]
    video: Callable[[str], str] | None = None
    label_bias_x: float = 0.0
    subsets: bool = True

    def labels_in(self, root: Path) -> "list[KnownLabels]":
        """The labels in ``root/name`` or ``root``: all of them, or some in a folder called as the
        set; else none.
        """
        for folder in (root / self.name, root):
            places = {prefix: folder / labels for prefix, labels in self.labels.items()}
            found = [KnownLabels(self, prefix, p) for prefix, p in places.items() if p.exists()]
            if len(found) == len(places) or (found and folder.resolve().name == self.name):
                return found
        return []

    def with_facts(
        self, faces: Sequence[FaceAnnotation], prefix: str, schema: KeypointSchema = IBUG68
    ) -> list[FaceAnnotation]:
        """Faces as a reader gives them, with the set's names, groups, label bias and style; their
        ``prefix`` is the key of their entry in ``labels``.
        """
        right, left = schema.norm_pair
        facts = []
        for face in faces:
            name, bias = f"{prefix}/{face.name}", 0.0
            if self.label_bias_x:
                eyes = np.linalg.norm(face.points[left] - face.points[right])
                bias = self.label_bias_x * float(eyes)
            group = f"{self.name}/{self.group(name)}"
            facts.append(FaceAnnotation(face.image, face.points, name, group, bias, self.name))
        return facts


def person_id(name: str) -> str:
    """The person on a frame of YouTube faces.

    >>> person_id("training/Raja_Zafar-ul-Haq_31.jpg")
    'Raja_Zafar-ul-Haq'
    """
    return Path(name).stem.rpartition("_")[0] or Path(name).stem


def video_id(name: str) -> str:
    """The video of a frame of YouTube faces: the person and the first of the two digits.

    Raises:
        ValueError: The name does not end in two digits.

    >>> video_id("training/Luis_Fonsi_21.jpg")
    'Luis_Fonsi_2'
    """
    match = re.fullmatch(r"(.+_\d)\d", Path(name).stem)
    if match is None:
        ending = "_<video><frame>, two digits"
        raise ValueError(f"{name}: the name of a YouTube-faces frame ends in {ending}")
    return match[1]


YOUTUBE_FACES = KnownSet(
    name="youtube-faces",
    format="csv",
    labels={"training": "training_frames_keypoints.csv", "test": "test_frames_keypoints.csv"},
    origin=YTF_ORIGIN,
    group=person_id,
    video=video_id,
)
"""Labeled frames: 3,462 to train, 770 to test. The published split leaks: every person and video
of the test frames is among the training frames. Many file names stand in both for different images.
"""

W300 = KnownSet(
    name="300w",
    format="pts",
    labels={part: part for part in ("afw", "helen/trainset", "lfpw/trainset")},
    origin=(1.0, 1.0),
    group=photo_id,
    label_bias_x=W300_LABEL_BIAS_X,
    subsets=False,
)
"""Photos of 300-W's training part; its test parts are never read as part of the set."""

KNOWN_SETS: Mapping[str, KnownSet] = MappingProxyType(
    {known.name: known for known in (YOUTUBE_FACES, W300)}
)
"""The known data sets by name."""


@dataclass(frozen=True)
class KnownLabels:
    """A file or a folder of labels of a known set: the entry ``prefix`` of its ``labels``."""

    known: KnownSet
    prefix: str
    path: Path


def recognize(path: Path) -> list[KnownLabels]:
    """The labels of known sets that a path stands for: itself by its name, those of the folder of a
    set, or those of folders of sets in it; none for other data.
    """
    place = path.absolute()  # Not resolved: links keep their own names.
    for known in KNOWN_SETS.values():
        for prefix, labels in known.labels.items():
            if place.match(labels):
                return [KnownLabels(known, prefix, path)]
    return [labels for known in KNOWN_SETS.values() for labels in known.labels_in(path)]


def video_of(face: FaceAnnotation) -> str | None:
    """The video that a face was cut from; None where unknown."""
    known = KNOWN_SETS.get(face.group.partition("/")[0])
    return known.video(face.name) if known and known.video else None
