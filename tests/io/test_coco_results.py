"""COCO results, against the real pycocotools."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from typer.testing import CliRunner

from facedots.annotations.coco import coco_ids
from facedots.cli.main import app
from facedots.errors import AnnotationError, DataError
from facedots.geometry import Image
from facedots.io.coco_results import CocoIds, to_coco
from facedots.io.images import write_image
from facedots.schema import IBUG68
from facedots.types import Face, ImageResult


@pytest.fixture
def found() -> Face:
    points = np.random.default_rng(0).uniform(20, 90, (68, 2)).round(1).astype(np.float32)
    unknown = np.full((68, 2, 2), np.nan, np.float32)
    return Face(points, unknown, unknown[:, 0, 0], np.zeros(4, np.float32), 0.5, IBUG68)


def annotations(file: Path, face: Face, names: list[str]) -> Path:
    """A COCO file with this face in the images 11, 12, …, the points in reverse order."""
    keypoints = [number for x, y in face.points[::-1].tolist() for number in (x, y, 2)]
    images = [{"id": 11 + i, "file_name": name} for i, name in enumerate(names)]
    content: dict[str, Any] = {
        "images": images,
        "categories": [{"id": 3, "name": "face", "keypoints": IBUG68.names[::-1]}],
        "annotations": [
            {
                "id": image["id"],
                "image_id": image["id"],
                "category_id": 3,
                "keypoints": keypoints,
                "num_keypoints": 68,
                "bbox": [20, 20, 70, 70],
                "area": 4900,
                "iscrowd": 0,
            }
            for image in images
        ],
    }
    file.write_text(json.dumps(content))
    return file


def average_precision(truth: Path, results: Path) -> float:
    coco = COCO(str(truth))
    evaluation = COCOeval(coco, coco.loadRes(str(results)), "keypoints")
    evaluation.params.kpt_oks_sigmas = np.full(68, 0.01)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[0])


def test_pycocotools_scores_the_results(found: Face, tmp_path: Path) -> None:
    truth = annotations(tmp_path / "truth.json", found, ["a/face.png", "b/face.png"])
    ids = coco_ids(["data/a/face.png", "/data/b/face.png"], IBUG68, truth)
    assert ids.images == {"data/a/face.png": 11, "/data/b/face.png": 12}
    results = [ImageResult(source, 100, 100, [found]) for source in ids.images]
    (tmp_path / "results.json").write_text(to_coco(results, ids))
    assert average_precision(truth, tmp_path / "results.json") == 1
    in_order = CocoIds(ids.images, ids.category)
    (tmp_path / "wrong.json").write_text(to_coco(results, in_order))
    assert average_precision(truth, tmp_path / "wrong.json") == 0


def test_a_missing_point_has_visibility_0(found: Face) -> None:
    found.points[2] = np.nan
    result = ImageResult("7.png", 100, 100, [found])
    (entry,) = json.loads(to_coco([result], CocoIds({"7.png": 7})))
    assert entry["keypoints"][6:9] == [0, 0, 0]
    assert entry["keypoints"][2::3] == [1, 1, 0] + [1] * 65
    assert (entry["image_id"], entry["category_id"], entry["score"]) == (7, 1, 0.5)
    assert "bbox" not in entry


def test_hidden_points_have_visibility_1_and_seen_ones_2(found: Face) -> None:
    found.points[2] = np.nan
    visibility = np.full(68, 0.9, np.float32)
    visibility[:4] = 0.1, 0.49, 0.9, np.nan
    result = ImageResult("7.png", 100, 100, [replace(found, visibility=visibility)])
    (entry,) = json.loads(to_coco([result], CocoIds({"7.png": 7})))
    assert entry["keypoints"][2::3] == [1, 1, 0, 1] + [2] * 64


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a/7.png", "b/007.jpg"], "b/007.jpg: has the number of a/7.png; --coco-ids"),
        (["7a.png"], "7a.png: its name does not end in a number; --coco-ids"),
    ],
)
def test_names_that_are_no_ids(names: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        coco_ids(names, IBUG68)


def test_images_that_the_annotations_lack(found: Face, tmp_path: Path) -> None:
    truth = annotations(tmp_path / "truth.json", found, ["face.png"])
    with pytest.raises(AnnotationError, match=r"truth.json: 1 fault\n  no image other/gace.png"):
        coco_ids(["a/face.png", "other/gace.png"], IBUG68, truth)


def test_ids_that_do_not_tell_images_apart(found: Face, tmp_path: Path) -> None:
    truth = annotations(tmp_path / "truth.json", found, ["face.png"])
    with pytest.raises(AnnotationError, match=r"face.png is both a/face.png and b/face.png"):
        coco_ids(["a/face.png", "b/face.png"], IBUG68, truth)
    content = json.loads(truth.read_text())
    (image,) = content["images"]
    for images, fault in [
        ([image, {**image, "id": 5}], "the file name repeats"),
        ([image, {**image, "file_name": "b.png"}], "the id repeats"),
        ([{**image, "id": "5"}], "not a whole number"),
        ([{**image, "id": True}], "not a whole number"),
    ]:
        truth.write_text(json.dumps({**content, "images": images}))
        with pytest.raises(AnnotationError, match=fault):
            coco_ids(["face.png"], IBUG68, truth)


def test_predict_writes_coco_results_and_goes_on(
    hopper: Image, found: Face, tiny_model: Path, tmp_path: Path
) -> None:
    names = ["face_1.png", "gray_2.png", "face_3.png"]
    for name, image in zip(names, (hopper, hopper[:60, :60] * 0, hopper), strict=True):
        write_image(tmp_path / name, image[::2, ::2])
    truth = annotations(tmp_path / "truth.json", found, names)
    files = [tmp_path / "faces.json", tmp_path / "coco.json"]
    options = ["--model", tiny_model, "--refine", 0, "--json", files[0], "--coco", files[1]]

    def predict(*arguments: object) -> list[int]:
        done = CliRunner().invoke(app, ["predict", *map(str, [*arguments, *options])])
        assert done.exit_code == 0, done.exception
        return [entry["image_id"] for entry in json.loads(files[1].read_text())]

    sources = [tmp_path / name for name in names]
    assert predict(*sources) == [1, 3]
    assert predict(*sources[:2], "--coco-ids", truth) == [11]
    assert predict(*sources, "--coco-ids", truth, "--resume") == [11, 13]
    done = CliRunner().invoke(app, ["predict", str(sources[0]), "--coco", "c.json", "--resume"])
    assert "c.json: --resume needs --json FILE too" in str(done.exception)
