"""Fetching a model file from an address; all that can go wrong on the way has words."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from napari_mito_predict._files import sha256_file
from napari_mito_predict.errors import DownloadError
from napari_mito_predict.image.names import file_stem
from napari_mito_predict.models.info import printable

if TYPE_CHECKING:
    from requests import Response

OnProgress = Callable[[int, int], None]
"""Told how many bytes have come, and of how many; 0 where nobody says."""

_LARGEST: Final = 4 << 30
_CHUNK = 1 << 20
_TIMEOUT_S = (15.0, 60.0)
"""For an answer, and then for each part of it."""
_NAMELESS = "model"
_OFFLINE = "Models that are here already work without a connection."


class _Address(NamedTuple):
    """What is known of an address: how it may be shown, without a password; who is asked; what the file is called."""

    shown: str
    host: str
    name: str


def is_address(source: object) -> bool:
    """Whether something is an address in the web, and no path."""
    return isinstance(source, str) and re.match(r"(?i)https?://", source) is not None


def download(url: str, folder: Path, *, sha256: str | None, on_progress: OnProgress | None = None) -> Path:
    """Fetch a file, and keep it if it is the one that was announced.

    Parameters
    ----------
    url : str
        Beginning with ``https://`` or ``http://``. Certificates are always verified.
    folder : Path
        Where to put it, under the name it has in the address.
    sha256 : str
        Of the file, from whoever published it.
    on_progress : callable, optional
        Told how many bytes of how many have come; what it raises ends the download.

    Raises
    ------
    DownloadError
        No SHA-256 was given, nothing came, or something else than was announced. Nothing is left behind.
    """
    import pooch
    from requests.exceptions import RequestException

    address = _parts(url)
    known = _checked_sha256(address.shown, sha256)
    answers: list[Response] = []
    downloader = pooch.HTTPDownloader(
        chunk_size=_CHUNK,
        timeout=_TIMEOUT_S,
        progressbar=_Meter(address.shown, on_progress),
        hooks={"response": lambda answer, *_, **__: answers.append(answer)},
    )
    found: list[str] = []

    def fetch(link: str, file: str, owner: Any) -> None:
        downloader(link, file, owner)
        found.append(sha256_file(Path(file)))

    pooch.get_logger().setLevel("ERROR")  # what it has to say, we say
    try:
        return Path(pooch.retrieve(url, f"sha256:{known}", fname=address.name, path=folder, downloader=fetch))
    except RequestException as error:
        raise DownloadError(f"{_reason(error, address.host)} {_OFFLINE}", file=address.shown) from error
    except ValueError as error:
        if not found:
            raise DownloadError(f"this is no address that can be fetched ({error}).", file=address.shown) from error
        raise DownloadError(
            f"what came is not what was announced: its SHA-256 is {found[0]}, and {known} was expected. It was "
            "deleted. Either the address gives another file now, or it was changed on the way.",
            file=address.shown,
        ) from error
    except OSError as error:
        raise DownloadError(
            f"what came could not be written ({error.strerror or error}).", file=address.shown
        ) from error
    finally:
        for answer in answers:  # pooch leaves the connection open where something goes wrong
            answer.close()


class _Meter:
    """What pooch moves while a file comes; stops what would never end."""

    def __init__(self, url: str, on_progress: OnProgress | None) -> None:
        self._url = url
        self._on_progress = on_progress
        self._total = 0
        self._done = 0

    @property
    def total(self) -> int:
        """Bytes that were announced; 0 where they were not."""
        return self._total

    @total.setter
    def total(self, size: int) -> None:
        self._total = size
        self._refuse_more_than_a_model(size)

    def update(self, size: int) -> None:
        self._done += size
        self._refuse_more_than_a_model(self._done - size)
        if self._on_progress is not None:
            done = min(self._done, self._total) if self._total else self._done
            self._on_progress(done, self._total)

    def _refuse_more_than_a_model(self, size: int) -> None:
        if size > _LARGEST:
            raise DownloadError(f"is larger than a model may be ({_LARGEST:,} bytes).", file=self._url)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        pass


def _checked_sha256(url: str, sha256: str | None) -> str:
    if sha256 is None:
        raise DownloadError(
            "the SHA-256 of a file from the web has to be given, as published beside it (64 letters and digits): only "
            "then is it sure that what comes is what its authors made.",
            file=url,
        )
    known = sha256.strip().lower().removeprefix("sha256:")
    if not re.fullmatch("[0-9a-f]{64}", known):
        raise DownloadError(f"'{sha256:.80}' is no SHA-256: those are 64 of 0-9 and a-f.", file=url)
    return known


def _parts(url: str) -> _Address:
    shown = printable(re.sub("//[^/]*@", "//", url))
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise DownloadError(f"this is no address that can be fetched ({error}).", file=shown) from error
    name = PurePosixPath(unquote(parts.path)).name
    return _Address(shown, printable(host), file_stem(name or _NAMELESS))


def _reason(error: Exception, host: str) -> str:
    """What went wrong, in plain words."""
    from requests import exceptions

    said = str(error)
    if isinstance(error, exceptions.ProxyError):
        return (
            f"the proxy of this network could not be reached, or refused to ask {host}. Check its settings "
            "(HTTPS_PROXY)."
        )
    if isinstance(error, exceptions.SSLError):
        return (
            f"the certificate of {host}, or the encryption, could not be verified, so that nobody knows who answers. "
            "Nothing was fetched. In a network that opens encrypted traffic, ask its administrators for their "
            "certificate (REQUESTS_CA_BUNDLE)."
        )
    if isinstance(error, exceptions.Timeout) or "timed out" in said:
        return f"{host} does not answer in time. Try again later."
    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        code = error.response.status_code
        if code in (404, 410):
            return f"there is no such file at {host} (error {code}). Check the address."
        if code in (401, 403, 407):
            return f"{host} does not give this file to everybody (error {code})."
        return f"{host} answers with error {code}. Try again later."
    if isinstance(error, exceptions.TooManyRedirects):
        return f"{host} sends from one address to the next, without an end."
    if isinstance(error, exceptions.ChunkedEncodingError | exceptions.ContentDecodingError):
        return f"the connection to {host} broke off. Try again."
    if "resolve" in said or "getaddrinfo" in said or "Name or service" in said:
        return f"the name {host} is not known here. Check the address, and whether this computer is online."
    if isinstance(error, exceptions.ConnectionError):
        return f"{host} cannot be reached. Check whether this computer is online."
    return f"this is no address that can be fetched ({' '.join(said.split())[:120]})."
