import pathlib

import pytest

from compound import balance


@pytest.mark.parametrize(("years", "expected"), [(0, 1000.0), (1, 1050.0), (2, 1102.5)])
def test_balance_grows_with_the_years(years, expected):
    assert balance(1000.0, 0.05, years) == pytest.approx(expected)


def test_negative_years_are_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        balance(1000.0, 0.05, -1)


def test_workspace_is_writable(tmp_path):
    for folder in (tmp_path, pathlib.Path.cwd()):
        page = folder / "statement.txt"
        page.write_text("1050.00\n")
        assert page.read_text() == "1050.00\n"
        page.unlink()
