"""Somebody's own data as test sets: what is measured, against which labels, and what is said."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.load import AnnotationSet, load_annotations
from facedots.annotations.packing import pack
from facedots.cli.main import app
from facedots.data.synthetic import draw_face
from facedots.errors import DataError
from facedots.evaluation.protocol import evaluate_split
from facedots.io.images import write_image
from facedots.schema import IBUG68


def drawn(folder: Path, part: str, count: int) -> list[FaceAnnotation]:
    """Faces drawn into a folder; their names begin with the part's."""
    faces = []
    for i in range(count):
        image, points = draw_face(np.random.default_rng(i))
        write_image(folder / f"{part}{i}.png", image)
        faces.append(FaceAnnotation(folder / f"{part}{i}.png", points, f"{part}{i}.png"))
    return faces


def table(folder: Path, part: str, count: int, order: Sequence[int] = range(IBUG68.count)) -> Path:
    """A CSV of drawn faces without names of points, in some order."""
    rows = ["image," + ",".join(f"x{i},y{i}" for i in range(len(order)))]
    for face in drawn(folder, part, count):
        points = face.points[list(order)]
        rows += [",".join([face.name, *map(str, points.ravel().tolist())])]
    file = folder / f"{part}.csv"
    file.write_text("\n".join(rows) + "\n")
    return file


@pytest.mark.parametrize("form", ["file", "folder", "pack"])
def test_a_test_set_alone_is_measured_without_a_baseline(tmp_path: Path, form: str) -> None:
    data = table(tmp_path / "faces", "test", 3)
    if form == "folder":
        data = data.parent
    elif form == "pack":
        faces = load_annotations(data)
        list(pack(AnnotationSet({"test": faces.faces}, IBUG68), tmp_path / "pack"))
        data = tmp_path / "pack"
    evaluation = evaluate_split("tiny", data)
    assert evaluation.names == ("test0.png", "test1.png", "test2.png")
    assert evaluation.context.split == "official"
    assert evaluation.baseline is None


def test_faces_that_are_for_nothing_in_particular_are_all_new_to_networks_that_ship(
    tmp_path: Path, tiny_model: Path
) -> None:
    data = table(tmp_path, "faces", 20)
    every, own = evaluate_split("tiny", data), evaluate_split(tiny_model, data)
    assert (len(every.names), every.context.split) == (20, "all")
    assert (len(own.names), own.context.split) == (2, "official")
    assert evaluate_split("tiny", data, "official").names == own.names
    assert every.baseline is not None
    assert evaluate_split("tiny", table(tmp_path, "test", 1).parent).names == ("test/test0.png",)


def test_networks_are_compared_on_the_same_faces(tmp_path: Path, tiny_model: Path) -> None:
    data, page = table(tmp_path / "data", "faces", 20), tmp_path / "page.html"
    for networks, split in ((["tiny", "small"], "all with 20"), (["tiny", tiny_model], "official")):
        words = ["compare", *networks, "--data", data, "--out", page]
        result = CliRunner().invoke(app, [*map(str, words)])
        assert result.exit_code == 0, result.output
        assert f"<td>{split.partition(' ')[0]}</td>" in page.read_text()


def test_no_report_has_a_baseline_that_there_is_not(tmp_path: Path) -> None:
    data = table(tmp_path, "test", 1)
    words = ["evaluate", "tiny", "--data", data, "--out", tmp_path / "out"]
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert "average face in each box" not in result.output + page
    assert "NME of the worst" in page


def test_the_labels_are_what_a_schema_beside_them_says(tmp_path: Path) -> None:
    order = [*range(67, -1, -1), 30, 30]
    data = table(tmp_path, "test", 2, order)
    names = [IBUG68.names[point] for point in order[:68]] + ["hair", "neck"]
    (tmp_path / "schema.yaml").write_text(
        f"{{name: mine, points: [{', '.join(names)}], norm_pair: [hair, jaw_0]}}"
    )
    evaluation = evaluate_split("tiny", data)
    np.testing.assert_allclose(
        evaluation.true, [face.points for face in drawn(tmp_path, "test", 2)], atol=1e-4
    )
    assert evaluation.schema.name == IBUG68.name


@pytest.mark.parametrize("count", [68, 70])
def test_labels_of_other_points_are_refused_with_what_to_do(tmp_path: Path, count: int) -> None:
    data = table(tmp_path, "test", 2, [i % 68 for i in range(count)])
    names = ", ".join(f"p{i}" for i in range(count))
    (tmp_path / "schema.yaml").write_text(
        f"{{name: fgnet, points: [{names}], norm_pair: [p0, p1]}}"
    )
    fault = f"labels are {count} points of the schema fgnet, but the network predicts 68 of ibug68"
    with pytest.raises(DataError, match=f"{fault}.* in schema.yaml: jaw_0, jaw_1, jaw_2, …$"):
        evaluate_split("tiny", data.parent)


def test_a_schema_where_the_command_runs_says_nothing_of_drawn_faces(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "schema.yaml").write_text("{name: m, points: [a, b], norm_pair: [a, b]}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert evaluate_split(tiny_model, "synthetic:20").names


@pytest.mark.parametrize(("style", "told"), [("fgnet", True), ("300w", False), ("", False)])
def test_another_style_is_told_where_the_labels_follow_it(
    tmp_path: Path, style: str, told: bool
) -> None:
    faces = [replace(face, label_style=style) for face in drawn(tmp_path, "a", 3)]
    list(pack(AnnotationSet({"faces": faces[:2], "test": faces[2:]}, IBUG68), tmp_path / "pack"))
    evaluation = evaluate_split("tiny", tmp_path / "pack", sources=["custom"])
    assert evaluation.names == ("a2.png",)
    assert any("in that of fgnet" in sentence for sentence in evaluation.caveats()) == told
    assert any("labeling style" in sentence for sentence in evaluation.caveats()) == told
