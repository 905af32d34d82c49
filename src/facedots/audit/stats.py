"""Counts and measures of a data set's files and labels, per subset and across subsets."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.known_sets import video_of
from facedots.audit.image_files import ImageFile, find_near_duplicates, inspect_image
from facedots.errors import ImageError
from facedots.evaluation.metrics import norm_distances, plain
from facedots.geometry import Matrix
from facedots.io.tar_files import ImagePlace
from facedots.schema import IBUG68, SCHEMAS, KeypointSchema

ROUNDING_ERROR = (np.sqrt(2) + np.arcsinh(1)) / 6
"""Mean distance in pixels between a point and its rounded coordinates, 0.3826: that of a unit
square's points to its center.
"""

Files = Mapping[ImagePlace, ImageFile | ImageError]


@dataclass(frozen=True)
class Spread:
    """Minimum, median and maximum of some numbers.

    Example:
        >>> Spread.of([3, 1, 8])
        Spread(min=1.0, median=3.0, max=8.0)
    """

    min: float
    median: float
    max: float

    @classmethod
    def of(cls, values: ArrayLike) -> "Spread":
        """The spread of the numbers that are not NaN; NaN of none."""
        finite = np.asarray(values, np.float64).ravel()
        finite = finite[~np.isnan(finite)]
        if not finite.size:
            return cls(np.nan, np.nan, np.nan)
        return cls(float(finite.min()), float(np.median(finite)), float(finite.max()))


@dataclass(frozen=True)
class LabelStats:
    """Labels of a subset, in the coordinates that they were read with, pixels."""

    faces: int
    missing_points: int
    eye_distance: Spread  # between the two points that scale errors
    coordinates: Spread
    whole_numbers: bool  # all coordinates lie on one grid of whole pixels: they were rounded
    rounding_nme: float  # percent that rounding to whole pixels alone costs, done or not
    points_outside: int  # points beyond their image's edge
    faces_outside: int  # faces with such a point
    furthest_outside: float  # largest distance of such a point from its image's edge


@dataclass(frozen=True)
class FileStats:
    """Image files of a subset."""

    images: int
    unreadable: tuple[str, ...]  # errors; all other numbers leave these files out
    width: Spread  # pixels
    height: Spread
    formats: Mapping[str, int]  # format of the bytes -> files
    misnamed: int  # files whose ending names another format
    modes: Mapping[str, int]  # "gray", "RGB", "RGBA" -> files
    byte_duplicates: int  # files beyond the first with the same bytes
    near_duplicates: int  # pairs of files that look the same, byte duplicates among them


@dataclass(frozen=True)
class SubsetStats:
    """One subset of a data set."""

    labels: LabelStats
    files: FileStats
    groups: int  # people or photos that a split should keep together; 0 where unknown
    videos: int  # 0 where unknown
    hidden_points: int  # labeled as hidden, with a place or without
    faces_with_pupils: int


@dataclass(frozen=True)
class Overlap:
    """What two subsets share: if anything, one is no fair test of the other."""

    first: str
    second: str
    groups: int  # people or photos
    videos: int
    names: int  # file names
    names_of_other_images: int  # those of them whose bytes differ
    byte_duplicates: int  # files of the second subset whose bytes are in the first
    near_duplicates: int  # files of the second that look like one of the first, these included


@dataclass(frozen=True)
class DataStats:
    """A whole data set: its subsets by name, and each pair of them that share something.

    Example:
        >>> stats = data_stats(load_annotations("data").subsets)  # doctest: +SKIP
        >>> stats.subsets["test"].labels.eye_distance.median  # doctest: +SKIP
    """

    subsets: Mapping[str, SubsetStats]
    shared: tuple[Overlap, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers (of 4 decimals), lists and dicts for JSON; None where one is unknown."""
        return dict(plain(asdict(self)))


def data_stats(
    subsets: Mapping[str, Sequence[FaceAnnotation]],
    schema: KeypointSchema = IBUG68,
    files: Files | None = None,
) -> DataStats:
    """Count and measure everything; opens each image once, unless ``files`` has it."""
    opened = [_Subset(name, faces, files or {}) for name, faces in subsets.items()]
    owners = [subset.name for subset in opened for _ in subset.images]
    pairs = find_near_duplicates([file for subset in opened for file in subset.images])
    # Subsets of the first and the second image of a pair -> the second images.
    duplicates: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for pair in pairs:
        duplicates[owners[pair.first], owners[pair.second]].append(pair.second)
    shared = [
        _overlap(first, second, len(set(duplicates[first.name, second.name])))
        for first, second in combinations(opened, 2)
    ]
    return DataStats(
        subsets={
            one.name: one.stats(schema, len(duplicates[one.name, one.name])) for one in opened
        },
        shared=tuple(pair for pair in shared if pair.groups or pair.names or pair.near_duplicates),
    )


def label_stats(points: ArrayLike, sizes: ArrayLike, schema: KeypointSchema = IBUG68) -> LabelStats:
    """Stats of points ``(N, K, 2)``, pixels (NaN missing), in images of these widths and heights
    ``(N, 2)`` (NaN unknown).
    """
    labels, limits = np.asarray(points, np.float64), np.asarray(sizes, np.float64)[:, None] - 0.5
    eyes = norm_distances(labels, schema)
    inverse = 1 / eyes[eyes > 0]
    beyond = np.maximum(-0.5 - labels, labels - limits)
    outside = np.linalg.norm(np.nan_to_num(beyond).clip(min=0), axis=2)
    return LabelStats(
        faces=len(labels),
        missing_points=int(np.isnan(labels).any(axis=2).sum()),
        eye_distance=Spread.of(eyes),
        coordinates=Spread.of(labels),
        whole_numbers=_on_grid(labels),
        rounding_nme=100 * ROUNDING_ERROR * float(inverse.mean()) if inverse.size else np.nan,
        points_outside=int((outside > 0).sum()),
        faces_outside=int((outside > 0).any(axis=1).sum()),
        furthest_outside=float(outside.max(initial=0)),
    )


def mirror_text(schema: KeypointSchema) -> str:
    """Which points a mirror image swaps, in words: a pair that is missed teaches the wrong side."""
    names = schema.names
    pairs = [f"{names[i]} and {names[j]}" for i, j in enumerate(schema.flip) if i < j]
    if schema in SCHEMAS.values():
        pairs = [f"the pairs of {schema.name}"]
    nothing = "nothing: no names with left and right, and no flip in a schema.yaml"
    return f"mirror image swaps: {', '.join(pairs) or nothing}"


def _on_grid(points: Matrix) -> bool:
    """Whether the coordinates are whole numbers apart from one shift, as that of an origin."""
    labeled = points[~np.isnan(points).any(axis=2)]
    steps = labeled - labeled[:1]
    return len(labeled) > 0 and bool((np.abs(steps - steps.round()) < 1e-3).all())


class _Subset:
    """A subset with its image files, opened unless ``files`` has them."""

    def __init__(self, name: str, faces: Sequence[FaceAnnotation], files: Files) -> None:
        self.name, self.faces = name, faces
        self.images: list[ImageFile] = []
        self.unreadable: list[str] = []
        for path in sorted({face.image for face in faces}):
            try:
                file = files[path] if path in files else inspect_image(path)
            except ImageError as error:
                file = error
            if isinstance(file, ImageFile):
                self.images.append(file)
            else:
                self.unreadable.append(str(file))
        self.groups = {face.group for face in faces if face.group}
        self.videos = {video for face in faces if (video := video_of(face))}

    def stats(self, schema: KeypointSchema, near_duplicates: int) -> SubsetStats:
        images = self.images
        files = FileStats(
            images=len(images) + len(self.unreadable),
            unreadable=tuple(self.unreadable),
            width=Spread.of([file.width for file in images]),
            height=Spread.of([file.height for file in images]),
            formats=dict(Counter(file.format for file in images)),
            misnamed=sum(file.misnamed for file in images),
            modes=dict(Counter(file.mode for file in images)),
            byte_duplicates=len(images) - len({file.sha256 for file in images}),
            near_duplicates=near_duplicates,
        )
        size_of = {file.path: (file.width, file.height) for file in images}
        sizes = [size_of.get(face.image, (np.nan, np.nan)) for face in self.faces]
        labels = label_stats([face.points for face in self.faces], sizes, schema)
        return SubsetStats(
            labels=labels,
            files=files,
            groups=len(self.groups),
            videos=len(self.videos),
            hidden_points=sum(
                int((face.visible == 0).sum()) for face in self.faces if face.visible is not None
            ),
            faces_with_pupils=sum(
                bool(np.isfinite(face.pupils).any())
                for face in self.faces
                if face.pupils is not None
            ),
        )


def _overlap(first: _Subset, second: _Subset, near_duplicates: int) -> Overlap:
    hash_of = {file.path.name: file.sha256 for file in first.images}
    hashes = {file.sha256 for file in first.images}
    same_name = [file for file in second.images if file.path.name in hash_of]
    return Overlap(
        first=first.name,
        second=second.name,
        groups=len(first.groups & second.groups),
        videos=len(first.videos & second.videos),
        names=len(same_name),
        names_of_other_images=sum(file.sha256 != hash_of[file.path.name] for file in same_name),
        byte_duplicates=sum(file.sha256 in hashes for file in second.images),
        near_duplicates=near_duplicates,
    )
