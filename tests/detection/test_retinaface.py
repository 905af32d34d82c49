from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from retinaface.preprocess import preprocess  # type: ignore[import-untyped]

from facedots.data.splits import load_source
from facedots.detection.retinaface import RetinaFace
from facedots.errors import ShapeError
from facedots.geometry import Floats, Image, box_iou, tight_boxes
from facedots.io.images import read_image

NOISE = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)


@pytest.fixture(scope="module")
def detector() -> RetinaFace:
    return RetinaFace()


def resized(image: Image, side: int) -> Image:
    zoom = side / max(image.shape[:2])
    interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    return np.asarray(
        cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=interpolation), np.uint8
    )


def test_finds_the_one_face_of_a_portrait_from_brow_to_chin(
    detector: RetinaFace, hopper: Image
) -> None:
    found = detector(hopper)
    assert len(found) == 1
    left, top, right, bottom = found.boxes[0]
    assert 0.99 < found.scores[0] <= 1
    assert found.boxes.dtype == found.scores.dtype == np.float32
    assert 155 < left < 180
    assert 345 < right < 375
    assert 155 < top < 175
    assert 320 < bottom < 345


@pytest.mark.parametrize("side", [75, 150, 450, 1000, 2400])
def test_the_size_of_the_image_does_not_matter(
    detector: RetinaFace, hopper: Image, side: int
) -> None:
    image = resized(hopper, side)
    zoom = image.shape[0] / hopper.shape[0]
    found = detector(image)
    assert len(found) == 1
    expected = (detector(hopper).boxes + 0.5) * zoom - 0.5
    assert box_iou(found.boxes, expected)[0, 0] > 0.8


@pytest.mark.parametrize("side", [60, 300, 1600])
def test_a_face_that_fills_the_image_is_found_once(
    detector: RetinaFace, hopper: Image, side: int
) -> None:
    left, top, right, bottom = detector(hopper).boxes[0].astype(int)
    close = resized(
        np.ascontiguousarray(hopper[top - 30 : bottom + 20, left - 15 : right + 15]), side
    )
    assert len(detector(close)) == 1


def test_several_faces_come_best_first(detector: RetinaFace, hopper: Image) -> None:
    blurred = np.asarray(cv2.GaussianBlur(hopper, (0, 0), 9), np.uint8)
    found = detector(np.concatenate([blurred, hopper, hopper[:, ::-1]], axis=1))
    assert len(found) == 3
    assert (np.diff(found.scores) <= 0).all()


def test_a_face_near_the_edge_of_a_view_of_many_sizes_is_not_doubled(
    detector: RetinaFace, hopper: Image
) -> None:
    for side in (1000, 1400):
        canvas = np.full((1500, 1500, 3), 90, np.uint8)
        face = resized(hopper, side)
        canvas[: face.shape[0], : face.shape[1]] = face
        assert len(detector(canvas)) == 1


def test_nothing_found_is_an_empty_answer(detector: RetinaFace) -> None:
    for image in (NOISE, np.zeros((500, 700, 3), np.uint8), np.full((40, 40, 3), 255, np.uint8)):
        found = detector(image)
        assert len(found) == 0
        assert found.boxes.shape == (0, 4)
        assert found.scores.shape == (0,)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 2), (33, 31)])
def test_odd_sizes_are_taken(detector: RetinaFace, shape: tuple[int, int]) -> None:
    assert len(detector(np.zeros((*shape, 3), np.uint8))) == 0


def test_the_answer_repeats_to_the_last_bit(detector: RetinaFace, hopper: Image) -> None:
    again = RetinaFace()(hopper.copy())
    assert np.array_equal(detector(hopper).boxes, again.boxes)
    assert np.array_equal(detector(hopper).scores, again.scores)


def test_the_image_is_not_changed_and_may_be_a_view(detector: RetinaFace, hopper: Image) -> None:
    before = hopper.copy()
    mirrored = detector(hopper[:, ::-1])
    assert np.array_equal(hopper, before)
    assert len(mirrored) == 1


def test_the_network_gets_the_pixels_that_its_package_would_give_it(
    monkeypatch: pytest.MonkeyPatch, hopper: Image
) -> None:
    detector, inputs = RetinaFace(), list[Floats]()
    run = detector._session.run

    def record(names: list[str], feeds: dict[str, Floats]) -> object:
        inputs.append(feeds["input"])
        return run(names, feeds)

    monkeypatch.setattr(detector, "_session", SimpleNamespace(run=record))
    detector.candidates(hopper, 0.5)
    np.testing.assert_array_equal(inputs, [preprocess(hopper)])


def test_a_limit_on_the_score_drops_faces(hopper: Image) -> None:
    assert len(RetinaFace(min_score=0.99999)(resized(hopper, 60))) == 0


def test_other_images_are_refused_with_the_fix(detector: RetinaFace, hopper: Image) -> None:
    with pytest.raises(ShapeError, match="COLOR_GRAY2RGB"):
        detector(np.asarray(hopper[:, :, 0]))
    with pytest.raises(ShapeError, match="0–255"):
        detector((hopper / 255).astype(np.float32))


def test_real_faces_are_found_where_their_labels_are(detector: RetinaFace, data_dir: Path) -> None:
    overlaps, shifts = [], []
    for face in load_source(data_dir, "youtube-faces").subsets["training"][::50]:
        truth = tight_boxes(face.points[None])
        found = detector(read_image(face.image, orient=False))
        overlap = box_iou(truth, found.boxes)[0]
        overlaps.append(overlap.max())
        best = found.boxes[overlap.argmax()]
        shifts.append((best - truth[0]) / np.tile(truth[0, 2:] - truth[0, :2], 2))
    assert min(overlaps) > 0.5
    assert np.abs(np.median(shifts, axis=0)).max() < 0.03
