"""Batches that come out the same again: seeds for transforms, workers and the shuffle."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

_PARTS = ("transform", "transforms", "dataset", "datasets")


def reseed(generator: np.random.Generator, *entropy: int) -> None:
    """Set a generator to the state that the given whole numbers stand for, as ``(seed, epoch, index)``.

    Transforms that share the generator are then functions of those numbers, in whatever order and process samples are made.

    >>> generator = np.random.default_rng()
    >>> reseed(generator, 7, 0, 12); first = generator.random()
    >>> reseed(generator, 7, 0, 12); first == generator.random()
    True
    """
    bits: Any = generator.bit_generator
    bits.state = type(bits)(np.random.SeedSequence(entropy)).state


def generators(part: object) -> list[np.random.Generator]:
    """The distinct generators of a dataset, a transform or a chain of them, in the order of the chain.

    Found as ``.generator``, and wherever ``.transform``, ``.transforms``, ``.dataset`` or ``.datasets`` lead.
    """
    return list({id(generator): generator for generator in _walk(part)}.values())


def _walk(part: object) -> Iterator[np.random.Generator]:
    if isinstance(part, (list, tuple)):
        for inner in part:
            yield from _walk(inner)
    own = getattr(part, "generator", None)
    if isinstance(own, np.random.Generator):
        yield own
    for name in _PARTS:
        inner = getattr(part, name, None)
        if inner is not None:
            yield from _walk(inner)


def seed_worker(worker_id: int) -> None:
    """A ``worker_init_fn``: gives this worker's copy of the transforms' generators states of their own.

    Without it, every worker holds the same copy and draws the same numbers. The states follow from ``torch.initial_seed()``,
    which a ``DataLoader`` sets from its own generator and the worker's number.
    """
    info = get_worker_info()
    if info is not None:
        _seed_all(info.dataset, torch.initial_seed())


def _seed_all(dataset: object, seed: int) -> None:
    for i, generator in enumerate(generators(dataset)):
        reseed(generator, seed, i)


def make_loader(
    dataset: Dataset[Any], batch_size: int, *, shuffle: bool = False, workers: int = 0, seed: int = 0, drop_last: bool = False
) -> DataLoader[Any]:
    """A ``DataLoader`` whose batches, epoch by epoch, follow from the seed and the number of workers.

    Workers stay alive between epochs; their generators run on, so that epochs differ. With ``workers=0`` the dataset's own
    generators are seeded here, once.

    Args:
        dataset: Its transforms' generators are found by :func:`generators`.
        batch_size: Samples a batch.
        shuffle: Draw a new order every epoch.
        workers: Processes that make samples; 0 makes them in this one.
        seed: Decides order and transforms.
        drop_last: Leave out a last batch that is not full.
    """
    if workers == 0:
        _seed_all(dataset, seed)
    return DataLoader(
        dataset,
        batch_size=batch_size,
        shuffle=shuffle,
        num_workers=workers,
        drop_last=drop_last,
        worker_init_fn=seed_worker,
        generator=torch.Generator().manual_seed(seed),
        persistent_workers=workers > 0,
    )
