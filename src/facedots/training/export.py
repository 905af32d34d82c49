"""From a torch network to the one ONNX file that everything else uses, checked against torch."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
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
from facedots.inference.session import CARD_KEY, SPEC_KEY
from facedots.io.files import atomic_write
from facedots.models.base import KeypointNet

OPSET = 18
SMALLEST_HALVED = 1024
TOLERANCE, INT8_TOLERANCE = 0.15, 0.8
"""Mean differences between torch and ONNX Runtime that export accepts, in pixels of the crop. On
noise, where maps are broad, the rounding of weights to float16 alone was seen to move points by
0.04 px in the mean, and one by 0.33.
"""


class _Deployed(nn.Module):
    """Crops ``uint8 (N, S, S, C)`` in, points, covariance and score out: normalization and read-out
    live inside the file.
    """

    def __init__(self, net: KeypointNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        answer = self.net(self.net.normalize(crops.permute(0, 3, 1, 2)))
        points, covariance = self.net.decode(answer.raw[:, 0])
        return points, covariance, answer.score.sigmoid()


def card_of(recipe: dict[str, Any], data: str, style: str = "") -> dict[str, str]:
    """The fields of a :class:`~facedots.inference.session.ModelCard` that recipe, data and label
    style decide.
    """
    drawn = data.startswith("synthetic:")
    return {
        "title": recipe["title"] or recipe["model"],
        "license": "Apache-2.0" if drawn else recipe["license"] or "not stated",
        "trained_on": f"{data}: faces drawn by facedots, not real ones"
        if drawn
        else recipe["trained_on"] or data,
        "split": "synthetic" if drawn else recipe["split"],
        "style": style if len(recipe["sources"]) > 1 else "",
    }


def export_onnx(
    net: KeypointNet,
    path: Path,
    card: Mapping[str, Any],
    calibration: NDArray[np.uint8] | None = None,
) -> float:
    """Write a network as ONNX with its spec and card as metadata.

    The file's input is ``crops`` uint8 (N, S, S, C), RGB or gray; its outputs are ``points``
    float32 (N, K, 2) and ``covariance`` float32 (N, K, 2, 2) in (square) pixels of the crop, and
    ``score`` float32 (N,) in [0, 1]. Weights are stored as float16, half the bytes; ONNX Runtime
    computes in float32.

    Args:
        net: Answers in one style.
        path: The file.
        card: See :class:`~facedots.inference.session.ModelCard`.
        calibration: ``uint8 (N, S, S, C)``, crops of faces; with them, convolutions become int8
            (see :func:`quantized`).

    Returns:
        The mean difference between torch and ONNX Runtime, in pixels of the crop: on random crops,
        or in int8 on the calibration crops.

    Raises:
        WeightsError: That difference is above the tolerance; nothing is written.
    """
    spec = net.spec
    deployed = _Deployed(net).eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    crops = _random_crops(2, spec.input_size, spec.channels)
    program = torch.onnx.export(
        deployed,
        (crops,),
        input_names=["crops"],
        output_names=["points", "covariance", "score"],
        dynamic_shapes={"crops": {0: torch.export.Dim("faces", min=1)}},
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise WeightsError("torch exported nothing")
    model = (
        program.model_proto if calibration is None else quantized(program.model_proto, calibration)
    )
    model = without_notes(store_as_float16(model))
    onnx.helper.set_model_props(model, {SPEC_KEY: spec.to_json(), CARD_KEY: json.dumps(dict(card))})
    data = model.SerializeToString()
    shown = (
        _random_crops(5, spec.input_size, spec.channels)
        if calibration is None
        else torch.from_numpy(calibration[:64])
    )
    difference = float(_differences(deployed, data, shown).mean())
    allowed = TOLERANCE if calibration is None else INT8_TOLERANCE
    if not difference <= allowed:
        raise WeightsError(
            f"{path}: ONNX Runtime and torch differ by {difference:.3f} px of the crop, over {allowed}"
        )
    atomic_write(path, data)
    return difference


def store_as_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with large float32 constants as float16 and a cast behind each, which a
    runtime does once, at the start.
    """
    casts = []
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.size < SMALLEST_HALVED:
            continue
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.float16"))
        casts.append(
            onnx.helper.make_node(
                "Cast", [constant.name], [name], f"{name}.cast", to=onnx.TensorProto.FLOAT
            )
        )
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)
    return model


def without_notes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model without the exporter's notes on each node (stack traces, types), a tenth of a
    small network's bytes.
    """
    graph = model.graph
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.metadata_props[:]
    return model


def _random_crops(count: int, size: int, channels: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(
        0, 256, (count, size, size, channels), dtype=torch.uint8, generator=generator
    )


def _differences(deployed: nn.Module, data: bytes, crops: Tensor) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    points, _covariance, _score = session.run(None, {"crops": crops.numpy()})
    with torch.inference_mode():
        expected, _, _ = deployed(crops)
    return np.asarray(np.abs(points - expected.numpy()), np.float32)


class _Crops(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Feeds crops one by one."""

    def __init__(self, crops: NDArray[np.uint8]) -> None:
        self.rest = iter(crops)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        crop = next(self.rest, None)
        return None if crop is None else {"crops": crop[None]}


def quantized(model: onnx.ModelProto, crops: NDArray[np.uint8]) -> onnx.ModelProto:
    """The model with convolutions and sums in int8: weights a scale a channel, activations a scale
    a tensor, met on these crops.

    A ReLU6 behind a convolution counts as its part, so that the scale is spent on what the ReLU6
    lets through.

    Everything behind the last convolution stays float, so points and covariance are read off the
    maps as finely as before (static QDQ quantization, Jacob et al., CVPR 2018; min and max of each
    activation).
    """
    with tempfile.TemporaryDirectory() as folder:
        whole, ready, small = (
            Path(folder) / name for name in ("whole.onnx", "ready.onnx", "small.onnx")
        )
        onnx.save(model, whole)
        quant_pre_process(whole, ready, skip_symbolic_shape=True)
        nodes = onnx.load(ready).graph.node
        last = max(i for i, node in enumerate(nodes) if node.op_type == "Conv")
        quantize_static(
            ready,
            small,
            _Crops(crops),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Clip", "Add"],
            nodes_to_exclude=[node.name for node in nodes[last + 1 :]],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(small)


def save_weights(net: KeypointNet, path: Path) -> None:
    """Write the weights as safetensors, with the spec as metadata."""
    tensors = {name: value.contiguous() for name, value in net.state_dict().items()}
    atomic_write(path, save(tensors, {"facedots.spec": net.spec.to_json()}))
