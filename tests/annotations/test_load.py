import json
from pathlib import Path

import numpy as np
import pytest

from facedots.annotations.load import Reading, open_parts
from facedots.data.sources import YTF_ORIGIN
from facedots.errors import DataError
from facedots.io.images import write_image
from facedots.schema import KeypointSchema

PAIR = KeypointSchema("pair", ("right", "left"), {"eyes": (0, 1)}, (1, 0), ((0, 1),), (0, 1))
HOW = Reading(schema=PAIR)


def picture(file: Path) -> None:
    write_image(file, np.zeros((20, 30, 3), np.uint8))


def write_csv(file: Path, names: list[str], pictures: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([",0,1,2,3", *(f"{name},5,6,15,6" for name in names)]))
    for name in names:
        picture(pictures / name)


def write_coco(file: Path, pictures: Path) -> None:
    picture(pictures / "a.png")
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": [5, 6, 2, 15, 6, 2]}],
        "categories": [{"id": 1, "keypoints": list(PAIR.names)}],
    }
    file.write_text(json.dumps(content))


def write_pts(file: Path) -> None:
    picture(file.with_suffix(".png"))
    file.write_text("version: 1\nn_points: 2\n{\n5 6\n15 6\n}\n")


def test_a_folder_with_csv_files_training_first(tmp_path: Path) -> None:
    write_csv(tmp_path / "test_frames_keypoints.csv", ["Ann_00.jpg"], tmp_path / "test")
    write_csv(tmp_path / "training_frames_keypoints.csv", ["Ann_00.jpg", "Bo_B_12.jpg"], tmp_path / "training")
    parts = open_parts(tmp_path, HOW)
    assert list(parts) == ["training", "test"]
    assert [face.group for face in parts["training"]] == ["youtube-faces/Ann", "youtube-faces/Bo_B"]
    assert parts["test"][0].image == tmp_path / "test" / "Ann_00.jpg"
    assert parts["test"][0].points.tolist() == [[5, 6], [15, 6]]


def test_known_labels_as_training_takes_them(tmp_path: Path) -> None:
    write_csv(tmp_path / "test_frames_keypoints.csv", ["Ann_00.jpg"], tmp_path / "test")
    faces = open_parts(tmp_path / "test_frames_keypoints.csv", Reading(schema=PAIR, as_trained=True))["test"]
    np.testing.assert_allclose(faces[0].points, np.array([[5, 6], [15, 6]]) - YTF_ORIGIN, atol=1e-5)
    given = Reading(schema=PAIR, as_trained=True, origin=(1, 2))
    assert open_parts(tmp_path, given)["test"][0].points.tolist() == [[4, 4], [14, 4]]


def test_a_csv_of_ones_own_beside_its_pictures(tmp_path: Path) -> None:
    write_csv(tmp_path / "mine.csv", ["a.png"], tmp_path)
    (face,) = open_parts(tmp_path / "mine.csv", Reading(schema=PAIR, as_trained=True))["mine"]
    assert face.points.tolist() == [[5, 6], [15, 6]]
    assert face.group == ""


def test_pictures_elsewhere(tmp_path: Path) -> None:
    write_csv(tmp_path / "labels" / "mine.csv", ["a.png"], tmp_path / "pictures")
    (face,) = open_parts(tmp_path / "labels", Reading(schema=PAIR, pictures=tmp_path / "pictures"))["mine"]
    assert face.image == tmp_path / "pictures" / "a.png"


def test_coco_and_pts(tmp_path: Path) -> None:
    write_coco(tmp_path / "coco" / "faces.json", tmp_path / "coco")
    write_pts(tmp_path / "pts" / "deep" / "b.pts")
    assert open_parts(tmp_path / "coco", HOW)["faces"][0].points.tolist() == [[5, 6], [15, 6]]
    assert open_parts(tmp_path / "pts", HOW)["pts"][0].points.tolist() == [[4, 5], [14, 5]]


def test_the_format_decides_where_several_lie_together(tmp_path: Path) -> None:
    write_csv(tmp_path / "mine.csv", ["a.png"], tmp_path)
    write_coco(tmp_path / "faces.json", tmp_path)
    write_pts(tmp_path / "b.pts")
    assert list(open_parts(tmp_path, HOW)) == ["mine"]
    assert list(open_parts(tmp_path, Reading("coco", schema=PAIR))) == ["faces"]
    assert list(open_parts(tmp_path, Reading("pts", schema=PAIR))) == [tmp_path.name]


def test_a_folder_with_the_known_data_sets(tmp_path: Path) -> None:
    write_csv(tmp_path / "youtube-faces" / "test_frames_keypoints.csv", ["Ann_00.jpg"], tmp_path / "youtube-faces" / "test")
    write_pts(tmp_path / "300w" / "afw" / "b.pts")
    assert list(open_parts(tmp_path, HOW)) == ["youtube-faces/test", "300w"]


def test_errors_say_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        open_parts(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no annotations here \(\*\.csv or \*\.json or \*\.pts\)"):
        open_parts(tmp_path)
    with pytest.raises(DataError, match="no format 'xml': use one of csv, coco, pts"):
        open_parts(tmp_path, Reading("xml"))
    (tmp_path / "labels.txt").write_text("")
    with pytest.raises(DataError, match="give --format"):
        open_parts(tmp_path / "labels.txt")
