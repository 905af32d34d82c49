"""The scenes that the finder is trained on and measured with, from the data beside the project.

    python tools/finder_scenes.py [--data ../shared/data] --out FOLDER
    facedots train recipes/finder.yaml --data FOLDER --out runs/finder

Points give the squares; RetinaFace adds the faces around the labeled one and those of
``expressions``, whose points the network ``small`` predicts. Held out: every tenth photo of 300-W,
the YouTube test frames, ``google2_*`` of the infants, every fourth photo of ``scenes``, all of
``scenes/wider``.
"""

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from facedots import KeypointPredictor, RetinaFace, box_iou, read_image, tight_boxes
from facedots.annotations import FaceAnnotation
from facedots.data import load_source
from facedots.data.scenes import (
    LOWER_FACE,
    Scene,
    lower_face,
    squares_of_boxes,
    tilted_square,
    write_scenes,
)
from facedots.detection import square_boxes
from facedots.geometry import Floats

IN_TEST_SETS = ("image_0862", "image_0215", "image_0828")
"""Photos of 300-W's training part that are in its published test part too."""

EYES = {"infanface": (36, 45), "fgnet": (27, 32), "webmorph": (0, 1)}
"""Point of the right and of the left eye in the sets of ``more``."""

WEBMORPH_POINTS = (0, 1, *range(18, 34), *range(71, 83), *range(87, 105), 129)
"""Those that lie within a tight box of 68 points, or on its edge."""

WEIGHTS = {"300w": 3, "youtube-faces": 0.5, "infanface": 8, "expressions": 0.4, "lookalikes": 2}
"""How often a scene of a source is drawn, relative to others; default 1."""

SMALLEST_BOX = 10
"""Longer side in pixels below which a person's box counts neither way."""

SURE, DOUBTFUL = 0.8, 0.3
"""Scores of the teacher from which a box is a face, and may be one."""


def labeled(data: Path) -> Iterator[Scene]:
    """One scene per labeled face of 300-W, YouTube Faces and ``more``."""
    faces = load_source(data, "300w").subsets["300w"]
    held_out = set(sorted({face.group for face in faces})[9::10])
    for face in faces:
        if Path(str(face.image)).stem.removesuffix("_1") not in IN_TEST_SETS:
            yield of_points(face, "300w", face.group in held_out)
    for subset, frames in load_source(data, "youtube-faces").subsets.items():
        for face in frames:
            yield of_points(face, "youtube-faces", subset == "test")
    for name, eyes in EYES.items():
        with (data / "more" / name / "points.csv").open(newline="") as file:
            for row in list(csv.reader(file))[1:]:
                points = np.array(row[1:], np.float32).reshape(-1, 2)
                square = tilted_square(points, eyes)
                if name == "webmorph":
                    pair = WEBMORPH_POINTS.index(0), WEBMORPH_POINTS.index(1)
                    square = tilted_square(points[list(WEBMORPH_POINTS)], pair)
                lower = lower_face(points) if name == "infanface" else _unknown(1)[0]
                image = data / "more" / name / row[0]
                validation = name == "infanface" and row[0].startswith("google2_")
                yield Scene(
                    image, name, square[None], lower_faces=lower[None], validation=validation
                )


def of_points(face: FaceAnnotation, source: str, validation: bool) -> Scene:
    """The scene of one labeled face."""
    lower = lower_face(face.points)[None]
    square = tilted_square(face.points)[None]
    return Scene(Path(str(face.image)), source, square, lower_faces=lower, validation=validation)


def with_boxes(data: Path, teacher: RetinaFace) -> Iterator[Scene]:
    """The photos of ``scenes``."""
    for folder in ("crowds", "masks", "coco", "groups", "wider"):
        for i, (name, boxes) in enumerate(listed_boxes(data / "scenes" / folder)):
            tight = tight_boxes_of(boxes, teacher)
            doubtful = np.array([_doubtful(row) for row in boxes])
            yield Scene(
                data / "scenes" / folder / name,
                folder,
                squares_of_boxes(tight[~doubtful]),
                tight[doubtful],
                _unknown(int((~doubtful).sum())),
                folder == "wider" or (i % 4 == 3 and folder in ("crowds", "masks")),
            )
    for folder in ("empty", "lookalikes"):
        for i, path in enumerate(sorted((data / "scenes" / folder).glob("*.jpg"))):
            yield Scene(path, folder, validation=i % 4 == 3)


def listed_boxes(folder: Path) -> list[tuple[str, list[dict[str, str]]]]:
    """Each photo of a folder and its rows of ``boxes.csv``, by name."""
    rows = defaultdict(list)
    with (folder / "boxes.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            rows[row["image"]].append(row)
    return sorted(rows.items())


def tight_boxes_of(rows: list[dict[str, str]], teacher: RetinaFace) -> Floats:
    """Tight boxes ``(N, 4)`` of rows whose boxes are framed as the teacher's."""
    native = np.array([[row[k] for k in ("x0", "y0", "x1", "y1")] for row in rows])
    return teacher.adjustment.tight(native.astype(np.float32))


def _doubtful(row: dict[str, str]) -> bool:
    if row["source"] == "retinaface":
        return float(row["note"]) < SURE
    side = max(float(row["x1"]) - float(row["x0"]), float(row["y1"]) - float(row["y0"]))
    return side < SMALLEST_BOX or row["note"].endswith("inv1")


def _unknown(count: int) -> Floats:
    return np.full((count, len(LOWER_FACE), 2), np.nan, np.float32)


def add_teacher(scene: Scene, teacher: RetinaFace) -> Scene:
    """The scene with further faces that the teacher finds."""
    detections = teacher(read_image(scene.image, orient=False))
    known = np.concatenate([square_boxes(scene.squares), scene.ignore])
    overlap = box_iou(detections.boxes, known) if len(known) else np.zeros((len(detections), 1))
    new = overlap.max(axis=1, initial=0) < 0.2
    sure = new & (detections.scores >= SURE)
    doubtful = new & ~sure
    return replace(
        scene,
        squares=np.concatenate([scene.squares, squares_of_boxes(detections.boxes[sure])]),
        ignore=np.concatenate([scene.ignore, detections.boxes[doubtful]]),
        lower_faces=np.concatenate([scene.lower_faces, _unknown(int(sure.sum()))]),
    )


def expressions(data: Path, teacher: RetinaFace) -> Iterator[Scene]:
    """The faces of ``expressions`` with the points that ``small`` predicts, where it is sure."""
    predictor = KeypointPredictor("small", refine=1)
    for path in sorted((data / "expressions").glob("*.jpg")):
        image = read_image(path, orient=False)
        boxes = teacher(image).boxes[:1]
        keypoints = predictor.predict(image, boxes)
        if len(boxes) and keypoints.score[0] > 0.9:
            points = keypoints.points[0]
            if box_iou(tight_boxes(points[None]), boxes)[0, 0] > 0.5:
                yield of_points(FaceAnnotation(path, points, path.name), "expressions", False)


def main() -> None:
    """Write the list."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    teacher = RetinaFace(min_score=DOUBTFUL)
    scenes = [add_teacher(scene, teacher) for scene in labeled(options.data)]
    scenes += with_boxes(options.data, teacher)
    scenes += expressions(options.data, teacher)
    weighted = [replace(scene, weight=WEIGHTS.get(scene.source, 1)) for scene in scenes]
    write_scenes(weighted, options.out)
    counts = Counter((scene.source, scene.validation) for scene in scenes)
    for (source, held_out), count in counts.items():
        print(f"{source}: {count} {'held out' if held_out else 'to train'}")


if __name__ == "__main__":
    main()
