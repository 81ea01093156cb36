"""Models from an address: what comes is what was announced, or a sentence says why not. Only this machine is asked."""

from __future__ import annotations

import hashlib
import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests

from napari_mito_predict.errors import DownloadError, ModelError
from napari_mito_predict.models import Told, download, export_model, import_model, save_model, verify_model
from napari_mito_predict.models.download import download as fetch

CONTENT = b"a model" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers by what the path begins with."""

    files: dict[str, bytes] = {}
    anything = b""

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        if kind.isdigit():
            self.send_error(int(kind))
        elif kind == "slow":
            time.sleep(2)
        elif kind == "around":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
        elif kind == "moved":
            self.send_response(302)
            self.send_header("Location", "/files/model.zip")
            self.end_headers()
        elif kind in ("short", "endless"):
            self.send_response(200)
            self.send_header("Content-Length", str(10**6 if kind == "short" else 10**12))
            self.end_headers()
            self.wfile.write(CONTENT)
        elif self.path.partition("?")[0] in self.files:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.files[self.path.partition("?")[0]])
        elif kind == "unannounced" or self.anything:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.anything or bytes(1 << 22))
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Answers, "files", {"/files/model.zip": CONTENT})
    monkeypatch.setattr(download, "_TIMEOUT_S", (0.5, 0.5))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", ["files", "moved"])
def test_what_was_announced_is_kept(server: str, tmp_path: Path, kind: str) -> None:
    steps: list[tuple[int, int]] = []
    path = fetch(
        f"{server}/{kind}/model.zip?download=1",
        tmp_path,
        sha256=f" sha256:{SHA256.upper()} ",
        on_progress=lambda done, total: steps.append((done, total)),
    )
    assert path == tmp_path / "model.zip"
    assert path.read_bytes() == CONTENT
    assert steps


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("/404/model.zip", "there is no such file at 127.0.0.1 .error 404.. Check the address"),
        ("/403/model.zip", "does not give this file to everybody"),
        ("/500/model.zip", "answers with error 500. Try again later"),
        ("/slow/model.zip", "127.0.0.1 does not answer in time"),
        ("/around/model.zip", "sends from one address to the next"),
        ("/short/model.zip", "the connection to 127.0.0.1 broke off"),
        ("/endless/model.zip", "is larger than a model may be"),
    ],
)
def test_what_goes_wrong_is_said(server: str, tmp_path: Path, where: str, said: str) -> None:
    with pytest.raises(DownloadError, match=said) as caught:
        fetch(server + where, tmp_path, sha256=SHA256)
    assert where in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_what_does_not_end_is_ended(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_LARGEST", 1 << 20)
    with pytest.raises(DownloadError, match=r"is larger than a model may be \(1,048,576 bytes\)"):
        fetch(f"{server}/unannounced/model.zip", tmp_path, sha256=SHA256)
    assert not list(tmp_path.iterdir())


def test_another_file_than_announced_is_deleted(server: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"its SHA-256 is {SHA256}, and {'0' * 64} was expected. It was deleted"):
        fetch(f"{server}/files/model.zip", tmp_path, sha256="0" * 64)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sha256", [None, "", "abc", "g" * 64, SHA256 + "0"])
def test_without_a_sha256_nobody_is_asked(tmp_path: Path, sha256: str | None) -> None:
    with pytest.raises(DownloadError, match="SHA-256"):
        fetch("http://127.0.0.1:9/model.zip", tmp_path, sha256=sha256)


def test_nobody_there(server: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"127.0.0.1 cannot be reached.*Models that are here already work without"):
        fetch("http://127.0.0.1:9/model.zip", tmp_path, sha256=SHA256)


def test_a_name_that_nobody_knows(server: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"the name nobody\.invalid is not known here"):
        fetch("http://nobody.invalid/model.zip", tmp_path, sha256=SHA256)


def test_a_proxy_that_is_not_there(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(DownloadError, match="the proxy of this network could not be reached"):
        fetch("http://example.invalid/model.zip", tmp_path, sha256=SHA256)


def test_encryption_that_cannot_be_verified(server: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"the certificate of 127.0.0.1, or the encryption, could not be verified"):
        fetch(server.replace("http:", "https:") + "/files/model.zip", tmp_path, sha256=SHA256)


def test_certificates_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def get(url: str, **options: object) -> object:
        asked.update(options)
        raise requests.exceptions.SSLError(ssl.SSLCertVerificationError(1, "self-signed certificate"))

    monkeypatch.setattr(requests, "get", get)
    with pytest.raises(DownloadError, match="Nothing was fetched"):
        fetch("https://127.0.0.1/model.zip", tmp_path, sha256=SHA256)
    assert asked.get("verify", True) is True


@pytest.mark.parametrize("url", ["http://[", "http:///model.zip", "https://a b/c", "http://127.0.0.1:99999/x"])
def test_what_is_no_address(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError):
        fetch(url, tmp_path, sha256=SHA256)


def test_a_password_in_an_address_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch("http://me:hidden@127.0.0.1:9/model.zip", tmp_path, sha256=SHA256)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("path", ["/..%2f..%2fevil", "/", "/a%00b", "/con", "/x/%2e%2e"])
def test_names_stay_in_the_folder(server: str, tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answers, "anything", CONTENT)
    assert fetch(server + path, tmp_path, sha256=SHA256).parent == tmp_path


def test_who_watches_may_end_it(server: str, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(f"{server}/files/model.zip", tmp_path, sha256=SHA256, on_progress=stop)
    assert not list(tmp_path.iterdir())


def test_a_model_is_imported_from_an_address(
    server: str, tmp_path: Path, plane_card, plane_network, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(tmp_path / "m", plane_card, plane_network, np.ones((1, 16, 16), np.float32))
    content = export_model(tmp_path / "m", tmp_path / "m.zip").read_bytes()
    monkeypatch.setattr(Answers, "files", {"/files/m.zip": content, "/files/text": b"hello"})
    info = import_model(f"{server}/files/m.zip", Told(name="far"), sha256=hashlib.sha256(content).hexdigest())
    assert info.name == "far"
    assert verify_model(info.path).passed
    with pytest.raises(ModelError):
        import_model(f"{server}/files/text", sha256=hashlib.sha256(b"hello").hexdigest())
    assert [path.name for path in info.path.parent.iterdir()] == ["far"]
