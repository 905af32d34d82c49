"""Annotated pictures as PyTorch data sets: annotations are read at once, pictures when a sample is asked for."""

import operator
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from facedots.errors import ImageError
from facedots.io.annotations import Annotation, Origin, read_coco, read_csv, read_pts
from facedots.io.images import read_image
from facedots.schema import IBUG68, KeypointSchema
from facedots.warp import Image

Sample = dict[str, Any]
"""One face: ``image`` uint8 (H, W, 3) RGB, ``keypoints`` float32 (K, 2) px, ``name`` str, ``mirror_shift`` float px."""

Transform = Callable[[Sample], Sample]
"""From a sample to a sample; what training and display put between a data set and a network."""


class KeypointsDataset(Dataset[Sample]):
    """Faces with keypoints, from whatever file the annotations came.

    The picture is taken as stored, whatever EXIF says of its orientation: the points refer to the stored pixels. Each access
    reads the file anew and returns arrays of its own, so a caller may change them.

    Args:
        annotations: One a sample.
        transform: Applied to each sample.
    """

    def __init__(self, annotations: Sequence[Annotation], transform: Transform | None = None) -> None:
        self.annotations = list(annotations)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, index: int) -> Sample:
        """The sample at ``index``; negative ones count from the end.

        Raises:
            IndexError: There is no such sample.
            ImageError: Its picture is missing or cannot be decoded; the message names sample and file.
        """
        annotation = self.annotations[operator.index(index)]
        try:
            image = read_image(annotation.image, orient=False)
        except ImageError as error:
            raise ImageError(f"sample {index} ({annotation.name}): {error}") from error
        sample = self.sample(index, image)
        return self.transform(sample) if self.transform else sample

    def sample(self, index: int, image: Image) -> Sample:
        """The sample at ``index`` before the transform, around its picture that is in memory already."""
        annotation = self.annotations[index]
        return {
            "image": image,
            "keypoints": annotation.points.copy(),
            "name": annotation.name,
            "mirror_shift": annotation.mirror_shift,
        }

    @staticmethod
    def from_pts(
        folder: str | Path,
        transform: Transform | None = None,
        *,
        schema: KeypointSchema = IBUG68,
        origin: Origin = (1.0, 1.0),
    ) -> "KeypointsDataset":
        """The faces of a folder of ``.pts`` files, see :func:`facedots.io.annotations.read_pts`."""
        return KeypointsDataset(read_pts(folder, schema, origin), transform)

    @staticmethod
    def from_coco(
        json_file: str | Path,
        root_dir: str | Path,
        transform: Transform | None = None,
        *,
        schema: KeypointSchema = IBUG68,
        origin: Origin = (0.0, 0.0),
    ) -> "KeypointsDataset":
        """The faces of a COCO keypoints file, see :func:`facedots.io.annotations.read_coco`."""
        return KeypointsDataset(read_coco(json_file, root_dir, schema, origin), transform)


class FacialKeypointsDataset(KeypointsDataset):
    """The faces of a CSV file with a picture's name and ``x0, y0, x1, y1, …`` a row.

    Args:
        csv_file: The annotations.
        root_dir: Folder with the pictures.
        transform: Applied to each sample.
        schema: What the points mean and how many they are.
        origin: The coordinates that the file gives to the centre of the top-left pixel.

    Raises:
        AnnotationError: The file has faults; all of them are listed.
    """

    def __init__(
        self,
        csv_file: str | Path,
        root_dir: str | Path,
        transform: Transform | None = None,
        *,
        schema: KeypointSchema = IBUG68,
        origin: Origin = (0.0, 0.0),
    ) -> None:
        super().__init__(read_csv(csv_file, root_dir, schema, origin), transform)
