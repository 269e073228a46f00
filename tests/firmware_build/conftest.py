"""A cache of its own for every test that builds, so that nothing is found by chance."""

import pytest

from harness.boards import find_kind


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(folder))
    monkeypatch.delenv("HARNESS_TOOLCHAIN", raising=False)
    return folder


@pytest.fixture(params=["uno", "mega2560", "mkr1000"])
def board(request):
    return find_kind(request.param).virtual()
