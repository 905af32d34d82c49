"""CVAT: what an export reads as, that what is written reads back, and that faults are named."""

import json
import re
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facedots.annotations.cvat import CvatFile, cvat_labels, to_cvat
from facedots.errors import AnnotationError
from facedots.geometry import Floats
from facedots.schema import IBUG68, KeypointSchema
from facedots.types import Face, ImageResult

EXPORT = Path(__file__).parent / "exports" / "cvat_task.xml"
FOUR = KeypointSchema(
    "four",
    ("right_eye", "left_eye", "nose", "mouth"),
    {"all": (0, 1, 2, 3)},
    (1, 0, 2, 3),
    ((0, 1),),
    (0, 1),
)
NAN = float("nan")


def make_face(points: Floats, schema: KeypointSchema) -> Face:
    """A face with these points and a sigma of 2 px."""
    covariance = np.tile(np.eye(2, dtype=np.float32) * 4, (len(points), 1, 1))
    confidence = np.full(len(points), 0.5, np.float32)
    return Face(points, covariance, confidence, np.array([0, 0, 9, 9], np.float32), 0.9, schema)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The images of the export; nothing may decode them."""
    for name in ("one.jpg", "group/two.jpg", "nobody.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"no image")
    return tmp_path


def faults(folder: Path, text: str) -> list[str]:
    (folder / "bad.xml").write_text(text)
    with pytest.raises(AnnotationError) as caught:
        CvatFile(folder / "bad.xml").faces(folder, FOUR)
    assert str(folder / "bad.xml") in str(caught.value)
    return caught.value.faults


def skeleton(*points: str) -> str:
    """An export with one image and one skeleton, whose elements are given as ``label x,y``."""
    elements = "".join(
        f'<points label="{label}" outside="0" occluded="0" points="{place}"/>'
        for label, place in (p.split() for p in points)
    )
    image = f'<skeleton label="face">{elements}</skeleton>'
    return f'<annotations><image id="0" name="one.jpg">{image}</image></annotations>'


def test_an_export_is_read_with_its_flags_its_shapes_and_its_order(folder: Path) -> None:
    one, two, three = CvatFile(EXPORT).faces(folder, FOUR)
    # The corner of the image is CVAT's origin. The element that is outside is missing, the occluded
    # one is hidden.
    np.testing.assert_array_equal(
        one.points, np.array([(10, 8), (20.25, 7.5), (15, 11.75), (NAN, NAN)], np.float32)
    )
    assert (one.name, one.group, one.image) == ("one.jpg", "one.jpg", folder / "one.jpg")
    np.testing.assert_array_equal(one.visible, [0, 1, 1, NAN])
    assert two.visible is three.visible is None
    assert two.points.tolist() == [[2, 3], [4, 3], [3, 4], [3, 5]]
    assert three.points.tolist() == [[30, 3], [34, 3], [32, 5], [32, 7]]
    assert [face.name for face in (two, three)] == ["group/two.jpg#1", "group/two.jpg#2"]
    assert {two.group, three.group} == {"group/two.jpg"}


def test_the_zip_file_that_cvat_gives_is_read_too(folder: Path) -> None:
    with zipfile.ZipFile(folder / "task.zip", "w") as archive:
        archive.write(EXPORT, "annotations.xml")
    assert len(CvatFile(folder / "task.zip").faces(folder, FOUR)) == 3
    with zipfile.ZipFile(folder / "empty.zip", "w") as archive:
        archive.writestr("labels.txt", "")
    with pytest.raises(AnnotationError, match=r"0 files annotations\.xml"):
        CvatFile(folder / "empty.zip").faces(folder, FOUR)


def test_elements_may_be_numbers_from_1_as_cvat_calls_them_by_itself(folder: Path) -> None:
    (folder / "numbers.xml").write_text(skeleton("2 5.5,6.5", "1 1.5,2.5", "4 9.5,9.5"))
    (face,) = CvatFile(folder / "numbers.xml").faces(folder, FOUR)
    np.testing.assert_array_equal(face.points, [(1, 2), (5, 6), (NAN, NAN), (9, 9)])


# Points may lie outside the image; a whole face may be missing.
PLACES = arrays(
    np.float32, (2, 4, 2), elements=st.one_of(st.just(NAN), st.floats(-50, 4000, width=32))
)


@settings(max_examples=30)
@given(points=PLACES, name=st.text("abc é&<>\"'#1", min_size=1, max_size=8))
def test_what_is_written_reads_back_to_a_hundredth(
    tmp_path_factory: pytest.TempPathFactory, points: Floats, name: str
) -> None:
    root = tmp_path_factory.getbasetemp()
    (root / f"{name}.jpg").touch()
    points[np.isnan(points).any(axis=2)] = NAN
    (root / "other.jpg").touch()
    other = np.ones((4, 2), np.float32)
    visibility = np.array([0.2, 0.5, 0.49, 0.9], np.float32)
    faces = [replace(make_face(face, FOUR), visibility=visibility) for face in points]
    results = [
        ImageResult(f"{name}.jpg", 4000, 3000, faces),
        ImageResult("none.jpg", 9, 9, []),
        ImageResult("other.jpg", 9, 9, [make_face(other, FOUR)]),
    ]
    (root / "written.xml").write_text(to_cvat(results, FOUR), encoding="utf-8")
    *read, last = CvatFile(root / "written.xml").faces(root, FOUR)
    kept = [face for face in points if not np.isnan(face).all()]
    assert len(read) == len(kept)
    assert all(face.image == root / f"{name}.jpg" for face in read)
    for face, expected in zip(read, kept, strict=True):
        np.testing.assert_allclose(face.points, expected, atol=0.00501, rtol=1e-6)
        known = np.isfinite(expected[:, 0])
        seen = np.ones(4) if face.visible is None else face.visible
        np.testing.assert_array_equal(seen[known], np.array([0, 1, 0, 1])[known])
    assert last.points.tolist() == other.tolist()


def test_a_missing_point_is_written_where_people_find_it_and_hidden() -> None:
    points = np.array([(0, 0), (4, 0), (2, 6), (NAN, NAN)], np.float32)
    root = ET.fromstring(to_cvat([ImageResult("a.jpg", 40, 30, [make_face(points, FOUR)])], FOUR))
    elements = root.findall("image/skeleton/points")
    assert [(e.get("label"), e.get("outside"), e.get("points")) for e in elements] == [
        ("right_eye", "0", "0.50,0.50"),
        ("left_eye", "0", "4.50,0.50"),
        ("nose", "0", "2.50,6.50"),
        ("mouth", "1", "2.50,2.50"),
    ]
    assert root.findtext("image/skeleton/attribute") == "2.00"


def test_the_labels_are_what_cvats_constructor_takes() -> None:
    places = np.array([(0, 0), (10, 0), (5, 5), (NAN, NAN)], np.float32)
    (label,) = json.loads(cvat_labels(FOUR, places))
    assert (label["name"], label["type"]) == ("face", "skeleton")
    assert [(sub["name"], sub["type"]) for sub in label["sublabels"]] == [
        (name, "points") for name in FOUR.names
    ]
    # The elements of an SVG, not an SVG; ids are whole numbers from 1, and names must find their
    # sublabels.
    drawing = ET.fromstring(f"<svg>{label['svg']}</svg>")
    nodes, edges = drawing.findall("circle"), drawing.findall("line")
    assert [node.get("data-label-name") for node in nodes] == list(FOUR.names)
    assert [node.get("data-node-id") for node in nodes] == ["1", "2", "3", "4"]
    assert [(edge.get("data-node-from"), edge.get("data-node-to")) for edge in edges] == [
        ("1", "2")
    ]
    assert [(node.get("cx"), node.get("cy")) for node in nodes] == [
        ("5.00", "27.50"),
        ("95.00", "27.50"),
        ("50.00", "72.50"),
        ("50.00", "50.00"),
    ]


def test_the_labels_of_the_68_points_have_68_different_names() -> None:
    rng = np.random.default_rng(0)
    (label,) = json.loads(
        cvat_labels(IBUG68, np.asarray(rng.normal(size=(IBUG68.count, 2)), np.float32))
    )
    assert len(set(re.findall(r'data-label-name="(\w+)"', label["svg"]))) == IBUG68.count
    assert label["svg"].count("<line") == len(IBUG68.edges)


def test_all_faults_are_named_at_once(folder: Path) -> None:
    text = EXPORT.read_text().replace('label="nose" source="file"', 'label="tail" source="file"')
    text = text.replace(
        'label="left_eye" source="file"', 'label="right_eye" source="file"'
    ).replace("20.75,8.00", "x,y")
    text = text.replace(";32.50,7.50", "").replace('name="group/two.jpg"', 'name="gone.jpg"')
    found = faults(folder, text)
    assert found == [
        "image one.jpg, skeleton face: 'tail' is no point of the schema four",
        "image one.jpg, skeleton face: the point 'right_eye' is there twice",
        "image one.jpg, skeleton face: 'right_eye': two finite numbers expected, not 'x,y'",
        "image gone.jpg, points face: 4 points expected (schema four), found 3",
        f"image gone.jpg: no image {folder / 'gone.jpg'}; "
        "put it back, or take it out of the export",
    ]


def test_an_export_of_another_schema_is_refused(folder: Path) -> None:
    (folder / "four.xml").write_text(skeleton("right_eye 1,1"))
    with pytest.raises(AnnotationError, match="'right_eye' is no point of the schema ibug68"):
        CvatFile(folder / "four.xml").faces(folder)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not an XML file"),
        ("<annotations>", "not an XML file"),
        ("<annotation><filename>one.jpg</filename></annotation>", "CVAT for images 1.1"),
        ('<annotations><track id="0" label="face"/></annotations>', "no face in 0 images"),
        ("<annotations/>", "no face in 0 images"),
        ('<annotations><image id="0" name="one.jpg"/></annotations>', "no face in 1 images"),
    ],
)
def test_other_files_are_refused(folder: Path, text: str, fault: str) -> None:
    (found,) = faults(folder, text)
    assert fault in found


def test_an_image_that_stands_in_two_tasks_is_refused(folder: Path) -> None:
    image = skeleton("nose 1,1").removeprefix("<annotations>").removesuffix("</annotations>")
    (found,) = faults(
        folder, f"<annotations>{image}{image.replace('one.jpg', 'batch/one.jpg')}</annotations>"
    )
    again = f"{folder / 'one.jpg'} stands in image one.jpg already; export one of the two"
    assert found == f"image batch/one.jpg: {again}"


def test_a_missing_file_is_named(folder: Path) -> None:
    with pytest.raises(
        AnnotationError, match=r"none\.xml: 1 fault\n  cannot be read: No such file"
    ):
        CvatFile(folder / "none.xml").faces(folder)


def test_images_without_a_shape_are_empty(folder: Path) -> None:
    file = CvatFile(EXPORT)
    file.faces(folder, FOUR)
    assert file.empty == ["nobody.jpg"]
    (folder / "nobody.jpg").unlink()
    assert len(file.faces(folder, FOUR)) == 3
    assert file.empty == []
