"""Fixtures that several test files share."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from io import RawIOBase
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import settings
from onnx import numpy_helper
from onnx.helper import (
    make_graph,
    make_model,
    make_node,
    make_opsetid,
    make_tensor_value_info,
    set_model_props,
)
from tests.faces import face_of

from facedots.data.synthetic import draw_face
from facedots.geometry import CropSpec, Image
from facedots.io.images import read_image, sample_portrait, write_image
from facedots.schema import IBUG68
from facedots.spec import ModelSpec
from facedots.types import Face

# The same examples each time, and no clock: a busy machine must not fail a test.
settings.register_profile("facedots", deadline=None, derandomize=True)
settings.load_profile("facedots")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Trainings first: they take longest, and no process should wait for them at the end."""
    items.sort(key=lambda item: item.path.parent.name != "training")


@pytest.fixture(scope="module", autouse=True)
def quick_figures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Figures without automatic layout, which takes two thirds of their time, where tests of
    commands and reports draw them by the way; tests/plots sees the real ones.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent.name in {"audit", "cli", "evaluation", "training"}:
            patch.setattr("matplotlib.figure.Figure.get_layout_engine", lambda _figure: None)
        yield


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real data; the test is skipped where it is not."""
    given = os.environ.get("FACEDOTS_DATA")
    folder = Path(given) if given else Path(__file__).parents[2] / "shared" / "data"
    if not (folder / "youtube-faces").is_dir():
        pytest.skip(
            f"no real data at {folder}; set FACEDOTS_DATA to the folder that holds youtube-faces/"
        )
    return folder


@pytest.fixture(scope="session")
def hopper() -> Image:
    """matplotlib's portrait of Grace Hopper, 512 x 600: one face, whose eyes lie near (227, 190)
    and (304, 187).
    """
    return read_image(sample_portrait())


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file as `facedots export` writes them, with two small convolutions: 8 px RGB crops of
    boxes, 68 points.

    The answer does not depend on the image: point ``k`` lies at ``(k / 10, 7 - k / 10)`` of the
    crop, the standard deviation is 0.6 along x and 0.3 along y, the score 0.75.
    """
    rng = np.random.default_rng(0)
    points = np.stack([np.arange(68) / 10, 7 - np.arange(68) / 10], axis=-1)
    constants = {
        "net.stem.0.weight": rng.normal(0, 1, (4, 3, 3, 3)),
        "net.stem.0.bias": np.zeros(4),
        "net.head.weight": rng.normal(0, 1, (2, 4, 1, 1)),
        "white": np.array(255.0),
        "spread": np.broadcast_to(np.diag([0.36, 0.09]), (68, 2, 2)),
        "belief": np.array(0.75),
        "nothing": np.array(0.0),
        "layout": points,
    }
    nodes = [
        make_node("Transpose", ["crops"], ["planes"], perm=[0, 3, 1, 2]),
        make_node("Cast", ["planes"], ["numbers"], to=onnx.TensorProto.FLOAT),
        make_node("Div", ["numbers", "white"], ["pixels"]),
        make_node(
            "Conv", ["pixels", "net.stem.0.weight", "net.stem.0.bias"], ["stem"], pads=[1, 1, 1, 1]
        ),
        make_node("Relu", ["stem"], ["active"]),
        make_node("Conv", ["active", "net.head.weight"], ["head"], name="node_conv2d_1"),
        make_node("ReduceMean", ["head"], ["means"], axes=[2, 3], keepdims=0),
        make_node("Mul", ["means", "nothing"], ["zeros"]),
        make_node("Unsqueeze", ["zeros", "axis"], ["offsets"]),
        make_node("Add", ["offsets", "layout"], ["points"]),
        make_node("Unsqueeze", ["offsets", "axis"], ["offsets_22"]),
        make_node("Add", ["offsets_22", "spread"], ["covariance"]),
        make_node("ReduceMean", ["zeros"], ["zero"], axes=[1], keepdims=0),
        make_node("Add", ["zero", "belief"], ["score"]),
    ]
    initializers = [
        numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()
    ]
    initializers.append(numpy_helper.from_array(np.array([1]), "axis"))
    graph = make_graph(
        nodes,
        "tiny",
        [make_tensor_value_info("crops", onnx.TensorProto.UINT8, ["N", 8, 8, 3])],
        [
            make_tensor_value_info("points", onnx.TensorProto.FLOAT, ["N", 68, 2]),
            make_tensor_value_info("covariance", onnx.TensorProto.FLOAT, ["N", 68, 2, 2]),
            make_tensor_value_info("score", onnx.TensorProto.FLOAT, ["N"]),
        ],
        initializers,
    )
    model = make_model(graph, opset_imports=[make_opsetid("", 17)], ir_version=9)
    spec = ModelSpec("tiny", IBUG68, CropSpec("box", 1.0), 8, 3, (0.0,) * 3, (1.0,) * 3)
    card = {
        "title": "tiny",
        "license": "Apache-2.0",
        "trained_on": "nothing",
        "note": "for tests",
        "scores": {},
    }
    set_model_props(model, {"facedots.spec": spec.to_json(), "facedots.card": json.dumps(card)})
    onnx.checker.check_model(model)
    path = tmp_path_factory.mktemp("tiny") / "tiny.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="session")
def two_faces() -> tuple[Image, list[Face]]:
    """Two drawn faces, one rolled, one rolled, turned and cut by the right border; no sigma."""
    first, first_points = draw_face(np.random.default_rng(24))
    second, second_points = draw_face(np.random.default_rng(11))
    width = first.shape[1]
    image = np.full((first.shape[0], width + 75, 3), 90, np.uint8)
    image[:, :width] = first
    image[30 : 30 + second.shape[0], width:] = second[:, :75]
    image.flags.writeable = False
    return image, [face_of(first_points), face_of(second_points + np.array([width, 30]))]


@pytest.fixture
def assert_matches_reference() -> Callable[[Image, str], None]:
    """``assert_matches_reference(image, name)``: at half size it is ``tests/data/<name>.png``.

    With FACEDOTS_WRITE_REFERENCES set, the file is written instead: look at it before you commit.
    """

    def compare(image: Image, name: str) -> None:
        half = (image.shape[1] // 2, image.shape[0] // 2)
        small = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
        file = Path(__file__).parent / "data" / f"{name}.png"
        if "FACEDOTS_WRITE_REFERENCES" in os.environ:
            write_image(file, small)
            pytest.skip(f"{file.name} was written")
        gaps = np.abs(read_image(file).astype(int) - small)
        assert gaps.mean() < 1, f"{name}: the mean difference is {gaps.mean():.2f}"
        assert (gaps.max(axis=2) > 40).mean() < 0.005, f"{name}: parts of the image look different"

    return compare


@pytest.fixture
def fill_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """``fill_disk(n)``: from now on no file can grow beyond n bytes."""

    def fill(limit: int) -> None:
        def write_all(file: RawIOBase, data: bytes) -> None:
            room = max(0, limit - file.tell())
            file.write(data[:room])
            if len(data) > room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("facedots.io.files.write_all", write_all)
        monkeypatch.setattr("facedots.io.result_files.write_all", write_all)

    return fill
