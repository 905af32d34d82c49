from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facedots.annotations.base import FaceAnnotation
from facedots.audit.image_files import ImageFile
from facedots.audit.scan import ImageScan, scan_images
from facedots.geometry import Matrix
from facedots.io.images import write_image
from facedots.schema import IBUG68
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
