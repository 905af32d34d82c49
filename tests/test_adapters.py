"""Against the real supervision and pandas."""

import io
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import supervision as sv

from facedots.adapters import from_mediapipe, from_supervision, to_pandas, to_supervision
from facedots.errors import MissingExtra, ShapeError
from facedots.geometry import Floats, tight_boxes
from facedots.io.results import to_csv
from facedots.schema import AFLW19, IBUG68
from facedots.types import Face, ImageResult


def face(shift: float = 0.0, *, with_covariance: bool = True) -> Face:
    """Points on a grid from (20, 30), 10 px apart; the first point's error is wide along x."""
    grid = np.stack([20 + 10 * (np.arange(68) % 9), 30 + 10 * (np.arange(68) // 9)], axis=-1)
    points = np.asarray(grid + shift, np.float32)
    covariance = np.tile(np.eye(2, dtype=np.float32), (68, 1, 1))
    covariance[0] = [[16, 0], [0, 1]]
    confidence = np.linspace(0.5, 1, 68, dtype=np.float32)
    if not with_covariance:
        covariance, confidence = np.full_like(covariance, np.nan), np.full_like(confidence, np.nan)
    (box,) = tight_boxes(points[None])
    return Face(points, covariance, confidence, box, 0.875, IBUG68)


def test_supervision_draws_the_ellipse_of_the_covariance() -> None:
    annotator = sv.VertexEllipseOutlineAnnotator(sigma=2.0, color=sv.Color.RED, thickness=1)
    drawn = annotator.annotate(np.zeros((140, 140, 3), np.uint8), to_supervision([face()]))
    rows, columns = np.nonzero(drawn[25:36, :26, 2] > 128)
    assert (columns.min(), rows.min() + 25, rows.max() + 25) == (12, 28, 32)


def test_supervision_and_back() -> None:
    faces = [face(), face(3.5)]
    key_points = to_supervision(faces)
    assert np.shape(key_points.data["covariance"]) == (2, 68, 2, 2)
    boxes = key_points.as_detections()
    np.testing.assert_array_equal(boxes.xyxy, [each.box for each in faces])
    assert boxes.confidence is not None
    assert boxes.confidence.tolist() == [0.875, 0.875]
    for before, after in zip(faces, from_supervision(key_points), strict=True):
        for name in ("points", "covariance", "confidence", "box"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
        assert after.score == before.score


def test_supervision_gets_no_covariance_where_there_is_none() -> None:
    key_points = to_supervision([face(with_covariance=False)])
    assert key_points.data == {}
    assert key_points.keypoint_confidence is None
    (back,) = from_supervision(key_points)
    assert np.isnan(back.covariance).all()
    assert back.to_dict()["covariance"] is None


def test_no_face_in_supervision() -> None:
    key_points = to_supervision([])
    assert np.shape(key_points.data["covariance"]) == (0, 68, 2, 2)
    assert key_points.as_detections().xyxy.shape == (0, 4)
    image = np.zeros((20, 20, 3), np.uint8)
    assert not sv.VertexEllipseHaloAnnotator().annotate(image, key_points).any()
    assert from_supervision(key_points) == []
    assert np.shape(to_supervision([], AFLW19).data["covariance"]) == (0, 19, 2, 2)


def test_points_that_supervision_misses_are_missing() -> None:
    points = face().points[None].copy()
    points[0, 5] = 0
    (back,) = from_supervision(sv.KeyPoints(points, keypoint_confidence=np.full((1, 68), 0.25)))
    assert np.isnan(back.points[5]).all()
    assert np.isfinite(back.points).all(axis=1).sum() == 67
    assert back.score == 0.25
    assert from_supervision(sv.KeyPoints(points))[0].score == 1


def test_key_points_of_another_schema_are_refused() -> None:
    with pytest.raises(ShapeError, match="17 points, but the schema ibug68 has 68"):
        from_supervision(sv.KeyPoints(np.ones((1, 17, 2), np.float32)))


@pytest.mark.parametrize("with_covariance", [True, False])
def test_the_table_of_pandas_is_that_of_csv(with_covariance: bool) -> None:
    found = face(1 / 3, with_covariance=with_covariance)
    looking = replace(found, pupils=np.array([[10, 20], [30, 40]], np.float32))
    results = [ImageResult("a.jpg", 9, 9, [found, looking]), ImageResult("b.jpg", 9, 9, [])]
    expected = pd.read_csv(io.StringIO(to_csv(results, IBUG68)))
    assert "pupil_x_0" in expected
    pd.testing.assert_frame_equal(to_pandas(results, IBUG68), expected, check_dtype=False)
    assert to_pandas(results, IBUG68)["sigma_0"].dtype == np.float64


@pytest.mark.parametrize("package", ["pandas", "supervision"])
def test_a_missing_package_is_one_line(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"pip install 'facedots\[adapters\]'"):
        to_pandas([], IBUG68) if package == "pandas" else to_supervision([])


def vertices(count: int = 478) -> Floats:
    return np.random.default_rng(0).uniform(0.2, 0.8, (count, 3)).astype(np.float32)


def test_mediapipe_point_at_its_vertices() -> None:
    """The chin: 8 is between two vertices of the chin's middle; nothing else moves it."""
    mesh = np.full((478, 2), 0.5, np.float32)
    assert from_mediapipe(mesh, 200, 100)[8].tolist() == [99.5, 49.5]
    np.testing.assert_allclose(from_mediapipe(mesh, 200, 100), [[99.5, 49.5]] * 68)


def test_mediapipe_forms_give_the_same_points() -> None:
    mesh = vertices()
    listed = [SimpleNamespace(x=x, y=y) for x, y, _ in mesh.tolist()]
    points = from_mediapipe(mesh, 640, 480)
    assert points.shape == (68, 2)
    assert points.dtype == np.float32
    for form in (listed, SimpleNamespace(landmark=listed), mesh[:468]):
        np.testing.assert_allclose(from_mediapipe(form, 640, 480), points, atol=1e-3)


def test_mediapipe_points_follow_the_mesh() -> None:
    mesh, matrix = vertices()[:, :2], np.array([[0.5, 0.2], [-0.2, 0.5]])
    moved = from_mediapipe(mesh @ matrix + 0.1, 100, 100)
    expected = (from_mediapipe(mesh, 100, 100) + 0.5) @ matrix + 10 - 0.5
    np.testing.assert_allclose(moved, expected, atol=1e-3)


@pytest.mark.parametrize("mesh", [np.zeros((68, 2)), np.zeros((1, 478, 3)), np.zeros((478, 1))])
def test_a_mesh_of_another_shape_is_refused(mesh: Floats) -> None:
    with pytest.raises(ShapeError, match="468 vertices"):
        from_mediapipe(mesh, 10, 10)
