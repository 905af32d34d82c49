from pathlib import Path

import numpy as np
import pytest

from facedots.annotations.base import FaceAnnotation
from facedots.errors import DataError
from facedots.evaluation.mean_face import mean_shape, place_shape
from facedots.evaluation.metrics import nme
from facedots.geometry import CropSpec
from facedots.io.images import read_image, write_image
from facedots.schema import IBUG68

SQUARE = np.array([[0, 0], [4, 0], [4, 4]], np.float32)


def test_mean_shape_in_a_box_is_by_hand(tmp_path: Path) -> None:
    # Both boxes are [0, 4] x [0, 4], so squares of side 8 around (2, 2); only the second point
    # differs, by 2 px.
    other = SQUARE.copy()
    other[1] = (2, 0)
    faces = [FaceAnnotation(tmp_path / "none", points, "") for points in (SQUARE, other)]
    assert mean_shape(faces, CropSpec("box", 2.0)).tolist() == [
        [-0.25, -0.25],
        [0.125, -0.25],
        [0.25, 0.25],
    ]


def test_mean_shape_in_a_frame_uses_the_image_size(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((9, 17, 3), np.uint8))
    face = FaceAnnotation(
        tmp_path / "a.png", np.array([[8, 4], [17, 4], [8, 8.5]], np.float32), "a.png"
    )
    # The middle of the image is (8, 4), its shorter side 9.
    assert mean_shape([face], CropSpec("frame", 1.0)).tolist() == [[0, 0], [1, 0], [0, 0.5]]


def test_only_so_many_faces_are_looked_at() -> None:
    faces = [
        FaceAnnotation(Path("none"), SQUARE if i % 2 == 0 else SQUARE[::-1], "") for i in range(9)
    ]
    assert mean_shape(faces, CropSpec("box", 1.0), most=2) == pytest.approx(
        mean_shape(faces[:1], CropSpec("box", 1.0))
    )


def test_placed_where_it_was_taken_from_it_is_the_same_face() -> None:
    crop_spec = CropSpec("box", 1.3)
    points = 7 * SQUARE + 3
    squares = crop_spec.crop_squares([[3, 3, 31, 31]], (100, 100))
    assert place_shape(mean_shape([FaceAnnotation(Path("none"), points, "")], crop_spec), squares)[
        0
    ] == pytest.approx(points)


def test_missed_face_has_no_place() -> None:
    assert np.isnan(place_shape(SQUARE, [[np.nan] * 3])).all()


def test_no_training_face_is_an_error() -> None:
    with pytest.raises(DataError, match="no training faces"):
        mean_shape([], CropSpec("box", 1.0))


def test_whole_frame_floor_is_the_one_that_was_measured_elsewhere(data_dir: Path) -> None:
    # A constant mean shape on the official split scores 28.4 by another program's count.
    from facedots.data.sources import load_source

    train, test = load_source(data_dir, "youtube-faces").subsets.values()
    crop_spec = CropSpec("frame", 1.0)
    sizes = [read_image(face.image, orient=False).shape for face in test]
    squares = np.concatenate(
        [crop_spec.crop_squares([[0, 0, 1, 1]], (size[0], size[1])) for size in sizes]
    )
    true = np.stack([face.points for face in test])
    errors = nme(place_shape(mean_shape(train, crop_spec), squares), true, IBUG68)
    assert errors.mean() == pytest.approx(28.4, abs=0.1)
