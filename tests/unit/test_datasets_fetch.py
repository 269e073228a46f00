"""Fetching against a local server that speaks Range, drops connections and tells lies."""

import hashlib
import io
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness import datasets
from harness.datasets import registry
from harness.errors import DataError, UsageError


def some_zip():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("signals.txt"), bytes(range(256)) * 2000)
    return buffer.getvalue()


CONTENT = some_zip()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        start = 0
        asked = self.headers.get("Range")
        server.ranges.append(asked)
        if asked and server.resumable:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(CONTENT):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
                self.end_headers()
                return
            self.send_response(206)
            at = start + server.range_error
            self.send_header("Content-Range", f"bytes {at}-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            self.send_response(server.code)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        body = CONTENT[start:]
        if server.drop_after is not None:
            body, server.drop_after = body[: server.drop_after], None
            self.close_connection = True
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.ranges, httpd.resumable, httpd.drop_after = [], True, None
    httpd.code, httpd.range_error = 200, 0
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    httpd.url = f"http://127.0.0.1:{httpd.server_port}/file.zip"
    yield httpd
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture
def known_checksum(monkeypatch):
    source = replace(registry.SOURCES["har6"], sha256=hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setitem(registry.SOURCES, "har6", source)


def test_fetch_puts_the_file_in_place_and_records_its_checksum(server, tmp_path):
    seen = []
    path = datasets.fetch("har6", tmp_path, server.url, lambda *a: seen.append(a))
    assert path == tmp_path / "UCI HAR Dataset.zip"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    recorded = (tmp_path / "UCI HAR Dataset.zip.sha256").read_text()
    assert recorded.startswith(hashlib.sha256(CONTENT).hexdigest())
    assert datasets.fetch("har6", tmp_path, server.url) == path
    assert len(server.ranges) == 1  # the second call fetched nothing


def test_a_killed_transfer_is_resumed(server, tmp_path, known_checksum):
    server.drop_after = 100_000
    with pytest.raises(DataError, match="download from .* failed.*100,000 bytes are kept") as e:
        datasets.fetch("har6", tmp_path, server.url)
    assert "by hand" in e.value.hint and str(tmp_path) in e.value.hint
    assert not (tmp_path / "UCI HAR Dataset.zip").exists()
    path = datasets.fetch("har6", tmp_path, server.url)
    assert server.ranges == [None, "bytes=100000-"]
    assert path.read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(server, tmp_path):
    server.drop_after = 100_000
    with pytest.raises(DataError):
        datasets.fetch("har6", tmp_path, server.url)
    server.resumable = False
    assert datasets.fetch("har6", tmp_path, server.url).read_bytes() == CONTENT


def test_a_complete_part_is_taken_as_it_is(server, tmp_path, known_checksum):
    (tmp_path / "UCI HAR Dataset.zip.part").write_bytes(CONTENT)
    assert datasets.fetch("har6", tmp_path, server.url).read_bytes() == CONTENT


def test_a_resume_at_the_wrong_place_is_thrown_away(server, tmp_path):
    part = tmp_path / "UCI HAR Dataset.zip.part"
    part.write_bytes(CONTENT[:1000])
    server.range_error = 5
    with pytest.raises(DataError, match="another place"):
        datasets.fetch("har6", tmp_path, server.url)
    assert not part.exists()


def test_a_wrong_checksum_leaves_nothing_behind(server, tmp_path, known_checksum):
    (tmp_path / "UCI HAR Dataset.zip.part").write_bytes(b"x" * 1000)
    with pytest.raises(DataError, match="sha256 is .* expected"):
        datasets.fetch("har6", tmp_path, server.url)
    assert list(tmp_path.iterdir()) == []
    assert datasets.fetch("har6", tmp_path, server.url).read_bytes() == CONTENT


def test_without_a_known_checksum_a_broken_archive_is_still_refused(server, tmp_path):
    (tmp_path / "UCI HAR Dataset.zip.part").write_bytes(b"x" * 1000)  # of something else
    with pytest.raises(DataError, match="not a whole zip archive"):
        datasets.fetch("har6", tmp_path, server.url)
    assert list(tmp_path.iterdir()) == []


def test_offline_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="failed") as caught:
        datasets.fetch("har2", tmp_path, "http://127.0.0.1:9/file.zip")
    assert str(tmp_path / "UCI HAR Dataset.zip") in caught.value.hint


def test_a_server_error_says_so(server, tmp_path):
    server.code = 404
    with pytest.raises(DataError, match="404|Not Found"):
        datasets.fetch("har6", tmp_path, server.url)


def test_what_cannot_be_fetched(tmp_path):
    with pytest.raises(DataError, match="shipped with scikit-learn"):
        datasets.fetch("digits", tmp_path)
    with pytest.raises(UsageError, match="unknown data set 'har3'"):
        datasets.fetch("har3", tmp_path)
    with pytest.raises(DataError, match="only http"):
        datasets.fetch("har6", tmp_path, "file:///etc/passwd")


def test_a_set_of_several_files_is_fetched_into_its_folder(server, tmp_path, monkeypatch):
    files = tuple(
        replace(file, md5=hashlib.md5(CONTENT).hexdigest())
        for file in registry.SOURCES["pixel-mnist"].files
    )
    source = replace(registry.SOURCES["pixel-mnist"], files=files)
    monkeypatch.setitem(registry.SOURCES, "pixel-mnist", source)
    base = server.url.rsplit("/", 1)[0]
    assert datasets.fetch("pixel-mnist", tmp_path, base) == tmp_path / "mnist"
    names = sorted(path.name for path in (tmp_path / "mnist").iterdir())
    assert names == [
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]
    assert len(server.ranges) == 4
    datasets.fetch("pixel-mnist", tmp_path, base)
    assert len(server.ranges) == 4  # nothing was fetched again


def test_a_file_of_a_set_with_a_wrong_md5_is_refused(server, tmp_path):
    with pytest.raises(DataError, match="train-images.* md5 is .* expected f68b3c2d"):
        datasets.fetch("pixel-mnist", tmp_path, server.url.rsplit("/", 1)[0])
    assert not list((tmp_path / "mnist").iterdir())
