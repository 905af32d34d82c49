"""Files in tar archives, written and read by their place, and shards read as a stream of files, as
WebDataset has them. Nothing is unpacked.
"""

import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Self

from facedots.errors import DataError, ImageError
from facedots.io.files import AtomicFile, output_errors, write_all
from facedots.io.remote import read_range

SHARD_SUFFIXES = (".tar", ".tar.gz", ".tgz")

MAX_MEMBER = 256 << 20
"""Bytes of a file in a shard above which the shard is refused."""

_DAMAGE = (tarfile.TarError, EOFError, zlib.error, OSError)


@dataclass(frozen=True, order=True)
class TarMember:
    """A file within a tar archive, which stands for a path where images are read.

    Attributes:
        archive: Path of the archive, or its address (``s3://…``).
        member: Name of the file within the archive.
        offset: Where its bytes begin in the archive.
        size: Their number.
        sha256: Of them, in hexadecimal.
        file: The path that it had before it was packed.

    Example:
        >>> str(TarMember("faces/0.tar", "000000007.jpg", 512, 52_000, "…", "test/anna.jpg"))
        'faces/0.tar/000000007.jpg (test/anna.jpg)'
    """

    archive: str
    member: str
    offset: int
    size: int
    sha256: str
    file: str

    def __str__(self) -> str:
        return f"{self.archive}/{self.member} ({self.file})"

    @property
    def name(self) -> str:
        """The last part of the path, as a ``Path`` has it."""
        return PurePosixPath(self.file).name

    @property
    def suffix(self) -> str:
        """The ending of the name, with its dot."""
        return PurePosixPath(self.file).suffix

    def read_bytes(self) -> bytes:
        """The bytes: one read of a local file, one request for a range of a remote one.

        Raises:
            ImageError: The archive is missing, cut, or another than when it was indexed.
            DownloadError: Its address cannot be read.
        """
        try:
            data = read_range(self.archive, self.offset, self.size)
        except OSError as error:
            raise ImageError(f"{self}: cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ImageError(
                f"{self}: not the bytes of its index, so the shard is cut, damaged or another one; "
                "copy it again from where it is whole, or pack the data anew"
            )
        return data


ImagePlace = Path | TarMember
"""Where an image is: a file, or one in a tar archive."""


class TarWriter:
    """Writes a tar archive whole, or not at all where its ``with`` block fails. Equal files give
    equal bytes.

    Raises:
        OutputError: It cannot be written.

    Example:
        >>> with TarWriter("shard-000000.tar") as tar:  # doctest: +SKIP
        ...     offset = tar.add("000000000.jpg", data)
    """

    def __init__(self, path: str | Path) -> None:
        self.path, self.size = Path(path), 0
        self._file = AtomicFile(path)
        self._stream = self._file.open()

    def add(self, name: str, data: bytes) -> int:
        """Append a file, whose name has at most 100 bytes; returns where its bytes begin."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        header = info.tobuf(tarfile.USTAR_FORMAT)
        offset = self.size + len(header)
        self._write(header + data + bytes(-len(data) % tarfile.BLOCKSIZE))
        return offset

    def _write(self, data: bytes) -> None:
        with output_errors(self.path):
            write_all(self._stream, data)
        self.size += len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._write(bytes(2 * tarfile.BLOCKSIZE))  # marks the end
        finally:
            self._stream.close()
            if error is None:
                self._file.commit()
            else:
                self._file.rollback()


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
