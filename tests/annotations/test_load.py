import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facedots.annotations.known_sets import YTF_ORIGIN
from facedots.annotations.load import ReadOptions, load_annotations, load_same_points
from facedots.errors import AnnotationError, DataError
from facedots.io.images import write_image
from facedots.schema import KeypointSchema

PAIR = KeypointSchema("pair", ("right", "left"), {"eyes": (0, 1)}, (1, 0), ((0, 1),), (0, 1))
OPTIONS = ReadOptions(schema=PAIR)


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
    parts = load_annotations(tmp_path, OPTIONS).subsets
    assert list(parts) == ["training", "test"]
    assert [face.group for face in parts["training"]] == ["youtube-faces/Ann", "youtube-faces/Bo_B"]
    assert parts["test"][0].image == tmp_path / "test" / "Ann_00.jpg"
    written = load_annotations(tmp_path, ReadOptions(schema=PAIR, origin=(0, 0))).subsets["test"]
    assert written[0].points.tolist() == [[5, 6], [15, 6]]


def test_known_labels_have_the_facts_of_their_set(tmp_path: Path) -> None:
    write_csv(tmp_path / "test_frames_keypoints.csv", ["Ann_00.jpg"], tmp_path / "test")
    file = tmp_path / "test_frames_keypoints.csv"
    (face,) = load_annotations(file, OPTIONS).subsets["test"]
    np.testing.assert_allclose(face.points, np.array([[5, 6], [15, 6]]) - YTF_ORIGIN, atol=1e-5)
    assert (face.name, face.group) == ("test/Ann_00.jpg", "youtube-faces/Ann")
    assert (face.label_style, face.label_bias_x) == ("youtube-faces", 0)
    options = ReadOptions(schema=PAIR, origin=(1, 2))
    assert load_annotations(file, options).faces[0].points.tolist() == [[4, 4], [14, 4]]


def test_one_folder_of_a_known_set_gives_the_same_faces_as_the_set(tmp_path: Path) -> None:
    for folder in ("afw", "helen/trainset", "lfpw/trainset", "ibug"):
        write_pts(tmp_path / folder / "12_1.pts")
    whole = load_annotations(tmp_path, OPTIONS)
    assert list(whole.subsets) == ["300w"]
    names = ["afw/12_1.png", "helen/trainset/12_1.png", "lfpw/trainset/12_1.png"]
    assert [face.name for face in whole.faces] == names
    alone = load_annotations(tmp_path / "helen" / "trainset", OPTIONS)
    assert list(alone.subsets) == ["helen/trainset"]
    for face in (whole.faces[1], alone.faces[0]):
        assert (face.name, face.group) == (names[1], "300w/helen/trainset/12")
        assert face.label_bias_x == pytest.approx(0.0075 * 10)
        assert face.label_style == "300w"
        assert face.points.tolist() == [[4, 5], [14, 5]]


def test_a_custom_csv_beside_its_images(tmp_path: Path) -> None:
    write_csv(tmp_path / "mine.csv", ["a.png"], tmp_path)
    (face,) = load_annotations(tmp_path / "mine.csv", OPTIONS).subsets["mine"]
    assert face.points.tolist() == [[5, 6], [15, 6]]
    assert (face.name, face.group, face.label_style) == ("a.png", "", "")


def test_names_are_unique_across_the_subsets_of_custom_data(tmp_path: Path) -> None:
    for subset in ("train", "test"):
        write_csv(tmp_path / f"{subset}.csv", ["a.png"], tmp_path / subset)
    assert [face.name for face in load_annotations(tmp_path, OPTIONS).faces] == [
        "train/a.png",
        "test/a.png",
    ]


def test_images_elsewhere(tmp_path: Path) -> None:
    write_csv(tmp_path / "labels" / "mine.csv", ["a.png"], tmp_path / "images")
    (face,) = load_annotations(
        tmp_path / "labels", ReadOptions(schema=PAIR, images=tmp_path / "images")
    ).subsets["mine"]
    assert face.image == tmp_path / "images" / "a.png"


def write_tools(folder: Path) -> None:
    """Exports of CVAT and of Label Studio of one face at (5, 6), (15, 6) in one image."""
    image(folder / "a.png")
    shape = '<points label="face" points="5.5,6.5;15.5,6.5"/>'
    text = f'<annotations><image id="0" name="a.png">{shape}</image></annotations>'
    (folder / "cvat.xml").write_text(text)
    size = {"original_width": 30, "original_height": 20}
    places = {"right": (5.5, 6.5), "left": (15.5, 6.5)}
    regions = [
        {
            **size,
            "type": "keypointlabels",
            "value": {"x": x / 30 * 100, "y": y / 20 * 100, "keypointlabels": [name]},
        }
        for name, (x, y) in places.items()
    ]
    tasks = [{"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": regions}]}]
    (folder / "tasks.json").write_text(json.dumps(tasks))


@pytest.mark.parametrize("file", ["cvat.xml", "tasks.json"])
def test_exports_of_labeling_tools(tmp_path: Path, file: str) -> None:
    write_tools(tmp_path)
    (face,) = load_annotations(tmp_path / file, OPTIONS).faces
    np.testing.assert_allclose(face.points, [[5, 6], [15, 6]], atol=1e-5)
    assert (face.name, face.image) == ("a.png", tmp_path / "a.png")


def test_a_json_file_is_told_by_its_content_unless_a_format_is_given(tmp_path: Path) -> None:
    write_tools(tmp_path)
    write_coco(tmp_path / "coco.json", tmp_path)
    assert list(load_annotations(tmp_path, OPTIONS).subsets) == ["coco", "tasks"]
    with pytest.raises(AnnotationError, match="not a COCO keypoints file"):
        load_annotations(tmp_path / "tasks.json", ReadOptions("coco", schema=PAIR))


def test_the_schema_is_beside_the_file_or_the_images(tmp_path: Path) -> None:
    write_csv(tmp_path / "labels" / "mine.csv", ["a.png"], tmp_path / "images")
    text = "{name: beside, points: [right, left], norm_pair: [right, left]}"
    (tmp_path / "images" / "schema.yaml").write_text(text)
    options = ReadOptions(images=tmp_path / "images")
    assert load_annotations(tmp_path / "labels", options).schema.name == "beside"
    (tmp_path / "labels" / "schema.yaml").write_text(text.replace("beside", "first"))
    assert load_annotations(tmp_path / "labels", options).schema.name == "first"


def test_each_file_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = "name,right_x,right_y,left_x,left_y"
    write_csv(tmp_path / "mine.csv", ["a.png"], tmp_path)
    text = (tmp_path / "mine.csv").read_text()
    (tmp_path / "mine.csv").write_text(text.replace(",0,1,2,3", header))
    opened: list[Path] = []
    open_path = Path.open

    def counted(path: Path, *args: Any, **kwargs: Any) -> Any:
        opened.append(path)
        return open_path(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", counted)
    annotations = load_annotations(tmp_path / "mine.csv")
    assert annotations.schema.names == ("right", "left")
    assert len(annotations.faces) == 1
    assert opened == [tmp_path / "mine.csv"]


def test_coco_and_pts(tmp_path: Path) -> None:
    write_coco(tmp_path / "coco" / "faces.json", tmp_path / "coco")
    write_pts(tmp_path / "pts" / "deep" / "b.pts")
    coco, pts = (load_annotations(tmp_path / name, OPTIONS).subsets for name in ("coco", "pts"))
    assert coco["faces"][0].points.tolist() == [[5, 6], [15, 6]]
    assert pts["pts"][0].points.tolist() == [[4, 5], [14, 5]]


def test_the_format_decides_where_several_lie_together(tmp_path: Path) -> None:
    write_csv(tmp_path / "mine.csv", ["a.png"], tmp_path)
    write_coco(tmp_path / "faces.json", tmp_path)
    write_pts(tmp_path / "b.pts")
    subsets = {
        format: list(load_annotations(tmp_path, ReadOptions(format, schema=PAIR)).subsets)
        for format in (None, "coco", "pts")
    }
    assert subsets == {None: ["mine"], "coco": ["faces"], "pts": [tmp_path.name]}


def test_a_folder_with_the_known_data_sets(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "youtube-faces" / "test_frames_keypoints.csv",
        ["Ann_00.jpg"],
        tmp_path / "youtube-faces" / "test",
    )
    write_pts(tmp_path / "300w" / "afw" / "b.pts")
    assert list(load_annotations(tmp_path, OPTIONS).subsets) == ["youtube-faces/test", "300w"]


def test_errors_say_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        load_annotations(tmp_path / "nowhere")
    with pytest.raises(
        DataError, match=r"no annotations here \(\*\.csv or \*\.json or \*\.pts or \*\.xml"
    ):
        load_annotations(tmp_path)
    with pytest.raises(
        DataError,
        match="no format 'xml': use one of csv, coco, label-studio, pts, cvat, imglab, labelme",
    ):
        load_annotations(tmp_path, ReadOptions("xml"))
    (tmp_path / "labels.txt").write_text("")
    with pytest.raises(DataError, match="give --format"):
        load_annotations(tmp_path / "labels.txt")


def test_points_that_a_schema_calls_otherwise_are_not_the_same(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "a.csv").write_text("image,x0,y0,x1,y1\na.png,1,2,11,2\n")
    schema = KeypointSchema("own", ("a", "b"), {"all": (0, 1)}, (0, 1), (), (0, 1))
    assert load_same_points(tmp_path, schema, "other").schema == schema
    (tmp_path / "schema.yaml").write_text("{name: turned, points: [b, a], norm_pair: [a, b]}")
    with pytest.raises(DataError, match=r"points: .* has 2 \(turned\), other has 2 \(own\)"):
        load_same_points(tmp_path, schema, "other")
