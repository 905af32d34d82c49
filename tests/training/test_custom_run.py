"""From a custom COCO file with its own schema to predictions and a report, by the commands."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from facedots.cli.main import app
from facedots.geometry import tight_boxes
from facedots.inference.predictor import KeypointPredictor
from facedots.io.images import write_image

RECIPE = Path(__file__).parents[2] / "recipes" / "custom.yaml"
NAMES = ("left_end", "right_end", "top")


def write_arrows(folder: Path, count: int) -> None:
    """Images of arrows, and ``arrows.json``; of every third the top is not labeled."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for i in range(count):
        image = np.full((64, 64, 3), 40, np.uint8)
        points = np.array([(46, 44), (18, 44), (32, 16)]) + rng.integers(-8, 9, (1, 2))
        cv2.polylines(image, [points.astype(np.int32)], True, (240, 200, 90), 3)
        write_image(folder / f"{i}.png", image)
        images.append({"id": i, "file_name": f"{i}.png"})
        seen = np.concatenate([points, [[2], [2], [0 if i % 3 == 0 else 2]]], axis=1)
        annotations.append(
            {"id": i, "image_id": i, "category_id": 1, "keypoints": seen.ravel().tolist()}
        )
    category = {"id": 1, "name": "arrow", "keypoints": NAMES}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "arrows.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data in ``data/``, and a run of two epochs in ``run/``."""
    root = tmp_path_factory.mktemp("custom")
    write_arrows(root / "data", 40)
    options = [
        "--model",
        "tiny",
        "--epochs",
        "2",
        "--data",
        str(root / "data"),
        "--out",
        str(root / "run"),
    ]
    result = CliRunner().invoke(app, ["train", str(RECIPE), *options], catch_exceptions=False)
    assert result.exit_code == 0
    return root


def test_a_run_carries_the_schema_of_its_data(folder: Path) -> None:
    predictor = KeypointPredictor(folder / "run" / "model.onnx", refine=0)
    schema = predictor.spec.schema
    assert (schema.name, schema.names, schema.flip) == ("arrow", NAMES, (1, 0, 2))
    assert predictor.card.trained_on.endswith("data")
    assert predictor.card.license.startswith("Not stated")


def test_missing_points_do_not_spoil_the_run(folder: Path) -> None:
    predictor = KeypointPredictor(folder / "run" / "model.onnx", refine=0)
    found = predictor.predict(
        np.full((64, 64, 3), 40, np.uint8), tight_boxes([[[46, 44], [18, 44], [32, 16]]])
    )
    assert np.isfinite(found.points).all()
    assert np.isfinite(found.sigma).all(), "calibrated on faces of which points are missing"
    log = (folder / "run" / "logs" / "metrics.csv").read_text()
    assert "nan" not in log.lower()


def test_evaluate_and_predict(folder: Path) -> None:
    written = ["--json", str(folder / "arrows.json"), "--out", str(folder / "drawn")]
    for command in (
        [
            "evaluate",
            str(folder / "run"),
            "--data",
            str(folder / "data"),
            "--out",
            str(folder / "report"),
        ],
        [
            "predict",
            str(folder / "data" / "0.png"),
            "--model",
            str(folder / "run"),
            "--detector",
            "single-object",
            *written,
        ],
    ):
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    report = json.loads((folder / "report" / "report.json").read_text())
    # A tenth of the 40 is test; faces whose labels span no box do not count.
    assert report["sources"] == ["custom"]
    assert 1 <= report["n"] <= 6
    document = json.loads((folder / "arrows.json").read_text())
    assert tuple(document["point_names"]) == NAMES
    assert len(document["images"][0]["faces"][0]["points"]) == 3
    assert (folder / "drawn" / "0_dots.png").is_file()
