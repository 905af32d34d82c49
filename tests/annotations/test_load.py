import json
from pathlib import Path

import numpy as np
import pytest

from facedots.annotations.load import ReadOptions, load_annotations
from facedots.data.sources import YTF_ORIGIN
from facedots.errors import DataError
from facedots.io.images import write_image
from facedots.schema import KeypointSchema

PAIR = KeypointSchema("pair", ("right", "left"), {"eyes": (0, 1)}, (1, 0), ((0, 1),), (0, 1))
HOW = ReadOptions(schema=PAIR)


def image(file: Path) -> None:
    write_image(file, np.zeros((20, 30, 3), np.uint8))


def write_csv(file: Path, names: list[str], images: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([",0,1,2,3", *(f"{name},5,6,15,6" for name in names)]))
    for name in names:
        image(images / name)


def write_coco(file: Path, images: Path) -> None:
    image(images / "a.png")
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [5, 6, 2, 15, 6, 2]}
        ],
        "categories": [{"id": 1, "keypoints": list(PAIR.names)}],
    }
    file.write_text(json.dumps(content))


def write_pts(file: Path) -> None:
    image(file.with_suffix(".png"))
    file.write_text("version: 1\nn_points: 2\n{\n5 6\n15 6\n}\n")


def test_a_folder_with_csv_files_training_first(tmp_path: Path) -> None:
    write_csv(tmp_path / "test_frames_keypoints.csv", ["Ann_00.jpg"], tmp_path / "test")
    write_csv(
        tmp_path / "training_frames_keypoints.csv",
        ["Ann_00.jpg", "Bo_B_12.jpg"],
        tmp_path / "training",
    )
    parts = load_annotations(tmp_path, HOW)
    assert list(parts) == ["training", "test"]
    assert [face.group for face in parts["training"]] == ["youtube-faces/Ann", "youtube-faces/Bo_B"]
    assert parts["test"][0].image == tmp_path / "test" / "Ann_00.jpg"
    assert parts["test"][0].points.tolist() == [[5, 6], [15, 6]]


def test_known_labels_as_training_takes_them(tmp_path: Path) -> None:
    write_csv(tmp_path / "test_frames_keypoints.csv", ["Ann_00.jpg"], tmp_path / "test")
    faces = load_annotations(
        tmp_path / "test_frames_keypoints.csv", ReadOptions(schema=PAIR, as_trained=True)
    )["test"]
    np.testing.assert_allclose(faces[0].points, np.array([[5, 6], [15, 6]]) - YTF_ORIGIN, atol=1e-5)
    given = ReadOptions(schema=PAIR, as_trained=True, origin=(1, 2))
    assert load_annotations(tmp_path, given)["test"][0].points.tolist() == [[4, 4], [14, 4]]


def test_a_csv_of_ones_own_beside_its_images(tmp_path: Path) -> None:
    write_csv(tmp_path / "mine.csv", ["a.png"], tmp_path)
    (face,) = load_annotations(tmp_path / "mine.csv", ReadOptions(schema=PAIR, as_trained=True))[
        "mine"
    ]
    assert face.points.tolist() == [[5, 6], [15, 6]]
    assert face.group == ""


def test_images_elsewhere(tmp_path: Path) -> None:
    write_csv(tmp_path / "labels" / "mine.csv", ["a.png"], tmp_path / "images")
    (face,) = load_annotations(
        tmp_path / "labels", ReadOptions(schema=PAIR, images=tmp_path / "images")
    )["mine"]
    assert face.image == tmp_path / "images" / "a.png"


def test_coco_and_pts(tmp_path: Path) -> None:
    write_coco(tmp_path / "coco" / "faces.json", tmp_path / "coco")
    write_pts(tmp_path / "pts" / "deep" / "b.pts")
    assert load_annotations(tmp_path / "coco", HOW)["faces"][0].points.tolist() == [[5, 6], [15, 6]]
    assert load_annotations(tmp_path / "pts", HOW)["pts"][0].points.tolist() == [[4, 5], [14, 5]]


def test_the_format_decides_where_several_lie_together(tmp_path: Path) -> None:
    write_csv(tmp_path / "mine.csv", ["a.png"], tmp_path)
    write_coco(tmp_path / "faces.json", tmp_path)
    write_pts(tmp_path / "b.pts")
    assert list(load_annotations(tmp_path, HOW)) == ["mine"]
    assert list(load_annotations(tmp_path, ReadOptions("coco", schema=PAIR))) == ["faces"]
    assert list(load_annotations(tmp_path, ReadOptions("pts", schema=PAIR))) == [tmp_path.name]


def test_a_folder_with_the_known_data_sets(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "youtube-faces" / "test_frames_keypoints.csv",
        ["Ann_00.jpg"],
        tmp_path / "youtube-faces" / "test",
    )
    write_pts(tmp_path / "300w" / "afw" / "b.pts")
    assert list(load_annotations(tmp_path, HOW)) == ["youtube-faces/test", "300w"]


def test_errors_say_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        load_annotations(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no annotations here \(\*\.csv or \*\.json or \*\.pts\)"):
        load_annotations(tmp_path)
    with pytest.raises(DataError, match="no format 'xml': use one of csv, coco, pts"):
        load_annotations(tmp_path, ReadOptions("xml"))
    (tmp_path / "labels.txt").write_text("")
    with pytest.raises(DataError, match="give --format"):
        load_annotations(tmp_path / "labels.txt")
