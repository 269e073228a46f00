"""Intervals and paired tests against known values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.study.stats import mcnemar_p, mean_interval, sign_flip_p

values = st.lists(st.floats(-10, 10), min_size=2, max_size=8)


def test_the_interval_is_students():
    found = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3.0
    assert found.half_width == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-6)
    assert found.text(scale=1) == "3.00 ± 1.96 (5)"


def test_one_value_has_no_interval():
    assert mean_interval([0.5]).half_width is None
    assert mean_interval([0.5]).text() == "50.00 (1)"
    with pytest.raises(ValueError, match="no values"):
        mean_interval([])


@given(values)
def test_equal_series_are_not_different(series):
    assert sign_flip_p(series, series) == 1.0


@given(values, values)
def test_the_sign_flip_test_is_symmetric_and_bounded(first, second):
    n = min(len(first), len(second))
    p = sign_flip_p(first[:n], second[:n])
    assert p == sign_flip_p(second[:n], first[:n])
    assert 2 ** (1 - n) <= p + 1e-12 <= 1 + 1e-9


def test_five_seeds_that_all_agree_give_the_smallest_p():
    assert sign_flip_p([2, 3, 4, 5, 6], [1, 1, 1, 1, 1]) == pytest.approx(2 / 32)


def test_sign_flip_refuses_unpaired_series():
    with pytest.raises(ValueError, match="pairs"):
        sign_flip_p([1, 2], [1])


def test_mcnemar_is_the_exact_binomial():
    assert mcnemar_p(0, 0) == 1.0
    assert mcnemar_p(1, 9) == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar_p(9, 1) == mcnemar_p(1, 9)
    assert mcnemar_p(5, 5) == 1.0
