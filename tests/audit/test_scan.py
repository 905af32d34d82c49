from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facedots.annotations.base import FaceAnnotation
from facedots.audit.image_files import ImageFile
from facedots.audit.scan import ImageScan, Measure, measure_coverage, scan_images
from facedots.geometry import Matrix
from facedots.io.images import write_image
from facedots.schema import IBUG68, KeypointSchema
from facedots.spec import Predictor

Annotate = Callable[[Matrix], list[FaceAnnotation]]


def checksums(scan: ImageScan) -> list[str]:
    return [file.sha256 if isinstance(file, ImageFile) else "" for file in scan.images.values()]


def test_plain_and_mirrored_predictions_agree(
    annotate: Annotate, truth: Matrix, oracle: Predictor
) -> None:
    scan = scan_images(annotate(truth), IBUG68, oracle, threads=1)
    np.testing.assert_allclose(scan.plain, truth, atol=1e-4)
    np.testing.assert_allclose(scan.mirrored, truth, atol=1e-4)
    assert (scan.sizes == (100, 90)).all()
    assert len(set(checksums(scan))) == len(truth)


def test_a_bias_cancels_out(annotate: Annotate, truth: Matrix, biased: Predictor) -> None:
    scan = scan_images(annotate(truth[:4]), IBUG68, biased, threads=1)
    np.testing.assert_allclose(scan.plain[..., 0] - scan.mirrored[..., 0], 4, atol=1e-4)
    np.testing.assert_allclose(scan.predicted, truth[:4], atol=1e-4)


def test_threads_do_not_change_the_scan(
    annotate: Annotate, truth: Matrix, oracle: Predictor
) -> None:
    one, many = (
        scan_images(annotate(truth), IBUG68, oracle, threads=threads) for threads in (1, 4)
    )
    assert checksums(one) == checksums(many)
    np.testing.assert_array_equal(one.plain, many.plain)


def test_an_unreadable_image_leaves_gaps(
    annotate: Annotate, truth: Matrix, folder: Path, oracle: Predictor
) -> None:
    (folder / "p01.png").write_bytes(b"broken")
    (folder / "p02.png").unlink()
    scan = scan_images(annotate(truth[:4]), IBUG68, oracle, threads=1)
    assert np.isnan(scan.sizes[:, 0]).tolist() == [False, True, True, False]
    assert np.isnan(scan.plain[1:3]).all()
    assert checksums(scan)[1:3] == ["", ""]


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
    scan = scan_images(faces, IBUG68, threads=1)
    assert scan.brightness[0] == pytest.approx(50, abs=0.5)
    assert scan.brightness[1] == pytest.approx(image.mean(), abs=0.5)
    assert np.isnan(scan.plain).all()


PAIR = KeypointSchema("pair", ("right", "left"), {"eyes": (0, 1)}, (1, 0), ((0, 1),), (0, 1))


def coverage(labels: Matrix, schema: KeypointSchema) -> tuple[Measure, ...]:
    count = len(labels)
    return measure_coverage(
        labels, np.full((count, 2), (100.0, 90.0)), np.full(count, 120.0), schema
    )


def test_classes_by_hand() -> None:
    measure = Measure("px", np.array([1, 9.99, 10, 19, 20, 500, np.nan]), (10, 20))
    assert measure.classes == ("below 10", "10 to 20", "20 and more")
    assert measure.shares() == pytest.approx([2 / 6, 2 / 6, 2 / 6])
    assert measure.shares(np.arange(7) > 2) == pytest.approx([0, 1 / 3, 2 / 3])
    assert np.isnan(measure.shares(np.arange(7) > 5)).all()


def test_rare_is_below_two_percent() -> None:
    values = np.concatenate([np.full(98, 5.0), [15.0, 25.0]])
    assert Measure("px", values, (10, 20)).rare == ("10 to 20", "20 and more")
    assert Measure("px", values[2:], (10,)).rare == ()


def test_faces_have_size_brightness_and_three_angles(truth: Matrix) -> None:
    measures = coverage(truth[:6], IBUG68)
    assert [measure.name.partition(",")[0] for measure in measures] == [
        "eye distance",
        "brightness of the face",
        "yaw",
        "pitch",
        "roll",
    ]
    np.testing.assert_allclose(
        measures[0].values, np.linalg.norm(truth[:6, 45] - truth[:6, 36], axis=1)
    )
    eyes = truth[:6, 45] - truth[:6, 36]
    np.testing.assert_allclose(
        measures[4].values, np.rad2deg(np.arctan2(eyes[:, 1], eyes[:, 0])), atol=12
    )


def test_other_schemas_have_no_angles_and_unreadable_poses_are_gaps(truth: Matrix) -> None:
    assert len(coverage(np.array([[[0, 0], [7.0, 0]]]), PAIR)) == 2
    gone = truth[:2].copy()
    gone[0] = np.nan
    assert np.isnan(coverage(gone, IBUG68)[2].values).tolist() == [True, False]
