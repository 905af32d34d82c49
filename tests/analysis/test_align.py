from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedots.analysis.align import ARCFACE, TEMPLATES, Template, align_face, alignment_matrix
from facedots.analysis.shapes import MEAN_SHAPE
from facedots.errors import PointsError, ShapeError
from facedots.geometry import Image, Matrix, apply_affine, compose, similarity
from facedots.schema import IBUG68
from facedots.types import Face

FRONTAL = MEAN_SHAPE.astype(np.float64) * 90 + (200, 150)

coordinates = st.floats(-300, 300)
moves = st.builds(
    similarity,
    st.floats(-180, 180),
    st.floats(0.2, 5),
    st.tuples(coordinates, coordinates),
    st.tuples(coordinates, coordinates),
)
templates = st.sampled_from(TEMPLATES)


def moved(matrix: Matrix, points: Matrix) -> Matrix:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


@given(templates, moves)
def test_wherever_a_face_lies_it_comes_to_the_same_place(template: Template, move: Matrix) -> None:
    once = moved(alignment_matrix(FRONTAL, 112, template), FRONTAL)
    again = moved(alignment_matrix(moved(move, FRONTAL), 112, template), moved(move, FRONTAL))
    np.testing.assert_allclose(again, once, atol=1e-6)


@given(templates, moves, st.integers(8, 1024))
def test_a_larger_image_shows_the_same(template: Template, move: Matrix, size: int) -> None:
    points = moved(move, FRONTAL)
    small, large = (moved(alignment_matrix(points, side, template), points) for side in (112, size))
    np.testing.assert_allclose((large + 0.5) / size, (small + 0.5) / 112, atol=1e-9)


@given(templates, st.integers(0, 99))
def test_the_map_is_a_similarity_and_never_a_mirror(template: Template, seed: int) -> None:
    points = FRONTAL + np.random.default_rng(seed).normal(0, 4, FRONTAL.shape)
    matrix = alignment_matrix(points, 112, template)
    assert matrix[0, 0] == pytest.approx(matrix[1, 1], abs=1e-9)
    assert matrix[0, 1] == pytest.approx(-matrix[1, 0], abs=1e-9)
    assert np.linalg.det(matrix[:, :2]) > 0


def test_the_eyes_lie_level_where_the_template_says() -> None:
    tilted = moved(similarity(33, 1.4, (20, -5), (150, 150)), FRONTAL)
    inside = moved(alignment_matrix(tilted, 200, "eyes"), tilted)
    np.testing.assert_allclose(inside[36:42].mean(axis=0) + 0.5, (70, 80), atol=1e-6)
    np.testing.assert_allclose(inside[42:48].mean(axis=0) + 0.5, (130, 80), atol=1e-6)
    assert inside[:, 1].min() > 0
    assert 185 < inside[8, 1] < 200


def test_a_face_with_arcfaces_points_gets_exactly_these() -> None:
    points = FRONTAL.copy()
    right, left, points[30], points[48], points[54] = np.array(ARCFACE)
    points[36:42], points[42:48] = right, left
    np.testing.assert_allclose(
        alignment_matrix(points, 112, "arcface112"), [[1, 0, 0], [0, 1, 0]], atol=1e-9
    )


def ffhq_corners(points: Matrix) -> Matrix:
    """What FFHQ's published download_ffhq.py computes, as a formula of its own."""
    eye_left, eye_right = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    eye_avg, eye_to_eye = (eye_left + eye_right) * 0.5, eye_right - eye_left
    eye_to_mouth = (points[48] + points[54]) * 0.5 - eye_avg
    x = eye_to_eye - np.flipud(eye_to_mouth) * [-1, 1]
    x /= np.hypot(*x)
    x *= max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8)
    y = np.flipud(x) * [-1, 1]
    c = eye_avg + eye_to_mouth * 0.1
    return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])


@given(moves, st.integers(0, 99))
def test_ffhqs_square_becomes_the_image(move: Matrix, seed: int) -> None:
    points = moved(move, FRONTAL + np.random.default_rng(seed).normal(0, 3, FRONTAL.shape))
    corners = moved(alignment_matrix(points, 256, "ffhq"), ffhq_corners(points))
    np.testing.assert_allclose(
        corners, [(-0.5, -0.5), (-0.5, 255.5), (255.5, 255.5), (255.5, -0.5)], atol=1e-6
    )


@pytest.mark.parametrize("template", TEMPLATES)
def test_pixels_go_with_the_points_and_come_back(
    template: Template,
    two_faces: tuple[Image, list[Face]],
    assert_matches_reference: Callable[[Image, str], None],
) -> None:
    image, faces = two_faces
    cuts = [align_face(image, face, 160, template) for face in faces]
    for cut, face in zip(cuts, faces, strict=True):
        assert cut.image.shape == (160, 160, 3)
        np.testing.assert_allclose(
            compose(cut.inverse, cut.matrix), [[1, 0, 0], [0, 1, 0]], atol=1e-9
        )
        eyes = apply_affine(
            cut.matrix,
            [face.region("right_eye").mean(axis=0), face.region("left_eye").mean(axis=0)],
        )
        assert eyes[0, 0] < eyes[1, 0]
        assert abs(eyes[0, 1] - eyes[1, 1]) < 10
    assert_matches_reference(
        np.concatenate([cut.image for cut in cuts], axis=1), f"aligned_{template}"
    )


def test_missing_points_are_refused_where_they_decide(two_faces: tuple[Image, list[Face]]) -> None:
    image, (face, _) = two_faces
    points = face.points.copy()
    points[[*range(17), 55]] = np.nan
    for template in TEMPLATES:
        np.testing.assert_allclose(
            alignment_matrix(points, 112, template), alignment_matrix(face.points, 112, template)
        )
    points[40] = np.nan
    needing_eyes: tuple[Template, ...] = ("eyes", "ffhq")
    for template in needing_eyes:
        with pytest.raises(PointsError):
            align_face(image, replace(face, points=points), 112, template)
    assert np.isfinite(alignment_matrix(points, 112, "arcface112")).all()


def test_what_cannot_be_aligned_is_refused() -> None:
    with pytest.raises(ValueError, match="one of eyes, arcface112, ffhq"):
        alignment_matrix(FRONTAL, 112, cast("Template", "arcface"))
    with pytest.raises(ValueError, match="size positive"):
        alignment_matrix(FRONTAL, 0, "eyes")
    with pytest.raises(ShapeError):
        alignment_matrix(FRONTAL[:5], 112, "eyes")
    for template in TEMPLATES:
        with pytest.raises(PointsError):
            alignment_matrix(np.full((IBUG68.count, 2), 3.0), 112, template)
