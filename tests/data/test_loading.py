"""Batches repeat from a seed; workers and epochs draw different numbers."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, Dataset, Subset

from facedots.data.augment import RandomAffine, training_augmentation
from facedots.data.dataset import find_generators, make_loader, reseed
from facedots.data.transforms import Compose, RandomCrop, Rescale
from facedots.geometry import CropSpec
from facedots.schema import IBUG68


class Draws(Dataset[dict[str, Any]]):
    """Sixteen samples that are what the transform's generator draws."""

    def __init__(self) -> None:
        self.transform = Compose([Rescale(50), RandomCrop(8, generator=np.random.default_rng(1))])

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = {
            "image": np.zeros((50, 2000, 3), np.uint8),
            "keypoints": np.zeros((1, 2), np.float32),
        }
        place = self.transform(sample)["matrix"][:, 2].tolist()
        return {"index": index, "place": torch.tensor(place)}


Batches = list[tuple[list[int], list[list[float]]]]


def epochs(seed: int, workers: int, count: int = 2) -> list[Batches]:
    loader = make_loader(Draws(), 2, shuffle=True, workers=workers, seed=seed)
    return [
        [(batch["index"].tolist(), batch["place"].tolist()) for batch in loader]
        for _ in range(count)
    ]


@pytest.mark.parametrize("workers", [0, 2])
def test_two_runs_agree_and_epochs_and_seeds_differ(workers: int) -> None:
    first, again, other = epochs(3, workers), epochs(3, workers), epochs(4, workers, count=1)
    assert first == again
    assert sorted(i for indices, _ in first[0] for i in indices) == list(range(16))
    for different in (first[1], other[0]):
        assert [indices for indices, _ in first[0]] != [indices for indices, _ in different]
        assert [places for _, places in first[0]] != [places for _, places in different]


def test_workers_draw_different_numbers() -> None:
    (batches,) = epochs(3, workers=2, count=1)
    # Batches alternate between the workers; were their generators copies, each pair of batches
    # would draw the same.
    assert all(even[1] != odd[1] for even, odd in zip(batches[::2], batches[1::2], strict=True))


def test_reseed_makes_a_sample_a_function_of_its_numbers() -> None:
    generator = np.random.default_rng()
    chain = training_augmentation(CropSpec("box", 1.3), 32, IBUG68, generator)
    points = np.random.default_rng(0).uniform(20, 60, (68, 2)).astype(np.float32)
    sample = {"image": np.full((80, 80, 3), 99, np.uint8), "keypoints": points}

    def draw(*entropy: int) -> tuple[bytes, bytes]:
        reseed(generator, *entropy)
        result = chain(sample)
        return result["image"].tobytes(), result["keypoints"].tobytes()

    first = draw(0, 0, 1)
    assert len({first, draw(0, 0, 2), draw(0, 1, 1), draw(1, 0, 1), draw(0, 1, 0)}) == 5
    assert draw(0, 0, 1) == first


def test_generators_are_found_once_wherever_they_are() -> None:
    shared, own = np.random.default_rng(0), np.random.default_rng(1)
    dataset = Draws()
    chain = training_augmentation(CropSpec("box", 1.3), 32, IBUG68, shared)
    dataset.transform = Compose([chain, RandomCrop(8, generator=own)])
    assert [id(g) for g in find_generators(ConcatDataset([Subset(dataset, [0]), dataset]))] == [
        id(shared),
        id(own),
    ]
    assert find_generators(Rescale(3)) == []


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda chain: pickle.loads(pickle.dumps(chain))])
def test_a_copied_chain_still_shares_one_generator(clone: Any) -> None:
    chain = clone(training_augmentation(CropSpec("box", 1.3), 32, IBUG68, np.random.default_rng(0)))
    assert len(find_generators(chain)) == 1
    assert any(isinstance(step, RandomAffine) for step in chain.transforms)
