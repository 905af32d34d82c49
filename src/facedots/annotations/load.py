"""Whatever annotated data a path stands for: a CSV, a COCO file, a folder of ``.pts`` files, a
folder with several of these.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from facedots.annotations.base import FaceAnnotation, Origin
from facedots.annotations.coco import read_coco
from facedots.annotations.csv_points import read_csv
from facedots.annotations.pts import read_pts
from facedots.annotations.schemas import coco_schema, csv_schema, pts_schema, schema_beside
from facedots.data.download import PARTS
from facedots.data.sources import SOURCES, YTF_ORIGIN, person_id
from facedots.errors import DataError
from facedots.schema import IBUG68, KeypointSchema

LABELS = "_frames_keypoints"
"""What follows a part's name in the names of YouTube faces' label files; the images are in the
folder of the part's name.
"""

Parts = dict[str, list[FaceAnnotation]]
"""The faces of each part of a data set (file or folder of files), by the part's name."""


@dataclass(frozen=True)
class ReadOptions:
    """How to read annotation files.

    Attributes:
        format: ``"csv"``, ``"coco"`` or ``"pts"``, to take only these; None to take what is there.
        images: The folder with the images of a CSV or COCO file; None for the usual place: beside
            the file, and for ``x_frames_keypoints.csv`` the folder ``x``.
        origin: The coordinates that the files give to the center of the top-left pixel; None for
            the usual of their format.
        as_trained: Take YouTube faces with the origin that training uses (``YTF_ORIGIN``), not as
            the file has them.
        schema: What the points mean.
    """

    format: str | None = None
    images: Path | None = None
    origin: Origin | None = None
    as_trained: bool = False
    schema: KeypointSchema = IBUG68


def load_annotations(source: str | Path, how: ReadOptions = ReadOptions()) -> Parts:
    """The faces that a path stands for.

    A folder stands for its CSV files; without any, for its COCO files (``.json``); without any, for
    the ``.pts`` files in it and below. A folder that holds folders of the known data sets stands
    for these.

    Returns:
        In a stable order. Faces of YouTube faces have their person as group, those of ``.pts``
        files their photo.

    Raises:
        DataError: There is nothing to read.
        AnnotationError: A file has faults.
    """
    path = Path(source)
    if known := _known(path):
        return {
            f"{f.name}/{part}" if part != f.name else part: faces
            for f in known
            for part, faces in load_annotations(f, how).items()
        }
    kind, files = _files_of(path, how.format)
    return {file.resolve().stem.removesuffix(LABELS): _READERS[kind](file, how) for file in files}


def find_schema(source: str | Path, format: str | None = None) -> KeypointSchema:
    """What the points of the data mean that a path stands for, see :func:`load_annotations`.

    A ``schema.yaml`` in the folder, or beside the file, says it. Else 68 points are iBUG's, a COCO
    file names its points in its category, a CSV in its header, and ``.pts`` files do not.

    Args:
        source: The path.
        format: As in :class:`ReadOptions`.

    Raises:
        DataError: There is nothing to read, or nothing says what the points are; with what to
            write.
    """
    path = Path(source)
    if _known(path):
        return IBUG68
    kind, files = _files_of(path, format)
    return schema_beside(path) or _SCHEMAS[kind](files[0])


def _known(path: Path) -> list[Path]:
    """The folders of known data sets in a folder."""
    return [path / name for name in SOURCES if (path / name).is_dir()]


def _files_of(path: Path, format: str | None) -> tuple[str, list[Path]]:
    """The format of the annotations that a path stands for, and what its reader is called with,
    once each.
    """
    if format not in (None, *_READERS):
        raise DataError(f"no format {format!r}: use one of {', '.join(_READERS)}")
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.is_file():
        kind = format or next(
            (kind for kind, pattern in _PATTERNS.items() if path.match(pattern)), None
        )
        if kind is None:
            raise DataError(
                f"{path}: the file's ending does not tell its format; give --format, one of {', '.join(_READERS)}"
            )
        return kind, [path]
    kinds = [format] if format else list(_READERS)
    for kind in kinds:
        if files := _files(path, kind):
            return kind, files
    raise DataError(
        f"{path}: no annotations here ({' or '.join(_PATTERNS[kind] for kind in kinds)})"
    )


def _files(folder: Path, kind: str) -> list[Path]:
    """What the reader of a kind is called with: each file of the folder, or the folder itself."""
    if kind == "pts":
        return [folder] if next(folder.rglob(_PATTERNS[kind]), None) else []
    # What is to be learned first, then the exam: what two parts share is told of the second.
    return sorted(
        folder.glob(_PATTERNS[kind]),
        key=lambda file: (not file.name.startswith("train"), file.name),
    )


def _csv(file: Path, how: ReadOptions) -> list[FaceAnnotation]:
    usual = file.parent / file.stem.removesuffix(LABELS)
    published = file.name in PARTS.values()
    faces = read_csv(
        file,
        how.images or (usual if usual.is_dir() else file.parent),
        how.schema,
        how.origin or (YTF_ORIGIN if published and how.as_trained else (0.0, 0.0)),
    )
    return (
        [replace(face, group=f"youtube-faces/{person_id(face.name)}") for face in faces]
        if published
        else faces
    )


def _coco(file: Path, how: ReadOptions) -> list[FaceAnnotation]:
    return read_coco(file, how.images or file.parent, how.schema, how.origin or (0.0, 0.0))


def _pts(folder: Path, how: ReadOptions) -> list[FaceAnnotation]:
    return read_pts(folder, how.schema, how.origin or (1.0, 1.0))


_READERS: Mapping[str, Callable[[Path, ReadOptions], list[FaceAnnotation]]] = MappingProxyType(
    {"csv": _csv, "coco": _coco, "pts": _pts}
)
_PATTERNS: Mapping[str, str] = MappingProxyType({"csv": "*.csv", "coco": "*.json", "pts": "*.pts"})
_SCHEMAS: Mapping[str, Callable[[Path], KeypointSchema]] = MappingProxyType(
    {"csv": csv_schema, "coco": coco_schema, "pts": pts_schema}
)
