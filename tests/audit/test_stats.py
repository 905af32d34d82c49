import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.load import ReadOptions, load_annotations
from facedots.audit.stats import ROUNDING_ERROR, Spread, data_stats, label_stats, mirror_text
from facedots.io.images import write_image
from facedots.schema import IBUG68, KeypointSchema

PAIR = KeypointSchema("pair", ("right", "left"), {"eyes": (0, 1)}, (1, 0), ((0, 1),), (0, 1))


def test_label_numbers_by_hand() -> None:
    points = [[[0, 0], [3, 4]], [[10, 5], [20, 5]]]  # Eye distances 5 and 10.
    stats = label_stats(points, [(30, 30), (20, 30)], PAIR)
    assert stats.faces == 2
    assert stats.eye_distance == Spread(5, 7.5, 10)
    assert stats.coordinates == Spread(0, 4.5, 20)
    assert stats.rounding_nme == pytest.approx(100 * 0.38260 * (1 / 5 + 1 / 10) / 2, abs=1e-3)
    # An image 20 px wide reaches to x = 19.5.
    assert (stats.points_outside, stats.faces_outside, stats.furthest_outside) == (1, 1, 0.5)


def test_what_a_mirror_image_swaps_is_said() -> None:
    assert mirror_text(PAIR) == "mirror image swaps: right and left"
    alone = KeypointSchema("pair", ("a", "b"), {"all": (0, 1)}, (0, 1), (), (0, 1))
    assert mirror_text(alone).startswith(
        "mirror image swaps: nothing: no names with left and right"
    )
    assert mirror_text(IBUG68) == "mirror image swaps: the pairs of ibug68"


def test_the_rounding_error_is_that_of_random_points() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (200_000, 2))
    assert np.linalg.norm(points - points.round(), axis=1).mean() == pytest.approx(
        ROUNDING_ERROR, abs=1e-3
    )


@pytest.mark.parametrize(("x", "outside"), [(-0.5, 0), (-0.6, 1), (9.5, 0), (9.6, 1)])
def test_an_image_reaches_half_a_pixel_beyond_its_centers(x: float, outside: int) -> None:
    assert label_stats(np.array([[[x, 1], [5, 1]]]), [(10, 10)], PAIR).points_outside == outside


def test_distance_beyond_a_corner() -> None:
    assert label_stats(
        np.array([[[-3.5, 13.5], [5, 1]]]), [(10, 10)], PAIR
    ).furthest_outside == pytest.approx(5)


def test_missing_points_and_unknown_sizes() -> None:
    stats = label_stats(
        np.array([[[np.nan, np.nan], [5, 1]], [[-9, 1], [1, 1]]]),
        np.array([(10, 10), (np.nan, np.nan)]),
        PAIR,
    )
    assert stats.missing_points == 1
    assert stats.points_outside == 0
    assert stats.eye_distance == Spread(10, 10, 10)
    assert stats.rounding_nme == pytest.approx(3.826, abs=1e-3)


@given(
    st.lists(st.tuples(st.integers(-20, 400), st.integers(-20, 400)), min_size=2, max_size=8),
    st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
)
def test_rounded_coordinates_are_seen_whatever_was_subtracted(
    grid: list[tuple[int, int]], origin: tuple[float, float]
) -> None:
    points = np.asarray(grid * 2, np.float32).reshape(-1, 2, 2) - np.asarray(origin, np.float32)
    sizes = np.full((len(points), 2), 500)
    assert label_stats(points, sizes, PAIR).whole_numbers
    points[0, 0, 0] += 0.25
    assert not label_stats(points, sizes, PAIR).whole_numbers


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, list[FaceAnnotation]]:
    """Two subsets that share a person, a video, a name of other pixels, and an image's bytes."""
    shades = {
        "train/Ann_00.png": 10,
        "train/Ann_11.png": 90,
        "train/Bo_00.png": 170,
        "test/Ann_00.png": 240,
    }
    for name, shade in shades.items():
        write_image(tmp_path / name, np.full((12, 16, 3), shade, np.uint8))
    shutil.copy(tmp_path / "train/Bo_00.png", tmp_path / "test/Cy_00.jpg")
    (tmp_path / "test/Dee_00.png").write_bytes(b"broken")
    points = np.array([[2, 3], [8, 3]], np.float32)

    def faces(part: str, names: list[str]) -> list[FaceAnnotation]:
        return [
            FaceAnnotation(
                tmp_path / part / name,
                points,
                f"{part}/{name}",
                f"youtube-faces/{name.partition('_')[0]}",
            )
            for name in names
        ]

    return {
        "train": faces("train", ["Ann_00.png", "Ann_11.png", "Bo_00.png"]),
        "test": faces("test", ["Ann_00.png", "Cy_00.jpg", "Dee_00.png"]),
    }


def test_files_by_hand(parts: dict[str, list[FaceAnnotation]]) -> None:
    files = data_stats(parts, PAIR).subsets["test"].files
    assert files.images == 3
    assert len(files.unreadable) == 1
    assert "Dee_00.png" in files.unreadable[0]
    assert files.formats == {"PNG": 2}
    assert files.misnamed == 1
    assert files.modes == {"RGB": 2}
    assert (files.width, files.height) == (Spread(16, 16, 16), Spread(12, 12, 12))
    assert files.byte_duplicates == 0


def test_what_the_parts_share_by_hand(parts: dict[str, list[FaceAnnotation]]) -> None:
    (shared,) = data_stats(parts, PAIR).shared
    assert (shared.first, shared.second) == ("train", "test")
    assert shared.groups == 1
    assert shared.videos == 1
    assert (shared.names, shared.names_of_other_images) == (1, 1)
    assert (shared.byte_duplicates, shared.near_duplicates) == (1, 1)


def test_groups_and_videos_by_hand(parts: dict[str, list[FaceAnnotation]]) -> None:
    stats = data_stats(parts, PAIR)
    assert (stats.subsets["train"].groups, stats.subsets["train"].videos) == (2, 3)


def test_hidden_points_and_pupils_by_hand(parts: dict[str, list[FaceAnnotation]]) -> None:
    first, second, third = parts["train"]
    labeled = {
        "train": [
            replace(first, visible=np.array([0, np.nan], np.float32)),
            replace(second, visible=np.zeros(2, np.float32), pupils=second.points * np.nan),
            replace(third, pupils=third.points),
        ]
    }
    stats = data_stats(labeled, PAIR).subsets["train"]
    assert (stats.hidden_points, stats.faces_with_pupils) == (3, 1)


def test_duplicates_within_a_part(parts: dict[str, list[FaceAnnotation]]) -> None:
    both = {"all": [*parts["train"], *parts["test"]]}
    stats = data_stats(both, PAIR)
    assert stats.subsets["all"].files.byte_duplicates == 1
    assert stats.subsets["all"].files.near_duplicates == 1
    assert stats.shared == ()


def test_json_holds_no_nan(parts: dict[str, list[FaceAnnotation]]) -> None:
    unreadable = {"broken": [face for face in parts["test"] if "Dee" in face.name]}
    text = json.dumps(data_stats(unreadable, PAIR).to_dict(), allow_nan=False)
    assert json.loads(text)["subsets"]["broken"]["files"]["width"]["min"] is None


def test_finds_in_the_real_data_what_its_readme_lists(data_dir: Path) -> None:
    stats = data_stats(
        load_annotations(data_dir / "youtube-faces", ReadOptions(origin=(0, 0))).subsets
    )
    training, test = stats.subsets["training"], stats.subsets["test"]
    assert (training.labels.faces, test.labels.faces) == (3462, 770)
    assert training.labels.whole_numbers
    assert test.labels.whole_numbers
    assert test.labels.rounding_nme == pytest.approx(0.94, abs=0.005)
    assert (training.labels.coordinates.min, training.labels.coordinates.max) == (-23, 394)
    assert training.labels.eye_distance.min == pytest.approx(11.05, abs=0.01)
    assert (test.files.formats, test.files.modes, test.files.misnamed) == (
        {"PNG": 770},
        {"RGBA": 770},
        770,
    )
    assert training.files.byte_duplicates == 3
    (shared,) = stats.shared
    assert (shared.groups, shared.videos, shared.names_of_other_images) == (347, 770, 770)
    assert (
        shared.near_duplicates >= 2
    )  # Two were published byte for byte; the training copies here are encoded anew.
