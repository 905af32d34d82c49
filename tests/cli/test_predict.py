import csv
import json
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner, Result

from facedots.cli.main import app
from facedots.errors import FacedotsError, OutputError
from facedots.geometry import Image
from facedots.io.images import read_image, sample_portrait, write_image
from facedots.io.results import JSON_SCHEMA


@pytest.fixture(scope="module")
def small_hopper() -> Image:
    image = read_image(sample_portrait())
    return np.asarray(
        cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), np.uint8
    )


@pytest.fixture
def folder(tmp_path: Path, small_hopper: Image) -> Path:
    """Images with a face, without, and not an image at all; two of the same name."""
    write_image(tmp_path / "a" / "face.png", small_hopper)
    write_image(tmp_path / "b" / "face.png", small_hopper[:, ::-1])
    write_image(tmp_path / "b" / "gray.png", np.full((50, 60, 3), 128, np.uint8))
    (tmp_path / "b" / "text.png").write_text("not an image")
    return tmp_path


def predict(model: Path, *arguments: object) -> Result:
    fixed = ["--model", str(model), "--refine", "0"]
    return CliRunner().invoke(app, ["predict", *fixed, *map(str, arguments)])


def test_of_several_frames_the_first_alone_is_said(tmp_path: Path, tiny_model: Path) -> None:
    frames = [Pillow.new("RGB", (60, 40), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "one.gif")
    result = predict(tiny_model, tmp_path)
    assert result.exit_code == 0
    assert result.stderr == f"{tmp_path}/two.gif: of several frames or pages, the first alone\n"


def test_the_whole_way(folder: Path, tiny_model: Path) -> None:
    out, as_json, as_csv = folder / "out", folder / "r" / "faces.json", folder / "r" / "faces.csv"
    sources = (folder / "a", folder / "b", folder / "missing.jpg", folder / "a" / "*.png")
    result = predict(tiny_model, *sources, "--out", out, "--json", as_json, "--csv", as_csv)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{folder}/a/face.png: 1 face",
        f"{folder}/b/face.png: 1 face",
        f"{folder}/b/gray.png: no face found; looked for faces from 32 pixels, tilted by up to 45°",
        "2 faces in 3 images, 1 of them without a face",
    ]
    failures = result.stderr.splitlines()
    assert failures[0] == "2 failed:"
    assert failures[1].startswith(f"  {folder}/b/text.png: not an image")
    assert failures[2].startswith(f"  {folder}/missing.jpg: cannot be read")
    assert sorted(file.name for file in out.iterdir()) == [
        "face_dots.png",
        "face_dots_2.png",
        "gray_dots.png",
    ]

    document = json.loads(as_json.read_text())
    jsonschema.validate(document, json.loads(JSON_SCHEMA.read_text()))
    images = document["images"]
    assert [len(image["faces"]) for image in images] == [1, 1, 0]
    assert (images[0]["width"], images[0]["height"]) == (128, 150)
    rows = list(csv.DictReader(as_csv.read_text().splitlines()))
    assert [(row["frame"], row["face_id"], row["success"]) for row in rows] == [
        ("1", "0", "1"),
        ("2", "0", "1"),
        ("3", "0", "0"),
    ]
    assert float(rows[0]["x_5"]) == images[0]["faces"][0]["points"][5][0]
    assert rows[2]["source"] == f"{folder}/b/gray.png"


def test_what_is_drawn_lies_on_the_face(
    folder: Path, tiny_model: Path, small_hopper: Image
) -> None:
    result = predict(
        tiny_model,
        folder / "a" / "face.png",
        "--out",
        folder / "out",
        "--json",
        folder / "faces.json",
    )
    assert result.exit_code == 0
    drawn = read_image(folder / "out" / "face_dots.png")
    assert drawn.shape == small_hopper.shape
    rows, columns = np.nonzero((drawn != small_hopper).any(axis=2))
    box = json.loads((folder / "faces.json").read_text())["images"][0]["faces"][0]["box"]
    assert [columns.min(), columns.max()] == pytest.approx([box[0], box[2]], abs=2)
    assert rows.max() == pytest.approx(box[3], abs=2)


def test_numbers_enlarge_a_small_face(folder: Path, tiny_model: Path) -> None:
    predict(tiny_model, folder / "a", "--out", folder / "out", "--numbers")
    assert read_image(folder / "out" / "face_dots.png").shape[0] > 1000


def test_results_can_be_printed_alone(folder: Path, tiny_model: Path) -> None:
    result = predict(tiny_model, folder / "a", "--json", "-")
    assert json.loads(result.stdout)["images"][0]["source"] == f"{folder}/a/face.png"
    assert result.stderr == f"{folder}/a/face.png: 1 face\n"
    result = predict(tiny_model, folder / "a", "--csv", "-")
    assert result.stdout.startswith("frame,face_id,")
    assert isinstance(
        predict(tiny_model, folder / "a", "--csv", "-", "--json", "-").exception, OutputError
    )


def test_exif_orientation_is_honoured(folder: Path, tiny_model: Path, small_hopper: Image) -> None:
    """A portrait stored lying, with the note to turn it: found upright, with the size of the
    upright image.
    """
    lying = cv2.rotate(
        cv2.cvtColor(small_hopper, cv2.COLOR_RGB2BGR), cv2.ROTATE_90_COUNTERCLOCKWISE
    )
    data = cv2.imencode(".jpg", lying)[1].tobytes()
    note = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    (folder / "turned.jpg").write_bytes(
        data[:2] + b"\xff\xe1" + (len(note) + 2).to_bytes(2, "big") + note + data[2:]
    )
    result = predict(tiny_model, folder / "turned.jpg", "--json", "-")
    image = json.loads(result.stdout)["images"][0]
    assert (image["width"], image["height"]) == (128, 150)
    assert len(image["faces"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--detector", "yunet"), "--detector yunet needs --detector-file"),
        (("--detector", "yunet", "--detector-file", "/none.onnx"), "/none.onnx: no such file"),
        (("--detector", "finder", "--detector-file", "/"), "/: a folder; `facedots export RUN"),
        (("--detector-file", "/none.onnx"), "for finder and yunet; --detector is retinaface"),
    ],
)
def test_detectors_ask_for_their_files(
    folder: Path, tiny_model: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = predict(tiny_model, folder / "a", *arguments)
    assert isinstance(result.exception, FacedotsError)
    assert message in str(result.exception)


def test_haar_is_a_choice(tiny_model: Path) -> None:
    assert (
        predict(tiny_model, sample_portrait(), "--detector", "haar").stdout
        == f"{sample_portrait()}: 1 face\n"
    )


def test_an_unknown_model_is_an_error(folder: Path) -> None:
    result = predict(Path("nobody"), folder / "a")
    assert isinstance(result.exception, FacedotsError)
    assert "nobody" in str(result.exception)


def test_an_output_folder_that_cannot_be_made_stops_at_once(folder: Path, tiny_model: Path) -> None:
    result = predict(
        tiny_model, folder / "a", folder / "b", "--out", folder / "b" / "text.png" / "out"
    )
    assert isinstance(result.exception, OutputError)


def test_without_a_detector_the_points_themselves_find_the_object(
    folder: Path, tiny_model: Path
) -> None:
    result = predict(
        tiny_model,
        folder / "b" / "gray.png",
        "--detector",
        "single-object",
        "--json",
        folder / "one.json",
    )
    assert result.stdout.splitlines() == [f"{folder}/b/gray.png: 1 face"]
    (face,) = json.loads((folder / "one.json").read_text())["images"][0]["faces"]
    # A look at the middle of 60 x 50 px, 0.8 of the shorter side: 40 px; each look's points span
    # 6.7 of the crop's 8 px.
    assert face["box"][2] - face["box"][0] == pytest.approx(40 * (6.7 / 8) ** 3, abs=0.02)
