"""Face detectors on real frames: recall, false positives, time, and the offsets of their boxes.

    python benchmarks/detectors.py [--data ../shared/data] [--part training] [--yunet
    face_detection_yunet_2023mar.onnx] [--finder finder.onnx]

The last columns are where the detectors' ``adjustment`` comes from: medians over the training
frames.
"""

import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import cv2
import numpy as np
from common import options_with_data, parser_with_data

from facedots import Detector, Finder, Haar, RetinaFace, YuNet, box_iou, read_image, tight_boxes
from facedots.annotations import FaceAnnotation
from facedots.data import load_source
from facedots.detection import Adjustment
from facedots.geometry import Floats

NONE = Adjustment(0, 0, 0, 0)


class NativeRetinaFace(RetinaFace):
    """In the network's own framing."""

    adjustment = NONE


class NativeHaar(Haar):
    """In the cascade's own framing."""

    adjustment = NONE


class NativeYuNet(YuNet):
    """In the network's own framing."""

    adjustment = NONE


MATCH_IOU = 0.5
"""A face counts as hits when the adjusted box overlaps the labels' tight box by this much."""


@dataclass(frozen=True)
class Detection:
    """One detector on one frame: its boxes (N, 4), the tight box of the labels (4,), and
    milliseconds of processor time.
    """

    boxes: Floats
    truth: Floats
    milliseconds: float


def detect_all(detector: Detector, faces: list[FaceAnnotation]) -> list[Detection]:
    """One detector on every frame."""
    detections = []
    for face in faces:
        image = read_image(face.image, orient=False)
        start = time.process_time()
        boxes = detector(image).boxes
        detections.append(
            Detection(
                boxes, tight_boxes(face.points[None])[0], (time.process_time() - start) * 1000
            )
        )
    return detections


def measured_adjustment(detections: list[Detection]) -> tuple[Adjustment, int]:
    """The adjustment that these frames ask for, and over how many faces: in each frame the box that
    fits the labels best.
    """
    pairs = []
    for detection in detections:
        if len(detection.boxes):
            overlaps = box_iou([detection.truth], detection.boxes)[0]
            if overlaps.max() > 0.3:
                pairs.append((detection.boxes[overlaps.argmax()], detection.truth))
    detected, truth = (np.array(side) for side in zip(*pairs, strict=True))
    return Adjustment.between(detected, truth), len(pairs)


def found_and_false(detections: list[Detection], adjustment: Adjustment) -> tuple[float, float]:
    """Recall in percent and boxes a frame that are not the labeled face; some of those are faces
    that are not labeled.
    """
    matches = [
        box_iou([detection.truth], adjustment.tight(detection.boxes))[0] > MATCH_IOU
        for detection in detections
    ]
    hits = sum(match.any() for match in matches)
    false = sum(match.size for match in matches) - hits
    return 100 * hits / len(detections), false / len(detections)


def main() -> None:
    """Measure and print Markdown."""
    parser = parser_with_data(__doc__)
    parser.add_argument("--part", choices=("training", "test"), default="training")
    parser.add_argument("--yunet", type=Path, help="YuNet's weight file, to measure that too")
    parser.add_argument("--finder", type=Path, help="another than that of facedots")
    options = options_with_data(parser)
    cv2.setNumThreads(1)
    training, test = load_source(options.data, "youtube-faces").subsets.values()
    faces = training if options.part == "training" else test
    detectors: list[tuple[str, Detector, Adjustment]] = [
        ("RetinaFace", NativeRetinaFace(), RetinaFace.adjustment),
        ("RetinaFace, any angle", NativeRetinaFace(any_angle=True), RetinaFace.adjustment),
        ("Finder", Finder(options.finder), NONE),
        ("Haar", NativeHaar(), Haar.adjustment),
    ]
    if options.yunet:
        detectors.append(("YuNet", NativeYuNet(options.yunet), YuNet.adjustment))
    print(f"{len(faces)} {options.part} frames of YouTube Faces, one thread, {date.today()}\n")
    print(
        "| detector | recall % | other boxes a frame | median ms | left | top | right | bottom | "
        "faces |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, detector, used in detectors:
        detections = detect_all(detector, faces)
        adjustment, pairs = measured_adjustment(detections)
        recall, false = found_and_false(detections, used)
        edges = (adjustment.left, adjustment.top, adjustment.right, adjustment.bottom)
        columns = [
            f"{recall:.2f}",
            f"{false:.3f}",
            f"{np.median([detection.milliseconds for detection in detections]):.1f}",
        ]
        columns += [f"{edge:+.3f}" for edge in edges] + [str(pairs)]
        print(f"| {name} | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main()
