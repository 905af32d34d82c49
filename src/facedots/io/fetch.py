"""Downloads: into a file, where they retry, resume and get their name only when complete; or into
memory, within bounds.
"""

import hashlib
import http.client
import json
import os
import queue
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from facedots.errors import DownloadError
from facedots.io.files import atomic_write, output_errors

Progress = Callable[[int, int | None], None]
"""Called with the bytes received so far and, where known, the bytes in all."""

_AGENT = {"User-Agent": "facedots"}
_CHUNK = 1 << 16
_MIN_RATE = 1000  # bytes per second
_RETRY_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class _Limits:
    """As the arguments of :func:`fetch`."""

    timeout: float
    max_bytes: int
    window: float


def silent(done: int, total: int | None) -> None:
    """Progress that shows nothing."""


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(
    url: str,
    target: str | Path,
    progress: Progress = silent,
    *,
    attempts: int = 4,
    pause: float = 1.0,
    timeout: float = 30.0,
    max_bytes: int = 2 << 30,
    window: float = 60.0,
) -> None:
    """Download ``url`` to ``target``, unless that exists.

    The bytes received so far stay in ``<target>.part``. A broken download, also of an earlier run,
    resumes there if the server confirms that its file is the same (strong ETag or date).

    Args:
        url: An http or https address.
        target: The file to make; its folder is made too.
        progress: Called after each chunk.
        attempts: Number of connections before giving up.
        pause: Seconds before the second attempt; they double with each further one.
        timeout: Seconds without a byte, or for the headers, after which a connection counts as
            broken.
        max_bytes: Larger files are refused, also those that never end.
        window: Seconds after which a connection that brings less than 1 kB/s counts as broken.

    Raises:
        DownloadError: The server refuses, the connection keeps breaking, the file is too large, or
            the disk is too small.
        OutputError: The folder cannot be written.
    """
    target = Path(target)
    if not url.startswith(("http://", "https://")):
        raise DownloadError(f"{url}: neither a file nor an http or https address")
    if target.exists():
        return
    part, note = (target.with_name(target.name + suffix) for suffix in (".part", ".part.json"))
    for attempt in range(attempts):
        try:
            _receive(url, part, note, progress, _Limits(timeout, max_bytes, window))
            break
        except (http.client.HTTPException, OSError) as error:
            cause = error
        if attempt + 1 < attempts:
            time.sleep(pause * 2**attempt)
    else:
        raise DownloadError(
            f"{url}: gave up after {attempts} attempts ({cause}); "
            "the bytes so far are kept, run the same command again to go on"
        ) from cause
    part.replace(target)
    note.unlink(missing_ok=True)


class _RefuseRedirects(urllib.request.HTTPRedirectHandler):
    """Makes a redirect an error, so that what a request carries reaches no other server."""

    def redirect_request(self, *_: Any) -> None:
        """No further request."""


def _open(request: urllib.request.Request, timeout: float, redirects: bool = True) -> Any:
    """The response to a request, whose headers must all come within the timeout."""
    handlers = [] if redirects else [_RefuseRedirects]
    answers = queue.Queue[Any]()

    def ask() -> None:
        try:
            answers.put(urllib.request.build_opener(*handlers).open(request, timeout=timeout))
        except BaseException as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError(f"no answer within {timeout:.0f} s") from None
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _receive(url: str, part: Path, note: Path, progress: Progress, limits: _Limits) -> None:
    """Fetch the missing bytes of a part; where it raises anything but a :class:`DownloadError`,
    another attempt may go on.
    """
    start, validator = _resume_point(url, part, note)
    part_of = {"Range": f"bytes={start}-", "If-Range": validator} if validator else {}
    request = urllib.request.Request(url, headers=_AGENT | part_of)
    try:
        with _open(request, limits.timeout) as response:
            resumed = response.status == 206
            content = response.headers.get("Content-Range", "")
            if resumed and not content.startswith(f"bytes {start}-"):
                note.unlink(missing_ok=True)
                raise ConnectionError("the server sent another part than the requested one")
            if not resumed:
                start = 0
                stored = {"url": url, "validator": _validator(response.headers)}
                atomic_write(note, json.dumps(stored))
            _append(response, part, start, progress, limits)
    except urllib.error.HTTPError as error:
        if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{start}":
            return  # Nothing is missing.
        if error.code == 416:
            note.unlink(missing_ok=True)
            raise ConnectionError("the server's file is shorter than the part") from error
        if error.code in _RETRY_STATUSES:
            raise
        raise DownloadError(f"{url}: the server answers {error.code} {error.reason}") from error


def _resume_point(url: str, part: Path, note: Path) -> tuple[int, str | None]:
    """The bytes that can be kept, and the server's mark of the file that they are part of."""
    try:
        stored = json.loads(note.read_text(encoding="utf-8"))
        start = part.stat().st_size
    except (OSError, ValueError):
        return 0, None
    validator = stored.get("validator") if stored.get("url") == url else None
    return (start, validator) if start and validator else (0, None)


def _validator(headers: Message) -> str | None:
    """The strongest mark by which the server tells versions of its file apart."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _append(
    response: http.client.HTTPResponse, part: Path, start: int, progress: Progress, limits: _Limits
) -> None:
    """Write the bytes of a response behind the first ``start`` ones of a part."""
    length = response.headers.get("Content-Length")
    total, done = start + int(length) if length else None, start
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - done > free:
        needed = f"{(total - done) / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free"
        raise DownloadError(f"{part.parent}: {needed}")
    with output_errors(part):
        file = open(part, "ab" if start else "wb", opener=_open_no_link)  # noqa: SIM115
    since, received = time.monotonic(), 0
    with file:
        while chunk := response.read1(_CHUNK):
            with output_errors(part):  # a full disk is no broken connection
                file.write(chunk)
                file.flush()
            done, received = done + len(chunk), received + len(chunk)
            progress(done, total)
            if max(done, total or 0) > limits.max_bytes:
                part.unlink()
                raise DownloadError(f"{part}: larger than {limits.max_bytes >> 20} MB; not kept")
            if (seconds := time.monotonic() - since) > limits.window:
                if received < _MIN_RATE * seconds:
                    raise ConnectionError(f"{received} bytes in {seconds:.0f} s are too slow")
                since, received = time.monotonic(), 0
    if total is not None and done < total:
        raise ConnectionError(f"broken after {done} of {total} bytes")
    progress(done, done)


def _open_no_link(path: str, flags: int) -> int:
    """Open a part, whose name anybody can foresee, unless it is a link to another file."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def read_url(
    url: str,
    *,
    limit: int = 64 << 20,
    timeout: float = 20.0,
    max_seconds: float = 120.0,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> bytes:
    """The bytes at an http or https address, at most ``limit``, within ``max_seconds`` in all and
    ``timeout`` seconds without a byte. With ``headers``, which may hold a password, redirects are
    refused; a ``body`` is posted.

    Raises:
        DownloadError: The server refuses, cannot be reached, sends too much or too slowly.
    """
    started, data = time.monotonic(), bytearray()
    try:
        request = urllib.request.Request(url, body, _AGENT | dict(headers or {}))
        with _open(request, timeout, redirects=headers is None) as response:
            while chunk := response.read1(_CHUNK):
                data += chunk
                if len(data) > limit:
                    fix = "download it yourself and give the file"
                    raise DownloadError(f"{url}: larger than {limit >> 20} MB; {fix}")
                if time.monotonic() - started > max_seconds:
                    slow = f"{len(data)} bytes in {max_seconds:.0f} s; download it yourself"
                    raise DownloadError(f"{url}: too slow, {slow}")
            expected = int(response.headers.get("Content-Length") or len(data))
    except urllib.error.HTTPError as error:
        raise DownloadError(f"{url}: the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise DownloadError(f"{url}: cannot be fetched: {reason}") from error
    if len(data) < expected:
        broken = f"the connection broke after {len(data)} of {expected} bytes; try again"
        raise DownloadError(f"{url}: {broken}")
    return bytes(data)
