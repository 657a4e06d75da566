"""docs/tutorial.md is true: each of its commands runs, and prints what stands there."""

import pytest
from tests.docs.tutorial import PAGE, Differs, ended, matches, run, steps


def test_the_page_is_true(tmp_path):
    with ended(tmp_path):
        printed = list(run(tmp_path, PAGE.read_text(encoding="utf-8")))
    assert len(printed) == len(steps(PAGE.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("```sh\necho one\n```\n```text\ntwo\n```\n", "printed\none"),
        ("```sh\nfalse\n```\n", "ended with 1"),
        ("```sh\nexit 3\n```\n", "ended the shell"),
    ],
)
def test_a_page_that_is_not_true_is_found(tmp_path, page, said):
    with pytest.raises(Differs, match=said):
        list(run(tmp_path, page))


def test_what_differs_each_time_stands_for_anything():
    assert matches("a … c\n…\nlast\n", "a b c\nx\ny\nlast\n")
    assert not matches("a … c\n", "a b d\n")
    assert not matches("one\n", "one\ntwo\n")
