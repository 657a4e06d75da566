"""How many lines of one kind are written."""

from notarium_node.health.log_limits import KINDS, LINES, WINDOW_S, LogLimits

KIND = ("x", "peer dropped", "alpha")


def test_so_many_lines_of_a_kind_are_written_in_a_window_and_the_others_counted_once():
    limits = LogLimits()
    assert [limits.allows(KIND, 0.0) for _ in range(LINES + 5)] == [True] * LINES + [False] * 5
    assert limits.left_out(WINDOW_S - 0.1) == []
    assert limits.left_out(WINDOW_S) == [(KIND, 5)]
    assert limits.left_out(2 * WINDOW_S) == []
    assert limits.allows(KIND, WINDOW_S)


def test_a_line_that_opens_the_next_window_loses_no_count():
    limits = LogLimits()
    for _ in range(LINES + 1):
        limits.allows(KIND, 0.0)
    assert limits.allows(KIND, WINDOW_S)
    assert limits.left_out(WINDOW_S) == [(KIND, 1)]


def test_no_peer_uses_up_the_lines_about_another():
    limits = LogLimits()
    for _ in range(LINES):
        limits.allows(KIND, 0.0)
    assert not limits.allows(KIND, 0.0)
    assert limits.allows(("x", "peer dropped", "beta"), 0.0)


def test_kinds_without_number_are_one_kind():
    limits = LogLimits()
    allowed = sum(limits.allows(("x", str(number), ""), 0.0) for number in range(10 * KINDS))
    assert allowed == KINDS - 1 + LINES + 1  # The last place is that of all others.
    ((kind, count),) = limits.left_out(WINDOW_S)
    assert (kind, count) == (("other",), 10 * KINDS - allowed)
