"""A program as a link: with real programs that answer, do not read, end, or do not want to end."""

from __future__ import annotations

import pytest

from harness.errors import LinkError, LinkTimeout
from harness.link import process
from harness.link.base import Deadline
from harness.link.process import ProcessLink


@pytest.fixture
def start():
    links = []

    def started(*command, **options):
        links.append(ProcessLink(command, name="it", **options))
        return links[-1]

    yield started
    for link in links:
        link.close()


def test_bytes_pass_unchanged_both_ways(start):
    link = start("cat")
    data, back = bytes(range(256)) * 8, b""
    link.write(data, Deadline.after(10))
    while len(back) < len(data):
        back += link.read(Deadline.after(10))
    assert back == data


def test_silence_is_nothing_at_the_deadline(start):
    assert start("cat").read(Deadline.after(0.05)) == b""


def test_a_program_that_does_not_read_is_a_timeout(start):
    link = start("sleep", "60")
    with pytest.raises(LinkTimeout, match="bytes not taken"):
        link.write(bytes(1 << 20), Deadline.after(0.1))


def test_the_end_of_a_program_comes_with_status_words_and_advice(start):
    link = start("sh", "-c", "echo no such thing >&2; exit 3", advise=lambda words: f"on {words}")
    with pytest.raises(LinkError, match="it: the program ended with status 3: no such") as caught:
        link.read(Deadline.after(10))
    assert caught.value.hint == "on no such thing"
    with pytest.raises(LinkError, match="ended with status 3"):
        link.write(b"hello", Deadline.after(10))


def test_a_program_that_cannot_start(start):
    with pytest.raises(LinkError, match="cannot start /nowhere/ssh"):
        start("/nowhere/ssh")


def test_closing_ends_even_a_program_that_ignores_it(start, monkeypatch):
    monkeypatch.setattr(process, "END_S", 0.2)
    link = start("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    assert link.read(Deadline.after(10)) == b"ready\n"
    link.close()
    assert link._process.returncode is not None
    link.close()  # again does no harm


def test_a_closed_link_says_so(start):
    link = start("cat")
    link.close()
    with pytest.raises(LinkError):
        link.write(b"x", Deadline.after(1))
    with pytest.raises(LinkError):
        link.read(Deadline.after(1))
