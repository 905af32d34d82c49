"""Items of a training: label style, negatives, determinism, cooldown."""

from dataclasses import replace

import numpy as np
import torch

from facedots.data.crops import CropDataset
from facedots.data.synthetic import cached_synthetic
from facedots.models.registry import build_model

SPEC = build_model("tiny").spec
FACES = [
    replace(face, label_style=style)
    for face, style in zip(cached_synthetic(10)[:3], ("b", "a", "elsewhere"), strict=True)
]


def test_a_face_without_augmentation_is_one() -> None:
    dataset = CropDataset(FACES, SPEC, label_styles=("a", "b"), negative_fraction=0.9)
    items = [dataset[0, row] for row in range(3)]
    assert [int(item["label_style"]) for item in items] == [1, 0, 0]
    assert [float(item["face"]) for item in items] == [1.0, 1.0, 1.0]
    assert items[0]["crop"].shape == (3, SPEC.input_size, SPEC.input_size)
    assert items[0]["crop"].dtype == torch.uint8


def test_negative_fraction_of_the_crops_has_no_points() -> None:
    dataset = CropDataset(FACES, SPEC, strength=1.0, negative_fraction=0.3)
    items = [dataset[epoch, row] for epoch in range(100) for row in range(3)]
    none = np.array([float(item["face"]) == 0 for item in items])
    assert 0.2 < none.mean() < 0.4
    assert all(
        bool(item["points"].isnan().all()) == negative
        for item, negative in zip(items, none, strict=True)
    )


def test_an_item_depends_on_seed_epoch_and_index_alone() -> None:
    first, second = (CropDataset(FACES, SPEC, strength=1.0, seed=5) for _ in range(2))
    first[0, 0], first[7, 2]
    torch.testing.assert_close(first[3, 1]["crop"], second[3, 1]["crop"])
    assert not torch.equal(first[3, 1]["crop"], first[4, 1]["crop"])


def test_augmentation_is_weaker_in_the_cooldown() -> None:
    dataset = CropDataset(FACES, SPEC, strength=1.0, box_jitter=0.8, cooldown_start=4)
    main, cooldown = (
        CropDataset(FACES, SPEC, strength=1.0, box_jitter=0.8),
        CropDataset(FACES, SPEC, strength=0.25, box_jitter=0.4),
    )
    for epoch, expected in ((3, main), (4, cooldown), (5, cooldown)):
        torch.testing.assert_close(dataset[epoch, 1], expected[epoch, 1], equal_nan=True)
    assert not torch.equal(main[4, 1]["crop"], cooldown[4, 1]["crop"])
