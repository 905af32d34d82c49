import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facedots.errors import DataError
from facedots.evaluation.report import (
    comparison_warnings,
    distinct_names,
    incompatibilities,
    report_dict,
    report_html,
    write_comparison,
    write_report,
)
from facedots.evaluation.result import RESULT_FILE, Evaluation
from facedots.io.images import read_image
from facedots.schema import KeypointSchema

Maker = Callable[..., Evaluation]


@pytest.fixture(scope="module")
def measured(make_evaluation: Maker) -> Evaluation:
    """Ten faces, the i-th one i/10 px to the right, the last one missed."""
    shifts = [i / 10 for i in range(9)]
    return make_evaluation([*shifts, np.nan], sigma=1.0, baseline=np.full(10, 20.0))


@pytest.fixture(scope="module")
def written(measured: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_report(measured, tmp_path_factory.mktemp("report") / "new")


def test_json_holds_the_scores_in_percent_and_the_setting(written: dict[str, Path]) -> None:
    content = json.loads(written["report.json"].read_text())
    # Errors of 0 to 0.8 px over an eye distance of 10 px; nine of ten faces found.
    assert content["n"] == 10
    assert content["missed"] == 1
    assert content["nme"] == pytest.approx(4)
    assert content["nme_median"] == pytest.approx(4.5)
    assert content["fr10"] == 10
    assert content["auc10"] == pytest.approx(100 * 9 * 0.6 / 10)
    assert content["nme_by_region"] == {"eyes": pytest.approx(4), "chin": pytest.approx(4)}
    assert content["shift_px"] == pytest.approx([0.4, 0])
    assert content["nme_mean_shape"] == 20
    # 0.8 px off are 0.8 standard deviations, where the 50 % region reaches 1.18.
    assert content["uncertainty"]["coverage_50"] == 100
    assert set(content["uncertainty"]["by_region"]) == {"eyes", "chin"}
    assert content["missed_names"] == ["test/face_9.png"]
    assert content["skipped"] == [{"name": "test/bad.png", "reason": "cannot be read"}]
    setting = {
        key: content[key]
        for key in (
            "model",
            "weights_sha256",
            "data",
            "sources",
            "split",
            "trained_split",
            "boxes",
            "norm_pair",
        )
    }
    assert setting == {
        "model": "corner",
        "weights_sha256": "ab" * 32,
        "data": "/data",
        "sources": ["youtube-faces"],
        "split": "official",
        "trained_split": "official",
        "boxes": "haar",
        "norm_pair": ["right_eye", "left_eye"],
    }
    assert content["date"].endswith("+00:00")


def test_figures_are_written(written: dict[str, Path]) -> None:
    images = [name for name in written if name.endswith(".png")]
    assert images == ["ced.png", "regions.png", "faces.png", "calibration.png"]
    for name in images:
        assert read_image(written[name]).std() > 5
    assert sorted(path.name for path in written["ced.png"].parent.iterdir()) == sorted(written)


def test_the_page_and_the_result_are_written_too(
    written: dict[str, Path], measured: Evaluation
) -> None:
    html = written["report.html"].read_text(encoding="utf-8")
    assert "Report on corner" in html
    assert "official split leaks" in html
    assert Evaluation.load(written[RESULT_FILE]).accuracy == measured.accuracy


def test_network_without_sigma_has_no_calibration(make_evaluation: Maker, tmp_path: Path) -> None:
    assert "calibration.png" not in write_report(make_evaluation([1]), tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["uncertainty"] is None


def test_hidden_points_and_pupils_are_reported_where_both_tell(
    make_evaluation: Maker, measured: Evaluation
) -> None:
    visible, pupils = np.array([[1, 0, 1]], np.float32), np.ones((1, 2, 2), np.float32)
    covariance = np.broadcast_to(np.eye(2), (1, 2, 2, 2))
    found = {"visible": visible, "visibility": 0.9 * visible, "true_pupils": pupils}
    told = make_evaluation([0], pupils=pupils, pupils_covariance=covariance, **found)
    assert report_dict(told)["visibility"]["hidden_auroc"] == 100
    assert report_dict(told)["pupils"] == {"pupil_nme": 0, "pupil_fr10": 0, "pupil_nees": 0}
    section = "Hidden points and pupils"
    assert section in headings(report_html([told]))
    # In a comparison, the network without them has a dash.
    html = report_html([told, make_evaluation([0], name="other")])
    row = re.search(r">NME of the pupils, %.*?</tr>", html)
    assert row
    assert re.findall(r">([^<]+)</td>", row[0]) == ["0.00", "–"]
    content = report_dict(measured)
    assert content["visibility"] is content["pupils"] is None
    assert section not in headings(report_html([measured]))


def test_everything_missed_is_still_reported(make_evaluation: Maker, tmp_path: Path) -> None:
    paths = write_report(make_evaluation([np.nan, np.nan]), tmp_path)
    assert list(paths) == ["report.html", "report.json", "ced.png", RESULT_FILE]
    assert json.loads(paths["report.json"].read_text())["nme"] is None


def test_the_baseline_is_over_the_faces_found(measured: Evaluation) -> None:
    baseline = np.full(10, 30.0)
    baseline[9] = np.inf
    assert report_dict(replace(measured, baseline=baseline))["nme_mean_shape"] == 30


def headings(html: str) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", html)


def row(html: str, name: str) -> list[str]:
    """The cells of the first row called so."""
    match = re.search(rf'<th scope="row">{re.escape(name)}</th>(.*?)</tr>', html)
    assert match, name
    return re.findall(r"<td[^>]*>(.*?)</td>", match[1])


@pytest.fixture(scope="module")
def one(make_evaluation: Maker) -> Evaluation:
    history = {"train_loss": {0.0: 3.0, 1.0: 2.0}, "val_nme": {0.0: 9.0, 1.0: 5.0}}
    fields = {"name": "one", "baseline": np.full(4, 20.0), "history": history}
    return make_evaluation([0.1, 0.2, 0.9, np.nan], sigma=[0.1, 0.2, 0.3, 1], **fields)


@pytest.fixture(scope="module")
def page(one: Evaluation) -> str:
    return report_html([one])


def test_a_report_has_all_sections_and_each_says_what_it_shows(page: str) -> None:
    assert headings(page) == [
        "What was measured",
        "Scores",
        "Cumulative error",
        "Error by part of the face",
        "Error by kind of image",
        "Uncertainty",
        "People with the largest errors",
        "Example faces",
        "Training",
        "Faces that could not be measured",
        "Abbreviations",
    ]
    parts = re.split(r"<h2", page)[3:-2]
    assert all(re.match(r"[^>]*>[^<]*</h2>\s*<p>", part) for part in parts)


def test_numbers_of_a_report(page: str) -> None:
    assert row(page, "faces measured") == ["4"]
    assert row(page, "NME: mean error, %") == ["4.00"]
    assert row(page, "NME of the worst tenth of the faces, %") == ["9.00"]
    assert row(page, "FR10: failure rate (NME above 10 %), %") == ["25.00"]
    assert row(page, "baseline: NME of an average face in each box, %") == ["20.00"]
    # Sizes 0, 33, 67 and 100 px; the last face was missed.
    assert row(page, "32 to 48 px") == ["1", "2.00"]
    assert row(page, "96 px and more") == ["1", "–"]
    # person_0 has the first two faces, person_1 one that was found.
    assert row(page.split("People with the largest errors")[2], "one") == ["2", "5.25", "9.00"]


def test_images_and_figures_of_a_report(page: str) -> None:
    # Three that were found, and the missed one.
    assert page.count("<img ") == 4
    assert "missed: no box on these faces" in page
    # Curve, regions, slices, reliability, sparsification, training.
    assert page.count("<svg ") == 6


def test_a_comparison_marks_the_best(one: Evaluation, make_evaluation: Maker) -> None:
    other = make_evaluation([0.2, 0.1, 0.3, 0.4], name="two")
    html = report_html([one, other])
    assert "Comparison of one and two" in html
    assert row(html, "NME: mean error, %") == ["4.00", "2.50"]
    assert '<td class="number">4.00</td><td class="number marked">2.50</td>' in html
    assert "not in this section: two" in html
    assert "two: 4.0 %" in html
    assert "Not comparable" not in html


def test_coverage_nearest_to_nominal_is_best(make_evaluation: Maker) -> None:
    # All points inside the 50 % region, half of them, and none.
    evaluations = [make_evaluation([1, 1, 5, 5], s, name=str(s)) for s in (9, 2, 0.1)]
    html = report_html(evaluations)
    cells = (("number", 100), ("number marked", 50), ("number", 0))
    marked = "".join(f'<td class="{name}">{value:.2f}</td>' for name, value in cells)
    # In the summary, and for the eyes and the chin.
    assert html.count(marked) == 3


def test_what_cannot_be_compared_is_called_so(one: Evaluation, make_evaluation: Maker) -> None:
    other = make_evaluation([0.1, 0.2], name="two")
    other = replace(other, context=replace(other.context, boxes="ground-truth"))
    html = report_html([one, other])
    assert "Not comparable: one and two were measured on different faces" in html
    assert "boxes came from different places" in html


def test_without_sigma_people_and_training_their_sections_are_short(make_evaluation: Maker) -> None:
    html = report_html([make_evaluation([1, 2], groups=("", ""), skipped=())])
    assert "without uncertainty, so there is nothing to measure" in html
    assert not {
        "People with the largest errors",
        "Training",
        "Faces that could not be measured",
    } & set(headings(html))


def test_images_that_are_gone_are_no_reason_to_fail(one: Evaluation, tmp_path: Path) -> None:
    html = report_html([replace(one, images=(tmp_path / "gone.png",) * 4)])
    assert "The images of one cannot be shown" in html
    assert "gone.png" in html


def test_groups_are_called_images_where_no_person_is_known(one: Evaluation) -> None:
    html = report_html([replace(one, context=replace(one.context, sources=("custom",)))])
    assert "Images with the largest errors" in headings(html)
    assert "worst 10 % of images" in html
    assert "person or photo" not in html


def test_nothing_found_is_still_a_page(make_evaluation: Maker) -> None:
    html = report_html([make_evaluation([np.nan] * 3)])
    assert row(html, "NME: mean error, %") == ["–"]


def test_a_comparison_of_other_faces_needs_force(
    one: Evaluation, make_evaluation: Maker, tmp_path: Path
) -> None:
    both = [one, make_evaluation([0.1], name="two")]
    with pytest.raises(DataError, match="different faces"):
        write_comparison(both, tmp_path / "page.html")
    write_comparison(both, tmp_path / "page.html", force=True)
    assert "Not comparable" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.fixture
def first(make_evaluation: Maker) -> Evaluation:
    return make_evaluation([0, 1, 2], name="one")


def context(evaluation: Evaluation, **fields: Any) -> Evaluation:
    return replace(evaluation, name="two", context=replace(evaluation.context, **fields))


def test_the_same_faces_are_comparable(first: Evaluation) -> None:
    other = context(first, weights_sha256="cd" * 32, data="/elsewhere")
    assert incompatibilities([first, other]) == []
    assert comparison_warnings([first, other]) == []


def test_other_faces_are_not(first: Evaluation) -> None:
    names = ("test/face_0.png", "test/x.png", "test/y.png")
    other = replace(context(first, split="disjoint:0"), names=names)
    (sentence,) = incompatibilities([first, other])
    assert "youtube-faces, split official with 3 faces" in sentence
    assert "split disjoint:0 with 3" in sentence
    assert "1 are in both" in sentence


def test_other_labels_are_not(first: Evaluation) -> None:
    moved = replace(first, name="two", true=first.true + np.float32(0.5))
    assert incompatibilities([first, moved]) == [
        "one and two were measured on the same faces, but with different labels."
    ]
    gap = first.true.copy()
    gap[0, 2] = np.nan
    assert incompatibilities([first, replace(first, name="two", true=gap)]) != []


def test_other_points_are_not(first: Evaluation) -> None:
    pair = KeypointSchema("pair", ("a", "b"), {"eyes": (0, 1)}, (1, 0), (), (0, 1))
    other = replace(first, name="two", schema=pair)
    assert "different points (trio and pair)" in incompatibilities([first, other])[0]


def test_other_differences_are_warnings(first: Evaluation) -> None:
    true_boxes = context(replace(first), boxes="ground-truth")
    (sentence, *_) = comparison_warnings([true_boxes, replace(first, name="three")])
    assert "two: the tight box of the true points; three: haar" in sentence
    trained = context(first, trained_split="", weights_sha256="")
    assert "one: official; two: unknown" in comparison_warnings([first, trained])[0]
    assert comparison_warnings([first, replace(first, name="two")]) == [
        "one and two are the same weights."
    ]


def test_equal_names_get_a_suffix(first: Evaluation) -> None:
    three = [first, replace(first, name="two"), first]
    assert distinct_names(three, ["out/a", "out/b", "out/c"]) == ["one (a)", "two", "one (c)"]
    assert distinct_names(three, ["x/a", "b", "y/a"]) == ["one (x/a)", "two", "one (y/a)"]
    assert distinct_names(three, ["a", "b", "a"]) == ["one (1)", "two", "one (3)"]
