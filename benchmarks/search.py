"""RetinaFace's searches: recall, false boxes and time on photos, crowds, turned, small and no
faces; and the points that our networks find in its squares.

    python benchmarks/search.py [--data ../shared/data] [--rows infants crowd]
    [--searches default any-angle] [--models small] [--every 10]

Drawn from photos of 300-W: those turned, a crowd of 144 faces, and photos of 12 megapixels with 48
small faces. A box with an IoU above .5 with the square around a face finds it. Milliseconds:
median of processor time. Earlier figures are in docs/experiments.md, Detection.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from common import DATA, machine, markdown_table, options_with_data
from scene_parts import (
    ANGLES,
    boxed_scenes,
    crowd,
    empty_scenes,
    frames,
    infants,
    labeled_scenes,
    large_photo,
    photos,
    turned,
)

from facedots import (
    IBUG68,
    Detections,
    Detector,
    KeypointPredictor,
    RetinaFace,
    box_iou,
    nme,
    read_image,
)
from facedots.annotations import FaceAnnotation
from facedots.data import Scene
from facedots.evaluation import failure_rate, measure_detector
from facedots.geometry import Image, tight_boxes

SEARCHES: dict[str, Callable[[], RetinaFace]] = {
    "fast": partial(RetinaFace, search="fast"),
    "default": RetinaFace,
    "thorough": partial(RetinaFace, search="thorough"),
    "any-angle": partial(RetinaFace, any_angle=True),
    "anonymize": partial(RetinaFace, 0.3, "thorough", any_angle=True),
}
LABELED = {"youtube-faces": frames, "300w": photos, "infants": infants}
TURNED = {f"turned-{angle}": angle for angle in ANGLES}
EMPTY = ("empty", "lookalikes")
SMALLEST = {"wider": 24, "crowds": 16}
LARGE = {f"large-photo-{face}": face for face in (32, 24)}
ROWS = (*LABELED, *TURNED, "crowd", *EMPTY, *SMALLEST, *LARGE)
REFINE: tuple[int | Literal["auto"], ...] = (0, "auto", 1)
ON_FACE = 0.3
"""A box with a larger IoU is on the labeled face, and its points are measured."""


@dataclass(frozen=True)
class Timed(Detector):
    """The same detector, with the milliseconds of each call."""

    detector: Detector
    times: list[float] = field(default_factory=list)

    def __call__(self, image: Image) -> Detections:
        """The faces in an image."""
        start = time.process_time()
        detections = self.detector(image)
        self.times.append(1000 * (time.process_time() - start))
        return detections


def scenes_of(row: str, data: Path, folder: Path, every: int) -> list[Scene]:
    """Every n-th image of a row; what is drawn goes into the folder."""
    if row in LABELED:
        return labeled_scenes(LABELED[row](data)[::every])
    if row in EMPTY:
        return empty_scenes(data / "scenes" / row)[::every]
    if row in SMALLEST:
        return boxed_scenes(data / "scenes" / row, SMALLEST[row])[::every]
    scenes = labeled_scenes(photos(data))
    if row in TURNED:
        return [turned(scene, TURNED[row], folder) for scene in scenes[:100:every]]
    if row in LARGE:
        background = empty_scenes(data / "scenes" / "empty")[0].image
        return [large_photo(scenes, background, LARGE[row], folder)]
    return [crowd(scenes, folder)]


def search_cell(detector: Detector, scenes: list[Scene]) -> str:
    """Recall in percent, false boxes an image, median milliseconds."""
    timed = Timed(detector)
    measures = measure_detector(timed, [replace(scene, source="row") for scene in scenes], 0)
    recall = f"{measures['row_recall']:.1f}" if "row_recall" in measures else "–"
    return f"{recall}, {measures['row_false']:.3f}, {np.median(timed.times):.1f}"


def points_rows(
    detector: Detector, faces: list[FaceAnnotation], models: list[str]
) -> list[list[str]]:
    """Of each network, the faces found, and by refinement mean and median NME and failure rate."""
    predictors = [[KeypointPredictor(model, refine=each) for each in REFINE] for model in models]
    labels, points = [], []
    for face in faces:
        image = read_image(face.image, orient=False)
        found = detector(image)
        overlaps = box_iou(tight_boxes(face.points[None]), found.boxes)[0]
        if overlaps.max(initial=0) > ON_FACE:
            best = overlaps.argmax()[None]
            squares = None if found.squares is None else found.squares[best]
            inputs = image, found.boxes[best], squares
            points.append([[each.predict(*inputs).points[0] for each in p] for p in predictors])
            labels.append(face.points)
    rows = []
    for i, model in enumerate(models if labels else []):
        errors = [nme([each[i][j] for each in points], labels, IBUG68) for j in range(len(REFINE))]
        cells = [f"{e.mean():.2f}, {np.median(e):.2f}, {failure_rate(e):.0f} %" for e in errors]
        rows.append([model, f"{len(labels)} of {len(faces)}", *cells])
    return rows


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    searches = ["default", "any-angle", "anonymize"]
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=searches)
    parser.add_argument("--models", nargs="*", default=["tiny", "small", "large-int8"])
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    options = options_with_data(parser)
    cv2.setNumThreads(1)
    detectors = {name: SEARCHES[name]() for name in options.searches}
    print(f"{machine()}, one thread, {date.today()}. Recall %, false boxes an image, median ms:\n")
    rows = []
    for row in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            scenes = scenes_of(row, options.data, Path(folder), options.every)
            cells = [search_cell(detector, scenes) for detector in detectors.values()]
        rows.append([f"{row}, {len(scenes)} images", *cells])
    print(markdown_table(["images", *detectors], rows))
    rows = []
    for row in [row for row in ("300w", "infants") if row in options.rows and options.models]:
        faces = LABELED[row](options.data)[:: options.every]
        for name, detector in detectors.items():
            found = points_rows(detector, faces, options.models)
            rows += [[f"{model}, {of} {row}, {name}", *cells] for model, of, *cells in found]
    if rows:
        print("\nNME %, mean and median, and share above 10 %, by refinement:\n")
        print(markdown_table(["network, faces", *map(str, REFINE)], rows))


if __name__ == "__main__":
    main()
