"""Files as users of other tools bring them: read by what they say of themselves, or refused in one
line that names the fix.
"""

import json
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.annotations.test_image_files import turned_jpeg

from facedots.annotations.csv_header import find_columns
from facedots.annotations.csv_table import annotations_csv
from facedots.annotations.load import load_annotations
from facedots.errors import AnnotationError, FacedotsError
from facedots.geometry import Floats
from facedots.io.images import read_image, write_image
from facedots.schema import AFLW19, IBUG68, WFLW98, KeypointSchema

K = IBUG68.count
POINTS = np.random.default_rng(0).uniform(20, 180, (3, K, 2)).round(1).astype(np.float32)
FILES = [f"f{i}.png" for i in range(3)]
INTERLEAVED = [f"{axis}{i}" for i in range(K) for axis in "xy"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in FILES:
        write_image(tmp_path / file, np.zeros((190, 200, 3), np.uint8))
    return tmp_path


def table(
    folder: Path, header: Sequence[str], rows: Sequence[Sequence[Any]], name: str = "labels.csv"
) -> Path:
    lines = [",".join(map(str, row)) for row in [header, *rows]]
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def points_of(path: Path) -> Floats:
    return np.stack([face.points for face in load_annotations(path).faces])


def rows_of(order: Callable[[Floats], Floats]) -> list[list[Any]]:
    return [[file, *order(face).ravel()] for file, face in zip(FILES, POINTS, strict=True)]


SHUFFLED = np.random.default_rng(1).permutation(K)
LEXICAL = sorted(range(K), key=str)
LAYOUTS: dict[str, tuple[list[str], Callable[[Floats], Floats]]] = {
    "interleaved": (INTERLEAVED, lambda face: face),
    "x and y blocks": ([f"{axis}_{i}" for axis in "xy" for i in range(K)], lambda face: face.T),
    "from 1, y first": (
        [f"landmark_{i + 1}_{axis}" for i in range(K) for axis in "yx"],
        lambda face: face[:, ::-1],
    ),
    "numbers sorted as text": (
        [f"p{i}.{axis}" for i in LEXICAL for axis in "xy"],
        lambda face: face[LEXICAL],
    ),
    "names in any order": (
        [f"{IBUG68.names[i]}_{axis}" for i in SHUFFLED for axis in "xy"],
        lambda face: face[SHUFFLED],
    ),
    "only numbers of columns": ([str(i) for i in range(2 * K)], lambda face: face),
    "x and y without numbers": (["x", "y"] * K, lambda face: face),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_header_tells_the_order(folder: Path, layout: str) -> None:
    names, order = LAYOUTS[layout]
    np.testing.assert_allclose(points_of(table(folder, ["image", *names], rows_of(order))), POINTS)


def test_further_columns_and_a_comma_at_the_end_are_skipped(folder: Path) -> None:
    rows: list[list[Any]] = [
        [i, 0.9, *row, 7, ""] for i, row in enumerate(rows_of(lambda face: face))
    ]
    file = table(folder, ["", "score", "image", *INTERLEAVED, "box_x0"], rows)
    np.testing.assert_allclose(points_of(file), POINTS)
    index = table(folder, ["", "image", *INTERLEAVED], [row[:1] + row[2:-2] for row in rows])
    np.testing.assert_allclose(points_of(index), POINTS)


def test_capital_letters_beside_small_ones_are_other_numbers() -> None:
    columns = find_columns(["x_0", "X_0", "y_0", "Y_0", "file"], ["1", "2", "3", "4", "a.jpg"])
    assert (columns.pairs, columns.image) == (((0, 2),), 4)


def test_tables_of_openface_and_facedots(folder: Path) -> None:
    head: list[Any] = ["frame", " face_id", " confidence", " success", " gaze_0_x", " gaze_0_y"]
    names = [f" {axis}_{i}" for axis in ("x", "y", "X", "Y", "Z") for i in range(K)]
    rows: list[list[Any]] = [
        [0, i, 0.9, found, 0, 0, *face.T.ravel(), *[1] * 3 * K, file]
        for i, found, face, file in (
            (0, 1, POINTS[0], FILES[0]),
            (1, 1, POINTS[1], FILES[0]),
            (0, 0, POINTS[2] * 0, FILES[1]),
            (0, 1, POINTS[2], f"/somewhere/else/{FILES[2]}"),
        )
    ]
    faces = load_annotations(table(folder, [*head, *names, "source"], rows)).faces
    np.testing.assert_allclose([face.points for face in faces], POINTS)
    assert [face.name for face in faces][:2] == ["f0.png#1", "f0.png#2"]
    assert [face.image.name for face in faces] == ["f0.png", "f0.png", "f2.png"]
    # OpenFace's table of one image is called as the image.
    one = table(folder, [*head, *names], [rows[0][:-1]], "f1.csv")
    assert load_annotations(one).faces[0].image == folder / "f1.png"


@pytest.mark.parametrize("index", [["labeled-data/v/"], ["labeled-data", "v", ""]])
def test_deeplabcut(folder: Path, index: list[str], caplog: pytest.LogCaptureFixture) -> None:
    parts = ["left_ear", "right ear", "nose-tip"]
    heads = [
        ["scorer", *[""] * (len(index) - 1), *["me"] * 9],
        ["bodyparts", *[""] * (len(index) - 1), *[part for part in parts for _ in range(3)]],
        ["coords", *[""] * (len(index) - 1), *["x", "y", "likelihood"] * 3],
    ]
    cells: list[list[Any]] = [
        [1.5, 2, 0.9, 3, 4, 0.1, 50, 60, 0.8],
        [1, 2, 1, "", "", "", 50, 61, 0.7],
        [""] * 9,
    ]
    rows = [[*index[:-1], index[-1] + file, *row] for file, row in zip(FILES, cells, strict=True)]
    file = table(folder, heads[0], [*heads[1:], *rows])
    file.write_text(file.read_text().replace("right ear", "right_ear"))
    data = load_annotations(file)
    assert data.schema.names == ("left_ear", "right_ear", "nose-tip")
    assert [face.image.name for face in data.faces] == FILES[:2]
    nan = float("nan")
    expected = [[(1.5, 2), (nan, nan), (50, 60)], [(1, 2), (nan, nan), (50, 61)]]
    np.testing.assert_array_equal([face.points for face in data.faces], expected)
    assert "1 rows without a face are left out" in caplog.text
    assert "1 points are taken as missing: their likelihood is below 0.6" in caplog.text


def test_deeplabcut_of_several_animals_is_refused(folder: Path) -> None:
    rows: list[list[Any]] = [["individuals", "a", "a", "b", "b"], ["bodyparts", *["nose"] * 4]]
    rows += [["coords", *"xyxy"], ["f0.png", 1, 2, 3, 4]]
    file = table(folder, ["scorer", *["me"] * 4], rows)
    with pytest.raises(AnnotationError, match="several individuals; save a file for each"):
        load_annotations(file)


@pytest.mark.parametrize(
    ("name", "schema"),
    [("face_landmarks_wflw_train.csv", WFLW98), ("face_landmarks_aflw_train.csv", AFLW19)],
)
def test_tables_of_hrnet(folder: Path, name: str, schema: KeypointSchema) -> None:
    points = np.random.default_rng(0).uniform(20, 180, (schema.count, 2)).round(1)
    header = ["image_path", "scale", "box_size", "center_w", "center_h"]
    header += [f"original_{i}_{axis}" for i in range(schema.count) for axis in "xy"]
    file = table(folder, header, [[FILES[0], 1.2, 90, 100, 100, *points.ravel()]], name)
    data = load_annotations(file)
    assert data.schema == schema
    np.testing.assert_allclose(data.faces[0].points, points, atol=1e-4)


def test_kaggles_pixels(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    pixels = np.arange(144) % 256
    rows: list[list[Any]] = [[3, 4, 8, 4.5, "", "", " ".join(map(str, pixels))]]
    header = [f"{name}_{axis}" for name in ("left_eye", "right_eye", "nose_tip") for axis in "xy"]
    data = load_annotations(table(folder, [*header, "Image"], rows))
    assert data.schema.names == ("left_eye", "right_eye", "nose_tip")
    np.testing.assert_array_equal(data.faces[0].points, [(3, 4), (8, 4.5), (np.nan, np.nan)])
    assert (read_image(data.faces[0].image)[..., 0].ravel() == pixels).all()
    (folder / "again.csv").write_text(annotations_csv(data.faces, data.schema))
    (again,) = load_annotations(folder / "again.csv").faces
    assert again.image == data.faces[0].image
    rows[0][-1] += " 1"
    with pytest.raises(AnnotationError, match=r"row 2.*\n.*145 pixels are no square image"):
        load_annotations(table(folder, [*header, "Image"], rows))


@pytest.mark.parametrize("value", [-1, 0, -999, -99999, 99999])
def test_placeholders_are_missing_and_told(
    folder: Path, value: int, caplog: pytest.LogCaptureFixture
) -> None:
    rows = rows_of(lambda face: face)
    rows[1][1:3] = [value, value]
    with caplog.at_level(logging.WARNING, "facedots"):
        points = points_of(table(folder, ["image", *INTERLEAVED], rows))
    assert np.argwhere(np.isnan(points)).tolist() == [[1, 0, 0], [1, 0, 1]]
    assert f"1 points at ({value}, {value}) are taken as missing" in caplog.text


@pytest.mark.parametrize(
    ("columns", "size", "factor"),
    [
        (("width", "height"), (400, 380), 0.5),
        (("image_height", "image_width"), (380, 400), 0.5),
        (("width", "height"), (200, 190), 1),
        (("width", "height"), ("", ""), 1),
        (("width", "height"), (60, 57), 1),
    ],
)
def test_points_follow_images_that_were_resized_since_by_columns_of_their_size(
    folder: Path, columns: tuple[str, str], size: tuple[Any, Any], factor: float
) -> None:
    rows = [[row[0], *size, *row[1:]] for row in rows_of(lambda face: face)]
    points = points_of(table(folder, ["image", *columns, *INTERLEAVED], rows))
    np.testing.assert_allclose(points, (POINTS + 0.5) * factor - 0.5, atol=1e-4)


@pytest.mark.parametrize(
    ("side", "count", "told"), [(300, 20, True), (120, 20, False), (300, 3, False)]
)
def test_percent_are_told_where_many_images_are_large(
    tmp_path: Path, side: int, count: int, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    for i in range(count):
        write_image(tmp_path / f"{i}.png", np.zeros((side, side, 3), np.uint8))
    rows = [[f"{i}.png", *(POINTS[i % 3] / 2).ravel()] for i in range(count)]
    with caplog.at_level(logging.WARNING, "facedots"):
        points_of(table(tmp_path, ["image", *INTERLEAVED], rows))
    assert ("percent?" in caplog.text) == told


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({}, "not a COCO keypoints file: no list of images, annotations, categories"),
        ({"imagePath": "a", "shapes": [{"shape_type": "polygon"}]}, "no shape of the type point"),
        ({"imagePath": "a", "shapes": [{}]}, "not a file of labelme"),
    ],
)
def test_json_without_points_is_refused_in_one_line(
    tmp_path: Path, content: dict[str, Any], fault: str
) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(content))
    with pytest.raises(FacedotsError, match=fault) as caught:
        load_annotations(tmp_path / "labels.json")
    assert "\n" not in str(caught.value)


def good_text() -> str:
    rows = rows_of(lambda face: face)
    return "\n".join(",".join(map(str, row)) for row in [["image", *INTERLEAVED], *rows]) + "\n"


REFUSED: dict[str, tuple[Callable[[str], str | bytes], str]] = {
    "semicolons": (lambda text: text.replace(",", ";"), "separated by semicolons; save it with"),
    "tabs": (lambda text: text.replace(",", "\t"), "separated by tabs"),
    "UTF-16": (lambda text: text.encode("utf-16"), "in UTF-16; save it as UTF-8"),
    "latin-1": (lambda text: text.replace("f0", "fö").encode("latin-1"), "save it as UTF-8"),
    "bytes": (lambda _: bytes(range(256)) * 40, "UTF-8"),
    "two rows": (lambda text: text + text.splitlines()[1] + "\n", "f0.png#1, f0.png#2"),
    "endless": (
        lambda text: re.sub(r"f0.png,[^,]*", "f0.png,1e308", text),
        "f0.png: a coordinate is beyond 1000000 pixels",
    ),
    "no end": (lambda text: text + "," * (5 << 20), "lines end within 4 MB"),
    "zeros": (lambda _: b"\0" * (5 << 20), "lines end within 4 MB"),
    "points": (lambda _: "image,x,y\nf0.png,1,2\nf0.png,3,4\n", "write a row per face"),
    "68 of 67": (lambda text: text.replace("y67", "z67"), "67 points"),
    "empty": (lambda _: "", "no rows: a header row and one row per face"),
    "sep": (lambda text: f"sep=,\n{text}", "row 1: 'sep=' is not the header; delete the line"),
    "comment": (lambda text: f"# by me, 2020\n{text}", "row 1: '# by me, 2020' is not the header"),
    "only images": (lambda _: "image\nf0.png\n", "row 1: no columns of points"),
    "only a header": (lambda text: text.splitlines()[0], "no rows"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_clear_is_refused_with_the_fix(folder: Path, name: str) -> None:
    change, fault = REFUSED[name]
    content = change(good_text())
    file = folder / "labels.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FacedotsError) as caught:
        load_annotations(file)
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda face: face / 200, "look normalized; multiply"),
        (lambda face: (face - 100) / 50, "standardized?"),
        (lambda face: face / 200 if face is POINTS[1] else face, "f1.png: all its points lie"),
    ],
)
def test_coordinates_that_are_no_pixels_are_refused(
    folder: Path, change: Callable[[Floats], Floats], fault: str
) -> None:
    rows = [[FILES[i], *change(POINTS[i]).ravel()] for i in range(3)]
    rows[1][1:] = (POINTS[1] / 200 if "f1" in fault else change(POINTS[1])).ravel().tolist()
    with pytest.raises(AnnotationError) as caught:
        load_annotations(table(folder, ["image", *INTERLEAVED], rows))
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    "written", [r"C:\faces\imgs\A.png", "imgs/a.PNG", "A", "imgs/a", "./a.png"]
)
def test_images_are_found_whatever_the_path_looks_like(tmp_path: Path, written: str) -> None:
    write_image(tmp_path / "imgs" / "a.png", np.zeros((190, 200, 3), np.uint8))
    file = table(tmp_path, ["image", *INTERLEAVED], [[written, *POINTS[0].ravel()]])
    assert load_annotations(file).faces[0].image == tmp_path / "imgs" / "a.png"


def test_two_names_of_one_image_are_refused(folder: Path) -> None:
    rows = [[name, *POINTS[0].ravel()] for name in ("f0.png", "F0.PNG")]
    with pytest.raises(AnnotationError, match=r"f0\.png and F0\.PNG are one file"):
        load_annotations(table(folder, ["image", *INTERLEAVED], rows))


def coco(folder: Path, size: tuple[int, int] | None, name: str = "faces.json", **more: Any) -> Path:
    sides = dict(zip(("width", "height"), size, strict=True)) if size else {}
    annotations = [
        {"id": i, "image_id": i, "category_id": 1}
        | {"keypoints": np.c_[face, np.full(K, 2)].ravel().tolist()}
        for i, face in enumerate(POINTS)
    ]
    content = {
        "images": [{"id": i, "file_name": file, **sides} for i, file in enumerate(FILES)],
        "categories": [{"id": 1, "name": "face", "keypoints": list(IBUG68.names)}],
        "annotations": annotations,
        **more,
    }
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content))
    return folder / name


def test_coco_points_follow_a_resized_image(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    np.testing.assert_allclose(points_of(coco(folder, (200, 190))), POINTS)
    assert not caplog.text
    halves = points_of(coco(folder, (401, 380)))
    np.testing.assert_allclose(halves, (POINTS + 0.5) / (401 / 200, 2) - 0.5, atol=1e-4)
    assert "3 images were resized since" in caplog.text
    with pytest.raises(AnnotationError, match="200 x 190 pixels, but the labels are of 400 x 400"):
        load_annotations(coco(folder, (400, 400)))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_coco_points_of_upright_images_are_turned_back(tmp_path: Path, orientation: int) -> None:
    for file in FILES:
        (tmp_path / file).write_bytes(turned_jpeg(orientation))  # 32 x 48 px, stored.
    upright = (48, 32) if orientation >= 5 else (32, 48)
    if orientation == 3:
        with pytest.raises(AnnotationError, match="save it upright without EXIF data"):
            load_annotations(coco(tmp_path, upright))
        return
    x, y = np.moveaxis(POINTS, -1, 0)
    expected = {1: (x, y), 6: (y, 47 - x), 8: (31 - y, x)}[orientation]
    points = points_of(coco(tmp_path, upright))
    np.testing.assert_allclose(points, np.stack(expected, -1), atol=1e-4)
    np.testing.assert_allclose(points_of(coco(tmp_path, (32, 48))), POINTS, atol=1e-4)


def test_coco_numbers_decide_the_order(folder: Path) -> None:
    category = {"id": 1, "name": "face", "keypoints": [str(i + 1) for i in LEXICAL]}
    points = points_of(coco(folder, None, categories=[category]))
    np.testing.assert_allclose(points[:, LEXICAL], POINTS)


def test_folders_of_cvat_and_roboflow(tmp_path: Path) -> None:
    cvat, roboflow = tmp_path / "cvat", tmp_path / "roboflow"
    coco(cvat, None, "annotations/person_keypoints_default.json")
    for place in (cvat / "images" / "default", roboflow / "train", roboflow / "valid"):
        for file in FILES:
            write_image(place / file, np.zeros((190, 200, 3), np.uint8))
    for path in (cvat, cvat / "annotations"):
        faces = load_annotations(path).faces
        assert Path(str(faces[0].image)).resolve() == cvat / "images" / "default" / "f0.png"
    for subset in ("valid", "train"):
        coco(roboflow, None, f"{subset}/_annotations.coco.json")
    data = load_annotations(roboflow)
    assert list(data.subsets) == ["train", "valid"]
    assert data.subsets["valid"][0].image == roboflow / "valid" / "f0.png"
