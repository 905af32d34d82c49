"""Published test sets, in small folders of the same form made here."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from facedots.cli.benchmark import BenchmarkName
from facedots.cli.main import app
from facedots.data.synthetic import draw_face
from facedots.errors import AnnotationError, DataError, OutputError
from facedots.evaluation import protocol
from facedots.evaluation.benchmarks import BENCHMARKS, published_measures, pupil_distances
from facedots.evaluation.result import Evaluation
from facedots.geometry import Floats
from facedots.io.images import read_image, write_image
from facedots.schema import IBUG68, WFLW98


@pytest.fixture
def w300(tmp_path: Path) -> Path:
    """Drawn faces in the folders of 300-W: one each, two in ``ibug``; the points start at 1."""
    names = ["helen/testset/1.png", "lfpw/testset/2.png", "ibug/image 3.png", "ibug/4.png"]
    names.append("lfpw/trainset/5.png")
    for i, name in enumerate(names):
        image, points = draw_face(np.random.default_rng(i))
        file = tmp_path / "300w" / name
        write_image(file, image)
        lines = [f"{x} {y}" for x, y in (points + 1).tolist()]
        head = ["version: 1", "n_points:  68", "{"]
        file.with_suffix(".pts").write_text("\n".join([*head, *lines, "}"]))
    return tmp_path / "300w"


@pytest.mark.parametrize(
    ("name", "drawn"),
    [("300w-common", [0, 1]), ("300w-challenging", [3, 2]), ("300w-full", [0, 1, 3, 2])],
)
def test_the_faces_of_300w(w300: Path, name: str, drawn: list[int]) -> None:
    for data in (w300, w300.parent):
        faces = BENCHMARKS[name].load(data)
        for face, seed in zip(faces, drawn, strict=True):
            _, points = draw_face(np.random.default_rng(seed))
            np.testing.assert_allclose(face.points, points, atol=1e-3)


def test_the_faces_of_wflw(tmp_path: Path) -> None:
    list_file = tmp_path / BENCHMARKS["wflw"].labels[0]
    list_file.parent.mkdir(parents=True)
    write_image(tmp_path / "WFLW_images" / "0--Parade" / "a.png", np.zeros((90, 90, 3), np.uint8))
    points = np.arange(2 * WFLW98.count) / 4
    box = "0 0 9 9 0 0 0 0 0 0"
    list_file.write_text(" ".join(map(str, points)) + f" {box} 0--Parade/a.png\n")
    (face,) = BENCHMARKS["wflw"].load(tmp_path)
    assert face.points.shape == (68, 2)
    assert face.points[[0, 16]].tolist() == [[0, 0.25], [16, 16.25]]


def write_cofw68(root: Path, points: list[Floats], hidden: range) -> None:
    """COFW68 as it is published, of gray images; the points start at 1."""
    h5py, savemat = pytest.importorskip("h5py"), pytest.importorskip("scipy.io").savemat
    labels = root / "COFW68_Data" / "test_annotations"
    labels.mkdir(parents=True)
    with h5py.File(labels.parent / "COFW_test_color.mat", "w") as file:
        images = [np.full((30, 40), 20 * i, np.uint8) for i in range(len(points))]
        refs = [file.create_dataset(f"#refs#/{i}", data=x).ref for i, x in enumerate(images)]
        file["phisT"], file["IsT"] = np.ones((87, len(refs))), np.array(refs, h5py.ref_dtype)[None]
    occluded = np.isin(np.arange(68), hidden).astype(np.uint8)
    for i, face in enumerate(points, start=1):
        content = {"Points": face + 1, "Occ": occluded[:, None]}
        savemat(labels / f"{i}_points.mat", content, do_compression=True)


def test_the_faces_of_cofw68(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    points = list(np.random.default_rng(0).uniform(0, 30, (11, 68, 2)))
    write_cofw68(tmp_path, points, hidden=range(9))
    faces = BENCHMARKS["cofw68"].load(tmp_path)
    np.testing.assert_allclose([face.points for face in faces], points, atol=1e-5)
    assert [int(read_image(face.image).max()) for face in faces[:3]] == [0, 20, 40]
    assert [np.flatnonzero(face.visible == 0).tolist() for face in faces] == [[*range(9)]] * 11
    labels = tmp_path / "COFW68_Data" / "test_annotations"
    damaged = bytearray((labels / "1_points.mat").read_bytes())
    damaged[-1] ^= 1  # the checksum of what is compressed
    for name, content in (("11_points", b"text"), ("2_points", b""), ("1_points", damaged)):
        file = labels / f"{name}.mat"
        file.write_bytes(content)
        with pytest.raises(AnnotationError, match=f"(?s){file.name}.*not a MATLAB file"):
            BENCHMARKS["cofw68"].load(tmp_path)
    (labels.parent / "COFW_test_color.mat").unlink()
    with pytest.raises(DataError, match=r"no COFW_test_color\.mat; put COFW's test images there"):
        BENCHMARKS["cofw68"].load(tmp_path)


def test_hidden_points_of_cofw68_are_measured(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    points = np.random.default_rng(0).uniform(0, 30, (68, 2)).astype(np.float32)
    write_cofw68(tmp_path, [points], hidden=range(17))
    network = onnx.load(tiny_model)
    # The jaw is hidden but for one point, and nothing else.
    seen = np.where((np.arange(68) < 17) & (np.arange(68) != 8), 0.2, 0.9).astype(np.float32)
    network.graph.initializer.append(onnx.numpy_helper.from_array(seen, "seen"))
    network.graph.node.append(onnx.helper.make_node("Unsqueeze", ["zero", "axis"], ["column"]))
    network.graph.node.append(onnx.helper.make_node("Add", ["column", "seen"], ["visibility"]))
    output = onnx.helper.make_tensor_value_info("visibility", onnx.TensorProto.FLOAT, ["N", 68])
    network.graph.output.append(output)
    onnx.save(network, tmp_path / "net.onnx")
    for model, values in ((tmp_path / "net.onnx", [25, 100 * 16.5 / 17]), (tiny_model, [None] * 2)):
        options = ["--data", tmp_path, "--model", model, "--out", tmp_path / "result.json"]
        done = CliRunner().invoke(app, ["benchmark", "cofw68", *map(str, options)])
        assert done.exit_code == 0, done.exception
        assert ("hidden_auroc" in done.stdout) == (model != tiny_model)
        measured = json.loads((tmp_path / "result.json").read_text())["boxes"]["ground-truth"]
        found = [measured.get("hidden_share"), measured.get("hidden_auroc")]
        assert found == pytest.approx(values, abs=1e-3)


def test_the_faces_of_infanface(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(0, 30, (68, 2)).round(2)
    columns = [f"gt-x{i}" for i in range(68)] + [f"gt-y{i}" for i in range(68)]
    rows = ["image-set,filename,turned," + ",".join(columns)]
    for folder in ("ads", "google", "youtube", "youtube2"):
        write_image(tmp_path / "images" / folder / "a.png", np.zeros((30, 30, 3), np.uint8))
        rows.append(f"{folder},a.png,0," + ",".join(map(str, points.T.ravel())))
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(rows) + "\n")
    faces = BENCHMARKS["infanface"].load(tmp_path)
    assert [face.name for face in faces] == ["google/a.png", "youtube/a.png"]
    assert [str(face.image).split("/")[-2] for face in faces] == ["google", "youtube"]
    for face in faces:
        np.testing.assert_allclose(face.points, points, atol=1e-5)
    table.write_text("\n".join([rows[0], rows[2].replace("a.png", "b.png"), "youtube,a.png,0,1,x"]))
    faults = r"(?s)row 2: no image \S+b\.png.*row 3: '' in coordinate 1 is not a finite number"
    with pytest.raises(AnnotationError, match=faults):
        BENCHMARKS["infanface"].load(tmp_path)
    table.write_text("filename,x0,y0\n")
    with pytest.raises(AnnotationError, match="no column gt-x0"):
        BENCHMARKS["infanface"].load(tmp_path)


def test_a_set_that_is_not_whole_is_refused(w300: Path) -> None:
    (w300 / "ibug").rename(w300 / "other")
    with pytest.raises(DataError, match=r"300-W full: no \S+300w/ibug; give the folder"):
        BENCHMARKS["300w-full"].load(w300)


def test_the_measures_of_papers(make_evaluation: Callable[..., Evaluation]) -> None:
    true = np.zeros((3, 68, 2), np.float32)
    true[:, 36], true[:, 45] = (-50, 0), (50, 0)
    true[:, 37:42, 0], true[:, 42:45, 0], true[:, 46:48, 0] = -20, 20, 20
    moved: Floats = true + np.array([0, 4], np.float32)
    moved[1] += np.array([0, 5], np.float32)
    moved[2] = np.nan
    np.testing.assert_allclose(pupil_distances(true), [50, 50, 50])
    evaluation = make_evaluation([0, 0, 0], schema=IBUG68, true=true, predicted=moved)
    assert published_measures(evaluation) == {
        "faces": 3,
        "missed": 1,
        "skipped": 1,
        "nme": 6.5,
        "nme_pupils": 13.0,
        "auc8": pytest.approx(100 * 0.5 / 3, abs=1e-4),
        "fr8": pytest.approx(200 / 3, abs=1e-4),
        "auc10": pytest.approx(100 * 0.7 / 3, abs=1e-4),
        "fr10": pytest.approx(100 / 3, abs=1e-4),
    }


def test_the_command_measures_twice(w300: Path, tiny_model: Path, tmp_path: Path) -> None:
    assert [name.value for name in BenchmarkName] == list(BENCHMARKS)
    out = tmp_path / "result.json"
    options = ["--data", w300, "--model", tiny_model, "--out", out]
    done = CliRunner().invoke(app, ["benchmark", "300w-common", *map(str, options)])
    assert done.exit_code == 0, done.exception
    assert "2 faces, not the 554 published" in done.stderr
    result = json.loads(out.read_text())
    assert result["benchmark"] == "300w-common"
    assert list(result["boxes"]) == ["ground-truth", "retinaface"]
    assert result["boxes"]["ground-truth"]["missed"] == 0
    assert "ground-truth" in done.stdout


@pytest.mark.parametrize("wrong", ["", "ibug", "ibug/4.png", "own.onnx"])
def test_a_file_that_cannot_be_written_is_told_before_measuring(
    w300: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    model = shutil.copy(tiny_model, w300 / "own.onnx")
    monkeypatch.setattr(protocol, "evaluate", lambda *_: pytest.fail("measured"))
    options = ["--data", w300, "--model", model, "--out", w300 / wrong]
    done = CliRunner().invoke(app, ["benchmark", "300w-full", *map(str, options)])
    assert isinstance(done.exception, OutputError)
    assert not list(w300.rglob("*.part*"))
