import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facedots.evaluation.protocol import Evaluation
from facedots.evaluation.report import report_dict, report_markdown, write_report
from facedots.evaluation.result import RESULT_FILE, EvalContext, Result, read_result
from facedots.io.images import read_image

SETTING = EvalContext(
    "corner", "ab" * 32, "/data", ("youtube-faces",), "official", "official", "haar"
)
Maker = Callable[..., Evaluation]


@pytest.fixture(scope="module")
def measured(make_evaluation: Maker) -> Result:
    """Ten faces, the i-th one i/10 px to the right, the last one missed."""
    shifts = [i / 10 for i in range(9)]
    return Result(
        "corner", make_evaluation([*shifts, np.nan], sigma=1.0), SETTING, np.full(10, 20.0)
    )


@pytest.fixture(scope="module")
def written(measured: Result, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
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


def test_images_are_written_and_linked(written: dict[str, Path]) -> None:
    images = [name for name in written if name.endswith(".png")]
    assert images == ["ced.png", "regions.png", "faces.png", "calibration.png"]
    text = written["report.md"].read_text()
    for name in images:
        assert read_image(written[name]).std() > 5
        assert f"({name})" in text
    assert sorted(path.name for path in written["ced.png"].parent.iterdir()) == sorted(written)


def test_the_page_and_the_result_are_written_too(
    written: dict[str, Path], measured: Result
) -> None:
    html = written["report.html"].read_text(encoding="utf-8")
    assert "Report on corner" in html
    assert "official split leaks" in html
    again = read_result(written[RESULT_FILE])
    assert again.evaluation.scores == measured.evaluation.scores


def test_markdown_says_what_a_reader_must_know(measured: Result) -> None:
    text = report_markdown(replace(measured, floor=None), [])
    assert "| NME, mean | 4.00 |" in text
    assert "| NME of the mean shape in the same places | – |" in text
    assert "| points inside their 50 % region, % | 100.00 |" in text
    assert "10 faces measured, 1 of them missed, 1 more skipped" in text
    assert "Boxes from: haar, end to end." in text
    assert "official split leaks" in text
    assert "- test/face_9.png" in text
    assert "- test/bad.png: cannot be read" in text


def test_drawn_faces_are_labeled_as_such(measured: Result) -> None:
    setting = EvalContext("corner", "", "synthetic:20", (), "synthetic", "official", "truth")
    text = report_markdown(replace(measured, setting=setting), [])
    assert "drawn by facedots" in text
    assert "leaks" not in text
    assert "flatter" not in text


def test_network_without_sigma_has_no_calibration(make_evaluation: Maker, tmp_path: Path) -> None:
    result = Result("corner", make_evaluation([1]), SETTING)
    assert "calibration.png" not in write_report(result, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["uncertainty"] is None
    assert "## Uncertainty" not in (tmp_path / "report.md").read_text()


def test_everything_missed_is_still_reported(make_evaluation: Maker, tmp_path: Path) -> None:
    result = Result("corner", make_evaluation([np.nan, np.nan]), SETTING)
    paths = write_report(result, tmp_path)
    assert list(paths) == ["report.html", "report.json", "report.md", "ced.png", RESULT_FILE]
    assert json.loads(paths["report.json"].read_text())["nme"] is None


def test_report_dict_does_not_hide_an_infinite_floor(measured: Result) -> None:
    floor = np.full(10, 30.0)
    floor[9] = np.inf
    assert report_dict(replace(measured, floor=floor))["nme_mean_shape"] == 30
