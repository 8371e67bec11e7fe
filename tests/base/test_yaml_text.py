"""YAML as people mean it: texts stay texts, and nothing unfolds without end."""

from __future__ import annotations

import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.yaml_text import read_yaml


def test_yaml_keeps_what_people_mean(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("no: 1\nvisit: 010\non: yes\nflag: true\nnumber: -3\n")
    assert read_yaml(path) == {"no": 1, "visit": "010", "on": "yes", "flag": True, "number": -3}
    path.write_text("a: 1\na: 2\n")
    with pytest.raises(AdnormError, match="the key 'a' stands twice"):
        read_yaml(path)
    path.write_text("a: [1\n")
    with pytest.raises(AdnormError, match=r"line \d+, column \d+"):
        read_yaml(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"title: a\x07b\n", "character 0x7 at position 8"),
        (b"title: " + b"[" * 3000 + b"]" * 3000, "hundreds deep"),
        (b"seed: " + b"9" * 5000 + b"\n", "a value cannot be read"),
        (b"? [a, b]\n: c\n", "line 1, column 3: a key is a list"),
        (b"date: 2020-13-45\n", "a value cannot be read"),
        (
            b"a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + b"".join(
                b"%c: &%c [%s]\n" % (i + 1, i + 1, b", ".join([b"*%c" % i] * 10))
                for i in range(97, 104)
            ),
            "aliases unfold to millions of values",
        ),
    ],
)
def test_yaml_that_is_damaged_or_made_to_harm_is_told_in_a_sentence(tmp_path, text, message):
    (tmp_path / "x.yaml").write_bytes(text)
    with pytest.raises(AdnormError, match=message) as told:
        read_yaml(tmp_path / "x.yaml")
    assert len(str(told.value)) < 600


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id: x\n\ttitle: a\n", "line 2, column 1: this line is indented with a tab"),
        ("id: @a\n", "line 1, column 5: no value begins with this character"),
        ("title: a: b\n", "line 1, column 9: a ':' stands where none can"),
        ('id: x\ntitle: "a\nweek: 1\n', "a quoted text that begins at line 2 does not end"),
        ("id: x\na: [b\nc: d\n", "a list in brackets that begins at line 2 does not end"),
        ("id: x\na: {b: 1\nc: d\n", "a mapping in braces that begins at line 2 does not end"),
        ("- a\nb: c\n", "a list that begins at line 1 has a line without '-'"),
        ("a:\n  b: 1\n c: 2\n", "no `key: value` of the mapping that begins at line 1"),
        ("a: *b\n", "texts that begin with '\\*' in quotes"),
        ('a: "\\d"\n', "use single quotes"),
        ("a\nb\n: c\n", "no `key: value` but a whole value"),
    ],
)
def test_what_people_mistype_is_told_in_words_that_help(tmp_path, text, words):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(AdnormError, match=words) as told:
        read_yaml(tmp_path / "x.yaml")
    assert "did not find" not in str(told.value) and "token" not in str(told.value)


def test_aliases_of_a_cohort_file_may_be_used(tmp_path):
    lines = ["a: &a {LS: lesional}", "b: *a", "c:", "  <<: *a", "  NL: nonlesional"]
    (tmp_path / "x.yaml").write_text("\n".join(lines))
    found = read_yaml(tmp_path / "x.yaml")
    assert found["b"] == {"LS": "lesional"}
    assert found["c"] == {"LS": "lesional", "NL": "nonlesional"}
