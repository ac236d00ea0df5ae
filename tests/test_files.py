"""Files that must exist, and their hashes."""

import hashlib
import os

import pytest

from hrnet_tf.files import distinct, existing, parse_json, sha256, short, unfolds_too_far


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


def test_a_pipe_is_not_said_to_be_missing(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError, match="pipe: a pipe or device; save what comes from it"):
        existing(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"{", "not complete JSON"), (b"[" * 100_000, "nested too deeply"), (b"\xff", "not complete")],
)
def test_bad_json_is_a_sentence_with_its_name(content, said):
    with pytest.raises(ValueError, match=rf"^x\.json: .*{said}"):
        parse_json(content, "x.json")
    assert parse_json("[1]".encode("utf-16"), "x.json") == [1]


def test_names_differ_and_are_of_a_length_that_file_systems_take():
    assert list(distinct(["a", "A", "b", "a-2"])) == ["a", "A-2", "b", "a-2-2"]
    assert short("name") == "name" and len(short("\N{SNOWMAN}" * 99).encode()) <= 200


def test_archives_may_unfold_to_four_times_their_size():
    assert unfolds_too_far(10, [2**27, 2**27]) == ""
    assert unfolds_too_far(2**28, [2**30]) == ""
    assert "unfolds to 1024 MiB from 0.0" in unfolds_too_far(10, [2**30])
