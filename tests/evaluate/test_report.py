import json
from pathlib import Path

import numpy as np
import pytest

from facedots.evaluate import metrics
from facedots.evaluate.protocol import Evaluation
from facedots.evaluate.report import FACES_PER_ROW, Setting, caveats, chosen_faces, report_dict, report_markdown, write_report
from facedots.geometry import Floats
from facedots.io.images import read_image, write_image
from facedots.schema import KeypointSchema

TRIO = KeypointSchema("trio", ("right_eye", "left_eye", "chin"), {"eyes": (0, 1), "chin": (2,)}, (1, 0, 2), (), (0, 1))
POINTS = np.array([[10, 10], [20, 10], [15, 25]], np.float32)
SETTING = Setting("corner", "ab" * 32, "/data", ("youtube-faces",), "official", "official", "haar")


def evaluation(folder: Path, predicted: Floats, sigma: float = np.nan) -> Evaluation:
    write_image(folder / "face.png", np.full((40, 50, 3), 90, np.uint8))
    count = len(predicted)
    true = np.stack([POINTS] * count)
    return Evaluation(
        names=tuple(f"test/face_{i}.png" for i in range(count)),
        images=(folder / "face.png",) * count,
        true=true,
        predicted=predicted,
        sigma=np.full((count, 3), sigma, np.float32),
        squares=np.tile([15, 17.5, 30], (count, 1)),
        nme=metrics.nme(predicted, true, TRIO),
        skipped=(("test/bad.png", "cannot be read"),),
        scores=metrics.score(predicted, true, TRIO),
        schema=TRIO,
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """Ten faces, the i-th one i/10 px to the right, the last one missed."""
    predicted = np.stack([POINTS + np.array([i / 10, 0], np.float32) for i in range(10)])
    predicted[9] = np.nan
    return evaluation(tmp_path_factory.mktemp("faces"), predicted, sigma=1.0)


@pytest.fixture(scope="module")
def written(measured: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_report(measured, SETTING, tmp_path_factory.mktemp("report") / "new", np.full(10, 20.0))


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
    assert content["missed_names"] == ["test/face_9.png"]
    assert content["skipped"] == [{"name": "test/bad.png", "reason": "cannot be read"}]
    setting = {
        key: content[key]
        for key in ("model", "weights_sha256", "data", "sources", "split", "trained_split", "boxes", "norm_pair")
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


def test_pictures_are_written_and_linked(written: dict[str, Path]) -> None:
    pictures = [name for name in written if name.endswith(".png")]
    assert pictures == ["ced.png", "regions.png", "faces.png", "calibration.png"]
    text = written["report.md"].read_text()
    for name in pictures:
        assert read_image(written[name]).std() > 5
        assert f"({name})" in text
    assert sorted(path.name for path in written["ced.png"].parent.iterdir()) == sorted(written)


def test_markdown_says_what_a_reader_must_know(measured: Evaluation) -> None:
    text = report_markdown(report_dict(measured, SETTING), [])
    assert "| NME, mean | 4.00 |" in text
    assert "| NME of the mean shape in the same places | – |" in text
    assert "10 faces measured, 1 of them missed, 1 more skipped" in text
    assert "Boxes from: haar, end to end." in text
    assert "official split leaks" in text
    assert "- test/face_9.png" in text
    assert "- test/bad.png: cannot be read" in text


def test_drawn_faces_are_labelled_as_such(measured: Evaluation) -> None:
    setting = Setting("corner", "", "synthetic:20", (), "synthetic", "official", "truth")
    text = report_markdown(report_dict(measured, setting), [])
    assert "drawn by facedots" in text
    assert "leaks" not in text
    assert "flatter" not in text


@pytest.mark.parametrize(
    ("sources", "trained", "split", "flattered"),
    [
        (("youtube-faces",), "official", "disjoint:0", True),
        (("300w", "youtube-faces"), "disjoint:1", "disjoint:0", True),
        (("youtube-faces",), "disjoint:0", "disjoint:0", False),
        (("youtube-faces",), "synthetic", "disjoint:0", False),
        (("youtube-faces",), "", "disjoint:0", False),
        # The held-out photos of 300-W are the same in every split.
        (("300w",), "official", "disjoint:0", False),
    ],
)
def test_network_that_was_trained_on_test_faces_is_called_out(
    measured: Evaluation, sources: tuple[str, ...], trained: str, split: str, flattered: bool
) -> None:
    setting = Setting("corner", "", "/data", sources, split, trained, "truth")
    told = caveats(report_dict(measured, setting))
    assert any("flatter" in sentence for sentence in told) == flattered


def test_network_without_sigma_has_no_calibration(tmp_path: Path) -> None:
    assert "calibration.png" not in write_report(evaluation(tmp_path, POINTS[None] + 1), SETTING, tmp_path)


def test_everything_missed_is_still_reported(tmp_path: Path) -> None:
    result = evaluation(tmp_path, np.full((2, 3, 2), np.nan, np.float32))
    paths = write_report(result, SETTING, tmp_path)
    assert list(paths) == ["report.json", "report.md", "ced.png"]
    assert json.loads(paths["report.json"].read_text())["nme"] is None


def test_rows_of_faces_are_best_typical_worst(tmp_path: Path) -> None:
    shifts = np.random.default_rng(0).permutation(31).astype(np.float32)[:, None, None]
    rows = chosen_faces(evaluation(tmp_path, POINTS + 0.1 * shifts * np.array([0, 1], np.float32)))
    errors = {name: [float(face.title.split()[-2]) for face in faces] for name, faces in rows.items()}
    assert errors["best"] == [0, 1, 2, 3, 4, 5]
    assert errors["typical"] == [12, 13, 14, 15, 16, 17]
    assert errors["worst"] == [30, 29, 28, 27, 26, 25]
    assert {len(faces) for faces in rows.values()} == {FACES_PER_ROW}


def test_report_dict_does_not_hide_an_infinite_floor(measured: Evaluation) -> None:
    floor = np.full(10, 30.0)
    floor[9] = np.inf
    assert report_dict(measured, SETTING, floor)["nme_mean_shape"] == 30
