"""How well a detector finds the faces of scenes."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from facedots.data.scenes import Scene
from facedots.detection.base import Detections, Detector, square_boxes
from facedots.geometry import Floats, box_iou
from facedots.io.images import read_image

MATCH_IOU = 0.5
"""A face counts as found where a box overlaps its square by this much."""

_IGNORED_IOU = 0.3


def measure_detector(
    detector: Detector, scenes: Sequence[Scene], min_score: float = 0.4
) -> dict[str, float]:
    """Average precision over all scenes (``ap``), and for each source the recall in percent
    (``<source>_recall``) and the false boxes per scene (``<source>_false``).

    Args:
        detector: It should return boxes down to low scores, which ``ap`` ranks.
        scenes: A face is found once; a second box on it is false. What lies in ``ignore`` does not
            count.
        min_score: Only boxes from this score on count for recall and false boxes.
    """
    scores, hits = list[float](), list[bool]()
    totals: dict[str, Floats] = defaultdict(lambda: np.zeros(4, np.float32))
    for scene in scenes:
        detections = detector(read_image(scene.image, orient=False))
        hit, counted = match_boxes(detections, scene)
        sure = counted & (detections.scores >= min_score)
        totals[scene.source] += (1, len(scene.squares), hit[sure].sum(), (~hit[sure]).sum())
        scores += detections.scores[counted].tolist()
        hits += hit[counted].tolist()
    faces = sum(float(total[1]) for total in totals.values())
    right = np.array(hits, float)[np.argsort(-np.array(scores), kind="stable")]
    precision = right.cumsum() / np.arange(1, len(right) + 1)
    measures = {"ap": 100 * float(precision @ right) / max(faces, 1)}
    for source, (images, wanted, found, false) in totals.items():
        if wanted:
            measures[f"{source}_recall"] = float(100 * found / wanted)
        measures[f"{source}_false"] = float(false / images)
    return measures


def match_boxes(
    detections: Detections, scene: Scene
) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Which boxes, best first, find a face that no better one found, and which count at all."""
    overlap = box_iou(detections.boxes, square_boxes(scene.squares))
    hit, taken = np.zeros(len(detections), bool), set[int]()
    for i in range(len(detections) if len(scene.squares) else 0):
        best = int(overlap[i].argmax())
        if overlap[i, best] > MATCH_IOU and best not in taken:
            hit[i] = True
            taken.add(best)
    ignored = box_iou(detections.boxes, scene.ignore).max(axis=1, initial=0) > _IGNORED_IOU
    return hit, hit | ~ignored
