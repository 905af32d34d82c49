"""What light, lens, sensor and file do to a crop ``uint8 (H, W, 3)``. The points stay where they
are.

Every class has the probability ``p`` with which it does anything, and draws all its randomness from
``generator``.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facedots.data.dataset import Sample
from facedots.geometry import Image

Range = tuple[float, float]

NOISE_SIGMA = 32.0


@dataclass(kw_only=True)
class Photometric(ABC):
    """Changes the image with probability ``p`` and passes on everything else."""

    p: float = 1.0
    generator: np.random.Generator = field(default_factory=np.random.default_rng, repr=False)

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> the sample, its image changed or not."""
        if self.generator.random() >= self.p:
            return dict(sample)
        return {**sample, "image": self.apply(sample["image"])}

    @abstractmethod
    def apply(self, image: Image) -> Image:
        """A changed copy of the image ``uint8 (H, W, 3)``."""

    def _log_uniform(self, bounds: Range) -> float:
        return float(np.exp(self.generator.uniform(np.log(bounds[0]), np.log(bounds[1]))))


@dataclass(kw_only=True)
class ColorJitter(Photometric):
    """Brightness, contrast, gamma and a color cast as one look-up table, then saturation.

    Attributes:
        brightness: Added to the image in [0, 1], uniform to either side.
        contrast: Range of the factor about mid-gray.
        gamma: Range of the exponent.
        cast: Each channel's factor is within 1 +- this.
        saturation: Range of the distance from gray; 1 keeps the colors.
        p_gray: Probability of a gray image.
    """

    brightness: float = 0.12
    contrast: Range = (0.65, 1.4)
    gamma: Range = (0.65, 1.5)
    cast: float = 0.1
    saturation: Range = (0.4, 1.3)
    p_gray: float = 0.1

    def apply(self, image: Image) -> Image:
        """A copy in another tone."""
        draws = self.generator.uniform(-1, 1, 4)
        levels = np.linspace(0, 1, 256, dtype=np.float32) ** self._log_uniform(self.gamma)
        levels = (
            (levels - 0.5) * self._log_uniform(self.contrast) + 0.5 + draws[3] * self.brightness
        )
        table = (
            (levels[:, None] * (255 * (1 + self.cast * draws[:3])))
            .clip(0, 255)
            .round()
            .astype(np.uint8)
        )
        toned = cv2.LUT(image, table.reshape(256, 1, 3))
        color = (
            0.0
            if self.generator.random() < self.p_gray
            else self.generator.uniform(*self.saturation)
        )
        luma = np.array([0.299, 0.587, 0.114])
        return np.asarray(cv2.transform(toned, color * np.eye(3) + (1 - color) * luma), np.uint8)


@dataclass(kw_only=True)
class UnevenLighting(Photometric):
    """Uneven light: a smooth field of gains over the image.

    Attributes:
        gain: Darkest and brightest factor.
    """

    gain: Range = (0.35, 1.5)

    def apply(self, image: Image) -> Image:
        """A copy in uneven light."""
        height, width = image.shape[:2]
        corners = (
            np.exp(self.generator.uniform(np.log(self.gain[0]), np.log(self.gain[1]), (2, 2, 1)))
            .repeat(3, axis=2)
            .astype(np.float32)
        )
        gains = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.multiply(image, gains, dtype=cv2.CV_8U), np.uint8)


@dataclass(kw_only=True)
class Blur(Photometric):
    """Out of focus (Gaussian) or moved (a line); both are symmetric, so nothing shifts.

    Attributes:
        sigma: Range of the Gaussian's deviation, in pixels.
        length: Range of the line's length, in pixels.
        p_motion: Share of motion blur.
    """

    sigma: Range = (0.5, 2.2)
    length: Range = (3.0, 9.0)
    p_motion: float = 0.4

    def apply(self, image: Image) -> Image:
        """A blurred copy."""
        if self.generator.random() >= self.p_motion:
            return np.asarray(
                cv2.GaussianBlur(image, (0, 0), self._log_uniform(self.sigma)), np.uint8
            )
        kernel = line_kernel(self.generator.uniform(*self.length), self.generator.uniform(0, np.pi))
        return np.asarray(cv2.filter2D(image, -1, kernel), np.uint8)


def line_kernel(length: float, angle: float) -> NDArray[np.float32]:
    """A line through the middle of a square kernel that sums to 1 and is its own half turn.

    Args:
        length: Pixels.
        angle: Radians.
    """
    side = 2 * int(np.ceil(length / 2)) + 1
    middle, fraction = side // 2, 16
    reach = np.array([np.cos(angle), np.sin(angle)]) * max(length - 1, 0) / 2
    start, end = (
        np.rint((middle + sign * reach) * fraction).astype(int).tolist() for sign in (-1, 1)
    )
    kernel = np.zeros((side, side), np.uint8)
    cv2.line(kernel, start, end, 255, 1, cv2.LINE_AA, shift=4)
    symmetric = kernel.astype(np.float32) + kernel[::-1, ::-1]
    return np.asarray(symmetric / symmetric.sum(), np.float32)


@dataclass(kw_only=True)
class LowResolution(Photometric):
    """Shrink by area and enlarge again.

    Attributes:
        fraction: Range of the side in between, over the side of the image.
    """

    fraction: Range = (0.2, 0.8)

    def apply(self, image: Image) -> Image:
        """A coarser copy."""
        height, width = image.shape[:2]
        fraction = self._log_uniform(self.fraction)
        small_size = (max(1, round(width * fraction)), max(1, round(height * fraction)))
        small = cv2.resize(image, small_size, interpolation=cv2.INTER_AREA)
        return np.asarray(
            cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8
        )


@dataclass(kw_only=True)
class JpegCompression(Photometric):
    """Compress as JPEG and decode again.

    Attributes:
        quality: Range of OpenCV's quality, 0 to 100.
    """

    quality: Range = (15.0, 75.0)

    def apply(self, image: Image) -> Image:
        """A copy with JPEG's blocks."""
        settings = [cv2.IMWRITE_JPEG_QUALITY, round(self.generator.uniform(*self.quality))]
        _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
        decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
        return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


@lru_cache(maxsize=8)
def _noise_table(height: int, width: int) -> NDArray[np.int8]:
    """Gaussian noise ``int8 (2 height, 2 width, 3)``, made once: cutting a window out of it costs
    next to nothing.
    """
    normal = np.random.default_rng(0).normal(0, NOISE_SIGMA, (2 * height, 2 * width, 3))
    return np.asarray(normal.round().clip(-127, 127), np.int8)


def noise_window(height: int, width: int, generator: np.random.Generator) -> NDArray[np.int8]:
    """Noise ``int8 (height, width, 3)`` of deviation ``NOISE_SIGMA``, a random window of a fixed
    table.
    """
    top, left = int(generator.integers(height + 1)), int(generator.integers(width + 1))
    return _noise_table(height, width)[top : top + height, left : left + width]


@dataclass(kw_only=True)
class Noise(Photometric):
    """Gaussian noise, its own for each channel.

    Attributes:
        sigma: Range of the deviation, in gray levels of 255.
    """

    sigma: Range = (3.0, 20.0)

    def apply(self, image: Image) -> Image:
        """A noisy copy."""
        noise = noise_window(image.shape[0], image.shape[1], self.generator)
        strength = self._log_uniform(self.sigma) / NOISE_SIGMA
        noisy: Any = cv2.addWeighted(image, 1.0, noise, strength, 0.0, dtype=cv2.CV_8U)
        return np.asarray(noisy, np.uint8)


@dataclass(kw_only=True)
class RandomErasing(Photometric):
    """Cover parts of the image with rectangles and ellipses of one color, of noise, or of another
    part of the image.

    Attributes:
        count: Most covers at once; one to so many, equally likely.
        side: Range of a cover's height and width, over the side of the image.
    """

    count: int = 3
    side: Range = (0.08, 0.4)

    def apply(self, image: Image) -> Image:
        """A copy that is covered in places."""
        covered = image.copy()
        for _ in range(int(self.generator.integers(1, self.count + 1))):
            self._cover(covered, image)
        return covered

    def _cover(self, target: Image, source: Image) -> None:
        """Cover one place of ``target``; a patch comes from ``source``."""
        random = self.generator
        size = np.array(target.shape[:2])
        height, width = (
            (size * random.uniform(*self.side, 2)).round().astype(int).clip(1, size).tolist()
        )
        top, left, from_top, from_left = random.integers(
            0, np.tile(size - (height, width) + 1, 2)
        ).tolist()
        place = target[top : top + height, left : left + width]
        filling = random.integers(3)
        if filling == 0:
            fill: Image = np.broadcast_to(random.integers(0, 256, 3, np.uint8), place.shape)
        elif filling == 1:
            noise = noise_window(target.shape[0], target.shape[1], random)[:height, :width]
            fill = noise.view(np.uint8) + np.uint8(128)  # two's complement: -128 is 0, 127 is 255
        else:
            fill = source[from_top : from_top + height, from_left : from_left + width]
        if random.random() < 0.5:
            place[:] = fill
        else:
            np.copyto(place, fill, where=_ellipse(height, width)[..., None])


def _ellipse(height: int, width: int) -> NDArray[np.bool_]:
    """The largest ellipse in a rectangle, as a mask ``(height, width)``."""
    y = (2 * np.arange(height) + 1) / height - 1
    x = (2 * np.arange(width) + 1) / width - 1
    return np.asarray(x**2 + y[:, None] ** 2 <= 1, np.bool_)
