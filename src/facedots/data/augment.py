"""From a frame to the crop that a network sees: as it is at test time, or moved at random for
training.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from facedots.data.closed_eyes import CloseEyes
from facedots.data.dataset import Sample
from facedots.data.photometric import (
    Blur,
    ColorJitter,
    JpegCompression,
    LowResolution,
    Noise,
    RandomErasing,
    UnevenLighting,
)
from facedots.data.transforms import Compose, moved, prior_matrix
from facedots.errors import DataError
from facedots.geometry import (
    CropSpec,
    Floats,
    Matrix,
    apply_affine,
    compose,
    crop_matrix,
    similarity,
    tight_boxes,
    warp_image,
)
from facedots.schema import KeypointSchema


def mirror_points(
    points: ArrayLike, width: int, schema: KeypointSchema, shift: float = 0.0
) -> Floats:
    """The points ``(K, 2)`` of the mirror image, in the schema's order.

    Labels that sit ``shift`` pixels to the right of what mirroring agrees on do so again in the
    mirror image: the shift is taken away before the reflection and added after it, so that a
    network does not learn a compromise.

    Args:
        points: (x, y) in pixels of the image.
        width: Width of the image in pixels.
        schema: Says which point becomes which.
        shift: Pixels to the right.
    """
    reflected = np.array(points, np.float32)[list(schema.flip)]
    reflected[:, 0] = (width - 1) - (reflected[:, 0] - shift) + shift
    return reflected


def mirror_matrix(width: int) -> Matrix:
    """The affine map that mirrors an image of this width, left to right."""
    return np.array([[-1.0, 0, width - 1], [0, 1, 0]])


@dataclass
class Crop:
    """The crop that a network sees at test time.

    The square is the framing's, around ``sample['box']`` (pixels of the frame) or else around the
    tight box of the points.

    Attributes:
        crop_spec: Which square of the image.
        size: Side of the crop in pixels.

    Raises:
        DataError: No point of the sample is known and it has no box.
    """

    crop_spec: CropSpec
    size: int

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> its crop ``uint8 (size, size, C)``."""
        image = sample["image"]
        if "box" in sample:
            box = apply_affine(prior_matrix(sample), np.reshape(sample["box"], (2, 2))).reshape(
                1, 4
            )
            square = self.crop_spec.crop_squares(box, image.shape[:2])[0]
        else:
            square = _square(self.crop_spec, sample["keypoints"], sample)
        matrix = crop_matrix(square, self.size)
        return moved(sample, warp_image(image, matrix, (self.size, self.size)), matrix)


@dataclass
class RandomAffine:
    """A crop at random around the one of test time: mirror, rotation, zoom and shift as one affine
    warp.

    The framing's square is laid around the tight box of the rotated points, as a detector would
    frame a face that is rolled; zoom and shift then move that square, as a detector's errors would.
    A few crops are moved so far that they show no face, or one that is badly placed: their points
    are NaN and their ``'face'`` is 0.

    Attributes:
        crop_spec: Which square of the image.
        size: Side of the crop in pixels.
        schema: Which point becomes which in a mirror image.
        rotate: Largest angle in degrees, to either side.
        wide_rotate: Largest angle in degrees of the few that are rotated far.
        p_wide: How many those are, in [0, 1].
        zoom: Smallest and largest magnification; its logarithm is uniform.
        shift: Largest shift along each axis, in sides of the square.
        flip: Probability of a mirror image.
        any_rotate: Largest angle in degrees of those that lie on their side or beyond.
        p_full_rotation: How many those are.
        p_bad_box: How many boxes are far off, by up to ``off_shift`` and ``off_zoom``.
        off_shift: Largest shift of these along each axis, in sides of the square.
        off_zoom: Smallest and largest magnification of these.
        p_negative: How many crops show no face, or a badly placed one.
        generator: Source of the randomness.

    Raises:
        DataError: No point of the sample is known.
    """

    crop_spec: CropSpec
    size: int
    schema: KeypointSchema = field(repr=False)
    rotate: float = 25.0
    wide_rotate: float = 60.0
    p_wide: float = 0.15
    zoom: tuple[float, float] = (0.85, 1.18)
    shift: float = 0.06
    flip: float = 0.5
    any_rotate: float = field(default=120.0, kw_only=True)
    p_full_rotation: float = field(default=0.0, kw_only=True)
    p_bad_box: float = field(default=0.0, kw_only=True)
    off_shift: float = field(default=0.15, kw_only=True)
    off_zoom: tuple[float, float] = field(default=(0.75, 1.35), kw_only=True)
    p_negative: float = field(default=0.0, kw_only=True)
    generator: np.random.Generator = field(
        default_factory=np.random.default_rng, repr=False, kw_only=True
    )

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> a random crop of it, ``uint8 (size, size, C)``."""
        image, points, random = sample["image"], sample["keypoints"], self.generator
        height, width = image.shape[:2]
        mirrored = random.random() < self.flip
        if mirrored:
            displaced = float(sample.get("label_bias_x", 0.0)) * float(prior_matrix(sample)[0, 0])
            points = mirror_points(points, width, self.schema, displaced)
        turn = similarity(self._angle(), 1.0, (0.0, 0.0), ((width - 1) / 2, (height - 1) / 2))
        no_face = self.p_negative > 0 and random.random() < self.p_negative
        square = _square(self.crop_spec, apply_affine(turn, points), sample)
        matrix = compose(
            crop_matrix(self._astray(square) if no_face else self._jittered(square), self.size),
            turn,
        )
        if no_face:
            points = np.full_like(points, np.nan)
        whole = compose(matrix, mirror_matrix(width)) if mirrored else matrix
        return {
            **sample,
            "image": warp_image(image, whole, (self.size, self.size)),
            "keypoints": apply_affine(matrix, points),
            "matrix": compose(whole, prior_matrix(sample)),
            "face": 0.0 if no_face else 1.0,
        }

    def _angle(self) -> float:
        kind = self.generator.random()
        largest = (
            self.any_rotate
            if kind < self.p_full_rotation
            else self.wide_rotate
            if kind < self.p_full_rotation + self.p_wide
            else self.rotate
        )
        return float(self.generator.uniform(-largest, largest))

    def _jittered(self, square: Matrix) -> Matrix:
        """The square (center x, center y, side), moved as a detector's box would be."""
        off = self.p_bad_box > 0 and self.generator.random() < self.p_bad_box
        bounds, reach = (self.off_zoom, self.off_shift) if off else (self.zoom, self.shift)
        zoom = np.exp(self.generator.uniform(*np.log(bounds)))
        x, y, side = square
        dx, dy = self.generator.uniform(-reach, reach, 2) * side
        return np.array([x + dx, y + dy, side / zoom])

    def _astray(self, square: Matrix) -> Matrix:
        """The square moved aside by half its side or more, or far too large or too small."""
        x, y, side = square
        if self.generator.random() < 0.6:
            angle, reach = (
                self.generator.uniform(0, 2 * np.pi),
                self.generator.uniform(0.45, 0.9) * side,
            )
            return np.array([x + reach * np.cos(angle), y + reach * np.sin(angle), side])
        zoom = np.exp(self.generator.uniform(np.log(2.2), np.log(4.0)))
        return np.array([x, y, side * zoom if self.generator.random() < 0.5 else side / zoom])


def _square(crop_spec: CropSpec, points: ArrayLike, sample: Sample) -> Matrix:
    """The framing's square (center x, center y, side) around points ``(K, 2)`` of the sample's
    image.
    """
    given = np.asarray(points, np.float32)
    if crop_spec.mode == "box" and np.isnan(given).any(axis=1).all():
        raise DataError(
            f"{sample.get('name', 'sample')}: no known point to lay a crop around; leave the face out or give a 'box'"
        )
    return np.asarray(
        crop_spec.crop_squares(tight_boxes(given[None]), sample["image"].shape[:2])[0], np.float64
    )


def training_augmentation(
    crop_spec: CropSpec,
    size: int,
    schema: KeypointSchema,
    generator: np.random.Generator,
    *,
    strength: float = 1.0,
    jitter: float | None = None,
    negative_fraction: float = 0.0,
) -> Compose:
    """The default chain from a decoded frame to a training crop ``uint8 (size, size, 3)``.

    Order as in life: eyes blink, the face turns, light falls on it, something covers it, the lens
    blurs, the sensor is coarse and noisy, the file is compressed.

    Args:
        crop_spec: Which square of the image the network sees.
        size: Side of the crop in pixels.
        schema: Which point becomes which in a mirror image.
        generator: The one source of randomness of all steps.
        strength: 1 is the default; angles, zoom, shift and all probabilities grow with it; 0 leaves
            the plain crop.
        jitter: The same for zoom and shift alone, which stand for the errors of detectors' boxes;
            by default ``strength``.
        negative_fraction: Share of crops that show no face, or a badly placed one.
    """
    if strength == 0:
        return Compose([Crop(crop_spec, size)])
    affine = RandomAffine(crop_spec, size, schema, generator=generator)
    affine.rotate *= strength
    affine.p_wide = min(1.0, affine.p_wide * strength)
    moved_by = strength if jitter is None else jitter
    affine.zoom = (affine.zoom[0] ** moved_by, affine.zoom[1] ** moved_by)
    affine.shift *= moved_by
    affine.flip = min(0.5, affine.flip * strength)
    affine.p_full_rotation, affine.p_bad_box, affine.p_negative = (
        0.06 * strength,
        min(0.15, 0.15 * moved_by),
        negative_fraction,
    )

    def chance(p: float) -> float:
        return min(1.0, p * strength)

    return Compose(
        [
            CloseEyes(schema, p=chance(0.3), generator=generator),
            affine,
            ColorJitter(p=chance(0.8), generator=generator),
            UnevenLighting(p=chance(0.2), generator=generator),
            RandomErasing(p=chance(0.3), generator=generator),
            Blur(p=chance(0.2), generator=generator),
            LowResolution(p=chance(0.25), generator=generator),
            Noise(p=chance(0.25), generator=generator),
            JpegCompression(p=chance(0.2), generator=generator),
        ]
    )
