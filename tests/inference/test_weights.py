import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from facedots.detection.finder import Finder
from facedots.errors import WeightsError
from facedots.geometry import Image
from facedots.inference import weights
from facedots.inference.predictor import KeypointPredictor
from facedots.inference.session import Session
from facedots.inference.weights import FOLDER, WEIGHTS, weights_file
from facedots.inspection.layers import load_model
from facedots.io.pinned import MAX_BYTES, WeightFile, pinned_weights
from facedots.schema import IBUG68
from facedots.types import VISIBLE


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A folder as the package has one, with a network called ``tiny``."""
    shutil.copy(tiny_model, tmp_path)
    digest = hashlib.sha256(tiny_model.read_bytes()).hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{digest}  tiny.onnx\n{'0' * 64}  lost.onnx\n")
    return tmp_path


def test_reads_the_list_that_sha256sum_writes(folder: Path) -> None:
    pinned = pinned_weights(folder)
    assert list(pinned) == ["tiny", "lost"]
    assert pinned["tiny"].name == "tiny"
    assert pinned["tiny"].read() == (folder / "tiny.onnx").read_bytes()


def test_a_folder_without_a_list_has_no_weights(tmp_path: Path) -> None:
    assert dict(pinned_weights(tmp_path)) == {}


def test_a_line_that_is_not_understood_is_an_error(folder: Path) -> None:
    (folder / "SHA256SUMS").write_text("12345  tiny.onnx\n")
    with pytest.raises(WeightsError, match=r"SHA256SUMS: line 1"):
        pinned_weights(folder)


def test_a_changed_or_missing_file_is_refused(folder: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"lost\.onnx: cannot be read: No such file.*install facedots again"
    ):
        pinned_weights(folder)["lost"].read()
    data = bytearray((folder / "tiny.onnx").read_bytes())
    data[100] ^= 1
    (folder / "tiny.onnx").write_bytes(data)
    with pytest.raises(WeightsError, match=r"tiny\.onnx: damaged"):
        pinned_weights(folder)["tiny"].read()


def test_a_network_is_opened_by_name_or_by_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "WEIGHTS", pinned_weights(folder))
    for model in ("tiny", folder / "tiny.onnx", str(folder / "tiny.onnx")):
        assert Session(model).spec.name == "tiny"


def test_a_name_of_a_damaged_file_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "WEIGHTS", {"tiny": WeightFile(folder / "tiny.onnx", "0" * 64)})
    with pytest.raises(WeightsError, match="damaged"):
        Session("tiny")


def test_a_damaged_file_that_ships_is_refused_by_its_path_and_by_a_link_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path, link = folder / "tiny.onnx", tmp_path_factory.mktemp("links") / "other.onnx"
    link.symlink_to(path)
    monkeypatch.setattr(weights, "WEIGHTS", {"tiny": WeightFile(path, "0" * 64)})
    for model in ("tiny", path, str(path), link):
        for use in (Session, KeypointPredictor, load_model):
            with pytest.raises(WeightsError, match=r"tiny\.onnx: damaged.*install facedots again"):
                use(model)


@pytest.mark.parametrize("use", [Session, Finder])
def test_a_file_too_large_for_a_network_is_refused(
    use: Callable[[Path], object], tmp_path: Path
) -> None:
    sparse = tmp_path / "huge.onnx"
    with sparse.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(WeightsError, match=r"huge\.onnx: over 256 MB, too large"):
        use(sparse)


def test_an_unknown_name_lists_the_known_ones(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "WEIGHTS", pinned_weights(folder))
    with pytest.raises(WeightsError, match=r"big: no such network; there are tiny, lost"):
        Session("big")


def test_the_folder_of_a_run_without_an_onnx_file_tells_how_to_write_and_use_it(
    tmp_path: Path,
) -> None:
    export = "facedots export RUN --out RUN/model.onnx"
    recipe = tmp_path / "recipe.yaml"
    for model, is_a_finder in (("tiny", False), ("finder", True)):
        recipe.write_text(f"model: {model}\n")
        with pytest.raises(WeightsError, match=export) as caught:
            weights_file(tmp_path)
        use = f"--detector finder --detector-file {tmp_path / 'model.onnx'}"
        assert (use in str(caught.value)) == is_a_finder


def test_those_of_faces_see_what_is_hidden_and_find_the_pupils(hopper: Image) -> None:
    older = {"small-ytf", "small-ytf-int8", "baseline"}
    for name in WEIGHTS:
        predictor = KeypointPredictor(name)
        assert predictor.predicts_visibility == predictor.predicts_pupils == (name not in older)
        found = predictor.predict(hopper, [[194, 132, 340, 290]])
        if found.pupils is None or found.visibility is None:
            continue
        assert (found.visibility >= VISIBLE).mean() > 0.8
        for side, pupil in zip(("right_eye", "left_eye"), found.pupils[0], strict=True):
            lids = found.points[0, list(IBUG68.regions[side])]
            assert (lids.min(axis=0) - 2 < pupil).all()
            assert (pupil < lids.max(axis=0) + 2).all()


def test_what_ships_is_pinned_whole_small_and_says_what_it_is() -> None:
    assert sorted(file.stem for file in FOLDER.glob("*.onnx")) == sorted(WEIGHTS)
    # The project allows 25 MB, history included.
    assert sum(file.path.stat().st_size for file in WEIGHTS.values()) < 12.5e6
    for name in WEIGHTS:
        session = Session(name)
        assert session.spec.name == name.split("-")[0], (
            "small-int8 and small-ytf are networks `small`"
        )
        card = session.card
        assert card.title
        assert card.license
        assert card.trained_on
        assert card.scores
