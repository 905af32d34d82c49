"""Export of a finder's run to one ONNX file, checked against torch."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from facedots.data.canvases import CanvasDataset
from facedots.data.scenes import load_scenes
from facedots.detection.finder import PORTS
from facedots.errors import WeightsError
from facedots.inference.session import CARD_KEY
from facedots.io.files import atomic_write
from facedots.models.finder import FinderModule
from facedots.training.export import OPSET, quantize_int8, store_as_float16, strip_metadata
from facedots.training.finder import load_finder, load_finder_run
from facedots.training.task import silence_libraries

TOLERANCE, INT8_TOLERANCE = 0.001, 0.02
"""Largest accepted mean difference between the scores of torch and of ONNX Runtime."""

_CALIBRATION_CANVASES = 100


def export_finder(
    run: str | Path, onnx_file: str | Path, checkpoint: str = "best", *, int8: bool = False
) -> float:
    """Write a run's network as ONNX for :class:`~facedots.detection.finder.Finder`.

    The file's input is ``images`` uint8 (N, S, T, 3) in RGB, S and T multiples of 32; its outputs
    are those of :class:`~facedots.models.finder.FinderModule`.

    Args:
        run: Folder of the run.
        onnx_file: The file to write.
        checkpoint: ``"best"`` by average precision, or ``"last"``.
        int8: Convolutions in int8, calibrated on training canvases.

    Returns:
        The mean difference between the scores of torch and of ONNX Runtime on such canvases.

    Raises:
        WeightsError: That difference is too large, or the checkpoint is missing or damaged.
    """
    silence_libraries()
    recipe, scenes = load_finder_run(run)
    module = FinderModule(load_finder(run, checkpoint))
    canvases = CanvasDataset(load_scenes(scenes), _CALIBRATION_CANVASES, recipe.canvas, recipe.seed)
    images = torch.stack([canvases[0, i]["image"] for i in range(_CALIBRATION_CANVASES)])
    model = _to_onnx(module)
    if int8:
        model = quantize_int8(model, images.numpy())
    model = _with_short_names(strip_metadata(store_as_float16(model)))
    card = {name: getattr(recipe, name) for name in ("title", "license", "trained_on")}
    onnx.helper.set_model_props(model, {CARD_KEY: json.dumps(card)})
    data = model.SerializeToString()
    difference = _score_difference(module, data, images[:32])
    tolerance = INT8_TOLERANCE if int8 else TOLERANCE
    if not difference <= tolerance:
        raise WeightsError(
            f"{onnx_file}: the scores of ONNX Runtime and torch differ by {difference:.4f},"
            f" over {tolerance}"
        )
    atomic_write(Path(onnx_file), data)
    return difference


def _to_onnx(module: nn.Module) -> onnx.ModelProto:
    """The module with any number of images of any size."""
    high, wide = (32 * torch.export.Dim(name, min=1, max=256) for name in ("rows", "columns"))
    program = torch.onnx.export(
        module,
        (torch.zeros((2, 96, 128, 3), dtype=torch.uint8),),
        input_names=PORTS[:1],
        output_names=PORTS[1:],
        dynamic_shapes={"images": {0: torch.export.Dim("images", min=1), 1: high, 2: wide}},
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise WeightsError("torch exported nothing")
    return program.model_proto


def _with_short_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with numbers for all names but those of its ports: a sixth of so small a file."""
    graph = model.graph
    names = {port.name: port.name for port in (*graph.input, *graph.output)} | {"": ""}

    def short(name: str) -> str:
        return names.setdefault(name, str(len(names)))

    for constant in graph.initializer:
        constant.name = short(constant.name)
    for node in graph.node:
        node.name = ""
        node.input[:] = [short(name) for name in node.input]
        node.output[:] = [short(name) for name in node.output]
    del graph.value_info[:]
    return model


def _score_difference(module: nn.Module, data: bytes, images: Any) -> float:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    scores: NDArray[np.float32] = session.run(None, {PORTS[0]: images.numpy()})[0]
    with torch.inference_mode():
        expected = module(images)[0].numpy()
    return float(np.abs(scores - expected).mean())
