"""Recall, false boxes and average precision of a detector on scenes."""

from pathlib import Path

import cv2
import numpy as np

from facedots.data.scenes import Scene, squares_of_boxes
from facedots.detection.base import PrecomputedBoxes
from facedots.evaluation.detection import measure_detector


def test_a_face_is_found_once_and_what_is_ignored_does_not_count(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((100, 100, 3), np.uint8))
    faces = squares_of_boxes([[0, 0, 20, 20], [70, 70, 90, 90]])
    ignored = np.array([[40, 40, 60, 60]], np.float32)
    scenes = [Scene(tmp_path / "a.png", "a", faces, ignored), Scene(tmp_path / "a.png", "b")]
    boxes = [[0, 0, 20, 20], [1, 1, 21, 21], [40, 40, 60, 60]]
    measures = measure_detector(PrecomputedBoxes(boxes), scenes)
    assert (measures["a_recall"], measures["a_false"], measures["b_false"]) == (50, 1, 3)
    assert "b_recall" not in measures
    assert 0 < measures["ap"] <= 50
