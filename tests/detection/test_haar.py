from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from facedots.detection.opencv import Haar
from facedots.detection.retinaface import RetinaFace
from facedots.geometry import Image, box_iou

NOISE = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)


def test_agrees_with_retinaface_on_a_portrait(hopper: Image) -> None:
    found = Haar()(hopper)
    assert box_iou(found.boxes, RetinaFace()(hopper).boxes)[0, 0] > 0.7
    assert found.boxes.dtype == found.scores.dtype == np.float32


def test_scores_count_hits_and_come_best_first(hopper: Image) -> None:
    found = Haar(neighbors=1)(np.concatenate([hopper, hopper[:, ::-1]], axis=1))
    assert len(found) >= 2
    assert ((found.scores >= 0.5) & (found.scores < 1)).all()
    assert (np.diff(found.scores) <= 0).all()


def test_nothing_found_is_an_empty_answer() -> None:
    for image in (NOISE, np.zeros((10, 10, 3), np.uint8)):
        found = Haar()(image)
        assert found.boxes.shape == (0, 4)
        assert found.scores.shape == (0,)


def test_threads_that_share_a_detector_get_the_answers_of_one(hopper: Image) -> None:
    haar, small = Haar(), cv2.resize(hopper, (256, 300))
    images = [np.roll(small, 3 * i, axis=1)[: 300 - 9 * i] for i in range(8)]
    alone = [haar(image).boxes for image in images]
    with ThreadPoolExecutor(8) as pool:
        shared = list(pool.map(haar, images * 4))
    for i, found in enumerate(shared):
        assert np.array_equal(found.boxes, alone[i % 8])
