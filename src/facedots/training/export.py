"""From a trained network to one ONNX file, checked against torch."""

import copy
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from safetensors.torch import save
from torch import Tensor, nn

from facedots.errors import WeightsError
from facedots.inference.session import (
    CARD_KEY,
    OUTPUTS,
    PROVENANCE_KEY,
    PUPIL_OUTPUTS,
    SPEC_KEY,
    VISIBILITY_OUTPUT,
)
from facedots.io.files import atomic_write
from facedots.models.base import HeatmapHead, KeypointNet, ModelOutput
from facedots.training.recipe import Recipe

OPSET = 18
MIN_FLOAT16_SIZE = 1024
"""Constants with fewer values stay float32."""
TOLERANCE, INT8_TOLERANCE = 0.15, 0.8
"""Largest accepted mean difference between torch and ONNX Runtime, in pixels of the crop; see
docs/experiments.md, "Models and training".
"""

Crops = NDArray[np.uint8]


class _ExportedModule(nn.Module):
    """Crops ``uint8 (N, S, S, C)`` to the outputs of the file, with normalization and decoding
    inside the graph. Pupils are read as further points: small operations take time too.
    """

    def __init__(self, net: KeypointNet) -> None:
        super().__init__()
        self.net = copy.deepcopy(net)
        self.output_names = list(OUTPUTS)
        if isinstance(net.head, HeatmapHead) and net.pupil_head is not None:
            self.output_names += PUPIL_OUTPUTS
            self.net.head, self.net.pupil_head = _joined(net.head, net.pupil_head), None
        if net.visibility_head is not None:
            self.output_names.append(VISIBILITY_OUTPUT)

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        net, count = self.net, self.net.spec.schema.count
        output: ModelOutput = net(net.normalize(crops.permute(0, 3, 1, 2)))
        logits = output.logits[:, 0]
        points, covariance = net.decode(logits)
        results = [points[:, :count], covariance[:, :count], output.score_logit.sigmoid()]
        if points.shape[1] > count:
            results += [points[:, count:], covariance[:, count:]]
        if net.visibility_head is not None and output.visibility_maps is not None:
            log_odds = net.visibility_head.decode(output.visibility_maps, logits)
            results.append(log_odds.sigmoid())
        return tuple(results)


def _joined(head: HeatmapHead, other: HeatmapHead) -> HeatmapHead:
    """One head with the points of two."""
    weights, others = head.state_dict(), other.state_dict()
    count, channels = head.num_points + other.num_points, head.maps.in_channels
    joined = HeatmapHead(channels, count, head.grid, head.input_size)
    joined.load_state_dict({name: torch.cat([weights[name], others[name]]) for name in weights})
    return joined


def card_fields(recipe: Recipe, data: str, label_style: str = "") -> dict[str, str]:
    """The fields of a :class:`~facedots.spec.ModelCard` that follow from the training on a folder
    or ``"synthetic:N"``, and from the exported label style.
    """
    synthetic = data.startswith("synthetic:")
    trained_on = f"{data}: faces drawn by facedots, not real ones"
    return {
        "title": recipe.title or recipe.model,
        "license": "Apache-2.0" if synthetic else recipe.license or "not stated",
        "trained_on": trained_on if synthetic else recipe.trained_on or data,
        "split": "synthetic" if synthetic else recipe.split,
        "style": label_style if len(recipe.label_styles) > 1 else "",
    }


def export_onnx(
    net: KeypointNet,
    path: Path,
    card: Mapping[str, Any],
    calibration: Crops | None = None,
    provenance: Mapping[str, Any] = MappingProxyType({}),
) -> float:
    """Write a network as ONNX, with its spec, card and provenance as metadata.

    The file's input is ``crops`` uint8 (N, S, S, C), RGB or gray; its outputs are float32:
    ``points`` (N, K, 2) and ``covariance`` (N, K, 2, 2) in (square) pixels of the crop, ``score``
    (N,) in [0, 1]; of a network that was trained for them also ``pupils`` (N, 2, 2), the right one
    first, ``pupils_covariance`` (N, 2, 2, 2), and ``visibility`` (N, K), the probability that a
    point is seen. Weights are stored as float16; ONNX Runtime computes in float32.

    Args:
        net: With one label style.
        path: The file.
        card: See :class:`~facedots.spec.ModelCard`.
        calibration: Crops of faces ``uint8 (N, S, S, C)``; with them, convolutions become int8 (see
            :func:`quantize_int8`).
        provenance: What the network was made from, in plain values.

    Returns:
        The mean difference between torch and ONNX Runtime in pixels of the crop, on random crops,
        or for int8 on the calibration crops.

    Raises:
        WeightsError: That difference is above the tolerance; nothing is written.

    Example:
        >>> from facedots.models.registry import build_model
        >>> net = build_model("tiny")
        >>> export_onnx(net, Path("tiny.onnx"), {"title": "random"})  # doctest: +SKIP
        0.0004
    """
    spec = net.spec
    module = _ExportedModule(net).eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    program = torch.onnx.export(
        module,
        (_random_crops(2, spec.input_size, spec.channels),),
        input_names=["crops"],
        output_names=module.output_names,
        dynamic_shapes={"crops": {0: torch.export.Dim("faces", min=1)}},
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise WeightsError("torch exported nothing")
    model = program.model_proto
    if calibration is None:
        crops, tolerance = _random_crops(5, spec.input_size, spec.channels), TOLERANCE
    else:
        model = quantize_int8(model, calibration)
        crops, tolerance = torch.from_numpy(calibration[:64]), INT8_TOLERANCE
    model = strip_metadata(store_as_float16(model))
    metadata = {SPEC_KEY: spec.to_json(), CARD_KEY: json.dumps(dict(card))}
    onnx.helper.set_model_props(model, metadata | {PROVENANCE_KEY: json.dumps(dict(provenance))})
    data = model.SerializeToString()
    difference = _mean_difference(module, data, crops)
    if not difference <= tolerance:
        fault = f"ONNX Runtime and torch differ by {difference:.3f} px of the crop"
        raise WeightsError(f"{path}: {fault}, over {tolerance}")
    atomic_write(path, data)
    return difference


def store_as_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large float32 constants as float16 with a cast after each, which a runtime folds."""
    casts = []
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.size < MIN_FLOAT16_SIZE:
            continue
        name, to = constant.name, onnx.TensorProto.FLOAT
        constant.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.float16"))
        casts.append(onnx.helper.make_node("Cast", [constant.name], [name], f"{name}.cast", to=to))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)
    return model


def strip_metadata(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove the exporter's notes on each node (stack traces, types)."""
    graph = model.graph
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.metadata_props[:]
    return model


def _random_crops(count: int, size: int, channels: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (count, size, size, channels)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def _mean_difference(module: nn.Module, data: bytes, crops: Tensor) -> float:
    """Between the points of the module and of the ONNX file, in pixels of the crop."""
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (points,) = session.run(["points"], {"crops": crops.numpy()})
    with torch.inference_mode():
        expected = module(crops)[0]
    return float(np.abs(points - expected.numpy()).mean())


class _CropReader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Feeds crops one by one to the model's input of this name."""

    def __init__(self, crops: Crops, name: str) -> None:
        self.crops, self.name = iter(crops), name

    def get_next(self) -> dict[str, Crops] | None:
        crop = next(self.crops, None)
        return None if crop is None else {self.name: crop[None]}


def quantize_int8(model: onnx.ModelProto, crops: Crops) -> onnx.ModelProto:
    """The model with convolutions and sums in int8 (static QDQ quantization, Jacob et al., CVPR
    2018): one scale per channel of the weights, and per activation from its range on these crops.

    Weights have 7 bits: CPUs without VNNI add two products in 16 bits, where those of 8 bits
    saturate. A ReLU6 after a convolution is fused with it, so that the scale covers the clipped
    range only. Everything after the last convolution stays float, so points and covariance are
    decoded as precisely as before.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, ready, target = (Path(folder) / f"{name}.onnx" for name in ("in", "ready", "out"))
        onnx.save(model, source)
        quant_pre_process(source, ready, skip_symbolic_shape=True)
        nodes = onnx.load(ready).graph.node
        last = max(i for i, node in enumerate(nodes) if node.op_type == "Conv")
        quantize_static(
            ready,
            target,
            _CropReader(crops, model.graph.input[0].name),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Clip", "Add"],
            nodes_to_exclude=[node.name for node in nodes[last + 1 :]],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(target)


def save_weights(net: KeypointNet, path: Path) -> None:
    """Write the weights as safetensors, with the spec as metadata; the same weights, the same bytes
    (which more than one entry of metadata would not give).
    """
    tensors = {name: value.contiguous() for name, value in net.state_dict().items()}
    atomic_write(path, save(tensors, {SPEC_KEY: net.spec.to_json()}))
