import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from tests.faces import face_of

from facedots.analysis.pose import Camera, project
from facedots.analysis.shapes import HEAD_MODEL, MEAN_SHAPE
from facedots.effects.stickers import (
    FOLDER,
    Sticker,
    Stickers,
    load_sticker,
    paste,
    premultiplied,
    sticker_names,
)
from facedots.errors import PointsError, StickerError
from facedots.geometry import Image, Matrix, apply_affine, similarity
from facedots.head import HeadPose
from facedots.schema import IBUG68
from facedots.types import Face

RED = np.zeros((4, 6, 4), np.uint8)
RED[..., 0] = 200
RED[..., 3] = 255
PLACES = {"right_eye_0": (10.0, 20.0), "left_eye_3": (60.0, 22.0), "nose_3": (33.0, 45.0)}


def sticker(**changes: object) -> Sticker:
    fields = {"name": "mine", "image": RED, "anchors": PLACES, "fit": "affine", **changes}
    return Sticker(**fields)  # type: ignore[arg-type]


similarities = st.builds(
    similarity,
    st.floats(-180, 180),
    st.floats(20, 200),
    st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
    st.just((0.0, 0.0)),
)
FRAME = (480, 640)


def placed(ours: Sticker, points: ArrayLike) -> Matrix:
    """Where the anchors of a sticker come to lie on a face."""
    homography = ours.place(face_of(points), FRAME)
    seen = np.array([(x, y, 1) for x, y in ours.anchors.values()]) @ homography.T
    return np.asarray(seen[:, :2] / seen[:, 2:])


def rows_of(ours: Sticker) -> list[int]:
    return [IBUG68.index(point) for point in ours.anchors]


@settings(max_examples=30)
@given(similarities, st.sampled_from(sticker_names()))
def test_stickers_lie_on_the_mean_face_as_they_were_drawn(matrix: Matrix, name: str) -> None:
    ours = replace(load_sticker(name), fit="affine")
    zoom = float(np.sqrt(np.linalg.det(matrix[:, :2])))
    points = apply_affine(matrix, MEAN_SHAPE)
    np.testing.assert_allclose(
        placed(ours, points), points[rows_of(ours)], atol=0.002 * zoom + 1e-3
    )


@settings(max_examples=30)
@given(similarities, st.sampled_from(["affine", "similarity"]))
def test_stickers_tilt_grow_and_move_with_the_face(matrix: Matrix, fit: str) -> None:
    points = MEAN_SHAPE + np.random.default_rng(0).normal(0, 0.03, MEAN_SHAPE.shape)
    ours = sticker(fit=fit)
    still, moved = (
        ours.place(face_of(points), FRAME),
        ours.place(face_of(apply_affine(matrix, points)), FRAME),
    )
    np.testing.assert_allclose(moved, np.vstack([matrix, [0, 0, 1]]) @ still, atol=0.02)


def test_affine_squeezes_a_sticker_on_a_turned_head_and_similarity_does_not() -> None:
    turned = face_of(MEAN_SHAPE * (50, 100))
    for fit, squeezed in (("affine", 0.5), ("similarity", 1.0)):
        place = sticker(fit=fit).place(turned, FRAME)
        across, along = np.linalg.norm(place[:2, :2], axis=0)
        assert across / along == pytest.approx(squeezed, abs=0.02)


@given(st.floats(-35, 35), st.floats(-20, 20), st.floats(-40, 40), st.floats(-1, 1))
def test_perspective_is_what_a_camera_sees_of_a_plane_in_the_head(
    yaw: float, pitch: float, roll: float, x: float
) -> None:
    camera = Camera.guess(FRAME)
    pose = HeadPose(yaw, pitch, roll, np.array([x, 0.2, 7], np.float32), 0.0)
    points = project(HEAD_MODEL, pose, camera)
    level = {
        "right_eye_0": (40.0, 60.0),
        "left_eye_3": (140.0, 60.0),
    }  # 100 px to an outer-eye distance; depth 0
    ours = sticker(fit="perspective", anchors=level, image=np.zeros((120, 180, 4), np.uint8))
    corners = np.array([(0, 0), (179, 0), (179, 119), (0, 119)])
    solid = np.column_stack([(corners - (90, 60)) / 100, np.zeros(4)])
    seen = np.column_stack([corners, np.ones(4)]) @ ours.place(face_of(points), FRAME).T
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], project(solid, pose, camera), atol=0.6)


def test_a_head_that_fills_the_frame_counts_as_far_away() -> None:
    points = project(
        HEAD_MODEL, HeadPose(-35, 0, 0, np.array([0, 0, 2.2], np.float32), 0.0), Camera.guess(FRAME)
    )
    near = sticker(fit="perspective", image=np.zeros((60, 900, 4), np.uint8))
    np.testing.assert_allclose(
        near.place(face_of(points), FRAME),
        replace(near, fit="affine").place(face_of(points), FRAME),
    )


@pytest.mark.parametrize("fit", ["affine", "perspective"])
def test_the_place_is_that_of_the_anchors(fit: str) -> None:
    ours = sticker(fit=fit)
    points = MEAN_SHAPE * 100 + (320, 200)
    points[rows_of(ours)] += (0, 6)
    np.testing.assert_allclose(
        placed(ours, points).mean(axis=0), points[rows_of(ours)].mean(axis=0), atol=1e-3
    )


def test_faces_with_missing_points_are_refused() -> None:
    points = MEAN_SHAPE * 100
    points[3] = np.nan
    with pytest.raises(PointsError, match=r"points \[3\]"):
        sticker().place(replace(face_of(MEAN_SHAPE), points=points), FRAME)


def test_pasting_by_hand() -> None:
    image = np.full((10, 12, 3), 100, np.uint8)
    layer = RED.copy()
    layer[1, 2, 3] = 51
    paste(image, premultiplied(layer), np.array([[1.0, 0, 3], [0, 1, 2], [0, 0, 1]]))
    assert image[3, 5].tolist() == [120, 80, 80], "a fifth of red over gray"
    expected = np.full((10, 12), 100)
    expected[2:6, 3:9] = 200
    expected[3, 5] = 120
    assert image[..., 0].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("x", "y", "left"),
    [(-2, 0, 4 * 4), (0, 8, 2 * 6), (10, -3, 2), (12, 0, 0), (0, 10, 0), (-50, -50, 0)],
)
def test_what_lies_beyond_the_frame_is_cut(x: float, y: float, left: int) -> None:
    image = np.zeros((10, 12, 3), np.uint8)
    paste(image, premultiplied(RED), np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]]))
    assert (image[..., 0] == 200).sum() == left


def test_borders_are_smooth_and_clear_pixels_do_not_color_them() -> None:
    layer = np.full((40, 40, 4), 255, np.uint8)
    layer[..., 3] = 0
    layer[10:30, 10:30] = (200, 0, 0, 255)
    for zoom in (0.23, 0.9, 2.5):
        image = np.zeros((120, 120, 3), np.uint8)
        paste(
            image,
            premultiplied(layer),
            np.vstack([similarity(20, zoom, (40, 40), (20, 20)), [0, 0, 1]]),
        )
        assert image[..., 1:].max() == 0, "the white of clear pixels does not bleed"
        border = (image[..., 0] > 20) & (image[..., 0] < 180)
        assert border.sum() > 40 * zoom
        area = image[..., 0].astype(float).sum() / 200
        assert area == pytest.approx(400 * zoom**2, rel=0.12)


def test_images_stay_as_they_are(two_faces: tuple[Image, list[Face]]) -> None:
    image, faces = two_faces
    before = image.copy()
    filtered = Stickers(["sunglasses", "hat"])(image, faces)
    assert (image == before).all()
    assert (filtered != image).any()
    untouched = Stickers(["hat"])(image, [])
    assert (untouched == image).all()
    assert untouched is not image


@pytest.mark.parametrize(
    "names", [("sunglasses", "mustache", "hat"), ("party-mask", "crown"), ("dog-ears", "dog-nose")]
)
def test_stickers_look_as_before(
    names: tuple[str, ...],
    two_faces: tuple[Image, list[Face]],
    assert_matches_reference: Callable[[Image, str], None],
) -> None:
    image, faces = two_faces
    assert_matches_reference(Stickers(names)(image, faces), f"stickers_{'_'.join(names)}")


def drawing_tool() -> ModuleType:
    path = Path(__file__).parents[2] / "tools" / "draw_stickers.py"
    spec = importlib.util.spec_from_file_location("draw_stickers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_files_are_what_the_tool_draws() -> None:
    tool = drawing_tool()
    assert sorted(tool.DESIGNS) == sticker_names()
    for name in ("dog-nose", "mustache"):
        image, text = tool.draw(name)
        assert (FOLDER / f"{name}.yaml").read_text() == text
        assert np.abs(load_sticker(name).image.astype(int) - image).mean() < 0.5


@pytest.mark.parametrize("name", sticker_names())
def test_every_sticker_is_small_and_clear_at_its_border(name: str) -> None:
    image = load_sticker(name).image
    assert (FOLDER / f"{name}.png").stat().st_size < 40_000
    assert image[..., 3].max() > 200
    for line in (image[0], image[-1], image[:, 0], image[:, -1]):
        assert line[:, 3].max() == 0, "nothing is cut off"


def write(folder: Path, text: str, image: Image | None = RED) -> Path:
    if image is not None:
        stored = image[..., [2, 1, 0, 3]] if image.ndim == 3 and image.shape[2] == 4 else image
        (folder / "mine.png").write_bytes(cv2.imencode(".png", stored)[1].tobytes())
    (folder / "mine.yaml").write_text(text)
    return folder / "mine.yaml"


GOOD = "image: mine.png\nfit: similarity\nanchors:\n  right_eye_0: [1, 2]\n  left_eye_3: [4.5, 2]\n"


def test_five_lines_make_a_sticker(tmp_path: Path) -> None:
    ours = load_sticker(str(write(tmp_path, GOOD)))
    assert (ours.name, ours.fit, dict(ours.anchors)) == (
        "mine",
        "similarity",
        {"right_eye_0": (1, 2), "left_eye_3": (4.5, 2)},
    )
    assert (ours.image == RED).all()
    assert load_sticker(write(tmp_path, GOOD.replace("fit: similarity\n", ""))).fit == "affine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image: mine.png", "the fields image, anchors"),
        (GOOD + "color: red", "the fields image, anchors"),
        ("- 1", "the fields image, anchors"),
        ("image: [", "not YAML"),
        (GOOD.replace("mine.png", "gone.png"), "the sticker's image: .*gone.png: cannot be read"),
        (GOOD.replace("mine.png", "mine.yaml"), "not an image that can be decoded"),
        (GOOD.replace("[1, 2]", "[1]"), r"anchor right_eye_0: a place is \[x, y\]"),
        (GOOD.replace("[1, 2]", "[1, .nan]"), "anchor right_eye_0"),
        (GOOD.replace("[1, 2]", "[4.5, 2]"), "two different places"),
        (
            GOOD.replace("left_eye_3", "left_eye_9"),
            "no point is called 'left_eye_9'; names are as 'right_eye_0'",
        ),
        ("image: mine.png\nanchors: 3", "two different places"),
        (
            GOOD.replace("similarity", "homography"),
            "fit is affine or perspective or similarity, not 'homography'",
        ),
    ],
)
def test_faults_in_a_description_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(StickerError, match=message):
        load_sticker(write(tmp_path, text))


@pytest.mark.parametrize("image", [RED[..., :3], RED[..., 0], RED.astype(np.uint16)])
def test_images_without_alpha_are_refused(tmp_path: Path, image: Image) -> None:
    with pytest.raises(StickerError, match="alpha channel"):
        load_sticker(write(tmp_path, GOOD, image))


def test_one_sticker_needs_no_list(two_faces: tuple[Image, list[Face]]) -> None:
    expected = Stickers(["hat"])(*two_faces)
    for one in ("hat", FOLDER / "hat.yaml", load_sticker("hat")):
        np.testing.assert_array_equal(Stickers(one)(*two_faces), expected)


def test_unknown_stickers_get_the_list(tmp_path: Path) -> None:
    with pytest.raises(StickerError, match="beard: no such sticker; there are crown, dog-ears"):
        Stickers(["beard"])
    with pytest.raises(StickerError, match=r"gone\.yaml: cannot be read"):
        load_sticker(tmp_path / "gone.yaml")
