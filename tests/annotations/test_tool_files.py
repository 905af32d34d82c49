"""Exports of further tools: dlib's imglab, labelme, CVAT's videos and its COCO archive, .pts."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.load import ReadOptions, load_annotations
from facedots.annotations.tool_files import to_imglab
from facedots.cli.main import app
from facedots.errors import AnnotationError, DataError, FacedotsError
from facedots.io.images import write_image
from facedots.schema import IBUG68, KeypointSchema

PAIR = KeypointSchema("pair", ("right", "left"), {"eyes": (0, 1)}, (1, 0), (), (0, 1))
OPTIONS = ReadOptions(schema=PAIR)
FACE = np.array([(5, 6), (15, 6)], np.float32)
NAN = float("nan")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, np.zeros((20, 30, 3), np.uint8))
    return tmp_path


def test_imglab_out_and_in_again(folder: Path) -> None:
    points = np.random.default_rng(0).uniform(-5, 40, (3, 68, 2)).round(2).astype(np.float32)
    points[1, 5] = NAN
    faces = [
        FaceAnnotation(folder / file, face, file)
        for file, face in zip(("a.png", "a.png", "b.png"), points, strict=True)
    ]
    (folder / "out.xml").write_text(to_imglab(faces))
    data = load_annotations(folder / "out.xml")
    assert data.schema == IBUG68
    np.testing.assert_allclose([face.points for face in data.faces], points, atol=1e-4)
    assert [face.image for face in data.faces] == [face.image for face in faces]


def imglab(folder: Path, *parts: str, more: str = "") -> Path:
    boxes = "".join(
        f"<box top='1' left='1' width='9' height='9'{more}>{part}</box>" for part in parts
    )
    image = f"<image file='imgs\\a.png' width='30' height='20'>{boxes}</image>"
    (folder / "faces.xml").write_text(f"<dataset><images>{image}</images></dataset>")
    return folder / "faces.xml"


def test_imglab_parts_are_numbered_from_0_or_1_or_named(folder: Path) -> None:
    for names in (("00", "01"), ("1", "2"), ("right", "left")):
        part = "<part name='{}' x='15' y='6'/><part name='{}' x='5' y='6'/>".format(*names[::-1])
        (face,) = load_annotations(imglab(folder, part), OPTIONS).faces
        np.testing.assert_array_equal(face.points, FACE)
        assert face.image == folder / "a.png"


def test_imglab_faults_are_named(folder: Path) -> None:
    part = "<part name='0' x='1' y='6'/><part name='7' x='x' y='6'/><part name='0' x='1' y='6'/>"
    with pytest.raises(AnnotationError) as caught:
        load_annotations(imglab(folder, part), OPTIONS)
    assert len(caught.value.faults) == 2
    with pytest.raises(AnnotationError, match="no box has parts"):
        load_annotations(imglab(folder, part, more=" ignore='1'"), OPTIONS)


def labelme(folder: Path, name: str, points: dict[str, Any], **more: Any) -> None:
    shapes = [
        {"label": label, "points": [place], "shape_type": "point", "group_id": None}
        for label, place in points.items()
    ]
    size = {"imagePath": f"..\\photos\\{name}.png", "imageWidth": 30, "imageHeight": 20}
    (folder / f"{name}.json").write_text(json.dumps({"shapes": shapes, **size, **more}))


def test_labelmes_folder(folder: Path) -> None:
    labelme(folder, "a", {"left_eye": (15.5, 6.5), "right_eye": (5.5, 6.5)})
    labelme(folder, "b", {"left_eye": (15.5, 6.5)}, imageWidth=60, imageHeight=40)
    data = load_annotations(folder)
    assert data.schema.names == ("left_eye", "right_eye")
    assert [face.name for face in data.faces] == ["a.png", "b.png"]
    np.testing.assert_array_equal(data.faces[0].points, FACE[::-1])
    np.testing.assert_allclose(data.faces[1].points, [(7.25, 2.75), (NAN, NAN)], atol=1e-5)
    labelme(folder, "b", {"nose": (1, 1)}, shapes=[{"label": "nose", "points": [[1]]}])
    with pytest.raises(FacedotsError, match=r"b\.json: not a file of labelme"):
        load_annotations(folder, OPTIONS)


VIDEO = """<annotations><meta><task><size>2</size><original_size><width>60</width>
<height>40</height></original_size></task></meta><track id="0" label="face">
<skeleton frame="0" keyframe="1"><points label="1" outside="0" points="11,13"/>
<points label="2" outside="0" points="31,13"/></skeleton>
<skeleton frame="1" keyframe="0"><points label="1" outside="0" points="11,13"/>
<points label="2" outside="1" points="31,13"/></skeleton></track>
<track id="1" label="face"><points frame="1" outside="0" points="11,13;31,13"/>
<points frame="2" outside="1" points="11,13;31,13"/></track></annotations>"""


def test_cvat_for_video(folder: Path) -> None:
    (folder / "annotations.xml").write_text(VIDEO)
    first, second, third = load_annotations(folder, OPTIONS).faces
    np.testing.assert_allclose(first.points, [(5, 6), (15, 6)])
    np.testing.assert_allclose(second.points, [(5, 6), (NAN, NAN)])
    assert (first.name, second.name, third.name) == ("a.png", "b.png#1", "b.png#2")
    for number in range(2):
        (folder / "images").mkdir(exist_ok=True)
        image = folder / "images" / f"frame_{number:06}.PNG"
        (folder / f"{'ab'[number]}.png").rename(image)
    assert load_annotations(folder, OPTIONS).faces[0].image.name == "frame_000000.PNG"
    image.unlink()
    with pytest.raises(AnnotationError, match=r"frame 1: no image .*frame_000001"):
        load_annotations(folder, OPTIONS)


def test_cvats_coco_archive(folder: Path) -> None:
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 30, "height": 20}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [5, 6, 2, 15, 6, 2]}
        ],
        "categories": [{"id": 1, "keypoints": list(PAIR.names)}],
    }
    file = folder / "export.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("annotations/person_keypoints_default.json", json.dumps(content))
    np.testing.assert_array_equal(load_annotations(file, OPTIONS).faces[0].points, FACE)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("images/default/c.png", b"")
    with pytest.raises(DataError, match="holds images, too; unpack it and give the folder"):
        load_annotations(file, OPTIONS)


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nn_points: 2\n{\n6 7\n16 7\n}\n",
        "6 7\n16 7",
        "6, 7\r\n16, 7\r\n",
        "{\n6.0,7.0\n16;7\n}",
        "\ufeff6\t7\n16\t7\n",
    ],
)
def test_pts_variants(folder: Path, text: str) -> None:
    (folder / "a.PTS").write_bytes(text.encode())
    (face,) = load_annotations(folder, OPTIONS).faces
    np.testing.assert_array_equal(face.points, FACE)


@pytest.mark.parametrize("gap", ["nan nan", "NaN, NaN", "-1 -1", "0 0"])
def test_pts_without_a_point(folder: Path, gap: str) -> None:
    (folder / "a.pts").write_text(f"{{\n6 7\n{gap}\n}}\n")
    (face,) = load_annotations(folder, OPTIONS).faces
    np.testing.assert_array_equal(face.points, [(5, 6), (NAN, NAN)])


@pytest.mark.parametrize("out", ["labels.csv", "labels.xml"])
def test_label_import_converts_what_opens(folder: Path, out: str) -> None:
    points = np.random.default_rng(0).uniform(1, 18, (68, 2)).round(2)
    lines = "\n".join(f"{x + 1} {y + 1}" for x, y in points)
    (folder / "photos").mkdir()
    (folder / "a.png").rename(folder / "photos" / "a.png")
    (folder / "photos" / "a.pts").write_text(f"{{\n{lines}\n}}\n")
    words = ["label", "import", folder / "photos", "--images", folder / "photos"]
    result = CliRunner().invoke(app, [*map(str, words), "--out", str(folder / out)])
    assert result.exit_code == 0, result.output
    read = load_annotations(folder / out, ReadOptions(images=folder / "photos")).faces
    np.testing.assert_allclose(read[0].points, points, atol=0.006)
