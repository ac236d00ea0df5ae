"""Patches are of one version of a library: another one has to be looked at first."""

import importlib.metadata

import pytest

from hrnet_tf.patches import VERSIONS


@pytest.mark.parametrize("library", VERSIONS)
def test_the_patched_version_is_installed(library):
    """Read the modules that `VERSIONS` names again before changing the number there."""
    found = importlib.metadata.version(library)
    assert found.split(".")[:2] == VERSIONS[library].split("."), found
