"""Sentences about misspelt names."""

from hrnet_tf.names import LISTED, did_you_mean


def test_similar_names_are_offered_the_most_similar_first():
    known = ("w18", "w32", "lite18", "lite30")
    assert did_you_mean("lite8", known) == " Did you mean lite18, lite30?"
    assert did_you_mean("lite8", known, n=1) == " Did you mean lite18?"


def test_without_a_similar_name_a_short_list_is_shown_and_a_long_one_is_not():
    assert did_you_mean("☃", ("w18", "w32")) == " Choose from w18, w32."
    assert did_you_mean(3, [f"name{i}" for i in range(LISTED + 1)], cutoff=0.9) == ""
