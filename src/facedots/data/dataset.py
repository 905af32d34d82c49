"""Annotated faces as PyTorch data sets, and loaders whose batches repeat from a seed."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from facedots.annotations.base import FaceAnnotation, Origin
from facedots.annotations.csv_table import CsvFile
from facedots.errors import ImageError
from facedots.geometry import Image
from facedots.io.headers import most_pixels
from facedots.io.images import read_image
from facedots.schema import IBUG68, KeypointSchema

Sample = dict[str, Any]
"""One face: ``image`` uint8 (H, W, 3) RGB, ``keypoints`` float32 (K, 2) px, ``name`` str,
``label_bias_x`` float px.
"""

Transform = Callable[[Sample], Sample]
"""A function from a sample to a new sample."""


@dataclass(kw_only=True)
class Randomized:
    """Base class of transforms that draw random numbers from their ``generator``."""

    generator: np.random.Generator = field(default_factory=np.random.default_rng, repr=False)


class KeypointsDataset(Dataset[Sample]):
    """Annotated faces as samples, their images read when a sample is accessed, as stored, without
    EXIF orientation, and passed to ``transform``. Every access returns new arrays.

    Example:
        >>> from facedots.data.synthetic import cached_synthetic
        >>> faces = KeypointsDataset(cached_synthetic(10))
        >>> len(faces), faces[0]["keypoints"].shape
        (10, (68, 2))
    """

    def __init__(
        self, annotations: Sequence[FaceAnnotation], transform: Transform | None = None
    ) -> None:
        self.annotations = list(annotations)
        self._max_pixels = most_pixels()  # Also in workers that are started anew.
        self.transform = transform

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, index: int) -> Sample:
        """The sample at ``index``; negative ones count from the end.

        Raises:
            IndexError: There is no such sample.
            ImageError: Its image is missing or cannot be decoded.
        """
        annotation = self.annotations[operator.index(index)]
        try:
            image = read_image(annotation.image, orient=False, max_pixels=self._max_pixels)
        except ImageError as error:
            raise ImageError(f"sample {index} ({annotation.name}): {error}") from error
        sample = self.sample(index, image)
        return self.transform(sample) if self.transform else sample

    def sample(self, index: int, image: Image) -> Sample:
        """The sample at ``index``, before the transform, with its image already in memory."""
        annotation = self.annotations[index]
        return {
            "image": image,
            "keypoints": annotation.points.copy(),
            "name": annotation.name,
            "label_bias_x": annotation.label_bias_x,
        }


class FacialKeypointsDataset(KeypointsDataset):
    """The faces of a CSV file with an image in ``root_dir`` and ``x0, y0, x1, y1, ...`` per row.

    The file gives the coordinates ``origin`` to the center of the top-left pixel.

    Raises:
        AnnotationError: The file has faults; all of them are listed.

    Example:
        >>> faces = FacialKeypointsDataset("faces.csv", "images")  # doctest: +SKIP
        >>> image, points = faces[0]["image"], faces[0]["keypoints"]  # doctest: +SKIP
    """

    def __init__(
        self,
        csv_file: str | Path,
        root_dir: str | Path,
        transform: Transform | None = None,
        *,
        schema: KeypointSchema = IBUG68,
        origin: Origin = (0.0, 0.0),
    ) -> None:
        super().__init__(CsvFile(csv_file).faces(Path(root_dir), schema, origin), transform)


def reseed(generator: np.random.Generator, *entropy: int) -> None:
    """Set a generator to the state of a seed of several whole numbers, as ``(seed, epoch, index)``,
    in whatever order and process samples are made.

    >>> generator = np.random.default_rng()
    >>> reseed(generator, 7, 0, 12); first = generator.random()
    >>> reseed(generator, 7, 0, 12); first == generator.random()
    True
    """
    bits: Any = generator.bit_generator
    bits.state = type(bits)(np.random.SeedSequence(entropy)).state


def find_generators(part: object) -> list[np.random.Generator]:
    """The distinct generators of a data set, a transform or a chain of them, in order: the
    attributes ``generator``, also of ``transform``, ``transforms``, ``dataset`` and ``datasets``.
    """
    generators: dict[int, np.random.Generator] = {}

    def visit(part: object) -> None:
        for inner in part if isinstance(part, (list, tuple)) else ():
            visit(inner)
        generator = getattr(part, "generator", None)
        if isinstance(generator, np.random.Generator):
            generators[id(generator)] = generator
        for name in ("transform", "transforms", "dataset", "datasets"):
            if hasattr(part, name):
                visit(getattr(part, name))

    visit(part)
    return list(generators.values())


def seed_worker(worker_id: int) -> None:
    """A ``worker_init_fn`` that seeds this worker's copies of the transforms' generators, which
    would draw the same numbers in all workers.
    """
    info = get_worker_info()
    if info is not None:
        _seed_all(info.dataset, torch.initial_seed())


def _seed_all(dataset: object, seed: int) -> None:
    for i, generator in enumerate(find_generators(dataset)):
        reseed(generator, seed, i)


def make_loader(
    dataset: Dataset[Any],
    batch_size: int,
    *,
    shuffle: bool = False,
    workers: int = 0,
    seed: int = 0,
    drop_last: bool = False,
) -> DataLoader[Any]:
    """A ``DataLoader`` whose batches depend on the seed and the number of workers only.

    Epochs differ. The transforms' generators are those of :func:`find_generators`; with
    ``workers=0`` they are seeded here, once.
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
