# %% [markdown]
# # 1. Look at the data
#
# Before any network: how is a face represented, what do its 68 points mean, and which traps lie in
# the data? Afterwards you can read a label by its number, you know what one pixel is worth, and you
# have set and found six traps yourself. Runs in half a minute.
#
# All notebooks run on the real frames where `FACEDOTS_DATA` names their folder
# (`facedots data download` fetches them), and otherwise on faces that facedots draws. What you see
# on the web was run on drawn faces: images of people are not ours to publish.

# %%
# %matplotlib inline
import os
import tempfile
from pathlib import Path

import cv2
import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

from facedots import (
    IBUG68,
    CropSpec,
    draw_keypoints,
    load_split,
    nme,
    read_image,
    tight_boxes,
    write_image,
)
from facedots.annotations import YTF_ORIGIN, video_id
from facedots.audit import ROUNDING_ERROR, data_stats, find_near_duplicates, inspect_image
from facedots.data import CenterCrop, Crop, Normalize, mirror_points
from facedots.evaluation import norm_distances
from facedots.plots import contact_sheet, draw_numbered, enlarge, region_colors

DATA = os.environ.get("FACEDOTS_DATA", "synthetic:240")
REAL = not DATA.startswith("synthetic:")

split = load_split(DATA, ["youtube-faces"], "official")
stride = 8 if REAL else 1  # neighbors in the list are frames of one video
train, test = split.train[::stride], split.test[::stride]
print(
    f"{'real frames' if REAL else 'drawn faces'}: {len(train)} for training, {len(test)} for "
    "testing"
)

# %% [markdown]
# ## One face
#
# A labeled face is an image file, a name and an array of 68 points. `read_image` gives the image as
# `uint8 (H, W, 3)` in RGB; a point is (x, y) in pixels, and (0, 0) is the **center** of the
# top-left pixel. Numbers need room, so take a face whose eyes and mouth are open wide, and cut a
# square around it: `Crop` is the cut that networks see too, and it moves image and points together.


# %%
def opening(face):
    """How far eyes and mouth are open, in pixels."""
    upper, lower = [37, 38, 43, 44, 62], [41, 40, 47, 46, 66]
    return np.linalg.norm(face.points[upper] - face.points[lower], axis=1).mean()


def close_up(image, points, side=512):
    sample = Crop(CropSpec("box", 1.25), side)({"image": image, "keypoints": points})
    return sample["image"], sample["keypoints"]


face = max(train, key=opening)
image = read_image(face.image, orient=False)
print(face.name, image.shape, image.dtype, face.points.shape, face.points.dtype)
Image.fromarray(draw_numbered(*close_up(image, face.points), IBUG68))

# %% [markdown]
# The numbers are those of iBUG's scheme, counted from 0, in seven regions. **Left and right are the
# subject's own**: point 36, the outer corner of the *right* eye, is on the left as you look at it.
# The scheme also knows which points a line joins, and which point becomes which in a mirror.

# %%
pd.DataFrame(
    [
        {
            "region": region,
            "points": f"{points[0]}–{points[-1]}",
            "first": IBUG68.names[points[0]],
            "last": IBUG68.names[points[-1]],
        }
        for region, points in IBUG68.regions.items()
    ]
).set_index("region")

# %% [markdown]
# ## Many faces
#
# One face proves nothing. Look at a few dozen before trusting any of them; `facedots data show`
# writes such sheets to files.

# %%
tiles = []
for chosen in train[:: len(train) // 12][:12]:
    photo = read_image(chosen.image, orient=False)
    tiles.append(
        (
            draw_keypoints(*enlarge(photo, chosen.points, 360 / max(photo.shape[:2])), IBUG68),
            chosen.name,
        )
    )
Image.fromarray(contact_sheet(tiles, region_colors(IBUG68), columns=6)).reduce(2)

# %% [markdown]
# ## The mean face
#
# Put every face's tight box on the same square and draw all points over each other. Their centers
# are the mean face, the best guess without looking at a pixel. Their width is what is left to
# learn, and it is widest at the jaw, where most of the error will be.

# %%
points = np.stack([face.points for face in train])
boxes = tight_boxes(points)
corner, size = boxes[:, None, :2], (boxes[:, 2:] - boxes[:, :2])[:, None]
within_box = (points - corner) / size

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
for region, color in region_colors(IBUG68).items():
    members = list(IBUG68.regions[region])
    rgb = [tuple(channel / 255 for channel in color)]
    left.scatter(
        *within_box[:, members].reshape(-1, 2).T, s=1.5, color=rgb, alpha=0.5, linewidths=0
    )
    left.plot(
        *within_box[:, members].mean(axis=0).T,
        "o",
        color=rgb[0],
        markersize=6,
        markeredgecolor="black",
    )
left.set(
    title=f"{len(train)} faces in one box, and their mean", aspect="equal", xticks=[], yticks=[]
)
left.invert_yaxis()

eyes = norm_distances(points, IBUG68)
right.hist(eyes, bins=30, color="#0072B2")
right.axvline(
    np.median(eyes), color="#D55E00", linestyle="--", label=f"median {np.median(eyes):.0f} px"
)
right.set(
    title="How large the faces are", xlabel="distance of the outer eye corners, px", ylabel="faces"
)
_ = right.legend(frameon=False)

# %% [markdown]
# The distance of the outer eye corners (36 to 45) is the ruler of the field: **NME**, the
# normalized mean error, is the mean distance of a face's points from the truth over this distance,
# in percent. So what is one pixel worth?

# %%
for share in (5, 50, 95):
    print(
        f"{share:2} % of the faces are smaller than {np.percentile(eyes, share):3.0f} px: there, "
        "one pixel is "
        f"{100 / np.percentile(eyes, share):.1f} % NME or more"
    )

# %% [markdown]
# ## The table to make before training
#
# `facedots data stats DIR` prints it; here are some of its lines. Each exists because somebody lost
# a day to it.

# %%
parts = {"training": train, "test": test}
stats = data_stats(parts)
rows = {
    name: {
        "faces": part.labels.faces,
        "people": part.groups or "unknown",
        "width, px": f"{part.files.width.min:.0f} … {part.files.width.max:.0f}",
        "really are": dict(part.files.formats),
        "under a wrong ending": part.files.misnamed,
        "channels": dict(part.files.modes),
        "only whole numbers": part.labels.whole_numbers,
        "rounding costs, NME %": round(part.labels.rounding_nme, 2),
        "points outside the image": part.labels.points_outside,
        "byte duplicates": part.files.byte_duplicates,
    }
    for name, part in stats.subsets.items()
}
pd.DataFrame(rows)

# %% [markdown]
# ## Trap 1: the name says JPEG, the bytes say otherwise
#
# The published frames of YouTube Faces are RGBA **PNG bytes under a `.jpg` name**. matplotlib looks
# at the bytes and gives *floats in [0, 1]* for PNG, but `uint8` for JPEG, so the textbook's
# `image / 255` turns such images black. A network trained on them meets inputs 255 times larger at
# the first true JPEG. Set the trap and step into it:

# %%
work = tempfile.TemporaryDirectory()
trap = Path(work.name) / "face.jpg"
trap.write_bytes(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGRA))[1].tobytes())

info = inspect_image(trap)
plain = matplotlib.image.imread(trap)
print(f"the file is {info.format}, {info.mode}, misnamed: {info.misnamed}")
print(
    f"matplotlib gives {plain.dtype} {plain.shape} up to {plain.max():.2f}; divided by 255 "
    f"again: up to {plain.max() / 255:.4f}"
)

from_opencv = Normalize()({"image": read_image(trap), "keypoints": face.points})["image"]
from_matplotlib = Normalize()({"image": plain, "keypoints": face.points})["image"]
assert np.abs(from_opencv - from_matplotlib).max() < 1e-6
print(
    "read_image decides by the bytes and drops alpha; Normalize divides only uint8: both ways to "
    "the same gray image"
)

# %% [markdown]
# ## Trap 2: whole numbers
#
# The real labels were rounded to whole pixels. A point spread evenly over its pixel is on average
# (√2 + asinh 1) / 6 = 0.383 px away from where it was, so no network can be *measured* better than
# this, however good it is. Check the formula on these faces:

# %%
jittered = points + np.random.default_rng(0).uniform(-0.5, 0.5, points.shape)
measured = nme(jittered.round(), jittered, IBUG68).mean()
predicted = float(100 * ROUNDING_ERROR * np.mean(1 / eyes))
print(f"rounding costs {measured:.3f} % NME measured, {predicted:.3f} % by the formula")
assert abs(measured - predicted) < 0.02

# %% [markdown]
# ## Trap 3: where is (0, 0)?
#
# A file may count pixels from 1, or from the corner of the first pixel. The real CSVs give the
# center of the top-left pixel the coordinates (1.2, 0.7): they count from 1, and the rest is how
# the labels were made. The offset was measured with detectors on frames and their mirror images: a
# correct point mirrors exactly, an offset one moves to the other side. `load_split` subtracts the
# offset. Left: points as written in the file, right: as `load_split` returns them. Compare the
# eyes.

# %%
typical = [face for face, distance in zip(train, eyes, strict=True) if 35 < distance < 50]
close = max(typical, key=opening)
photo = read_image(close.image, orient=False)
figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for panel, origin, title in zip(
    panels, (YTF_ORIGIN, (0, 0)), ("as written in the file", "offset subtracted"), strict=True
):
    shown = close.points + np.array(origin)
    panel.imshow(photo, interpolation="nearest")
    for eye in ("right_eye", "left_eye"):
        panel.plot(
            *shown[[*IBUG68.regions[eye], IBUG68.regions[eye][0]]].T,
            "o-",
            color="#F0E442",
            markersize=3,
            linewidth=0.8,
        )
    x0, y0, x1, y1 = tight_boxes(close.points[None, 36:48])[0]
    panel.set(xlim=(x0 - 6, x1 + 6), ylim=(y1 + 7, y0 - 7), title=title, xticks=[], yticks=[])

shifted = nme(points + np.array(YTF_ORIGIN, np.float32), points, IBUG68).mean()
print(
    f"an offset of {YTF_ORIGIN} px is {shifted:.2f} % NME, more than what separates good networks"
)

# %% [markdown]
# ## Trap 4: a mirror image needs more than mirrored numbers
#
# In the mirror, the right eye *looks like* a left eye. So the points must also change names: 36
# becomes 45. Forget it, and half of an augmented training set teaches the opposite of the other
# half; the network settles in the middle of the face.

# %%
width = image.shape[1]
mirrored = np.ascontiguousarray(image[:, ::-1])
only_x = face.points * (-1, 1) + (width - 1, 0)
names_too = mirror_points(face.points, width, IBUG68)
assert np.allclose(mirror_points(names_too, width, IBUG68), face.points, atol=1e-4)

panels = {
    "the face": (image, face.points),
    "mirrored, old names: wrong": (mirrored, only_x),
    "mirrored, new names: right": (mirrored, names_too),
}
tiles = [
    (draw_keypoints(*close_up(*pair, side=360), IBUG68), title) for title, pair in panels.items()
]
Image.fromarray(contact_sheet(tiles, region_colors(IBUG68)))

# %% [markdown]
# Same dots, other colors: in the middle image the subject's right brow and eye have the colors of
# left ones. Mirroring twice must give the labels back, and the `assert` in the cell checks that it
# does.

# %% [markdown]
# ## Trap 5: points outside the image
#
# A point need not lie within its frame: some labels of the real frames do not, and every random
# crop makes more of them. A heatmap has no cell for such a point, and code that takes a point for
# an array index fails or, worse, wraps around. Dropping these faces drops close-ups from training.
# Count them, then make one:

# %%
print(
    f"{sum(part.labels.points_outside for part in stats.subsets.values())} points lie outside "
    "their image in this slice"
)

x0, y0, x1, y1 = tight_boxes(face.points[None])[0]
cut = CenterCrop(min(int(max(x1 - x0, y1 - y0)), *image.shape[:2]))(
    {"image": image, "keypoints": face.points}
)
height, width = cut["image"].shape[:2]
inside = ((cut["keypoints"] > -0.5) & (cut["keypoints"] < (width - 0.5, height - 0.5))).all(axis=1)
print(
    f"after this cut, {(~inside).sum()} of {len(inside)} points are outside; the labels keep "
    "them, as numbers beyond the edge"
)

margin = max(height, width) // 4
padded = cv2.copyMakeBorder(cut["image"], *[margin] * 4, cv2.BORDER_CONSTANT, value=(235, 235, 235))
Image.fromarray(
    draw_keypoints(*enlarge(padded, cut["keypoints"] + margin, 480 / max(padded.shape[:2])), IBUG68)
)

# %% [markdown]
# ## Trap 6: the same people in training and test
#
# Frames of one video look alike, and one person's videos look alike too. If the split does not keep
# people apart, the test measures memory. First a check that the check works: hide a training image
# in the test set, once as it is and once encoded anew.

# %%
planted = Path(work.name) / "test"
planted.mkdir()
(planted / "copy.jpg").write_bytes(train[0].image.read_bytes())
write_image(planted / "again.jpg", read_image(train[1].image, orient=False))
files = [inspect_image(path) for path in [*(face.image for face in train[:60]), *planted.iterdir()]]
pairs = find_near_duplicates(files)
copies = {files[pair.second].path.name for pair in pairs} & {"copy.jpg", "again.jpg"}
print(f"planted: 2, found: {len(copies)}")
assert copies == {"copy.jpg", "again.jpg"}

# %% [markdown]
# Now the data itself, all of it, since this needs only names. On the real frames it shows why every
# published score on the official split is too good; drawn faces are each their own person, so
# nothing is shared.

# %%
training = split.train + split.validation
train_people, test_people = ({face.group for face in part} for part in (training, split.test))
print(
    f"{len(test_people & train_people)} of the {len(test_people)} people in the test part are in "
    "the training part too"
)
if REAL:
    train_videos, test_videos = (
        {video_id(face.name) for face in part} for part in (training, split.test)
    )
    print(f"{len(test_videos & train_videos)} of the {len(test_videos)} videos are")
    print(
        f"{stats.shared[0].near_duplicates} test frames of this slice look like one of its "
        "training "
        "frames"
    )

# %% [markdown]
# Notebook 4 measures how much too good. The next one turns these faces into batches.
