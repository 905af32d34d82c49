# %% [markdown]
# # 3. Train a network and vary its hyperparameters
#
# A convolutional network in twenty lines, a training loop in ten, and then the questions that
# matter: does it learn at all, when does it begin to overfit, what do batch size, loss and
# architecture do? Every training here takes seconds, so change the numbers and run again. At the
# end the same goes through a recipe of the project. Runs in two minutes.

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
from torch import nn
from torch.nn import functional as F

from facedots import (
    IBUG68,
    CropSpec,
    KeypointPredictor,
    KeypointsDataset,
    apply_affine,
    evaluate,
    invert,
    load_recipe,
    load_split,
    nme,
    read_image,
    train,
)
from facedots.data import Compose, Crop, Normalize, ToTensor, denormalize_keypoints
from facedots.plots import Comparison, comparison_figure

DATA = os.environ.get("FACEDOTS_DATA", "synthetic:600")
REAL = not DATA.startswith("synthetic:")
torch.set_num_threads(1)

# %% [markdown]
# ## The faces as two tensors
#
# To try many things quickly, make the samples once and keep them: a gray crop of 48 px around each
# face's box, points in about [-1, 1] (notebook 2). Validation faces are other people than the
# training faces; no weight is ever fitted to them.

# %%
SIZE = 48
see = Compose([Crop(CropSpec("box", 1.3), SIZE), Normalize(), ToTensor()])


def tensors(faces):
    samples = KeypointsDataset(faces, see)
    made = [samples[i] for i in range(len(samples))]
    return [torch.stack([sample[key] for sample in made]) for key in ("image", "keypoints")]


split = load_split(DATA, ["youtube-faces"], "official")
training_faces = split.train[:: 7 if REAL else 1]
images, points = tensors(training_faces)
unseen_images, unseen_points = tensors(split.validation)
print(
    f"{len(images)} faces for training, {len(unseen_images)} of other people for validation; "
    f"images {tuple(images.shape[1:])}"
)


def error(predicted, true):
    """NME of each face in percent: mean point error over the distance of the outer eye corners."""
    pixels = [
        denormalize_keypoints(part.detach().numpy(), (SIZE, SIZE)) for part in (predicted, true)
    ]
    return nme(*pixels, IBUG68)


# %% [markdown]
# **First the floor.** Any network must beat a baseline that ignores the image and always predicts
# the mean face:

# %%
mean_face = points.mean(dim=0)
floor = error(mean_face.expand_as(unseen_points), unseen_points).mean()
print(f"always the mean face: {floor:.1f} % NME")

# %% [markdown]
# ## A network
#
# Convolutions find things wherever they are, pooling halves the image and so doubles what the next
# convolution sees, batch norm keeps the numbers between the layers of one size, and two fully
# connected layers turn the features into 136 numbers. The last layer's bias starts as the mean
# face, so that training need not learn it first.


# %%
class Net(nn.Module):
    def __init__(self, width=12, norm=nn.BatchNorm2d):
        super().__init__()

        def block(inputs, outputs):
            return nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, padding=1), nn.MaxPool2d(2), norm(outputs), nn.ReLU()
            )

        self.conv1 = block(1, width)  # 48 -> 24 px
        self.conv2 = block(width, 2 * width)  # -> 12
        self.conv3 = block(2 * width, 4 * width)  # -> 6
        self.conv4 = block(4 * width, 4 * width)  # -> 3
        self.fc1 = nn.Linear(4 * width * (SIZE // 16) ** 2, 128)
        self.fc2 = nn.Linear(128, 2 * IBUG68.count)
        self.fc2.bias.data = mean_face.flatten().clone()

    def forward(self, x):
        features = self.conv4(self.conv3(self.conv2(self.conv1(x)))).flatten(1)
        return self.fc2(F.relu(self.fc1(features))).view(-1, IBUG68.count, 2)


def parameters(net):
    return sum(p.numel() for p in net.parameters())


torch.manual_seed(0)
pd.Series(
    {name: parameters(layer) for name, layer in Net().named_children()}
    | {"all": parameters(Net())},
    name="parameters",
).to_frame().T

# %% [markdown]
# Half of the parameters are in one fully connected layer, as in every such network; modern ones
# avoid it (see *architecture* below).
#
# ## The loop
#
# Forward, loss, backward, step. `history` keeps the NME on the training faces during the epoch and
# on the unseen ones after it.


# %%
def fit(
    net,
    *,
    epochs=8,
    batch_size=16,
    lr=2e-3,
    loss=F.l1_loss,
    faces=(images, points),
    augment=None,
    seed=0,
):
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.02)
    steps = epochs * (len(faces[0]) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    start, history = time.perf_counter(), []
    for _ in range(epochs):
        net.train()
        batch_errors = []
        for chosen in torch.randperm(len(faces[0])).split(batch_size):
            if len(chosen) < batch_size:
                continue  # the last, smaller batch
            x, y = (part[chosen] for part in faces)
            if augment:
                x, y = augment(x, y)
            predicted = net(x)
            cost = loss(predicted, y)
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            schedule.step()
            batch_errors.append(error(predicted, y).mean())
        net.eval()
        with torch.no_grad():
            unseen = error(net(unseen_images), unseen_points).mean()
        history.append(
            {
                "training": np.mean(batch_errors),
                "unseen": unseen,
                "seconds": time.perf_counter() - start,
            }
        )
    return pd.DataFrame(history, index=pd.RangeIndex(1, epochs + 1, name="epoch"))


# %% [markdown]
# **Can it learn at all?** Before a long training, let it memorize eight faces. If it cannot,
# something is broken (labels, a forgotten `zero_grad`, a learning rate), and no amount of data will
# help.

# %%
few = (images[:8], points[:8])
memorized = fit(Net(), epochs=100, batch_size=8, faces=few)["training"]
print(f"eight faces: from {memorized.iloc[0]:.1f} to {memorized.iloc[-1]:.2f} % NME")
assert memorized.iloc[-1] < memorized.iloc[0] / 4

# %% [markdown]
# **Now all of them.** Watch both lines. As long as both fall, the network generalizes; where only
# the lower one falls, it overfits.

# %%
net = Net()
plain = fit(net, epochs=12)


def curves(axes, history, title):
    axes.plot(history["training"], color="#777777", label="training faces")
    axes.plot(
        history["unseen"],
        color="#0072B2",
        label=f"unseen people, at last {history['unseen'].iloc[-1]:.2f} %",
    )
    axes.axhline(floor, color="#D55E00", linestyle=":", label=f"mean face {floor:.1f} %")
    axes.set(title=title, xlabel="epoch", ylabel="NME, %", ylim=(0, 1.1 * floor))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
curves(
    axes,
    plain,
    f"{parameters(net):,} parameters, {len(images)} faces, {plain['seconds'].iloc[-1]:.0f} s",
)

# %% [markdown]
# What does such a number look like? Rings are the ground truth, dots the prediction, for four
# unseen faces from best to worst.

# %%
with torch.no_grad():
    predicted = net(unseen_images)
ranks = np.argsort(error(predicted, unseen_points))
rows = []
for i in ranks[np.linspace(0, len(ranks) - 1, 4).astype(int)]:
    face = split.validation[i]
    image = read_image(face.image, orient=False)
    matrix = Crop(CropSpec("box", 1.3), SIZE)({"image": image, "keypoints": face.points})["matrix"]
    located = apply_affine(
        invert(matrix), denormalize_keypoints(predicted[i].numpy(), (SIZE, SIZE))
    )
    rows.append(
        Comparison(
            image,
            face.points,
            located,
            f"{nme(located[None], face.points[None], IBUG68)[0]:.1f} % NME",
        )
    )
comparison_figure({"": rows})

# %% [markdown]
# ## 1. Augmentation
#
# The gap between the two lines is overfitting. The cheapest cure is a mirror image with left and
# right names swapped (notebook 1, trap 4) and a small shift: no input repeats exactly.


# %%
def mirror_and_shift(x, y):
    flip = torch.rand(len(x)) < 0.5
    x, y = x.clone(), y.clone()
    x[flip] = x[flip].flip(-1)
    y[flip] = y[flip][:, list(IBUG68.flip)] * torch.tensor([-1.0, 1.0])
    dx, dy = torch.randint(-3, 4, (2,)).tolist()  # pixels, one shift a batch
    return torch.roll(x, (dy, dx), (-2, -1)), y + torch.tensor([dx, dy]) * 2 / SIZE


augmented = fit(Net(), epochs=12, augment=mirror_and_shift)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", sharey=True)
curves(left, plain, "the faces as they are")
curves(right, augmented, "mirrored and shifted at random")

# %% [markdown]
# The training line ends higher, since its task is harder, and the gap is smaller. From here on
# every training has it.
#
# ## 2. Batch size
#
# The same epochs with larger batches are fewer steps. So compare twice: at the same number of
# epochs, and by the clock.

# %%
batches = {size: fit(Net(), batch_size=size, augment=mirror_and_shift) for size in (8, 32, 128)}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", sharey=True)
for (size, history), color in zip(batches.items(), ("#0072B2", "#D55E00", "#009E73"), strict=True):
    left.plot(history["unseen"], color=color, label=f"{size} faces a step")
    right.plot(history["seconds"], history["unseen"], color=color)
left.set(title="by epoch", xlabel="epoch", ylabel="NME of unseen people, %")
right.set(title="by the clock", xlabel="seconds")
left.legend(frameon=False)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
pd.DataFrame({size: history.iloc[-1].round(2) for size, history in batches.items()}).rename_axis(
    "after 8 epochs"
)

# %% [markdown]
# With few faces, steps are scarce: large batches average away a noise that does not hurt, at the
# cost of steps. They win where a whole batch takes the time of one face (a GPU), and then the
# learning rate must grow with them.
#
# ## 3. The loss
#
# The gradient of a loss decides: how large is it for a point that is 10 px off, and for one that is
# half a pixel off? The squared error ignores small errors and follows outliers; L1 has the same
# gradient everywhere; Wing (Feng et al., 2018) has its largest gradient near zero.


# %%
def wing(predicted, true, width=0.3, curvature=0.06):
    """In the same units as the points, where the crop is 2 wide: 0.3 is seven pixels of 48."""
    size = (predicted - true).abs()
    constant = width - width * np.log(1 + width / curvature)
    return torch.where(size < width, width * torch.log1p(size / curvature), size - constant).mean()


losses = {
    "squared": F.mse_loss,
    "L1": F.l1_loss,
    "smooth L1": lambda p, t: F.smooth_l1_loss(p, t, beta=0.05),
    "Wing": wing,
}
results = {name: fit(Net(), loss=loss, augment=mirror_and_shift) for name, loss in losses.items()}

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for (name, loss), color in zip(
    losses.items(), ("#777777", "#0072B2", "#D55E00", "#009E73"), strict=True
):
    off = torch.linspace(0, 9, 200)
    scaled = (off * 2 / SIZE).requires_grad_()
    (slope,) = torch.autograd.grad(
        torch.stack([loss(value, torch.zeros(())) for value in scaled]).sum(), scaled
    )
    left.plot(off, slope, color=color, label=name)
    right.plot(
        results[name]["unseen"],
        color=color,
        label=f"{name}: {results[name]['unseen'].iloc[-1]:.2f} %",
    )
left.set(
    title="gradient of the loss", xlabel="error of a point, px of 48", ylabel="slope", ylim=(0, 2.5)
)
right.set(title="result", xlabel="epoch", ylabel="NME of unseen people, %")
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
_ = right.legend(frameon=False)

# %% [markdown]
# ## 4. The architecture
#
# Five networks, one budget of epochs. One has no batch norm: such a network tends to stay at the
# mean face for a long while before the loss falls. The last one has no fully connected layer: it
# draws a *map* for each point and takes the map's center of gravity (soft-argmax), so a point is
# found by its appearance, wherever it is. Its maps are coarse, 12 cells a side, but the center of
# gravity is not bound to cells.


# %%
class OneLayer(nn.Module):
    """No convolution: every coordinate is a weighted sum of all pixels."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(SIZE**2, 2 * IBUG68.count)
        nn.init.zeros_(self.fc.weight)
        self.fc.bias.data = mean_face.flatten().clone()

    def forward(self, x):
        return self.fc(x.flatten(1)).view(-1, IBUG68.count, 2)


class Maps(nn.Module):
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
        cells = SIZE // 4
        self.register_buffer("places", (torch.arange(cells) + 0.5) * 2 / cells - 1)

    def forward(self, x):
        fine = self.fine(x)  # 12 x 12 cells: where exactly
        context = F.interpolate(
            self.coarse(fine), scale_factor=4.0
        )  # 3 x 3 cells: which part of the face
        maps = self.maps(fine + context).flatten(2).softmax(-1).unflatten(2, fine.shape[2:])
        return torch.stack([maps.sum(2) @ self.places, maps.sum(3) @ self.places], dim=-1)


networks = {
    "one layer": OneLayer(),
    "without batch norm": Net(norm=nn.Identity),
    "narrow": Net(width=4),
    "as above": Net(),
    "maps": Maps(),
}
tried = {}
for name, candidate in networks.items():
    history = fit(candidate, lr=3e-4 if name == "one layer" else 2e-3, augment=mirror_and_shift)
    tried[name] = {
        "parameters": f"{parameters(candidate):,}",
        **history.iloc[-1].round(2).to_dict(),
    }
pd.DataFrame(tried).T.rename(columns={"training": "NME training", "unseen": "NME unseen"})

# %% [markdown]
# ## The same with a recipe
#
# The shipped networks are trained in the same way, with everything that is too long for a notebook:
# augmentation of many kinds, averaged weights, a sigma for each point, checkpoints that survive a
# crash. One YAML file decides all of it and so is the record of the training. Here is `small` for a
# few epochs; the shipped one got many more. `facedots train` does the same.

# %%
# %%capture
run = tempfile.TemporaryDirectory()
epochs = 1 if REAL else 4  # one pass over all real faces, or four over the few drawn ones
changes = {"epochs": epochs, "batch_size": 16, "augmentation": 0.5, "threads": 1}
recipe = load_recipe("../recipes/small-ytf.yaml", changes)
start = time.perf_counter()
weights = train(recipe, DATA, Path(run.name) / "small")
seconds = time.perf_counter() - start

# %%
by_recipe = evaluate(KeypointPredictor(weights), split.validation).accuracy.nme
print(
    f"small, {recipe.epochs} epochs, {seconds:.0f} s: {by_recipe:.2f} % NME on the same unseen "
    "people"
)
print(f"the maps above: {tried['maps']['unseen']:.2f} %; the mean face: {floor:.1f} %")
assert by_recipe < floor
Image.open(Path(run.name) / "small" / "curves.png").reduce(2)

# %% [markdown]
# One warning. The network *as above* with the L1 loss was trained twice for eight epochs, once in
# section 3 and once in section 4, from different initial weights. Compare the two numbers: short
# trainings scatter, and a change that moves the NME by less than that has shown nothing yet. Train
# longer and repeat with other seeds before trusting a difference. Next: how to test the result
# without fooling yourself.
