"""Downloads that resume, and end under their final name only whole and with the pinned bytes.
Standard library only.
"""

import hashlib
import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import BinaryIO

from facedots.errors import DownloadError, OutputError
from facedots.io.files import atomic_write

Progress = Callable[[int, int | None], None]
"""Called with the bytes that have come so far and, where known, the bytes that will come in all."""

_CHUNK = 1 << 16
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses that may be gone at the next try."""


def silent(done: int, total: int | None) -> None:
    """The progress that nobody watches."""


def fetch(
    url: str,
    target: str | Path,
    sha256: str | None = None,
    progress: Progress = silent,
    *,
    attempts: int = 4,
    pause: float = 1.0,
    timeout: float = 30.0,
) -> None:
    """Download ``url`` to ``target``; what has come so far waits in ``<target>.part`` and a cut
    download goes on from there.

    It goes on only where the bytes can still be right: the server must confirm that its file is the
    same (ETag or date), or ``sha256`` must be there to judge the whole. A ``target`` that exists
    already is left alone, and nothing is downloaded.

    Args:
        url: http or https.
        target: The file to make; its folder is made too.
        sha256: What the whole file must hash to, in hexadecimal; None where that is not known.
        progress: Told how far the download is.
        attempts: How often a cut connection is taken up again before giving up.
        pause: Seconds to wait before the second attempt; each further wait is twice as long.
        timeout: Seconds without a byte after which a connection counts as cut.

    Raises:
        DownloadError: The server refuses, the connection stays cut, the disk has no room, or the
            bytes are not the pinned ones (they are then deleted).
        OutputError: The folder cannot be written.
    """
    target = Path(target)
    if not url.startswith(("http://", "https://")):
        raise DownloadError(f"{url}: neither a file nor an http or https address")
    if target.exists():
        _check(
            target,
            sha256,
            f"{target} is there, but is not the file that is wanted: delete it to download anew",
        )
        return
    partial = _Partial(url, target, sha256)
    for attempt in range(attempts):
        try:
            partial.take_up(progress, timeout)
            break
        except (http.client.HTTPException, OSError) as error:
            cause = error
        if attempt + 1 < attempts:
            time.sleep(pause * 2**attempt)
    else:
        raise DownloadError(
            f"{url}: gave up after {attempts} attempts ({cause}); what came so far is kept, run the same command again to go on"
        ) from cause
    partial.finish()


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, sha256: str | None, what: str) -> None:
    if sha256 is not None and (found := file_sha256(path)) != sha256:
        raise DownloadError(f"{what} (sha256 {found}, pinned {sha256})")


@dataclass(frozen=True)
class _Partial:
    """The part of a file that has come, and a note beside it that says of which file it is a part."""

    url: str
    target: Path
    sha256: str | None

    @property
    def path(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def note(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part.json")

    def take_up(self, progress: Progress, timeout: float) -> None:
        """Fetch the bytes that are missing.

        Raises:
            OSError, http.client.HTTPException: The connection was cut; another attempt may go on.
        """
        start, same = self._resumable()
        headers = {"User-Agent": "facedots"} | ({"Range": f"bytes={start}-"} if start else {})
        headers |= {"If-Range": same} if start and same else {}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.url, headers=headers), timeout=timeout
            ) as response:
                self._receive(response, start, progress)
        except urllib.error.HTTPError as error:
            if (
                error.code == 416
            ):  # Nothing lies behind what we have, so it is whole or, where it is too long, not a part at all.
                if error.headers.get("Content-Range") == f"bytes */{start}":
                    return
                self.discard()
                raise ConnectionError(
                    "the server holds less than what came before; starting anew"
                ) from error
            if error.code in _PASSING:
                raise
            raise DownloadError(
                f"{self.url}: the server answers {error.code} {error.reason}"
            ) from error

    def finish(self) -> None:
        """Give the file its final name, once its bytes are the pinned ones."""
        try:
            _check(
                self.path,
                self.sha256,
                f"{self.url} brought other bytes than the pinned ones; they were deleted",
            )
        except DownloadError:
            self.discard()
            raise
        self.path.replace(self.target)
        self.discard()

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def _resumable(self) -> tuple[int, str | None]:
        """How many bytes can be kept, and the mark by which the server recognizes its file."""
        try:
            note = json.loads(self.note.read_text())
            start = self.path.stat().st_size
        except (OSError, ValueError):
            return 0, None
        usable = note.get("url") == self.url and (note.get("same") or self.sha256)
        return (start, note.get("same")) if usable else (0, None)

    def _receive(self, response: http.client.HTTPResponse, start: int, progress: Progress) -> None:
        if response.status == 206 and not response.headers.get("Content-Range", "").startswith(
            f"bytes {start}-"
        ):
            self.discard()
            raise ConnectionError("the server sent another part than the one asked for")
        done = start if response.status == 206 else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        if not done:
            atomic_write(self.note, json.dumps({"url": self.url, "same": _same(response.headers)}))
        self._make_room(total, done)
        with _open(self.path, append=done > 0) as file:
            while chunk := response.read(_CHUNK):
                _write(file, chunk)
                done += len(chunk)
                progress(done, total)
        if total is not None and done < total:
            raise ConnectionError(f"cut after {done} of {total} bytes")
        progress(done, done)

    def _make_room(self, total: int | None, done: int) -> None:
        free = shutil.disk_usage(self.target.parent).free
        if total is not None and total - done > free:
            raise DownloadError(
                f"{self.target.parent}: {(total - done) / 1e6:.0f} MB to come, but {free / 1e6:.0f} MB free"
            )


def _same(headers: Message) -> str | None:
    """The strongest mark that the server gives its file: a strong ETag, else the date."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _open(path: Path, *, append: bool) -> BinaryIO:
    try:
        return path.open("ab" if append else "wb")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


def _write(file: BinaryIO, chunk: bytes) -> None:
    """Write, and tell a full disk from a cut connection, which both are OSErrors."""
    try:
        file.write(chunk)
        file.flush()
    except OSError as error:
        raise OutputError(f"{file.name}: cannot be written: {error.strerror}") from error
