"""Packs: labeled faces and their images in tar shards, with an index.

A pack is a folder, or an fsspec address (``s3://bucket/faces``), with

* ``shard-000000.tar``, …: for each image its bytes as they were, ``000000042.jpg``, and beside it
  ``000000042.json`` with ``file`` (the image's path in the data set) and ``faces``; other tools
  read them as WebDataset shards;
* ``index.jsonl``: the same record of each image in a line, with ``shard``, ``name`` (in the
  shard), ``offset``, ``size`` and ``sha256`` of its bytes. An unpacked image has no shard: it is
  the file beside the index;
* ``pack.json``, written last: ``version``, ``schema``, ``images``, ``faces`` and ``index_sha256``.

A face has its ``subset``, its ``number`` in the data set, and what
:class:`~facedots.annotations.base.FaceAnnotation` holds; a missing coordinate is null, and there
are no ``pupils``, ``box``, ``visible`` or ``is_face`` where they say nothing. Points are in pixels,
(0, 0) is the center of the top-left pixel.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from facedots.annotations.base import FaceAnnotation
from facedots.errors import AnnotationError, DataError
from facedots.geometry import Floats
from facedots.io.remote import is_remote, read_bytes
from facedots.io.tar_files import ImagePlace, TarMember
from facedots.schema import PUPILS, KeypointSchema

PACK_FILE, INDEX_FILE = "pack.json", "index.jsonl"
PACK_VERSION = 1


@dataclass(frozen=True, eq=False)
class PackedFace:
    """A face of a pack, its subset, and its number in the order of the data set."""

    number: int
    subset: str
    face: FaceAnnotation


@dataclass(frozen=True, eq=False)
class PackedImage:
    """An image of a pack, the path that it had in the data set, and its faces."""

    place: ImagePlace
    file: str
    faces: tuple[PackedFace, ...]


def is_pack(source: str | Path) -> bool:
    """Whether a path is a pack; every address is taken as one."""
    return is_remote(str(source)) or (Path(source) / PACK_FILE).is_file()


def read_pack(source: str | Path) -> tuple[KeypointSchema, list[PackedImage]]:
    """What the points of a pack mean, and its images; none is opened.

    Raises:
        AnnotationError: The index is damaged.
        DataError: It is no pack, or of another version of facedots.
        DownloadError: The address cannot be read.
    """
    if not is_pack(source):
        raise DataError(f"{source}: no pack, as {PACK_FILE} is missing")
    root = str(source) if is_remote(str(source)) else str(Path(source).absolute())
    head_file, index_file = (f"{root}/{name}" for name in (PACK_FILE, INDEX_FILE))
    index = _read(index_file)
    try:
        head = json.loads(_read(head_file))
        version, digest = head["version"], head["index_sha256"]
        schema = KeypointSchema.from_json(json.dumps(head["schema"]))
    except (ValueError, KeyError, TypeError) as error:
        raise AnnotationError(head_file, [f"not the head of a pack: {error}"]) from error
    if version != PACK_VERSION:
        raise DataError(f"{head_file}: version {version}; update facedots, which reads 1")
    if hashlib.sha256(index).hexdigest() != digest:
        raise AnnotationError(
            index_file, [f"not the index of its {PACK_FILE}: copy the pack again, or pack anew"]
        )
    return schema, list(_images(root, index, schema.count))


def read_subsets(
    source: str | Path, needed: KeypointSchema | None = None
) -> tuple[dict[str, list[FaceAnnotation]], KeypointSchema]:
    """The faces of a pack by subset, both in the order of the data set, and their schema.

    Raises:
        DataError: The schema has not the points of the ``needed`` one; see :func:`read_pack`.
    """
    schema, images = read_pack(source)
    if needed and needed.names != schema.names:
        raise DataError(
            f"{source}: {schema.count} points ({schema.name}), not the {needed.count} that are "
            f"needed ({needed.name})"
        )
    subsets: dict[str, list[FaceAnnotation]] = {}
    packed = (face for image in images for face in image.faces)
    for each in sorted(packed, key=lambda face: face.number):
        subsets.setdefault(each.subset, []).append(each.face)
    return subsets, needed or schema


def face_record(packed: PackedFace) -> dict[str, Any]:
    """A face as shards and index hold it."""
    face = packed.face
    further = {"pupils": face.pupils, "box": face.box, "visible": face.visible}
    return {
        "number": packed.number,
        "subset": packed.subset,
        "name": face.name,
        "group": face.group,
        "label_bias_x": face.label_bias_x,
        "label_style": face.label_style,
        "points": _values(face.points),
        **{key: _values(array) for key, array in further.items() if array is not None},
        **({} if face.is_face else {"is_face": False}),
    }


def _values(points: Floats) -> list[float | None]:
    values = points.astype(np.float64).ravel().tolist()
    return [None if isnan(x) else x for x in values]


def _read(location: str) -> bytes:
    try:
        return read_bytes(location)
    except OSError as error:
        raise AnnotationError(location, [f"cannot be read: {error.strerror}"]) from error


def _images(root: str, index: bytes, count: int) -> Iterator[PackedImage]:
    files = set[str]()
    for number, line in enumerate(index.splitlines(), 1):
        try:
            record = json.loads(line)
            place = _place(root, record)
            if (file := str(record["file"])) in files:
                raise ValueError(f"{file} is there twice")
            files.add(file)
            faces = tuple(_face(face, place, count) for face in record["faces"])
            yield PackedImage(place, file, faces)
        except (ValueError, KeyError, TypeError) as error:
            fault = f"line {number}: {type(error).__name__}: {error}"
            raise AnnotationError(f"{root}/{INDEX_FILE}", [fault]) from error


def _place(root: str, record: dict[str, Any]) -> ImagePlace:
    file = PurePosixPath(record["file"])
    if file.is_absolute() or ".." in file.parts:
        raise ValueError(f"{file} is outside the data set")
    if not record["shard"]:
        return Path(root, file)
    return TarMember(
        f"{root}/{record['shard']}",
        str(record["name"]),
        int(record["offset"]),
        int(record["size"]),
        str(record["sha256"]),
        str(file),
    )


def _face(record: dict[str, Any], place: ImagePlace, count: int) -> PackedFace:
    def array(key: str, *shape: int) -> Floats | None:
        return np.array(record[key], np.float32).reshape(shape) if key in record else None

    face = FaceAnnotation(
        place,
        np.array(record["points"], np.float32).reshape(count, 2),
        record["name"],
        record["group"],
        float(record["label_bias_x"]),
        record["label_style"],
        array("pupils", PUPILS.count, 2),
        array("box", 4),
        array("visible", count),
        bool(record.get("is_face", True)),
    )
    return PackedFace(int(record["number"]), record["subset"], face)
