from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facedots.annotations.base import FaceAnnotation
from facedots.audit.duplicates import MAX_HAMMING, DuplicatePair, find_near_duplicates, nearest
from facedots.audit.scan import look, look_of
from facedots.evaluation.protocol import Predictor
from facedots.geometry import Image, Matrix
from facedots.io.images import read_image, write_image
from facedots.schema import IBUG68

Annotate = Callable[[Matrix], list[FaceAnnotation]]


def test_both_views_see_the_same_points_in_the_same_place(
    annotate: Annotate, truth: Matrix, oracle: Predictor
) -> None:
    sights = look(annotate(truth), IBUG68, oracle, threads=1)
    np.testing.assert_allclose(sights.plain, truth, atol=1e-4)
    np.testing.assert_allclose(sights.mirrored, truth, atol=1e-4)
    assert (sights.sizes == (100, 90)).all()
    assert len(set(sights.digests)) == len(truth)


def test_a_bias_cancels_out(annotate: Annotate, truth: Matrix, biased: Predictor) -> None:
    sights = look(annotate(truth[:4]), IBUG68, biased, threads=1)
    np.testing.assert_allclose(sights.plain[..., 0] - sights.mirrored[..., 0], 4, atol=1e-4)
    np.testing.assert_allclose(sights.predicted, truth[:4], atol=1e-4)


def test_threads_do_not_change_what_is_seen(
    annotate: Annotate, truth: Matrix, oracle: Predictor
) -> None:
    one, many = (look(annotate(truth), IBUG68, oracle, threads=threads) for threads in (1, 4))
    assert one.digests == many.digests
    np.testing.assert_array_equal(one.plain, many.plain)


def test_an_unreadable_image_leaves_gaps(
    annotate: Annotate, truth: Matrix, folder: Path, oracle: Predictor
) -> None:
    (folder / "p01.png").write_bytes(b"broken")
    (folder / "p02.png").unlink()
    sights = look(annotate(truth[:4]), IBUG68, oracle, threads=1)
    assert np.isnan(sights.sizes[:, 0]).tolist() == [False, True, True, False]
    assert np.isnan(sights.plain[1:3]).all()
    assert sights.digests[1:3] == ("", "")
    assert not sights.looks[1:3].any()


def test_brightness_is_that_of_the_face(tmp_path: Path) -> None:
    image = np.full((40, 60, 3), 200, np.uint8)
    image[10:31, 20:41] = 50
    write_image(tmp_path / "a.png", image)
    points = np.full((68, 2), 30, np.float32)
    points[:2] = (20, 10), (40, 30)
    outside = points + np.float32(500)
    faces = [
        FaceAnnotation(tmp_path / "a.png", np.asarray(one, np.float32), "a")
        for one in (points, outside)
    ]
    sights = look(faces, IBUG68, threads=1)
    assert sights.brightness[0] == pytest.approx(50, abs=0.5)
    assert sights.brightness[1] == pytest.approx(image.mean(), abs=0.5)
    assert np.isnan(sights.plain).all()


def test_looks_survive_encoding_and_size_but_not_another_image(folder: Path, hopper: Image) -> None:
    height, width = hopper.shape[:2]
    poor = cv2.imdecode(
        cv2.imencode(".jpg", hopper, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR
    )
    small = cv2.resize(hopper, (width // 3, height // 3), interpolation=cv2.INTER_AREA)
    look_alike = [look_of(np.asarray(image, np.uint8)) for image in (hopper, poor, small)]
    others = [look_of(read_image(folder / f"p{i:02}.png")) for i in range(10)]
    assert all((one != look_alike[0]).sum() <= MAX_HAMMING for one in look_alike)
    assert all((one != look_alike[0]).sum() > 2 * MAX_HAMMING for one in others)
    assert not look_of(np.full((30, 30, 3), 99, np.uint8)).any()


def test_twins_by_hand() -> None:
    looks = np.zeros((5, 256), bool)
    looks[:, ::2] = True
    looks[1, :MAX_HAMMING] = ~looks[1, :MAX_HAMMING]
    looks[2, : MAX_HAMMING + 1] = ~looks[2, : MAX_HAMMING + 1]
    looks[3] = False  # No look at all.
    assert find_near_duplicates(looks) == [
        DuplicatePair(0, 1, MAX_HAMMING),
        DuplicatePair(0, 4, 0),
        DuplicatePair(1, 2, 1),
        DuplicatePair(1, 4, MAX_HAMMING),
    ]


def test_twins_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = np.random.default_rng(0).random((40, 256)) < 0.5
    looks[20:] = looks[:20]
    whole = find_near_duplicates(looks)
    monkeypatch.setattr("facedots.audit.duplicates._BLOCK", 7)
    assert find_near_duplicates(looks) == whole
    assert {(pair.first, pair.second) for pair in whole} == {(i, i + 20) for i in range(20)}


def test_the_nearest_look_among_others_and_in_its_own_group() -> None:
    looks = np.zeros((3, 256), bool)
    looks[:, :128] = True
    looks[1, :3] = False
    looks[2, :10] = False
    assert nearest(looks, ["ann", "ann", "bo"], others=False).tolist() == [3, 3]
    assert nearest(looks, ["ann", "ann", "bo"], others=True).tolist() == [10, 7, 7]
