"""Whether people keep their numbers when one passes before the other: real heads, cut out and moved
past each other.

    python benchmarks/crossing.py [--data ../shared/data] [--scenes 80] [--seed 0] [--model small]
    [--out out/crossing.json]

Two heads of YouTube Faces test frames cross a blurred background at 640 x 480 in two to four
seconds, one before the other, at heights that differ by up to half a face; every frame has noise. A
scene is right when both numbers of its beginning end on the heads they began on, and clean when no
other number appeared in between.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import cv2
import numpy as np
from common import machine, options_with_data, parser_with_data

from facedots import KeypointPredictor, RetinaFace, Tracker, apply_affine, read_image, tight_boxes
from facedots.annotations import FaceAnnotation
from facedots.data import load_source
from facedots.geometry import Floats, Image, Matrix
from facedots.io import atomic_write

RATE = 30
SIZE = (640, 480)
NEAR = 0.35
"""Eye distances within which points are those of a head."""


@dataclass(frozen=True)
class Head:
    """A head cut out of a frame: its image, how much of each pixel belongs to it, its points around
    the middle of the face.
    """

    pixels: Image
    share: Floats
    points: Floats
    middle: Floats

    @classmethod
    def cut(cls, face: FaceAnnotation, eyes: float) -> "Head":
        """An ellipse around the head, at the given eye distance in pixels."""
        image = read_image(face.image, orient=False)
        zoom = eyes / float(np.linalg.norm(face.points[36] - face.points[45]))
        image = np.asarray(
            cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA), np.uint8
        )
        points = (face.points + 0.5) * zoom - 0.5
        corners = tight_boxes(points[None])[0].reshape(2, 2)
        middle, (width, height) = corners.mean(axis=0), corners[1] - corners[0]
        share = np.zeros(image.shape[:2], np.float32)
        center = (round(float(middle[0])), round(float(middle[1] - 0.15 * height)))
        cv2.ellipse(
            share,
            center,
            (round(0.68 * float(width)), round(0.85 * float(height))),
            0,
            0,
            360,
            1.0,
            -1,
        )
        soft = np.asarray(cv2.GaussianBlur(share, (0, 0), 2), np.float32)
        return cls(
            image, soft, np.asarray(points - middle, np.float32), np.asarray(middle, np.float32)
        )

    def paste(self, canvas: Matrix, place: Matrix) -> Matrix:
        """The canvas with the head's middle at a place."""
        shift = np.array([[1, 0, place[0] - self.middle[0]], [0, 1, place[1] - self.middle[1]]])
        pixels, share = (
            cv2.warpAffine(self.pixels, shift, SIZE),
            cv2.warpAffine(self.share, shift, SIZE)[..., None],
        )
        return np.asarray(canvas * (1 - share) + pixels * share)


@dataclass(frozen=True)
class Scene:
    """Two heads, the nearer one first; it goes to the right or to the left, the other one the other
    way.
    """

    heads: tuple[Head, Head]
    background: Image
    lift: float
    count: int
    rightwards: bool
    seed: int

    def places(self, number: int) -> list[Matrix]:
        """Where the middles of the heads are in a frame."""
        way = 360 * number / (self.count - 1)
        right, left = (
            np.array([140 + way, 250 + self.lift / 2]),
            np.array([500 - way, 250 - self.lift / 2]),
        )
        return [right, left] if self.rightwards else [left, right]

    def frames(self) -> Iterator[Image]:
        """The video."""
        generator = np.random.default_rng(self.seed)
        for number in range(self.count):
            canvas = self.background.astype(np.float64)
            for head, place in reversed(list(zip(self.heads, self.places(number), strict=True))):
                canvas = head.paste(canvas, place)
            yield np.clip(canvas + generator.normal(0, 3, canvas.shape), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Result:
    """How many scenes were right, and clean; how many frames of a scene showed fewer than two
    faces, on average.
    """

    scenes: int
    right: int
    clean: int
    frames_with_one: float


def make_scene(faces: list[FaceAnnotation], seed: int) -> Scene:
    """Two heads and their way, decided by the seed."""
    generator = np.random.default_rng(seed)
    first, second, behind = (
        faces[index] for index in generator.choice(len(faces), 3, replace=False)
    )
    heads = (
        Head.cut(first, generator.uniform(45, 65)),
        Head.cut(second, generator.uniform(45, 65)),
    )
    blurred = cv2.GaussianBlur(cv2.resize(read_image(behind.image, orient=False), SIZE), (0, 0), 25)
    lift, count = generator.uniform(0, 60), int(generator.integers(60, 120))
    return Scene(
        heads, np.asarray(blurred, np.uint8), lift, count, bool(generator.random() < 0.5), seed
    )


def who_is_who(scene: Scene, tracker: Tracker) -> list[dict[int | None, int]]:
    """For each frame, which head (0 or 1) each number is on; -1 where it is on neither."""
    eyes = [float(np.linalg.norm(head.points[36] - head.points[45])) for head in scene.heads]
    tracks = []
    for number, image in enumerate(scene.frames()):
        places = zip(scene.heads, scene.places(number), strict=True)
        truth = [
            apply_affine(np.array([[1, 0, place[0]], [0, 1, place[1]]]), head.points)
            for head, place in places
        ]
        row = {}
        for face in tracker(image, number / RATE):
            gaps = [
                np.linalg.norm(face.points - points, axis=1).mean() / eye
                for points, eye in zip(truth, eyes, strict=True)
            ]
            row[face.track_id] = int(np.argmin(gaps)) if min(gaps) < NEAR else -1
        tracks.append(row)
    return tracks


def measure(scenes: list[Scene], model: str) -> Result:
    """All scenes."""
    predictor, detector = KeypointPredictor(model, refine=0), RetinaFace()
    histories = [who_is_who(scene, Tracker(detector, predictor)) for scene in scenes]
    right = [len(history[3]) == 2 and history[3] == history[-1] for history in histories]
    others = [set().union(*history) - set(history[3]) for history in histories]
    clean = sum(one and not other for one, other in zip(right, others, strict=True))
    alone = [sum(len(row) < 2 for row in history) for history in histories]
    return Result(len(scenes), sum(right), clean, float(np.mean(alone)))


def main() -> None:
    """Measure, print Markdown, write JSON."""
    parser = parser_with_data(__doc__)
    parser.add_argument("--scenes", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="small")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON too")
    options = options_with_data(parser)
    cv2.setNumThreads(1)
    test = load_source(options.data, "youtube-faces").subsets["test"]
    large = [face for face in test if 50 < np.linalg.norm(face.points[36] - face.points[45]) < 90]
    result = measure(
        [make_scene(large, 1000 * options.seed + i) for i in range(options.scenes)], options.model
    )
    print(f"Two heads that cross, {machine()}, {date.today()}\n")
    print("| scenes | right | right and clean | frames with one face |\n|---|---|---|---|")
    print(f"| {result.scenes} | {result.right} | {result.clean} | {result.frames_with_one:.1f} |")
    if options.out:
        atomic_write(
            options.out,
            json.dumps(
                {"date": str(date.today()), "machine": machine()} | asdict(result), indent=2
            ),
        )


if __name__ == "__main__":
    main()
