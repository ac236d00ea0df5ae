"""Packaging: three top-level folders, one installed namespace."""

from pathlib import Path

from setuptools import find_packages, setup

# Folder of the checkout -> the package that it is installed as.
ROOTS = {"hrnet_tf": "hrnet_tf", "training": "hrnet_tf.training", "convert": "hrnet_tf.convert"}
FOLDERS = {
    ".".join([package, *inner.split(".")]).rstrip("."): "/".join([folder, *inner.split(".")])
    for folder, package in ROOTS.items()
    for inner in ("", *find_packages(folder))
}

setup(
    name="hrnet_tf",
    version="0.1.0",
    description="HRNet for TensorFlow and Keras: exact, fast, and all the way to a phone",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=list(FOLDERS),
    package_dir=FOLDERS,
    package_data={"hrnet_tf.labels": ["class_lists/*"], "hrnet_tf.prediction": ["page.*"]},
    install_requires=[
        "tensorflow>=2.21,<2.22",
        "keras>=3.15",
        "ml_dtypes>=0.5",
        "numpy>=2.0",
        "absl-py>=1.4",
        "ai-edge-litert>=2.1",
        "filelock>=3.15",
        "pillow>=11.0",
        "pycocotools>=2.0.8",
        "rich>=13.7",
        "safetensors>=0.8.0",
        "scipy>=1.13",
    ],
    extras_require={
        # KerasHub's detectors and segmenters on our backbones.
        "detection": ["keras-hub>=0.32"],
        # Reads and writes video.
        "video": ["av>=14.0"],
        # Makes `.onnx` files and runs them.
        "onnx": ["onnxruntime>=1.20", "tf2onnx>=1.17"],
        # Trains for integers by TensorFlow's own library, beside ours.
        "tfmot": ["tensorflow-model-optimization>=0.8", "tf_keras>=2.21"],
        # Builds the documentation as a site: `make docs`.
        "docs": ["mkdocs>=1.6,<2", "mkdocs-material>=9.6", "mkdocstrings-python>=1.16"],
        # Runs docs/notebooks.
        "notebooks": ["ipykernel>=6.29", "nbclient>=0.10"],
        "dev": [
            "hrnet_tf[detection,onnx,video]",
            "jax>=0.7",
            "pytest>=8.3",
            "pytest-xdist>=3.6",
            "ruff>=0.9",
        ],
    },
    entry_points={"console_scripts": ["hrnet-tf = hrnet_tf.cli:main"]},
)
