"""RetinaFace and the finder on held-out scenes: recall, false boxes, turned faces, a crowd, time.

    python benchmarks/scenes.py FOLDER [--finder finder.onnx] [--every 2] [--min-face 10]

``tools/finder_scenes.py`` lists the scenes into FOLDER. Turned: every fourth held-out photo of
300-W. Crowd: 144 of its faces, 50 px each, in one image. Where people labeled points (300-W,
YouTube, infants), further faces, which RetinaFace labeled, count neither way. Pair: the finder's
faces that hold by a network's score too, framed by their keypoints. Milliseconds: the best of 20
calls.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from common import markdown_table
from scene_parts import ANGLES, crowd, turned

from facedots import Detections, Detector, Finder, KeypointPredictor, RetinaFace
from facedots.data import Scene, load_scenes
from facedots.detection import square_boxes
from facedots.evaluation import measure_detector
from facedots.geometry import Image, upright_square

SIZES = ((160, 120), (320, 240), (640, 480))


class Judged(Detector):
    """The faces of a detector that hold after their keypoints were found, framed by these."""

    def __init__(self, detector: Detector, predictor: KeypointPredictor) -> None:
        self.detector, self.predictor = detector, predictor

    def __call__(self, image: Image) -> Detections:
        """Those that :class:`~facedots.Pipeline` keeps."""
        found = self.detector(image)
        keypoints = self.predictor.predict(image, found.boxes, found.squares)
        kept = self.detector.accepts(found.scores, keypoints)
        across = keypoints.schema.right_to_left
        squares = [upright_square(points, across) for points in keypoints.points[kept]]
        boxes = square_boxes(np.reshape(squares, (-1, 4)).astype(np.float32))
        return Detections(boxes, found.scores[kept])


def by_people(scene: Scene) -> Scene:
    """The scene with the faces whose points people labeled; others count neither way."""
    if not scene.source.startswith(("300w", "youtube-faces", "infanface")):
        return scene
    labeled = np.isfinite(scene.squares[:, 3])
    others = square_boxes(scene.squares[~labeled])
    ignore = np.concatenate([scene.ignore, others])
    return replace(scene, squares=scene.squares[labeled], ignore=ignore)


def added(scenes: list[Scene], folder: Path) -> Iterator[Scene]:
    """The turned photos and the crowd."""
    photos = [scene for scene in scenes if scene.source == "300w"]
    for angle in ANGLES:
        for scene in photos[::4]:
            yield turned(scene, angle, folder)
    yield crowd(photos, folder)


def best_milliseconds(detector: Detector, width: int, height: int) -> float:
    """Of a call on a blurred image without a face."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    image = cv2.GaussianBlur(noise, (0, 0), 8)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        detector(image)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--finder", type=Path, help="another than that of facedots")
    parser.add_argument("--every", type=int, default=1, help="take every n-th held-out scene")
    parser.add_argument("--min-score", type=float, default=0.3, help="of the finder")
    parser.add_argument("--min-face", type=float, help="of the finder, in pixels")
    parser.add_argument("--model", default="small", help="network that judges the finder's faces")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    held_out = [scene for scene in load_scenes(options.folder) if scene.validation]
    finder = Finder(options.finder, options.min_score, min_face=options.min_face)
    judged = Judged(finder, KeypointPredictor(options.model))
    detectors: dict[str, Detector] = {"RetinaFace": RetinaFace(), "Finder": finder, "pair": judged}
    with tempfile.TemporaryDirectory() as folder:
        chosen = [*held_out[:: options.every], *added(held_out, Path(folder))]
        scenes = [by_people(scene) for scene in chosen]
        measures = {name: measure_detector(one, scenes, 0) for name, one in detectors.items()}
    rows = []
    for source in dict.fromkeys(scene.source for scene in scenes):
        keys = (f"{source}_recall", f"{source}_false")
        values = [measures[name].get(key) for name in detectors for key in keys]
        rows.append([source, *("" if value is None else f"{value:.2f}" for value in values)])
    titles = [f"{name} {what}" for name in detectors for what in ("recall %", "false")]
    print(markdown_table(["scenes", *titles], rows))
    sizes = [f"{width}x{height}" for width, height in SIZES]
    timed: dict[str, Detector] = {"RetinaFace": RetinaFace()}
    for smallest in (32, 16, 12):
        timed[f"Finder from {smallest} pixels"] = Finder(options.finder, min_face=smallest)
    times = [
        [name, *(f"{best_milliseconds(one, *size):.1f}" for size in SIZES)]
        for name, one in timed.items()
    ]
    print(f"\n{markdown_table(['milliseconds', *sizes], times)}")


if __name__ == "__main__":
    main()
