import numpy as np
import pytest

from facedots.evaluate.calibration import reliability


def test_bins_by_hand() -> None:
    result = reliability([5, 1, 1, 5, np.nan, 2], [6, 0, 2, 8, 9, np.inf], bins=2)
    assert result.sigma.tolist() == [1, 5]
    # Per axis: sqrt((0 + 4) / 2 / 2), sqrt((36 + 64) / 2 / 2).
    assert result.rms == pytest.approx([1, 5])
    assert result.typical == pytest.approx([1 / 1.17741, 7 / 1.17741], rel=1e-5)


def test_honest_sigma_lies_on_the_diagonal() -> None:
    rng = np.random.default_rng(0)
    sigma = rng.uniform(1, 5, 40_000)
    errors = np.linalg.norm(rng.normal(0, sigma, (2, 40_000)), axis=0)
    result = reliability(sigma, errors)
    assert len(result.sigma) == 10
    assert result.rms == pytest.approx(result.sigma, rel=0.05)
    assert result.typical == pytest.approx(result.sigma, rel=0.05)


def test_fewer_points_than_bins() -> None:
    assert reliability([1, 2], [1, 1]).sigma.tolist() == [1, 2]
    assert len(reliability([np.nan], [1]).sigma) == 0
