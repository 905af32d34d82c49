"""From an image to a network's crop: exactly for test time, randomly for training."""

from dataclasses import KW_ONLY, dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from facedots.data.closed_eyes import CloseEyes
from facedots.data.dataset import Randomized, Sample
from facedots.data.occluders import OccludeFace
from facedots.data.photometric import (
    Blur,
    ColorJitter,
    JpegCompression,
    LowResolution,
    Noise,
    RandomErasing,
    UnevenLighting,
)
from facedots.data.transforms import Compose, image_matrix, map_points, replace_image
from facedots.data.turned_heads import TurnHead
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
from facedots.schema import PUPILS, KeypointSchema

LABELS = ("keypoints", "pupils", "visible")
"""What a sample tells of its face, as far as it has it; all NaN in a crop without one."""


def mirror_points(
    points: ArrayLike, width: int, schema: KeypointSchema, label_bias_x: float = 0.0
) -> Floats:
    """The points ``(K, 2)`` of the mirror image of this width, in the schema's order.

    ``label_bias_x`` is how far right of symmetric labels these sit, in pixels. It is the same in
    the mirror image, so that a network does not learn a compromise.

    >>> from facedots.schema import IBUG68
    >>> mirror_points(np.full((68, 2), 10.0), 100, IBUG68)[0].tolist()
    [89.0, 10.0]
    """
    mirrored = np.array(points, np.float32)[list(schema.flip)]
    mirrored[:, 0] = (width - 1) - (mirrored[:, 0] - label_bias_x) + label_bias_x
    return mirrored


@dataclass
class Crop:
    """The crop of test time, of ``size`` pixels: around ``sample['box']`` where there is one, else
    around the points.

    Raises:
        DataError: The sample has neither a point nor a box.

    Example:
        >>> from facedots.data.synthetic import draw_face
        >>> image, points = draw_face(np.random.default_rng(0))
        >>> sample = {"image": image, "keypoints": points}
        >>> Crop(CropSpec("box", 1.2), 128)(sample)["image"].shape
        (128, 128, 3)
    """

    crop_spec: CropSpec
    size: int

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> its crop ``uint8 (size, size, C)``."""
        image = sample["image"]
        if "box" in sample:
            box = _mapped_box(sample).reshape(1, 4)
            square = self.crop_spec.crop_squares(box, image.shape[:2])[0]
        else:
            square = _square_around(sample["keypoints"], self.crop_spec, sample)
        matrix = crop_matrix(square, self.size)
        return replace_image(sample, warp_image(image, matrix, (self.size, self.size)), matrix)


@dataclass
class RandomAffine(Randomized):
    """A random crop: mirror, rotation, zoom and shift in one affine warp.

    The square is that around the tight box of the rotated points, as a detector frames a rolled
    face; zoom and shift then imitate a detector's errors. Without a labeled point it is that around
    ``sample['box']``. A fraction ``p_negative`` of the crops shows no well-placed face: their
    points are NaN and their ``'face'`` is 0, else the sample's, by default 1.

    Attributes:
        crop_spec: Which square of the image.
        size: Side of the crop in pixels.
        schema: The points.
        rotate: Largest angle in degrees, to either side.
        wide_rotate: The same with probability ``p_wide``.
        zoom: Smallest and largest magnification; its logarithm is uniform.
        shift: Largest shift along each axis, in sides of the square.
        p_flip: Probability of a mirror image.
        full_rotate: As ``rotate`` with probability ``p_full_rotation``: a face on its side.
        bad_box_zoom: As ``zoom`` with probability ``p_bad_box``: a box that is far off.
        bad_box_shift: As ``shift``, with the same.
        p_negative: Probability of a crop without a well-placed face.
        generator: Source of the randomness.

    Raises:
        DataError: The sample has neither a point nor a box.

    Example:
        >>> from facedots.data.synthetic import draw_face
        >>> from facedots.schema import IBUG68
        >>> image, points = draw_face(np.random.default_rng(0))
        >>> augment = RandomAffine(CropSpec("box", 1.2), 128, IBUG68, rotate=40)
        >>> augment({"image": image, "keypoints": points})["image"].shape
        (128, 128, 3)
    """

    crop_spec: CropSpec
    size: int
    schema: KeypointSchema = field(repr=False)
    rotate: float = 25.0
    wide_rotate: float = 60.0
    p_wide: float = 0.15
    zoom: tuple[float, float] = (0.85, 1.18)
    shift: float = 0.06
    p_flip: float = 0.5
    _: KW_ONLY
    full_rotate: float = 120.0
    p_full_rotation: float = 0.0
    bad_box_zoom: tuple[float, float] = (0.75, 1.35)
    bad_box_shift: float = 0.15
    p_bad_box: float = 0.0
    p_negative: float = 0.0

    def __call__(self, sample: Sample) -> Sample:
        """Sample -> a random crop of it, ``uint8 (size, size, C)``."""
        image, random = sample["image"], self.generator
        height, width = image.shape[:2]
        mirrored = random.random() < self.p_flip
        labels = self._mirrored(sample) if mirrored else sample
        center = ((width - 1) / 2, (height - 1) / 2)
        rotation = similarity(self._random_angle(), 1.0, (0.0, 0.0), center)
        negative = self.p_negative > 0 and random.random() < self.p_negative
        framed = self._corners(sample, mirrored) if "box" in sample else labels["keypoints"]
        rotated = apply_affine(rotation, framed)
        square = _square_around(rotated, self.crop_spec, sample)
        square = self._misplaced(square) if negative else self._jittered(square)
        matrix = compose(crop_matrix(square, self.size), rotation)
        if negative:
            names = [name for name in LABELS if name in sample]
            labels = {name: np.full_like(sample[name], np.nan) for name in names}
        mirror = np.array([[-1.0, 0, width - 1], [0, 1, 0]])
        whole = compose(matrix, mirror) if mirrored else matrix
        return {
            **sample,
            **labels,
            **map_points(labels, matrix),
            "image": warp_image(image, whole, (self.size, self.size)),
            "matrix": compose(whole, image_matrix(sample)),
            "face": 0.0 if negative else sample.get("face", 1.0),
        }

    def _corners(self, sample: Sample, mirrored: bool) -> Floats:
        """Those of the box, ``(4, 2)``."""
        (left, top), (right, bottom) = _mapped_box(sample)
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
        if mirrored:
            corners[:, 0] = sample["image"].shape[1] - 1 - corners[:, 0]
        return corners

    def _mirrored(self, sample: Sample) -> Sample:
        """The labels of the mirror image."""
        width, flip = sample["image"].shape[1], list(self.schema.flip)
        bias = float(sample.get("label_bias_x", 0.0) * image_matrix(sample)[0, 0])
        labels = {"keypoints": mirror_points(sample["keypoints"], width, self.schema, bias)}
        if "pupils" in sample:
            labels["pupils"] = mirror_points(sample["pupils"], width, PUPILS, bias)
        if "visible" in sample:
            labels["visible"] = sample["visible"][flip]
        return labels

    def _random_angle(self) -> float:
        """Degrees; positive is clockwise."""
        draw, largest = self.generator.random(), self.rotate
        if draw < self.p_full_rotation:
            largest = self.full_rotate
        elif draw < self.p_full_rotation + self.p_wide:
            largest = self.wide_rotate
        return self.generator.uniform(-largest, largest)

    def _jittered(self, square: Matrix) -> Matrix:
        """The square (center x, center y, side) with a detector's errors."""
        bad_box = self.p_bad_box > 0 and self.generator.random() < self.p_bad_box
        zooms = self.bad_box_zoom if bad_box else self.zoom
        shift = self.bad_box_shift if bad_box else self.shift
        zoom = np.exp(self.generator.uniform(*np.log(zooms)))
        x, y, side = square
        dx, dy = self.generator.uniform(-shift, shift, 2) * side
        return np.array([x + dx, y + dy, side / zoom])

    def _misplaced(self, square: Matrix) -> Matrix:
        """The square moved by half its side or more, or far too large or too small."""
        random = self.generator
        x, y, side = square
        if random.random() < 0.6:
            angle = random.uniform(0, 2 * np.pi)
            distance = random.uniform(0.45, 0.9) * side
            return np.array([x + distance * np.cos(angle), y + distance * np.sin(angle), side])
        zoom = np.exp(random.uniform(np.log(2.2), np.log(4.0)))
        return np.array([x, y, side * zoom if random.random() < 0.5 else side / zoom])


def _mapped_box(sample: Sample) -> Floats:
    """The box as two corners ``(2, 2)`` in pixels of the sample's image."""
    return apply_affine(image_matrix(sample), np.reshape(sample["box"], (2, 2)))


def _square_around(points: ArrayLike, crop_spec: CropSpec, sample: Sample) -> Matrix:
    """The square (center x, center y, side) around points ``(K, 2)`` of the sample's image."""
    points = np.asarray(points, np.float32)
    if crop_spec.mode == "box" and np.isnan(points).any(axis=1).all():
        fix = "leave the face out or give a 'box'"
        name = sample.get("name", "sample")
        raise DataError(f"{name}: no labeled point to crop around; {fix}")
    return crop_spec.crop_squares(tight_boxes(points[None]), sample["image"].shape[:2])[0]


def training_augmentation(
    crop_spec: CropSpec,
    size: int,
    schema: KeypointSchema,
    generator: np.random.Generator,
    *,
    strength: float = 1.0,
    box_jitter: float | None = None,
    hard_cases: float | None = None,
    negative_fraction: float = 0.0,
) -> Compose:
    """The default chain from a decoded image to a training crop ``uint8 (size, size, 3)``.

    In the order of a camera: eyes, pose, occlusion, light, lens, sensor, file.

    Args:
        crop_spec: As the next ones, of :class:`RandomAffine`.
        size: Side of the crop in pixels.
        schema: The points.
        generator: Source of the randomness of all steps.
        strength: Factor of angles, zoom, shift and all probabilities; 0 gives test-time crops.
        box_jitter: Factor of zoom and shift, which imitate the errors of detectors; by default
            ``strength``.
        hard_cases: Factor of the probabilities of closed eyes, turned heads and covered faces,
            which few photos show; by default ``strength``.
        negative_fraction: Fraction of crops without a well-placed face.

    >>> from facedots.schema import IBUG68
    >>> random = np.random.default_rng(0)
    >>> training_augmentation(CropSpec("box", 1.2), 96, IBUG68, random, strength=0)
    Compose(transforms=[Crop(crop_spec=CropSpec(mode='box', scale=1.2), size=96)])
    """
    if strength == 0:
        return Compose([Crop(crop_spec, size)])

    def scaled(p: float, factor: float = strength) -> float:
        return min(1.0, p * factor)

    hard = strength if hard_cases is None else hard_cases
    jitter = strength if box_jitter is None else box_jitter
    affine = RandomAffine(crop_spec, size, schema, generator=generator)
    affine.rotate *= strength
    affine.p_wide = scaled(affine.p_wide)
    affine.zoom = affine.zoom[0] ** jitter, affine.zoom[1] ** jitter
    affine.shift *= jitter
    affine.p_flip = min(0.5, affine.p_flip * strength)
    affine.p_full_rotation = 0.06 * strength
    affine.p_bad_box = min(0.15, 0.15 * jitter)
    affine.p_negative = negative_fraction
    return Compose(
        [
            CloseEyes(schema, p=scaled(0.4, hard), generator=generator),
            TurnHead(schema, p=scaled(0.2, hard), generator=generator),
            affine,
            OccludeFace(schema, p=scaled(0.2, hard), generator=generator),
            ColorJitter(p=scaled(0.8), generator=generator),
            UnevenLighting(p=scaled(0.2), generator=generator),
            RandomErasing(p=scaled(0.2), generator=generator),
            Blur(p=scaled(0.2), generator=generator),
            LowResolution(p=scaled(0.25), generator=generator),
            Noise(p=scaled(0.25), generator=generator),
            JpegCompression(p=scaled(0.2), generator=generator),
        ]
    )
