"""The network of these tests sees: its answer depends on the crop, so a wrong way to the crop and
back shows.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from facedots.errors import ShapeError, WeightsError
from facedots.geometry import CropSpec, Image, similarity
from facedots.inference.predictor import KeypointPredictor
from facedots.schema import KeypointSchema
from facedots.spec import ModelSpec
from facedots.uncertainty import confidence, map_covariance

DOTS = KeypointSchema("dots", ("dot", "again"), {"all": (0, 1)}, (0, 1), ((0, 1),), (0, 1))
COVARIANCE = np.array([[4.0, 1.5], [1.5, 1.0]], np.float32)
SCORE = 0.625
TAIL = 5.0
BOX = CropSpec("box", 1.25)

DotModel = Callable[[CropSpec, int], Path]


@pytest.fixture(scope="session")
def dot_model(tmp_path_factory: pytest.TempPathFactory) -> DotModel:
    """Makes an ONNX file for a framing and 1 or 3 channels: both points are the center of
    brightness of a 32-pixel crop.
    """
    folder = tmp_path_factory.mktemp("dots")

    def make(crop_spec: CropSpec, channels: int) -> Path:
        path = folder / f"{crop_spec.mode}{crop_spec.scale}{channels}.onnx"
        path.write_bytes(network(crop_spec, channels))
        return path

    return make


def network(crop_spec: CropSpec, channels: int, size: int = 32) -> bytes:
    """The network of :func:`dot_model`: sum(brightness * place) / sum(brightness) over the first
    channel.
    """
    nodes = [
        helper.make_node("Slice", ["crops", "first", "second", "last"], ["red"]),
        helper.make_node("Cast", ["red"], ["light"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", ["light", "places"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "plane"], ["moment"], keepdims=0),
        helper.make_node("ReduceSum", ["light", "plane"], ["mass"], keepdims=0),
        helper.make_node("Div", ["moment", "mass"], ["center"]),
        helper.make_node("Unsqueeze", ["center", "one"], ["centers"]),
        helper.make_node("Concat", ["centers", "centers"], ["points"], axis=1),
        helper.make_node("Mul", ["mass", "nothing"], ["zeros"]),
        helper.make_node("Unsqueeze", ["zeros", "last_two"], ["zeros_22"]),
        helper.make_node("Add", ["zeros_22", "spread"], ["covariance"]),
        helper.make_node("ReduceSum", ["zeros", "one"], ["zero"], keepdims=0),
        helper.make_node("Add", ["zero", "belief"], ["score"]),
    ]
    places = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).astype(np.float32)
    constants = {
        "first": np.array([0]),
        "second": np.array([1]),
        "last": np.array([3]),
        "plane": np.array([1, 2]),
        "one": np.array([1]),
        "places": places,
        "nothing": np.zeros((1, 2), np.float32),
        "last_two": np.array([2, 3]),
        "spread": COVARIANCE[None, None],
        "belief": np.array(SCORE, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "dots",
        [
            helper.make_tensor_value_info(
                "crops", onnx.TensorProto.UINT8, ["N", size, size, channels]
            )
        ],
        [
            helper.make_tensor_value_info("points", onnx.TensorProto.FLOAT, ["N", 2, 2]),
            helper.make_tensor_value_info("covariance", onnx.TensorProto.FLOAT, ["N", 2, 2, 2]),
            helper.make_tensor_value_info("score", onnx.TensorProto.FLOAT, ["N"]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    spec = ModelSpec(
        "dots", DOTS, crop_spec, size, channels, (0.0,) * channels, (1.0,) * channels, TAIL
    )
    helper.set_model_props(model, {"facedots.spec": spec.to_json()})
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def lamp(x: float, y: float, height: int = 90, width: int = 120, spread: float = 4.0) -> Image:
    """A dark image with one round red light around (x, y)."""
    rows, columns = np.mgrid[:height, :width]
    light = 250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 0] = light.round()
    return image


@pytest.fixture(scope="module")
def predictor(dot_model: DotModel) -> KeypointPredictor:
    return KeypointPredictor(dot_model(BOX, 3), refine=0)


@given(
    st.tuples(st.floats(40, 80), st.floats(30, 60)),
    st.floats(40, 90),
    st.floats(0.6, 1.6),
    st.floats(-8, 8),
)
def test_points_are_found_where_they_are_in_the_image(
    predictor: KeypointPredictor,
    place: tuple[float, float],
    width: float,
    aspect: float,
    shift: float,
) -> None:
    middle, half = (
        np.array(place) + np.array([shift, shift / 2]),
        np.array([width, width * aspect]) / 2,
    )
    found = predictor.predict(lamp(*place), [[*(middle - half), *(middle + half)]])
    assert np.abs(found.points - place).max() < 0.25
    # Covariance is given in pixels of the crop, 32 of which cover 1.25 longer sides.
    zoom = 1.25 * 2 * half.max() / 32
    assert found.covariance == pytest.approx(
        np.broadcast_to(COVARIANCE * zoom**2, (1, 2, 2, 2)), rel=1e-5
    )
    assert found.sigma == pytest.approx(np.full((1, 2), np.sqrt(2.5) * zoom), rel=1e-5)
    assert found.score.tolist() == [SCORE]
    assert found.confidence == pytest.approx(
        confidence(found.points, found.covariance, DOTS, TAIL), abs=1e-6
    )


def with_further_outputs(model: Path, target: Path, names: Sequence[str]) -> Path:
    """The network of a file whose pupils are its points, and whose points are visible by .4."""
    network, further = onnx.load(model), {"pupils": "points", "pupils_covariance": "covariance"}
    constant = numpy_helper.from_array(np.full((1, 2), 0.4, np.float32), "likely")
    network.graph.initializer.append(constant)
    network.graph.node.append(helper.make_node("Add", ["zeros", "likely"], ["visibility"]))
    for name, source in further.items():
        network.graph.node.append(helper.make_node("Identity", [source], [name]))
    network.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    target.write_bytes(onnx.shape_inference.infer_shapes(network).SerializeToString())
    return target


FURTHER = ["pupils", "pupils_covariance", "visibility"]


def test_pupils_and_visibility_are_read_where_a_file_has_them(
    dot_model: DotModel, tmp_path: Path
) -> None:
    model = with_further_outputs(dot_model(BOX, 3), tmp_path / "further.onnx", FURTHER)
    boxes = np.array([[20, 20, 60, 70], [30, 20, 90, 60]], np.float32)
    found = KeypointPredictor(model, refine=1).predict(lamp(50, 45), boxes)
    assert found.visibility is not None
    assert found.visibility.tolist() == [[pytest.approx(0.4)] * 2] * 2
    assert found.pupils is not None
    assert found.pupils.tolist() == found.points.tolist()
    assert found.pupils_covariance is not None
    assert found.pupils_covariance.tolist() == found.covariance.tolist()
    first, second = found.faces(boxes)
    assert first.pupils is not None
    assert first.pupils.tolist() == found.points[0].tolist()
    assert second.visibility is not None
    assert KeypointPredictor(model).predict(lamp(50, 45), np.zeros((0, 4))).faces(boxes) == []


def test_points_outside_the_image_are_hidden(dot_model: DotModel, tmp_path: Path) -> None:
    model = with_further_outputs(dot_model(BOX, 3), tmp_path / "further.onnx", FURTHER)
    image = lamp(50, 45)
    predictor = KeypointPredictor(model)
    for box in ([20, 20, 60, 70], [-400, 20, -360, 70]):
        found = predictor.predict(image, [box])
        inside = (found.points[0] >= -0.5).all()
        assert inside == (box[0] > 0)
        assert found.visibility is not None
        assert found.visibility.tolist() == [[pytest.approx(0.4 * inside)] * 2]


def test_files_without_them_predict_none(predictor: KeypointPredictor, tmp_path: Path) -> None:
    found = predictor.predict(lamp(60, 45), [[40, 30, 80, 60]])
    assert found.visibility is found.pupils is found.pupils_covariance is None
    (face,) = found.faces(np.zeros((1, 4), np.float32))
    assert face.visibility is face.pupils is face.pupils_covariance is None
    assert not {*FURTHER} & {*face.to_dict()}


def test_an_output_of_another_name_is_refused(dot_model: DotModel, tmp_path: Path) -> None:
    model = with_further_outputs(dot_model(BOX, 3), tmp_path / "other.onnx", ["zero"])
    with pytest.raises(WeightsError, match=r"other.onnx: maps .*'zero'.*facedots export"):
        KeypointPredictor(model)


def test_many_faces_go_in_batches_and_come_in_order(predictor: KeypointPredictor) -> None:
    image = lamp(60, 45)
    random = np.random.default_rng(0)
    corners = np.array([60, 45, 60, 45]) + random.uniform(20, 30, (150, 4)) * (-1, -1, 1, 1)
    together = predictor.predict(image, corners)
    alone = [predictor.predict(image, corner[None]) for corner in corners]
    assert len(together) == 150
    assert np.array_equal(together.points, np.concatenate([one.points for one in alone]))
    for name in ("covariance", "confidence", "score"):
        assert np.array_equal(
            getattr(together, name), np.concatenate([getattr(one, name) for one in alone])
        ), name
        assert getattr(together, name).dtype == np.float32
    assert together.points.dtype == together.sigma.dtype == np.float32


def test_any_two_opposite_corners_make_a_box(predictor: KeypointPredictor) -> None:
    image = lamp(60, 45)
    corners = [[30, 20, 90, 70], [90, 70, 30, 20], [90, 20, 30, 70]]
    points = predictor.predict(image, corners).points
    assert np.array_equal(points[0], points[1])
    assert np.array_equal(points[0], points[2])


def test_no_boxes_give_no_keypoints(predictor: KeypointPredictor) -> None:
    found = predictor.predict(lamp(60, 45), [])
    assert found.points.shape == (0, 2, 2)
    assert (found.sigma.shape, found.covariance.shape) == ((0, 2), (0, 2, 2, 2))
    assert (found.confidence.shape, found.score.shape) == ((0, 2), (0,))
    assert {
        value.dtype for value in (found.points, found.covariance, found.confidence, found.score)
    } == {np.dtype(np.float32)}
    assert found.schema == predictor.spec.schema


def test_a_gray_network_sees_gray(dot_model: DotModel) -> None:
    gray = KeypointPredictor(dot_model(BOX, 1), refine=0)
    blue = np.ascontiguousarray(lamp(60, 45)[:, :, ::-1])
    assert np.abs(gray.predict(blue, [[30, 20, 90, 70]]).points - (60, 45)).max() < 0.5


def test_a_frame_network_sees_the_whole_image_for_every_box(dot_model: DotModel) -> None:
    whole = KeypointPredictor(dot_model(CropSpec("frame", 1.0), 3))
    found = whole.predict(lamp(60, 45), [[0, 0, 5, 5], [80, 70, 90, 80]])
    assert np.abs(found.points - (60, 45)).max() < 0.25
    assert found.sigma == pytest.approx(np.full((2, 2), np.sqrt(2.5) * 90 / 32))


def test_a_box_outside_the_image_sees_black(predictor: KeypointPredictor) -> None:
    found = predictor.predict(lamp(60, 45), [[1000, 1000, 1050, 1060]])
    assert found.points.shape == (1, 2, 2)
    assert np.isnan(found.points).all(), "no light in the crop: the test network divides 0 by 0"


def test_a_large_face_is_not_sampled_in_holes(predictor: KeypointPredictor) -> None:
    image = lamp(1200, 900, 1800, 2400, spread=60)
    image[::2] = 0  # every second row dark: an area sees half the light, one sample sees stripes
    found = predictor.predict(image, [[400, 200, 2000, 1600]])
    assert np.abs(found.points - (1200, 900)).max() < 2


def test_the_image_may_be_a_view_and_is_not_changed(predictor: KeypointPredictor) -> None:
    image = lamp(60, 45)
    before = image.copy()
    mirrored = predictor.predict(image[:, ::-1], [[29, 20, 89, 70]])
    assert np.array_equal(image, before)
    assert np.abs(mirrored.points - (119 - 60, 45)).max() < 0.25


def test_bad_images_and_boxes_are_refused(predictor: KeypointPredictor) -> None:
    image = lamp(60, 45)
    with pytest.raises(ShapeError, match="gray"):
        predictor.predict(
            np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8), [[0, 0, 9, 9]]
        )
    with pytest.raises(ShapeError, match="alpha"):
        predictor.predict(np.zeros((9, 9, 4), np.uint8), [[0, 0, 9, 9]])
    with pytest.raises(ShapeError, match="boxes"):
        predictor.predict(image, [0, 0, 9, 9])
    with pytest.raises(ValueError, match="box 0"):
        predictor.predict(image, [[0, 0, float("nan"), 9]])


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(WeightsError, match="nobody: no such network"):
        KeypointPredictor("nobody")


def test_an_upright_crop_replaces_the_box_where_it_is_known(predictor: KeypointPredictor) -> None:
    image = lamp(70, 40)
    boxes = [[30, 20, 90, 70], [30, 20, 90, 70]]
    squares = np.array([[60, 45, 50, 30], [np.nan] * 4], np.float32)
    found = predictor.predict(image, boxes, squares)
    plain = predictor.predict(image, boxes)
    assert np.abs(found.points - (70, 40)).max() < 0.25
    assert np.array_equal(found.points[1], plain.points[1])
    # 32 pixels of the crop cover 1.25 times the side; the crop is turned back by 30 degrees.
    turn = similarity(30, 1.25 * 50 / 32, (0, 0), (0, 0))
    assert found.covariance[0, 0] == pytest.approx(map_covariance(turn, COVARIANCE), rel=1e-5)
    with pytest.raises(ShapeError, match="squares"):
        predictor.predict(image, boxes, squares[:1])


def test_a_frame_network_ignores_squares(dot_model: DotModel) -> None:
    whole = KeypointPredictor(dot_model(CropSpec("frame", 1.0), 3))
    found = whole.predict(lamp(60, 45), [[0, 0, 5, 5]], [[2, 2, 5, 45]])
    assert np.array_equal(found.points, whole.predict(lamp(60, 45), [[0, 0, 5, 5]]).points)
