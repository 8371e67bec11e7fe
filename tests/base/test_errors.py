"""Problems told at once, names that are close, lists in sentences."""

from __future__ import annotations

import pytest

from adnorm.base.errors import AdnormError, Problems, listing, nearest


def test_problems_are_told_all_at_once():
    problems = Problems("file.yaml")
    problems.stop()
    problems.add("first")
    problems.add("second")
    problems.add("first")
    with pytest.raises(AdnormError, match=r"(?s)file.yaml: 2 problems.*1\. first.*2\. second"):
        problems.stop()


def test_nearest_and_listing():
    assert nearest("Lesionall", ["lesional", "healthy"]) == "; did you mean 'lesional'?"
    assert nearest("zzz", ["lesional"]) == ""
    assert listing(range(3), limit=5) == "'0', '1', '2'"
