from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facedots.errors import DataError
from facedots.evaluation.context import EvalContext
from facedots.evaluation.result import Evaluation, training_history

Maker = Callable[..., Evaluation]


@pytest.mark.parametrize(
    ("baseline", "history"),
    [(None, {}), (np.array([1.0, np.inf]), {"val_nme": {0.0: 9.5, 1.0: 4.25}})],
)
def test_an_evaluation_is_loaded_as_it_was_saved(
    make_evaluation: Maker,
    tmp_path: Path,
    baseline: np.ndarray | None,
    history: dict[str, dict[float, float]],
) -> None:
    optional = {"true_pupils": np.ones((2, 2, 2)), "pupils_covariance": np.ones((2, 2, 2, 2))}
    fields = {"dof": 5.5, "baseline": baseline, "history": history}
    saved = make_evaluation([0.5, np.nan], 2.0, **fields, **optional if history else {})
    saved.save(tmp_path / "evaluation.npz")
    for path in (tmp_path, tmp_path / "evaluation.npz"):
        loaded = Evaluation.load(path)
        for field in ("baseline", "visible", "visibility", "pupils", *optional):
            np.testing.assert_array_equal(getattr(loaded, field), getattr(saved, field))
        for field in ("true", "predicted", "covariance", "confidence", "score", "squares", "nme"):
            np.testing.assert_array_equal(getattr(loaded, field), getattr(saved, field))
        for field in ("name", "context", "history", "names", "groups", "images", "skipped"):
            assert getattr(loaded, field) == getattr(saved, field)
        assert (loaded.schema, loaded.dof, loaded.missed) == (saved.schema, 5.5, saved.missed)
        for name, values in saved.attributes.items():
            np.testing.assert_array_equal(loaded.attributes[name], values)


@pytest.mark.parametrize("damage", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_damaged_files_are_an_error(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(damage)
    with pytest.raises(DataError, match="facedots evaluate"):
        Evaluation.load(tmp_path / "a.npz")


def test_what_else_can_be_wrong_with_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        Evaluation.load(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(DataError, match="not a file that `facedots evaluate` writes"):
        Evaluation.load(tmp_path / "other.npz")
    np.savez(tmp_path / "newer.npz", about=np.array('{"version": 99}'))
    with pytest.raises(DataError, match="another version"):
        Evaluation.load(tmp_path / "newer.npz")


LOG = """epoch,step,train_loss_step,train_loss_epoch,val_loss,val_nme,lr
0,9,9.0,,,,0.001
0,19,7.0,,,,0.002
0,19,,8.0,5.0,12.0,
1,29,5.0,,,,0.001
1,39,,5.0,4.0,7.5,
2,59,,4.5,4.5,8.0,
,60,,1.0,,,
"""


def test_training_history_is_the_mean_of_each_epoch(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(LOG)
    history = training_history(tmp_path / "metrics.csv")
    assert history["val_nme"] == {1: 12, 2: 7.5, 3: 8}
    assert history["train_loss_step"] == {1: 8, 2: 5}


def test_a_missing_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        training_history(tmp_path / "metrics.csv")


@pytest.mark.parametrize(
    ("sources", "trained", "split", "warned"),
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
    sources: tuple[str, ...], trained: str, split: str, warned: bool
) -> None:
    context = EvalContext("haar", "/data", sources, split, trained_split=trained)
    assert any("too good" in sentence for sentence in context.caveats("net")) == warned


@pytest.mark.parametrize(
    ("style", "of_faces", "expected"),
    [
        ("300w", ("300w", "fgnet"), "in that of fgnet: part"),
        ("300w", ("300w",), ""),
        ("300w", (), ""),
        ("", ("300w",), ""),
    ],
)
def test_another_labeling_style_is_a_caveat(
    style: str, of_faces: tuple[str, ...], expected: str
) -> None:
    context = EvalContext(sources=("custom",), label_style=style, face_styles=of_faces)
    assert len(context.caveats("net")) == bool(expected)
    assert expected in "".join(context.caveats("net"))


@pytest.mark.parametrize(
    ("styles", "advised"), [((), ""), (("300w", "fgnet"), "fgnet"), (("300w", "youtube-faces"), "")]
)
def test_a_style_is_advised_only_where_the_run_has_it(
    styles: tuple[str, ...], advised: str
) -> None:
    context = EvalContext(label_style="300w", run_styles=styles, face_styles=("fgnet",))
    (sentence,) = context.caveats("net")
    assert sentence.startswith("net predicts points in the labeling style of 300w")
    assert (f"--label-style {advised}`" in sentence) == ("export" in sentence) == bool(advised)


def test_worse_than_an_average_face_is_a_caveat(make_evaluation: Maker) -> None:
    better = make_evaluation([1, np.nan], baseline=np.array([20, np.inf]))
    worse = make_evaluation([3, np.nan], baseline=np.array([20, np.inf]))
    assert better.caveats() == better.context.caveats("corner")
    assert worse.caveats()[-1].startswith(
        "corner is worse than an average face put into each box (NME 30.0 % against 20.0 %)"
    )


def test_drawn_faces_are_a_caveat() -> None:
    (sentence,) = EvalContext("haar", "synthetic:20", (), "synthetic").caveats("net")
    assert "drawn by facedots" in sentence
