"""Published test sets, in small folders of the same form made here."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from facedots.cli.benchmark import BenchmarkName
from facedots.cli.main import app
from facedots.data.synthetic import draw_face
from facedots.errors import DataError
from facedots.evaluation.benchmarks import BENCHMARKS, published_measures, pupil_distances
from facedots.evaluation.result import Evaluation
from facedots.geometry import Floats
from facedots.io.images import write_image
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
