"""The whole audit of small data sets whose faults are known, and its files."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.csv_table import CsvFile
from facedots.annotations.load import ReadOptions, load_annotations
from facedots.audit.audit import Audit, audit_dataset
from facedots.audit.findings import Finding, summarize
from facedots.audit.fix import plan_changes, write_clean
from facedots.audit.image_files import MAX_HAMMING
from facedots.audit.label_order import LEFT_RIGHT_SWAPPED, MIRRORED_POINTS
from facedots.audit.report import audit_json, write_report
from facedots.geometry import Floats, Matrix
from facedots.inference.predictor import KeypointPredictor
from facedots.io.images import read_image, write_image
from facedots.schema import IBUG68, KeypointSchema
from facedots.spec import Predictor

Annotate = Callable[[Matrix], list[FaceAnnotation]]


def finding_of(findings: list[Finding], check: str) -> Finding:
    (finding,) = (one for one in findings if one.check == check)
    return finding


def left_eye_hidden() -> Floats:
    visible = np.ones(IBUG68.count, np.float32)
    visible[list(IBUG68.regions["left_eye"])] = 0
    return visible


@pytest.fixture
def faulty(annotate: Annotate, truth: Matrix, folder: Path, oracle: Any) -> Audit:
    """A moved point (0), swapped left and right (1), a turned label (2), equal files (3, 4), a
    copied label (5, 6).
    """
    labels = truth + np.random.default_rng(4).normal(0, 0.3, truth.shape) + (1.5, 0)
    labels[0, 30] += (0, 8)
    labels[1] = labels[1, list(IBUG68.flip)]
    oracle.truth = truth.copy()
    oracle.truth[2] += (12, 0)
    labels[2] = (labels[2] + (12, 0)) * (-1, 1) + (99, 0)
    labels[4], labels[6] = labels[3], labels[5]
    shutil.copy(folder / "p03.png", folder / "p04.png")
    faces = annotate(labels)
    faces[1] = replace(faces[1], visible=left_eye_hidden()[list(IBUG68.flip)])
    parts = {
        "train": [replace(face, group=f"g{i // 2}") for i, face in enumerate(faces[:40])],
        "test": faces[40:],
    }
    return audit_dataset(parts, IBUG68, oracle, "oracle")


def test_single_faults_are_found(faulty: Audit) -> None:
    names = [permutation and permutation.name for permutation in faulty.permutations]
    assert names[:3] == [None, LEFT_RIGHT_SWAPPED, MIRRORED_POINTS]
    assert not any(names[3:])
    assert faulty.label_outliers.kinds[0] == "points moved"
    assert faulty.label_outliers.points[0] == (30,)
    assert faulty.ranking[:2] in ([1, 2], [2, 1])
    assert faulty.equal_files == [(3, 4)]
    assert faulty.copied_labels == [(5, 6)]


def test_orders_are_corrected_in_the_copy_only(faulty: Audit, truth: Matrix) -> None:
    np.testing.assert_allclose(faulty.ordered[1], truth[1] + (1.5, 0), atol=1.5)
    np.testing.assert_allclose(faulty.ordered[2], truth[2] + (13.5, 0), atol=1.5)
    assert np.abs(faulty.labels[1] - truth[1]).mean() > 5


def test_findings_name_the_faults(faulty: Audit) -> None:
    findings = summarize(faulty)
    assert finding_of(findings, "Equal files").level == "error"
    assert "train/p04.png repeats train/p03.png" in finding_of(findings, "Equal files").text
    assert finding_of(findings, "Points in their order").text.startswith(
        "2 labels in a wrong order: "
    )
    offsets = [finding for finding in findings if finding.check == "Labels lie on the features"]
    assert [finding.level for finding in offsets] == ["error", "error"]
    assert "px to the right" in offsets[0].text
    assert finding_of(findings, "Unique labels").level == "error"
    assert finding_of(findings, "Near duplicates across subsets").level == "ok"
    assert finding_of(findings, "Images can be read").text == "all 60 of them"


def test_only_what_is_certain_is_changed(faulty: Audit) -> None:
    assert [(change.name, change.action) for change in plan_changes(faulty).values()] == [
        ("p01.png", "corrected"),
        ("p02.png", "corrected"),
        ("p04.png", "dropped"),
    ]
    dropped = {
        i
        for i, change in plan_changes(faulty, drop_suspicious=True).items()
        if change.action == "dropped"
    }
    assert {0, 4} <= dropped
    assert not {1, 2} & dropped


def test_the_clean_copy_reads_back_and_lists_its_changes(
    faulty: Audit, folder: Path, tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    train, test, listed = write_clean(faulty, plan_changes(faulty), tmp_path / "clean")
    assert (train.name, test.name) == ("train.csv", "test.csv")
    faces = CsvFile(train).faces(folder)
    assert [face.name for face in faces] == [f"p{i:02}.png" for i in range(40) if i != 4]
    np.testing.assert_allclose(faces[1].points, faulty.ordered[1], atol=0.006)
    np.testing.assert_array_equal(faces[1].visible, left_eye_hidden())
    np.testing.assert_allclose(CsvFile(test).faces(folder)[0].points, faulty.labels[40], atol=0.006)
    content = json.loads(listed.read_text())
    assert (content["corrected"], content["dropped"]) == (2, 1)
    order = content["changes"][0]["order"]
    np.testing.assert_allclose(faulty.labels[1][order], faulty.ordered[1])
    assert content["changes"][1]["mirrored"] is True
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_report_is_one_page_and_two_files(faulty: Audit, tmp_path: Path) -> None:
    files = write_report(
        faulty,
        tmp_path / "report",
        "things <&>",
        "It was trained on nothing.",
        plan_changes(faulty),
    )
    assert sorted(path.name for path in files) == ["audit.json", "faces.csv", "index.html"]
    html = (tmp_path / "report" / "index.html").read_text()
    assert "things &lt;&amp;&gt;" in html
    assert "left and right swapped" in html
    suspicious = int(faulty.label_outliers.flagged.sum())
    assert 3 <= suspicious < 50
    assert f"{suspicious} of {suspicious}. Blue: the label." in html
    assert "no outlier" not in html
    text = finding_of(summarize(faulty), "Labels look right").text
    assert "left and right swapped (1)" in text
    assert "http" not in html.replace("http://www.w3.org", "")
    assert json.loads((tmp_path / "report" / "audit.json").read_text()) == json.loads(
        json.dumps(audit_json(faulty))
    )
    rows = list(csv.DictReader((tmp_path / "report" / "faces.csv").open()))
    assert len(rows) == 60
    assert {rows[0]["kind"], rows[1]["kind"]} == {LEFT_RIGHT_SWAPPED, MIRRORED_POINTS}


def test_near_duplicates_and_people_across_subsets(
    annotate: Annotate, truth: Matrix, folder: Path, oracle: Predictor
) -> None:
    image = read_image(folder / "p00.png")
    brighter = cv2.convertScaleAbs(image, beta=9)
    brighter[0, [0, -1]] = image[0, [0, -1]]
    write_image(folder / "again.png", np.asarray(brighter, np.uint8))
    faces = annotate(truth)
    twice = replace(faces[0], image=folder / "again.png", name="again.png", group="ann")
    audit = audit_dataset(
        {"train": [replace(faces[0], group="ann"), *faces[1:40]], "test": [twice, *faces[40:]]},
        IBUG68,
        oracle,
    )
    (pair,) = audit.near_duplicates
    assert (pair.first, pair.second) == (0, 40)
    assert pair.distance <= MAX_HAMMING
    assert (
        "1 image of test nearly equal to one of train"
        in finding_of(summarize(audit), "Near duplicates across subsets").text
    )
    assert finding_of(summarize(audit), "People in one subset only").level == "error"


def test_other_data_are_only_compared(annotate: Annotate, truth: Matrix, folder: Path) -> None:
    faces = annotate(truth)
    shutil.copy(folder / "p00.png", folder / "copy.png")
    elsewhere = replace(faces[0], image=folder / "copy.png", name="copy.png")
    audit = audit_dataset({"mine": faces[:40]}, IBUG68, against={"exam": [elsewhere, faces[50]]})
    assert audit.subsets == ("mine",)
    assert len(audit.faces) == 40
    assert [
        (audit.images[pair.first].subset, audit.images[pair.second].subset)
        for pair in audit.near_duplicates
    ] == [("mine", "against/exam")]
    (change,) = plan_changes(audit).values()
    assert (change.name, change.action) == ("p00.png", "dropped")
    assert change.reason == "the same file as against/exam/copy.png"
    assert [path.name for path in write_clean(audit, plan_changes(audit), folder / "clean")] == [
        "mine.csv",
        "changes.json",
    ]


def test_two_faces_of_one_photo_in_equal_files_both_stay(
    annotate: Annotate, truth: Matrix, folder: Path
) -> None:
    shutil.copy(folder / "p00.png", folder / "p01.png")
    labels = truth[:2].copy()
    labels[1] += (60, 0)
    assert plan_changes(audit_dataset({"all": annotate(labels)}, IBUG68)) == {}


def test_other_schemas_are_audited_without_the_network(
    annotate: Annotate, truth: Matrix, oracle: Predictor
) -> None:
    few = (0, 8, 16, 30, 36, 45, 48, 54)
    names = (
        "right_ear",
        "chin",
        "left_ear",
        "nose",
        "right_eye",
        "left_eye",
        "right_mouth",
        "left_mouth",
    )
    cat = KeypointSchema(
        "cat8", names, {"head": tuple(range(8))}, (2, 1, 0, 3, 5, 4, 7, 6), ((0, 1), (1, 2)), (4, 5)
    )
    labels = truth[:, list(few)]
    labels[0] = labels[0, list(cat.flip)]
    labels[1, 3] += (0, 12)
    faces = [
        replace(face, points=points.astype(np.float32))
        for face, points in zip(annotate(truth), labels, strict=True)
    ]
    audit = audit_dataset({"cats": faces}, cat, oracle, "oracle")
    assert audit.model == ""
    assert (
        "oracle predicts 68 points of ibug68, not those of cat8"
        in finding_of(summarize(audit), "Labels lie on the features").text
    )
    assert audit.permutations[0] is not None
    assert audit.permutations[0].name == LEFT_RIGHT_SWAPPED
    assert audit.label_outliers.flagged[1]


def test_unreadable_images_and_too_few_faces(
    annotate: Annotate, truth: Matrix, folder: Path, tmp_path: Path
) -> None:
    (folder / "p01.png").write_bytes(b"broken")
    audit = audit_dataset({"tiny": annotate(truth[:3])}, IBUG68)
    assert finding_of(summarize(audit), "Labels look right").level == "skipped"
    assert finding_of(summarize(audit), "Images can be read").level == "error"
    write_report(audit, tmp_path / "report", "tiny", changes=plan_changes(audit))


def test_whole_sets_in_another_order(annotate: Annotate, truth: Matrix, oracle: Predictor) -> None:
    audit = audit_dataset({"all": annotate(truth[:, list(IBUG68.flip)])}, IBUG68, oracle)
    assert all(
        permutation and permutation.name == LEFT_RIGHT_SWAPPED for permutation in audit.permutations
    )
    assert (
        "the data set follows another order"
        in finding_of(summarize(audit), "Points in their order").text
    )


def test_known_faults_of_the_real_data(data_dir: Path) -> None:
    whole = load_annotations(data_dir / "youtube-faces", ReadOptions(origin=(0, 0))).subsets
    people = set(sorted({face.group for face in whole["test"]})[:15])
    parts = {
        part: [face for face in faces if face.group in people] for part, faces in whole.items()
    }
    audit = audit_dataset(parts, IBUG68, KeypointPredictor("small"), "small")
    findings = summarize(audit)
    count = len(parts["test"])
    assert f"test: {count} PNG files" in finding_of(findings, "File names match the format").text
    assert f"test: {count}." in finding_of(findings, "Channels").text
    assert finding_of(findings, "People in one subset only").level == "error"
    assert finding_of(findings, "People in one subset only").text.startswith("15 of 15 people")
    assert finding_of(findings, "Unique file names").text.startswith(f"{count} file names")
    assert all(
        "whole numbers" in answer.text for answer in findings if answer.check == "Exact coordinates"
    )
    assert audit.label_offsets["training"].significant
    assert audit.label_offsets["training"].pixels[0] == pytest.approx(1.2, abs=0.4)
    assert finding_of(findings, "Points in their order").level == "ok"
    assert audit.label_outliers.flagged.mean() < 0.05
