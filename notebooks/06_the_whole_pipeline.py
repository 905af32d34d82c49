# %% [markdown]
# # 6. The whole pipeline on any image
#
# From a file to dots: a detector finds boxes, a crop is cut around each, a network predicts the
# points and the uncertainty of each. Afterwards you can run it on your own image, inspect each
# step, judge when to trust the numbers, and save them as JSON or CSV. Runs in ten seconds and needs
# no data.

# %%
# %matplotlib inline
import json
import tempfile
import time
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle
from PIL import Image

import facedots
from facedots import (
    ImageResult,
    PrecomputedBoxes,
    apply_affine,
    crop_matrix,
    invert,
    nme,
    sample_portrait,
    to_csv,
    to_json,
)
from facedots.data import draw_face
from facedots.inspection import cut_crop
from facedots.plots import draw_numbered

work = Path(tempfile.mkdtemp())
image = facedots.read_image(sample_portrait())  # put the path of your own image here
pipeline = facedots.Pipeline()
faces = pipeline(image)
Image.fromarray(facedots.draw_faces(image, faces, sigma=True))

# %% [markdown]
# That is all of it: two lines. `pipeline(image)` returns a list with a `Face` for each face, the
# most confident first; an image without a face gives an empty list. A face has points, a covariance
# for each, and what follows from it:

# %%
face = faces[0]
low, high = face.sigma.min(), face.sigma.max()
print(
    "points     ",
    face.points.shape,
    face.points.dtype,
    "in pixels of the image; (0, 0) is the center of its top left pixel",
)
print(
    "sigma      ",
    face.sigma.shape,
    f"one standard deviation of a point, from {low:.2f} to {high:.2f} px",
)
print(
    "confidence ",
    "probability that a point is within 5 % of the eye distance; mean "
    f"{face.confidence.mean():.3f}",
)
print(
    "score      ",
    f"{face.score:.3f} that this is a well framed face; the detector's score: "
    f"{face.detection_score:.3f}",
)
print("left eye   ", face.region("left_eye").astype(float).round(1).tolist())
numbered = draw_numbered(image, face.points, face.schema)
grown = face.box + 0.12 * (face.box[2] - face.box[0]) * np.array([-1, -1, 1, 1])
Image.fromarray(numbered).crop(tuple(grown * numbered.shape[1] / image.shape[1])).resize((640, 580))

# %% [markdown]
# Left and right are the subject's own: her left eye is on the right of the image.
#
# ## Step by step
#
# **1. A detector finds boxes.** RetinaFace is the default; OpenCV's Haar cascade and YuNet are
# available too, and `PrecomputedBoxes` takes boxes that you have. Each detector's adapter converts
# its box to the convention of facedots, the tight box around the 68 points, because a network needs
# crops as in training.

# %%
figure, grid = plt.subplots(1, 2, figsize=(8, 4.8), layout="constrained")
for axes, detector in zip(grid, (facedots.RetinaFace(), facedots.Haar()), strict=True):
    start = time.process_time()
    detections = detector(image)
    took = 1000 * (time.process_time() - start)
    axes.imshow(image)
    for (x0, y0, x1, y1), score in zip(detections.boxes, detections.scores, strict=True):
        axes.add_patch(
            Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, color="#E69F00", linewidth=2)
        )
        axes.text(x0, y0 - 8, f"{score:.2f}", color="#E69F00")
    axes.set_title(f"{type(detector).__name__}: {len(detections)} found, {took:.0f} ms")
    axes.set_axis_off()
plt.show()

# %% [markdown]
# **2. A crop around the box.** The network needs a square of fixed size. Its `spec` is stored in
# the weight file: how much wider than the box the square is, how many pixels, gray or color. The
# map between image and crop is one 2x3 matrix, and its inverse brings the points back.

# %%
predictor = pipeline.predictor
box = facedots.RetinaFace()(image).boxes[0]
crop, square = cut_crop(predictor, image, box)
matrix = crop_matrix(square, predictor.spec.input_size)
in_crop = apply_affine(matrix, face.points)
back = apply_affine(invert(matrix), in_crop)
print(
    predictor.spec.crop,
    f"-> {crop.shape}; there and back: {np.abs(back - face.points).max():.1e} px off",
)
assert np.abs(back - face.points).max() < 1e-3
size = predictor.spec.input_size
large = cv2.resize(crop, (512, 512), interpolation=cv2.INTER_CUBIC)
Image.fromarray(facedots.draw_keypoints(large, (in_crop + 0.5) * 512 / size - 0.5, face.schema))

# %% [markdown]
# **3. The network finds the points**: all faces of an image in one batch. Processor time:

# %%
for count in (1, 4, 16, 64):
    boxes = np.repeat(box[None], count, axis=0)
    predictor.predict(image, boxes)
    start = time.process_time()
    for _ in range(3):
        predictor.predict(image, boxes)
    print(
        f"{count:3} faces a call: {1000 * (time.process_time() - start) / 3 / count:5.2f} ms a face"
    )

# %% [markdown]
# ## Is sigma right?
#
# We draw faces whose points are known exactly, and compare the errors with sigma. (These are
# cartoons and the network was trained on photographs; what counts is that sigma is larger where the
# error is.)

# %%
drawn = [draw_face(np.random.default_rng((7, i))) for i in range(60)]
errors, sigmas = [], []
for photo, truth in drawn:
    tight = np.concatenate([truth.min(axis=0), truth.max(axis=0)])
    (prediction,) = facedots.Pipeline(PrecomputedBoxes([tight]), predictor)(photo)
    eyes = np.linalg.norm(truth[45] - truth[36])
    errors.append(np.linalg.norm(prediction.points - truth, axis=1) / eyes)
    sigmas.append(prediction.sigma / eyes)
errors, sigmas = np.concatenate(errors), np.concatenate(sigmas)
edges = np.quantile(sigmas, np.linspace(0, 1, 9))
group = np.digitize(sigmas, edges[1:-1])
figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
observed = np.array([100 * np.sqrt((errors[group == i] ** 2).mean() / 2) for i in range(8)])
predicted = np.array([100 * np.sqrt((sigmas[group == i] ** 2).mean()) for i in range(8)])
axes.plot(predicted, observed, "o-", label="an eighth of all points each")
axes.plot(predicted, predicted, "--", color="gray", label="ideal")
axes.set(xlabel="predicted sigma, % of the eye distance", ylabel="observed error per axis, %")
axes.legend()
rank = pd.Series(sigmas).rank().corr(pd.Series(errors).rank())
print(f"rank correlation of sigma and error: {rank:.2f}")
assert rank > 0.2
plt.show()

# %% [markdown]
# ## Many images, saved
#
# A folder of images becomes one JSON document (everything), and one CSV table with the columns of
# OpenFace, which other tools read. The shell does the same in one line: `facedots predict folder/
# --out drawn --json faces.json --csv faces.csv`.

# %%
results = []
for i, (photo, _) in enumerate(drawn[:6]):
    facedots.write_image(work / "in" / f"{i}.png", photo)
for path in sorted((work / "in").glob("*.png")):
    photo = facedots.read_image(path)
    results.append(ImageResult(path.name, photo.shape[1], photo.shape[0], pipeline(photo)))
(work / "faces.json").write_text(to_json(results, face.schema, "small"))
(work / "faces.csv").write_text(to_csv(results, face.schema))
document = json.loads((work / "faces.json").read_text())
print({key: len(value) if isinstance(value, list) else value for key, value in document.items()})
pd.read_csv(work / "faces.csv")[
    ["frame", "face_id", "confidence", "success", "x_36", "y_36", "sigma_36", "source"]
].round(2)

# %% [markdown]
# An image in which no face was detected has a row with `success` 0; nothing is left out silently.
# The error, where the ground truth is known:

# %%
truths = {f"{i}.png": truth for i, (_, truth) in enumerate(drawn)}
measured = [
    (
        result.source,
        float(nme(result.faces[0].points[None], truths[result.source][None], face.schema)[0]),
    )
    for result in results
    if result.faces
]
pd.DataFrame(measured, columns=["image", "NME, % of the eye distance"]).round(2)

# %% [markdown]
# ## When it fails
#
# Errors are raised, with the fix in the message, and never swallowed:

# %%
for attempt in (
    lambda: facedots.read_image(work / "missing.jpg"),
    lambda: pipeline(np.zeros((100, 100))),
    lambda: facedots.KeypointPredictor("enormous"),
):
    try:
        attempt()
    except facedots.FacedotsError as error:
        print(f"{type(error).__name__}: {str(error).replace(str(work), '…')}\n")
print("no face:", pipeline(np.full((200, 200, 3), 128, np.uint8)))
