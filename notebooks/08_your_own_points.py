# %% [markdown]
# # 8. Custom keypoints
#
# `facedots` is not tied to 68 points. Here you train a detector for something else, a cat's head
# with nine points, from an ordinary COCO keypoints file; you evaluate it, export it, and use it on
# images without a box around the cat. All of it with the commands that you would use for your own
# data. Runs in about two minutes on two cores and needs no data: we draw the cats ourselves
# (`drawing/cats.py`, 130 lines), so the ground truth is exact.

# %%
# %matplotlib inline
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from drawing.cats import POINTS, draw_cat
from PIL import Image

import facedots
from facedots import SingleObjectDetector, draw_keypoints, evaluate, load_split, nme
from facedots.annotations import load_annotations
from facedots.plots import Comparison, ced_figure, comparison_figure, contact_sheet, region_colors

work = Path(tempfile.mkdtemp())
RECIPE = Path("../recipes/custom.yaml")
POINTS

# %% [markdown]
# ## The data: images and one COCO file
#
# Annotation tools (CVAT, Label Studio, COCO Annotator) write this format. It has three lists:
# images, categories, and annotations, each of which holds x, y and visibility of every point in
# turn (0: not labeled, 1: hidden, 2: seen). We write one with 360 cats for training and one with
# 100 for testing; a file called *test* is the test set.


# %%
def write_coco(part: str, count: int, seed: int) -> None:
    """Images in the folder ``part``, and ``part.json`` beside it."""
    images, annotations = [], []
    for i in range(count):
        photo, points = draw_cat(np.random.default_rng((seed, i)))
        facedots.write_image(work / "cats" / part / f"{i:04}.jpg", photo)
        images.append(
            {
                "id": i,
                "file_name": f"{part}/{i:04}.jpg",
                "width": photo.shape[1],
                "height": photo.shape[0],
            }
        )
        keypoints = np.concatenate([points, np.full((len(points), 1), 2)], axis=1)
        annotations.append(
            {
                "id": i,
                "image_id": i,
                "category_id": 1,
                "keypoints": keypoints.round(2).ravel().tolist(),
            }
        )
    category = {"id": 1, "name": "cat", "keypoints": list(POINTS)}
    content = {"images": images, "categories": [category], "annotations": annotations}
    (work / "cats" / f"{part}.json").write_text(json.dumps(content))


write_coco("train", 360, seed=0)
write_coco("test", 100, seed=1)
print(json.dumps(json.loads((work / "cats" / "test.json").read_text())["annotations"][0]))

# %% [markdown]
# ## What the points mean
#
# A mirror image swaps left and right, and errors are normalized by a length. The COCO file has the
# names; *left* and *right* in them define what a mirror image swaps, and by default errors are
# normalized by the distance of the two points that lie furthest apart. To define more, put a
# `schema.yaml` next to the data:

# %%
(work / "cats" / "schema.yaml").write_text("""\
name: cat9
points: [right_ear, left_ear, right_eye, left_eye, nose, right_mouth, left_mouth, chin, crown]
norm_pair: [right_eye, left_eye]      # errors in eye distances, as for faces
edges: [[right_ear, crown], [crown, left_ear], [right_eye, nose], [nose, left_eye],
        [nose, right_mouth], [nose, left_mouth], [right_mouth, chin], [chin, left_mouth]]
regions: {ears: [right_ear, left_ear, crown], eyes: [right_eye, left_eye],
          muzzle: [nose, right_mouth, left_mouth, chin]}
""")
schema = load_annotations(work / "cats").schema
print(
    "a mirror image swaps",
    {schema.names[i]: schema.names[k] for i, k in enumerate(schema.flip) if i < k},
)
split = load_split(work / "cats", ["custom"], "official", validation=0.1)
print(
    f"{len(split.train)} for training, {len(split.validation)} for validation, {len(split.test)} "
    "for testing"
)

# %% [markdown]
# Look before you train. Many problems of custom data are visible here: points off by a constant,
# left and right mixed up.

# %%
tiles = []
for face in split.train[:8]:
    photo = facedots.read_image(face.image, orient=False)
    tiles.append((draw_keypoints(photo, face.points, schema), Path(face.name).name))
Image.fromarray(contact_sheet(tiles, region_colors(schema)))

# %% [markdown]
# ## Train
#
# One command, in the shell or here:


# %%
def shell(*arguments: object) -> str:
    """What `facedots …` prints; an error stops the notebook."""
    command = [sys.executable, "-m", "facedots", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.replace(str(work), "work").strip()


start = time.perf_counter()
changes = ("--model", "tiny", "--epochs", 18)
shell("train", RECIPE, *changes, "--data", work / "cats", "--out", work / "run")
print(*sorted(file.name for file in (work / "run").iterdir()), sep=" · ")
print(f"took {time.perf_counter() - start:.0f} s")

# %%
Image.open(work / "run" / "curves.png")

# %% [markdown]
# `recipes/custom.yaml` holds the other hyperparameters. Its network `small` and its 60 epochs are
# better and take some minutes; `tiny` is the quickest. The recipe trains with boxes that are far
# off (`box_jitter: 3`), for a reason that comes below. `facedots train --resume` continues an
# interrupted run.
#
# ## Measure
#
# On unseen cats, with the true box:

# %%
predictor = facedots.KeypointPredictor(work / "run" / "model.onnx")
with_box = evaluate(predictor, split.test)
accuracy = with_box.accuracy
print(
    f"{accuracy.n} cats: NME {accuracy.nme:.2f} % of the eye distance, median "
    f"{accuracy.nme_median:.2f}, failures {accuracy.fr10:.0f} %"
)
assert accuracy.nme_median < 10
pd.Series(accuracy.nme_by_region, name="NME %").round(2).to_frame()

# %%
order = np.argsort(with_box.nme)
rows = {}
for name, chosen in (("best", order[:5]), ("middle", order[48:53]), ("worst", order[-5:])):
    rows[name] = [
        Comparison(
            facedots.read_image(with_box.images[i]),
            with_box.true[i],
            with_box.predicted[i],
            f"{with_box.nme[i]:.1f} %",
        )
        for i in chosen
    ]
comparison_figure(rows, "cats of the test set")

# %% [markdown]
# `facedots evaluate` writes the same and more as a report: tables, curves, the worst faces, the
# calibration of sigma.
#
# ## Export
#
# Training has already written `model.onnx` to the run. `facedots export` writes it again and
# reports its largest difference from torch. The one file holds everything that inference needs:
# schema, crop, normalization, and a model card with the training data.

# %%
print(shell("export", work / "run", "--out", work / "cat9.onnx"))
predictor = facedots.KeypointPredictor(work / "cat9.onnx")
spec = predictor.spec
print(f"{spec.schema.name}: {spec.schema.count} points, crops of {spec.input_size} px, {spec.crop}")
print("trained on:", Path(predictor.card.trained_on).name)

# %% [markdown]
# ## Use, without a detector
#
# For faces there are detectors; for drawn cats there is none. But the network can find the box
# itself: it starts with the middle of the image, a bad crop; the predicted points are rough, but
# the tight box around them is a better one; repeat. That works because training used boxes that
# were far off. `SingleObjectDetector` is a detector like any other:

# %%
photo = facedots.read_image(split.test[3].image)
figure, grid = plt.subplots(1, 4, figsize=(9, 3.2), layout="constrained")
for iteration, axes in enumerate(grid):
    box = SingleObjectDetector(predictor, refine=iteration)(photo).boxes
    prediction = predictor.predict(photo, box)
    x0, y0, x1, y1 = box[0]
    axes.imshow(draw_keypoints(photo, prediction.points[0], schema))
    axes.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color="white", linewidth=1.5)
    axes.set_title(f"crop {iteration + 1}: sigma {prediction.sigma.mean():.1f} px", fontsize=9)
    axes.set_axis_off()
plt.show()

# %%
pipeline = facedots.Pipeline(SingleObjectDetector(predictor), predictor)
points = np.stack([pipeline(facedots.read_image(face.image))[0].points for face in split.test])
alone = nme(points, np.stack([face.points for face in split.test]), schema)
print(
    f"median NME with the true box {np.median(with_box.nme):.2f} %, without a box "
    f"{np.median(alone):.2f} %"
)
print(f"lost {np.mean(alone > 50):.0%} of the cats")  # points half an eye distance off, on average
assert np.mean(alone > 50) <= 0.1
ced_figure({"true box": with_box.nme, "without a box": alone})

# %% [markdown]
# From the shell, on any folder of images:

# %%
shutil.copytree(
    work / "cats" / "test", work / "some", ignore=lambda folder, names: sorted(names)[6:]
)
networks = ("--model", work / "cat9.onnx", "--detector", "single-object")
results = ("--out", work / "drawn", "--json", work / "cats.json")
print(shell("predict", work / "some", *networks, *results))
photos = [facedots.read_image(path) for path in sorted((work / "drawn").glob("*"))]
Image.fromarray(
    contact_sheet(
        [(photo, f"cat {i}") for i, photo in enumerate(photos)], region_colors(schema), columns=3
    )
)

# %% [markdown]
# ## Your turn
#
# - A CSV will do as well: a header `name, right_ear_x, right_ear_y, …` and a row an image. Or
#   300-W's `.pts` files.
# - A few hundred labeled images are a start. `facedots label` exports predictions to CVAT or Label
#   Studio, the most uncertain first, so that the next hundred are corrected rather than clicked.
# - Keep images of one animal, one video, one day in the same set, in files called *train* and
#   *test*. Notebook 4 shows why.
#
# All of it is in `docs/custom-data.md`.
