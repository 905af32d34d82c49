import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedots.analysis.shapes import MEAN_SHAPE, TRIANGLES
from facedots.analysis.texture import face_texture, template_points, warp_texture
from facedots.errors import PointsError, ShapeError
from facedots.geometry import Image, Matrix, apply_affine, similarity
from facedots.regions import convex_hull, fill_polygons
from facedots.types import Face

MAP = np.stack(
    [*np.meshgrid(np.arange(200), np.arange(200)), np.full((200, 200), 255)], axis=-1
).astype(np.uint8)
"""An image whose colors say where a pixel is: red is x, green is y."""

SHAPE = MEAN_SHAPE.astype(np.float64) * 60 + (100, 70)


def test_the_same_shape_gives_the_same_pixels() -> None:
    texture = warp_texture(MAP, SHAPE, SHAPE, (200, 200))
    assert (texture.image[texture.mask] == MAP[texture.mask]).all()
    assert not texture.image[~texture.mask].any()
    hull = fill_polygons([convex_hull(SHAPE)], (200, 200))
    assert (texture.mask != hull).mean() < 0.002
    assert (texture.inside == texture.mask).all()


@settings(max_examples=25, deadline=None)
@given(
    st.builds(
        similarity,
        st.floats(-180, 180),
        st.floats(0.6, 1.6),
        st.tuples(st.floats(-40, 40), st.floats(-40, 40)),
        st.just((100, 100)),
    )
)
def test_each_pixel_comes_from_where_the_map_says(matrix: Matrix) -> None:
    target = apply_affine(matrix, SHAPE)
    texture = warp_texture(MAP, SHAPE, target, (200, 200))
    rows, columns = np.nonzero(texture.mask)
    places = np.stack([columns, rows], axis=1)
    linear = matrix[:, :2]
    expected = (places - matrix[:, 2]) @ np.linalg.inv(linear).T
    assert np.abs(texture.image[rows, columns, :2] - expected.clip(0, 199)).max(initial=0) < 1.6


def test_points_come_to_lie_on_their_points(two_faces: tuple[Image, list[Face]]) -> None:
    _, (face, _) = two_faces
    texture = face_texture(MAP, face, 300)
    goal = template_points(300)
    assert goal.min() == pytest.approx(0.06 * 300 - 0.5, abs=1)
    inner = [27, 28, 29, 30, 33, 36, 39, 42, 45, 48, 51, 54, 57]
    columns, rows = np.round(goal[inner]).astype(int).T
    np.testing.assert_allclose(texture.image[rows, columns, :2], face.points[inner], atol=1.5)


def test_a_reduced_texture_is_smooth() -> None:
    board = (np.indices((200, 200)).sum(axis=0) % 2 * 255).astype(np.uint8)
    texture = warp_texture(np.dstack([board] * 3), SHAPE, SHAPE * 0.2, (60, 60))
    gray = texture.image[texture.mask]
    assert np.abs(gray.astype(int) - 127).max() < 40, "one-pixel squares become gray, not a pattern"


def test_triangles_seen_from_behind_are_not_painted() -> None:
    mirrored = SHAPE * (-1, 1) + (200, 0)
    assert not warp_texture(MAP, SHAPE, mirrored, (200, 200)).mask.any()
    assert not warp_texture(MAP, SHAPE, SHAPE * (0, 1), (200, 200)).mask.any(), (
        "nor those without an area"
    )


def test_what_the_source_does_not_show_is_marked() -> None:
    beyond = SHAPE - (100, 0)
    texture = warp_texture(MAP, beyond, SHAPE, (200, 200))
    assert texture.inside[100, 120]
    assert texture.mask[100, 80]
    assert not texture.inside[100, 80]
    assert texture.image[100, 80, 0] == 0, "its border is drawn out"
    far = warp_texture(MAP, SHAPE + 1000, SHAPE, (200, 200))
    assert far.mask.any()
    assert not far.inside.any()


def test_a_target_outside_the_image_is_empty() -> None:
    texture = warp_texture(MAP, SHAPE, SHAPE + 500, (200, 200))
    assert not texture.mask.any()
    assert texture.image.shape == (200, 200, 3)


def test_the_source_stays_as_it_is_and_other_meshes_fit() -> None:
    before = MAP.copy()
    square = np.array([[10, 10], [60, 10], [60, 60], [10, 60]])
    texture = warp_texture(
        MAP, square, square + 5, (80, 80), np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    )
    assert texture.mask.sum() == 51 * 51
    assert texture.image[40, 40].tolist() == [35, 35, 255]
    assert (before == MAP).all()


def test_missing_points_and_shapes_that_do_not_fit_are_refused() -> None:
    missing = SHAPE.copy()
    missing[3] = np.nan
    with pytest.raises(PointsError, match="some are missing"):
        warp_texture(MAP, missing, SHAPE, (200, 200))
    with pytest.raises(ShapeError, match="target points"):
        warp_texture(MAP, SHAPE, SHAPE[:5], (200, 200), TRIANGLES)
