"""Labeled faces into packs (:mod:`facedots.annotations.packs`), and out of them again."""

import contextlib
import hashlib
import json
import os
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import cv2

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.load import AnnotationSet
from facedots.annotations.packs import (
    INDEX_FILE,
    PACK_FILE,
    PACK_VERSION,
    PackedFace,
    face_record,
    read_pack,
)
from facedots.annotations.visibility import seen_points
from facedots.errors import DataError, OutputError
from facedots.geometry import CropSpec, Matrix, apply_affine, crop_matrix, warp_image
from facedots.io.files import atomic_write, local_path
from facedots.io.images import read_image, read_image_bytes
from facedots.io.tar_files import ImagePlace, TarWriter
from facedots.schema import KeypointSchema

SHARD_BYTES = 256 << 20
"""A shard is closed when it has as many bytes."""
CROP_SCALE = 2.0
"""Side of packed crops, in longer sides of the tight box: room for what augmentation shifts, turns
and enlarges.
"""
CROP_QUALITY = 95
"""Of the JPEG files of packed crops."""

_Entry = tuple[str, bytes, list[PackedFace]]
"""An image to pack: its path in the data set, its bytes, its faces."""


def pack(
    data: AnnotationSet, out: str | Path, *, crop_size: int = 0, shard_bytes: int = SHARD_BYTES
) -> Generator[str, None, None]:
    """Write a data set as a pack: the bytes of its images as they are, and all that is known of its
    faces. The same data give the same bytes. Where it fails, or is closed before its end, it leaves
    nothing.

    Args:
        data: The data set.
        out: Folder to write.
        crop_size: Instead of the images, pack a crop around each face, :data:`CROP_SCALE` times its
            box, reduced to this many pixels where it is larger; 0 for whole images.
        shard_bytes: Size at which a shard is closed.

    Yields:
        Each image's path in the data set, when it is in its shard.

    Raises:
        ImageError: An image cannot be read.
        OutputError: The folder holds a data set already, or cannot be written.

    Example:
        >>> data = load_annotations("data/youtube-faces")  # doctest: +SKIP
        >>> for file in pack(data, "packs/youtube-faces"):  # doctest: +SKIP
        ...     print(file)
    """
    lines = list[str]()
    entries = _crops(data, crop_size) if crop_size else _whole_images(data)
    with _new_folder(out) as (root, written), contextlib.ExitStack() as stack:
        tar: TarWriter | None = None
        for file, content, faces in entries:
            if tar is None or tar.size >= shard_bytes:
                stack.close()  # the shard before is whole
                written.append(root / f"shard-{len(written):06d}.tar")
                tar = stack.enter_context(TarWriter(written[-1]))
            key = f"{len(lines):09d}"
            name = key + (PurePath(file).suffix.lower() or ".image")
            record = _record(file, faces)
            place = {
                "shard": tar.path.name,
                "name": name,
                "offset": tar.add(name, content),
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
            tar.add(f"{key}.json", json.dumps(record).encode())
            lines.append(json.dumps(place | record))
            yield file
        stack.close()
        _write_index(root, written, lines, data.schema)


def unpack(source: str | Path, out: str | Path) -> Generator[str, None, None]:
    """Write the images of a pack as files under their paths in the data set, with the index beside
    them, by which the folder is the same data set. Where it fails, or is closed before its end, it
    leaves nothing.

    Yields:
        Each image's path, when it is written.

    Raises:
        ImageError: A shard is damaged.
        OutputError: The folder holds a data set already, or cannot be written.

    Example:
        >>> files = list(unpack("packs/youtube-faces", "data/unpacked"))  # doctest: +SKIP
    """
    lines = list[str]()
    with _new_folder(out) as (root, written):
        schema, images = read_pack(source)
        for image in images:
            written.append(root / image.file)
            atomic_write(written[-1], read_image_bytes(image.place))
            lines.append(json.dumps({"shard": ""} | _record(image.file, image.faces)))
            yield image.file
        _write_index(root, written, lines, schema)


@contextlib.contextmanager
def _new_folder(out: str | Path) -> Iterator[tuple[Path, list[Path]]]:
    """A folder without files, and a list for those that are written. Where that fails or is stopped
    they are removed, so that another try finds the folder as this one did.
    """
    folder, written = local_path(out), list[Path]()
    if folder.is_dir() and next(folder.iterdir(), None):
        raise OutputError(f"{out}: holds files already; choose another folder, or empty it")
    try:
        yield folder, written
    except BaseException:
        for file in written:
            _remove(file, folder)
        raise


def _remove(file: Path, root: Path) -> None:
    """Remove a file, and the folders below ``root`` that are empty then."""
    with contextlib.suppress(OSError):
        file.unlink()
    while (file := file.parent) != root:
        with contextlib.suppress(OSError):  # it is not empty
            file.rmdir()


def _write_index(root: Path, written: list[Path], lines: list[str], schema: KeypointSchema) -> None:
    """The index, and last what makes the folder a pack."""
    index = "".join(f"{line}\n" for line in lines).encode()
    head = {
        "version": PACK_VERSION,
        "schema": json.loads(schema.to_json()),
        "images": len(lines),
        "index_sha256": hashlib.sha256(index).hexdigest(),
    }
    written += [root / INDEX_FILE, root / PACK_FILE]
    atomic_write(root / INDEX_FILE, index)
    atomic_write(root / PACK_FILE, json.dumps(head, indent=2) + "\n")


def _record(file: str, faces: Iterable[PackedFace]) -> dict[str, Any]:
    return {"file": file, "faces": [face_record(face) for face in faces]}


def _numbered(data: AnnotationSet) -> Iterator[PackedFace]:
    faces = ((subset, face) for subset, faces in data.subsets.items() for face in faces)
    for number, (subset, face) in enumerate(faces):
        yield PackedFace(number, subset, face)


def _whole_images(data: AnnotationSet) -> Iterator[_Entry]:
    by_image: dict[ImagePlace, list[PackedFace]] = {}
    for each in _numbered(data):
        image = each.face.image
        place = Path(os.path.abspath(image)) if isinstance(image, Path) else image  # noqa: PTH100
        by_image.setdefault(place, []).append(each)
    names = _relative_names(list(by_image))
    for name, (image, faces) in zip(names, by_image.items(), strict=True):
        yield name, read_image_bytes(image), faces


def _relative_names(images: list[ImagePlace]) -> list[str]:
    """The paths of images below the folder that holds all of them; of packed ones, those before."""
    folders = {image.parent for image in images if isinstance(image, Path)}
    root = Path(os.path.commonpath(folders)) if folders else Path()
    return [
        image.relative_to(root).as_posix() if isinstance(image, Path) else image.file
        for image in images
    ]


def moved_face(face: FaceAnnotation, matrix: Matrix, size: tuple[int, int]) -> FaceAnnotation:
    """The labels of a face under a map that shifts and enlarges its image, of this height and
    width; points outside it stay hidden.
    """
    pupils = None if face.pupils is None else apply_affine(matrix, face.pupils)
    box = None if face.box is None else apply_affine(matrix, face.box.reshape(2, 2)).ravel()
    seen = seen_points(face, *size)
    return replace(
        face,
        visible=seen if (seen == 0).any() else face.visible,
        points=apply_affine(matrix, face.points),
        pupils=pupils,
        box=box,
        label_bias_x=face.label_bias_x * float(matrix[0, 0]),
    )


def _crops(data: AnnotationSet, size: int) -> Iterator[_Entry]:
    for each in _numbered(data):
        face = each.face
        box = face.tight_box[None]
        if not (box[0, 2:] > box[0, :2]).all():
            raise DataError(f"{face.name}: its points span no box to crop; pack whole images")
        image = read_image(face.image, orient=False)
        square = CropSpec("box", CROP_SCALE).crop_squares(box, (1, 1))[0]
        side = min(size, max(1, round(float(square[2]))))
        matrix = crop_matrix(square, side)
        crop = cv2.cvtColor(warp_image(image, matrix, (side, side)), cv2.COLOR_RGB2BGR)
        moved = moved_face(face, matrix, (image.shape[0], image.shape[1]))
        encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, CROP_QUALITY])[1]
        yield f"{each.number:09d}.jpg", encoded.tobytes(), [replace(each, face=moved)]
