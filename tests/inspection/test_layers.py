from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import numpy_helper

from facedots.errors import ShapeError, WeightsError
from facedots.geometry import Floats
from facedots.inference.predictor import KeypointPredictor
from facedots.inference.weights import WEIGHTS
from facedots.inspection.layers import (
    Layer,
    cut_crop,
    feature_maps,
    filter_image,
    find_layer,
    list_layers,
    load_model,
    select_kernel,
)

RNG = np.random.default_rng(1)
CROP = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
KERNELS = Layer("conv", np.arange(2 * 3 * 9, dtype=np.float32).reshape(2, 3, 3, 3), "out")


@pytest.fixture
def model(tiny_model: Path) -> onnx.ModelProto:
    return load_model(tiny_model)


def test_layers_have_the_names_of_the_modules_without_the_wrapper(model: onnx.ModelProto) -> None:
    assert [(layer.name, layer.kernels.shape) for layer in list_layers(model)] == [
        ("stem.0", (4, 3, 3, 3)),
        ("head", (2, 4, 1, 1)),
    ]


def renamed(model: onnx.ModelProto, old: str, new: str) -> onnx.ModelProto:
    for node in model.graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = new if name == old else name
    for constant in model.graph.initializer:
        constant.name = new if constant.name == old else constant.name
    return model


def test_layers_without_a_module_name_are_called_after_the_node_or_its_output(
    model: onnx.ModelProto,
) -> None:
    model = renamed(renamed(model, "net.head.weight", "val_7"), "net.stem.0.weight", "val_8")
    assert [layer.name for layer in list_layers(model)] == ["stem", "node_conv2d_1"]


def test_weights_that_are_used_twice_make_two_layers(model: onnx.ModelProto) -> None:
    nodes = list(model.graph.node)
    again = onnx.helper.make_node(
        "Conv", ["pixels", "net.stem.0.weight"], ["again"], pads=[1, 1, 1, 1]
    )
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:4], again, *nodes[4:]])
    assert [layer.name for layer in list_layers(model)] == ["stem.0", "stem.0#2", "head"]
    assert list(feature_maps(model, CROP)) == ["stem.0", "stem.0#2", "head"]


def test_quantized_weights_are_taken_back_to_floats(model: onnx.ModelProto) -> None:
    exact = list_layers(model)[0].kernels
    scale = np.abs(exact).max(axis=(1, 2, 3)) / 127
    zero = np.array([0, 1, 0, -1], np.int8)
    stored = (
        (np.round(exact / scale[:, None, None, None]) + zero[:, None, None, None])
        .clip(-128, 127)
        .astype(np.int8)
    )
    renamed(model, "net.stem.0.weight", "dequantized")
    kept = [constant for constant in model.graph.initializer if constant.name != "dequantized"]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    for name, value in (
        ("net.stem.0.weight_quantized", stored),
        ("scale", scale.astype(np.float32)),
        ("zero_point", zero),
    ):
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    inputs = ["net.stem.0.weight_quantized", "scale", "zero_point"]
    model.graph.node.insert(
        0, onnx.helper.make_node("DequantizeLinear", inputs, ["dequantized"], axis=0)
    )
    found = list_layers(model)[0]
    assert np.abs(found.kernels - exact).max() < scale.max()
    # ONNX Runtime, which does the same, must agree with these kernels.
    seen = sum(filter_image(CROP[..., c], found.kernels[1, c]) for c in range(3))
    assert feature_maps(model, CROP)[found.name][1][1:-1, 1:-1] == pytest.approx(
        np.asarray(seen)[1:-1, 1:-1], abs=1e-4
    )


@pytest.mark.parametrize("name", ["tiny", "large-int8"])
def test_every_convolution_of_a_shipped_network_is_a_layer(name: str) -> None:
    model = load_model(WEIGHTS[name].path)
    convolutions = [node.output[0] for node in model.graph.node if node.op_type == "Conv"]
    assert [layer.output for layer in list_layers(model)] == convolutions


def test_feature_maps_are_what_the_kernels_make_of_the_crop(model: onnx.ModelProto) -> None:
    maps = feature_maps(model, CROP)
    assert {name: answer.shape for name, answer in maps.items()} == {
        "stem.0": (4, 8, 8),
        "head": (2, 8, 8),
    }
    layer = find_layer(list_layers(model), "stem.0")
    for kernel in range(4):
        answer = filter_image(CROP, select_kernel(layer, kernel))
        # The network pads with zeros, filter2D mirrors: they agree inside.
        assert maps["stem.0"][kernel][1:-1, 1:-1] == pytest.approx(answer[1:-1, 1:-1], abs=1e-4)
    assert maps["stem.0"].min() < 0, "shown before the ReLU"


def test_feature_maps_leave_the_model_as_it_was(model: onnx.ModelProto) -> None:
    before = model.SerializeToString()
    feature_maps(model, CROP)
    assert model.SerializeToString() == before


def test_crop_of_another_size_is_refused(model: onnx.ModelProto) -> None:
    with pytest.raises(ShapeError, match="crop must have the shape"):
        feature_maps(model, CROP[:4])


def test_files_that_are_no_networks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        load_model(tmp_path / "gone.onnx")
    for content in (b"no protobuf at all", b""):
        (tmp_path / "bad.onnx").write_bytes(content)
        with pytest.raises(WeightsError, match="not an ONNX file"):
            load_model(tmp_path / "bad.onnx")


def test_unknown_layer_kernel_or_channel_is_refused(model: onnx.ModelProto) -> None:
    with pytest.raises(WeightsError, match=r"no layer 'x'; there are: stem\.0, head"):
        find_layer(list_layers(model), "x")
    with pytest.raises(WeightsError, match="kernels 0 to 1, no 2"):
        select_kernel(KERNELS, 2)
    with pytest.raises(WeightsError, match="channels 0 to 2, no -1"):
        select_kernel(KERNELS, 0, -1)


def test_kernel_is_color_one_channel_or_the_mean() -> None:
    deep = Layer("deep", np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2), "out")
    assert select_kernel(KERNELS, 1).shape == (3, 3, 3)
    assert select_kernel(KERNELS, 1, 2).tolist() == [[45, 46, 47], [48, 49, 50], [51, 52, 53]]
    assert select_kernel(deep).tolist() == [[2, 3], [4, 5]]


def test_crop_is_the_one_that_the_network_gets(tiny_model: Path) -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:18, 20:28] = (255, 0, 0)
    predictor = KeypointPredictor(tiny_model)
    crop, square = cut_crop(predictor, image, (19.5, 9.5, 27.5, 17.5))
    assert square.tolist() == [23.5, 13.5, 8]
    assert crop.shape == (8, 8, 3)
    assert (crop == (255, 0, 0)).all()
    with pytest.raises(ValueError, match="give its box"):
        cut_crop(predictor, image)


def test_filter_by_hand() -> None:
    image = np.zeros((3, 5), np.uint8)
    image[:, 3:] = 255
    # A correlation: right minus left neighbor; the border is mirrored.
    assert filter_image(image, np.array([[-1, 0, 1]])).tolist() == [[0, 0, 1, 1, 0]] * 3
    color = np.stack([image, image, 255 - image], axis=-1)
    # Red and green cancel blue: each plane has its own kernel.
    kernel = np.array([[[1]], [[0]], [[1]]], np.float32)
    assert filter_image(color, kernel).tolist() == [[1] * 5] * 3
    # One plane for all: the mean of the channels.
    assert filter_image(color, np.array([[3]])) == pytest.approx(np.array([[1, 1, 1, 2, 2]] * 3))


def test_filter_refuses_planes_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match="kernel"):
        filter_image(np.zeros((4, 4)), np.ones((3, 3, 3)))


@given(
    arrays(np.float32, (6, 7), elements=st.floats(0, 1, width=32)),
    arrays(np.float32, (3, 3), elements=st.floats(-2, 2, width=32)),
)
def test_filter_is_linear(image: Floats, kernel: Floats) -> None:
    assert filter_image(image, 2 * kernel) == pytest.approx(
        2 * filter_image(image, kernel), abs=1e-4
    )
    assert filter_image(np.ones_like(image), kernel) == pytest.approx(
        np.full(image.shape, kernel.sum()), abs=1e-4
    )
