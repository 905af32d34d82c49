"""The bodies of requests: read in memory and nowhere else, within limits of bytes and time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from facedots.service.problems import Problem
from facedots.service.settings import ServiceLimits

_FIELDS, _FIELD_BYTES = 20, 100_000
"""Most fields of a form that are no files, and bytes of one."""


@dataclass(frozen=True)
class Upload:
    """An image as it was sent.

    Attributes:
        data: The bytes.
        name: Of the file, where the client gave one.

    Example:
        >>> Upload(b"...", "photo.jpg").name
        'photo.jpg'
    """

    data: bytes
    name: str | None = None


@dataclass(frozen=True)
class Form:
    """What a request holds.

    Attributes:
        uploads: The images.
        options: Names and values from the query and from the fields of the form.

    Example:
        >>> Form([Upload(b"...")], [("pose", "true")]).options
        [('pose', 'true')]
    """

    uploads: list[Upload]
    options: list[tuple[str, str]]


class BodyReader:
    """Reads the bodies of a worker's requests.

    All that are held at a time have at most as many bytes as the queue has places for the largest.

    Args:
        limits: Bytes of a body, seconds until it is there, and images in it.
    """

    def __init__(self, limits: ServiceLimits) -> None:
        self._limits, self._held = limits, 0
        self._most = limits.max_bytes * limits.queue

    @asynccontextmanager
    async def read(self, request: Request, most_images: int = 1) -> AsyncIterator[Form]:
        """What a request holds: a raw image, or a form (multipart/form-data) with images.

        Raises:
            Problem: The body is too large (413), too slow (408), not such a form or one with too
                many images (400), or without an image (422); or others fill the memory (503).
        """
        limits, held = self._limits, 0

        async def chunks() -> AsyncGenerator[bytes, None]:
            nonlocal held
            self._check(int(request.headers.get("content-length", 0)))
            async for chunk in request.stream():
                held += len(chunk)
                self._held += len(chunk)
                self._check(held)
                yield chunk

        try:
            try:
                async with asyncio.timeout(limits.timeout):
                    form = await _form(request, chunks(), most_images)
            except TimeoutError:
                detail = f"the body did not arrive within {limits.timeout:g} seconds"
                limit, close = ("timeout", limits.timeout), {"Connection": "close"}
                raise Problem(408, detail, limit=limit, headers=close) from None
            yield form
        finally:
            self._held -= held

    def _check(self, size: int) -> None:
        most = self._limits.max_bytes
        if size > most:
            detail = f"the body has more than {most} bytes"
            raise Problem(413, detail, limit=("max-bytes", most))
        if self._held > self._most:
            detail = f"the bodies of all requests have more than {self._most} bytes"
            raise Problem(503, detail, limit=("queue", self._limits.queue), retry_after=1)


async def _form(request: Request, chunks: AsyncGenerator[bytes, None], most_images: int) -> Form:
    options = list(request.query_params.multi_items())
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        data = b"".join([chunk async for chunk in chunks])
        uploads = [Upload(data)] if data else []
    else:
        uploads = []
        for name, value in await _fields(request, chunks, most_images):
            if isinstance(value, UploadFile):
                uploads.append(Upload(await value.read(), value.filename))
                await value.close()
            else:
                options.append((name, value))
    if not uploads:
        raise Problem(422, "no image: send one as the body, or as a file of a form")
    return Form(uploads, options)


async def _fields(
    request: Request, chunks: AsyncGenerator[bytes, None], most_images: int
) -> list[tuple[str, UploadFile | str]]:
    parser = MultiPartParser(
        request.headers,
        chunks,
        max_files=most_images,
        max_fields=_FIELDS,
        max_part_size=_FIELD_BYTES,
    )
    parser.spool_max_size = 0  # of no size on does a file go to disk
    try:
        return list((await parser.parse()).multi_items())
    except MultiPartException as error:
        raise Problem(400, error.message) from error
