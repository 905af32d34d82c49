"""YuNet's own file cannot ship here; a drawn network with its outputs stands in and shows how the
adapter reads them.
"""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from facedots.detection.base import Adjustment
from facedots.detection.opencv import YuNet
from facedots.errors import WeightsError

SIDE, CELL, SIZE = 64, (3, 2), (24.0, 30.0)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that sees a 24 x 30 face in the middle of one 8-pixel cell, as certain as the image
    is blue.
    """
    nodes = [
        helper.make_node("Slice", ["input", "from", "to", "axis"], ["blue"]),
        helper.make_node("ReduceMean", ["blue"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Div", ["mean", "white"], ["blueness"]),
        helper.make_node("Reshape", ["blueness", "row"], ["certain"]),
        helper.make_node("Mul", ["certain", "zero"], ["nothing"]),
    ]
    constants = {
        "from": np.array([0]),
        "to": np.array([1]),
        "axis": np.array([1]),
        "row": np.array([1, 1, 1]),
    }
    constants |= {"white": np.array(255, np.float32), "zero": np.array(0, np.float32)}
    outputs = []
    for name, depth in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for stride in (8, 16, 32):
            count = (SIDE // stride) ** 2
            values = np.zeros((1, count, depth), np.float32)
            if stride == 8:
                face = [0.5, 0.5, *np.log(np.array(SIZE) / 8)] if name == "bbox" else [1.0] * depth
                values[0, CELL[1] * (SIDE // 8) + CELL[0]] = face
            constants[f"{name}{stride}"] = values
            if name in ("cls", "obj"):
                nodes.append(
                    helper.make_node("Mul", ["certain", f"{name}{stride}"], [f"{name}_{stride}"])
                )
            else:
                nodes.append(
                    helper.make_node("Add", ["nothing", f"{name}{stride}"], [f"{name}_{stride}"])
                )
            outputs.append(helper.make_tensor_value_info(f"{name}_{stride}", 1, [1, count, depth]))
    graph = helper.make_graph(
        nodes,
        "yunet",
        [helper.make_tensor_value_info("input", 1, [1, 3, SIDE, SIDE])],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path = tmp_path_factory.mktemp("yunet") / "yunet.onnx"
    path.write_bytes(model.SerializeToString())
    return path


class Native(YuNet):
    adjustment = Adjustment(0, 0, 0, 0)


def blue(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 2] = 240
    return image


def test_reads_the_networks_box_and_score(model_file: Path) -> None:
    found = Native(model_file).candidates(blue(SIDE, SIDE), 0.8)
    boxes, scores = found.boxes, found.scores
    # The middle of cell (3, 2) lies 28 and 20 pixels from the image's edge, which is at -0.5.
    assert boxes[0] == pytest.approx(
        [28 - 12 - 0.5, 20 - 15 - 0.5, 28 + 12 - 0.5, 20 + 15 - 0.5], abs=1e-4
    )
    assert scores == pytest.approx([240 / 255], abs=1e-3)


def test_the_answer_is_tight(model_file: Path) -> None:
    view = blue(SIDE, SIDE)
    native, found = (kind(model_file).candidates(view, 0.8) for kind in (Native, YuNet))
    assert np.array_equal(found.boxes, YuNet.adjustment.tight(native.boxes))
    assert found.boxes.dtype == found.scores.dtype == np.float32
    assert np.isnan(found.squares()).all()


def test_images_go_in_blue_first_and_no_face_is_an_empty_answer(model_file: Path) -> None:
    red = np.ascontiguousarray(blue(SIDE, SIDE)[:, :, ::-1])
    found = YuNet(model_file).candidates(red, 0.8)
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)


def test_a_missing_file_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.onnx: no such file.*OpenCV Zoo"):
        YuNet(tmp_path / "none.onnx")


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    path.write_text("not a network")
    with pytest.raises(WeightsError, match=r"other\.onnx: OpenCV cannot open it"):
        YuNet(path)


def test_another_network_is_refused(tiny_model: Path) -> None:
    with pytest.raises(WeightsError, match=r"tiny\.onnx: OpenCV cannot open it"):
        YuNet(tiny_model)
