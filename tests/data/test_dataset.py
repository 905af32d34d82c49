"""Data sets: lazy images, independent samples, plain errors, worker processes."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.coco import CocoFile
from facedots.annotations.published_files import PtsFolder
from facedots.data.dataset import FacialKeypointsDataset, KeypointsDataset, Sample
from facedots.errors import ImageError
from facedots.io.images import write_image
from facedots.schema import IBUG68, KeypointSchema

PAIR = KeypointSchema("pair", ("right", "left"), {"eyes": (0, 1)}, (1, 0), (), (0, 1))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A CSV of three images 6 x 4, gray 0, 100 and 200; the one in the middle is RGBA PNG bytes
    under a .jpg name.
    """
    for number, name in enumerate(("a.png", "b.jpg", "c.png")):
        write_image(
            tmp_path / name.replace("jpg", "png"), np.full((4, 6, 3), 100 * number, np.uint8)
        )
    (tmp_path / "b.jpg").write_bytes(
        cv2.imencode(".png", np.full((4, 6, 4), 100, np.uint8))[1].tobytes()
    )
    rows = [f"{name},{number},1,2,3" for number, name in enumerate(("a.png", "b.jpg", "c.png"))]
    path = tmp_path / "points.csv"
    path.write_text("\n".join(["name,x0,y0,x1,y1", *rows]) + "\n")
    return path


def test_samples_hold_image_points_name_and_shift(table: Path) -> None:
    faces = FacialKeypointsDataset(table, table.parent, schema=PAIR, origin=(1, 1))
    assert len(faces) == 3
    sample = faces[1]
    assert set(sample) == {"image", "keypoints", "name", "label_bias_x"}
    assert (sample["name"], sample["label_bias_x"]) == ("b.jpg", 0.0)
    assert (sample["image"].shape, sample["image"].dtype, int(sample["image"].max())) == (
        (4, 6, 3),
        np.dtype(np.uint8),
        100,
    )
    assert (sample["keypoints"].dtype, sample["keypoints"].tolist()) == (
        np.dtype(np.float32),
        [[0, 0], [1, 2]],
    )


def test_an_annotations_shift_reaches_the_sample(table: Path) -> None:
    face = FaceAnnotation(
        table.parent / "a.png", np.zeros((2, 2), np.float32), "x", label_bias_x=0.75
    )
    assert KeypointsDataset([face])[0]["label_bias_x"] == 0.75


def test_indices_are_those_of_a_list(table: Path) -> None:
    faces = FacialKeypointsDataset(table, table.parent, schema=PAIR)
    names = [faces[index]["name"] for index in (-1, np.int64(1), torch.tensor(0))]  # type: ignore[index]
    assert names == ["c.png", "b.jpg", "a.png"]
    assert [sample["name"] for sample in faces] == ["a.png", "b.jpg", "c.png"]  # type: ignore[attr-defined]
    for index in (3, -4):
        with pytest.raises(IndexError):
            faces[index]
    with pytest.raises(TypeError):
        faces[0:2]  # type: ignore[index]


def test_a_sample_may_be_changed_without_changing_the_next_access(table: Path) -> None:
    faces = FacialKeypointsDataset(table, table.parent, schema=PAIR)
    sample = faces[2]
    sample["image"][:] = 0
    sample["keypoints"][:] = -1
    assert faces[2]["image"].min() == 200
    assert faces[2]["keypoints"].tolist() == [[2, 1], [2, 3]]


def test_images_are_opened_only_when_asked_for(table: Path) -> None:
    (table.parent / "b.jpg").write_bytes(b"damaged")
    faces = FacialKeypointsDataset(table, table.parent, schema=PAIR)
    assert faces[0]["name"] == "a.png"
    with pytest.raises(ImageError, match=r"sample 1 \(b\.jpg\).*b\.jpg"):
        faces[1]


def _mark(sample: Sample) -> Sample:
    return {**sample, "name": sample["name"] + "!"}


def test_the_transform_is_applied(table: Path) -> None:
    assert FacialKeypointsDataset(table, table.parent, _mark, schema=PAIR)[0]["name"] == "a.png!"


def test_worker_processes_return_the_same_batches(table: Path) -> None:
    faces = FacialKeypointsDataset(table, table.parent, _mark, schema=PAIR)
    assert pickle.loads(pickle.dumps(faces))[2]["name"] == "c.png!"
    (batch,) = DataLoader(faces, batch_size=3, num_workers=1)
    assert batch["name"] == ["a.png!", "b.jpg!", "c.png!"]
    assert batch["image"].shape == (3, 4, 6, 3)
    assert batch["keypoints"][:, 0].tolist() == [[0, 1], [1, 1], [2, 1]]


def test_pts_and_coco_give_the_same_sample(table: Path) -> None:
    folder = table.parent
    (folder / "a.pts").write_text("version: 1\nn_points: 2\n{\n3 4\n5 6\n}\n")
    (folder / "faces.json").write_text(
        '{"images": [{"id": 1, "file_name": "a.png"}],'
        '"categories": [{"id": 1, "keypoints": ["left", "right"]}],'
        '"annotations": [{"id": 1, "image_id": 1, "category_id": 1,'
        '"keypoints": [4, 5, 2, 2, 3, 2]}]}'
    )
    from_pts = KeypointsDataset(PtsFolder(folder).faces(schema=PAIR), _mark)[0]
    from_coco = KeypointsDataset(CocoFile(folder / "faces.json").faces(folder, PAIR), _mark)[0]
    assert from_pts["name"] == from_coco["name"] == "a.png!"
    assert from_pts["keypoints"].tolist() == from_coco["keypoints"].tolist() == [[2, 3], [4, 5]]
    assert np.array_equal(from_pts["image"], from_coco["image"])


def test_the_missions_own_data(data_dir: Path) -> None:
    folder = data_dir / "youtube-faces"
    faces = FacialKeypointsDataset(folder / "test_frames_keypoints.csv", folder / "test")
    assert len(faces) == 770
    sample = faces[0]
    assert sample["name"] == "James_Wolfensohn_00.jpg"
    assert sample["image"].shape[2] == 3
    assert sample["keypoints"].shape == (IBUG68.count, 2)
    assert sample["keypoints"][0].tolist() == [25, 44]
