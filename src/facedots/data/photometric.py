"""Photometric augmentation of crops ``uint8 (H, W, 3)``: light, lens, sensor and file. The points
stay where they are.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.data.dataset import Randomized, Sample
from facedots.data.transforms import hide_covered
from facedots.geometry import Floats, Image

Range = tuple[float, float]

NOISE_SIGMA = 32.0
"""Standard deviation of the table that noise is cut from, in gray levels."""


@dataclass(kw_only=True)
class Photometric(Randomized, ABC):
    """Base class: changes the image with probability ``p`` and passes on everything else.

    Example:
        >>> class Invert(Photometric):
        ...     def apply(self, image):
        ...         return 255 - image
        >>> Invert()({"image": np.zeros((1, 1), np.uint8)})["image"].tolist()
        [[255]]
    """

    p: float = 1.0

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> the sample, its image changed or not."""
        return dict(sample) if self.generator.random() >= self.p else self._changed(sample)

    def _changed(self, sample: Sample) -> Sample:
        return {**sample, "image": self.apply(sample["image"])}

    @abstractmethod
    def apply(self, image: Image) -> Image:
        """A changed copy of the image ``uint8 (H, W, 3)``."""

    def _log_uniform(self, bounds: Range) -> float:
        low, high = bounds
        return float(np.exp(self.generator.uniform(np.log(low), np.log(high))))


@dataclass(kw_only=True)
class ColorJitter(Photometric):
    """Random brightness, contrast, gamma and color cast in one look-up table, then saturation.

    Attributes:
        brightness: Largest offset of the image in [0, 1], to either side.
        contrast: Range of the factor about mid-gray.
        gamma: Range of the exponent.
        cast: Each channel's factor is within 1 +- this.
        saturation: Range of the factor; 0 is gray.
        p_gray: Probability of a gray image.

    Example:
        >>> image = np.full((4, 4, 3), 100, np.uint8)
        >>> gray = ColorJitter(p_gray=1.0).apply(image)
        >>> gray.shape, np.unique(gray).size
        ((4, 4, 3), 1)
    """

    brightness: float = 0.12
    contrast: Range = (0.65, 1.4)
    gamma: Range = (0.65, 1.5)
    cast: float = 0.1
    saturation: Range = (0.4, 1.3)
    p_gray: float = 0.1

    def apply(self, image: Image) -> Image:
        """A copy in other colors."""
        random = self.generator
        *casts, offset = random.uniform(-1, 1, 4)
        levels = np.linspace(0, 1, 256, dtype=np.float32) ** self._log_uniform(self.gamma)
        levels = (levels - 0.5) * self._log_uniform(self.contrast) + 0.5 + offset * self.brightness
        table = levels[:, None] * (255 * (1 + self.cast * np.array(casts)))
        table = table.clip(0, 255).round().astype(np.uint8).reshape(256, 1, 3)
        color = 0.0 if random.random() < self.p_gray else random.uniform(*self.saturation)
        luma = np.array([0.299, 0.587, 0.114])
        return cv2.transform(cv2.LUT(image, table), color * np.eye(3) + (1 - color) * luma)


@dataclass(kw_only=True)
class UnevenLighting(Photometric):
    """Uneven light: a smooth field of factors within ``gain`` over the image.

    Example:
        >>> UnevenLighting(gain=(0.5, 0.5)).apply(np.full((4, 4, 3), 100, np.uint8)).max()
        np.uint8(50)
    """

    gain: Range = (0.35, 1.5)

    def apply(self, image: Image) -> Image:
        """A copy in uneven light."""
        height, width = image.shape[:2]
        low, high = self.gain
        corners = np.exp(self.generator.uniform(np.log(low), np.log(high), (2, 2, 1)))
        corners = corners.repeat(3, axis=2).astype(np.float32)
        gains = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
        return cv2.multiply(image, gains, dtype=cv2.CV_8U)


@dataclass(kw_only=True)
class Blur(Photometric):
    """Defocus (Gaussian of ``sigma`` pixels) or, with probability ``p_motion``, motion blur (a line
    of ``length`` pixels); both are symmetric, so nothing shifts.

    Example:
        >>> Blur(p=0.2, generator=np.random.default_rng(0)).p_motion
        0.4
    """

    sigma: Range = (0.5, 2.2)
    length: Range = (3.0, 9.0)
    p_motion: float = 0.4

    def apply(self, image: Image) -> Image:
        """A blurred copy."""
        if self.generator.random() >= self.p_motion:
            return cv2.GaussianBlur(image, (0, 0), self._log_uniform(self.sigma))
        length, angle = self.generator.uniform(*self.length), self.generator.uniform(0, np.pi)
        return cv2.filter2D(image, -1, motion_kernel(length, angle))


def motion_kernel(length: float, angle: float) -> Floats:
    """A square kernel with a line through its center, of ``length`` pixels at an angle in radians;
    sums to 1 and is symmetric.
    """
    side = 2 * int(np.ceil(length / 2)) + 1
    half = np.array([np.cos(angle), np.sin(angle)]) * max(length - 1, 0) / 2
    ends = np.rint((side // 2 + np.outer((-1, 1), half)) * 16).astype(int)
    kernel = np.zeros((side, side), np.uint8)
    cv2.line(kernel, *ends.tolist(), 255, 1, cv2.LINE_AA, shift=4)
    symmetric = kernel.astype(np.float32) + kernel[::-1, ::-1]
    return symmetric / symmetric.sum()


@dataclass(kw_only=True)
class LowResolution(Photometric):
    """Shrink by area to a ``fraction`` of the sides and enlarge again.

    Example:
        >>> LowResolution(fraction=(0.5, 0.5)).apply(np.zeros((8, 8, 3), np.uint8)).shape
        (8, 8, 3)
    """

    fraction: Range = (0.2, 0.8)

    def apply(self, image: Image) -> Image:
        """A coarser copy."""
        height, width = image.shape[:2]
        fraction = self._log_uniform(self.fraction)
        small_size = (max(1, round(width * fraction)), max(1, round(height * fraction)))
        small = cv2.resize(image, small_size, interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


@dataclass(kw_only=True)
class JpegCompression(Photometric):
    """Compress as JPEG, with OpenCV's ``quality`` from 0 to 100, and decode again.

    Example:
        >>> JpegCompression(quality=(50, 50)).apply(np.zeros((8, 8, 3), np.uint8)).shape
        (8, 8, 3)
    """

    quality: Range = (15.0, 75.0)

    def apply(self, image: Image) -> Image:
        """A copy with JPEG artifacts."""
        settings = [cv2.IMWRITE_JPEG_QUALITY, round(self.generator.uniform(*self.quality))]
        _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
        return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@lru_cache(maxsize=8)
def _noise_table(height: int, width: int) -> NDArray[np.int8]:
    """Gaussian noise ``int8 (2 height, 2 width, 3)``, drawn once: cutting windows is cheap."""
    normal = np.random.default_rng(0).normal(0, NOISE_SIGMA, (2 * height, 2 * width, 3))
    return normal.round().clip(-127, 127).astype(np.int8)


def noise_window(height: int, width: int, generator: np.random.Generator) -> NDArray[np.int8]:
    """Noise ``int8 (height, width, 3)`` of ``NOISE_SIGMA``: a random window of a fixed table."""
    top, left = int(generator.integers(height + 1)), int(generator.integers(width + 1))
    return _noise_table(height, width)[top : top + height, left : left + width]


@dataclass(kw_only=True)
class Noise(Photometric):
    """Gaussian noise of ``sigma`` gray levels, independent for each channel.

    Example:
        >>> image = np.full((128, 128, 3), 128, np.uint8)
        >>> round(float(Noise(sigma=(10, 10)).apply(image).std()))
        10
    """

    sigma: Range = (3.0, 20.0)

    def apply(self, image: Image) -> Image:
        """A noisy copy."""
        noise = noise_window(image.shape[0], image.shape[1], self.generator)
        strength = self._log_uniform(self.sigma) / NOISE_SIGMA
        return cv2.addWeighted(image, 1.0, noise, strength, 0.0, dtype=cv2.CV_8U)


@dataclass(kw_only=True)
class RandomErasing(Photometric):
    """Occlude 1 to ``count`` rectangles and ellipses, whose ``side`` is relative to the image's:
    with one color, with noise, or with another part of the image (after Zhong et al., AAAI 2020).
    Of a sample with ``'visible'``, the points below are hidden.

    Example:
        >>> image = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)
        >>> bool((RandomErasing(count=1).apply(image) == image).all())
        False
    """

    count: int = 3
    side: Range = (0.08, 0.4)

    def apply(self, image: Image) -> Image:
        """A partly occluded copy."""
        return self._erased(image)[0]

    def _changed(self, sample: Sample) -> Sample:
        image, covered = self._erased(sample["image"])
        return {**hide_covered(sample, covered), "image": image}

    def _erased(self, image: Image) -> tuple[Image, NDArray[np.bool_]]:
        """A partly occluded copy, and a mask ``(H, W)`` of its occluded pixels."""
        result, covered = image.copy(), np.zeros(image.shape[:2], bool)
        for _ in range(int(self.generator.integers(1, self.count + 1))):
            self._occlude(result, image, covered)
        return result, covered

    def _occlude(self, target: Image, source: Image, covered: NDArray[np.bool_]) -> None:
        """Occlude one place of ``target`` and set it in a mask; a patch comes from ``source``."""
        random, size = self.generator, np.array(target.shape[:2])
        sides = (size * random.uniform(*self.side, 2)).round().astype(int).clip(1, size)
        height, width = sides.tolist()
        corners = random.integers(0, np.tile(size - sides + 1, 2))
        top, left, from_top, from_left = corners.tolist()
        place = target[top : top + height, left : left + width]
        filling = random.integers(3)
        if filling == 0:
            fill: Image = np.broadcast_to(random.integers(0, 256, 3, np.uint8), place.shape)
        elif filling == 1:
            noise = noise_window(target.shape[0], target.shape[1], random)[:height, :width]
            fill = noise.view(np.uint8) + np.uint8(128)  # two's complement: -128 is 0, 127 is 255
        else:
            fill = source[from_top : from_top + height, from_left : from_left + width]
        ellipse = random.random() >= 0.5
        shape = _ellipse(height, width) if ellipse else np.ones((height, width), bool)
        np.copyto(place, fill, where=shape[..., None])
        covered[top : top + height, left : left + width] |= shape


def _ellipse(height: int, width: int) -> NDArray[np.bool_]:
    """The largest ellipse in a rectangle, as a mask ``(height, width)``."""
    y = (2 * np.arange(height) + 1) / height - 1
    x = (2 * np.arange(width) + 1) / width - 1
    return x**2 + y[:, None] ** 2 <= 1
