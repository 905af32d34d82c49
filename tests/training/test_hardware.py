"""What torch computes with."""

from collections.abc import Iterator

import pytest
import torch

from facedots.training.hardware import prepare_cpu


@pytest.fixture
def restored() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.mark.usefixtures("restored")
def test_numbers_too_small_for_a_normal_float_are_zero() -> None:
    small = torch.full((8,), 1e-37)
    assert (small / 100 > 0).all()
    prepare_cpu(1)
    assert torch.get_num_threads() == 1
    assert (small / 100 == 0).all()
