# %% [markdown]
# # 5. Kernels and feature maps
#
# A convolution slides a small square of weights, a kernel, over an image and measures how well each
# place fits it. Here you open a trained network, apply its kernels to a portrait, and find out what
# each of them detects: not by eye, but by measuring which patterns it responds to. Runs in under a
# minute and needs no data.

# %%
# %matplotlib inline
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

import facedots
from facedots import sample_portrait
from facedots.inspection import (
    cut_crop,
    describe_kernel,
    feature_maps,
    filter_image,
    frequency_response,
    list_layers,
    load_model,
    select_kernel,
    split_color,
)
from facedots.plots import SIGNED, filter_figure, frequency_figure, kernel_grid, map_grid

image = facedots.read_image(sample_portrait())  # Grace Hopper; U.S. Navy, public domain
baseline = load_model(facedots.WEIGHTS["baseline"].path)
layers = list_layers(baseline)
pd.DataFrame(
    [
        (
            layer.name,
            *layer.kernels.shape[:2],
            "x".join(map(str, layer.kernels.shape[2:])),
            layer.kernels.size,
        )
        for layer in layers
    ],
    columns=["layer", "kernels", "over channels", "size", "weights"],
)

# %% [markdown]
# `baseline` is the textbook network of notebook 3: gray images of 224 px in, six convolutions. Its
# first layer can be understood by eye, because its input is the image itself: each kernel is nine
# weights. Purple is positive, orange negative, white zero.

# %%
first = layers[0]
kernel_grid(first)

# %% [markdown]
# ## One kernel as a filter
#
# Apply one to the portrait. We take the kernel with the largest response to a vertical step.
# `cut_crop` gives exactly the network's input; `filter_image` slides the kernel over it
# (`cv2.filter2D`, the same operation as the layer's).

# %%
predictor = facedots.KeypointPredictor("baseline")
crop, square = cut_crop(predictor, image)
planes = [select_kernel(first, i) for i in range(len(first.kernels))]
step = np.array([[-1, 0, 1]] * 3)
chosen = int(np.argmax([abs((plane * step).sum()) / np.linalg.norm(plane) for plane in planes]))
filter_figure(image, crop, square, first, kernel=chosen)

# %% [markdown]
# It looks like a relief lit from the side: bright where the image gets brighter in one direction,
# dark where it gets darker, gray where nothing changes. So it finds edges, and we can say of which
# direction. But "looks like" is not a measurement.
#
# ## What a kernel detects, measured
#
# A grating is a sine wave over the plane: it has a frequency (cycles per pixel) and a direction. A
# convolution turns a grating into the same grating, only stronger or weaker; so one number per
# grating describes a kernel completely. Those numbers are its **frequency response**, the size of
# its Fourier transform. First on kernels whose meaning is known:

# %%
references = {
    "Sobel, across": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "Sobel, down": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
    "line": np.array([[-1, 2, -1]] * 3),
    "Laplacian": np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]]),
    "mean": np.ones((3, 3)) / 9,
    "identity": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
}
frequency_figure(references)

# %% [markdown]
# How to read the lower row: the middle is a plain area, the rim the finest pattern; the direction
# from the middle is the one in which the pattern varies. `describe_kernel` turns that into a label
# by fixed rules:
#
# - bright in the middle: it responds to plain areas. Dark at the rim as well: a **blur**; otherwise
#   it passes **brightness** on.
# - dark in the middle: it responds to change. Two opposite blobs: change in one direction. If half
#   a turn of the kernel changes its sign it is an **edge** detector, if not a **line** detector;
#   the angle is that of the edges it likes, 90° being vertical.
# - dark in the middle and a ring around it: change in any direction, center against surround, a
#   **spot**.
#
# To check the Fourier transform, make real gratings, send them through the chosen kernel, and
# compare:

# %%
y, x = np.mgrid[:64, :64]
frequency, angles = 8 / 64, np.deg2rad(np.arange(0, 180, 15))
measured = []
for angle in angles:
    phase = 2 * np.pi * frequency * (np.cos(angle) * x + np.sin(angle) * y)
    waves = [
        filter_image(wave(phase).astype(np.float32), planes[chosen])[8:-8, 8:-8]
        for wave in (np.cos, np.sin)
    ]
    measured.append(float(np.hypot(*waves).mean()))  # cosine and sine together give the amplitude
rows, columns = (
    np.rint(32 + 64 * frequency * part(angles)).astype(int) for part in (np.sin, np.cos)
)
computed = frequency_response(planes[chosen])[rows, columns]

figure, axes = plt.subplots(figsize=(7, 3))
axes.plot(np.rad2deg(angles), measured, "o", label="gratings, filtered")
axes.plot(np.rad2deg(angles), computed, "-", label="frequency response")
axes.set(
    xlabel="direction in which the grating varies, degrees",
    ylabel="amplitude that comes out",
    ylim=(0, None),
)
axes.set_title(f"kernel {chosen}: {describe_kernel(planes[chosen])}")
axes.legend()
assert np.corrcoef(measured, computed)[0, 1] > 0.98
plt.show()

# %% [markdown]
# The two agree (the small gaps are rounding to the nearest of 64 frequencies), and the curve is a
# tuning curve like those of neurons in the visual cortex: one direction preferred, the one at right
# angles ignored.
#
# Now all kernels of the layer, each with its label:

# %%
kernel_grid(first, described=True)

# %%
descriptions = [describe_kernel(plane) for plane in planes]
print(
    "kernels of the first layer:",
    dict(Counter(description.kind for description in descriptions).most_common()),
)
figure, axes = plt.subplots(figsize=(7, 3))
oriented = [description for description in descriptions if description.kind in ("edge", "line")]
axes.hist(
    [description.orientation for description in oriented],
    bins=np.arange(0, 181, 22.5),
    color="#56B4E9",
    edgecolor="white",
)
axes.set(
    xlabel="preferred orientation of edge and line kernels, degrees",
    ylabel="kernels",
    xticks=range(0, 181, 45),
)
plt.show()

# %% [markdown]
# Edges of many directions, some lines, some spots and a few blurs: any network trained on
# photographs learns that mixture in its first layer, and it is what used to be designed by hand.
#
# The most selective kernel of each kind, on the portrait:

# %%
best = {}
for i, description in enumerate(descriptions):
    merit = (
        description.selectivity
        if description.kind in ("edge", "line")
        else 1 - description.selectivity
    )
    if description.kind not in best or merit > best[description.kind][0]:
        best[description.kind] = (merit, i)
shown = [i for _, i in best.values()]
figure, grid = plt.subplots(1, len(shown), figsize=(9, 9 / len(shown) + 0.5), layout="constrained")
for axes, i in zip(grid, shown, strict=True):
    response = filter_image(crop, planes[i])
    reach = np.abs(response).max()
    axes.imshow(response, cmap=SIGNED, vmin=-reach, vmax=reach)
    axes.set_title(f"{i}: {descriptions[i]}", fontsize=9)
    axes.set_axis_off()
plt.show()

# %% [markdown]
# ## Color
#
# `small`, the default network, takes color: each of its first kernels has three planes. A singular
# value decomposition splits such a kernel into a color times a pattern, with the share of the
# kernel that this product explains. Equal signs of red, green and blue mean brightness; opposite
# signs mean one color against another, such as lips against skin.

# %%
small = load_model(facedots.WEIGHTS["small"].path)
stem = list_layers(small)[0]
kernel_grid(stem, described=True)

# %%
rows = []
for i, kernel in enumerate(stem.kernels):
    color, pattern, share = split_color(kernel)
    opponent = color.min() < -0.3 * color.max()
    what = "colors" if opponent else "brightness"
    rows.append(
        (
            i,
            str(describe_kernel(pattern)),
            *color.round(2),
            what,
            f"{share:.0%}",
            float(np.abs(kernel).max()),
        )
    )
table = pd.DataFrame(
    rows, columns=["kernel", "detects", "red", "green", "blue", "in", "explained", "largest weight"]
)
table.sort_values("largest weight", ascending=False).head(10).round(2)

# %% [markdown]
# ## Feature maps
#
# A layer's responses to an image are its feature maps, and they are the next layer's input. Here
# are maps of `small` for the face: an early layer, one in the middle and that of the points.

# %%
face = facedots.Pipeline()(image)[0]
predictor = facedots.KeypointPredictor("small")
crop, square = cut_crop(predictor, image, face.box)
maps = feature_maps(small, crop)
names = list(maps)
Image.fromarray(crop).resize((256, 256))

# %%
map_grid(maps[names[1]], names[1], most=25)

# %%
sharp = [name for name in names if maps[name].shape[-1] >= 16]  # coarser maps are hard to look at
middle = sharp[len(sharp) * 2 // 3]
map_grid(maps[middle], middle, most=25)

# %% [markdown]
# Early maps are images of edges; in the middle a map is bright on a *part*: an eye, the mouth's
# corners, the outline of the face. The layer `head.maps` has one map per point, bright where its
# point is.

# %%
points = "head.maps"
some = [36, 45, 30, 48, 54, 8]
edges = (-0.5, len(crop) - 0.5, len(crop) - 0.5, -0.5)
figure, grid = plt.subplots(1, len(some), figsize=(9, 1.9), layout="constrained")
for axes, i in zip(grid, some, strict=True):
    probability = np.exp(maps[points][i] - maps[points][i].max())
    axes.imshow(crop, extent=edges)
    axes.imshow(probability, cmap="magma", alpha=0.6, extent=edges, interpolation="nearest")
    axes.set_title(face.schema.names[i], fontsize=8)
    axes.set_axis_off()
plt.show()

# %% [markdown]
# ## Deeper: from edges to parts
#
# Kernels of deeper layers take other maps as input, so their weights are hard to read. But the
# gratings still work: give the *network* gratings of all directions, and measure how much each
# map's response depends on the direction.

# %%
y, x = np.mgrid[: len(crop), : len(crop)]
directions = np.deg2rad(np.arange(0, 180, 22.5))
responses = {name: [] for name in names}
for angle in directions:
    wave = np.sin(2 * np.pi / 8 * (np.cos(angle) * x + np.sin(angle) * y))
    grating = np.repeat((127.5 + 100 * wave)[..., None], 3, axis=2).astype(np.uint8)
    for name, response in feature_maps(small, grating).items():
        responses[name].append(response.std(axis=(1, 2)))
selectivity = {}
for name, rows in responses.items():
    power = np.square(rows)  # directions x maps
    moment = (power * np.exp(2j * directions)[:, None]).sum(axis=0)
    selectivity[name] = np.abs(moment) / np.maximum(power.sum(axis=0), 1e-12)

figure, axes = plt.subplots(figsize=(9, 3.4), layout="constrained")
axes.boxplot(
    list(selectivity.values()),
    tick_labels=names,
    showfliers=False,
    medianprops={"color": "#E69F00"},
)
axes.tick_params(axis="x", rotation=75, labelsize=7)
axes.set(
    ylabel="selectivity for direction",
    title="gratings of 8 px: how much each map depends on their direction",
)
third = len(names) // 3
early, late = (
    np.median(np.concatenate([selectivity[name] for name in part]))
    for part in (names[:third], names[-third:])
)
print(
    f"median selectivity: {early:.2f} in the first third of the layers, {late:.2f} in the last "
    "third"
)
assert early > late
plt.show()

# %% [markdown]
# The deeper the layer, the less a map depends on the direction of stripes: it responds to
# arrangements, such as corners, curves and parts of a face. Such a map has no simple label, but its
# responses to images can still be measured.
#
# The same from the command line: `facedots features small --image photo.jpg --out features`.
