from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.faces import face_of, isotropic_covariance

from facedots.analysis.shapes import MEAN_SHAPE, forehead
from facedots.effects.anonymize import AnonymizeMethod, Anonymizer, cover_polygons, is_uncertain
from facedots.errors import FacedotsError
from facedots.geometry import Image, Matrix, apply_affine, similarity
from facedots.regions import convex_hull, fill_polygons
from facedots.schema import IBUG68
from facedots.types import Face

SIZE = (220, 260)
COUNT = IBUG68.count
POINTS = np.asarray(MEAN_SHAPE * 60 + (120, 90), np.float32)


@settings(max_examples=40)
@given(
    st.builds(
        similarity,
        st.floats(-180, 180),
        st.floats(0.05, 2),
        st.tuples(st.floats(-150, 150), st.floats(-150, 150)),
        st.just((120.0, 90.0)),
    ),
    st.integers(0, 1000),
    st.sampled_from([np.nan, 0.0, 1.0, 4.0]),
)
def test_the_whole_face_is_covered(matrix: Matrix, seed: int, sigma: float) -> None:
    points = apply_affine(matrix, POINTS + np.random.default_rng(seed).normal(0, 4, POINTS.shape))
    mask = Anonymizer().mask(face_of(points, sigma), SIZE)
    hull = fill_polygons([convex_hull(np.concatenate([points, forehead(points)]))], SIZE)
    assert not (hull & ~mask).any(), "never less than the hull of points and forehead"
    if np.isfinite(sigma):
        offsets = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)]) * max(
            3 * sigma - 0.75, 0
        )  # rounded to whole pixels
        places = np.round(points[:, None] + offsets).astype(int).reshape(-1, 2)
        inside = ((places >= 0) & (places < (SIZE[1], SIZE[0]))).all(axis=1)
        columns, rows = places[inside].T
        assert mask[rows, columns].all(), "nor than three standard deviations around every point"


def test_the_less_sure_the_more_is_covered() -> None:
    areas = [
        Anonymizer().mask(face_of(POINTS, sigma), SIZE).sum()
        for sigma in (np.nan, 0.5, 4.0, 5.0, 7.0)
    ]
    assert areas[0] == areas[1], "the margin of 8 % holds for what is sure"
    assert areas[1] < areas[2] < areas[3] < areas[4]
    uneven = np.full(COUNT, 0.5, np.float32)
    uneven[8] = 8
    mask = Anonymizer().mask(
        replace(face_of(POINTS), covariance=isotropic_covariance(uneven)), SIZE
    )
    chin = POINTS[8]
    assert mask[int(chin[1]) + 22, int(chin[0])]
    tall = np.zeros((COUNT, 2, 2), np.float32)
    tall[8, 1, 1] = uneven[8] ** 2
    assert Anonymizer().mask(replace(face_of(POINTS), covariance=tall), SIZE)[
        int(chin[1]) + 22, int(chin[0])
    ]
    assert Anonymizer(margin=0.2).mask(face_of(POINTS), SIZE).sum() > areas[0]


def test_the_circle_is_round_on_the_outside() -> None:
    hull = cover_polygons(face_of(POINTS), margin=0.1)[0]
    radius = 0.1 * float(np.ptp(POINTS, axis=0).max())
    assert hull[:, 1].max() >= POINTS[8, 1] + radius - 1e-3
    assert hull[:, 1].max() == pytest.approx(POINTS[8, 1] + radius, abs=0.05 * radius)


def changed(**fields: object) -> Face:
    return replace(face_of(POINTS, 1.0), **fields)  # type: ignore[arg-type]


PART_MISSING = POINTS.copy()
PART_MISSING[40:] = np.nan
DOUBTS = {
    "low score of detector or network": changed(score=0.45),
    "low score of the detector": changed(detection_score=0.85),
    "low score of the network": changed(score=0.45, detection_score=0.95),
    "a missing point": changed(points=np.where(np.arange(COUNT)[:, None] == 3, np.nan, POINTS)),
    "many missing points": changed(points=PART_MISSING),
    "no point at all": changed(points=np.full_like(POINTS, np.nan)),
    "large sigma": changed(covariance=isotropic_covariance(np.full(COUNT, 9))),
    "points off the box": changed(points=POINTS + 70),
    "points in a heap": changed(points=POINTS * 0.05 + (110, 100)),
    "points on a line": face_of(np.stack([np.linspace(70, 170, COUNT)] * 2, axis=1)),
    "points without order": face_of(np.random.default_rng(0).permutation(POINTS)),
    "a mirrored face": face_of(POINTS * (-1, 1) + (240, 0)),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_in_doubt_the_box_is_covered_too(doubt: str) -> None:
    face = DOUBTS[doubt]
    x0, y0, x1, y1 = face.box.round().astype(int).tolist()
    mask = Anonymizer().mask(face, SIZE)
    assert mask[max(y0 - 30, 0) : y1 + 5, x0 - 5 : x1 + 5].all()
    assert is_uncertain(face)


def test_a_sure_face_is_not_covered_as_a_box() -> None:
    face = changed()
    assert not is_uncertain(face)
    assert not is_uncertain(face_of(POINTS)), (
        "a network without sigma is not in doubt of everything"
    )
    assert len(cover_polygons(face)) == 1


def test_faces_of_other_schemas_are_covered_with_their_box() -> None:
    face = changed(schema=replace(IBUG68, name="mine"))
    assert len(cover_polygons(face)) == 2


def textured() -> Image:
    """An image full of detail at every scale."""
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)


@pytest.mark.parametrize("method", ["blur", "pixelate", "solid"])
def test_detail_is_gone_and_the_rest_stays(method: AnonymizeMethod) -> None:
    image = textured()
    before = image.copy()
    face = face_of(POINTS, 1.0)
    result = Anonymizer(method)(image, [face])
    mask = Anonymizer(method).mask(face, SIZE)
    assert (result[~mask] == image[~mask]).all()
    assert (image == before).all()
    # What the eyes looked like cannot be told: another pattern of the same mean gives about the
    # same image.
    inverse = image.copy()
    inner = fill_polygons([convex_hull(POINTS)], SIZE)
    inverse[inner] = 255 - image[inner]
    other = Anonymizer(method)(inverse, [face])
    assert np.abs(result[mask].astype(int) - other[mask]).mean() < 12
    assert np.abs(image[inner].astype(int) - inverse[inner]).mean() > 100


def test_solid_is_one_color() -> None:
    face = face_of(POINTS)
    result = Anonymizer("solid", color=(1, 2, 3))(textured(), [face])
    assert (result[Anonymizer().mask(face, SIZE)] == (1, 2, 3)).all()


@pytest.mark.parametrize("method", ["blur", "pixelate"])
def test_a_face_that_is_cut_is_as_coarse_as_a_whole_one(method: AnonymizeMethod) -> None:
    image = textured()[:, :100]
    face = face_of(POINTS)
    result = Anonymizer(method)(image, [face])
    mask = Anonymizer().mask(face, (SIZE[0], 100))
    assert 0.05 < mask.mean() < 0.5
    assert np.abs(np.diff(result.astype(int), axis=0))[mask[1:] & mask[:-1]].mean() < 3


def test_without_faces_nothing_happens_and_cover_all_hides_everything() -> None:
    image = textured()
    result = Anonymizer()(image, [])
    assert (result == image).all()
    assert result is not image
    covered = Anonymizer("pixelate").cover_all(image)
    assert len(np.unique(covered.reshape(-1, 3), axis=0)) <= 30
    assert (Anonymizer("solid").cover_all(image) == 0).all()


def test_faces_outside_the_image_do_no_harm() -> None:
    image = textured()
    assert (Anonymizer()(image, [face_of(POINTS + 1000)]) == image).all()


@pytest.mark.parametrize(
    "values",
    [
        {"sigmas": np.nan},
        {"margin": np.inf},
        {"margin": -1},
        {"color": (0, 0)},
        {"color": (0, 0, 256)},
    ],
)
def test_numbers_that_would_cover_nothing_or_crash_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        Anonymizer(**values)


def test_other_ways_are_refused() -> None:
    with pytest.raises(FacedotsError, match="blur, pixelate, solid, not 'swirl'"):
        Anonymizer("swirl")  # type: ignore[arg-type]
    with pytest.raises(FacedotsError, match="error, copy, cover, not 'skip'"):
        Anonymizer(on_no_face="skip")  # type: ignore[arg-type]


def test_an_image_without_a_face_is_refused_or_covered() -> None:
    with pytest.raises(FacedotsError, match="choose --on-no-face copy or cover"):
        Anonymizer(on_no_face="error")(textured(), [])
    assert (Anonymizer("solid", on_no_face="cover")(textured(), []) == 0).all()


def test_anonymized_faces_look_as_before(
    two_faces: tuple[Image, list[Face]], assert_matches_reference: Callable[[Image, str], None]
) -> None:
    image, faces = two_faces
    blurred = Anonymizer("blur")(image, faces[:1])
    assert_matches_reference(Anonymizer("pixelate")(blurred, faces[1:]), "anonymous_blur_pixelate")
