from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from facedots.analysis.shapes import forehead
from facedots.effects.swap import SEAM_FADE, SEAM_TOP, FaceSwap, average_face, put_face, swap_faces
from facedots.errors import PointsError
from facedots.geometry import Floats, Image, apply_affine, similarity
from facedots.regions import Mask, convex_hull, fill_polygons
from facedots.schema import IBUG68
from facedots.types import Face


def hull_of(points: Floats, size: tuple[int, int]) -> Mask:
    return fill_polygons([convex_hull(np.concatenate([points, forehead(points, SEAM_TOP)]))], size)


def painted_over(image: Image, points: Floats) -> Image:
    """The image with a smooth patch instead of a face, so that only a swap brings it back."""
    hull = hull_of(points, (image.shape[0], image.shape[1]))
    inner = cv2.erode(hull.astype(np.uint8), np.ones((9, 9))).astype(np.uint8)
    return np.asarray(cv2.inpaint(image, inner, 3, cv2.INPAINT_TELEA), np.uint8)


def gap(first: Image, second: Image, mask: Mask) -> float:
    """Mean difference of two images within a mask."""
    return float(np.abs(first[mask].astype(int) - second[mask]).mean())


def test_a_face_on_its_own_head_is_itself(two_faces: tuple[Image, list[Face]]) -> None:
    image, faces = two_faces
    for face in faces:
        assert np.abs(put_face(image, face, image, face).astype(int) - image).mean() < 0.5
        blank, hull = painted_over(image, face.points), hull_of(face.points, image.shape[:2])
        result = put_face(image, face, blank, face)
        assert gap(result, image, hull) < 0.5 * gap(blank, image, hull)


def test_nothing_but_the_face_changes(two_faces: tuple[Image, list[Face]]) -> None:
    image, (face, head) = two_faces
    before = image.copy()
    result = put_face(image, face, image, head)
    hull = hull_of(head.points, (image.shape[0], image.shape[1]))
    reach = 2 * round(2 * SEAM_FADE * float(np.ptp(head.points, axis=0).max())) + 7
    around = np.asarray(cv2.dilate(hull.astype(np.uint8), np.ones((reach, reach)))).astype(bool)
    assert (result[~around] == image[~around]).all()
    assert np.abs(result[hull].astype(int) - image[hull]).mean() > 5
    assert (image == before).all()


def test_colors_come_from_the_head(two_faces: tuple[Image, list[Face]]) -> None:
    image, (face, head) = two_faces
    bluish = (image * np.array([0.5, 0.7, 1.0])).astype(np.uint8)
    hull = hull_of(head.points, (image.shape[0], image.shape[1]))
    normal, other = put_face(image, face, image, head), put_face(bluish, face, image, head)
    assert np.abs(normal[hull].mean(axis=0) - other[hull].mean(axis=0)).max() < 4
    assert np.abs(normal[hull].mean(axis=0) - image[hull].mean(axis=0)).max() < 16


def test_a_face_that_looks_the_other_way_is_mirrored(two_faces: tuple[Image, list[Face]]) -> None:
    image, (_, turned) = two_faces
    mirrored = np.ascontiguousarray(image[:, ::-1])
    flipped = turned.points[list(IBUG68.flip)] * (-1, 1) + (image.shape[1] - 1, 0)
    source = replace(turned, points=np.asarray(flipped, np.float32))
    blank, hull = painted_over(image, turned.points), hull_of(turned.points, image.shape[:2])
    result = put_face(mirrored, source, blank, turned)
    assert gap(result, image, hull) < 0.2 * gap(blank, image, hull), "mirrored twice, it is itself"


@pytest.mark.parametrize(("x", "y"), [(-300, 0), (0, 400), (-260, -240)])
def test_heads_beyond_the_frame(two_faces: tuple[Image, list[Face]], x: float, y: float) -> None:
    image, (face, head) = two_faces
    result = put_face(
        image, face, image, replace(head, points=head.points + np.array([x, y], np.float32))
    )
    assert result.shape == image.shape
    assert (result == image).mean() > 0.9


def test_faces_are_swapped_in_a_circle(two_faces: tuple[Image, list[Face]]) -> None:
    image, (first, second) = two_faces
    result = swap_faces(image, [first, second])
    alone = put_face(image, second, put_face(image, first, image, second), first)
    assert (result == alone).all()
    assert (FaceSwap(image, first)(image, [second]) == put_face(image, first, image, second)).all()
    with pytest.raises(PointsError, match="two or more faces, and here there are 1"):
        swap_faces(image, [first])


def test_more_faces_of_other_points_would_not_help(two_faces: tuple[Image, list[Face]]) -> None:
    image, (face, _) = two_faces
    with pytest.raises(PointsError, match="needs the points of ibug68"):
        swap_faces(image, [replace(face, schema=replace(IBUG68, name="other"))])


def test_missing_points_are_refused(two_faces: tuple[Image, list[Face]]) -> None:
    image, (face, _) = two_faces
    points = face.points.copy()
    points[0] = np.nan
    broken = replace(face, points=points)
    for attempt in (
        lambda: put_face(image, broken, image, face),
        lambda: put_face(image, face, image, broken),
        lambda: FaceSwap(image, broken),
        lambda: average_face([image], [broken]),
        lambda: average_face([], []),
    ):
        with pytest.raises(PointsError):
            attempt()


def test_the_average_of_one_face_is_that_face_upright(two_faces: tuple[Image, list[Face]]) -> None:
    image, (face, _) = two_faces
    turned = similarity(70, 1.3, (40, -20), (80, 80))
    moved = np.asarray(cv2.warpAffine(image, turned, (400, 400)), np.uint8)
    upright = average_face([image], [face], 128)
    again = average_face([moved], [replace(face, points=apply_affine(turned, face.points))], 128)
    middle = np.zeros((128, 128), bool)
    middle[30:110, 30:98] = True
    assert gap(upright, again, middle) < 4, "however it lay in its image"
    assert gap(upright, np.ascontiguousarray(upright[::-1]), middle) > 12, "a face is to be seen"


def test_the_average_of_two_faces_lies_between_them(two_faces: tuple[Image, list[Face]]) -> None:
    image, (face, _) = two_faces
    dark, light = (np.full_like(image, value) for value in (40, 240))
    mean = average_face([dark, light], [face, face], 64)
    assert np.abs(mean[20:50, 20:44].astype(int) - 140).max() <= 1


def test_as_many_images_as_faces(two_faces: tuple[Image, list[Face]]) -> None:
    image, (face, _) = two_faces
    with pytest.raises(ValueError, match="longer"):
        average_face([image], [face, face])


def test_swapped_and_average_faces_match_the_reference(
    two_faces: tuple[Image, list[Face]], assert_matches_reference: Callable[[Image, str], None]
) -> None:
    image, faces = two_faces
    assert_matches_reference(swap_faces(image, faces), "swapped")
    assert_matches_reference(average_face([image, image], faces, 200), "average")
