# %% [markdown]
# # 2. From faces to batches
#
# A network takes tensors of one size. Between it and the files stand a data set, a chain of
# transforms and a loader. Afterwards you can read your own CSV, write your own transform, *prove*
# that image and points move together, and you know the bug that makes parallel workers draw the
# same random numbers. Runs in half a minute.

# %%
# %matplotlib inline
import os
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch.utils.data import DataLoader, Subset

from facedots import (
    IBUG68,
    CropSpec,
    FacedotsError,
    FacialKeypointsDataset,
    apply_affine,
    draw_keypoints,
    invert,
    nme,
)
from facedots.annotations import YTF_ORIGIN
from facedots.data import (
    Compose,
    Normalize,
    RandomCrop,
    Rescale,
    ToTensor,
    denormalize_keypoints,
    make_loader,
    training_augmentation,
    write_synthetic,
)
from facedots.plots import contact_sheet, enlarge, region_colors

DATA = os.environ.get("FACEDOTS_DATA", "synthetic:240")
REAL = not DATA.startswith("synthetic:")
work = tempfile.TemporaryDirectory()

# %% [markdown]
# ## A CSV and a folder of images
#
# The simplest way to keep labels: a header, then one row a face with the image's name and x0, y0,
# x1, y1 and so on. For drawn faces we write such a folder first.

# %%
if REAL:
    images, table, origin = (
        Path(DATA) / "youtube-faces/training",
        Path(DATA) / "youtube-faces/training_frames_keypoints.csv",
        YTF_ORIGIN,
    )
else:
    count = int(DATA.removeprefix("synthetic:"))
    write_synthetic(work.name, count)
    images, table, origin = Path(work.name), Path(work.name) / f"faces-{count}.csv", (0, 0)
pd.read_csv(table).iloc[:4, :7]

# %% [markdown]
# `FacialKeypointsDataset` reads the labels at once and an image when its sample is asked for.
# `origin` says which coordinates the file gives to the center of the top-left pixel (notebook 1,
# trap 3). A sample is a dict.

# %%
dataset = FacialKeypointsDataset(table, images, origin=origin)
sample = dataset[0]
print(len(dataset), "faces")
for key, value in sample.items():
    print(f"{key:14}", f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else value)

# %% [markdown]
# A file with errors is rejected before training starts, with all of them in one message, not with
# the first one after an hour:

# %%
rows = table.read_text().splitlines()[:5]
rows[2] = rows[2].rsplit(",", 1)[0]  # a number too few
rows[3] = rows[3].replace(",", ",?", 1)  # no number
rows[4] = "nobody.jpg," + rows[4].split(",", 1)[1]  # no such image
broken = Path(work.name) / "broken.csv"
broken.write_text("\n".join(rows))
try:
    FacialKeypointsDataset(broken, images)
except FacedotsError as error:
    print(str(error).replace(str(images), "images").replace(work.name, "work"))

# %% [markdown]
# ## Four transforms
#
# A transform is anything that takes a sample and returns a new one. The textbook's four: `Rescale`
# to a common size, `RandomCrop` so that the face is not always in the same place, `Normalize` to
# gray in [0, 1] and points in about [-1, 1], `ToTensor`. Each moves the **points with the image**.

# %%
rng = np.random.default_rng(3)
rescale, crop, normalize = Rescale(250), RandomCrop(224, generator=rng), Normalize()
steps = {"as read": sample, "Rescale(250)": rescale(sample)}
steps["RandomCrop(224)"] = crop(steps["Rescale(250)"])
steps["another RandomCrop"] = crop(steps["Rescale(250)"])
steps["Normalize()"] = normalize(steps["another RandomCrop"])

colors = [
    tuple(channel / 255 for channel in region_colors(IBUG68)[region]) for region in IBUG68.region_of
]
figure, panels = plt.subplots(1, len(steps), figsize=(12, 2.9), layout="constrained")
for panel, (title, step) in zip(panels, steps.items(), strict=True):
    gray = title == "Normalize()"
    panel.imshow(step["image"], cmap="gray", extent=(-1, 1, 1, -1) if gray else None)
    panel.scatter(*step["keypoints"].T, s=4, color=colors)
    panel.set_title(title, fontsize=10)
    panel.tick_params(labelsize=7)

# %% [markdown]
# Mind the half pixel in `Rescale`: (0, 0) is a pixel's center, so an enlargement by f maps x to f ·
# (x + ½) − ½ and not to f · x. Here is what ignoring it costs, in the unit in which networks are
# compared; good ones are 0.1 % apart.

# %%
for size in (250, 128, 64):
    proper = Rescale(size)(sample)["keypoints"]
    naive = sample["keypoints"] * size / min(sample["image"].shape[:2])
    print(
        f"at {size:3} px, f · x costs {nme(naive[None], proper[None], IBUG68)[0]:.2f} % NME on "
        "this face"
    )

# %% [markdown]
# ## Do they really move together? Measure it
#
# Paint a soft white spot on a black image at each of a few points, send both through the chain, and
# compare each transformed point with the center of gravity of its transformed spot. This test finds
# swapped axes, forgotten offsets and half pixels in any transform of yours.


# %%
def spots(points, height, width):
    y, x = np.mgrid[:height, :width]
    bright = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 3.0**2)) for px, py in points]
    return np.repeat(
        np.clip(255 * np.sum(bright, axis=0), 0, 255).astype(np.uint8)[..., None], 3, axis=2
    )


def gap(transform, points, height=300, width=240):
    """The largest distance in pixels between a transformed point and its transformed spot."""
    result = transform({"image": spots(points, height, width), "keypoints": np.float32(points)})
    gray = result["image"][..., 0].astype(float)
    y, x = np.mgrid[: gray.shape[0], : gray.shape[1]]
    gaps = []
    for px, py in result["keypoints"]:
        near = gray * (np.hypot(x - px, y - py) < 14)
        gaps.append(
            np.hypot((x * near).sum() / near.sum() - px, (y * near).sum() / near.sum() - py)
        )
    return max(gaps)


points = [(80, 90), (160, 90), (120, 150), (90, 200), (150, 205)]
chain = Compose([Rescale(250), RandomCrop(224, generator=np.random.default_rng(1))])


def careless(sample):
    """As Rescale(300), but with f · x."""
    return {**Rescale(300)(sample), "keypoints": sample["keypoints"] * 300 / 240}


print(f"Rescale and RandomCrop: {gap(chain, points):.3f} px apart")
print(f"the careless one:       {gap(careless, points):.3f} px apart")
assert gap(chain, points) < 0.05 < gap(careless, points)

# %% [markdown]
# ## The chain, and the way back
#
# `Compose` puts transforms in a row. Every one that moves pixels also updates `matrix`, the affine
# map from the frame to the image as it is now, so that what a network finds in the crop can be
# carried back to the frame.

# %%
chain = Compose(
    [Rescale(250), RandomCrop(224, generator=np.random.default_rng(0)), Normalize(), ToTensor()]
)
dataset.transform = chain
ready = dataset[0]
print(
    {key: tuple(ready[key].shape) for key in ("image", "keypoints", "matrix")}, ready["image"].dtype
)
for key in ("image", "keypoints"):
    print(f"{key} from {ready[key].min():.2f} to {ready[key].max():.2f}")

in_crop = denormalize_keypoints(ready["keypoints"], (224, 224))
back = apply_affine(invert(ready["matrix"]), in_crop)
print(
    f"back in the frame, points are {np.abs(back - sample['keypoints']).max():.5f} px from where "
    "they started"
)
assert np.allclose(back, sample["keypoints"], atol=1e-3)

# %% [markdown]
# ## Batches
#
# A `DataLoader` stacks samples. `make_loader` is torch's with one thing added, which the next
# section is about.

# %%
loader = make_loader(
    Subset(dataset, range(0, len(dataset), max(1, len(dataset) // 64))),
    batch_size=16,
    shuffle=True,
    seed=1,
)
batch = next(iter(loader))
print(
    "images",
    tuple(batch["image"].shape),
    "points",
    tuple(batch["keypoints"].shape),
    "first:",
    batch["name"][0],
)

tiles = []
for image, keypoints in zip(batch["image"], batch["keypoints"], strict=True):
    rgb = (255 * image[0].numpy())[..., None].repeat(3, axis=2).astype(np.uint8)
    tiles.append(
        (
            draw_keypoints(
                *enlarge(rgb, denormalize_keypoints(keypoints, (224, 224)), 360 / 224), IBUG68
            ),
            "",
        )
    )
Image.fromarray(contact_sheet(tiles, {}, columns=8)).reduce(3)

# %% [markdown]
# ## Duplicated random numbers in workers
#
# Each worker process gets a *copy* of the data set, and with it a copy of the random generator, in
# the same state. So worker 2 repeats worker 1's "random" crops. The loss falls all the same, so the
# bug is easy to miss; there is only less variety than you think. Print where the crop of each
# sample begins, with torch's plain loader and with `make_loader`, which gives every worker a state
# of its own:


# %%
def corners(loader):
    """Where the crops of the first two batches begin; each batch was made by another worker."""
    starts = []
    for batch in loader:
        matrix = batch["matrix"]
        start = torch.stack([matrix[:, i, i] / 2 - 0.5 - matrix[:, i, 2] for i in (0, 1)], dim=1)
        starts.append([tuple(corner) for corner in start.round().int().tolist()])
    return starts[:2]


same_size = Compose(
    [Rescale((250, 250)), RandomCrop(224, generator=np.random.default_rng(0)), ToTensor()]
)
few = FacialKeypointsDataset(table, images, same_size, origin=origin)
few.annotations = few.annotations[:8]
plain = corners(DataLoader(few, batch_size=4, num_workers=2))
reseeded = corners(make_loader(few, batch_size=4, workers=2, seed=0))
for name, (first, second) in {"plain DataLoader": plain, "make_loader": reseeded}.items():
    print(f"{name:17} worker 1: {first}   worker 2: {second}")

assert plain[0] == plain[1]
assert reseeded[0] != reseeded[1]

# %% [markdown]
# ## More than the textbook: augmentation
#
# Real images are rolled, dark, blurred, noisy, compressed, and half hidden by a hand.
# `training_augmentation` applies all of that to the image and moves the points along; a mirror
# image swaps the names of left and right (notebook 1, trap 4). One face, eight times, at full
# strength; the dots must stay on the features.

# %%
variants = []
augment = training_augmentation(
    CropSpec("box", 1.4), 240, IBUG68, np.random.default_rng(5), strength=1.0
)
for _ in range(8):
    made = augment(sample)
    variants.append((draw_keypoints(made["image"], made["keypoints"], IBUG68), ""))
Image.fromarray(contact_sheet(variants, {}, columns=4)).reduce(2)

# %% [markdown]
# ## Is it fast enough?
#
# Count samples per second, for the plain chain and for full augmentation, made in this process and
# by two workers. Workers cost a start and the way of every sample between processes, so with small
# images and few cores they may well be slower: measure before adding them.


# %%
def rate(transform, workers):
    data = FacialKeypointsDataset(table, images, transform, origin=origin)
    data.annotations = data.annotations[:192]
    loader = make_loader(data, batch_size=32, workers=workers)
    for _ in loader:  # the first pass starts the workers
        pass
    start = time.perf_counter()
    count = sum(len(batch["image"]) for batch in loader)
    return count / (time.perf_counter() - start)


chains = {
    "Rescale, RandomCrop, Normalize, ToTensor": chain,
    "training_augmentation at 128 px": Compose(
        [
            training_augmentation(CropSpec("box", 1.3), 128, IBUG68, np.random.default_rng(0)),
            ToTensor(),
        ]
    ),
}
speed = {
    name: [f"{rate(transform, workers):.0f}" for workers in (0, 2)]
    for name, transform in chains.items()
}
pd.DataFrame(speed, index=["samples/s, no worker", "samples/s, two workers"]).T

# %% [markdown]
# Next: a network that learns from these batches.
