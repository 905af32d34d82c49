from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.faces import face_of

from facedots.errors import ShapeError
from facedots.geometry import Floats, Image
from facedots.plots.draw import draw_faces, draw_keypoints, draw_numbered, enlarge, region_colors
from facedots.schema import IBUG68, KeypointSchema
from facedots.types import Face

LONE = KeypointSchema("lone", ("a", "b"), {"first": (0,), "second": (1,)}, (0, 1), (), (0, 1))
COVARIANCE = np.array([[1000, 600], [600, 1000]], np.float32)
GRAY = np.full((100, 120, 3), 128, np.uint8)


def ring(count: int, center: tuple[float, float], radius: float) -> Floats:
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.asarray(
        np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius + center, np.float32
    )


def changed_center(drawn: Image, before: Image) -> tuple[float, float]:
    """The center of what was drawn, weighted by how much a pixel changed."""
    weight = np.abs(drawn.astype(float) - before).sum(axis=2)
    rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]]
    return float((weight * columns).sum() / weight.sum()), float(
        (weight * rows).sum() / weight.sum()
    )


@settings(max_examples=40)
@given(st.floats(10, 109), st.floats(10, 89))
def test_a_dot_lies_where_its_point_is(x: float, y: float) -> None:
    drawn = draw_keypoints(GRAY, [[x, y], [np.nan, np.nan]], LONE)
    assert changed_center(drawn, GRAY) == pytest.approx(
        (x, y), abs=0.3
    )  # OpenCV's small discs are that coarse


def test_dots_of_hidden_points_are_hollow() -> None:
    points = ring(68, (200, 200), 150)
    blank = np.full((400, 400, 3), 128, np.uint8)
    visibility = np.where(np.arange(68) % 2, 0.9, 0.1)
    drawn = draw_keypoints(blank, points, replace(IBUG68, edges=()), visibility=visibility)
    centers = points.round().astype(int)
    dark = (drawn[centers[:, 1], centers[:, 0]] < 60).all(axis=1)
    assert dark.tolist() == [not i % 2 for i in range(68)]
    plain = draw_keypoints(blank, points, replace(IBUG68, edges=()))
    assert (drawn != plain).any(axis=2).sum() < 34 * 30


def test_pupils_are_drawn_where_they_are() -> None:
    points, pupils = np.full((2, 2), np.nan), np.array([[40.3, 50.7], [np.nan, 3]])
    drawn = draw_keypoints(GRAY, points, LONE, pupils=pupils)
    assert changed_center(drawn, GRAY) == pytest.approx((40.3, 50.7), abs=0.3)


@pytest.mark.parametrize("background", [0, 128, 255])
@pytest.mark.parametrize("radius", [50, 150])
def test_every_dot_shows_on_every_background_in_its_regions_color(
    background: int, radius: int
) -> None:
    blank = np.full((400, 400, 3), background, np.uint8)
    points = ring(68, (200, 200), radius)
    drawn = draw_keypoints(blank, points, IBUG68)
    colors = region_colors(IBUG68)
    for i, (x, y) in enumerate(points.round().astype(int)):
        assert np.abs(drawn[y, x].astype(int) - colors[IBUG68.region_of[i]]).max() < 60
        around = drawn[y - 4 : y + 5, x - 4 : x + 5].reshape(-1, 3).astype(int)
        assert np.abs(around - background).max() > 80


def test_regions_have_colors_of_their_own() -> None:
    colors = region_colors(IBUG68)
    assert list(colors) == list(IBUG68.regions)
    assert len(set(colors.values())) == len(colors)


def test_the_image_itself_is_not_changed() -> None:
    before = GRAY.copy()
    face = face_of(ring(68, (60, 50), 30), score=0.9, box=np.array([30, 20, 90, 80], np.float32))
    for drawn in (
        draw_keypoints(GRAY, face.points, IBUG68),
        draw_faces(GRAY, [face]),
        draw_faces(GRAY, []),
    ):
        assert np.array_equal(GRAY, before)
        assert not np.shares_memory(drawn, GRAY)


def test_missing_points_and_edges_to_them_are_left_out() -> None:
    points = np.full((68, 2), np.nan, np.float32)
    assert np.array_equal(draw_keypoints(GRAY, points, IBUG68, numbered=True), GRAY)
    points[[0, 2]] = [
        [20, 50],
        [100, 50],
    ]  # neighbors of the missing point 1: no line may join them
    drawn = draw_keypoints(np.full((400, 400, 3), 128, np.uint8), points * 3, IBUG68)
    assert (drawn[140:160, 100:260] == 128).all()


def test_lines_join_the_points_of_a_large_face_only() -> None:
    blank = np.zeros((400, 400, 3), np.uint8)
    points = np.full((68, 2), np.nan, np.float32)
    points[[0, 1]] = [[100, 200], [300, 200]]
    middle = draw_keypoints(blank, points, IBUG68)[195:206, 200]
    assert middle.max() > 150
    assert draw_keypoints(blank, points / 4, IBUG68)[45:56, 50].max() == 0


def test_an_ellipse_shows_the_covariance() -> None:
    blank = np.zeros((400, 400, 3), np.uint8)
    points = np.array([[100, 200], [300, 200]], np.float32)
    drawn = draw_keypoints(blank, points, LONE, [COVARIANCE, np.full((2, 2), np.nan)])
    # One standard deviation is 40 px down to the right (y grows downwards), and 20 px across.
    down, across = np.array([1, 1]) / np.sqrt(2), np.array([1, -1]) / np.sqrt(2)
    for x, y in (
        points[0] + offset for offset in (40 * down, -40 * down, 20 * across, -20 * across)
    ):
        assert drawn[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2].max() > 100
    assert drawn[150:180, 120:150].max() == 0
    assert drawn[:, 200:296].max() == 0
    assert not draw_keypoints(blank, points, LONE)[:, :96].any()


def test_ellipses_grow_with_the_image() -> None:
    points = np.array([[25, 50], [75, 50]], np.float32)
    face = Face(
        points,
        np.stack([COVARIANCE / 16] * 2),
        np.ones(2, np.float32),
        np.array([5, 5, 60, 60], np.float32),
        1.0,
        LONE,
    )
    drawn = draw_faces(
        np.zeros((100, 100, 3), np.uint8), [face], box=False, sigma=True, face_size=200
    )
    assert drawn.shape == (400, 400, 3)
    tip = np.round((points[0] + 0.5) * 4 - 0.5 + 40 / np.sqrt(2)).astype(int)
    assert drawn[tip[1] - 2 : tip[1] + 3, tip[0] - 2 : tip[0] + 3].max() > 100


def test_numbers_are_written_beside_the_points() -> None:
    blank = np.zeros((900, 900, 3), np.uint8)
    points = ring(68, (450, 450), 400)
    plain, numbered = (
        draw_keypoints(blank, points, IBUG68, numbered=flag) for flag in (False, True)
    )
    different = (plain != numbered).any(axis=2)
    for x, y in points.round().astype(int):
        assert different[max(0, y - 25) : y + 26, max(0, x - 25) : x + 26].any()
        assert not different[y, x]


def test_marks_of_few_points_follow_the_image_and_of_many_the_face() -> None:
    few = KeypointSchema("few", ("a", "b", "c"), {"all": (0, 1, 2)}, (0, 1, 2), (), (0, 1))

    def dot(side: int, points: Floats, schema: KeypointSchema) -> int:
        """The width of what is drawn around the first point."""
        x, y = points[0].round().astype(int)
        drawn = draw_keypoints(np.zeros((side, side, 3), np.uint8), points, schema)
        return int(drawn[y, x - 40 : x + 40].any(axis=1).sum())

    assert dot(2400, ring(3, (1200, 1200), 240), few) > 24
    assert dot(240, ring(3, (120, 120), 24), few) < 8
    assert dot(2400, ring(68, (1200, 1200), 240), IBUG68) < 16


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.3, 5), st.integers(0, 2**32 - 1))
def test_enlarging_keeps_corners_on_corners(
    height: int, width: int, factor: float, seed: int
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    large, corners = enlarge(image, [[-0.5, -0.5], [width - 0.5, height - 0.5]], factor)
    assert corners[0] == pytest.approx([-0.5, -0.5], abs=1e-5)
    assert corners[1] == pytest.approx([large.shape[1] - 0.5, large.shape[0] - 0.5], abs=1e-3)


def test_a_small_face_is_enlarged_for_its_numbers_and_a_large_one_is_not() -> None:
    points = ring(68, (60, 50), 20)
    face = face_of(points, score=0.9, box=np.array([40, 30, 80, 70], np.float32))
    assert draw_faces(GRAY, [face]).shape == GRAY.shape
    assert (
        draw_faces(GRAY, [face], numbers=True).shape
        == draw_numbered(GRAY, points, IBUG68).shape
        == (1600, 1920, 3)
    )
    assert draw_numbered(
        np.zeros((900, 900, 3), np.uint8), ring(68, (450, 450), 400), IBUG68
    ).shape == (900, 900, 3)
    assert draw_faces(GRAY, [], numbers=True, face_size=400).shape == GRAY.shape
    assert draw_faces(GRAY, [face], face_size=80).shape == (200, 240, 3)
    assert draw_faces(GRAY, [face], face_size=20).shape == GRAY.shape


def test_an_enlarged_image_stays_below_a_limit() -> None:
    wide = np.zeros((100, 2000, 3), np.uint8)
    assert draw_numbered(wide, ring(68, (60, 50), 5), IBUG68).shape[1] == 4096


def test_the_box_lies_around_the_face_and_can_be_left_out() -> None:
    face = face_of(ring(68, (60, 50), 20), score=0.9, box=np.array([30, 20, 90, 80], np.float32))
    blank = np.zeros((100, 120, 3), np.uint8)
    drawn = draw_faces(blank, [face])
    for x, y in ((30, 50), (90, 50), (60, 80)):
        assert drawn[y, x].tolist() == [255, 255, 255]
    assert draw_faces(blank, [face], box=False)[50, 30].max() == 0


def test_faces_far_outside_the_image_do_no_harm() -> None:
    points = ring(68, (1e7, -1e7), 1e6)
    face = face_of(points, score=0.9, box=np.array([9e6, -1.1e7, 1.1e7, -9e6], np.float32))
    assert np.array_equal(draw_faces(GRAY, [face]), GRAY)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="points"):
        draw_keypoints(GRAY, np.zeros((5, 2)), IBUG68)
    with pytest.raises(ShapeError, match="RGB"):
        draw_keypoints(GRAY[:, :, 0], np.zeros((68, 2)), IBUG68)
