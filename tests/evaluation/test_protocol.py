from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike
from tests.faces import isotropic_covariance

from facedots.annotations.base import FaceAnnotation
from facedots.detection.base import Detections
from facedots.errors import DataError
from facedots.evaluation import mean_face
from facedots.evaluation.mean_face import mean_shape, place_shape
from facedots.evaluation.metrics import nme
from facedots.evaluation.protocol import _run_styles, evaluate
from facedots.geometry import CropSpec, Floats, Image
from facedots.io.images import read_image, write_image
from facedots.schema import IBUG68, KeypointSchema
from facedots.spec import ModelSpec
from facedots.types import Keypoints

TRIO = KeypointSchema(
    "trio", ("right_eye", "left_eye", "chin"), {"eyes": (0, 1), "chin": (2,)}, (1, 0, 2), (), (0, 1)
)
POINTS = np.array([[10, 10], [20, 10], [15, 25]], np.float32)
TIGHT = [10, 10, 20, 25]


class CornerPredictor:
    """Puts the eyes into the upper corners of a box and the chin into the middle of its lower side:
    right for POINTS.
    """

    spec = ModelSpec("corner", TRIO, CropSpec("box", 2.0), 32, 3, (0.5,) * 3, (0.25,) * 3)

    def predict(
        self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
    ) -> Keypoints:
        assert image.dtype == np.uint8
        x0, y0, x1, y1 = np.asarray(boxes, np.float32).T
        points = np.stack(
            [np.stack([x0, y0], -1), np.stack([x1, y0], -1), np.stack([(x0 + x1) / 2, y1], -1)],
            axis=1,
        )
        sure = np.ones((len(x0), 3), np.float32)
        return Keypoints(points, isotropic_covariance(sure), sure, sure[:, 0], TRIO)


def face(folder: Path, name: str, points: Floats = POINTS) -> FaceAnnotation:
    write_image(folder / name, np.zeros((40, 50, 3), np.uint8))
    return FaceAnnotation(folder / name, points, name)


def test_true_box_is_given_and_points_come_back(tmp_path: Path) -> None:
    result = evaluate(
        CornerPredictor(), [face(tmp_path, "a.png"), face(tmp_path, "b.png", POINTS + 3)]
    )
    assert result.names == ("a.png", "b.png")
    assert result.predicted.tolist() == [POINTS.tolist(), (POINTS + 3).tolist()]
    assert result.nme.tolist() == [0, 0]
    # The center of the box, and twice its longer side.
    assert result.squares[0].tolist() == [15, 17.5, 30]
    assert (result.accuracy.n, result.accuracy.auc10) == (2, 100)
    assert (result.missed, result.skipped) == ((), ())
    assert result.groups == ("", "")
    assert result.attributes["eye_distance"].tolist() == [10, 10]
    assert result.attributes["brightness"].tolist() == [0, 0]


def test_detector_box_decides_end_to_end(tmp_path: Path) -> None:
    moved = Detections(np.array([[12, 10, 22, 25]], np.float32), np.ones(1, np.float32))
    result = evaluate(CornerPredictor(), [face(tmp_path, "a.png")], detector=lambda image: moved)
    # Each point is 2 px off, over an eye distance of 10 px.
    assert result.nme == pytest.approx([20])


def test_tilted_square_of_the_best_detection_is_passed_on(tmp_path: Path) -> None:
    class Recorder(CornerPredictor):
        squares: ArrayLike | None = None

        def predict(
            self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
        ) -> Keypoints:
            self.squares = squares
            return super().predict(image, boxes)

    boxes = np.array([[30, 30, 40, 40], TIGHT], np.float32)
    squares = np.array([[35, 35, 10, 0], [16, 18, 20, -15]], np.float32)
    found = Detections(boxes, np.array([0.7, 0.8], np.float32), squares)
    predictor = Recorder()
    result = evaluate(predictor, [face(tmp_path, "a.png")], detector=lambda image: found)
    assert np.asarray(predictor.squares).tolist() == [[16, 18, 20, -15]]
    # The network sees twice the side of the square.
    assert result.squares.tolist() == [[16, 18, 40]]
    squares[1] = np.nan
    result = evaluate(predictor, [face(tmp_path, "a.png")], detector=lambda image: found)
    assert result.squares.tolist() == [[15, 17.5, 30]]


@pytest.mark.parametrize(
    ("boxes", "scores", "missed"),
    [
        ([], [], True),
        ([[30, 30, 40, 40]], [0.9], True),
        ([[30, 30, 40, 40], TIGHT], [0.9, 0.8], True),
        ([[30, 30, 40, 40], TIGHT], [0.7, 0.8], False),
        # 3 of 15 rows overlap: IoU 0.2; 5 of 15: 0.333.
        ([[10, 10, 20, 13]], [0.9], True),
        ([[10, 10, 20, 15]], [0.9], False),
    ],
)
def test_best_scored_box_must_be_on_the_face(
    tmp_path: Path, boxes: list[list[int]], scores: list[float], missed: bool
) -> None:
    found = Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32))
    result = evaluate(CornerPredictor(), [face(tmp_path, "a.png")], detector=lambda image: found)
    assert result.missed == (("a.png",) if missed else ())
    assert np.isinf(result.nme[0]) == missed
    assert np.isnan(result.predicted).all() == missed


def test_missed_face_is_a_failure_and_not_absent(tmp_path: Path) -> None:
    answers = iter([np.array([TIGHT], np.float32), np.zeros((0, 4), np.float32)])

    def detector(image: Image) -> Detections:
        boxes = next(answers)
        return Detections(boxes, np.ones(len(boxes), np.float32))

    result = evaluate(
        CornerPredictor(), [face(tmp_path, "a.png"), face(tmp_path, "b.png")], detector=detector
    )
    scores = result.accuracy
    assert (scores.n, scores.missed, scores.nme, scores.fr10, scores.auc10) == (2, 1, 0, 50, 50)
    assert result.missed == ("b.png",)


def test_what_labels_and_network_say_of_hidden_points_and_pupils_is_kept(tmp_path: Path) -> None:
    class Seer(CornerPredictor):
        def predict(
            self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
        ) -> Keypoints:
            found, pupils = super().predict(image, boxes), np.ones((1, 2, 2), np.float32)
            seen = np.full((1, 3), 0.7, np.float32)
            spread = isotropic_covariance(pupils[..., 0])
            return replace(found, visibility=seen, pupils=pupils, pupils_covariance=spread)

    def detector(image: Image) -> Detections:
        boxes = np.array([TIGHT] if image.any() else [], np.float32).reshape(-1, 4)
        return Detections(boxes, np.ones(len(boxes), np.float32))

    plain, cut = (
        face(tmp_path, "a.png"),
        face(tmp_path, "b.png", POINTS - np.array([12, 0], np.float32)),
    )
    hidden = replace(face(tmp_path, "c.png"), visible=np.array([1, 0, np.nan], np.float32))
    with_pupils = replace(plain, pupils=POINTS[:2])
    result = evaluate(Seer(), [plain, hidden, cut, with_pupils])
    # Who says nothing sees all points of the image; the first of `cut` lies left of it.
    expected = [[1, 1, 1], [1, 0, np.nan], [0, 1, 1], [1, 1, 1]]
    np.testing.assert_array_equal(result.visible, expected)
    assert result.visibility == pytest.approx(np.full((4, 3), 0.7))
    assert result.true_pupils is not None
    assert np.isnan(result.true_pupils[:3]).all()
    assert result.true_pupils[3].tolist() == POINTS[:2].tolist()
    assert result.pupils is not None
    assert result.pupils.shape == (4, 2, 2)
    write_image(tmp_path / "a.png", np.full((40, 50, 3), 9, np.uint8))
    missed = evaluate(Seer(), [plain, hidden], detector)
    without = np.array([[0.7] * 3, [np.nan] * 3])
    assert missed.visibility == pytest.approx(without, nan_ok=True)
    nothing = evaluate(CornerPredictor(), [plain])
    assert nothing.visible is nothing.visibility is nothing.pupils is nothing.true_pupils is None


def test_faces_that_cannot_be_measured_are_skipped_with_the_reason(tmp_path: Path) -> None:
    no_eye, flat = POINTS.copy(), POINTS.copy()
    no_eye[0] = np.nan
    flat[2, 1] = 10
    damaged = face(tmp_path, "damaged.png")
    Path(str(damaged.image)).write_bytes(b"no image")
    annotations = [
        face(tmp_path, "a.png"),
        face(tmp_path, "no_eye.png", no_eye),
        face(tmp_path, "flat.png", flat),
        damaged,
    ]
    result = evaluate(CornerPredictor(), annotations)
    reasons = dict(result.skipped)
    assert result.names == ("a.png",)
    assert result.accuracy.n == 1
    assert list(reasons) == ["no_eye.png", "flat.png", "damaged.png"]
    assert "scale the error" in reasons["no_eye.png"]
    assert "no box" in reasons["flat.png"]
    assert "damaged.png: not an image" in reasons["damaged.png"]


def test_nothing_to_measure_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no annotations"):
        evaluate(CornerPredictor(), [])
    gone = FaceAnnotation(tmp_path / "gone.png", POINTS, "gone.png")
    with pytest.raises(
        DataError, match=r"none of 1 faces could be measured: gone\.png: .*cannot be read"
    ):
        evaluate(CornerPredictor(), [gone])


def test_labels_of_another_schema_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 points, but the network predicts 3"):
        evaluate(CornerPredictor(), [face(tmp_path, "a.png", POINTS[:2])])


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


@pytest.mark.filterwarnings("error")
def test_a_point_that_no_face_has_is_missing_in_the_mean_shape() -> None:
    points = SQUARE.copy()
    points[1] = np.nan
    mean = mean_shape([FaceAnnotation(Path("none"), points, "")], CropSpec("box", 2.0))
    assert np.isnan(mean).all(axis=1).tolist() == [False, True, False]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [0, 1])
def test_faces_without_a_box_of_points_have_no_part_in_the_mean_shape(count: int) -> None:
    few = SQUARE.copy()
    few[count:] = np.nan
    faces = [FaceAnnotation(Path("none"), points, "") for points in (few, SQUARE)]
    crop = CropSpec("box", 1.0)
    assert mean_shape(faces, crop).tolist() == mean_shape(faces[1:], crop).tolist()
    with pytest.raises(DataError, match="no training faces"):
        mean_shape(faces[:1], crop)


def test_mean_shape_in_a_frame_uses_the_image_size(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((9, 17, 3), np.uint8))
    face = FaceAnnotation(
        tmp_path / "a.png", np.array([[8, 4], [17, 4], [8, 8.5]], np.float32), "a.png"
    )
    # The middle of the image is (8, 4), its shorter side 9.
    assert mean_shape([face], CropSpec("frame", 1.0)).tolist() == [[0, 0], [1, 0], [0, 0.5]]


def test_the_mean_shape_is_of_evenly_spaced_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mean_face, "_MEAN_SHAPE_FACES", 2)
    faces = [
        FaceAnnotation(Path("none"), SQUARE if i % 2 == 0 else SQUARE[::-1], "") for i in range(9)
    ]
    crop = CropSpec("box", 1.0)
    assert mean_shape(faces, crop) == pytest.approx(mean_shape(faces[:1], crop))


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


def test_the_baseline_of_the_whole_frame_is_the_one_measured_elsewhere(data_dir: Path) -> None:
    # A constant mean shape on the official split scores 28.4 by another program's count.
    from facedots.data.splits import load_source

    train, test = load_source(data_dir, "youtube-faces").subsets.values()
    crop_spec = CropSpec("frame", 1.0)
    sizes = [read_image(face.image, orient=False).shape for face in test]
    squares = np.concatenate(
        [crop_spec.crop_squares([[0, 0, 1, 1]], (size[0], size[1])) for size in sizes]
    )
    true = np.stack([face.points for face in test])
    errors = nme(place_shape(mean_shape(train, crop_spec), squares), true, IBUG68)
    assert errors.mean() == pytest.approx(28.4, abs=0.1)


def test_the_styles_of_a_run_are_its_sources(tmp_path: Path) -> None:
    assert _run_styles(tmp_path / "net.onnx") == _run_styles(tmp_path) == ()
    (tmp_path / "recipe.yaml").write_text("sources: [300w, youtube-faces]\n")
    assert _run_styles(tmp_path) == ("300w", "youtube-faces")
    (tmp_path / "recipe.yaml").write_text("model: finder\n")
    assert _run_styles(tmp_path) == ()
