# %% [markdown]
# # 7. Fun with faces
#
# What 68 keypoints are good for: stickers and make-up that follow the head, head pose, blinks,
# aligned faces and anonymized faces. Each is two lines with the package; here we also look at how
# it works. Runs in under a minute and needs no data.

# %%
# %matplotlib inline
import cv2
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import facedots
from facedots import (
    Anonymizer,
    BlinkCounter,
    Camera,
    FaceAnalyzer,
    Lips,
    Stickers,
    align_face,
    draw_axes,
    guess_emotion,
    head_pose,
    named_effects,
    sample_portrait,
    similarity,
    warp_image,
)
from facedots.analysis import MEAN_SHAPE, TRIANGLES, Mesh, face_texture
from facedots.data import close_eye
from facedots.effects import effect_names

image = facedots.read_image(sample_portrait())[:420]  # Rear Admiral Grace Hopper; public domain
pipeline = facedots.Pipeline()
faces = pipeline(image)


def side_by_side(*photos, height=330):
    """Images of one height in a row."""
    scaled = [
        cv2.resize(
            p, (round(p.shape[1] * height / p.shape[0]), height), interpolation=cv2.INTER_AREA
        )
        for p in photos
    ]
    return Image.fromarray(np.concatenate(scaled, axis=1))


# %% [markdown]
# ## Filters
#
# An effect takes an image and its faces and gives a new image. Make-up tints regions of the face,
# softly, and keeps their shading; stickers lie on a plane that is fixed to the head and projected
# with its pose.

# %%
made_up = Lips(color=(170, 20, 60))(image, faces)
dressed = Stickers(["hat", "sunglasses", "mustache"])(image, faces)
print("effects:", ", ".join(effect_names()))
side_by_side(made_up, dressed)

# %%
dog = image
for effect in named_effects("dog-ears,dog-nose,blush"):
    dog = effect(dog, faces)
side_by_side(dog, Mesh()(image, faces))

# %% [markdown]
# Stickers follow a tilted head. Here the *image* is rotated, and everything is detected again:

# %%
height, width = image.shape[:2]
turned = []
for angle in (-30, 0, 30):
    turn = similarity(angle, 0.85, (0, 0), (width / 2, height / 2))
    photo = warp_image(image, turn, (width, height))
    turned.append(Stickers(["party-mask", "crown"])(photo, pipeline(photo)))
side_by_side(*turned, height=250)

# %% [markdown]
# ## Pose
#
# `head_pose` finds the rotation and position of a 3D head model so that its projected points fall
# on the 68 dots. The axes show the result: x to the subject's left, y down, z out of the face.

# %%
reader = FaceAnalyzer()
poses = []
for photo in (image, np.ascontiguousarray(image[:, ::-1])):
    camera = Camera.guess(photo.shape[:2])
    (reading,) = reader(photo, pipeline(photo))
    pose = reading.pose
    print(
        f"yaw {pose.yaw:+.1f}°, pitch {pose.pitch:+.1f}°, roll {pose.roll:+.1f}°; misfit "
        f"{pose.reprojection_error:.3f}"
    )
    poses.append((pose, draw_axes(photo, [pose], camera)))
(first, _), (second, _) = poses
assert abs(first.yaw + second.yaw) < 6
assert abs(first.roll + second.roll) < 4
side_by_side(*(photo for _, photo in poses))

# %% [markdown]
# The second image is the mirror image, a check that costs nothing: yaw and roll must change their
# sign, pitch must not. They do, to a few degrees, which is the error of one image. Rotating the
# image must change the roll by as much:

# %%
angles = np.arange(-30, 31, 10)
rolls = []
for angle in angles:
    photo = warp_image(
        image, similarity(float(angle), 0.8, (0, 0), (width / 2, height / 2)), (width, height)
    )
    (face,) = pipeline(photo)
    rolls.append(head_pose(face.points, Camera.guess((height, width))).roll)
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.plot(angles, rolls, "o-", label="measured roll")
axes.plot(angles, angles + rolls[3], "--", color="gray", label="expected")
axes.set(xlabel="image rotated by, degrees", ylabel="degrees")
axes.legend()
plt.show()

# %% [markdown]
# ## Blink
#
# There is no video of the admiral, so we make one: `close_eye` draws the lids down, as the
# augmentation for closed eyes does. The reader measures how open the eyes are, in eye distances,
# and `BlinkCounter` counts: an opening that falls well below what is usual for this person and
# comes back within half a second.

# %%
face = faces[0]
right, left = (face.schema.regions[f"{side}_eye"] for side in ("right", "left"))
times = np.arange(0, 4, 1 / 15)
shut = sum(np.exp(-(((times - when) / 0.08) ** 2)) for when in (0.8, 1.9, 3.2)).clip(0, 1)
counter, openings, frames = BlinkCounter(), [], {}
for moment, closing in zip(times, shut, strict=True):
    frame, points = close_eye(image, face.points, right, float(closing))
    frame, points = close_eye(frame, points, left, float(closing))
    (reading,) = reader(frame, pipeline(frame))
    openings.append((reading.signals["right_eye_open"] + reading.signals["left_eye_open"]) / 2)
    counter.update(reading.signals, float(moment))
    frames[round(float(closing), 2)] = frame
figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
axes.plot(times, openings, ".-", label="measured")
axes.fill_between(
    times, 0, max(openings) * shut, color="#E69F00", alpha=0.3, label="lids drawn down"
)
axes.set(
    xlabel="seconds",
    ylabel="eyes open, eye distances",
    title=f"{counter.count} blinks counted",
    ylim=(0, None),
)
axes.legend(loc="lower right")
assert counter.count == 3
plt.show()

# %%
x0, y0, x1, y1 = (int(edge) for edge in face.box)
half = min(frames, key=lambda closing: abs(closing - 0.6))
side_by_side(
    *(frames[closing][y0:y1, x0:x1] for closing in (min(frames), half, max(frames))), height=240
)

# %% [markdown]
# ## Expression
#
# Signals are lengths on the face as it would look from the front. The probabilities of six emotions
# were fitted to faces that people labeled; `guess_emotion` names one where it reaches one half. It
# is right in two of three cases: the look of a face, not what somebody feels.

# %%
(reading,) = reader(image, faces)
for name, value in reading.signals.items():
    print(f"{name:16} {value:+.3f}")
emotions = {name: round(value, 2) for name, value in reading.emotions.items()}
print(f"\nguess: {guess_emotion(reading.emotions)}", emotions)

# %% [markdown]
# ## Align
#
# Networks that compare faces need them upright, centered and equally large. Three templates: `eyes`
# is facedots', `arcface112` is that of ArcFace, `ffhq` that of the FFHQ data set.

# %%
tilted = warp_image(image, similarity(25, 0.8, (20, 10), (width / 2, height / 2)), (width, height))
(face,) = pipeline(tilted)
aligned = [
    align_face(tilted, face, 300, template).image for template in ("eyes", "arcface112", "ffhq")
]
side_by_side(cv2.resize(tilted, (366, 300)), *aligned, height=215)

# %% [markdown]
# Beyond a similarity: the texture warped to one fixed shape, triangle by triangle (the shape's lips
# are open; hers were closed). From there it can be put on any other face (`facedots.swap_faces`),
# or averaged over many.

# %%
texture = face_texture(image, faces[0])
figure, (shape, skin) = plt.subplots(1, 2, figsize=(7, 3.6), layout="constrained")
shape.triplot(MEAN_SHAPE[:, 0], MEAN_SHAPE[:, 1], TRIANGLES, linewidth=0.6, color="#56B4E9")
shape.set(title="the mean shape and its triangles", aspect="equal")
shape.invert_yaxis()
skin.imshow(texture.image)
skin.set_title("her texture on it")
for axes in (shape, skin):
    axes.set_axis_off()
plt.show()

# %% [markdown]
# ## Anonymize
#
# `Anonymizer` covers the hull of the points and of the forehead, grown by three sigma of each
# point, so that uncertain points cover more. Since a missed face is worse than an ugly image, the
# command line does not write an image in which no face was found.

# %%
covered = [Anonymizer(how)(image, faces) for how in ("blur", "pixelate", "solid")]
side_by_side(*covered, height=250)

# %%
for how, photo in zip(("blur", "pixelate", "solid"), covered, strict=True):
    again = facedots.RetinaFace()(photo)
    print(f"{how:9} a detector still finds {len(again)} face{'s' * (len(again) != 1)}")
mask = Anonymizer("solid").mask(faces[0], image.shape[:2])
columns, rows = faces[0].points.round().astype(int).T
assert mask[rows, columns].all(), "every dot lies under the cover"
assert not covered[2][mask].any()

# %% [markdown]
# Only `solid` leaves nothing to recognize: networks can be trained to match blurred or pixelated
# faces. From the shell:
#
# `facedots filter group.jpg --with lips,hat --out out` ·
# `facedots pose group.jpg --json faces.json` · `facedots align photos --out faces` ·
# `facedots anonymize photos --method solid --out out` · `facedots video film.mp4 --out dots.mp4`
