# %% [markdown]
# # 4. Test it without fooling yourself
#
# Afterwards you can read a test report: the mean and the distribution behind it, best, typical and
# worst faces, the confidence interval, what a detector adds, and whether the predicted uncertainty
# is right. And you will have measured why a test on people from the training set is no test. Runs
# in about a minute.

# %%
# %matplotlib inline
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F

from facedots import (
    IBUG68,
    CropSpec,
    KeypointPredictor,
    KeypointsDataset,
    RetinaFace,
    evaluate,
    load_split,
    nme,
    read_image,
)
from facedots.data import (
    Compose,
    Crop,
    Normalize,
    ToTensor,
    denormalize_keypoints,
    training_augmentation,
)
from facedots.evaluation import mean_shape, place_shape
from facedots.plots import Comparison, ced_figure, comparison_figure, regions_figure

DATA = os.environ.get("FACEDOTS_DATA", "synthetic:600")
REAL = not DATA.startswith("synthetic:")
torch.set_num_threads(1)

# %% [markdown]
# ## The protocol
#
# Each labeled face once, in the image as it is stored; the network gets the true box, so that only
# its points are measured. Here we test the shipped network `small`. Drawn faces are out of its
# domain: it was trained on photographs.

# %%
split = load_split(DATA, ["youtube-faces"], "official")
test = split.test[:: 5 if REAL else 1]
network = KeypointPredictor("small")
result = evaluate(network, test)

floor = place_shape(mean_shape(split.train, network.spec.crop), result.squares)
floor_nme = nme(floor, result.true, IBUG68)

accuracy = result.accuracy
rows = {
    "NME, mean": (accuracy.nme, floor_nme.mean()),
    "NME, median": (accuracy.nme_median, np.median(floor_nme)),
    "FR10: share of faces above 10 %": (accuracy.fr10, 100 * np.mean(floor_nme > 10)),
    "AUC10: area under the curve below": (
        accuracy.auc10,
        100 * np.mean(np.maximum(0, 1 - floor_nme / 10)),
    ),
}
pd.DataFrame(rows, index=["small", "always the mean face"]).T.round(2)

# %% [markdown]
# NME is the mean error of a face's 68 points over the distance of its outer eye corners, in
# percent. A mean of such numbers hides whether all faces are a little wrong or a few are lost, so
# draw them all: which share of the faces has at most which error?

# %%
ced_figure({"small": result.nme}, {"mean face": floor_nme})

# %% [markdown]
# ## Best, typical, worst
#
# Never publish a number without having looked at the worst faces. Sometimes the network is wrong,
# sometimes the label is, and sometimes two annotators would not agree. Rings are labels, dots are
# predictions.

# %%
order = np.argsort(result.nme)
middle = len(order) // 2


def compared(i):
    title = f"{result.names[i].rsplit('/')[-1]}\nNME {result.nme[i]:.2f} %"
    return Comparison(
        read_image(result.images[i], orient=False), result.true[i], result.predicted[i], title
    )


chosen = {"best": order[:5], "typical": order[middle - 2 : middle + 3], "worst": order[:-6:-1]}
comparison_figure({name: [compared(i) for i in faces] for name, faces in chosen.items()})

# %% [markdown]
# **Where on the face?** The jaw has no corners to hold on to, so two people label it differently
# *along* the line. Most of its error is that, and no network can remove it.

# %%
regions_figure({"small": accuracy.nme_by_region}, accuracy.nme)

# %% [markdown]
# ## Confidence intervals
#
# Draw the test faces again, with replacement, two thousand times, and see how the mean scatters (a
# bootstrap). But frames of one person are not independent: somebody with a beard that confuses the
# network brings all their frames along. So draw *people*, not frames. The more alike one person's
# frames are to the network, the wider that interval gets, and it is the honest one. A second
# network whose score lies within it is not better. (Every drawn face is a person of its own; then
# both are the same.)


# %%
def interval(values, groups, draws=2000, seed=0):
    """The middle 95 % of means over groups drawn with replacement."""
    names, member = np.unique(groups, return_inverse=True)
    total, count = np.bincount(member, values), np.bincount(member)
    picks = np.random.default_rng(seed).integers(len(names), size=(draws, len(names)))
    return np.percentile(total[picks].sum(axis=1) / count[picks].sum(axis=1), [2.5, 97.5])


everyone = split.test if REAL else test
whole = evaluate(network, everyone) if REAL else result
by_frame = interval(whole.nme, np.arange(len(everyone)))
by_person = interval(whole.nme, [face.group for face in everyone])
print(
    f"NME {whole.nme.mean():.2f} % on {len(everyone)} frames of "
    f"{len({face.group for face in everyone})} people"
)
for drawn, (low, high) in {"frames": by_frame, "people": by_person}.items():
    print(f"95 % interval, drawing {drawn}: {low:.2f} to {high:.2f} %")

# %% [markdown]
# ## With a detector
#
# In use there is no true box. End to end, a detector's box goes in; a face that it misses has *no*
# error, and leaving it out of the mean would reward a detector for missing the hard ones. So a
# missed face counts as failed (FR10, AUC10, median), and is reported next to the mean.

# %%
end_to_end = evaluate(network, test, RetinaFace())
pd.DataFrame(
    {
        name: {
            "faces": s.n,
            "missed": s.missed,
            "NME of the detected": s.nme,
            "NME median": s.nme_median,
            "FR10": s.fr10,
        }
        for name, s in {"true box": accuracy, "RetinaFace": end_to_end.accuracy}.items()
    }
).T.round(2)

# %% [markdown]
# ## Is the uncertainty informative?
#
# With each point the network predicts a sigma in pixels. If sigma is informative, faces with a
# large sigma are the faces with a large error, and having a person correct the most uncertain ones
# pays. The dashed line is an oracle that sorts by the true error.

# %%
eye = np.linalg.norm(result.true[:, 36] - result.true[:, 45], axis=1)
uncertainty = 100 * result.sigma.mean(axis=1) / eye


def kept(order):
    """Mean NME of the first 1, 2, ... N faces of the order."""
    return np.cumsum(result.nme[order]) / np.arange(1, len(order) + 1)


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
left.scatter(uncertainty, result.nme, s=10, color="#0072B2", alpha=0.6, linewidths=0)
left.set(title="one dot a face", xlabel="mean sigma, % of the eye distance", ylabel="NME, %")
share = 100 * np.arange(1, len(uncertainty) + 1) / len(uncertainty)
right.plot(share, kept(np.argsort(uncertainty)), color="#0072B2", label="most uncertain first")
right.plot(
    share,
    kept(np.argsort(result.nme)),
    "--",
    color="#777777",
    label="largest error first (an oracle)",
)
right.axhline(result.nme.mean(), color="#D55E00", linestyle=":", label="at random")
right.set(
    title="what is left after dropping faces",
    xlabel="faces kept, %",
    ylabel="NME of the kept, %",
    xlim=(20, 100),
    ylim=(0, None),
)
right.legend(frameon=False)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)

ranks = np.argsort(np.argsort([uncertainty, result.nme], axis=1), axis=1)
print(f"rank correlation of uncertainty and error: {np.corrcoef(ranks)[0, 1]:.2f}")

# %% [markdown]
# ## Why scores on the official split are too good
#
# On the official split of the real frames, *every* person and every video of the test part is in
# the training part too (notebook 1, trap 6). What does that do to a score? A clean experiment needs
# two groups of people, A and B, with as many training frames each, and test frames of both. One
# network is trained on A, another on B, everything else alike. Then each test frame is once of a
# training person and once of an unseen person, and a group that happens to be easier cancels out.
#
# For drawn faces, a "video" is one drawing with other light, angle and sharpness in each frame.

# %%
SIZE, PER_GROUP, FRAMES = 64, 80, 4
see = Compose([Normalize(), ToTensor()])


def frames_of(face, count, rng):
    """One drawn face as it looks in ``count`` frames of a video."""
    sample = KeypointsDataset([face])[0]
    film = training_augmentation(CropSpec("box", 1.3), SIZE, IBUG68, rng, strength=0.25)
    return [see(film(sample)) for _ in range(count)]


def crops_of(faces):
    data = KeypointsDataset(faces, Compose([Crop(CropSpec("box", 1.3), SIZE), see]))
    return [data[i] for i in range(len(data))]


people = {}  # person -> training samples, test samples
if REAL:
    for part in (split.train + split.validation, split.test):
        for face in part:
            people.setdefault(face.group, ([], []))[part is split.test].append(face)
    enough = [
        person for person, (train, test) in sorted(people.items()) if len(train) >= FRAMES and test
    ]
    picked = np.random.default_rng(0).permutation(enough)[: 2 * PER_GROUP]
    people = {
        person: (crops_of(people[person][0][:FRAMES]), crops_of(people[person][1][:1]))
        for person in picked
    }
else:
    rng = np.random.default_rng(0)
    for face in split.train[: 2 * PER_GROUP]:
        film = frames_of(face, FRAMES + 1, rng)
        people[face.group] = film[:FRAMES], film[FRAMES:]

groups = {"A": list(people.values())[::2], "B": list(people.values())[1::2]}


def stack(samples):
    return [torch.stack([sample[key] for sample in samples]) for key in ("image", "keypoints")]


training = {
    name: stack([sample for train, _ in group for sample in train])
    for name, group in groups.items()
}
testing = {
    name: stack([sample for _, test in group for sample in test]) for name, group in groups.items()
}
for name in groups:
    print(f"group {name}: {len(training[name][0])} training, {len(testing[name][0])} test frames")


# %%
class Net(nn.Module):
    """As `Maps` in notebook 3: a map for each point, read out by its center of gravity."""

    def __init__(self, width=16):
        super().__init__()

        def block(inputs, outputs, stride):
            return nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            )

        self.fine = nn.Sequential(
            block(1, width, 2), block(width, 2 * width, 2), block(2 * width, 2 * width, 1)
        )
        self.coarse = nn.Sequential(
            block(2 * width, 3 * width, 2),
            block(3 * width, 3 * width, 2),
            block(3 * width, 2 * width, 1),
        )
        self.maps = nn.Conv2d(2 * width, IBUG68.count, 1)
        self.register_buffer("places", (torch.arange(SIZE // 4) + 0.5) * 8 / SIZE - 1)

    def forward(self, x):
        fine = self.fine(x)
        maps = self.maps(fine + F.interpolate(self.coarse(fine), scale_factor=4.0))
        maps = maps.flatten(2).softmax(-1).unflatten(2, fine.shape[2:])
        return torch.stack([maps.sum(2) @ self.places, maps.sum(3) @ self.places], dim=-1)


def fit(images, points, epochs=30, batch_size=16):
    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 3e-3, total_steps=epochs * (len(images) // batch_size)
    )
    for _ in range(epochs):
        for chosen in torch.randperm(len(images))[: len(images) // batch_size * batch_size].split(
            batch_size
        ):
            loss = F.l1_loss(net(images[chosen]), points[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def errors(net, images, points):
    with torch.no_grad():
        predicted = net(images)
    return nme(
        *(denormalize_keypoints(part.numpy(), (SIZE, SIZE)) for part in (predicted, points)), IBUG68
    )


nets = {name: fit(*data) for name, data in training.items()}
table = {
    (group, tested): errors(nets[group], *testing[tested]) for group in nets for tested in testing
}
pd.DataFrame(
    {
        f"tested on {tested}": {
            f"trained on {group}": table[group, tested].mean() for group in nets
        }
        for tested in testing
    }
).round(2)

# %%
familiar = np.concatenate([table["A", "A"], table["B", "B"]])
unseen = np.concatenate([table["A", "B"], table["B", "A"]])
gain = 100 * (1 - familiar.mean() / unseen.mean())
print(
    f"people of the training set {familiar.mean():.2f} %, unseen people {unseen.mean():.2f} %: "
    f"{gain:.0f} % lower"
)
assert familiar.mean() < unseen.mean()
ced_figure({"people of the training set": familiar, "unseen people": unseen}, threshold=20)

# %% [markdown]
# The same test frames, the same number of training frames, the same network; the only difference is
# whether the people are in the training set. The reason can be seen: test frames, and below each
# the most similar training frame of the same group.

# %%
(train_images, _), (test_images, _) = training["A"], testing["A"]
nearest = torch.cdist(test_images[:6].flatten(1), train_images.flatten(1)).argmin(dim=1)
figure, panels = plt.subplots(2, 6, figsize=(9, 3.3), layout="constrained")
for column, match in enumerate(nearest):
    for panel, image in zip(
        panels[:, column], (test_images[column], train_images[match]), strict=True
    ):
        panel.imshow(image[0], cmap="gray", vmin=0, vmax=1)
        panel.set(xticks=[], yticks=[])
panels[0, 0].set_ylabel("test")
_ = panels[1, 0].set_ylabel("training")

# %% [markdown]
# With thousands of people the effect is smaller, but never zero. So facedots reports two numbers:
# **official**, to compare with published ones, and **disjoint**, five folds without a person on
# both sides, the honest one: `facedots evaluate small --split official` and `--split disjoint:0`.
# The scores of the shipped networks are in their model cards:

# %%
for name in ("small", "baseline"):
    card = KeypointPredictor(name).card
    print(name, "| trained on the split", card.split)
    for what, score in card.scores.items():
        print(f"    {what}: {score:.2f} %" if isinstance(score, float) else f"    {what}: {score}")

# %% [markdown]
# Next: what does such a network detect? Its kernels and feature maps.
