"""The toy machine against the numbers printed in arXiv:2604.01193 (section 4.2, C.4, Fig. 12–14)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.theory import best_temperature, entropy, paper_machine, support_boundary
from harness.theory.toy import state

TEACHER = paper_machine()
STUDENT = TEACHER.decoded(0.9, 0.85)


@pytest.mark.parametrize(
    ("machine", "temperature", "percent"),
    [
        (TEACHER, 0.639, 8.328),
        (STUDENT, 2.091, 13.769),
        (TEACHER, 2.091, 0.336),
        (TEACHER, 0.5, 6.378),
        (STUDENT, 0.5, 5.495),
        (TEACHER, 1.0, 6.453),
        (STUDENT, 1.0, 10.621),
    ],
)
def test_success_at_fixed_temperatures(machine, temperature, percent):
    assert 100 * machine.success(temperature, 0.80) == pytest.approx(percent, abs=5e-4)


def test_printed_optima_to_their_printed_digits():
    # 8.32 is printed for "0.639": any grid point that prints so will do.
    at = [100 * TEACHER.success(t, 0.80) for t in np.arange(0.6385, 0.6395, 0.0001)]
    assert any(f"{v:.2f}" == "8.32" for v in at)
    assert f"{100 * STUDENT.success(2.091, 0.80):.2f}" == "13.77"


@pytest.mark.parametrize(
    ("logp", "size", "boundary"),
    [
        (TEACHER.fork, 4, 0.639471),
        (STUDENT.lock, 1, math.log(0.750 / 0.055) / (0.9 * math.log(4))),
        (STUDENT.lock, 1, 2.094104),
    ],
)
def test_boundary_temperatures(logp, size, boundary):
    assert support_boundary(logp, 0.80, size) == pytest.approx(boundary, abs=6e-7)


@pytest.mark.parametrize(
    ("machine", "boundary", "below", "above"),
    [(TEACHER, 0.639471, 8.3336, 7.1661), (STUDENT, 2.094104, 13.7732, 7.0519)],
)
def test_success_drops_where_a_nucleus_gains_a_token(machine, boundary, below, above):
    assert 100 * machine.success(boundary - 1e-6, 0.80) == pytest.approx(below, abs=1e-4)
    assert 100 * machine.success(boundary + 1e-6, 0.80) == pytest.approx(above, abs=1e-4)


def test_student_states_are_the_printed_ones():
    lock, fork, root = (np.exp(s) for s in (STUDENT.lock, STUDENT.fork, STUDENT.root))
    assert lock[:3].round(6).tolist() == [0.947997, 0.052003, 0.0]
    assert fork[:5].round(6).tolist() == [0.169171, 0.343548, 0.159041, 0.164098, 0.164143]
    assert root[:5].round(6).tolist() == [0.233557, 0.220618, 0.406048, 0.139778, 0.0]
    assert np.count_nonzero(fork) == 5


def test_printed_entropies_pin_the_tail_ratios():
    bits = [float(entropy(s)) / math.log(2) for s in (TEACHER.fork, TEACHER.lock)]
    assert [f"{b:.2f}" for b in bits] == ["2.81", "1.61"]


def test_printed_fork_nuclei():
    for machine, temperature, printed in [
        (TEACHER, 0.639, [48.2, 17.8, 17.0, 17.0]),
        (STUDENT, 2.091, [32.1, 22.9, 22.5, 22.5]),
    ]:
        nucleus = np.sort(np.exp(machine.decoded(temperature, 0.80).fork))[::-1]
        assert (100 * nucleus[:4]).round(1).tolist() == printed
        assert not nucleus[4:].any()


@pytest.mark.parametrize(
    ("top_p", "teacher", "student"),
    [(0.65, 11.98, 15.94), (0.75, 10.20, 14.38), (0.80, 8.33, 13.77), (0.85, 7.45, 9.48), (0.90, 7.04, 8.39)],
)
def test_best_over_a_grid_of_temperatures(top_p, teacher, student):
    grid = np.arange(300, 3000) / 1000
    assert 100 * best_temperature(TEACHER, top_p, grid)[1] == pytest.approx(teacher, abs=0.006)
    assert 100 * best_temperature(STUDENT, top_p, grid)[1] == pytest.approx(student, abs=0.006)


def test_two_stage_decoding_of_the_teacher_is_the_ideal_student():
    assert TEACHER.decoded(0.9, 0.85).success(2.091, 0.80) == STUDENT.success(2.091, 0.80)


@given(st.floats(0.30, 0.85), st.floats(0.5, 1.0))
def test_optima_do_not_depend_on_the_unpinned_ratios(root_ratio, lock_ratio):
    teacher = paper_machine(root_ratio=root_ratio, lock_ratio=lock_ratio)
    assert teacher.success(0.639, 0.80) == pytest.approx(TEACHER.success(0.639, 0.80), rel=1e-12)


@pytest.mark.parametrize(("head", "ratio"), [((0.5, 0.5), 0.5), ((0.5,), 0.0), ((0.5,), 1.5)])
def test_bad_states_are_refused(head, ratio):
    with pytest.raises(BadInput):
        state(head, ratio)


def test_boundary_that_does_not_exist_is_refused():
    with pytest.raises(BadInput, match="size=16"):
        support_boundary(TEACHER.fork, 0.80, 16)
