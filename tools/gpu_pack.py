"""The training data of `tools/gpu_run.py`, small enough to travel: all labeled faces beside the
project as WebP crops in a pack, and the finder's scenes with photos of the size it draws them in.

    python tools/gpu_pack.py faces ../shared/data    # /tmp/facedots-gpu/faces, .gpu/faces.tar.xz
    python tools/gpu_pack.py faces ../shared/data --teacher TEACHER    # tools/teacher.py
    python tools/gpu_pack.py scenes FOLDER           # of tools/finder_scenes.py: .gpu/scenes.tar.xz

Subsets of the pack: *train*; *val*, the groups that the split ``official`` holds out to choose the
checkpoint, and a tenth of the people whose pupils are labeled; *test*, every tenth photo of 300-W
and ``google2_*`` of the infants. Label styles: `STYLES`. ``helen29`` stays out: some of its photos
are those of 300-W, perhaps held-out ones. A teacher moves the labels of *train*: tools/teacher.py
says which, and how it is made.
"""

import argparse
import csv
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from finder_scenes import IN_TEST_SETS, listed_boxes, tight_boxes_of
from gpu_archive import CARRIED, TEACHER_FILE, WORK
from teacher import Teacher, taught_by

from facedots import IBUG68, CropSpec, RetinaFace, read_image
from facedots.annotations import AnnotationSet, FaceAnnotation, pack
from facedots.annotations.packing import moved_face
from facedots.data import load_split
from facedots.data.canvas import map_boxes
from facedots.data.scenes import Scene, load_scenes, map_squares, write_scenes
from facedots.geometry import Floats, Image, Matrix, apply_affine, crop_matrix, warp_image
from facedots.io.files import atomic_write

STYLES = ("300w", "youtube-faces", "fgnet", "webmorph")

SAME = {i: i for i in range(IBUG68.count)}
FGNET = {
    **{27: 36, 29: 39, 34: 42, 32: 45},  # corners of the eyes
    **{i: i for i in range(48, 55)} | {57: 57, 64: 62, 61: 66},  # lips
    **{41: 33, 40: 31, 42: 35, 67: 30},  # nose
    **{7: 8, 21: 17, 15: 26},  # chin, outer ends of the brows
}
WEBMORPH = {
    **dict(zip((18, 3, 9, 22, 30, 5, 23, 11, 17, 27, 33, 13), range(36, 48), strict=True)),
    **dict(zip((*range(87, 94), *range(108, 103, -1)), range(48, 60), strict=True)),
    **{64: 31, 55: 33, 69: 35},
    **{129: 8, 71: 17, 75: 21, 78: 22, 82: 26},
}
MORE: Mapping[str, tuple[str, Mapping[int, int], tuple[int, ...]]] = {
    "infanface": ("300w", SAME, ()),
    "fgnet": ("fgnet", FGNET, (31, 36)),
    "webmorph": ("webmorph", WEBMORPH, (0, 1)),
}
"""Folder of ``more`` -> its label style; a point there -> the point of iBUG in the same place; the
pupils there, the right one first.
"""

MASKED: Mapping[str, float] = {"with_mask": 0.0, "without_mask": 1.0}
"""Note of a box -> what is seen of mouth, chin and the tip of the nose."""
_BELOW_MASK, _ABOVE_MASK = (*range(4, 13), 30, *range(31, 36), *range(48, 68)), (*range(36, 48), 27)

_INFANT_COPIES = 4
"""How often an infant is packed: they are hard, and few."""
_LOOKALIKE, _LOOKALIKES = 0.02, 3
"""RetinaFace's least score of what may look like a face, and how many of an image are taken."""
_SMALLEST_UNLABELED = 24.0

_CROP, _SIDE = CropSpec("box", 2.0), 320
_WEBP = (cv2.IMWRITE_WEBP_QUALITY, 75)
_LARGEST_FACE, _LARGEST_SCENE = 100.0, 320.0
"""Pixels of a face in the finder's photos, where a canvas has no larger one to be found, and of a
photo without faces.
"""


def labeled_faces(data: Path) -> dict[str, list[FaceAnnotation]]:
    """Subset -> its faces, their points those of `IBUG68`; NaN where a style has no such point."""
    split = load_split(data, ["300w", "youtube-faces"], "official")
    test = [face for face in split.test if face.label_style == "300w"]
    train = [face for face in split.train if Path(str(face.image)).stem not in IN_TEST_SETS]
    val = list(split.validation)
    for face in more_faces(data / "more"):
        is_test = face.name.startswith("infanface/google2_")
        is_val = re.match(r"fgnet/..0|webmorph/neutral_front_..0", face.name)
        (test if is_test else val if is_val else train).append(face)
    infants = [face for face in train if face.name.startswith("infanface/")]
    copies = range(2, _INFANT_COPIES + 1)
    train.extend(replace(face, name=f"{face.name}#{i}") for i in copies for face in infants)
    train.extend(unlabeled(data / "scenes"))
    return {"train": train, "val": val, "test": test}


def more_faces(folder: Path) -> Iterator[FaceAnnotation]:
    """The faces of the sets of `MORE`."""
    for name, (style, places, pupils) in MORE.items():
        with (folder / name / "points.csv").open(newline="") as file:
            for image, *coordinates in list(csv.reader(file))[1:]:
                points = np.full((IBUG68.count, 2), np.nan, np.float32)
                labels = np.array(coordinates, np.float32).reshape(-1, 2)
                points[list(places.values())] = labels[list(places)]
                yield FaceAnnotation(
                    folder / name / image,
                    points,
                    f"{name}/{image}",
                    label_style=style,
                    pupils=labels[list(pupils)] if pupils else None,
                )


def unlabeled(folder: Path) -> Iterator[FaceAnnotation]:
    """Without points, of the photos that finders are trained on: faces by their boxes, where a mask
    hides the lower half or none does, and what RetinaFace may take for a face where there is none.
    """
    teacher = RetinaFace(min_score=_LOOKALIKE)
    places: list[tuple[Path, Floats, Floats | None, bool]] = []
    for source in ("crowds", "masks"):
        for i, (image, rows) in enumerate(listed_boxes(folder / source)):
            for row, box in zip(rows, tight_boxes_of(rows, teacher), strict=True):
                visible = np.full(IBUG68.count, np.nan, np.float32)
                visible[list(_ABOVE_MASK)] = 1.0
                visible[list(_BELOW_MASK)] = MASKED.get(row["note"], np.nan)
                if i % 4 != 3:
                    places.append((folder / source / image, box, visible, True))
    for source in ("empty", "lookalikes"):
        for i, path in enumerate(sorted((folder / source).glob("*.jpg"))):
            if i % 4 != 3:
                boxes = teacher(read_image(path, orient=False)).boxes[:_LOOKALIKES]
                places.extend((path, box, None, False) for box in boxes)
    for number, (path, box, seen, is_face) in enumerate(places):
        if (box[2:] - box[:2]).max() >= _SMALLEST_UNLABELED:
            points, name = np.full((IBUG68.count, 2), np.nan, np.float32), f"scenes/{number}"
            yield FaceAnnotation(path, points, name, "", 0.0, STYLES[0], None, box, seen, is_face)


def write_faces(data: Path, teacher: Path | None, target: Path) -> None:
    """Write the pack of all faces, in place of the one that may be there; a teacher is a run."""
    subsets = labeled_faces(data)
    if teacher:
        subsets["train"] = list(map(Teacher.of_run(teacher).labels, subsets["train"]))
    shutil.rmtree(target, ignore_errors=True)  # not before: it may be what the teacher learned
    with tempfile.TemporaryDirectory() as photos:
        pack_faces(subsets, target, Path(photos))
    if teacher:
        atomic_write(target / TEACHER_FILE, taught_by(teacher))


def pack_faces(subsets: Mapping[str, Iterable[FaceAnnotation]], out: Path, photos: Path) -> None:
    """Write a pack of crops, by way of files in the folder ``photos``."""
    crops = {
        subset: [cropped(face, photos / f"{subset}-{i}.webp") for i, face in enumerate(faces)]
        for subset, faces in subsets.items()
    }
    for _file in pack(AnnotationSet(crops, IBUG68), out):
        pass


def cropped(face: FaceAnnotation, file: Path) -> FaceAnnotation:
    """The face in a file of its own: a square of twice its box, at most `_SIDE` pixels wide."""
    square = _CROP.crop_squares(face.tight_box[None], (1, 1))[0]
    side = min(_SIDE, round(float(square[2])))
    matrix = crop_matrix(square, side)
    image = read_image(face.image, orient=False)
    save_warped(image, matrix, (side, side), file)
    moved = moved_face(face, matrix, (image.shape[0], image.shape[1]))
    return replace(moved, image=file, points=moved.points.round(2))


def pack_scenes(scenes: Iterable[Scene], out: Path) -> None:
    """Write scenes and their photos, reduced to faces of at most `_LARGEST_FACE`."""
    write_scenes([reduced(scene, out / f"{i}.webp") for i, scene in enumerate(scenes)], out)


def reduced(scene: Scene, file: Path) -> Scene:
    """The scene in a file of its own."""
    image = read_image(scene.image, orient=False)
    height, width = image.shape[:2]
    largest = scene.squares[:, 2].max(initial=0)
    zoom = min(1.0, _LARGEST_FACE / largest if largest else _LARGEST_SCENE / max(height, width))
    matrix = np.array([[zoom, 0, (zoom - 1) / 2], [0, zoom, (zoom - 1) / 2]])
    save_warped(image, matrix, (round(height * zoom), round(width * zoom)), file)
    return replace(
        scene,
        image=file,
        squares=map_squares(scene.squares, matrix),
        ignore=map_boxes(scene.ignore, matrix),
        lower_faces=apply_affine(matrix, scene.lower_faces),
    )


def save_warped(image: Image, matrix: Matrix, size: tuple[int, int], file: Path) -> None:
    """Write an image under an affine map as WebP of ``size`` (height, width) pixels."""
    bgr = cv2.cvtColor(warp_image(image, matrix, size), cv2.COLOR_RGB2BGR)
    atomic_write(file, cv2.imencode(".webp", bgr, _WEBP)[1].tobytes())


def main() -> None:
    """Write an archive that travels."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("faces", "scenes"))
    parser.add_argument("folder", type=Path, help="the data; for scenes that of scenes.jsonl")
    parser.add_argument("--teacher", type=Path, help="a run, whose labels faces learn too")
    options = parser.parse_args()
    target = WORK / options.what
    if options.what == "faces":
        write_faces(options.folder, options.teacher, target)
    else:
        shutil.rmtree(target, ignore_errors=True)
        pack_scenes(load_scenes(options.folder), target)
    CARRIED.mkdir(exist_ok=True)
    archive = CARRIED / f"{options.what}.tar.xz"
    with tarfile.open(archive, "w:xz", preset=1) as tar:
        tar.add(target, options.what)
    print(f"{target}, and for the way {archive}: {archive.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
