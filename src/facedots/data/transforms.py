"""The textbook transforms: small callables from a sample to a new sample, which move image and
points together.

A sample is a dict with ``'image'`` and ``'keypoints'``; a transform never changes the one it is
given and passes on every other key. Two of those matter here and in :mod:`facedots.data.augment`:

* ``'matrix'``, ``float64 (2, 3)``: the affine map from the frame, as the dataset read it, to the
  sample's image. Every transform that moves pixels sets it, so that whatever a network finds can be
  taken back to the frame.
* ``'label_bias_x'`` and ``'box'``: pixels of the frame, whatever happened to the image since.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from facedots.data.dataset import Sample, Transform
from facedots.errors import ImageError, ShapeError
from facedots.geometry import Floats, Matrix, apply_affine, compose

Size = int | tuple[int, int]

IDENTITY: Matrix = np.array([[1.0, 0, 0], [0, 1, 0]])


def prior_matrix(sample: Sample) -> Matrix:
    """The affine map ``(2, 3)`` from the frame to the sample's image as it is now."""
    return np.asarray(sample.get("matrix", IDENTITY), np.float64)


def moved(sample: Sample, image: NDArray[Any], matrix: Matrix) -> Sample:
    """A new sample: the given image, the points and ``'matrix'`` under the affine map that led to
    it.
    """
    points = apply_affine(matrix, sample["keypoints"])
    return {
        **sample,
        "image": image,
        "keypoints": points,
        "matrix": compose(matrix, prior_matrix(sample)),
    }


@dataclass
class Compose:
    """One transform after the other.

    >>> chain = Compose([Rescale(250), RandomCrop(224), Normalize(), ToTensor()])
    >>> sample = {"image": np.zeros((180, 200, 3), np.uint8), "keypoints": np.zeros((68, 2), np.float32)}
    >>> chain(sample)["image"].shape
    torch.Size([1, 224, 224])
    """

    transforms: Sequence[Transform]

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> what the last transform makes of it."""
        result = dict(sample)
        for transform in self.transforms:
            result = transform(result)
        return result


@dataclass
class Rescale:
    """Resize the image; by area where it shrinks, bilinearly where it grows.

    Attributes:
        size: An int becomes the shorter side and the aspect is kept; a pair is height and width.
    """

    size: Size

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> the sample at another size."""
        image = sample["image"]
        height, width = image.shape[:2]
        new_height, new_width = self._target(height, width)
        shrunk = cv2.resize(
            image, (min(width, new_width), min(height, new_height)), interpolation=cv2.INTER_AREA
        )
        result = cv2.resize(shrunk, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
        sx, sy = new_width / width, new_height / height
        # Pixel centers: the left edge of an image is at -0.5, before and after.
        matrix = np.array([[sx, 0, sx / 2 - 0.5], [0, sy, sy / 2 - 0.5]])
        return moved(sample, result.reshape(new_height, new_width, *image.shape[2:]), matrix)

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if not isinstance(self.size, int):
            return self.size
        zoom = self.size / min(height, width)
        return round(height * zoom), round(width * zoom)


@dataclass
class RandomCrop:
    """Cut a window out of the image, every place equally likely.

    Attributes:
        size: Side of the window in pixels, or its height and width.
        generator: Source of the randomness.

    Raises:
        ShapeError: On an image that is smaller than the window.
    """

    size: Size
    generator: np.random.Generator = field(
        default_factory=np.random.default_rng, repr=False, kw_only=True
    )

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> a window of it."""
        height, width, free_y, free_x = _window(sample["image"], self.size, self)
        top, left = (
            int(self.generator.integers(free_y + 1)),
            int(self.generator.integers(free_x + 1)),
        )
        return _cut(sample, top, left, height, width)


@dataclass
class CenterCrop:
    """Cut the middle out of the image; where it cannot be halved, the window lies half a pixel up
    and left.

    Attributes:
        size: Side of the window in pixels, or its height and width.

    Raises:
        ShapeError: On an image that is smaller than the window.
    """

    size: Size

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> its middle."""
        height, width, free_y, free_x = _window(sample["image"], self.size, self)
        return _cut(sample, free_y // 2, free_x // 2, height, width)


def _window(image: NDArray[Any], size: Size, what: object) -> tuple[int, int, int, int]:
    """Height and width of the window, and how many rows and columns of the image it leaves over."""
    height, width = (size, size) if isinstance(size, int) else size
    free_y, free_x = image.shape[0] - height, image.shape[1] - width
    if min(free_y, free_x) < 0:
        raise ShapeError(
            f"{what} cannot cut {height} x {width} out of {image.shape[0]} x {image.shape[1]}: put a Rescale before it"
        )
    return height, width, free_y, free_x


def _cut(sample: Sample, top: int, left: int, height: int, width: int) -> Sample:
    image = sample["image"][top : top + height, left : left + width].copy()
    return moved(sample, image, np.array([[1.0, 0, -left], [0, 1, -top]]))


@dataclass
class Normalize:
    """The image to gray ``float32 (H, W)`` in [0, 1], the points to about [-1, 1].

    The edges of the image, half a pixel outside the outermost pixel centers, are -1 and 1.
    ``uint8`` is divided by 255; floats are taken to be in [0, 1] already and are not divided again.
    Alpha is dropped. Gray is Rec. 601 luma.

    Raises:
        ImageError: On a float image outside [0, 1], or on another type or shape.
    """

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> the sample in gray, with points in about [-1, 1]."""
        image = sample["image"]
        return {
            **sample,
            "image": _gray(image),
            "keypoints": normalize_keypoints(sample["keypoints"], image.shape[:2]),
        }

    def inverse(self, sample: Sample) -> Sample:
        """The sample with its points in pixels again; the image stays gray."""
        points = denormalize_keypoints(sample["keypoints"], sample["image"].shape[:2])
        return {**sample, "keypoints": points}


def normalize_keypoints(points: ArrayLike, image_size: tuple[int, int]) -> Floats:
    """Points ``(..., 2)`` in pixels to coordinates in which the image reaches from -1 to 1 on both
    axes.

    Args:
        points: (x, y) in pixels.
        image_size: Height and width of the image.

    >>> normalize_keypoints([[-0.5, 49.5], [99.5, 24.5]], (50, 100)).tolist()
    [[-1.0, 1.0], [1.0, 0.0]]
    """
    width_height = np.array(image_size[::-1], np.float64)
    return np.asarray((2 * np.asarray(points, np.float64) + 1) / width_height - 1, np.float32)


def denormalize_keypoints(points: ArrayLike, image_size: tuple[int, int]) -> Floats:
    """The inverse of :func:`normalize_keypoints`.

    >>> denormalize_keypoints([[-1, 1]], (50, 100)).tolist()
    [[-0.5, 49.5]]
    """
    width_height = np.array(image_size[::-1], np.float64)
    return np.asarray(((np.asarray(points, np.float64) + 1) * width_height - 1) / 2, np.float32)


def _gray(image: NDArray[Any]) -> Floats:
    """``float32 (H, W)`` in [0, 1] from an image of 1, 3 or 4 channels."""
    if image.dtype == np.uint8:
        scaled = np.asarray(image, np.float32) / 255
    elif np.issubdtype(image.dtype, np.floating):
        scaled = np.array(image, np.float32)
        if not (scaled.min() >= -1e-3 and scaled.max() <= 1 + 1e-3):
            raise ImageError(
                f"a float image must lie in [0, 1], not in [{scaled.min():g}, {scaled.max():g}]: give uint8, or divide by 255"
            )
        scaled = scaled.clip(0, 1)  # resampling may leave the range by a rounding error
    else:
        raise ImageError(f"an image must be uint8 or float, not {image.dtype}")
    channels = 1 if image.ndim == 2 else image.shape[-1]
    if image.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise ImageError(
            f"an image must have the shape (H, W) or (H, W, 1, 3 or 4), not {image.shape}"
        )
    if channels == 1:
        return np.asarray(scaled.reshape(image.shape[:2]), np.float32)
    return np.asarray(cv2.cvtColor(scaled[..., :3], cv2.COLOR_RGB2GRAY), np.float32)


@dataclass
class ToTensor:
    """Image and points to ``float32`` tensors that share no memory with the sample.

    The image ``(H, W)`` or ``(H, W, C)`` becomes ``(C, H, W)``; ``uint8`` is divided by 255, floats
    keep their values.
    """

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> the sample with tensors."""
        image = sample["image"]
        channels_first = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
        tensor = torch.tensor(np.ascontiguousarray(channels_first), dtype=torch.float32)
        if image.dtype == np.uint8:
            tensor /= 255
        return {
            **sample,
            "image": tensor,
            "keypoints": torch.tensor(sample["keypoints"], dtype=torch.float32),
        }
