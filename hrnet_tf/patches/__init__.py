"""Changes to other libraries, and uses of their private functions. Each module says why.

`tests/patches/test_versions.py` fails if the installed version of such a library is not the one
that the patch was written and measured for. Then read the patch again, run its tests, and change
the version here.
"""

VERSIONS = {
    "keras": "3.15",  # keras_adam, …_averages, …_fit, …_graph, …_loading, …_normalization, …_sgd
    # keras_adam, …_averages, …_fit, …_loading, …_normalization, …_sgd, tensorflow_graphs, …_sums
    "tensorflow": "2.21",
    "keras-hub": "0.32",  # keras_hub
    "ai-edge-litert": "2.3",  # litert
}
