"""XML files, and files in ZIP archives, within bounds: what annotation tools export."""

import lzma
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from facedots.annotations.base import MAX_BYTES, read_bytes
from facedots.errors import AnnotationError

_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)


def zip_members(file: Path) -> list[str]:
    """The names of the files in a ZIP archive; none in another file.

    Raises:
        AnnotationError: It is a damaged archive.
    """
    try:
        if not zipfile.is_zipfile(file):
            return []
        with zipfile.ZipFile(file) as archive:
            return [name for name in archive.namelist() if not name.endswith("/")]
    except _DAMAGED as error:
        raise AnnotationError(file, [f"a damaged ZIP file: {error}"]) from error


def read_member(file: Path, name: str) -> bytes:
    """The bytes of a file in a ZIP archive.

    Raises:
        AnnotationError: It is damaged, encrypted, or larger than
            :data:`~facedots.annotations.base.MAX_BYTES`.
    """
    try:
        with zipfile.ZipFile(file) as archive, archive.open(name) as member:
            data = member.read(MAX_BYTES + 1)
    except (NotImplementedError, RuntimeError) as error:
        raise AnnotationError(file, [f"{name} cannot be unpacked: {error}"]) from error
    except _DAMAGED as error:
        raise AnnotationError(file, [f"a damaged ZIP file: {name}: {error}"]) from error
    if len(data) > MAX_BYTES:
        raise AnnotationError(file, [f"{name} is larger than {MAX_BYTES >> 20} MB"])
    return data


def read_xml(file: Path, member: Callable[[list[str]], str]) -> ET.Element:
    """The root of an XML file, or of one in a ZIP archive.

    Args:
        file: The file.
        member: The name of the XML file among those of the archive.

    Raises:
        AnnotationError: It is neither.
    """
    try:
        names = zip_members(file)
        return ET.fromstring(read_member(file, member(names)) if names else read_bytes(file, "XML"))
    except (ET.ParseError, ValueError, LookupError, RecursionError) as error:
        fault = f"not an XML file, nor a ZIP file with one: {error}"
        raise AnnotationError(file, [fault]) from error
