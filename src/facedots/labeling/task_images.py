"""The images that Label Studio's tasks name, from a folder or from Label Studio itself."""

import json
import time
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from facedots.annotations.label_studio import LOCAL_FILES
from facedots.errors import DownloadError, ImageError
from facedots.geometry import Image
from facedots.io.fetch import read_url
from facedots.io.images import decode_image, read_image

SERVED = "/data/"
"""Where Label Studio serves uploads and local files; nothing else is fetched from it."""

_MAX_BYTES = 64 << 20
_SECONDS = 20.0
_TOKEN_SECONDS = 120.0  # Label Studio's own live for five minutes


class TaskImages:
    """Reads the images of tasks: files below one folder, and what one Label Studio serves.

    Args:
        folder: Label Studio's document root for local files, if it can be read here.
        url: The address of Label Studio, if images are to be fetched from it.
        token: A token of one of its users: a personal access token or a legacy one.
        max_pixels: Images with more are refused by their header; None for 100 megapixels.

    Example:
        >>> images = TaskImages(Path("photos"))
        >>> images.read("/data/local-files/?d=a.jpg").shape  # doctest: +SKIP
        (480, 640, 3)
    """

    def __init__(
        self,
        folder: Path | None = None,
        url: str = "",
        token: str = "",
        max_pixels: int | None = None,
    ) -> None:
        self._folder = folder and folder.resolve()
        self._url, self._token = url.rstrip("/"), token
        self._max_pixels = max_pixels
        self._access, self._until = "", 0.0

    def read(self, reference: str) -> Image:
        """The image at an address in a task's data, ``uint8 (H, W, 3)`` RGB, turned upright as
        Label Studio shows it.

        Raises:
            ImageError, DownloadError: It is elsewhere, missing, too large, or no image.
        """
        if self._folder and reference.startswith(LOCAL_FILES):
            return read_image(self._file(self._folder, reference), max_pixels=self._max_pixels)
        address = self._address(reference)
        data = read_url(
            address,
            limit=_MAX_BYTES,
            timeout=_SECONDS,
            max_seconds=_SECONDS,
            headers=self._authorization(),
        )
        return decode_image(data, source=reference, max_pixels=self._max_pixels)

    def _file(self, folder: Path, reference: str) -> Path:
        (name,) = parse_qs(urlsplit(reference).query).get("d", [""])[:1]
        try:
            file = (folder / name).resolve()
        except (OSError, ValueError) as error:
            raise ImageError(f"{reference}: not the name of a file") from error
        if not file.is_relative_to(folder):
            raise ImageError(f"{reference}: not below the folder {folder}")
        return file

    def _address(self, reference: str) -> str:
        if not self._url:
            hint = "give the folder with --images, or --label-studio-url"
            raise ImageError(f"{reference}: nothing says where this image is; {hint}")
        address = reference if urlsplit(reference).netloc else self._url + reference
        base, parts = urlsplit(self._url), urlsplit(address)
        served = parts.path.removeprefix(base.path)
        same = (parts.scheme, parts.netloc.lower()) == (base.scheme, base.netloc.lower())
        if not same or not served.startswith(SERVED) or ".." in unquote(served).split("/"):
            fault = f"not below {self._url}{SERVED}, and nothing else is fetched"
            raise ImageError(f"{reference}: {fault}")
        return quote(address, safe="%/:?=&+,;@~!$'()*[]")

    def _authorization(self) -> dict[str, str]:
        """The header that names the user; a personal access token is exchanged for a short one."""
        if self._token.count(".") != 2:
            return {"Authorization": f"Token {self._token}"} if self._token else {}
        if time.monotonic() > self._until:
            url = f"{self._url}/api/token/refresh/"
            body = json.dumps({"refresh": self._token}).encode()
            answer = read_url(
                url, limit=1 << 16, headers={"Content-Type": "application/json"}, body=body
            )
            try:
                self._access = str(json.loads(answer)["access"])
            except (ValueError, KeyError, TypeError) as error:
                raise DownloadError(f"{url}: not what Label Studio answers") from error
            self._until = time.monotonic() + _TOKEN_SECONDS
        return {"Authorization": f"Bearer {self._access}"}
