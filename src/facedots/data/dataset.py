"""Annotated images as PyTorch data sets: annotations are read at once, images when a sample is
asked for.
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from facedots.annotations.base import FaceAnnotation, Origin
from facedots.annotations.coco import read_coco
from facedots.annotations.csv_points import read_csv
from facedots.annotations.pts import read_pts
from facedots.errors import ImageError
from facedots.geometry import Image
from facedots.io.images import read_image
from facedots.schema import IBUG68, KeypointSchema

Sample = dict[str, Any]
"""One face: ``image`` uint8 (H, W, 3) RGB, ``keypoints`` float32 (K, 2) px, ``name`` str,
``label_bias_x`` float px.
"""

Transform = Callable[[Sample], Sample]
"""From a sample to a sample; what training and display put between a data set and a network."""


class KeypointsDataset(Dataset[Sample]):
    """Faces with keypoints, from whatever file the annotations came.

    The image is taken as stored, whatever EXIF says of its orientation: the points refer to the
    stored pixels. Each access reads the file anew and returns arrays of its own, so a caller may
    change them.

    Args:
        annotations: One a sample.
        transform: Applied to each sample.
    """

    def __init__(
        self, annotations: Sequence[FaceAnnotation], transform: Transform | None = None
    ) -> None:
        self.annotations = list(annotations)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, index: int) -> Sample:
        """The sample at ``index``; negative ones count from the end.

        Raises:
            IndexError: There is no such sample.
            ImageError: Its image is missing or cannot be decoded; the message names sample and
                file.
        """
        annotation = self.annotations[operator.index(index)]
        try:
            image = read_image(annotation.image, orient=False)
        except ImageError as error:
            raise ImageError(f"sample {index} ({annotation.name}): {error}") from error
        sample = self.sample(index, image)
        return self.transform(sample) if self.transform else sample

    def sample(self, index: int, image: Image) -> Sample:
        """The sample at ``index`` before the transform, around its image that is in memory already."""
        annotation = self.annotations[index]
        return {
            "image": image,
            "keypoints": annotation.points.copy(),
            "name": annotation.name,
            "label_bias_x": annotation.label_bias_x,
        }

    @staticmethod
    def from_pts(
        folder: str | Path,
        transform: Transform | None = None,
        *,
        schema: KeypointSchema = IBUG68,
        origin: Origin = (1.0, 1.0),
    ) -> "KeypointsDataset":
        """The faces of a folder of ``.pts`` files, see :func:`facedots.annotations.pts.read_pts`."""
        return KeypointsDataset(read_pts(folder, schema, origin), transform)

    @staticmethod
    def from_coco(
        json_file: str | Path,
        root_dir: str | Path,
        transform: Transform | None = None,
        *,
        schema: KeypointSchema = IBUG68,
        origin: Origin = (0.0, 0.0),
    ) -> "KeypointsDataset":
        """The faces of a COCO keypoints file, see :func:`facedots.annotations.coco.read_coco`."""
        return KeypointsDataset(read_coco(json_file, root_dir, schema, origin), transform)


class FacialKeypointsDataset(KeypointsDataset):
    """The faces of a CSV file with an image's name and ``x0, y0, x1, y1, …`` a row.

    Args:
        csv_file: The annotations.
        root_dir: Folder with the images.
        transform: Applied to each sample.
        schema: What the points mean and how many they are.
        origin: The coordinates that the file gives to the center of the top-left pixel.

    Raises:
        AnnotationError: The file has faults; all of them are listed.
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
        super().__init__(read_csv(csv_file, root_dir, schema, origin), transform)


_PARTS = ("transform", "transforms", "dataset", "datasets")


def reseed(generator: np.random.Generator, *entropy: int) -> None:
    """Set a generator to the state that the given whole numbers stand for, as ``(seed, epoch,
    index)``.

    Transforms that share the generator are then functions of those numbers, in whatever order and
    process samples are made.

    >>> generator = np.random.default_rng()
    >>> reseed(generator, 7, 0, 12); first = generator.random()
    >>> reseed(generator, 7, 0, 12); first == generator.random()
    True
    """
    bits: Any = generator.bit_generator
    bits.state = type(bits)(np.random.SeedSequence(entropy)).state


def generators(part: object) -> list[np.random.Generator]:
    """The distinct generators of a dataset, a transform or a chain of them, in the order of the
    chain.

    Found as ``.generator``, and wherever ``.transform``, ``.transforms``, ``.dataset`` or
    ``.datasets`` lead.
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
    """A ``worker_init_fn``: gives this worker's copy of the transforms' generators states of their
    own.

    Without it, every worker holds the same copy and draws the same numbers. The states follow from
    ``torch.initial_seed()``, which a ``DataLoader`` sets from its own generator and the worker's
    number.
    """
    info = get_worker_info()
    if info is not None:
        _seed_all(info.dataset, torch.initial_seed())


def _seed_all(dataset: object, seed: int) -> None:
    for i, generator in enumerate(generators(dataset)):
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
    """A ``DataLoader`` whose batches, epoch by epoch, follow from the seed and the number of
    workers.

    Workers stay alive between epochs; their generators run on, so that epochs differ. With
    ``workers=0`` the dataset's own generators are seeded here, once.

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
