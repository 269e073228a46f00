"""What the fuzz tests draw: values as JSON or YAML has them, and documents damaged by them."""

from __future__ import annotations

import copy
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("HARNESS_FUZZ_EXAMPLES", "60"))
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-3, 300),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["", "virtual", "uno", "../../etc/passwd", "NaN", "1e999", "\0", "<b>"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, document: Any) -> Any:
    """A copy of a document of dicts and lists, with one to three places replaced or removed."""
    found = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        found = _damage(draw, found)
    return found


def _damage(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict | list) and value and draw(st.integers(0, 9)):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = draw(st.sampled_from(keys))
        if draw(st.integers(0, 7)) == 0:
            del value[key]
        else:
            value[key] = _damage(draw, value[key])
        return value
    return draw(values)


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes with one to four stretches replaced, removed or doubled."""
    found = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(found)))
        end = start + draw(st.integers(0, 12))
        found[start:end] = draw(st.one_of(st.binary(max_size=12), st.just(found[start:end] * 2)))
    return bytes(found)
