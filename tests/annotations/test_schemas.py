"""Schemas of custom data: from schema.yaml, COCO categories and CSV headers."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facedots.annotations.coco import CocoFile
from facedots.annotations.csv_table import CsvFile
from facedots.annotations.published_files import PtsFolder
from facedots.annotations.schemas import (
    SCHEMA_FILE,
    furthest_pair,
    named_schema,
    read_schema,
    schema_beside,
)
from facedots.errors import DataError
from facedots.schema import IBUG68, KeypointSchema, mirror_names

CAT = """
name: cat5
points: [right_ear, left_ear, right_eye, left_eye, nose]
norm_pair: [right_eye, left_eye]
edges: [[right_ear, left_ear]]
regions: {ears: [right_ear, left_ear], face: [right_eye, left_eye, nose]}
"""
CAT5 = KeypointSchema(
    name="cat5",
    names=("right_ear", "left_ear", "right_eye", "left_eye", "nose"),
    regions={"ears": (0, 1), "face": (2, 3, 4)},
    flip=(1, 0, 3, 2, 4),
    edges=((0, 1),),
    norm_pair=(2, 3),
)


def written(folder: Path, text: str) -> Path:
    (folder / SCHEMA_FILE).write_text(text)
    return folder / SCHEMA_FILE


def test_schema_file(tmp_path: Path) -> None:
    assert read_schema(written(tmp_path, CAT)) == CAT5
    assert schema_beside(tmp_path) == schema_beside(tmp_path / "labels.csv") == CAT5
    assert schema_beside(tmp_path / "elsewhere" / "labels.csv") is None


def test_what_a_schema_file_may_leave_out(tmp_path: Path) -> None:
    schema = read_schema(
        written(tmp_path, "{name: hand, points: [wrist, thumb, tip], norm_pair: [wrist, tip]}")
    )
    assert schema == KeypointSchema(
        "hand", ("wrist", "thumb", "tip"), {"points": (0, 1, 2)}, (0, 1, 2), (), (0, 2)
    )


def test_flip_pairs_of_a_schema_file_replace_what_names_tell(tmp_path: Path) -> None:
    text = "{name: x, points: [a, b, left], norm_pair: [a, b], flip: [[a, b]]}"
    assert read_schema(written(tmp_path, text)).flip == (1, 0, 2)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{name: x, points: [a, b]}", "norm_pair: Field required"),
        ("{name: x, points: [a, b], norm_pair: [a, b], eyes: 2}", "eyes: Extra inputs"),
        ("{name: x, points: [a, b], norm_pair: [a, c]}", "'c' is none of its points: a, b"),
        ("{name: x, points: [a, a], norm_pair: [a, a]}", "names repeat"),
        ("{name: x, points: [a, b], norm_pair: [a, b], regions: {r: [a]}}", "exactly one region"),
        (
            "{name: x, points: [left_eye, nose], norm_pair: [left_eye, nose]}",
            "left_eye: no point with the other side",
        ),
        ("[", "not YAML"),
        ("", "not a schema"),
    ],
)
def test_faults_of_a_schema_file_are_named(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(DataError, match=fault) as caught:
        read_schema(written(tmp_path, text))
    assert SCHEMA_FILE in str(caught.value)


def test_missing_schema_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_schema(tmp_path / SCHEMA_FILE)


def coco(folder: Path, **category: object) -> Path:
    keypoints = [[0, 0, 2, 10, 0, 2, 30, 0, 0], [0, 0, 2, 11, 0, 2, 5, 6, 1]]
    content = {
        "images": [],
        "annotations": [{"category_id": 7, "keypoints": row} for row in keypoints],
        "categories": [{"id": 1, "name": "box"}, {"id": 7, **category}],
    }
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json"


def test_coco_category_tells_names_lines_and_sides(tmp_path: Path) -> None:
    file = coco(
        tmp_path, name="dog", keypoints=["left_ear", "right_ear", "nose"], skeleton=[[1, 3], [3, 2]]
    )
    # The point at (30, 0) is not labeled, so the ears are the furthest apart: 10 and 11 against
    # hypot(6, 6).
    assert CocoFile(file).schema() == KeypointSchema(
        "dog",
        ("left_ear", "right_ear", "nose"),
        {"points": (0, 1, 2)},
        (1, 0, 2),
        ((0, 2), (2, 1)),
        (0, 1),
    )


@pytest.mark.parametrize(
    ("category", "fault"),
    [
        ({"name": "dog"}, "no category has keypoints"),
        ({"name": "dog", "keypoints": ["a", "b"]}, "not a COCO keypoints file"),
        (
            {"name": "dog", "keypoints": ["left_ear", "b", "c"]},
            "left_ear: no point with the other side's name.*schema.yaml",
        ),
    ],
)
def test_coco_file_that_does_not_tell(
    tmp_path: Path, category: dict[str, object], fault: str
) -> None:
    with pytest.raises(DataError, match=fault):
        CocoFile(coco(tmp_path, **category)).schema()


@pytest.mark.parametrize(
    "header",
    [
        "name,left_eye_x,left_eye_y,right_eye_x,right_eye_y,nose_x,nose_y",
        'name,left_eyeX,left_eyeY,"right_eyeX",right_eyeY,nose.x,nose.y',
    ],
)
def test_csv_header_tells_the_names(tmp_path: Path, header: str) -> None:
    file = tmp_path / "mice.csv"
    file.write_text(f"{header}\n1.jpg,0,0,8,0,3,9\n2.jpg,0,0,8,0,bad,9\n")
    assert CsvFile(file).schema() == KeypointSchema(
        "mice", ("left_eye", "right_eye", "nose"), {"points": (0, 1, 2)}, (1, 0, 2), (), (1, 2)
    )


def test_csv_of_68_points_is_ibug(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("," + ",".join(str(i) for i in range(2 * IBUG68.count)) + "\n")
    assert CsvFile(file).schema() is IBUG68


@pytest.mark.parametrize(
    "header", ["name,0,1,2,3", "name,a_x,a_y,b_x,c_y", "name,a_x,a_y", "name,a_x,a_y,b_x"]
)
def test_csv_header_without_names_is_refused_with_what_to_write(
    tmp_path: Path, header: str
) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\n")
    with pytest.raises(DataError, match=r"nose_x, nose_y.*schema\.yaml"):
        CsvFile(tmp_path / "a.csv").schema()


def test_one_point_is_no_schema(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,nose_x,nose_y\na.jpg,1,2\n")
    with pytest.raises(DataError, match="1 points per row, and two are needed"):
        CsvFile(tmp_path / "a.csv").schema()
    with pytest.raises(DataError, match="one point per face; two are needed"):
        named_schema("a", ("nose",), np.zeros((1, 1, 2)), (), tmp_path / "a.json")


def test_pts_files_are_ibug_or_need_a_schema_file(tmp_path: Path) -> None:
    body = "\n".join("1.5 -2" for _ in range(IBUG68.count))
    (tmp_path / "a.pts").write_text(f"version: 1\nn_points: {IBUG68.count}\n{{\n{body}\n}}\n")
    assert PtsFolder(tmp_path).schema() is IBUG68
    (tmp_path / "a.pts").write_text("version: 1\nn_points: 2\n{\n1 2\n3 4\n}\n")
    with pytest.raises(DataError, match=r"a\.pts: 2 points.*schema\.yaml"):
        PtsFolder(tmp_path).schema()


@given(
    st.lists(
        st.sampled_from(["eye", "Left_ear", "ear_LEFT", "rightPaw", "nose"]),
        unique=True,
        min_size=1,
    )
)
def test_mirroring_twice_is_nothing(stems: list[str]) -> None:
    swap = {"Left_ear": "Right_ear", "ear_LEFT": "ear_RIGHT", "rightPaw": "leftPaw"}
    names = [name for stem in stems for name in (stem, *([swap[stem]] if stem in swap else []))]
    flip = mirror_names(names)
    assert [flip[i] for i in flip] == list(range(len(names)))
    assert [names[i] for i in range(len(names)) if flip[i] == i] == [
        stem for stem in stems if stem not in swap
    ]


@pytest.mark.parametrize(
    ("names", "flip"),
    [
        (["l_eye", "nose", "r_eye"], (2, 1, 0)),
        (["eye-L", "eye-R"], (1, 0)),
        (["EyeL", "EyeR", "NoseTip"], (1, 0, 2)),
        (["REye", "LEye"], (1, 0)),
        (["ear_l1", "ear_l2", "ear_r2", "ear_r1"], (3, 2, 1, 0)),
        (["l", "r"], (1, 0)),
        (["lip_l", "lip_u", "left_eye", "right_eye"], (0, 1, 3, 2)),  # l: lower, no lip_r
        (["lear", "rear", "EYEL", "EYER"], (0, 1, 2, 3)),  # No letters of their own.
    ],
)
def test_letters_of_their_own_are_sides_where_both_are_there(
    names: list[str], flip: tuple[int, ...]
) -> None:
    assert mirror_names(names) == flip


@given(st.lists(st.text("lrLReE_-1", min_size=1, max_size=5), unique=True))
def test_mirroring_letters_twice_is_nothing(names: list[str]) -> None:
    flip = mirror_names(names)
    assert [flip[i] for i in flip] == list(range(len(names)))


def test_furthest_pair_leaves_out_what_is_missing() -> None:
    faces = np.full((3, 4, 2), np.nan)
    faces[:, 0], faces[:, 1] = 0, (3, 0)
    faces[0, 2] = (0, 9)
    assert furthest_pair(faces) == (1, 2)
