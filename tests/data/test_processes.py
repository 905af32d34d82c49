"""The shares of several processes; their connection is tested by tests/training/test_processes."""

import pytest

from facedots.data.crops import EpochSampler
from facedots.data.processes import Processes
from facedots.errors import DataError, RecipeError, TrainingError


def batches(size: int, batch: int, count: int, epoch: int) -> list[set[int]]:
    """The faces of each step of all processes together, as loaders that drop the last batch do."""
    shares = []
    for rank in range(count):
        sampler = EpochSampler(size, count, rank, shuffle=True, seed=5, even=True)
        sampler.set_epoch(epoch)
        assert len(sampler) == len(list(sampler))
        shares.append([index for _epoch, index in sampler])
    part = batch // count
    steps = {len(share) // part for share in shares}
    assert len(steps) == 1
    return [
        {index for share in shares for index in share[step * part : (step + 1) * part]}
        for step in range(steps.pop())
    ]


@pytest.mark.parametrize("size", [63, 64, 65, 101])
def test_all_processes_together_have_the_batches_of_one(size: int) -> None:
    for epoch in (0, 3):
        alone = batches(size, 8, 1, epoch)
        assert all(len(batch) == 8 for batch in alone)
        assert batches(size, 8, 2, epoch) == batches(size, 8, 4, epoch) == alone
    assert batches(size, 8, 2, 0) != batches(size, 8, 2, 1)


@pytest.mark.parametrize("size", [5, 6, 7])
def test_no_face_is_validated_twice(size: int) -> None:
    shares = [list(EpochSampler(size, 3, rank, shuffle=False)) for rank in range(3)]
    assert sorted(index for share in shares for _epoch, index in share) == list(range(size))


def test_a_batch_is_divided_or_refused() -> None:
    assert Processes(4).share_of(64) == 16
    with pytest.raises(RecipeError, match="64 cannot be divided among 3 processes; set it to 63 o"):
        Processes(3).share_of(64)
    with pytest.raises(RecipeError, match="set it to 3, or"):
        Processes(3).share_of(2)


def test_no_process_is_left_without_work() -> None:
    Processes(1).check_enough(32, range(4), range(0))
    Processes(2).check_enough(32, range(32), range(2))
    with pytest.raises(RecipeError, match="31 training faces are less than one batch of 32"):
        Processes(2).check_enough(32, range(31), range(2))
    with pytest.raises(RecipeError, match="1 validation faces for 2 processes"):
        Processes(2).check_enough(32, range(32), range(1))


def test_one_process_needs_no_connection() -> None:
    alone = Processes.from_environment()
    with alone.connected():
        assert alone.gather("a") == ["a"]
        assert alone.in_turn(lambda: 3) == 3
        alone.check_same("a", "faces")

    def fail() -> None:
        raise DataError("no data")

    with pytest.raises(DataError, match="no data"):
        alone.in_turn(fail)


def test_a_process_with_other_data_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Processes, "gather", lambda _self, value: [value, value, ("other", "b")])
    with pytest.raises(TrainingError, match=r"^process 2 on b read other faces than process 0 on "):
        Processes(3).check_same("same", "faces")


def test_a_fault_of_another_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["process 0 on a: no disk", ""], ["", ""]])
    monkeypatch.setattr(Processes, "gather", lambda _self, _value: next(answers))
    with pytest.raises(TrainingError, match=r"^process 0 on a: no disk$"):
        Processes(2, rank=1).in_turn(lambda: None)
