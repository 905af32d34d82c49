"""What a network is fed in training: crops in a random order, each a function of (seed, epoch,
index) alone.

Because nothing else decides a sample, a run that was killed and resumed sees exactly what an
unbroken one sees, with any number of workers.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset, DistributedSampler

from facedots.annotations.base import FaceAnnotation
from facedots.data.augment import training_augmentation
from facedots.data.dataset import KeypointsDataset, Sample, reseed
from facedots.geometry import Image
from facedots.spec import ModelSpec

COOLDOWN_FACTORS = (0.25, 0.5)
"""Shares of augmentation and of jitter that are left in the calm epochs at the end of a training."""

Item = dict[str, torch.Tensor]
"""``crop`` uint8 (C, S, S); ``points`` float32 (K, 2) in pixels of the crop; ``face`` float32, 1
where the crop shows a face that is placed as a detector would, else 0 and without points; ``style``
int64, which way of labeling the points follow.
"""


class FrameCache:
    """Decoded frames of a dataset, kept in memory until a budget is used up."""

    def __init__(self, dataset: KeypointsDataset, budget: float) -> None:
        """
        Args:
            dataset: Without a transform.
            budget: Bytes to keep at most.
        """
        self.dataset, self.budget = dataset, budget
        self.kept: dict[int, Image] = {}

    def __getitem__(self, index: int) -> Sample:
        if index in self.kept:
            return self.dataset.sample(index, self.kept[index])
        sample = self.dataset[index]
        if sample["image"].nbytes <= self.budget:
            self.kept[index] = sample["image"]
            self.budget -= sample["image"].nbytes
        return sample


class CropDataset(Dataset[Item]):
    """Crops of annotated faces for one network; an index is ``(epoch, index)``.

    Args:
        annotations: One a crop.
        spec: Says what the network sees.
        strength: Of the augmentation; 0 gives the crops of test time.
        seed: Decides all randomness, together with epoch and index.
        cache_bytes: Decoded frames to keep in memory.
        jitter: Strength of zoom and shift, where it is another one.
        styles: Names of the label styles; a face's number is looked up here, and one that is not in
            it counts as the first.
        negative_fraction: Share of crops that show no face, or a badly placed one; where
            ``strength`` is above 0.
        calm_from: The epoch from which on ``strength`` and ``jitter`` are :data:`COOLDOWN_FACTORS`
            of what they were.
    """

    def __init__(
        self,
        annotations: list[FaceAnnotation],
        spec: ModelSpec,
        *,
        strength: float = 0.0,
        seed: int = 0,
        cache_bytes: float = 0,
        jitter: float | None = None,
        styles: Sequence[str] = (),
        negative_fraction: float = 0.0,
        calm_from: float = float("inf"),
    ) -> None:
        known = list(styles)
        self.styles = [
            known.index(face.style) if face.style in known else 0 for face in annotations
        ]
        self.frames = FrameCache(KeypointsDataset(annotations), cache_bytes)
        self.count = len(annotations)
        self.gray = spec.channels == 1
        self.seed = seed
        self.generator = np.random.default_rng(seed)
        self.calm_from = calm_from
        self.wild, self.cooldown_fraction = (
            training_augmentation(
                spec.crop,
                spec.input_size,
                spec.schema,
                self.generator,
                strength=part * strength,
                jitter=moved * (strength if jitter is None else jitter),
                negative_fraction=negative_fraction,
            )
            for part, moved in ((1.0, 1.0), COOLDOWN_FACTORS)
        )

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: tuple[int, int]) -> Item:
        epoch, position = index
        reseed(self.generator, self.seed, epoch, position)
        sample = (self.wild if epoch < self.calm_from else self.cooldown_fraction)(
            self.frames[position]
        )
        image = sample["image"]
        planes = (
            cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[None] if self.gray else image.transpose(2, 0, 1)
        )
        return {
            "crop": torch.from_numpy(np.ascontiguousarray(planes)),
            "points": torch.from_numpy(sample["keypoints"]),
            "face": torch.tensor(sample.get("face", 1.0)),
            "style": torch.tensor(self.styles[position]),
        }


class EpochSampler(DistributedSampler[Any]):
    """Indices ``(epoch, index)``, shuffled anew every epoch from the seed, shared out among the
    processes of a training.
    """

    def __iter__(self) -> Iterator[Any]:
        for index in super().__iter__():
            yield self.epoch, index
