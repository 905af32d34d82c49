"""The network with which ``web_fixtures.py`` tests what a shipped one need not have: the keypoints
of ``tiny``, and pupils and visibility that follow from them.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor

from facedots import IBUG68
from facedots.inference.session import INPUTS, OUTPUTS
from facedots.inference.weights import WEIGHTS
from facedots.inspection import load_model

NETWORK = "tiny"


def eyes_network() -> bytes:
    """The ONNX file of :data:`NETWORK` with further outputs: a pupil is the mean of its eye's
    points, with the mean of their covariances; the visibility of a point is 2 to the power of its
    variance over minus the mean of all points.
    """
    model = load_model(WEIGHTS[NETWORK].path)
    eyes = Extractor(model).extract_model(INPUTS, OUTPUTS)
    eyes.metadata_props.extend(model.metadata_props)
    graph = eyes.graph
    constants = {
        "eyes": np.array([IBUG68.regions["right_eye"], IBUG68.regions["left_eye"]]),
        "points_axis": np.array([1]),
        "eye_axis": np.array([2]),
        "plane": np.array([2, 3]),
        "unit": np.eye(2, dtype=np.float32),
        "half": np.array(0.5, np.float32),
    }
    nodes: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Gather", ["points", "eyes"], "pupils_points", {"axis": 1}),
        ("ReduceMean", ["pupils_points", "eye_axis"], "pupils", {"keepdims": 0}),
        ("Gather", ["covariance", "eyes"], "pupils_covariances", {"axis": 1}),
        ("ReduceMean", ["pupils_covariances", "eye_axis"], "pupils_covariance", {"keepdims": 0}),
        ("Mul", ["covariance", "unit"], "variances", {}),
        ("ReduceSum", ["variances", "plane"], "variance", {"keepdims": 0}),
        ("ReduceMean", ["variance", "points_axis"], "usual", {}),
        ("Div", ["variance", "usual"], "excess", {}),
        ("Pow", ["half", "excess"], "visibility", {}),
    ]
    for kind, sources, name, options in nodes:
        graph.node.append(helper.make_node(kind, sources, [name], **options))
    for name, values in constants.items():
        graph.initializer.append(numpy_helper.from_array(values, name))
    shapes = {"pupils": [2, 2], "pupils_covariance": [2, 2, 2], "visibility": [IBUG68.count]}
    for name, shape in shapes.items():
        port = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])
        graph.output.append(port)
    onnx.checker.check_model(eyes)
    return bytes(eyes.SerializeToString())
