"""What ``web_fixtures.py`` tests pupils and visibility with, which shipped networks need not have:
a network with the keypoints of ``tiny``, from which they follow, and faces whose eyes look about.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor

from facedots import IBUG68, Camera, Face, HeadPose
from facedots.analysis import HEAD_MODEL, project
from facedots.geometry import tight_boxes
from facedots.inference.session import INPUTS, OUTPUTS
from facedots.inference.weights import WEIGHTS
from facedots.inspection import load_model

NETWORK = "tiny"
LOOKING_SIZE = (480, 640)
"""Height and width of the images of :func:`looking_faces`."""
EYES = (IBUG68.regions["right_eye"], IBUG68.regions["left_eye"])


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
        "eyes": np.array(EYES),
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


def looking_faces(count: int, camera: Camera) -> list[Face]:
    """Heads in random poses, their pupils in or beside the eyes, some eyes closed, some eyes and
    mouths hidden.
    """
    generator, faces = np.random.default_rng(4), []
    for _ in range(count):
        yaw, pitch, roll = generator.uniform((-45, -30, -40), (45, 30, 40))
        depth = generator.uniform(3, 12)
        place = np.array([*generator.uniform(-0.3, 0.3, 2) * depth, depth], np.float32)
        solid, visibility = HEAD_MODEL.copy(), np.ones(IBUG68.count, np.float32)
        for eye in map(list, EYES):
            if generator.random() < 0.15:
                solid[eye[1:3], 1] = solid[eye[:3:-1], 1]
            visibility[eye] = generator.uniform(0.3, 1)
        visibility[list(IBUG68.regions["mouth"])] = generator.uniform(0.3, 1)
        points = project(solid, HeadPose(yaw, pitch, roll, place, 0.0), camera)
        spread = 0.06 * camera.focal / depth
        off, mixed = generator.normal(0, spread, (2, 2)), generator.normal(0, spread, (2, 2, 2))
        face = Face(
            points=points.astype(np.float32),
            covariance=np.zeros((IBUG68.count, 2, 2), np.float32),
            confidence=np.ones(IBUG68.count, np.float32),
            box=tight_boxes(points[None])[0],
            score=1.0,
            schema=IBUG68,
            visibility=visibility,
            pupils=(points[np.array(EYES)].mean(axis=1) + off).astype(np.float32),
            pupils_covariance=(mixed @ mixed.transpose(0, 2, 1)).astype(np.float32),
        )
        faces.append(face)
    return faces
