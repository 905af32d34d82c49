"""Items of a training: label style, negatives, determinism, cooldown."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from facedots.data.augment import RandomAffine
from facedots.data.closed_eyes import CloseEyes
from facedots.data.crops import CropDataset
from facedots.data.occluders import OccludeFace
from facedots.data.photometric import Blur, ColorJitter, JpegCompression
from facedots.data.synthetic import cached_synthetic
from facedots.data.turned_heads import TurnHead
from facedots.geometry import tight_boxes
from facedots.models.registry import build_model
from facedots.models.residual import FACE_CROP

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


def test_pupils_move_with_the_points_and_swap_in_a_mirror_image() -> None:
    outer_corners = [36, 45]
    faces = [replace(face, pupils=face.points[outer_corners]) for face in FACES]
    dataset = CropDataset(faces, SPEC, strength=1.0, negative_fraction=0.2)
    known = 0
    for epoch in range(20):
        item = dataset[epoch, epoch % 3]
        corners = item["points"][outer_corners]
        pupils = item["pupils"].isfinite()  # not in a negative crop, nor under closed lids
        torch.testing.assert_close(item["pupils"][pupils], corners[pupils], atol=1e-3, rtol=0)
        known += int(pupils.sum())
    assert known > 20
    assert bool(CropDataset(FACES, SPEC)[0, 0]["pupils"].isnan().all())


def test_points_are_visible_where_they_are_in_the_image_and_known_in_the_crop() -> None:
    points = FACES[0].points.copy()
    points[5], points[20] = np.nan, (-3, 40)
    faces = [replace(FACES[0], points=points)]
    visible = CropDataset(faces, SPEC)[0, 0]["visible"]
    assert visible.dtype == torch.float32
    assert bool(visible[5].isnan())
    assert float(visible[20]) == 0
    assert float(visible.nansum()) == len(points) - 2
    dataset = CropDataset(faces, SPEC, strength=1.0, negative_fraction=0.2, seed=1)
    items = [dataset[epoch, 0] for epoch in range(60)]
    for item in items:
        inside = ((item["points"] >= -0.5) & (item["points"] < SPEC.input_size - 0.5)).all(-1)
        assert torch.equal(item["visible"].isfinite(), inside)
    # Erased parts hide points, also those of a mirrored face.
    hidden = torch.stack([item["visible"] for item in items if item["face"]]) == 0
    assert 0.01 < hidden.float().mean() < 0.2


def test_an_item_depends_on_seed_epoch_and_index_alone() -> None:
    first, second = (CropDataset(FACES, SPEC, strength=1.0, seed=5) for _ in range(2))
    first[0, 0], first[7, 2]
    torch.testing.assert_close(first[3, 1]["crop"], second[3, 1]["crop"])
    assert not torch.equal(first[3, 1]["crop"], first[4, 1]["crop"])


def test_augmentation_is_weaker_in_the_cooldown() -> None:
    dataset = CropDataset(FACES, SPEC, strength=1.0, box_jitter=0.8, cooldown_start=4)
    main = CropDataset(FACES, SPEC, strength=1.0, box_jitter=0.8)
    torch.testing.assert_close(dataset[3, 1], main[3, 1], equal_nan=True)
    for epoch in (4, 5):
        assert not torch.equal(dataset[epoch, 1]["crop"], main[epoch, 1]["crop"])
    weak, full = (
        dict[type, Any]((type(step), step) for step in chain.transforms)
        for chain in (dataset.augment_cooldown, dataset.augment_main)
    )
    assert weak[RandomAffine].rotate == 0.25 * full[RandomAffine].rotate
    assert weak[RandomAffine].shift == 0.5 * full[RandomAffine].shift
    for photometric in (ColorJitter, Blur, JpegCompression):
        assert weak[photometric].p == 0.25 * full[photometric].p
    for hard in (CloseEyes, TurnHead, OccludeFace):  # as often as before: few photos show them
        assert weak[hard].p == full[hard].p


def test_a_box_frames_what_has_no_points() -> None:
    face = FACES[0]
    box, points = tight_boxes(face.points[None])[0], np.full_like(face.points, np.nan)
    seen = np.where(np.arange(68) < 27, 1, 0).astype(np.float32)
    without = replace(face, points=points, box=box, visible=seen, is_face=False)
    labeled, framed = CropDataset([face], SPEC)[0, 0], CropDataset([without], SPEC)[0, 0]
    assert torch.equal(labeled["crop"], framed["crop"])
    assert torch.equal(framed["visible"], torch.from_numpy(seen))
    assert float(framed["face"]) == 0
    assert bool(framed["points"].isnan().all())


def test_augmentation_keeps_what_a_box_frames_within_the_crop() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    image[60:100, 180:240, 0] = 255
    points, box = np.full((68, 2), np.nan, np.float32), np.array([180, 60, 239, 99], np.float32)
    affine = RandomAffine(FACE_CROP, 64, SPEC.schema, generator=np.random.default_rng(0))
    for _ in range(50):
        crop = affine({"image": image, "keypoints": points, "box": box, "face": 0.0})
        assert crop["image"][24:40, 24:40, 0].mean() > 200
        assert crop["face"] == 0.0
