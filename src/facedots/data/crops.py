"""Training crops in a random order, each a function of (seed, epoch, index) alone: a run that was
killed and resumed gets the crops of an unbroken one, with any number of workers.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.visibility import seen_points
from facedots.data.augment import training_augmentation
from facedots.data.dataset import KeypointsDataset, Sample, reseed
from facedots.data.transforms import Compose
from facedots.geometry import Image, is_inside
from facedots.spec import ModelSpec

COOLDOWN_FACTORS = (0.25, 0.5)
"""Augmentation and box-jitter factors in the final cooldown epochs; hard cases stay as often."""

Item = dict[str, torch.Tensor]
"""``crop`` uint8 (C, S, S); ``points`` float32 (K, 2) and ``pupils`` float32 (2, 2) in pixels of
the crop; ``visible`` float32 (K,): 1 for points that are seen, 0 for hidden ones, NaN where that is
unknown and outside the crop; ``face`` float32: 1 where the crop shows a well-placed face, else 0,
and what is above is NaN; ``label_style`` int64.
"""


class CropDataset(Dataset[Item]):
    """Crops of annotated faces for one network; an index is ``(epoch, index)``.

    Args:
        annotations: One per crop.
        spec: Crop and input size of the network.
        strength: As ``box_jitter`` and ``negative_fraction``, see
            :func:`~facedots.data.augment.training_augmentation`.
        seed: Decides all randomness, together with epoch and index.
        cache_bytes: Decoded images to keep in memory.
        box_jitter: Strength of zoom and shift.
        label_styles: Names; a face's number is its style's index here, 0 where it is not listed.
        negative_fraction: Of crops without a well-placed face.
        cooldown_start: From this epoch on, :data:`COOLDOWN_FACTORS` apply.

    Example:
        >>> from facedots.data.synthetic import cached_synthetic
        >>> from facedots.models.registry import build_model
        >>> crops = CropDataset(cached_synthetic(10), build_model("tiny").spec, strength=1.0)
        >>> crops[0, 3]["crop"].shape
        torch.Size([3, 112, 112])
    """

    def __init__(
        self,
        annotations: list[FaceAnnotation],
        spec: ModelSpec,
        *,
        strength: float = 0.0,
        seed: int = 0,
        cache_bytes: float = 0,
        box_jitter: float | None = None,
        label_styles: Sequence[str] = (),
        negative_fraction: float = 0.0,
        cooldown_start: float = float("inf"),
    ) -> None:
        index = {style: number for number, style in enumerate(label_styles)}
        self.label_styles = [index.get(face.label_style, 0) for face in annotations]
        self.faces = KeypointsDataset(annotations)
        self.gray = spec.channels == 1
        self.seed, self.cooldown_start = seed, cooldown_start
        self.generator = np.random.default_rng(seed)
        self._cache: dict[int, Image] = {}
        self._cache_bytes = cache_bytes

        def augmentation(factor: float, jitter_factor: float) -> Compose:
            return training_augmentation(
                spec.crop,
                spec.input_size,
                spec.schema,
                self.generator,
                strength=factor * strength,
                box_jitter=jitter_factor * (strength if box_jitter is None else box_jitter),
                hard_cases=strength,
                negative_fraction=negative_fraction,
            )

        self.augment_main = augmentation(1.0, 1.0)
        self.augment_cooldown = augmentation(*COOLDOWN_FACTORS)

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, index: tuple[int, int]) -> Item:
        """The crop of face ``index[1]`` as it is drawn in epoch ``index[0]``."""
        epoch, row = index
        reseed(self.generator, self.seed, epoch, row)
        augment = self.augment_main if epoch < self.cooldown_start else self.augment_cooldown
        sample = augment(self._sample(row))
        image = sample["image"]
        if self.gray:
            image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
        points = sample["keypoints"]
        outside = ~np.isnan(points).any(axis=1) & ~is_inside(points, *image.shape[:2])
        return {
            "crop": torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
            "points": torch.from_numpy(points),
            "pupils": torch.from_numpy(sample["pupils"]),
            "visible": torch.from_numpy(np.where(outside, np.float32("nan"), sample["visible"])),
            "face": torch.tensor(sample.get("face", 1.0)),
            "label_style": torch.tensor(self.label_styles[row]),
        }

    def _sample(self, row: int) -> Sample:
        """The face with its whole image, from the cache where possible, and all that is labeled."""
        if row in self._cache:
            sample = self.faces.sample(row, self._cache[row])
        else:
            sample = self.faces[row]
            if sample["image"].nbytes <= self._cache_bytes:
                self._cache[row] = sample["image"]
                self._cache_bytes -= sample["image"].nbytes
        face = self.faces.annotations[row]
        pupils = np.full((2, 2), np.nan, np.float32) if face.pupils is None else face.pupils.copy()
        visible = seen_points(face, *sample["image"].shape[:2])
        box = {} if face.box is None else {"box": face.box}
        return {**sample, "pupils": pupils, "visible": visible, "face": float(face.is_face), **box}


class EpochSampler(Sampler[tuple[int, int]]):
    """Indices ``(epoch, index)``, shuffled every epoch from the seed; of several processes, each
    gets every n-th one. Their batches together are those of a single process, in the same order.

    Args:
        size: Of the data set.
        count: Processes.
        rank: This one, from 0.
        shuffle: Else the order is that of the data set.
        seed: With the epoch, decides the order.
        even: Leave the last indices out, so that all processes get equally many; else each index
            is one process's.

    Example:
        >>> [index for _epoch, index in EpochSampler(5, count=2, rank=1, shuffle=False)]
        [1, 3]
    """

    def __init__(
        self,
        size: int,
        count: int = 1,
        rank: int = 0,
        *,
        shuffle: bool,
        seed: int = 0,
        even: bool = False,
    ) -> None:
        self.size, self.shuffle, self.seed, self.epoch = size, shuffle, seed, 0
        self._share = slice(rank, size - size % count if even else size, count)

    def set_epoch(self, epoch: int) -> None:
        """Take the order of another epoch; Lightning calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(range(self.size)[self._share])

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = list(range(self.size))
        if self.shuffle:
            generator = torch.Generator().manual_seed(self.seed + self.epoch)
            order = torch.randperm(self.size, generator=generator).tolist()
        for index in order[self._share]:
            yield self.epoch, index
