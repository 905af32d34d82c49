"""COCO files: what they read as, and that all faults are named at once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facedots.annotations.coco import CocoFile
from facedots.errors import AnnotationError
from facedots.io.images import write_image
from facedots.schema import KeypointSchema

PAIR = KeypointSchema("pair", ("right", "left"), {"eyes": (0, 1)}, (1, 0), (), (0, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a.jpg, b.jpg and c.jpg, none of which can be decoded: readers must not open
    them.
    """
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(b"no image")
    return tmp_path


def _coco(**changes: Any) -> dict[str, Any]:
    """Two images, three faces, keypoint names in another order than the schema's."""
    content: dict[str, Any] = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [
            {"id": 3, "name": "cat", "keypoints": ["nose", "tail"]},
            {"id": 5, "name": "face", "keypoints": ["left", "right"], "skeleton": [[1, 2]]},
        ],
        "annotations": [
            {"id": 10, "image_id": 1, "category_id": 5, "keypoints": [4, 5, 2, 1, 2, 1]},
            {"id": 11, "image_id": 2, "category_id": 5, "keypoints": [9, 9, 0, 1, 2, 2]},
            {"id": 12, "image_id": 2, "category_id": 5, "keypoints": [7, 7, 2, 8, 8, 2]},
            {"id": 13, "image_id": 2, "category_id": 5, "keypoints": [0, 0, 0, 0, 0, 0]},
            {"id": 14, "image_id": 2, "category_id": 3, "keypoints": [0, 0, 2, 0, 0, 2]},
        ],
    }
    return {**content, **changes}


def _read_coco(folder: Path, content: dict[str, Any], origin: tuple[float, float] = (0, 0)) -> Any:
    (folder / "faces.json").write_text(json.dumps(content))
    return CocoFile(folder / "faces.json").faces(folder, PAIR, origin)


def test_coco_is_put_into_the_schemas_order_with_unlabeled_points_missing(folder: Path) -> None:
    faces = _read_coco(folder, _coco(), origin=(0.5, 0.5))
    assert [face.name for face in faces] == ["a.jpg", "b.jpg#11", "b.jpg#12"]
    assert [face.group for face in faces] == ["a.jpg", "b.jpg", "b.jpg"]
    assert faces[0].points.tolist() == [[0.5, 1.5], [3.5, 4.5]]
    np.testing.assert_array_equal(faces[1].points, [[0.5, 1.5], [np.nan, np.nan]])


def test_points_of_visibility_1_are_hidden_where_others_are_seen(folder: Path) -> None:
    one, two, three = _read_coco(folder, _coco())
    assert one.visible.tolist() == [0, 1]
    assert two.visible is three.visible is None
    content = _coco()
    for entry in content["annotations"]:
        entry["keypoints"][2::3] = [min(v, 1) for v in entry["keypoints"][2::3]]
    assert all(face.visible is None for face in _read_coco(folder, content))


def test_sizes_of_images_may_be_written_as_text(folder: Path) -> None:
    write_image(folder / "a.jpg", np.zeros((10, 20, 3), np.uint8))
    images = [{"id": 1, "file_name": "a.jpg", "width": "40", "height": "20"}]
    (face,) = _read_coco(folder, _coco(images=images, annotations=_coco()["annotations"][:1]))
    np.testing.assert_allclose(face.points, [[0.25, 0.75], [1.75, 2.25]])


def test_coco_with_other_names_keeps_the_files_order(folder: Path) -> None:
    category = {"id": 5, "name": "face", "keypoints": ["0", "1"]}
    faces = _read_coco(folder, _coco(categories=[category]))
    assert faces[0].points.tolist() == [[4, 5], [1, 2]]


def test_an_id_of_two_images_is_refused(folder: Path) -> None:
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]
    with pytest.raises(AnnotationError, match="image id 1: the id repeats"):
        _read_coco(folder, _coco(images=images))


def test_coco_names_all_faults_at_once(folder: Path) -> None:
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 5, "keypoints": [1, 2, 2]},
        {"id": 2, "image_id": 9, "category_id": 5, "keypoints": [1, 2, 2, 1, 2, 2]},
        {"id": 3, "image_id": 2, "category_id": 5, "keypoints": [1, 2, 2, None, 2, 2]},
        {"id": 3, "image_id": 4, "category_id": 5, "keypoints": [1, 2, 2, 1, float("nan"), 2]},
        {"id": 4, "image_id": 2, "category_id": 5, "keypoints": [1, 2, True, 1, 3, 2]},
    ]
    images = [
        {"id": 1, "file_name": "a.jpg"},
        {"id": 2, "file_name": "a.jpg"},
        {"id": 4, "file_name": "gone.jpg"},
    ]
    with pytest.raises(AnnotationError) as caught:
        _read_coco(folder, _coco(annotations=annotations, images=images))
    assert caught.value.faults == [
        "image a.jpg: the file name repeats",
        "annotation 3: the id repeats",
        "annotation 1: keypoints must hold 6 numbers: x, y and visibility of 2 points",
        "annotation 2: its image_id stands for no image",
        "annotation 3: keypoints hold something that is not a finite number of pixels",
        f"annotation 3: no file {folder / 'gone.jpg'}",
        "annotation 3: keypoints hold something that is not a finite number of pixels",
        "annotation 4: keypoints hold something that is not a finite number of pixels",
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (_coco(categories=[]), "no category has the 2 keypoints"),
        (_coco(annotations=[]), "no annotation"),
        ({"images": []}, "categories"),
        (_coco(categories=[{"id": 5, "keypoints": ["eye", "eye"]}]), "2 keypoints .* 'eye'"),
        ({"images": [], "categories": [1], "annotations": []}, "structure"),
    ],
)
def test_coco_of_another_structure_is_refused(
    folder: Path, content: dict[str, Any], fault: str
) -> None:
    with pytest.raises(AnnotationError, match=fault):
        _read_coco(folder, content)


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_coco_that_is_not_json_is_refused(folder: Path, text: str) -> None:
    (folder / "bad.json").write_text(text)
    with pytest.raises(AnnotationError, match="COCO"):
        CocoFile(folder / "bad.json").faces(folder, PAIR)
    with pytest.raises(AnnotationError, match="cannot be read"):
        CocoFile(folder / "none.json").faces(folder, PAIR)
