"""Uncovered keypoints and re-detected faces after anonymization, end to end, on the labeled test
frames of YouTube Faces.

    python benchmarks/anonymize.py --data ../shared/data [--model small] [--frames 770] [--misses
    FOLDER]

A label is uncovered when no mask covers its pixel. "Inner" are eyes, nose and mouth. A face is
found again when RetinaFace, as the pipeline uses it, finds one in the covered image where the
labels are.
"""

import argparse
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import cv2
import numpy as np

from facedots import (
    IBUG68,
    Anonymizer,
    KeypointPredictor,
    Pipeline,
    RetinaFace,
    box_iou,
    read_image,
    tight_boxes,
    write_image,
)
from facedots.annotations import FaceAnnotation
from facedots.data import load_source
from facedots.effects import is_uncertain
from facedots.geometry import Floats, Image
from facedots.regions import Mask

ANONYMIZERS = {
    "blur": Anonymizer("blur"),
    "pixelate": Anonymizer("pixelate"),
    "solid": Anonymizer("solid"),
}
INNER = ("right_eye", "left_eye", "nose", "mouth")


@dataclass(frozen=True)
class Frame:
    """Result of one frame: detected and uncertain faces, and uncovered labels by region."""

    name: str
    faces: int
    uncertain: int
    uncovered: Counter[str]
    labels: int
    share: float
    milliseconds: float
    found_again: frozenset[str]


def uncovered_labels(mask: Mask, points: Floats) -> tuple[Counter[str], int]:
    """How many labels of each region lie on a pixel that is not covered, and how many lie in the
    frame at all.
    """
    columns, rows = np.round(points).astype(int).T
    inside = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
    covered = mask[rows.clip(0, mask.shape[0] - 1), columns.clip(0, mask.shape[1] - 1)]
    return Counter(IBUG68.region_of[i] for i in np.flatnonzero(inside & ~covered)), int(
        inside.sum()
    )


def anonymize_frame(
    pipeline: Pipeline, again: RetinaFace, truth: FaceAnnotation
) -> tuple[Frame, Image]:
    """Anonymize one frame in every way and see what is left; the blurred frame is returned too."""
    image = read_image(truth.image, orient=False)
    faces = pipeline(image)
    start = time.perf_counter()
    blurred = ANONYMIZERS["blur"](image, faces)
    milliseconds = (time.perf_counter() - start) * 1000
    size = (image.shape[0], image.shape[1])
    mask = np.zeros(size, bool)
    for face in faces:
        mask |= Anonymizer().mask(face, size)
    tight = tight_boxes(truth.points[None])
    found = {
        how
        for how, anonymizer in ANONYMIZERS.items()
        if (box_iou(tight, again(anonymizer(image, faces)).boxes) > 0.4).any()
    }
    left, labels = uncovered_labels(mask, truth.points)
    uncertain = sum(map(is_uncertain, faces))
    return Frame(
        truth.name,
        len(faces),
        uncertain,
        left,
        labels,
        float(mask.mean()),
        milliseconds,
        frozenset(found),
    ), blurred


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="small")
    parser.add_argument("--min-score", type=float, default=0.3)
    parser.add_argument("--frames", type=int, default=None, help="only this many frames")
    parser.add_argument(
        "--misses", type=Path, help="write the frames with uncovered labels into this folder"
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)
    test = load_source(options.data, "youtube-faces").subsets["test"]
    pipeline = Pipeline(RetinaFace(min_score=options.min_score), KeypointPredictor(options.model))
    again = RetinaFace()
    frames = []
    for truth in test[: options.frames]:
        frame, blurred = anonymize_frame(pipeline, again, truth)
        frames.append(frame)
        if options.misses and frame.uncovered:
            write_image(options.misses / f"{Path(frame.name).stem}.png", blurred)

    total = sum((frame.uncovered for frame in frames), Counter[str]())
    missing = [frame.name for frame in frames if not frame.faces]
    labels = sum(frame.labels for frame in frames)
    inner = sum(total[region] for region in INNER)
    print(
        f"{len(frames)} labeled test frames of YouTube Faces, {labels} labels in them, one "
        f"thread, {date.today()}\n"
    )
    print(f"- frames where no face was found: {len(missing)} {' '.join(missing)}")
    print(
        f"- faces covered: {sum(frame.faces for frame in frames)}, uncertain: "
        f"{sum(frame.uncertain for frame in frames)}"
    )
    print(f"- **inner labels uncovered (eyes, nose, mouth): {inner}**")
    print(f"- all labels uncovered: {sum(total.values())} {dict(total)}")
    print(
        "- share of the image covered, median: "
        f"{100 * np.median([frame.share for frame in frames]):.1f} %"
    )
    print(f"- time to blur, median: {np.median([frame.milliseconds for frame in frames]):.1f} ms")
    for how in ANONYMIZERS:
        print(
            f"- face found again after {how}: "
            f"{100 * np.mean([how in frame.found_again for frame in frames]):.1f} %"
        )


if __name__ == "__main__":
    main()
