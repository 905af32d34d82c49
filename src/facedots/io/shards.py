"""Tar shards in WebDataset's form: the files of a sample follow each other and share its key."""

import tarfile
import zlib
from collections.abc import Iterator
from itertools import groupby
from typing import BinaryIO

from facedots.errors import DataError

SHARD_SUFFIXES = (".tar", ".tar.gz", ".tgz")

MAX_MEMBER = 256 << 20
"""Bytes of a file in a shard above which the shard is refused."""

_DAMAGE = (tarfile.TarError, EOFError, zlib.error, OSError)


def split_key(name: str) -> tuple[str, str]:
    """The key of a file in a shard, and its ending, which begin at the first dot of its name.

    >>> split_key("train/0017.seg.png")
    ('train/0017', 'seg.png')
    """
    folder, slash, file = name.rpartition("/")
    key, _, ending = file.partition(".")
    return folder + slash + key, ending


def read_shard(file: BinaryIO, source: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The samples of a shard in their order: the key, and the bytes by ending.

    The stream is read once, from its start to its end; nothing is extracted to disk.

    Args:
        file: The tar, compressed or not.
        source: Its name in messages.

    Raises:
        DataError: It is damaged or cut off; the samples before are whole.
    """
    for key, members in groupby(_members(file, source), lambda member: split_key(member[0])[0]):
        yield key, {split_key(name)[1]: data for name, data in members}


def _members(file: BinaryIO, source: str) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each regular file."""
    last = "its beginning"
    try:
        with tarfile.open(fileobj=file, mode="r|*") as tar:
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
