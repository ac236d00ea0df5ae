"""Files that must exist, and their hashes."""

import hashlib

import pytest

from hrnet_tf.files import existing, sha256


def test_a_file_that_exists_is_a_path(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    assert existing(str(tmp_path / "a.json")) == tmp_path / "a.json"


def test_a_missing_file_and_a_folder_are_refused_under_the_name_that_was_typed(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^\./a\.json: no such file; check its name\.$"):
        existing("./a.json")
    with pytest.raises(FileNotFoundError):
        existing(tmp_path)


def test_the_hash_is_that_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
