from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.faces import face_of

from facedots.drawing import fixed_point
from facedots.errors import PointsError
from facedots.geometry import Floats, apply_affine, similarity
from facedots.regions import convex_hull, fill_polygons, region_mask, region_names, region_polygons
from facedots.schema import IBUG68


def drawn_face(seed: int = 0, zoom: float = 100) -> Floats:
    """Points placed like those of a face, each moved a little, in a frame of 300 x 300 pixels."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(np.pi, 0, 17)
    points = np.zeros((IBUG68.count, 2))
    points[0:17] = np.stack([0.85 * np.cos(angle), 1.3 * np.sin(angle)], axis=1)
    points[17:27, 0] = [*np.linspace(-0.66, -0.18, 5), *np.linspace(0.18, 0.66, 5)]
    points[17:27, 1] = -0.25
    points[27:31, 1] = np.linspace(0, 0.43, 4)
    points[31:36] = np.stack([np.linspace(-0.15, 0.15, 5), np.full(5, 0.54)], axis=1)
    for start, count, x, y, half, height in (
        (36, 6, -0.36, 0, 0.14, 0.05),
        (42, 6, 0.36, 0, 0.14, 0.05),
    ):
        turn = np.linspace(np.pi, -np.pi, count, endpoint=False)
        points[start : start + count] = np.stack(
            [x + half * np.cos(turn), y - height * np.sin(turn)], axis=1
        )
    for start, count, half, height in ((48, 12, 0.3, 0.12), (60, 8, 0.25, 0.05)):
        turn = np.linspace(np.pi, -np.pi, count, endpoint=False)
        points[start : start + count] = np.stack(
            [half * np.cos(turn), 0.83 - height * np.sin(turn)], axis=1
        )
    points += rng.normal(0, 0.003, points.shape)
    return np.asarray(points * zoom + 130, np.float32)


POINTS = drawn_face()


def test_mask_by_hand() -> None:
    points = POINTS.copy()
    points[36:42] = [(10, 20), (12, 18), (14, 18), (16, 20), (14, 22), (12, 22)]
    mask = region_mask(points, "right_eye", (40, 30))
    rows = {row: np.flatnonzero(mask[row]).tolist() for row in range(40) if mask[row].any()}
    assert rows == {
        18: [12, 13],
        19: [11, 12, 13, 14],
        20: [10, 11, 12, 13, 14, 15],
        21: [11, 12, 13, 14],
    }


@settings(max_examples=60)
@given(st.tuples(*[st.floats(40, 80)] * 2), st.floats(0.05, 1), st.sampled_from(["lips", "face"]))
def test_a_mask_holds_the_centers_within_the_polygons(
    middle: tuple[float, float], zoom: float, name: str
) -> None:
    points = (POINTS - 130) * np.float32(zoom) + np.array(middle, np.float32)
    outer, *holes = region_polygons(points, name)
    mask = region_mask(points, name, (100, 110))
    for row, column in np.ndindex(100, 110):
        distances = [cv2.pointPolygonTest(p, (column, row), True) for p in (outer, *holes)]
        if min(map(abs, distances)) > 1e-3:
            assert mask[row, column] == (distances[0] > 0 and not any(d > 0 for d in distances[1:]))


@pytest.mark.parametrize("name", region_names(IBUG68))
def test_every_region_has_an_area_and_turns_with_the_face(name: str) -> None:
    turned = apply_affine(similarity(90, 1, (0, 0), (150, 150)), POINTS)
    upright, lying = (region_mask(points, name, (301, 301)) for points in (POINTS, turned))
    assert upright.sum() > 40
    assert np.mean(np.rot90(upright, -1) != lying) < 0.01


@pytest.mark.parametrize(
    "name", [name for name in region_names(IBUG68) if name not in ("lips", "mouth")]
)
def test_a_region_is_around_its_points_and_within_the_face(name: str) -> None:
    polygon = region_polygons(POINTS, name)[0]
    if name in IBUG68.regions:
        inside = [
            cv2.pointPolygonTest(polygon, point.tolist(), True)
            for point in POINTS[list(IBUG68.regions[name])]
        ]
        assert min(inside) > -2, (
            "no point of the region lies further outside than a nose's bridge bends"
        )
    if name not in ("right_brow", "left_brow"):
        hull = region_polygons(POINTS, "face")[0]
        assert min(cv2.pointPolygonTest(hull, point.tolist(), True) for point in polygon) >= -0.01


def test_lips_are_the_mouth_without_its_opening() -> None:
    mouth, lips, opening = (
        region_mask(POINTS, name, (300, 300)) for name in ("mouth", "lips", "inner_mouth")
    )
    assert (mouth == (lips | opening)).all()
    assert not (lips & opening).any()
    assert not lips[213, 130], "the middle of the opening"


def test_left_is_the_subjects_own() -> None:
    columns = [
        np.nonzero(region_mask(POINTS, f"{side}_eye", (300, 300)))[1].mean()
        for side in ("right", "left")
    ]
    assert columns[0] < 130 < columns[1]


@settings(max_examples=40)
@given(st.floats(-400, 400), st.floats(-400, 400), st.sampled_from(region_names(IBUG68)))
def test_the_frame_only_cuts(x: float, y: float, name: str) -> None:
    shift = np.round([x, y])
    whole = region_mask(POINTS, name, (300, 300))
    moved = region_mask(POINTS + shift, name, (200, 250))
    assert moved.shape == (200, 250)
    rows, columns = np.nonzero(whole)
    rows, columns = rows + int(shift[1]), columns + int(shift[0])
    seen = (rows >= 0) & (rows < 200) & (columns >= 0) & (columns < 250)
    expected = np.zeros((200, 250), bool)
    expected[rows[seen], columns[seen]] = True
    assert (moved != expected).sum() <= 0.02 * whole.sum() + 3, (
        "cut lines may round to the next pixel, no more"
    )


def test_a_face_gives_its_masks() -> None:
    assert (
        face_of(POINTS).mask("nose", (300, 300)) == region_mask(POINTS, "nose", (300, 300))
    ).all()


def test_unknown_regions_and_missing_points_are_named() -> None:
    with pytest.raises(PointsError, match="no region is called 'ear'; there are face, jaw,"):
        region_mask(POINTS, "ear", (10, 10))
    with pytest.raises(PointsError, match="no region is called 'ear'; there are jaw,"):
        face_of(POINTS).region("ear")
    points = POINTS.copy()
    points[[37, 50]] = np.nan
    with pytest.raises(PointsError, match=r"region 'right_eye': points \[37\] are missing"):
        region_mask(points, "right_eye", (10, 10))
    assert region_mask(points, "left_eye", (300, 300)).any(), "other regions do not need them"


def test_brows_are_strips_even_where_an_eye_corner_is_missing() -> None:
    points = POINTS.copy()
    whole = region_mask(points, "left_brow", (300, 300)).sum()
    points[45] = np.nan
    assert region_mask(points, "left_brow", (300, 300)).sum() == pytest.approx(whole, rel=0.3)


def test_regions_of_other_schemas_are_hulls() -> None:
    other = replace(IBUG68, name="mine")
    assert region_names(other) == ("face", *IBUG68.regions)
    assert region_polygons(POINTS, "jaw", other)[0].tolist() == convex_hull(POINTS[:17]).tolist()
    with pytest.raises(PointsError, match="lips"):
        region_mask(POINTS, "lips", (10, 10), other)


def test_coordinates_beyond_what_opencv_counts_do_not_wrap_around() -> None:
    assert np.abs(fixed_point([[1e9, -1e9]])).max() <= 2**19
    assert fill_polygons([[(-1e9, -1e9), (1e9, -1e9), (1e9, 1e9), (-1e9, 1e9)]], (5, 7)).all()
