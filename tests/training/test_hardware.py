"""What torch computes with."""

import torch

from facedots.training.hardware import denormals_flushed


def test_numbers_too_small_for_a_normal_float_are_zero_for_a_while() -> None:
    small = torch.full((8,), 1e-37)
    with denormals_flushed():
        assert (small / 100 == 0).all()
    assert (small / 100 > 0).all()
