"""The laws of errors against errors drawn by them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.faces import isotropic_covariance

from facedots.geometry import Matrix, similarity
from facedots.schema import KeypointSchema
from facedots.uncertainty import (
    confidence,
    ellipse,
    mahalanobis,
    map_covariance,
    negative_log_likelihood,
    positive_part,
    principal_axes,
    prob_within,
    radius_cdf,
    radius_quantile,
    sigma_of,
)

COUNT = 20_000
CLOSE = 0.02
"""Over four standard deviations of a share among so many draws."""

tails = st.one_of(st.none(), st.floats(2.5, 60))
shares = st.floats(0.02, 0.98)
covariances = st.builds(
    lambda long, short, turn: rotated(np.diag([long**2, short**2]), turn),
    st.floats(0.1, 20),
    st.floats(0.1, 20),
    st.floats(0, 360),
)


def rotated(covariance: Matrix, turn: float) -> Matrix:
    linear = similarity(turn, 1.0, (0, 0), (0, 0))[:, :2]
    return np.asarray(linear @ covariance @ linear.T)


def errors(covariance: Matrix, dof: float | None, seed: int = 0) -> Matrix:
    """``(COUNT, 2)``, as textbooks draw them: a Gaussian, for Student's law over the root of a
    chi-squared one.
    """
    generator = np.random.default_rng(seed)
    drawn = generator.normal(size=(COUNT, 2)) @ np.linalg.cholesky(covariance).T
    return (
        drawn if dof is None else drawn * np.sqrt((dof - 2) / generator.chisquare(dof, (COUNT, 1)))
    )


@given(covariances, tails, shares)
def test_a_radius_holds_its_share_of_the_errors(
    covariance: Matrix, dof: float | None, share: float
) -> None:
    drawn = errors(covariance, dof)
    radii = np.sqrt(np.einsum("ni,ij,nj->n", drawn, np.linalg.inv(covariance), drawn))
    assert (radii <= radius_quantile(share, dof)).mean() == pytest.approx(share, abs=CLOSE)


@given(tails, shares)
def test_the_quantile_is_the_inverse_of_the_distribution(dof: float | None, share: float) -> None:
    assert radius_cdf(radius_quantile(share, dof), dof) == pytest.approx(share, rel=1e-9)


@pytest.mark.parametrize("dof", [None, 6.0, 12.0])
def test_the_covariance_of_the_errors_is_the_one_given(dof: float | None) -> None:
    covariance = rotated(np.diag([9.0, 1.0]), 30)
    assert np.cov(errors(covariance, dof).T) == pytest.approx(covariance, abs=0.5)


def test_far_tails_become_a_gaussian() -> None:
    radii = np.linspace(0, 6, 50)
    assert radius_cdf(radii, 1e7) == pytest.approx(radius_cdf(radii, None), abs=1e-6)
    # 1 - (1 + 4 / 2)^-2, by hand.
    assert radius_cdf(2, 4) == pytest.approx(8 / 9)


@given(covariances, tails, st.floats(0.05, 3))
def test_so_many_errors_are_shorter_than_a_distance(
    covariance: Matrix, dof: float | None, reach: float
) -> None:
    distance = reach * float(np.sqrt(np.trace(covariance)))
    shorter = (np.linalg.norm(errors(covariance, dof), axis=1) < distance).mean()
    assert prob_within(covariance, distance, dof) == pytest.approx(shorter, abs=CLOSE)


@given(covariances, tails, st.floats(0, 360), st.floats(0.1, 50))
def test_whereto_an_ellipse_points_does_not_matter(
    covariance: Matrix, dof: float | None, turn: float, distance: float
) -> None:
    assert prob_within(rotated(covariance, turn), distance, dof) == pytest.approx(
        prob_within(covariance, distance, dof), rel=1e-6
    )


def test_what_is_exact_or_unknown_is_so() -> None:
    given_ones = np.stack([np.zeros((2, 2)), np.full((2, 2), np.nan), np.eye(2)])
    assert prob_within(given_ones, [1, 1, 0], None) == pytest.approx([1, np.nan, 0], nan_ok=True)
    # Along a line, the error is one-dimensional: within one standard deviation in 68 % of cases.
    assert prob_within(np.diag([1.0, 0.0]), 1, None) == pytest.approx(0.683, abs=0.01)


def test_confidence_is_about_a_twentieth_of_the_eye_distance() -> None:
    trio = KeypointSchema("trio", ("a", "b", "c"), {"all": (0, 1, 2)}, (1, 0, 2), (), (0, 2))
    points = np.array([[[0, 0], [7, 1], [30, 40]], [[0, 0], [7, 1], [60, 80]]], np.float32)
    covariance = isotropic_covariance([[2.5, 5, np.nan]] * 2)
    sure = confidence(points, covariance, trio, None)
    assert sure.dtype == np.float32
    # The eyes are 50 and 100 pixels apart, so 2.5 and 5 pixels count: 1, 0.5 and 2, 1 standard
    # deviations.
    one, half, two = (1 - np.exp(-(r**2) / 2) for r in (1, 0.5, 2))
    assert sure == pytest.approx(
        np.array([[one, half, np.nan], [two, one, np.nan]]), rel=1e-5, nan_ok=True
    )
    assert (confidence(points, covariance, trio, 4)[:, 0] > sure[:, 0])[0]


@settings(max_examples=30)
@given(covariances, tails, shares)
def test_an_ellipse_holds_its_share_of_the_errors(
    covariance: Matrix, dof: float | None, share: float
) -> None:
    (longer, shorter), angle = ellipse(covariance, share, dof)
    along = errors(covariance, dof) @ similarity(float(angle), 1, (0, 0), (0, 0))[:, :2]
    inside = ((along / (longer, shorter)) ** 2).sum(axis=1) <= 1
    assert inside.mean() == pytest.approx(share, abs=CLOSE)


@given(covariances)
def test_axes_give_the_covariance_back(covariance: Matrix) -> None:
    lengths, angle = principal_axes(covariance)
    assert lengths[0] >= lengths[1] >= 0
    assert rotated(np.diag(lengths**2), float(angle)) == pytest.approx(
        covariance, rel=1e-6, abs=1e-6
    )


@given(covariances, st.floats(0, 360), st.floats(0.1, 10))
def test_a_covariance_moves_with_its_errors(covariance: Matrix, turn: float, zoom: float) -> None:
    matrix = similarity(turn, zoom, (3, 4), (5, 6))
    moved = errors(covariance, None) @ matrix[:, :2].T
    scale = zoom**2 * np.trace(covariance)
    assert map_covariance(matrix, covariance) / scale == pytest.approx(
        np.cov(moved.T) / scale, abs=0.05
    )
    assert sigma_of(map_covariance(matrix, covariance)) == pytest.approx(
        zoom * sigma_of(covariance), rel=1e-5
    )


def test_round_covariances_and_sigmas_belong_together() -> None:
    sigma = np.array([[0.5, 3], [np.nan, 0]], np.float32)
    assert sigma_of(isotropic_covariance(sigma)) == pytest.approx(sigma, nan_ok=True)
    assert np.isnan(isotropic_covariance(np.nan)).all()
    assert sigma_of(np.diag([9.0, 16.0])) == pytest.approx(np.sqrt(12.5))


def test_mahalanobis_by_hand() -> None:
    # Variances 4 and 1 turned by 45 degrees: along (1, 1) one standard deviation is 2, across it is
    # 1.
    turned = [[2.5, 1.5], [1.5, 2.5]]
    along, across = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    assert mahalanobis([2 * along, 3 * across], [turned, turned]) == pytest.approx([1, 3])
    assert np.isnan(mahalanobis([[np.nan, 0]], [np.eye(2)])).all()


def test_likelihood_by_hand() -> None:
    # In the middle of a Gaussian of variances 4 and 9 the density is 1 / (2 pi 6); one standard
    # deviation off, exp(-1/2) of that.
    spread = np.diag([4.0, 9.0])
    values = negative_log_likelihood([[0, 0], [2, 0], [0, 3]], [spread] * 3, None)
    assert values == pytest.approx(np.log(12 * np.pi) + np.array([0, 0.5, 0.5]))
    # With 4 degrees of freedom: density 1 / (2 pi) * 4 / 2 at the center, and (1 + 2/2)^-3 of it at
    # a squared radius of 2.
    tailed = negative_log_likelihood([[0, 0], [1, 1]], [np.eye(2)] * 2, 4)
    assert tailed == pytest.approx([np.log(np.pi), np.log(np.pi) + 3 * np.log(2)])


def test_the_true_covariance_is_the_most_likely() -> None:
    errors = np.random.default_rng(0).multivariate_normal([0, 0], [[4, 1], [1, 2]], 5000)
    mean = {
        scale: negative_log_likelihood(errors, scale * np.array([[4, 1], [1, 2]]), None).mean()
        for scale in (0.7, 1, 1.4)
    }
    assert min(mean, key=mean.__getitem__) == 1


def test_positive_part_leaves_a_covariance_alone_and_raises_what_is_below_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(100, 2, 2, generator=generator)
    valid = root @ root.transpose(1, 2)
    torch.testing.assert_close(positive_part(valid), valid, rtol=1e-3, atol=1e-4)
    symmetric = root + root.transpose(1, 2)
    values, vectors = torch.linalg.eigh(symmetric)
    expected = vectors @ torch.diag_embed(values.clamp(min=0)) @ vectors.transpose(1, 2)
    torch.testing.assert_close(positive_part(symmetric), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dof", [None, 5.0])
def test_tensors_and_arrays_give_the_same(dof: float | None) -> None:
    rng = np.random.default_rng(0)
    root, drawn = rng.normal(size=(50, 2, 2)), rng.normal(size=(50, 2))
    covariance = root @ root.transpose(0, 2, 1)
    pair = torch.from_numpy(drawn), torch.from_numpy(covariance)
    likelihood = negative_log_likelihood(*pair, dof).numpy()
    assert likelihood == pytest.approx(negative_log_likelihood(drawn, covariance, dof))
    assert positive_part(torch.from_numpy(root + root.transpose(0, 2, 1))).numpy() == pytest.approx(
        positive_part(root + root.transpose(0, 2, 1))
    )
