"""Tar shards as WebDataset has them, read as a stream of files."""

import tarfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Self

from facedots.errors import DataError

SHARD_SUFFIXES = (".tar", ".tar.gz", ".tgz")

MAX_MEMBER = 256 << 20
"""Bytes of a file in a shard above which the shard is refused."""

_DAMAGE = (tarfile.TarError, EOFError, zlib.error, OSError)


class _Header(tarfile.TarInfo):
    """A header; where one is damaged or missing, tarfile would take that for the end."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        """Read the next header.

        Raises:
            tarfile.ReadError: There is none, nor the blocks that end an archive.
        """
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error


def read_shard(file: BinaryIO, source: str) -> Iterator[tuple[str, bytes]]:
    """The files of a shard in their order: name and bytes.

    The stream is read once, from its start to its end; nothing is extracted to disk.

    Args:
        file: The tar, compressed or not.
        source: Its name in messages.

    Raises:
        DataError: It is damaged or cut off; the files before are whole.
    """
    last = "its beginning"
    try:
        with tarfile.open(fileobj=file, mode="r|*", tarinfo=_Header) as tar:
            for member in tar:
                if not member.isfile():
                    continue
                if member.size > MAX_MEMBER:
                    size = f"{member.size >> 20} MB, the limit is {MAX_MEMBER >> 20}"
                    raise DataError(f"{source}: {member.name} has {size}")
                content = tar.extractfile(member)
                data = content.read() if content else b""
                if len(data) < member.size:
                    raise EOFError(f"{member.name} is cut off")
                yield member.name, data
                last = member.name
    except _DAMAGE as error:
        raise DataError(f"{source}: damaged, or cut off, after {last}: {error}") from error
