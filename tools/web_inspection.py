"""The network that the browser page looks into: a shipped one with further outputs, which
``web_constants.py`` writes among the files of the npm package.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from facedots import IBUG68
from facedots.inference.weights import WEIGHTS
from facedots.inspection import list_layers, load_model

NETWORK = "tiny"
OUTPUTS = ("heatmaps", "kernels", "feature_maps")


def inspection_network() -> bytes:
    """The ONNX file of :data:`NETWORK` whose outputs are also, for one crop:

    - ``heatmaps (1, K, h, w)``: of each keypoint, the probability of each cell,
    - ``kernels (O, 3, h, w)`` of the first layer, as :func:`facedots.inspection.list_layers` has
      them,
    - ``feature_maps (1, O, H, W)``: the outputs of the first layer before the ReLU.
    """
    model = load_model(WEIGHTS[NETWORK].path)
    graph, first = model.graph, list_layers(model)[0]
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(first.kernels), "first"))
    shown = numpy_helper.from_array(np.arange(IBUG68.count), "shown")  # not the pupils
    graph.initializer.append(shown)
    graph.node.append(helper.make_node("Gather", [_heatmaps(graph), "shown"], ["maps"], axis=1))
    for source, name in zip(("maps", "first", first.output), OUTPUTS, strict=True):
        graph.node.append(helper.make_node("Identity", [source], [name]))
        graph.output.append(onnx.ValueInfoProto(name=name))
    return bytes(model.SerializeToString())


def _heatmaps(graph: onnx.GraphProto) -> str:
    """The tensor of the heatmaps: what comes out of the softmax that becomes planes again."""
    softmaxes = {node.output[0] for node in graph.node if node.op_type == "Softmax"}
    reshapes = [node for node in graph.node if node.op_type == "Reshape"]
    [planes] = [node.output[0] for node in reshapes if node.input[0] in softmaxes]
    return str(planes)
