"""Every registered network keeps the contract that training and export rely on."""

import pytest
import torch

from facedots.errors import RecipeError
from facedots.models import MODELS, build_model
from facedots.models.heads import HeatmapHead, RegressionHead
from facedots.schema import IBUG68


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_network_gives_points_for_any_number_of_crops(name: str) -> None:
    net = build_model(name).eval()
    size, channels = net.spec.input_size, net.spec.channels
    crops = torch.randint(0, 256, (2, channels, size, size), dtype=torch.uint8)
    points, sigma = net.decode(net(net.normalise(crops)))
    assert points.shape == (2, IBUG68.count, 2)
    assert sigma.shape == (2, IBUG68.count)
    assert net.spec.name == name


def test_the_course_network_is_the_textbooks() -> None:
    net = build_model("course")
    assert (net.conv1.in_channels, net.conv1.out_channels, net.conv1.kernel_size) == (1, 32, (3, 3))  # type: ignore[union-attr]
    assert net(torch.zeros(1, 1, 224, 224)).shape == (1, 2 * IBUG68.count)


def test_an_unknown_network_is_refused_with_the_known_names() -> None:
    with pytest.raises(RecipeError, match="course, small"):
        build_model("resnet")


def test_normalise_puts_the_mean_at_zero() -> None:
    net = build_model("small")
    grey = net.normalise(torch.full((1, 3, 4, 4), 255, dtype=torch.uint8))
    torch.testing.assert_close(grey, torch.full((1, 3, 4, 4), 2.0))


def test_a_sharp_map_decodes_to_the_centre_of_its_cell() -> None:
    head = HeatmapHead(8, count=1, grid=16, input_size=128)
    logits = torch.full((1, 1, 16, 16), -50.0)
    logits[0, 0, 3, 10] = 50.0
    points, sigma = head.decode(logits)
    # Cell 10 reaches from 80 to 88 on the scale of pixel edges, so its centre is 83.5 where pixel centres are whole numbers.
    torch.testing.assert_close(points, torch.tensor([[[83.5, 27.5]]]))
    assert float(sigma) == pytest.approx(0.05 * 8)


def test_sigma_is_the_maps_spread_without_the_targets() -> None:
    head = HeatmapHead(8, count=1, grid=16, input_size=128, spread=0.75)
    cells = torch.arange(16.0)
    squared = (cells - 8.0) ** 2
    wide = 2.0
    logits = (-(squared[:, None] + squared[None, :]) / (2 * wide**2))[None, None]
    _, sigma = head.decode(logits)
    assert float(sigma) == pytest.approx(8 * (wide**2 - 0.75**2) ** 0.5, rel=0.01)


def test_regression_decodes_the_edges_of_the_crop() -> None:
    head = RegressionHead(4, 4, count=2, input_size=224, dropout=0.0)
    points, sigma = head.decode(torch.tensor([[-1.0, -1.0, 1.0, 1.0]]))
    torch.testing.assert_close(points, torch.tensor([[[-0.5, -0.5], [223.5, 223.5]]]))
    assert bool(sigma.isnan().all())
