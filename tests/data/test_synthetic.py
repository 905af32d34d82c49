"""Drawn faces: determinism, exact points, and the cache."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from facedots.data import synthetic
from facedots.data.synthetic import (
    cached_synthetic,
    draw_face,
    random_head,
    random_rotation,
    write_synthetic,
)
from facedots.data.synthetic_painter import Canvas, curve
from facedots.io.images import read_image
from facedots.schema import IBUG68


def test_a_face_depends_on_the_state_of_the_generator_alone() -> None:
    first, again, other = (draw_face(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])
    assert first[0].dtype == np.uint8
    assert first[1].dtype == np.float32
    assert first[1].shape == (IBUG68.count, 2)


def test_image_sizes_are_in_range_and_most_points_inside() -> None:
    inside = []
    for number in range(40):
        image, points = draw_face(np.random.default_rng(number))
        height, width = image.shape[:2]
        assert 90 <= min(height, width) <= max(height, width) <= 300
        assert np.isfinite(points).all()
        inside.append(((points >= 0) & (points < (width, height))).all(axis=1).mean())
    assert np.mean(inside) > 0.97


def test_points_follow_the_order_of_the_schema_with_the_subjects_right_on_the_left() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        points = random_head(generator)
        mirrored = points[list(IBUG68.flip)] * (-1, 1, 1)
        assert (
            np.abs(mirrored - points).max() < 0.06
        )  # Symmetric but for the person's own irregularities.
        middle = {
            region: points[list(indices)].mean(axis=0) for region, indices in IBUG68.regions.items()
        }
        assert middle["right_eye"][0] < -0.2 < 0.2 < middle["left_eye"][0]
        assert (
            middle["right_brow"][1]
            < middle["right_eye"][1]
            < middle["nose"][1]
            < middle["mouth"][1]
            < points[8, 1]
        )
        assert (
            points[0, 0]
            < points[36, 0]
            < points[39, 0]
            < points[42, 0]
            < points[45, 0]
            < points[16, 0]
        )
        assert points[51, 1] < points[62, 1] <= points[66, 1] + 0.03 < points[57, 1] + 0.03


def test_some_eyes_and_mouths_are_open_and_some_closed() -> None:
    generator = np.random.default_rng(0)
    people = np.stack([random_head(generator) for _ in range(100)])
    eyes = people[:, 41, 1] - people[:, 37, 1]
    mouths = people[:, 66, 1] - people[:, 62, 1]
    for opening in (eyes, mouths):
        assert (opening < 0.04).sum() >= 5
        assert (opening > 0.08).sum() >= 5


def test_a_pose_is_a_rotation() -> None:
    for seed in range(10):
        pose = random_rotation(np.random.default_rng(seed))
        np.testing.assert_allclose(pose @ pose.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(pose) == pytest.approx(1)


def test_a_curve_goes_through_its_points() -> None:
    points = np.random.default_rng(0).normal(size=(7, 2))
    np.testing.assert_allclose(curve(points, closed=True)[::6], points, atol=1e-12)
    np.testing.assert_allclose(curve(points, closed=False)[::6], points, atol=1e-12)


def test_a_disc_is_centered_between_pixels() -> None:
    canvas = Canvas(np.zeros((40, 40, 3), np.uint8), unit=10)
    canvas.disc(np.array([17.3, 22.6]), 0.6, (255, 255, 255))
    weights = canvas.image[..., 0] / 255
    rows, columns = np.indices(weights.shape)
    center = [(columns * weights).sum() / weights.sum(), (rows * weights).sum() / weights.sum()]
    np.testing.assert_allclose(center, [17.3, 22.6], atol=0.1)


def test_open_eyes_are_lighter_inside_their_points_than_the_brows_are_at_theirs() -> None:
    lighter = []
    for number in range(60):
        image, points = draw_face(np.random.default_rng(number))
        gray = image.astype(np.float32).mean(axis=2)
        for eye, brow in ((range(36, 42), range(18, 21)), (range(42, 48), range(23, 26))):
            mask = np.zeros(gray.shape, np.uint8)
            cv2.fillPoly(mask, [points[list(eye)].round().astype(np.int32)], 1)
            x, y = points[list(brow)].mean(axis=0).round().astype(int)
            if mask.sum() > 40 and 0 <= x < gray.shape[1] and 0 <= y < gray.shape[0]:
                lighter.append(np.percentile(gray[mask > 0], 90) > gray[y, x])
    assert len(lighter) > 20
    assert np.mean(lighter) > 0.85


def test_written_files_equal_the_drawing_and_are_reused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = write_synthetic(tmp_path, 3, seed=4)
    for number, face in enumerate(faces):
        image, points = draw_face(np.random.default_rng((4, number)))
        assert face.name == face.group == f"synthetic/{number:06}"
        assert np.array_equal(face.points, points)
        difference = read_image(face.image).astype(int) - image
        assert np.abs(difference).mean() < 8  # JPEG
    monkeypatch.setattr(synthetic, "draw_face", None)
    assert [face.name for face in write_synthetic(tmp_path, 3, seed=4)] == [
        face.name for face in faces
    ]


def test_an_incomplete_cache_is_completed(tmp_path: Path) -> None:
    faces = write_synthetic(tmp_path, 3)
    before = faces[1].image.read_bytes()
    Path(str(faces[1].image)).unlink()
    assert write_synthetic(tmp_path, 3)[1].image.read_bytes() == before


def test_the_cache_is_in_xdg_cache_home_one_folder_per_drawing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first, other = cached_synthetic(2), cached_synthetic(2, seed=1)
    places = [Path(str(faces[0].image)) for faces in (first, other)]
    assert places[0].is_relative_to(tmp_path / "facedots")
    assert places[0].parent != places[1].parent
    assert cached_synthetic(1)[0].image == first[0].image
