from typing import Literal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facedots.errors import FacedotsError, PointsError, ShapeError
from facedots.geometry import (
    CropSpec,
    Floats,
    Image,
    Matrix,
    apply_affine,
    box_iou,
    check_boxes,
    check_shape,
    compose,
    crop_matrix,
    fit_similarity,
    invert,
    similarity,
    tight_boxes,
    warp_image,
)

coordinates = st.floats(-500, 500, width=32)
points = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=9)
similarities = st.builds(
    similarity,
    st.floats(-180, 180),
    st.floats(0.2, 5),
    st.tuples(coordinates, coordinates),
    st.tuples(coordinates, coordinates),
)
clouds = st.integers(2, 12).flatmap(lambda n: arrays(np.float64, (n, 2), elements=coordinates))
squares = st.tuples(coordinates, coordinates, st.floats(8, 800))


@pytest.mark.parametrize(
    ("shape", "fits"),
    [("N 68 2", True), ("3 K 2", True), ("N K 3", False), ("N 2", False), ("4 68 2", False)],
)
def test_check_shape(shape: str, fits: bool) -> None:
    array = np.zeros((3, 68, 2))
    if fits:
        assert check_shape(array, shape) is array
    else:
        with pytest.raises(ShapeError, match=r"points must have the shape .* not \(3, 68, 2\)"):
            check_shape(array, shape, "points")


def test_a_shape_error_is_ours_and_a_value_error() -> None:
    assert issubclass(ShapeError, FacedotsError)
    assert issubclass(ShapeError, ValueError)


@given(
    coordinates,
    coordinates,
    st.floats(1, 300, width=32),
    st.floats(1, 300, width=32),
    st.sampled_from(["", "x", "y", "xy"]),
)
def test_boxes_come_in_order_whichever_corners_were_given(
    x: float, y: float, width: float, height: float, swap: str
) -> None:
    box = np.array([x, y, x + width, y + height], np.float32)
    given_box = box.copy()
    if "x" in swap:
        given_box[[0, 2]] = given_box[[2, 0]]
    if "y" in swap:
        given_box[[1, 3]] = given_box[[3, 1]]
    assert check_boxes([given_box])[0].tolist() == box.tolist()


def test_no_boxes_are_fine() -> None:
    assert check_boxes([]).shape == (0, 4)
    assert check_boxes(np.zeros((0, 4))).dtype == np.float32


@pytest.mark.parametrize("bad", [[0, 0, 0, 5], [0, 0, 5, 0], [0, 0, np.nan, 5], [0, -np.inf, 5, 5]])
def test_boxes_without_an_area_are_refused_by_number(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="box 1 is"):
        check_boxes(np.array([[0, 0, 1, 1], bad]))


@pytest.mark.parametrize("bad", [[1, 2, 3, 4], [[1, 2, 3]], [[[1, 2, 3, 4]]]])
def test_boxes_of_another_shape_are_refused(bad: list[object]) -> None:
    with pytest.raises(ShapeError, match="boxes must have the shape"):
        check_boxes(np.array(bad))


@given(points)
def test_a_tight_box_touches_the_outermost_points(face: list[tuple[float, float]]) -> None:
    (box,) = tight_boxes([face])
    xs, ys = zip(*face, strict=True)
    assert box.tolist() == [min(xs), min(ys), max(xs), max(ys)]


def test_missing_points_do_not_count() -> None:
    assert tight_boxes(np.array([[[1, 2], [np.nan, np.nan], [5, 9]]])).tolist() == [[1, 2, 5, 9]]


def test_iou_by_hand() -> None:
    first = [[0, 0, 4, 4], [10, 10, 12, 12]]
    second = [[0, 0, 4, 4], [2, 2, 6, 6], [4, 0, 8, 4]]
    # Overlap 2 x 2 of 16 + 16 - 4; boxes that only touch do not overlap.
    np.testing.assert_allclose(
        box_iou(first, second), np.array([[1, 4 / 28, 0], [0, 0, 0]]), atol=1e-7
    )


@pytest.mark.parametrize(
    ("kind", "scale"), [("face", 1.0), ("box", 0.0), ("frame", -1.0), ("box", float("nan"))]
)
def test_an_impossible_framing_is_refused(kind: Literal["box"], scale: float) -> None:
    with pytest.raises(ValueError, match="the mode is 'box' or 'frame'"):
        CropSpec(kind, scale)


def test_the_square_of_a_box_by_hand() -> None:
    squares_of = CropSpec("box", 1.5).crop_squares([[10, 20, 30, 60]], (100, 100))
    assert squares_of.tolist() == [[20, 40, 60]]


def test_the_square_of_a_frame_is_its_middle_whatever_the_box() -> None:
    made = CropSpec("frame", 0.5).crop_squares([[10, 20, 30, 60], [0, 0, 5, 5]], (101, 201))
    assert made.tolist() == [[100, 50, 50.5]] * 2


@given(squares, st.integers(2, 512))
def test_a_crop_holds_exactly_its_square(square: tuple[float, float, float], size: int) -> None:
    x, y, side = square
    edges = [[x - side / 2, y - side / 2], [x + side / 2, y + side / 2], [x, y]]
    expected = [[-0.5, -0.5], [size - 0.5, size - 0.5], [(size - 1) / 2, (size - 1) / 2]]
    np.testing.assert_allclose(apply_affine(crop_matrix(square, size), edges), expected, atol=1e-3)


@given(similarities, points)
def test_invert_undoes(matrix: Matrix, face: list[tuple[float, float]]) -> None:
    there = apply_affine(matrix, face).astype(np.float64)
    np.testing.assert_allclose(apply_affine(invert(matrix), there), face, atol=2e-2)


@given(similarities, similarities, points)
def test_compose_applies_the_inner_map_first(
    outer: Matrix, inner: Matrix, face: list[tuple[float, float]]
) -> None:
    one_by_one = apply_affine(outer, apply_affine(inner, face).astype(np.float64))
    np.testing.assert_allclose(
        apply_affine(compose(outer, inner), face), one_by_one, rtol=1e-5, atol=1e-2
    )


@given(st.floats(-180, 180), st.floats(0.2, 5), points)
def test_a_similarity_scales_all_distances_and_keeps_its_center(
    angle: float, zoom: float, face: list[tuple[float, float]]
) -> None:
    matrix = similarity(angle, zoom, (7, -3), (20, 30))
    np.testing.assert_allclose(apply_affine(matrix, [[20, 30]]), [[27, 27]], atol=1e-4)
    far = np.asarray(face, np.float64)
    moved = apply_affine(matrix, far) - apply_affine(matrix, far[:1])
    np.testing.assert_allclose(
        np.linalg.norm(moved, axis=1), zoom * np.linalg.norm(far - far[0], axis=1), atol=2e-2
    )


def test_a_positive_angle_turns_clockwise_as_seen() -> None:
    # y grows downwards: a point on the right of the center goes below it.
    np.testing.assert_allclose(
        apply_affine(similarity(90, 1, (0, 0), (5, 5)), [[9, 5]]), [[5, 9]], atol=1e-5
    )


def test_affine_maps_take_any_leading_axes_and_keep_nan() -> None:
    many = np.zeros((2, 3, 4, 2))
    many[0, 0, 0] = np.nan
    moved = apply_affine(similarity(0, 1, (1, 2), (0, 0)), many)
    assert moved.shape == many.shape
    assert moved.dtype == np.float32
    assert np.isnan(moved[0, 0, 0]).all()
    assert moved[1, 2, 3].tolist() == [1, 2]


def squared_error(matrix: Matrix, source: Matrix, target: Matrix) -> float:
    return float(((source @ matrix[:, :2].T + matrix[:, 2] - target) ** 2).sum())


@given(clouds.filter(lambda cloud: np.ptp(cloud, axis=0).max() > 1), similarities)
def test_a_known_similarity_comes_back(source: Matrix, known: Matrix) -> None:
    target = source @ known[:, :2].T + known[:, 2]
    np.testing.assert_allclose(fit_similarity(source, target), known, atol=1e-6)


@given(st.integers(0, 10_000))
def test_no_other_similarity_is_closer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source, target = rng.normal(0, 30, (2, 7, 2))
    best = fit_similarity(source, target)
    assert best[0, 0] == best[1, 1]
    assert best[0, 1] == -best[1, 0]
    for nudge in 1e-3 * np.eye(4):
        cos, sin, x, y = nudge
        other = best + np.array([[cos, -sin, x], [sin, cos, y]])
        assert squared_error(best, source, target) < squared_error(other, source, target)


def test_missing_pairs_do_not_count() -> None:
    source = np.array([[0, 0], [2, 0], [np.nan, 9], [1, 1]])
    target = np.array([[1, 1], [1, 5], [7, 7], [np.nan, np.nan]])
    matrix = fit_similarity(source, target)
    np.testing.assert_allclose(apply_affine(matrix, source[:2]), target[:2])


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    square = np.array([[-1.0, -1.0], [1, -1], [1, 1], [-1, 1]])
    assert np.linalg.det(fit_similarity(square, square * (-1, 1))[:, :2]) >= 0


@pytest.mark.parametrize("source", [[[1, 1]], [[3, 4], [3, 4]], [[np.nan, 1], [2, 2]]])
def test_what_decides_nothing_is_refused(source: list[list[float]]) -> None:
    with pytest.raises(PointsError, match="two different points"):
        fit_similarity(source, source)


def test_unequal_numbers_of_points_are_refused() -> None:
    with pytest.raises(ShapeError, match="target points must have the shape"):
        fit_similarity([[0, 0], [1, 1]], [[0, 0]])


def test_many_faces_are_fitted_at_once() -> None:
    rng = np.random.default_rng(0)
    faces, reference = rng.normal(0, 30, (4, 7, 2)), rng.normal(0, 30, (7, 2))
    faces[1, 2:4] = np.nan
    faces[2, 1:] = np.nan
    matrices = fit_similarity(faces, reference)
    for i in (0, 1, 3):
        np.testing.assert_allclose(matrices[i], fit_similarity(faces[i], reference), rtol=1e-12)
    assert np.isnan(matrices[2]).all()
    np.testing.assert_allclose(fit_similarity(faces, faces)[0], np.eye(2, 3), atol=1e-12)


def dot(height: int, width: int, center: tuple[float, float], sigma: float) -> Image:
    """A black image with one soft white dot."""
    y, x = np.mgrid[:height, :width]
    distance = (x - center[0]) ** 2 + (y - center[1]) ** 2
    return np.asarray(np.rint(255 * np.exp(-distance / (2 * sigma**2))), np.uint8)


def center_of_mass(image: Image) -> Floats:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    weights = image.astype(np.float64)
    return np.array([(x * weights).sum(), (y * weights).sum()], np.float32) / np.float32(
        weights.sum()
    )


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-180, 180),
    st.floats(0.06, 3),
    st.tuples(st.floats(60, 240), st.floats(60, 180)),
    st.tuples(st.integers(200, 301), st.integers(200, 301)),
)
def test_a_dot_lands_where_its_point_goes(
    angle: float, zoom: float, center: tuple[float, float], size: tuple[int, int]
) -> None:
    width, height = size
    assume(center[0] < width - 30 and center[1] < height - 30)
    # The dot stays some pixels wide after shrinking, so that its center can be measured.
    image = dot(height, width, center, sigma=max(1.5, 1.5 / zoom) if zoom > 0.15 else 12)
    matrix = similarity(angle, zoom, (64 - center[0] + 0.3, 64 - center[1] - 0.2), center)
    warped = warp_image(image, matrix, (128, 128))
    (expected,) = apply_affine(matrix, [center])
    np.testing.assert_allclose(center_of_mass(warped), expected, atol=0.25)


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 1), (40, 60, 3)])
def test_size_type_and_channels(shape: tuple[int, ...]) -> None:
    warped = warp_image(np.full(shape, 200, np.uint8), crop_matrix((30, 20, 30), 16), (16, 16))
    assert warped.shape == (16, 16, *shape[2:])
    assert warped.dtype == np.uint8
    assert warped.min() == warped.max() == 200


def test_the_result_has_the_height_and_width_asked_for() -> None:
    assert warp_image(
        np.zeros((9, 9, 3), np.uint8), similarity(0, 1, (0, 0), (0, 0)), (5, 7)
    ).shape == (5, 7, 3)


def test_outside_the_image_is_black() -> None:
    warped = warp_image(np.full((10, 10, 3), 255, np.uint8), crop_matrix((0, 0, 20), 20), (20, 20))
    assert warped[:9].max() == warped[:, :9].max() == 0
    assert warped[10:19, 10:19].min() == 255
    assert (
        0 < warped[19, 12, 0] < 255
    )  # Half a pixel beyond the last center: mixed with the outside.


def test_a_plain_shift_keeps_every_value() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    warped = warp_image(image, similarity(0, 1, (-4, -2), (0, 0)), (10, 12))
    assert (warped == image[2:12, 4:16]).all()


def test_shrinking_averages_and_does_not_pick_pixels() -> None:
    stripes = np.zeros((256, 256), np.uint8)
    stripes[:, ::2] = 255
    warped = warp_image(stripes, crop_matrix((127.5, 127.5, 256), 32), (32, 32))
    assert abs(int(warped[4:-4, 4:-4].mean()) - 127) <= 1
    assert np.ptp(warped[4:-4, 4:-4]) <= 2


def test_the_image_itself_is_left_alone() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    before = image.copy()
    warp_image(image, crop_matrix((32, 32, 64), 8), (8, 8))
    assert (image == before).all()


@pytest.mark.parametrize("zoom", [1.0, 0.3])
def test_images_with_sides_beyond_opencv_s_limit_are_warped(zoom: float) -> None:
    part = np.random.default_rng(0).integers(0, 255, (40, 100, 3), np.uint8)
    image = np.zeros((40, 70_000, 3), np.uint8)
    image[:, 60_000:60_100] = part
    near = similarity(9, zoom, (3, 2), (50, 20))
    far = compose(near, np.array([[1, 0, -60_000], [0, 1, 0]]))
    gaps = np.abs(warp_image(image, far, (30, 30)).astype(int) - warp_image(part, near, (30, 30)))
    assert gaps.mean() < 1
