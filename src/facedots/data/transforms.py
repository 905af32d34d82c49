"""The textbook transforms: callables from a sample to a new sample that move image and points
together.

A sample is a dict with ``'image'`` and ``'keypoints'``. A transform never changes its input and
passes on all other keys, of which these matter here and in :mod:`facedots.data.augment`:

* ``'matrix'``, ``float64 (2, 3)``: the affine map from the image as the data set read it to the
  sample's image, set by every transform that moves pixels; its inverse takes predictions back.
* ``'pupils'``, ``float32 (2, 2)``: in pixels of the sample's image, right eye first; NaN where not
  labeled. Moves with the points.
* ``'visible'``, ``float32 (K,)``: 1 for a point that is seen, 0 for one that something hides, NaN
  where that is unknown. Transforms that hide points set it where a sample has it.
* ``'label_bias_x'`` and ``'box'``: always in pixels of the image as the data set read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from facedots.data.dataset import Randomized, Sample, Transform
from facedots.errors import ImageError, ShapeError
from facedots.geometry import Floats, Matrix, apply_affine, compose, is_inside

Size = int | tuple[int, int]

IDENTITY: Matrix = np.array([[1.0, 0, 0], [0, 1, 0]])


def image_matrix(sample: Sample) -> Matrix:
    """The affine map ``(2, 3)`` from the image as the data set read it to the sample's image."""
    return np.asarray(sample.get("matrix", IDENTITY), np.float64)


def replace_image(sample: Sample, image: NDArray[Any], matrix: Matrix) -> Sample:
    """A new sample with another image; the affine map from the old image moves the points."""
    return {
        **sample,
        "image": image,
        **map_points(sample, matrix),
        "matrix": compose(matrix, image_matrix(sample)),
    }


def map_points(sample: Sample, matrix: Matrix) -> Sample:
    """The points of a sample, and its pupils where it has them, under an affine map."""
    names = [name for name in ("keypoints", "pupils") if name in sample]
    return {name: apply_affine(matrix, sample[name]) for name in names}


def hide_covered(sample: Sample, covered: NDArray[np.bool_]) -> Sample:
    """The sample, whose points under a mask ``(H, W)`` of its image are hidden, where it has
    ``'visible'``; unknown points stay unknown.
    """
    if "visible" not in sample:
        return dict(sample)
    visible = sample["visible"].copy()
    hidden = is_inside(sample["keypoints"], *covered.shape)
    columns, rows = sample["keypoints"][hidden].round().astype(int).T
    hidden[hidden] = covered[rows, columns]
    visible[hidden & ~np.isnan(visible)] = 0
    return {**sample, "visible": visible}


@dataclass
class Compose:
    """Apply transforms one after the other.

    Example:
        >>> chain = Compose([Rescale(250), RandomCrop(224), Normalize(), ToTensor()])
        >>> image, points = np.zeros((180, 200, 3), np.uint8), np.zeros((68, 2), np.float32)
        >>> chain({"image": image, "keypoints": points})["image"].shape
        torch.Size([1, 224, 224])
    """

    transforms: Sequence[Transform]

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> the last transform's sample."""
        result = dict(sample)
        for transform in self.transforms:
            result = transform(result)
        return result


@dataclass
class Rescale:
    """Resize the image: area interpolation where it shrinks, bilinear where it grows.

    Attributes:
        size: An int is the shorter side, and the aspect ratio is kept; a pair is height and width.

    Example:
        >>> image, points = np.zeros((100, 200, 3), np.uint8), np.array([[199.5, 99.5]])
        >>> half = Rescale(50)({"image": image, "keypoints": points})
        >>> half["image"].shape, half["keypoints"].tolist()
        ((50, 100, 3), [[99.5, 49.5]])
    """

    size: Size

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> the sample at another size."""
        image = sample["image"]
        height, width = image.shape[:2]
        new_height, new_width = self._new_size(height, width)
        smaller = min(width, new_width), min(height, new_height)
        shrunk = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
        result = cv2.resize(shrunk, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
        sx, sy = new_width / width, new_height / height
        # Pixel centers: the left edge of an image is at -0.5, before and after.
        matrix = np.array([[sx, 0, sx / 2 - 0.5], [0, sy, sy / 2 - 0.5]])
        result = result.reshape(new_height, new_width, *image.shape[2:])
        return replace_image(sample, result, matrix)

    def _new_size(self, height: int, width: int) -> tuple[int, int]:
        if not isinstance(self.size, int):
            return self.size
        zoom = self.size / min(height, width)
        return round(height * zoom), round(width * zoom)


@dataclass
class RandomCrop(Randomized):
    """Crop a window, given by its side or its height and width in pixels, at a random place.

    Raises:
        ShapeError: The image is smaller than the window.

    Example:
        >>> crop = RandomCrop((60, 80), generator=np.random.default_rng(0))
        >>> image, points = np.zeros((100, 100, 3), np.uint8), np.array([[50, 50]])
        >>> window = crop({"image": image, "keypoints": points})
        >>> window["image"].shape, window["keypoints"].tolist()
        ((60, 80, 3), [[37.0, 16.0]])
    """

    size: Size

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> a window of it."""
        height, width, free_y, free_x = _window(sample["image"], self.size, self)
        top = int(self.generator.integers(free_y + 1))
        left = int(self.generator.integers(free_x + 1))
        return _crop(sample, top, left, height, width)


@dataclass
class CenterCrop:
    """Crop the middle; of an odd margin, the smaller half is cut at the top and left. Else as
    :class:`RandomCrop`.

    Example:
        >>> image, points = np.zeros((100, 120, 3), np.uint8), np.array([[59.5, 49.5]])
        >>> CenterCrop(80)({"image": image, "keypoints": points})["keypoints"].tolist()
        [[39.5, 39.5]]
    """

    size: Size

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> its middle."""
        height, width, free_y, free_x = _window(sample["image"], self.size, self)
        return _crop(sample, free_y // 2, free_x // 2, height, width)


def _window(image: NDArray[Any], size: Size, transform: object) -> tuple[int, int, int, int]:
    """Height and width of the window, and the rows and columns of the image outside it."""
    height, width = (size, size) if isinstance(size, int) else size
    free_y, free_x = image.shape[0] - height, image.shape[1] - width
    if min(free_y, free_x) < 0:
        sizes = f"{height} x {width} out of {image.shape[0]} x {image.shape[1]}"
        raise ShapeError(f"{transform} cannot cut {sizes}: put a Rescale before it")
    return height, width, free_y, free_x


def _crop(sample: Sample, top: int, left: int, height: int, width: int) -> Sample:
    image = sample["image"][top : top + height, left : left + width].copy()
    return replace_image(sample, image, np.array([[1.0, 0, -left], [0, 1, -top]]))


@dataclass
class Normalize:
    """Convert the image to gray ``float32 (H, W)`` in [0, 1] and the points to about [-1, 1].

    The edges of the image, half a pixel outside the outermost pixel centers, are -1 and 1. A float
    image must be in [0, 1] already. Alpha is dropped. Gray is Rec. 601 luma.

    Raises:
        ImageError: A float image outside [0, 1], or another type or shape.

    Example:
        >>> image, points = np.full((50, 100, 3), 51, np.uint8), np.array([[-0.5, 24.5]])
        >>> sample = Normalize()({"image": image, "keypoints": points})
        >>> sample["image"].shape, sample["keypoints"].tolist()
        ((50, 100), [[-1.0, 0.0]])
    """

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> the sample in gray, with normalized points."""
        image = sample["image"]
        points = normalize_keypoints(sample["keypoints"], image.shape[:2])
        return {**sample, "image": _gray(image), "keypoints": points}


def normalize_keypoints(points: ArrayLike, image_size: tuple[int, int]) -> Floats:
    """Points ``(..., 2)`` in pixels to coordinates in which the image, of this height and width,
    spans -1 to 1 on both axes.

    >>> normalize_keypoints([[-0.5, 49.5], [99.5, 24.5]], (50, 100)).tolist()
    [[-1.0, 1.0], [1.0, 0.0]]
    """
    width_height = np.array(image_size[::-1], np.float64)
    normalized = (2 * np.asarray(points, np.float64) + 1) / width_height - 1
    return normalized.astype(np.float32)


def denormalize_keypoints(points: ArrayLike, image_size: tuple[int, int]) -> Floats:
    """The inverse of :func:`normalize_keypoints`.

    >>> denormalize_keypoints([[-1, 1]], (50, 100)).tolist()
    [[-0.5, 49.5]]
    """
    width_height = np.array(image_size[::-1], np.float64)
    pixels = ((np.asarray(points, np.float64) + 1) * width_height - 1) / 2
    return pixels.astype(np.float32)


def _gray(image: NDArray[Any]) -> Floats:
    """``float32 (H, W)`` in [0, 1] from an image of 1, 3 or 4 channels."""
    _check_kind(image)
    if image.dtype == np.uint8:
        scaled: Floats = image.astype(np.float32) / np.float32(255)
    else:
        low, high = image.min(), image.max()
        if not (low >= -1e-3 and high <= 1 + 1e-3):
            fault = f"a float image must be in [0, 1], not in [{low:g}, {high:g}]"
            raise ImageError(f"{fault}: give uint8, or divide by 255")
        scaled = image.astype(np.float32).clip(0, 1)  # resampling may overshoot a little
    channels = 1 if image.ndim == 2 else image.shape[-1]
    if image.ndim not in (2, 3) or channels not in (1, 3, 4):
        shapes = "(H, W) or (H, W, 1, 3 or 4)"
        raise ImageError(f"an image must have the shape {shapes}, not {image.shape}")
    if channels == 1:
        return scaled.reshape(image.shape[:2])
    return cv2.cvtColor(scaled[..., :3], cv2.COLOR_RGB2GRAY)


def _check_kind(image: NDArray[Any]) -> None:
    if image.dtype != np.uint8 and not np.issubdtype(image.dtype, np.floating):
        raise ImageError(f"an image must be uint8 or float, not {image.dtype}")


@dataclass
class ToTensor:
    """Convert image and points to ``float32`` tensors that share no memory with the sample.

    The image ``(H, W)`` or ``(H, W, C)`` becomes ``(C, H, W)``; ``uint8`` is divided by 255, floats
    keep their values.

    Raises:
        ImageError: The image is of another type.

    Example:
        >>> image, points = np.full((50, 100, 3), 255, np.uint8), np.array([[10.0, 20.0]])
        >>> sample = ToTensor()({"image": image, "keypoints": points})
        >>> sample["image"].shape, float(sample["image"].max()), sample["keypoints"]
        (torch.Size([3, 50, 100]), 1.0, tensor([[10., 20.]]))
    """

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> the sample with tensors."""
        image = sample["image"]
        _check_kind(image)
        channels_first = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
        tensor = torch.tensor(np.ascontiguousarray(channels_first), dtype=torch.float32)
        if image.dtype == np.uint8:
            tensor /= 255
        points = torch.tensor(sample["keypoints"], dtype=torch.float32)
        return {**sample, "image": tensor, "keypoints": points}
