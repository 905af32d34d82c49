"""Export to ONNX: agreement with torch, metadata, float16 and int8 storage."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from facedots.errors import WeightsError
from facedots.inference.session import Session
from facedots.inspection.layers import list_layers, load_model
from facedots.models.base import KeypointNet
from facedots.models.registry import build_model
from facedots.spec import ModelSpec
from facedots.training import export
from facedots.training.export import card_fields, export_onnx
from facedots.training.recipe import Recipe

RECIPE = Recipe(model="baseline", license="research", trained_on="frames")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[KeypointNet, Path, float]:
    torch.manual_seed(0)
    net = build_model("baseline").eval()
    path = tmp_path_factory.mktemp("export") / "baseline.onnx"
    return net, path, export_onnx(net, path, card_fields(RECIPE, "data"))


def test_any_number_of_crops_agrees_with_torch(exported: tuple[KeypointNet, Path, float]) -> None:
    net, path, difference = exported
    assert 0 <= difference < 0.01
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for count in (1, 3):
        crops = np.random.default_rng(count).integers(0, 256, (count, 224, 224, 1), np.uint8)
        points, covariance, score = session.run(["points", "covariance", "score"], {"crops": crops})
        with torch.inference_mode():
            output = net(net.normalize(torch.from_numpy(crops).permute(0, 3, 1, 2)))
            expected, _ = net.decode(output.logits[:, 0])
        np.testing.assert_allclose(points, expected.numpy(), atol=0.01)
        assert (covariance.shape, score.shape) == ((count, 68, 2, 2), (count,))
        assert np.isnan(covariance).all()


@pytest.mark.parametrize("int8", [False, True])
def test_pupils_and_visibility_are_further_outputs(int8: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, path = build_model("tiny").eval(), tmp_path / "tiny.onnx"
    assert net.pupil_head is not None
    assert net.visibility_head is not None
    net.pupil_head.scale.fill_(3.0)
    net.visibility_head.offset.fill_(0.5)
    crops = np.random.default_rng(0).integers(0, 256, (8, 112, 112, 3), np.uint8)
    export_onnx(net, path, {}, crops if int8 else None)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_outputs()]
    assert names == ["points", "covariance", "score", "pupils", "pupils_covariance", "visibility"]
    results = dict(zip(names, session.run(None, {"crops": crops[:3]}), strict=True))
    with torch.inference_mode():
        output = net(net.normalize(torch.from_numpy(crops[:3]).permute(0, 3, 1, 2)))
        logits = output.logits[:, 0]
        expected = dict(zip(names[:2], net.decode(logits), strict=True))
        expected |= zip(names[3:5], net.pupil_head.decode(output.pupil_logits), strict=True)
        visible = net.visibility_head.decode(output.visibility_maps, logits).sigmoid()
    for name, values in (expected | {"visibility": visible}).items():
        assert results[name].shape == values.shape, name
        tolerance = {"visibility": 0.02}.get(name, 0.5) * (1 if int8 else 0.1)
        if "covariance" not in name:
            np.testing.assert_allclose(results[name], values.numpy(), atol=tolerance, err_msg=name)
    np.testing.assert_allclose(
        results["pupils_covariance"], expected["pupils_covariance"].numpy(), rtol=0.01, atol=2
    )
    assert Session(path).run(crops[:3]).points.tolist() == results["points"].tolist()


@pytest.mark.parametrize("head", ["pupil_head", "visibility_head"])
def test_a_network_without_a_head_has_not_its_outputs(head: str, tmp_path: Path) -> None:
    net = build_model("tiny")
    setattr(net, head, None)
    export_onnx(net, tmp_path / "tiny.onnx", {})
    names = [port.name for port in onnx.load(tmp_path / "tiny.onnx").graph.output]
    further = {"pupil_head": ["visibility"], "visibility_head": ["pupils", "pupils_covariance"]}
    assert names == ["points", "covariance", "score", *further[head]]


def test_the_file_holds_spec_and_card(exported: tuple[KeypointNet, Path, float]) -> None:
    net, path, _ = exported
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert ModelSpec.from_json(metadata["facedots.spec"]) == net.spec
    card = json.loads(metadata["facedots.card"])
    assert (card["title"], card["license"], card["split"]) == ("baseline", "research", "official")


def test_no_file_is_written_that_differs_from_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(WeightsError, match="differ by"):
        export_onnx(build_model("baseline"), tmp_path / "x.onnx", card_fields(RECIPE, "data"))
    assert not list(tmp_path.iterdir())


def test_large_constants_are_stored_as_float16_under_their_names() -> None:
    values = np.linspace(-3, 3, 2048, dtype=np.float32).reshape(1, 2048)
    constants = [
        numpy_helper.from_array(values, "big"),
        numpy_helper.from_array(values[:, :4], "small"),
    ]
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Identity", ["big"], ["a"]),
            onnx.helper.make_node("Identity", ["small"], ["b"]),
        ],
        "constants",
        [],
        [
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, n])
            for name, n in (("a", 2048), ("b", 4))
        ],
        constants,
    )
    model = onnx.helper.make_model(
        graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", export.OPSET)]
    )
    original = model.ByteSize()
    stored = export.store_as_float16(model)
    onnx.checker.check_model(stored)
    big, small = onnxruntime.InferenceSession(stored.SerializeToString()).run(["a", "b"], {})
    np.testing.assert_allclose(big, values, rtol=2**-11)
    np.testing.assert_array_equal(small, values[:, :4])
    assert stored.ByteSize() < 0.6 * original
    assert stored.ByteSize() > 0.4 * original


def test_kernels_are_found_in_a_float16_file(exported: tuple[KeypointNet, Path, float]) -> None:
    net, path, _ = exported
    layers = list_layers(load_model(path))
    assert [layer.name for layer in layers] == [
        "conv1",
        "conv2",
        "conv3",
        "conv4",
        "conv5",
        "conv6",
    ]
    assert layers[0].kernels.shape == net.conv1.weight.shape  # type: ignore[union-attr]


def test_the_file_holds_no_exporter_metadata(exported: tuple[KeypointNet, Path, float]) -> None:
    model = onnx.load(exported[1])
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert str(Path(__file__).parents[1]).encode() not in exported[1].read_bytes()


def test_int8_scales_cover_the_range_after_a_relu6_and_decoding_stays_float() -> None:
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["": 18]>
        net (uint8[1, 8, 8, 3] crops) => (float[1, 2, 8, 8] maps, float[1, 2, 8, 8] read)
        <float zero = {0}, float six = {6}, float little = {0.001}> {
            pixels = Cast <to = 1> (crops)
            planes = Transpose <perm = [0, 3, 1, 2]> (pixels)
            wide = Conv (planes, kernels)
            features = Clip (wide, zero, six)
            maps = Conv (features, same)
            read = Add (maps, little)
        }""")
    # The first channel reaches 2,550 before the ReLU6, the second 5.1.
    kernels = np.zeros((2, 3, 1, 1), np.float32)
    kernels[0, 0], kernels[1, 1] = 10, 0.02
    same = np.eye(2, dtype=np.float32)[..., None, None]
    model.graph.initializer.extend(
        [numpy_helper.from_array(kernels, "kernels"), numpy_helper.from_array(same, "same")]
    )
    crops = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
    crops[0, 0, 0] = 255
    session = onnxruntime.InferenceSession(export.quantize_int8(model, crops).SerializeToString())
    maps, read = session.run(None, {"crops": crops[:1]})
    expected = np.clip(crops[:1, :, :, :2].transpose(0, 3, 1, 2) * [[[[10]], [[0.02]]]], 0, 6)
    np.testing.assert_allclose(maps, expected, atol=2 * 6 / 255)
    np.testing.assert_allclose(read - maps, 0.001, atol=1e-6)


def test_int8_answers_as_exact_arithmetic_does_on_every_cpu() -> None:
    # Bright crops and equal weights: without VNNI, pairs of 8-bit products saturate.
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["": 18]>
        net (uint8[1, 16, 16, 3] crops) => (float[1, 8, 14, 14] maps) {
            pixels = Cast <to = 1> (crops)
            planes = Transpose <perm = [0, 3, 1, 2]> (pixels)
            wide = Conv (planes, spread)
            maps = Conv (wide, kernels)
        }""")
    weights = {"spread": np.ones((16, 3, 1, 1)), "kernels": np.ones((8, 16, 3, 3))}
    constants = [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()]
    model.graph.initializer.extend(constants)
    crops = np.random.default_rng(0).integers(200, 256, (4, 16, 16, 3), np.uint8)
    data = export.quantize_int8(model, crops).SerializeToString()
    exact = onnxruntime.SessionOptions()
    exact.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    (expected,) = onnxruntime.InferenceSession(data, exact).run(None, {"crops": crops[:1]})
    (maps,) = onnxruntime.InferenceSession(data).run(None, {"crops": crops[:1]})
    np.testing.assert_allclose(maps, expected, rtol=0.02)
    quantized = [numpy_helper.to_array(c) for c in onnx.load_from_string(data).graph.initializer]
    kernels = [array for array in quantized if array.dtype == np.int8 and array.ndim == 4]
    assert len(kernels) == 2
    assert max(np.abs(array.astype(int)).max() for array in kernels) <= 64
