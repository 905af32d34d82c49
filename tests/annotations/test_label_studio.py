"""Label Studio: what an export reads as, that what is written reads back, and that faults are
named.
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facedots.annotations.label_studio import LabelStudioFile, prediction, to_label_studio
from facedots.annotations.labeling_interface import (
    LabelingInterface,
    label_studio_config,
    parse_interface,
)
from facedots.errors import AnnotationError, DataError
from facedots.geometry import Floats
from facedots.schema import IBUG68, KeypointSchema
from facedots.types import Face, ImageResult

EXPORT = Path(__file__).parent / "exports" / "label_studio.json"
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
    """A face with these points, each of which is sure to 75 %."""
    covariance = np.tile(np.eye(2, dtype=np.float32), (len(points), 1, 1))
    confidence = np.full(len(points), 0.75, np.float32)
    return Face(points, covariance, confidence, np.array([0, 0, 9, 9], np.float32), 0.9, schema)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The images of the export; nothing may decode them."""
    (tmp_path / "deep").mkdir()
    for name in ("one.jpg", "deep/my photo (1).jpg"):
        (tmp_path / name).write_bytes(b"no image")
    return tmp_path


def faults(folder: Path, change: Callable[[Any], None]) -> list[str]:
    """The faults of the export after a change."""
    tasks = json.loads(EXPORT.read_text())
    change(tasks)
    (folder / "bad.json").write_text(json.dumps(tasks))
    with pytest.raises(AnnotationError) as caught:
        LabelStudioFile(folder / "bad.json").faces(folder, FOUR)
    assert str(folder / "bad.json") in str(caught.value)
    return caught.value.faults


def first(tasks: Any) -> Any:
    """The regions of the first task."""
    return tasks[0]["annotations"][0]["result"]


def third_face(tasks: Any) -> Any:
    """One more point for the second task, inside a rectangle that holds none."""
    return {**tasks[1]["annotations"][0]["result"][3], "id": "p10", "parentID": "face1"}


def test_a_point_put_anew_on_the_only_face_needs_no_rectangle(folder: Path) -> None:
    tasks = json.loads(EXPORT.read_text())
    regions = tasks[1]["annotations"][0]["result"]
    new = {**regions[3], "value": {"x": 51.25, "y": 45, "keypointlabels": ["nose"]}}
    del new["parentID"]
    tasks[1]["annotations"][0]["result"] = [*regions[:2], new]
    (folder / "one.json").write_text(json.dumps(tasks[1:2]))
    (face,) = LabelStudioFile(folder / "one.json").faces(folder, FOUR)
    np.testing.assert_allclose(face.points, [(2, 3), (NAN, NAN), (20, 13), (NAN, NAN)], atol=1e-5)


def test_an_export_is_read_and_what_does_not_count_is_left_out(folder: Path) -> None:
    faces = LabelStudioFile(EXPORT).faces(folder, FOUR)
    # Skipped and unfinished tasks are not there, their images need not be; a point that was deleted
    # is missing.
    assert [face.name for face in faces] == [
        "one.jpg",
        "deep/my photo (1).jpg#1",
        "deep/my photo (1).jpg#2",
    ]
    np.testing.assert_allclose(faces[0].points, [(10, 8), (20, 8), (15, 12), (NAN, NAN)], atol=1e-5)
    # Ground truth counts before what was changed later; points go to the faces whose rectangles
    # they are inside.
    np.testing.assert_allclose(faces[1].points[0], (2, 3), atol=1e-5)
    np.testing.assert_allclose(faces[2].points[0], (30, 3), atol=1e-5)
    assert np.isnan(faces[1].points[1:]).all()
    assert faces[1].group == faces[2].group == "deep/my photo (1).jpg"


def test_without_ground_truth_the_last_change_counts(folder: Path) -> None:
    tasks = json.loads(EXPORT.read_text())
    tasks[1]["annotations"][0]["ground_truth"] = False
    (folder / "two.json").write_text(json.dumps(tasks))
    face = LabelStudioFile(folder / "two.json").faces(folder, FOUR)[-1]
    np.testing.assert_allclose(face.points[0], (35.5, 26.5), atol=1e-5)


PLACES = arrays(
    np.float32, (2, 4, 2), elements=st.one_of(st.just(NAN), st.floats(-50, 4000, width=32))
)


@settings(max_examples=30)
@given(
    points=PLACES, name=st.text("abc é&%?d=+#1", min_size=1, max_size=8), count=st.integers(1, 2)
)
def test_what_is_written_reads_back_to_a_hundredth(
    tmp_path_factory: pytest.TempPathFactory, points: Floats, name: str, count: int
) -> None:
    root = tmp_path_factory.getbasetemp()
    (root / "images").mkdir(exist_ok=True)
    (root / "images" / f"{name}.jpg").touch()
    points[np.isnan(points).any(axis=2)] = NAN
    points[0, 0] = (1, 2)
    if np.isnan(points[1]).all():
        count = 1
    visibility = np.array([0.2, 0.5, 0.49, 0.9], np.float32)
    faces = [replace(make_face(face, FOUR), visibility=visibility) for face in points[:count]]
    results = [
        ImageResult("images/none.jpg", 9, 9, []),
        ImageResult(f"images/{name}.jpg", 333, 777, faces),
    ]
    tasks = json.loads(to_label_studio(results, FOUR, model="small"))
    # A person who finds nothing to correct submits the prediction as it is.
    for task in tasks:
        results_of = [prediction["result"] for prediction in task["predictions"]]
        task.update(
            id=1,
            annotations=[{"result": result, "was_canceled": False} for result in results_of],
            predictions=[],
        )
    for known in (True, False):
        if not known:
            tasks[1]["data"].pop("file")
        (root / "submitted.json").write_text(json.dumps(tasks))
        read = LabelStudioFile(root / "submitted.json").faces(root / "images", FOUR)
        assert {face.image for face in read} == {root / "images" / f"{name}.jpg"}
        np.testing.assert_allclose([face.points for face in read], points[:count], atol=0.002)
        for face in read:
            there = np.isfinite(face.points[:, 0])
            seen = np.ones(4) if face.visible is None else face.visible
            np.testing.assert_array_equal(seen[there], np.array([0, 1, 0, 1])[there])


def test_predictions_carry_confidence_and_only_points_that_are_there() -> None:
    points = np.array([(0, 0), (19.5, 0), (2, 6), (NAN, NAN)], np.float32)
    (task,) = json.loads(
        to_label_studio(
            [ImageResult("a b.jpg", 40, 30, [make_face(points, FOUR)])], FOUR, model="small"
        )
    )
    assert task["data"] == {"image": "/data/local-files/?d=a%20b.jpg", "file": "a b.jpg"}
    (shown,) = task["predictions"]
    # The sigma of 1 px is 5.13 % of the 19.5 px from the first to the second point.
    assert (shown["score"], shown["model_version"]) == (0.9487, "facedots small")
    kinds = [region["type"] for region in shown["result"]]
    assert kinds[-1:] == ["rectanglelabels"], (
        "a rectangle that comes first lies on top of the points"
    )
    points_of = [region for region in shown["result"] if region["type"] == "keypointlabels"]
    assert [region["value"]["keypointlabels"] for region in points_of] == [
        ["right_eye"],
        ["left_eye"],
        ["nose"],
    ]
    assert (points_of[1]["value"]["x"], points_of[1]["score"], points_of[1]["original_width"]) == (
        50,
        0.75,
        40,
    )


def test_the_interface_knows_every_name_that_predictions_use() -> None:
    config = ET.fromstring(label_studio_config(IBUG68))
    labels = config.findall("KeyPointLabels/Label")
    assert [label.get("value") for label in labels] == list(IBUG68.names)
    assert [label.get("model_index") for label in labels] == [str(i) for i in range(IBUG68.count)]
    face = make_face(
        np.ones((IBUG68.count, 2), np.float32)
        * np.arange(IBUG68.count)[:, None].astype(np.float32),
        IBUG68,
    )
    (task,) = json.loads(to_label_studio([ImageResult("a.jpg", 99, 99, [face, face])], IBUG68))
    tags = {tag.get("name"): tag.tag for tag in config.iter() if tag.get("name")}
    assert {
        (region["from_name"], region["to_name"]) for region in task["predictions"][0]["result"]
    } <= {(name, "image") for name in tags}
    assert config.find("Image[@value='$image']") is not None


def view(*tags: str) -> str:
    """A labeling interface of one image with these tags."""
    return f'<View><Image name="photo" value="$url"/>{"".join(tags)}</View>'


def points_tag(*labels: str, name: str = "dots") -> str:
    """Key points; ``label=alias`` is called by its alias in results."""
    parts = [label.partition("=") for label in labels]
    inside = "".join(f'<Label value="{label}" alias="{alias}"/>' for label, _, alias in parts)
    return f'<KeyPointLabels name="{name}" toName="photo">{inside}</KeyPointLabels>'


def rectangles_tag(*labels: str) -> str:
    inside = "".join(f'<Label value="{label}"/>' for label in labels)
    return f'<RectangleLabels name="boxes" toName="photo">{inside}</RectangleLabels>'


def test_the_labels_of_a_project_decide_what_is_predicted() -> None:
    some, other = points_tag("nose", "1=one", "ear"), points_tag("mouth", name="other")
    plain = parse_interface(view(other, some), FOUR)
    assert plain == LabelingInterface("photo", "url", "dots", {0: "one", 2: "nose"})
    choices = (
        '<Choices name="state" toName="photo" perRegion="true"><Choice value="hidden"/></Choices>'
    )
    assert parse_interface(view(some, choices), FOUR).visibility == "state"
    rectangles = rectangles_tag("hat", "Face")
    framed = parse_interface(view(some, rectangles), FOUR)
    assert framed.face_label == "Face"
    assert parse_interface(view(some, rectangles_tag("head")), FOUR).face_label == "head"

    face = make_face(np.array([(0, 0), (20, 0), (2, 6), (3, 8)], np.float32), FOUR)
    result = ImageResult("a.jpg", 40, 30, [face, face])
    regions = prediction(result, plain, "v1")["result"]
    # No rectangle tells faces apart, so only the best is predicted.
    assert [region["value"]["keypointlabels"] for region in regions] == [["one"], ["nose"]]
    assert {(region["from_name"], region["to_name"]) for region in regions} == {("dots", "photo")}
    assert not any("parentID" in region for region in regions)
    both = prediction(result, framed, "v1")["result"]
    assert [region.get("parentID", "") for region in both] == [
        *["face1"] * 2,
        *["face2"] * 2,
        *[""] * 2,
    ]
    assert both[-1]["value"]["rectanglelabels"] == ["Face"]


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ("<View>", "not XML"),
        ('<!DOCTYPE View [<!ENTITY a "aa">]><View>&a;</View>', "document type"),
        ("<View/>", "no KeyPointLabels of an Image with labels right_eye … mouth"),
        (points_tag("nose"), "no KeyPointLabels"),
        (view(points_tag("ear")), "or 1 … 4"),
        (view(points_tag("1"), rectangles_tag("a", "b")), "labels of 'boxes' is a face"),
    ],
)
def test_an_interface_without_the_points_is_refused(config: str, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        parse_interface(config, FOUR)


def test_the_worst_images_have_the_smallest_scores() -> None:
    interface = LabelingInterface.of_schema(FOUR)
    places = np.array([(0, 0), (20, 0), (2, 6), (3, 8)], np.float32)
    good = make_face(places, FOUR)
    bad = replace(good, covariance=good.covariance * 9)
    hopeless = replace(good, covariance=good.covariance * 1e6)
    blind = replace(good, covariance=good.covariance * np.float32(NAN))
    images = [[], [hopeless], [good, bad], [bad], [good]]
    scores = [
        prediction(ImageResult("a.jpg", 40, 30, faces), interface, "")["score"] for faces in images
    ]
    assert scores == [0, 0, 0.85, 0.85, 0.95]
    assert "score" not in prediction(ImageResult("a.jpg", 40, 30, [blind]), interface, "")


def test_all_faults_are_named_at_once(folder: Path) -> None:
    def change(tasks: Any) -> None:
        first(tasks)[0]["value"]["keypointlabels"] = ["tail"]
        first(tasks)[1]["image_rotation"] = 90
        first(tasks).append(first(tasks)[2])
        tasks[1]["annotations"][0]["result"].append(third_face(tasks))
        del tasks[1]["annotations"][0]["result"][1]["parentID"]
        tasks[2]["annotations"][0].update(was_canceled=False, result=first(tasks)[2:3])

    assert faults(folder, change) == [
        "task 7: label 'tail' is no point of the schema four",
        "task 7: the image was turned by 90° in Label Studio; turn it back there",
        "task 7: the point 'nose' is there twice, and no rectangles tell faces apart",
        "task 8: the point 'right_eye' is in no rectangle; "
        "drag it onto its face in the list of regions",
        f"task 9: no image {folder / 'images' / 'skipped.jpg'}; "
        "put it back, or take it out of the export",
    ]


def test_a_broken_task_does_not_hide_the_faults_of_others(folder: Path) -> None:
    def change(tasks: Any) -> None:
        del first(tasks)[0]["original_width"]
        tasks[1]["data"] = {"left": "a.jpg", "right": "b.jpg"}

    assert faults(folder, change) == [
        "task 7: KeyError('original_width') in its structure",
        "task 8: ValueError('which of left, right is the image?') in its structure",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "not a JSON file"),
        (
            '[{"image": "/data/upload/1/a.jpg", "id": 1, "points": [{"x": 1}], "annotator": 1}]',
            "not as JSON-MIN",
        ),
        (
            '{"images": [], "annotations": [], "categories": []}',
            "not a JSON export of Label Studio",
        ),
        ("[]", "no face in 0 images"),
        ('[{"id": 1, "data": {"image": "a.jpg"}, "annotations": []}]', "no face in 0 images"),
    ],
)
def test_other_files_are_refused(folder: Path, text: str, fault: str) -> None:
    (folder / "bad.json").write_text(text)
    with pytest.raises(AnnotationError, match=fault):
        LabelStudioFile(folder / "bad.json").faces(folder, FOUR)
    with pytest.raises(AnnotationError, match="cannot be read"):
        LabelStudioFile(folder / "none.json").faces(folder, FOUR)


def test_images_that_were_submitted_without_a_face_are_empty_and_skipped_ones_are_not(
    folder: Path,
) -> None:
    tasks = json.loads(EXPORT.read_text())
    first(tasks)[:] = []
    (folder / "empty.json").write_text(json.dumps(tasks))
    file = LabelStudioFile(folder / "empty.json")
    assert len(file.faces(folder, FOUR)) == 2
    assert file.empty == ["one.jpg"]
