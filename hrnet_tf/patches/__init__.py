"""What is changed in, or taken from inside, other libraries. Each module says why.

`tests/patches/test_versions.py` fails when one of these libraries has another version than the one
that a patch was written and measured for. Then read the module again, run its tests, and change the
version here.
"""

VERSIONS = {
    "keras": "3.15",  # keras_adam, keras_fit, keras_graph, keras_normalization
    "tensorflow": "2.21",  # keras_adam, keras_fit, keras_normalization
    "keras-hub": "0.32",  # keras_hub
    "ai-edge-litert": "2.3",  # litert
}
