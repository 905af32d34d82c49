"""From boxes to keypoints, all faces of an image in one batch."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.errors import WeightsError
from facedots.geometry import (
    Floats,
    Image,
    Matrix,
    apply_affine,
    check_boxes,
    check_shape,
    compose,
    crop_matrix,
    invert,
    is_inside,
    upright_square,
    warp_image,
)
from facedots.inference.session import PUPIL_OUTPUTS, VISIBILITY_OUTPUT, Session, SessionOutput
from facedots.runtime import Providers
from facedots.types import Keypoints, check_image
from facedots.uncertainty import confidence, map_covariance

_BATCH = 64
_FITTING = (0.06, 12.0, 0.12)
"""Shift in sides of the crop, roll in degrees, and log zoom up to which a crop fits its points:
docs/experiments.md, Detection.
"""


class KeypointPredictor:
    """Predicts the keypoints of faces from their boxes.

    Args:
        model: As for :class:`~facedots.inference.session.Session`: a name, a path, or a run.
        threads: Threads of the network; with one, results repeat to the last bit.
        refine: Further predictions of each face, in a crop that is upright and centered on the
            points of the one before, which makes up for tilted heads and loose boxes; ``"auto"``:
            one, of the faces whose first crop was not.
        providers: The hardware, as for :class:`~facedots.inference.session.Session`.

    Attributes:
        spec: How the network is fed, and what its points mean.
        card: What the network is, was trained on, scores, and may be used for.
        predicts_visibility: Whether it tells which points are hidden.
        predicts_pupils: Whether it finds the pupils.

    Raises:
        WeightsError: There is no such network, its file is damaged or not one of facedots', or
            ``refine`` is above 0 for a network that sees the whole image anyway.
        ValueError: ``refine`` is below 0, or ``threads`` below 1.

    Example:
        >>> predictor = KeypointPredictor("small", refine=1)  # doctest: +SKIP
        >>> keypoints = predictor.predict(image, [[210, 80, 330, 220]])  # doctest: +SKIP
        >>> keypoints.points.shape  # doctest: +SKIP
        (1, 68, 2)
    """

    def __init__(
        self,
        model: str | Path = "small",
        threads: int = 1,
        refine: int | Literal["auto"] = "auto",
        *,
        providers: Providers = "cpu",
    ) -> None:
        self._session = Session(model, threads, providers=providers)
        self.spec, self.card = self._session.spec, self._session.card
        self.predicts_visibility = VISIBILITY_OUTPUT in self._session.outputs
        self.predicts_pupils = {*PUPIL_OUTPUTS} <= {*self._session.outputs}
        if refine != "auto" and refine < 0:
            raise ValueError(f"refine={refine}: 0 or more are needed, or 'auto'")
        whole = self.spec.crop.mode == "frame"
        if whole and refine not in ("auto", 0):
            reason = "this network sees the whole image, which cannot be re-cropped"
            raise WeightsError(f"{model}: {reason}; use refine=0")
        self._refine: int | Literal["auto"] = 0 if whole else refine

    def predict(
        self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
    ) -> Keypoints:
        """The keypoints of N faces in one image.

        Args:
            image: RGB, ``uint8 (H, W, 3)``.
            boxes: Tight boxes around where the keypoints are expected (N, 4), ``x0 y0 x1 y1`` in
                pixels, any two opposite corners. A network with the crop mode ``"frame"`` sees the
                whole image for each of them.
            squares: Tilted squares ``(N, 4)`` that replace the boxes where they are known (not
                NaN), see :class:`~facedots.detection.base.Detections`.

        Raises:
            ShapeError: The image, the boxes or the squares have another shape.
            ValueError: A box is not finite or has no area.
        """
        check_image(image)
        tight = check_boxes(boxes)
        crop, side = self.spec.crop, self.spec.input_size
        upright = crop.crop_squares(tight, (image.shape[0], image.shape[1]))
        maps = [crop_matrix(square, side) for square in upright]
        if squares is not None and crop.mode == "box":
            for i, tilted in enumerate(check_shape(squares, f"{len(tight)} 4", "squares")):
                if np.isfinite(tilted).all():
                    maps[i] = crop_matrix(tilted * (1, 1, crop.scale, 1), side)
        output = self._predict_crops(image, maps)
        for _ in range(1 if self._refine == "auto" else self._refine):
            better = [self._upright_map(face) for face in output.points]
            rows = np.arange(len(maps))
            if self._refine == "auto":
                rows = np.flatnonzero(list(map(self._misfits, maps, better)))
            refined = self._predict_crops(image, [better[row] for row in rows])
            for values, refined_values in zip(output, refined, strict=True):
                values[rows] = refined_values
        schema, has_pupils = self.spec.schema, self.predicts_pupils
        visibility = None
        if self.predicts_visibility:  # a network does not know where its crop leaves the image
            visibility = output.visibility * is_inside(output.points, *image.shape[:2])
        within = confidence(output.points, output.covariance, schema, self.spec.dof)
        return Keypoints(
            output.points,
            output.covariance,
            within,
            output.score,
            schema,
            visibility=visibility,
            pupils=output.pupils if has_pupils else None,
            pupils_covariance=output.pupils_covariance if has_pupils else None,
        )

    def _upright_map(self, points: Floats) -> Matrix:
        """From the image to the crop that shows predicted points ``(K, 2)`` upright and centered;
        the roll stays where the schema has no right and left.
        """
        square = upright_square(points, self.spec.schema.right_to_left)
        return crop_matrix(square * (1, 1, self.spec.crop.scale, 1), self.spec.input_size)

    def _misfits(self, used: Matrix, better: Matrix) -> bool:
        """Whether the crop of a prediction, by its map, was off from the better one."""
        step, middle = compose(better, invert(used)), (self.spec.input_size - 1) / 2
        shift = apply_affine(step, [middle, middle]) - middle
        roll = np.degrees(np.arctan2(step[1, 0], step[0, 0]))
        zoom = np.log(np.hypot(step[0, 0], step[1, 0]))
        off = (np.hypot(*shift) / self.spec.input_size, roll, zoom)
        return bool((np.abs(off) > _FITTING).any())

    def _predict_crops(self, image: Image, maps: list[Matrix]) -> SessionOutput:
        """The predictions on the crops of affine maps (image to crop), in pixels of the image."""
        if not maps:
            return self._session.no_output(0)
        starts = range(0, len(maps), _BATCH)
        parts = [self._batch(image, maps[start : start + _BATCH]) for start in starts]
        return SessionOutput(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def _batch(self, image: Image, maps: list[Matrix]) -> SessionOutput:
        output = self._session.run(self.cut_crops(image, maps))
        back = [invert(matrix) for matrix in maps]

        def mapped(function: Callable[[Matrix, Floats], Floats], values: Floats) -> Floats:
            return np.stack(list(map(function, back, values)))

        return output._replace(
            points=mapped(apply_affine, output.points),
            covariance=mapped(map_covariance, output.covariance),
            pupils=mapped(apply_affine, output.pupils),
            pupils_covariance=mapped(map_covariance, output.pupils_covariance),
        )

    def cut_crops(self, image: Image, maps: list[Matrix]) -> NDArray[np.uint8]:
        """The network's input ``uint8 (N, S, S, C)``: a crop per affine map from image to crop."""
        size = (self.spec.input_size, self.spec.input_size)
        if self.spec.channels == 1:
            image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        crops = [warp_image(image, matrix, size) for matrix in maps]
        return np.stack(crops).reshape(-1, *size, self.spec.channels)
