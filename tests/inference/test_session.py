import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from facedots.errors import ShapeError, WeightsError
from facedots.geometry import CropSpec
from facedots.inference.session import CARD_KEY, SPEC_KEY, Session
from facedots.schema import IBUG68
from facedots.spec import ModelCard

Edit = Callable[[onnx.ModelProto], None]


def edited(model: Path, target: Path, edit: Edit) -> Path:
    network = onnx.load(model)
    edit(network)
    target.write_bytes(network.SerializeToString())
    return target


def with_metadata(key: str, value: str) -> Edit:
    def edit(network: onnx.ModelProto) -> None:
        kept = {entry.key: entry.value for entry in network.metadata_props}
        onnx.helper.set_model_props(network, kept | {key: value})

    return edit


def with_size(size: str) -> Edit:
    def edit(network: onnx.ModelProto) -> None:
        for entry in network.metadata_props:
            if entry.key == SPEC_KEY:
                entry.value = re.sub(r'("input_size": )\d+', rf"\g<1>{size}", entry.value)

    return edit


def test_reads_spec_and_card(tiny_model: Path) -> None:
    session = Session(tiny_model)
    assert session.spec.name == "tiny"
    assert session.spec.schema == IBUG68
    assert session.spec.crop == CropSpec("box", 1.0)
    assert session.card == ModelCard("tiny", "Apache-2.0", "nothing", note="for tests")


def test_runs_on_crops_from_a_path_and_from_bytes(tiny_model: Path) -> None:
    crops = np.zeros((3, 8, 8, 3), np.uint8)
    for weights in (tiny_model, str(tiny_model), tiny_model.read_bytes()):
        said = Session(weights).run(crops)
        assert said.points.shape == (3, 68, 2)
        assert said.points.dtype == said.covariance.dtype == said.score.dtype == np.float32
        assert said.points[2, 10].tolist() == [1, 6]
        assert said.covariance == pytest.approx(
            np.broadcast_to(np.diag([0.36, 0.09]), (3, 68, 2, 2))
        )
        assert said.score.tolist() == [0.75] * 3


def test_crops_of_another_size_are_refused(tiny_model: Path) -> None:
    with pytest.raises(ShapeError, match="crops must have the shape"):
        Session(tiny_model).run(np.zeros((3, 9, 9, 3), np.uint8))


def test_a_file_without_a_card_has_an_empty_one(tiny_model: Path, tmp_path: Path) -> None:
    def edit(network: onnx.ModelProto) -> None:
        spec = {entry.key: entry.value for entry in network.metadata_props}[SPEC_KEY]
        onnx.helper.set_model_props(network, {SPEC_KEY: spec})

    assert Session(edited(tiny_model, tmp_path / "bare.onnx", edit)).card == ModelCard()


def test_a_card_of_a_later_version_is_still_read(tiny_model: Path, tmp_path: Path) -> None:
    card = json.dumps({"title": "later", "mood": "good"})
    assert (
        Session(
            edited(tiny_model, tmp_path / "later.onnx", with_metadata(CARD_KEY, card))
        ).card.title
        == "later"
    )


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.onnx: no such file"):
        Session(tmp_path / "none.onnx")


def test_a_damaged_file(tiny_model: Path, tmp_path: Path) -> None:
    for data in (b"", b"not a network", tiny_model.read_bytes()[:-300]):
        path = tmp_path / "damaged.onnx"
        path.write_bytes(data)
        with pytest.raises(WeightsError, match=r"damaged\.onnx"):
            Session(path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda network: onnx.helper.set_model_props(network, {}), "not one of facedots'"),
        (with_metadata(SPEC_KEY, "{"), "metadata cannot be read"),
        (with_metadata(SPEC_KEY, '{"name": "x"}'), "metadata cannot be read"),
        (with_metadata(SPEC_KEY, "[]"), "metadata cannot be read"),
        (with_metadata(CARD_KEY, "3"), "metadata cannot be read"),
        (with_metadata(SPEC_KEY, "[" * 100_000), "metadata cannot be read"),
        (with_size("1000000000"), "takes crops of 1000000000 pixels"),
        (with_size("-1"), "takes crops of -1 pixels"),
        (with_size("NaN"), "takes crops of nan pixels"),
    ],
)
def test_another_onnx_file(tiny_model: Path, tmp_path: Path, edit: Edit, message: str) -> None:
    path = edited(tiny_model, tmp_path / "other.onnx", edit)
    with pytest.raises(WeightsError, match=rf"other\.onnx.*{message}.*facedots export"):
        Session(path)


def test_a_finder_is_told_from_a_network_of_keypoints(tiny_model: Path, tmp_path: Path) -> None:
    def edit(network: onnx.ModelProto) -> None:
        onnx.helper.set_model_props(network, {CARD_KEY: "{}"})

    path = edited(tiny_model, tmp_path / "model.onnx", edit)
    use = rf"faces, not keypoints; use --detector finder --detector-file {path}"
    for weights in (path, tmp_path):
        with pytest.raises(WeightsError, match=use):
            Session(weights)


def test_metadata_that_are_not_text(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tiny_model.read_bytes()
    for part in (b'"name": "tiny"', b"net.head.weight"):
        damaged = tmp_path / "damaged.onnx"
        damaged.write_bytes(whole.replace(part, part[:-3] + b"\xff" + part[-2:], 1))
        with pytest.raises(WeightsError, match=r"damaged\.onnx: [^\n]*$"):
            Session(damaged)
    assert capsys.readouterr().out == ""


def test_a_loop_is_refused_and_a_network_that_fails_is_one_line(
    tiny_model: Path, tmp_path: Path
) -> None:
    def add_loop(network: onnx.ModelProto) -> None:
        network.graph.node.append(onnx.helper.make_node("Loop", ["", ""], ["x"]))

    def take_memory(network: onnx.ModelProto) -> None:
        size = onnx.numpy_helper.from_array(np.array([10**13]), "size")
        network.graph.initializer.append(size)
        nodes = [
            onnx.helper.make_node("Mul", ["rows", "size"], ["huge"]),
            onnx.helper.make_node("Shape", ["crops"], ["rows"], start=0, end=1),
            onnx.helper.make_node("ConstantOfShape", ["huge"], ["vast"]),
            onnx.helper.make_node("ReduceMean", ["vast"], ["none"], keepdims=0),
            onnx.helper.make_node("Add", ["score_", "none"], ["score"]),
        ]
        network.graph.node[-1].output[0] = "score_"
        nodes[:2] = nodes[1::-1]
        network.graph.node.extend(nodes)

    with pytest.raises(WeightsError, match=r"other\.onnx: has an operator Loop"):
        Session(edited(tiny_model, tmp_path / "other.onnx", add_loop))
    session = Session(edited(tiny_model, tmp_path / "other.onnx", take_memory))
    with pytest.raises(WeightsError, match=r"other\.onnx: ONNX Runtime cannot run it: [^\n]*$"):
        session.run(np.zeros((1, 8, 8, 3), np.uint8))


def test_other_inputs(tiny_model: Path, tmp_path: Path) -> None:
    def rename(network: onnx.ModelProto) -> None:
        network.graph.input[0].name = "image"
        network.graph.node[0].input[0] = "image"

    with pytest.raises(WeightsError, match=r"other\.onnx: maps \['image'\]"):
        Session(edited(tiny_model, tmp_path / "other.onnx", rename))
