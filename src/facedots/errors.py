"""Everything that facedots raises on purpose: each message says what is wrong, where, and how to
mend it.
"""

from collections.abc import Sequence


class FacedotsError(Exception):
    """Base of all errors that facedots raises on purpose."""


class ShapeError(FacedotsError, ValueError):
    """An array does not have the shape that a function documents."""


class PointsError(FacedotsError, ValueError):
    """Too many points are missing, or they lie so that they do not decide what was asked of them."""


class ImageError(FacedotsError):
    """An image cannot be read, decoded or encoded."""


class VideoError(FacedotsError):
    """A video, a camera or a stream cannot be opened, or ends before its end."""


class OutputError(FacedotsError):
    """A result cannot be written where it was asked for."""


class AnnotationError(FacedotsError):
    """An annotation file has faults; all of them are listed, not only the first.

    >>> print(AnnotationError("points.csv", ["row 3: 'abc' is not a number", "row 9: no file x.jpg"]))
    points.csv: 2 faults
      row 3: 'abc' is not a number
      row 9: no file x.jpg
    """

    SHOWN = 20

    def __init__(self, source: object, faults: Sequence[str]) -> None:
        self.source = str(source)
        self.faults = list(faults)
        lines = [f"{self.source}: {len(self.faults)} fault{'s' * (len(self.faults) != 1)}"]
        lines += [f"  {fault}" for fault in self.faults[: self.SHOWN]]
        if len(self.faults) > self.SHOWN:
            lines.append(f"  … and {len(self.faults) - self.SHOWN} more")
        super().__init__("\n".join(lines))


class StickerError(FacedotsError):
    """A sticker's description or image has faults, or no sticker is called so."""


class DataError(FacedotsError):
    """A data set is not where it should be, or is not what it should be."""


class DownloadError(FacedotsError):
    """A download failed or brought other bytes than the pinned ones."""


class WeightsError(FacedotsError):
    """A weight file is unknown, damaged, or not one of facedots'."""


class RecipeError(FacedotsError):
    """A recipe or an override of one of its fields is not valid."""
