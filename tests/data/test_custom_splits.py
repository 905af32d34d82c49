"""Somebody's own data as splits: what files are for, whole groups held out, the schema from the
data.
"""

import json
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pytest

from facedots.annotations.load import ReadOptions, load_annotations
from facedots.data.splits import Split, detect_sources, load_split, role_of
from facedots.errors import DataError
from facedots.schema import IBUG68

BLANK = np.zeros((20, 30, 3), np.uint8)
HEADER = "name,left_eye_x,left_eye_y,right_eye_x,right_eye_y,nose_x,nose_y"


def csv_of(folder: Path, part: str, count: int) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    rows = [HEADER]
    for i in range(count):
        cv2.imwrite(str(folder / f"{part}{i}.png"), BLANK)
        rows.append(f"{part}{i}.png,1,2,{11 + i},2,6,8")
    (folder / f"{part}.csv").write_text("\n".join(rows) + "\n")
    return folder / f"{part}.csv"


def names(split: Split) -> list[list[str]]:
    return [[face.name for face in part] for part in (split.train, split.validation, split.test)]


def test_one_file_is_divided_by_a_hash_of_the_names(tmp_path: Path) -> None:
    file = csv_of(tmp_path, "mice", 50)
    split = load_split(file, ["custom"], "official", validation=0.1)
    assert [len(part) for part in names(split)] == [40, 5, 5]
    assert sorted(chain(*names(split))) == sorted(f"mice{i}.png" for i in range(50))
    assert split.schema.names == ("left_eye", "right_eye", "nose")
    assert split.train[0].group == f"custom/{split.train[0].name}"


def test_parts_called_val_and_test_are_what_they_are_called(tmp_path: Path) -> None:
    for part, count in (("train", 6), ("my_val2017", 2), ("test", 3)):
        csv_of(tmp_path, part, count)
    (tmp_path / "schema.yaml").write_text(
        "{name: m, points: [left, right, nose], norm_pair: [left, right]}"
    )
    split = load_split(tmp_path, ["custom"], "official", validation=0.5)
    assert [len(part) for part in names(split)] == [6, 2, 3]
    assert names(split)[2] == ["test/test0.png", "test/test1.png", "test/test2.png"]
    assert split.schema.names == ("left", "right", "nose")


def test_folds_cover_every_face_once(tmp_path: Path) -> None:
    csv_of(tmp_path, "train", 12)
    csv_of(tmp_path, "test", 3)
    folds = [load_split(tmp_path, ["custom"], f"disjoint:{k}", validation=0.1) for k in range(5)]
    held = [name for fold in folds for name in names(fold)[2]]
    assert len(held) == len(set(held)) == 15
    assert all(len(set(chain(*names(fold)))) == 15 for fold in folds)


def test_faces_of_one_image_stay_together_and_faces_without_a_box_are_left_out(
    tmp_path: Path,
) -> None:
    shown = [1, 2, 2, 9, 9, 2]
    images = [{"id": i, "file_name": f"{i}.png"} for i in range(10)]
    for image in images:
        cv2.imwrite(str(tmp_path / str(image["file_name"])), BLANK)
    annotations = [
        {"id": i, "image_id": i // 2, "category_id": 1, "keypoints": shown} for i in range(18)
    ]
    annotations.append({"id": 18, "image_id": 9, "category_id": 1, "keypoints": [1, 2, 2, 0, 0, 0]})
    category = {"id": 1, "name": "stick", "keypoints": ["head", "foot"]}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    (tmp_path / "sticks.json").write_text(json.dumps(content))
    split = load_split(tmp_path / "sticks.json", ["custom"], "official", validation=0.2)
    assert sum(map(len, names(split))) == 18
    for part in (split.train, split.validation, split.test):
        assert len(part) == 2 * len({face.group for face in part})
    assert split.schema.name == "stick"


def test_faces_without_extent_are_why_there_is_nothing_to_train_on(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), BLANK)
    rows = [HEADER, "a.png#1,7,7,7,7,7,7", "a.png#2,3,3,3,3,3,3"]
    (tmp_path / "dots.csv").write_text("\n".join(rows) + "\n")
    reason = "no face of use: all 2 faces have their points in one place, and no box$"
    with pytest.raises(DataError, match=reason):
        load_split(tmp_path / "dots.csv", ["custom"], "official")


def test_a_network_s_schema_reads_the_data_in_its_order(tmp_path: Path) -> None:
    file = csv_of(tmp_path, "mice", 12)
    (tmp_path / "schema.yaml").write_text(
        "{name: m, points: [left, right, nose], norm_pair: [left, right]}"
    )
    own = load_split(file, ["custom"], "official")
    other = load_annotations(csv_of(tmp_path / "other", "mice", 1)).schema
    given = load_split(file, ["custom"], "official", options=ReadOptions(schema=other))
    assert (own.schema.name, given.schema.name) == ("m", "mice")


def test_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="custom stands alone"):
        load_split(csv_of(tmp_path, "mice", 1), ["custom", "300w"], "official")


@pytest.mark.parametrize(("part", "by_hash"), [("test", False), ("val", True), ("mice", True)])
def test_faces_that_nothing_is_left_to_train_on_are_for_testing(
    tmp_path: Path, part: str, by_hash: bool
) -> None:
    split = load_split(csv_of(tmp_path, part, 1), ["custom"], "official")
    assert names(split) == [[], [], [f"{part}0.png"]]
    assert split.by_hash == by_hash


def test_role_of_a_part() -> None:
    roles = {
        "val": "val",
        "valid": "val",
        "validation_set": "val",
        "my-test": "test",
        "latest": "train",
        "value": "train",
    }
    assert {name: role_of(name) for name in roles} == roles


def test_detected_sources(tmp_path: Path, data_dir: Path) -> None:
    assert (
        detect_sources(data_dir) == detect_sources(data_dir / "youtube-faces") == ("youtube-faces",)
    )
    assert detect_sources(data_dir / "300w") == ("300w",)
    assert detect_sources(tmp_path) == ("custom",)


def test_68_points_of_the_known_sets_are_ibug(data_dir: Path) -> None:
    for name in ("youtube-faces", "300w/afw"):
        assert load_annotations(data_dir / name).schema is IBUG68
