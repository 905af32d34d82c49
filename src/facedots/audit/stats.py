"""The table to make before training: what the files and labels of a data set are, part by part and
across parts.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.known_sets import video_of
from facedots.audit.duplicates import find_near_duplicates
from facedots.audit.image_files import ImageFile, inspect_image
from facedots.errors import ImageError
from facedots.schema import IBUG68, KeypointSchema

ROUNDING_ERROR = (np.sqrt(2) + np.arcsinh(1)) / 6
"""Mean distance in pixels between a point and its rounded coordinates, 0.3826: that of a unit
square's points to its center.
"""


@dataclass(frozen=True)
class Spread:
    """Smallest, middle and largest of some numbers.

    >>> Spread.of([3, 1, 8])
    Spread(min=1.0, median=3.0, max=8.0)
    """

    min: float
    median: float
    max: float

    @classmethod
    def of(cls, values: ArrayLike) -> "Spread":
        """The spread of the numbers that are not NaN; NaN of none."""
        known = np.asarray(values, np.float64).ravel()
        known = known[~np.isnan(known)]
        if not known.size:
            return cls(np.nan, np.nan, np.nan)
        return cls(float(known.min()), float(np.median(known)), float(known.max()))


@dataclass(frozen=True)
class LabelStats:
    """What the labels of a part are, in the coordinates that they were read with.

    Attributes:
        faces: Annotated faces.
        missing_points: Points without coordinates.
        eye_distance: Between the two points that scale errors, in pixels.
        coordinates: Of all points, in pixels.
        whole_numbers: All coordinates lie on one grid of whole pixels: they were rounded.
        rounding_nme: What rounding to whole pixels alone costs, in percent of the eye distance,
            whether they were rounded or not.
        points_outside: Points beyond their image's edge.
        faces_outside: Faces with such a point.
        furthest_outside: The largest distance of such a point from its image's edge, in pixels.
    """

    faces: int
    missing_points: int
    eye_distance: Spread
    coordinates: Spread
    whole_numbers: bool
    rounding_nme: float
    points_outside: int
    faces_outside: int
    furthest_outside: float


@dataclass(frozen=True)
class FileStats:
    """What the image files of a part are.

    Attributes:
        images: Files.
        unreadable: Those that cannot be decoded, and why; the rest of the numbers leaves them out.
        width: In pixels.
        height: In pixels.
        formats: What the bytes are -> files.
        misnamed: Files whose ending says another format.
        modes: ``"gray"``, ``"RGB"``, ``"RGBA"`` -> files.
        byte_duplicates: Files beyond the first with the same bytes.
        near_duplicates: Pairs of files that look the same, byte duplicates among them.
    """

    images: int
    unreadable: tuple[str, ...]
    width: Spread
    height: Spread
    formats: Mapping[str, int]
    misnamed: int
    modes: Mapping[str, int]
    byte_duplicates: int
    near_duplicates: int


@dataclass(frozen=True)
class PartStats:
    """One part of a data set.

    Attributes:
        labels: See there.
        files: See there.
        groups: Persons or photos that a split should keep together; 0 where unknown.
        videos: Videos; 0 where unknown.
    """

    labels: LabelStats
    files: FileStats
    groups: int
    videos: int


@dataclass(frozen=True)
class Shared:
    """What two parts have in common: where it is not nothing, one is no fair exam of the other.

    Attributes:
        first: Name of a part.
        second: Name of another.
        groups: Persons or photos in both.
        videos: Videos in both.
        names: File names in both.
        names_of_other_images: Those whose bytes differ: the name alone does not tell the image.
        byte_duplicates: Files of the second part whose bytes are in the first.
        near_duplicates: Files of the second part that look like one of the first, byte duplicates
            among them.
    """

    first: str
    second: str
    groups: int
    videos: int
    names: int
    names_of_other_images: int
    byte_duplicates: int
    near_duplicates: int


@dataclass(frozen=True)
class DataStats:
    """A whole data set: its parts by name, and each pair of parts that share something."""

    parts: Mapping[str, PartStats]
    shared: tuple[Shared, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and dicts, ready for JSON; None where a number is unknown."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def data_stats(
    parts: Mapping[str, Sequence[FaceAnnotation]],
    schema: KeypointSchema = IBUG68,
    files: Mapping[Path, ImageFile | ImageError] | None = None,
) -> DataStats:
    """Count and measure everything; opens each image once, unless ``files`` has it."""
    opened = [_Opened.of(name, faces, files or {}) for name, faces in parts.items()]
    shared = [_shared(first, second) for first, second in combinations(opened, 2)]
    return DataStats(
        parts={part.name: _part_stats(part, schema) for part in opened},
        shared=tuple(pair for pair in shared if pair.groups or pair.names or pair.near_duplicates),
    )


def label_stats(points: ArrayLike, sizes: ArrayLike, schema: KeypointSchema = IBUG68) -> LabelStats:
    """The numbers of :class:`LabelStats`.

    Args:
        points: (N, K, 2) in pixels; NaN missing.
        sizes: (N, 2), width and height of each face's image; NaN unknown.
        schema: Names the pair of points that scales errors.
    """
    given = np.asarray(points, np.float64)
    right, left = schema.norm_pair
    eyes = np.linalg.norm(given[:, left] - given[:, right], axis=1)
    outside = _outside(given, np.asarray(sizes, np.float64))
    return LabelStats(
        faces=len(given),
        missing_points=int(np.isnan(given).any(axis=2).sum()),
        eye_distance=Spread.of(eyes),
        coordinates=Spread.of(given),
        whole_numbers=_on_grid(given),
        rounding_nme=float(100 * ROUNDING_ERROR * np.mean(1 / eyes[eyes > 0]))
        if (eyes > 0).any()
        else np.nan,
        points_outside=int((outside > 0).sum()),
        faces_outside=int((outside > 0).any(axis=1).sum()),
        furthest_outside=float(outside.max(initial=0)),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def _outside(points: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far (N, K) each point lies beyond its image's edge; 0 within it and where unknown."""
    beyond = np.maximum(-0.5 - points, points - (sizes[:, None] - 0.5))
    return np.asarray(np.linalg.norm(np.nan_to_num(beyond).clip(min=0), axis=2))


def _on_grid(points: NDArray[np.float64]) -> bool:
    """All x, and all y, are whole numbers apart from one common shift, whatever origin was
    subtracted.
    """
    known = points[~np.isnan(points).any(axis=2)]
    steps = known - known[:1]
    return bool(len(known)) and bool((np.abs(steps - steps.round()) < 1e-3).all())


@dataclass(frozen=True)
class _Opened:
    """A part's labels and what its image files turned out to be."""

    name: str
    faces: Sequence[FaceAnnotation]
    images: list[ImageFile]
    unreadable: list[str]

    @classmethod
    def of(
        cls,
        name: str,
        faces: Sequence[FaceAnnotation],
        files: Mapping[Path, ImageFile | ImageError],
    ) -> "_Opened":
        part = cls(name, faces, [], [])
        for path in sorted({face.image for face in faces}):
            file = files[path] if path in files else _inspect(path)
            if isinstance(file, ImageFile):
                part.images.append(file)
            else:
                part.unreadable.append(str(file))
        return part

    @property
    def groups(self) -> set[str]:
        return {face.group for face in self.faces if face.group}

    @property
    def videos(self) -> set[str]:
        return {video for face in self.faces if (video := video_of(face))}


def _inspect(path: Path) -> ImageFile | ImageError:
    try:
        return inspect_image(path)
    except ImageError as error:
        return error


def _part_stats(part: _Opened, schema: KeypointSchema) -> PartStats:
    size_of = {file.path: (file.width, file.height) for file in part.images}
    sizes = [size_of.get(face.image, (np.nan, np.nan)) for face in part.faces]
    files = FileStats(
        images=len(part.images) + len(part.unreadable),
        unreadable=tuple(part.unreadable),
        width=Spread.of([file.width for file in part.images]),
        height=Spread.of([file.height for file in part.images]),
        formats=dict(Counter(file.format for file in part.images)),
        misnamed=sum(file.misnamed for file in part.images),
        modes=dict(Counter(file.mode for file in part.images)),
        byte_duplicates=len(part.images) - len({file.sha256 for file in part.images}),
        near_duplicates=len(find_near_duplicates(part.images)),
    )
    labels = label_stats([face.points for face in part.faces], sizes, schema)
    return PartStats(labels, files, groups=len(part.groups), videos=len(part.videos))


def _shared(first: _Opened, second: _Opened) -> Shared:
    bytes_of = {file.path.name: file.sha256 for file in first.images}
    seen = {file.sha256 for file in first.images}
    named_alike = [file for file in second.images if file.path.name in bytes_of]
    pairs = find_near_duplicates([*first.images, *second.images])
    count = len(first.images)
    return Shared(
        first=first.name,
        second=second.name,
        groups=len(first.groups & second.groups),
        videos=len(first.videos & second.videos),
        names=len(named_alike),
        names_of_other_images=sum(file.sha256 != bytes_of[file.path.name] for file in named_alike),
        byte_duplicates=sum(file.sha256 in seen for file in second.images),
        near_duplicates=len({pair.second for pair in pairs if pair.first < count <= pair.second}),
    )
