"""The kernels of a network and their outputs for an image, from its ONNX file; a kernel is the
trained one times the factor of its batch norm, which the export folds into it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import ArrayLike, NDArray
from onnx import numpy_helper

from facedots.errors import WeightsError
from facedots.geometry import Floats, Image, Matrix, check_boxes, check_shape, crop_matrix
from facedots.inference.predictor import KeypointPredictor
from facedots.inference.weights import read_weights, weights_file

RGB = 3
"""Input channels of a layer whose input is a color image."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One convolution of a network.

    Attributes:
        name: The module's, as in ``"stem.0.0"``, where the file has it; else the ONNX node's.
        kernels: ``float32 (O, I, h, w)``: O kernels over I input channels.
        output: The ONNX tensor of its feature maps.

    Example:
        >>> from facedots.inference.weights import WEIGHTS
        >>> list_layers(load_model(WEIGHTS["small"].path))[0].kernels.shape[1:]
        (3, 3, 3)
    """

    name: str
    kernels: Floats
    output: str


def load_model(path: str | Path) -> onnx.ModelProto:
    """The network in an ONNX file.

    Raises:
        WeightsError: The file is missing or is not ONNX, or comes with facedots and is damaged.
    """
    path = weights_file(path)
    try:
        model = onnx.load_model_from_string(read_weights(path))
    except DecodeError as error:
        raise WeightsError(f"{path}: not an ONNX file") from error
    if not model.graph.node:
        raise WeightsError(f"{path}: not an ONNX file, or one without a network in it")
    return model


def list_layers(model: onnx.ModelProto) -> list[Layer]:
    """The two-dimensional convolutions of a network, first to last, in float32 however stored."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    producers = {output: node for node in model.graph.node for output in node.output}
    convolutions = []
    for node in model.graph.node:
        kernels = _weights(node.input[1], arrays, producers) if node.op_type == "Conv" else None
        if kernels is not None and kernels.ndim == 4:
            convolutions.append((_module_name(node), kernels, node.output[0]))
    names = _distinct(_without_wrapper([name for name, _, _ in convolutions]))
    return [
        Layer(name, kernels, output)
        for name, (_, kernels, output) in zip(names, convolutions, strict=True)
    ]


def find_layer(layers: Iterable[Layer], name: str) -> Layer:
    """The layer called ``name``; where there is none, the error lists all."""
    by_name = {layer.name: layer for layer in layers}
    if name not in by_name:
        raise WeightsError(f"no layer {name!r}; there are: {', '.join(by_name)}")
    return by_name[name]


def select_kernel(layer: Layer, kernel: int = 0, channel: int | None = None) -> Floats:
    """One kernel of a layer: a plane ``float32 (h, w)`` of one input channel; by default all three
    of RGB ``(3, h, w)``, else the mean over the channels.

    Raises:
        WeightsError: The layer has no such kernel or input channel.
    """
    count, inputs = layer.kernels.shape[:2]
    for what, index, limit in (("kernels", kernel, count), ("input channels", channel, inputs)):
        if index is not None and not 0 <= index < limit:
            raise WeightsError(f"layer {layer.name} has the {what} 0 to {limit - 1}, no {index}")
    weights = layer.kernels[kernel]
    if channel is not None:
        plane: Floats = weights[channel]
        return plane
    return weights if inputs == RGB else weights.mean(axis=0)


def cut_crop(
    predictor: KeypointPredictor, image: Image, box: ArrayLike | None = None
) -> tuple[Image, Matrix]:
    """The crop ``uint8 (S, S, C)`` that a network takes of an RGB image with a face in a tight box
    ``x0 y0 x1 y1``, and its square ``float64 (3,)``: center x, center y, side in pixels.

    Raises:
        ValueError: The network needs a box and there is none, or the box has no area.
    """
    spec = predictor.spec
    if box is None and spec.crop.mode == "box":
        raise ValueError(f"the network {spec.name} takes a crop around a face: give its box")
    boxes = check_boxes(np.asarray((0, 0, 1, 1) if box is None else box)[None])
    square = spec.crop.crop_squares(boxes, (image.shape[0], image.shape[1]))[0]
    return predictor.cut_crops(image, [crop_matrix(square, spec.input_size)])[0], square


def feature_maps(model: onnx.ModelProto, crop: Image) -> dict[str, Floats]:
    """The output of each layer for a crop ``uint8 (S, S, C)`` (see :func:`cut_crop`) before the
    ReLU: name -> ``float32 (C, H, W)``.

    Raises:
        ShapeError: The crop does not have the shape of the network's input.
        WeightsError: ONNX Runtime cannot run the file.
    """
    crops = model.graph.input[0]
    sides = [axis.dim_value for axis in crops.type.tensor_type.shape.dim]
    check_shape(crop, " ".join(map(str, sides[1:])), "crop")
    layers = list_layers(model)
    with_outputs = onnx.ModelProto()
    with_outputs.CopyFrom(model)
    outputs = {output.name for output in model.graph.output}
    with_outputs.graph.output.extend(
        onnx.ValueInfoProto(name=layer.output) for layer in layers if layer.output not in outputs
    )
    try:
        data, providers = with_outputs.SerializeToString(), ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(data, providers=providers)
        maps = session.run([layer.output for layer in layers], {crops.name: crop[None]})
    except Exception as error:  # ONNX Runtime's errors have no common class.
        raise WeightsError(f"ONNX Runtime cannot run the network: {error}") from error
    pairs = zip(layers, maps, strict=True)
    return {layer.name: np.asarray(output[0], np.float32) for layer, output in pairs}


def filter_image(image: ArrayLike, kernel: ArrayLike) -> Floats:
    """Filter an image with one kernel, a correlation like a layer's, to ``float32 (H, W)``.

    Args:
        image: ``(H, W)`` gray or ``(H, W, C)``, uint8 or values in [0, 1].
        kernel: ``(h, w)``, for the mean of the channels; or ``(C, h, w)``, one plane per channel,
            whose outputs are added.

    Raises:
        ShapeError: Image and kernel do not have the same number of channels.

    >>> filter_image([[0, 0, 255]], np.array([[-1, 0, 1]])).tolist()
    [[0.0, 255.0, 0.0]]
    """
    array, weights = np.asarray(image), np.asarray(kernel, np.float32)
    planes = array.astype(np.float32) / (255 if array.dtype == np.uint8 else 1)
    planes = planes if planes.ndim == 3 else planes[..., None]
    if weights.ndim == 2:
        planes, weights = planes.mean(axis=2, keepdims=True), weights[None]
    check_shape(weights, f"{planes.shape[2]} h w", "kernel")
    outputs = [
        cv2.filter2D(np.ascontiguousarray(planes[..., c]), cv2.CV_32F, plane)
        for c, plane in enumerate(weights)
    ]
    return np.sum(outputs, axis=0, dtype=np.float32)


def _weights(
    name: str, arrays: Mapping[str, NDArray[Any]], producers: Mapping[str, onnx.NodeProto]
) -> Floats | None:
    """The constant tensor called ``name`` as float32; ``None`` if it is not constant."""
    if name in arrays:
        return np.asarray(arrays[name], np.float32)
    node = producers.get(name)
    if node is not None and node.op_type == "Cast":
        return _weights(node.input[0], arrays, producers)
    if node is None or node.op_type != "DequantizeLinear":
        return None
    parts = [_weights(part, arrays, producers) for part in node.input]
    constant = [part for part in parts if part is not None]
    if len(constant) < len(parts):
        return None
    stored, scale, *zero = constant
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
    along = [-1 if scale.ndim and d == axis % stored.ndim else 1 for d in range(stored.ndim)]
    offset = zero[0].reshape(along) if zero else np.float32(0)
    return (stored - offset) * scale.reshape(along)


def _module_name(node: onnx.NodeProto) -> str:
    module = re.match(r"(.+)\.weight", node.input[1])
    return module[1] if module else node.name or node.output[0]


def _without_wrapper(names: list[str]) -> list[str]:
    """The names without the modules that all share, such as the wrapper of an export."""
    parts = [name.split(".") for name in names]
    levels = zip(*(modules[:-1] for modules in parts), strict=False)
    depth = len(list(takewhile(lambda level: len(set(level)) == 1, levels)))
    return [".".join(modules[depth:]) for modules in parts]


def _distinct(names: list[str]) -> list[str]:
    """The names, the second use of the same weights marked ``#2`` and so on."""
    uses = [names[: i + 1].count(name) for i, name in enumerate(names)]
    return [f"{name}#{use}" if use > 1 else name for name, use in zip(names, uses, strict=True)]
