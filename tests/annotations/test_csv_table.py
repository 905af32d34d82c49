"""CSV files: what they read as, what is written, and that all faults are named at once."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.csv_table import CsvFile, annotations_csv
from facedots.errors import AnnotationError
from facedots.geometry import Floats
from facedots.schema import IBUG68, KeypointSchema

PAIR = KeypointSchema("pair", ("right", "left"), {"eyes": (0, 1)}, (1, 0), (), (0, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a.jpg, b.jpg and c.jpg, none of which can be decoded: readers must not open
    them.
    """
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(b"no image")
    return tmp_path


def _csv_faults(folder: Path, text: str) -> list[str]:
    table = folder / "points.csv"
    table.write_text(text)
    with pytest.raises(AnnotationError) as caught:
        CsvFile(table).faces(folder, PAIR)
    assert str(table) in str(caught.value)
    return caught.value.faults


# (0, 0) and (-1, -1) stand for missing points.
PLACES = arrays(np.float32, (2, IBUG68.count, 2), elements=st.floats(-1e4, 1e4, width=32)).map(
    lambda points: np.where((points == points[..., :1]).all(axis=-1, keepdims=True), 7, points)
)


@given(points=PLACES)
def test_a_written_csv_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, points: Floats
) -> None:
    root = tmp_path_factory.getbasetemp()
    lines = ["," + ",".join(map(str, range(2 * IBUG68.count)))]
    for name, face in zip(("x.jpg", "a, b.jpg"), points, strict=True):
        (root / name).touch()
        lines.append(f'"{name}",' + ",".join(map(str, face.ravel())))
    (root / "written.csv").write_text("\n".join(lines) + "\n\n")
    faces = CsvFile(root / "written.csv").faces(root)
    assert [face.name for face in faces] == ["x.jpg", "a, b.jpg"]
    assert [face.image for face in faces] == [root / "x.jpg", root / "a, b.jpg"]
    assert np.array_equal([face.points for face in faces], points)
    assert all(face.points.dtype == np.float32 for face in faces)


def test_csv_subtracts_its_origin(folder: Path) -> None:
    (folder / "points.csv").write_text("name,x0,y0,x1,y1\na.jpg,1.2,0.7,3,4\n")
    (face,) = CsvFile(folder / "points.csv").faces(folder, PAIR, origin=(1.2, 0.7))
    np.testing.assert_allclose(face.points, np.array([[0, 0], [1.8, 3.3]]), atol=1e-6)


def test_csv_accepts_a_byte_order_mark_windows_lines_and_blank_lines(folder: Path) -> None:
    (folder / "points.csv").write_bytes(
        b"\xef\xbb\xbfname,x0,y0,x1,y1\r\n\r\na.jpg,1,2,3,4\r\nb.jpg,5,6,7,8\r\n\r\n\r\n"
    )
    assert [
        face.points.ravel().tolist() for face in CsvFile(folder / "points.csv").faces(folder, PAIR)
    ] == [[1, 2, 3, 4], [5, 6, 7, 8]]


@pytest.mark.parametrize(
    ("files", "cell", "name"),
    [
        (["  a.jpg"], "  a.jpg", "  a.jpg"),
        (["a.jpg"], "  a.jpg ", "a.jpg"),
        (["a.jpg", "  a.jpg"], "  a.jpg", "  a.jpg"),
        (["  a.jpg"], "  a.jpg#2", "  a.jpg#2"),
        (["=x.jpg"], "'=x.jpg", "=x.jpg"),
        (["'=x.jpg"], "'=x.jpg", "'=x.jpg"),
        (["'=x.jpg"], "''=x.jpg", "'=x.jpg"),
    ],
)
def test_an_image_is_the_one_of_that_very_name(
    tmp_path: Path, files: list[str], cell: str, name: str
) -> None:
    for file in files:
        (tmp_path / file).touch()
    (tmp_path / "points.csv").write_text(f"name,x0,y0,x1,y1\n{cell},1,2,3,4\n")
    (face,) = CsvFile(tmp_path / "points.csv").faces(tmp_path, PAIR)
    assert face.name == name
    assert face.image.name == name.removesuffix("#2")


def test_csv_with_missing_points_and_several_faces_in_an_image(folder: Path) -> None:
    (folder / "b.jpg#2").touch()
    (folder / "points.csv").write_text(
        "name,x0,y0,x1,y1\na.jpg#1,1,2,3,4\na.jpg#2,5,6,,\nb.jpg#2, , ,3,4\nc.jpg,1,2,3,4\n"
    )
    faces = CsvFile(folder / "points.csv").faces(folder, PAIR)
    assert [face.name for face in faces] == ["a.jpg#1", "a.jpg#2", "b.jpg#2", "c.jpg"]
    # A file that is really called so is no second face.
    assert [face.image.name for face in faces] == ["a.jpg", "a.jpg", "b.jpg#2", "c.jpg"]
    assert [face.group for face in faces] == ["a.jpg", "a.jpg", "b.jpg#2", "c.jpg"]
    np.testing.assert_array_equal(faces[1].points, [(5, 6), (np.nan, np.nan)])
    np.testing.assert_array_equal(faces[2].points, [(np.nan, np.nan), (3, 4)])
    assert _csv_faults(
        folder, "name,x0,y0,x1,y1\na.jpg,,,,\nb.jpg,1,,3,4\ngone.jpg#2,1,2,3,4\n"
    ) == [
        "row 2 (a.jpg): no point has coordinates; leave the row out",
        "row 3 (b.jpg): '' in column 3 is not a finite number",
        f"row 4 (gone.jpg#2): no file {folder / 'gone.jpg'}",
    ]


def test_faces_written_as_csv_read_back(folder: Path) -> None:
    points = np.array([[(1.5, -2.25), (np.nan, np.nan)], [(0, 1000), (3, 4)]], np.float32)
    faces = [
        FaceAnnotation(folder / "a.jpg", face, f"a.jpg#{i + 1}", "a.jpg")
        for i, face in enumerate(points)
    ]
    text = annotations_csv(faces, PAIR)
    assert text.splitlines()[:2] == ["name,right_x,right_y,left_x,left_y", "a.jpg#1,1.50,-2.25,,"]
    (folder / "points.csv").write_text(text)
    read = CsvFile(folder / "points.csv").faces(folder, PAIR)
    assert [(face.name, face.group, face.image) for face in read] == [
        (face.name, face.group, face.image) for face in faces
    ]
    np.testing.assert_array_equal([face.points for face in read], points)


def test_hidden_points_written_as_csv_read_back(folder: Path) -> None:
    points = np.array([(1, 2), (3, 4)], np.float32)
    only_left = np.array([(np.nan, np.nan), (3, 4)], np.float32)
    labels = [(points, [0, 1]), (points, [1, np.nan]), (only_left, [np.nan, 0]), (points, None)]
    faces = [
        FaceAnnotation(
            *(folder / "a.jpg", face, f"a.jpg#{i}", "a.jpg"),
            visible=None if visible is None else np.array(visible, np.float32),
        )
        for i, (face, visible) in enumerate(labels)
    ]
    text = annotations_csv(faces, PAIR)
    head, *rows = text.splitlines()
    assert head.endswith(",right_hidden,left_hidden")
    assert [row.split(",")[5:] for row in rows] == [["1", "0"], ["0", ""], ["", "1"], ["0", "0"]]
    (folder / "points.csv").write_text(text)
    read = CsvFile(folder / "points.csv").faces(folder, PAIR)
    for face, (_, visible) in zip(read, labels, strict=True):
        np.testing.assert_array_equal(face.visible, visible)


def test_columns_of_hidden_points_in_any_order(folder: Path) -> None:
    head = "name,left_hidden,left_x,left_y,right_x,right_y,right_hidden\n"
    (folder / "points.csv").write_text(head + "a.jpg,True,1,2,3,4,False\n")
    (face,) = CsvFile(folder / "points.csv").faces(folder, PAIR)
    np.testing.assert_array_equal(face.points, [(3, 4), (1, 2)])
    np.testing.assert_array_equal(face.visible, [1, 0])
    fault = "row 2 (a.jpg): a column called …_hidden holds something else than 1, 0 or nothing"
    assert _csv_faults(folder, head + "a.jpg,2,1,2,3,4,0\n") == [fault]


def test_csv_names_all_faults_of_all_rows_at_once(folder: Path) -> None:
    faults = _csv_faults(
        folder,
        "name,x0,y0,x1,y1\n"
        "a.jpg,1,2,3\n"
        "b.jpg,1,2,3,4,5,6,7\n"
        "\n"
        "c.jpg,1,abc,nan,inf\n"
        "a.jpg,1,2,3,\n"
        "missing.jpg,1,2,3,4\n"
        ",1,2,3,4\n",
    )
    assert faults == [
        "row 2 (a.jpg): 5 columns expected (name, 2 times x and y), found 4",
        "row 3 (b.jpg): 5 columns expected (name, 2 times x and y), found 8",
        "row 5 (c.jpg): 'abc' in column 3 is not a finite number, nor are 2 more",
        "row 6 (a.jpg): duplicate name, first in row 2; call faces of one image a.jpg#1, a.jpg#2",
        "row 6 (a.jpg): '' in column 5 is not a finite number",
        f"row 7 (missing.jpg): no file {folder / 'missing.jpg'}",
        "row 8: no column names the image; call one image",
    ]


def test_a_number_with_an_underscore_is_none(folder: Path) -> None:
    fault = "row 2 (a.jpg): '8_5' in column 2 is not a finite number"
    assert _csv_faults(folder, "name,x0,y0,x1,y1\na.jpg,8_5,2,3,4\n") == [fault]


@pytest.mark.parametrize("extra", [-1, 1])
def test_csv_whose_rows_all_differ_from_the_header_by_one_is_not_shifted(
    folder: Path, extra: int
) -> None:
    values = ",".join("1234567"[: 4 + extra])
    faults = _csv_faults(folder, f"name,x0,y0,x1,y1\na.jpg,{values}\nb.jpg,{values}\n")
    assert [fault.split(":")[0] for fault in faults] == ["row 2 (a.jpg)", "row 3 (b.jpg)"]


def test_csv_for_another_number_of_points_is_refused_at_its_header(folder: Path) -> None:
    assert _csv_faults(folder, "name,x0,y0\na.jpg,1,2\n")[0].startswith("row 1: 5 columns expected")


def test_csv_without_header_is_refused(folder: Path) -> None:
    (fault,) = _csv_faults(folder, "a.jpg,1,2,3,4\nb.jpg,1,2,3,4\n")
    assert "header is missing" in fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no rows"),
        ("\n\n", "no rows"),
        ("name,x0,y0,x1,y1\n", "no rows"),
        ('name,x0,y0,x1,y1\n"a.jpg,1', "CSV"),
    ],
)
def test_csv_without_usable_rows_is_refused(folder: Path, text: str, fault: str) -> None:
    (found,) = _csv_faults(folder, text)
    assert fault in found


def test_csv_that_is_missing_or_not_text_is_refused(folder: Path) -> None:
    with pytest.raises(AnnotationError, match="cannot be read"):
        CsvFile(folder / "none.csv").faces(folder, PAIR)
    (folder / "latin.csv").write_bytes(b"name,x0,y0,x1,y1\nJos\xe9.jpg,1,2,3,4\n")
    with pytest.raises(AnnotationError, match="UTF-8"):
        CsvFile(folder / "latin.csv").faces(folder, PAIR)
