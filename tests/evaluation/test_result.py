from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facedots.errors import DataError
from facedots.evaluation.protocol import Evaluation
from facedots.evaluation.result import EvalContext, Result, caveats, read_result, write_result

SETTING = EvalContext(
    "corner", "ab" * 32, "/data", ("youtube-faces",), "official", "official", "haar"
)
Maker = Callable[..., Evaluation]


@pytest.mark.parametrize(
    ("floor", "history"),
    [(None, None), (np.array([1.0, np.inf]), {"val_nme": {0.0: 9.5, 1.0: 4.25}})],
)
def test_a_result_comes_back_as_it_was(
    make_evaluation: Maker,
    tmp_path: Path,
    floor: np.ndarray | None,
    history: dict[str, dict[float, float]] | None,
) -> None:
    result = Result("corner", make_evaluation([0.5, np.nan], sigma=2.0), SETTING, floor, history)
    write_result(tmp_path / "a.npz", result)
    again = read_result(tmp_path / "a.npz")
    assert (again.name, again.setting, again.history) == ("corner", SETTING, history)
    np.testing.assert_array_equal(again.floor, floor)
    for field in ("true", "predicted", "covariance", "confidence", "score", "squares", "nme"):
        np.testing.assert_array_equal(
            getattr(again.evaluation, field), getattr(result.evaluation, field)
        )
    for field in ("names", "groups", "images", "skipped", "schema", "dof", "missed"):
        assert getattr(again.evaluation, field) == getattr(result.evaluation, field)
    for name, values in result.evaluation.attributes.items():
        np.testing.assert_array_equal(again.evaluation.attributes[name], values)


@pytest.mark.parametrize("damage", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_damaged_files_are_an_error(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(damage)
    with pytest.raises(DataError, match="facedots evaluate"):
        read_result(tmp_path / "a.npz")


def test_what_else_can_be_wrong_with_a_file(make_evaluation: Maker, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_result(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(DataError, match="not what `facedots evaluate` writes"):
        read_result(tmp_path / "other.npz")
    np.savez(tmp_path / "newer.npz", about=np.array('{"version": 99}'))
    with pytest.raises(DataError, match="another version"):
        read_result(tmp_path / "newer.npz")


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
    sources: tuple[str, ...], trained: str, split: str, flattered: bool
) -> None:
    told = caveats(EvalContext("corner", "", "/data", sources, split, trained, "truth"))
    assert any("flatter" in sentence for sentence in told) == flattered


@pytest.mark.parametrize(
    ("style", "sources", "expected"),
    [("300w", ("youtube-faces",), True), ("300w", ("300w",), False), ("", ("300w",), False)],
)
def test_another_style_of_labels_is_told(
    style: str, sources: tuple[str, ...], expected: bool
) -> None:
    told = caveats(
        EvalContext("corner", "", "/data", sources, "official", "official", "truth", style)
    )
    assert any("labels as 300w does" in sentence for sentence in told) == expected
