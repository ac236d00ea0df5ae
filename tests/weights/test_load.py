"""Reading weight files without PyTorch, and loading them into networks."""

import copyreg
import io
import json
import pickle
import tracemalloc
import zipfile

import keras
import numpy as np
import pytest
import safetensors.numpy
from keras import layers

import hrnet_tf
from hrnet_tf.weights.folded import forward_order
from hrnet_tf.weights.load import load_checkpoint, read_checkpoint

from places import FIXTURES

FILES = sorted((FIXTURES / "pth_files").glob("*.pth*"))
ZIP, LEGACY = FIXTURES / "pth_files" / "zip_plain.pth", FIXTURES / "pth_files" / "legacy_plain.pth"
by_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def expected(kind="net"):
    with np.load(FIXTURES / "pth_files" / "expected.npz") as file:
        return {k.removeprefix(f"{kind}/"): file[k] for k in file.files if k.startswith(kind)}


# --- Pickles written by hand -----------------------------------------------------------------


def ops(value):
    """The opcodes that push `value`."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(kind="torch\nFloatStorage", key="0", offset=0, shape=(2,), strides=(1,)):
    storage = b"(" + ops("storage") + f"c{kind}\n".encode() + ops(key) + ops("cpu") + ops(2) + b"tQ"
    layout = ops(offset) + ops(shape) + ops(strides) + ops(False) + ops({})
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + layout + b"tR"


def dictionary(**values):
    return b"}(" + b"".join(ops(key) + value for key, value in values.items()) + b"u"


def write_zip(path, root, records=None, compression=zipfile.ZIP_STORED):
    """A file in the layout of `torch.save`, from opcodes."""
    records = {"data/0": np.array([1.5, -2], "<f4").tobytes()} | (records or {})
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + root + b".")
        for name, data in records.items():
            archive.writestr(f"archive/{name}", data)
    return path


def write_legacy(path, *pickles):
    """A file in the layout from before torch 1.6, with the last of its five pickles replaced."""
    head = [ops(0x1950A86A20F9469CFC6C), ops(1001), ops({}), dictionary(w=tensor()), ops(["0"])]
    head = [*head[: 5 - len(pickles)], *pickles]
    numbers = (2).to_bytes(8, "little") + np.array([1.5, -2], "<f4").tobytes()
    path.write_bytes(b"".join(b"\x80\x02" + body + b"." for body in head) + numbers)
    return path


# --- Reading ---------------------------------------------------------------------------------


@by_file
def test_torch_files_come_out_bit_for_bit(path):
    """Both formats, prefixes, nesting, Parameters, views, strides and all number formats."""
    wanted = expected("layouts" if "layouts" in path.name else "net")
    found = read_checkpoint(path)
    found = {k.removeprefix("module.").removeprefix("model."): v for k, v in found.items()}
    found = {k.removeprefix("backbone."): v for k, v in found.items()}
    assert found.keys() - wanted.keys() <= {"loss.criterion.weight"}
    for name, array in wanted.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        assert found[name].tobytes() == array.tobytes(), name


def test_other_formats_equal_the_torch_file(tmp_path):
    """A file's content decides, not its suffix."""
    wanted = read_checkpoint(ZIP)
    np.savez(tmp_path / "w.npz", **wanted)
    safetensors.numpy.save_file(wanted, tmp_path / "w.safetensors", {"format": "pt"})
    for name in ("w.npz", "w.safetensors"):
        path = (tmp_path / name).rename(tmp_path / f"{name}.pth")
        found = read_checkpoint(path)
        assert {k: (v.dtype, v.tobytes()) for k, v in found.items()} == {
            k: (v.dtype, v.tobytes()) for k, v in wanted.items()
        }


def write_safetensors(path, **tensors):
    """A file whose header claims tensors (dtype, shape, first and last byte) in four bytes."""
    fields = ("dtype", "shape", "data_offsets")
    header = {name: dict(zip(fields, each, strict=True)) for name, each in tensors.items()}
    header = json.dumps(header).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\x80\x3f\x00\xc0")
    return path


def test_safetensors_bfloat16_becomes_float32(tmp_path):
    found = read_checkpoint(write_safetensors(tmp_path / "w", w=("BF16", [2], [0, 4])))["w"]
    assert found.tolist() == [1, -2] and found.dtype == "float32"


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (dict(w=("F32", [2], [0, 8])), "damaged or cut"),
        (dict(w=("F32", [2**40, 2**40], [0, 4])), "damaged or cut"),
        (dict(v=("F32", [1], [0, 4]), w=("F32", [1], [0, 4])), "damaged or cut"),  # overlap
        (dict(w=("F8_E4M3", [4], [0, 4])), "number format that is not supported"),
    ],
)
def test_bad_safetensors_are_refused_in_a_sentence(tmp_path, tensors, message):
    path = write_safetensors(tmp_path / "w.pth", **tensors)
    with pytest.raises(ValueError, match=rf"`path` must be.*w\.pth.*{message}"):
        read_checkpoint(path)


def test_cut_safetensors_are_refused(tmp_path):
    content = safetensors.numpy.save({"w": np.arange(100, dtype="float32")})
    for length in (0, 4, 9, 40, len(content) - 1):
        (tmp_path / "cut.pth").write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"cut\.pth"):
            read_checkpoint(tmp_path / "cut.pth")


def test_big_endian_zip_is_read(tmp_path):
    data = {"data/0": np.array([1.5, -2], ">f4").tobytes(), "byteorder": b"big"}
    found = read_checkpoint(write_zip(tmp_path / "w.pth", dictionary(w=tensor()), data))["w"]
    assert found.tolist() == [1.5, -2] and found.dtype.isnative


def test_arrays_are_the_callers(tmp_path):
    """Writable, and the file may go: nothing stays mapped."""
    torch_file = write_zip(tmp_path / "w.pth", dictionary(a=tensor(), b=tensor()))
    other = tmp_path / "w.safetensors"
    safetensors.numpy.save_file(read_checkpoint(torch_file), other)
    for path in (torch_file, other):
        found = read_checkpoint(path)
        path.write_bytes(b"")
        found["a"][0] = 9
        assert found["b"].tolist() == [1.5, -2]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("state_dict_ema", "state_dict"),  # timm
        ("best_state_dict", "state_dict"),  # the original pose repository
        ("state_dict", "ema_state_dict"),  # OpenMMLab, which swaps the two when saving
        ("state_dict", "model"),
    ],
)
def test_training_checkpoints_give_their_best_weights(tmp_path, better, worse):
    root = dictionary(
        **{worse: dictionary(raw=tensor()), better: dictionary(good=tensor())},
        optimizer=dictionary(state=tensor()),
        best_acc1=tensor(),
    )
    assert list(read_checkpoint(write_zip(tmp_path / "w.pth", root))) == ["good"]


def test_unknown_objects_beside_the_weights_do_no_harm(tmp_path):
    """OpenMMLab files carry message buffers and configurations of their own classes."""
    buffer = b"cmmengine.logging\nHistoryBuffer\n)\x81" + ops({"_max": 3}) + b"b"
    root = dictionary(
        message_hub=buffer, meta=b"cmmcv\nConfig\n)R", state_dict=dictionary(w=tensor())
    )
    assert read_checkpoint(write_zip(tmp_path / "w.pth", root))["w"].tolist() == [1.5, -2]


MODULE = b"cmodels.pose_hrnet\nPoseHighResolutionNet\n)\x81" + ops({"training": True}) + b"b"


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (MODULE, r"models\.pose_hrnet\.PoseHighResolutionNet.*model\.state_dict\(\)"),
        (dictionary(state_dict=MODULE), r"PoseHighResolutionNet.*model\.state_dict\(\)"),
        (dictionary(w=MODULE), "PoseHighResolutionNet.*in the place of tensor `w`"),
        (dictionary(epoch=ops(3)), "no tensors, only epoch"),
        (ops([1]), "holds a list"),
        (dictionary(w=tensor(key="7")), "lacks its record archive/data/7"),
        (dictionary(w=tensor(shape=(3,))), "`w` lies outside"),
        (dictionary(w=tensor(offset=1)), "`w` lies outside"),
        (dictionary(w=tensor(offset=-1)), "`w` lies outside"),
        (dictionary(w=tensor(strides=(2,))), "`w` lies outside"),
        (dictionary(w=tensor(strides=(-1,))), "`w` lies outside"),
        (dictionary(w=tensor(offset=2**62)), "`w` lies outside"),
        (dictionary(w=tensor(shape=(2**40,), strides=(0,))), "many times its own size"),
        (dictionary(w=tensor(shape=(2**62, 2**62), strides=(0, 0))), "`w` lies outside"),
        (dictionary(w=tensor("torch\nQInt8Storage")), "`w` in a number format"),
        (b"N0r\xff\xff\xff\x7f" + dictionary(w=tensor()), "no memo 2147483647"),
        (b"\x8d" + b"\xff" * 7 + b"\x7f", "damaged or cut"),
        (b"\x96" + b"\xff" * 5 + b"\x00" * 3, "damaged or cut"),
    ],
)
def test_bad_pickles_are_refused_in_a_sentence(tmp_path, root, message):
    """Nothing is read outside a storage, and a declared size is not believed."""
    path = write_zip(tmp_path / "w.pth", root)
    tracemalloc.start()
    with pytest.raises(ValueError, match=rf"`path` must be.*w\.pth.*{message}"):
        read_checkpoint(path)
    assert tracemalloc.get_traced_memory()[1] < 2e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html>", "starts with.*DOCTYPE.*Download"),
        (b"version https://git-lfs.github.com/spec/v1", "starts with.*version"),
        (b"x" * 257 + b"ustar\x0000", "TAR of torch 0.1.9"),
        (b"cos\nsystem\n(S'true'\ntR.", "starts with"),
        (pickle.dumps({"w": 1}), "not one that torch.save wrote"),
        (b"PK\x03\x04 and then nothing", "damaged or cut"),
    ],
)
def test_other_files_are_refused_in_a_sentence(tmp_path, content, message):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(ValueError, match=rf"(?s)`path` must be.*w\.pth.*{message}"):
        read_checkpoint(tmp_path / "w.pth")


def test_a_flipped_bit_in_a_zip_is_noticed(tmp_path):
    """Each record has a CRC-32."""
    path = next(path for path in FILES if zipfile.is_zipfile(path))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = max(archive.infolist(), key=lambda each: each.file_size)
    content[info.header_offset + info.file_size // 2 + 100] ^= 1
    (tmp_path / "bad.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"bad.pth.* damaged: the check sum of .* differs"):
        read_checkpoint(tmp_path / "bad.pth")


def test_a_small_archive_does_not_fill_the_memory(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(6):
            archive.writestr(f"{i}.npy", bytes(50 * 2**20))
    with pytest.raises(ValueError, match="unfolds to 300 MiB from"):
        read_checkpoint(tmp_path / "bomb.npz")


def test_other_zips_are_refused_in_a_sentence(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ValueError, match=r"zip without weights.*load_model"):
        read_checkpoint(tmp_path / "w.keras")
    packed = write_zip(tmp_path / "w.pth", dictionary(w=tensor()), None, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="packed anew"):
        read_checkpoint(packed)


@by_file
def test_cut_files_are_refused(path, tmp_path):
    """A broken download is a ValueError at any length, without large allocations."""
    content = path.read_bytes()
    lengths = {*range(0, len(content), max(1, len(content) // 60)), *range(len(content))[-30:]}
    tracemalloc.start()
    for length in sorted(lengths):
        (tmp_path / "cut.pth").write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"cut\.pth"):
            read_checkpoint(tmp_path / "cut.pth")
    assert tracemalloc.get_traced_memory()[1] < 4e6
    tracemalloc.stop()


@by_file
def test_flipped_bytes_give_weights_or_a_value_error(path, tmp_path):
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for position in rng.integers(len(content), size=150):
        damaged = bytearray(content)
        damaged[position] ^= int(rng.integers(1, 256))
        (tmp_path / "flip.pth").write_bytes(damaged)
        try:
            found = read_checkpoint(tmp_path / "flip.pth")
        except ValueError as error:
            assert "flip.pth" in str(error)
        else:
            assert sum(array.nbytes for array in found.values()) <= 5 * len(content)


# --- Attacks ---------------------------------------------------------------------------------

RAN = []


class Bomb:
    """Notes whatever a pickle manages to do to it."""

    def __new__(cls, *args, **kwargs):
        RAN.append("new")
        return super().__new__(cls)

    def note(self, *args, **kwargs):
        RAN.append("method")

    __init__ = __call__ = __setstate__ = __setitem__ = append = extend = add = note


NAME = f"{__name__}\nBomb\n".encode()
NEW = b"c" + NAME + b")\x81"
ATTACKS = {
    "reduce": b"c" + NAME + b")R",
    "newobj": NEW,
    "newobj_ex": b"c" + NAME + b")}\x92",
    "inst": b"(i" + NAME,
    "obj": b"(c" + NAME + b"o",
    "stack_global": ops(__name__) + ops("Bomb") + b"\x93)R",
    "build": NEW + b"}b",
    "call": NEW + b")R",
    "append": NEW + b"Na",
    "appends": NEW + b"(Ne",
    "setitem": NEW + b"NNs",
    "setitems": NEW + b"(NNu",
    "additems": NEW + b"(N\x90",
    "extension": b"\x82\xf0)R",
}


@pytest.fixture
def extension():
    """An extension code that the interpreter resolves and remembers."""
    copyreg.add_extension(__name__, "Bomb", 0xF0)
    yield
    copyreg.remove_extension(__name__, "Bomb", 0xF0)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_nothing_in_a_pickle_runs(attack, extension, tmp_path):
    """Wherever it sits: as root, as tensor, beside the weights, in any part of an old file."""
    RAN.clear()
    pickle.loads(b"\x80\x04" + attack + b".")
    assert RAN, "the attack does not work, so the test proves nothing"
    RAN.clear()
    beside = dictionary(meta=b"(" + attack + b"t", state_dict=dictionary(w=tensor()))
    paths = [
        write_zip(tmp_path / f"{i}.pth", root)
        for i, root in enumerate([attack, dictionary(w=attack), beside])
    ]
    paths += [
        write_legacy(tmp_path / f"old{i}.pth", attack, *[ops(None)] * (i - 1)) for i in range(1, 6)
    ]
    for path in [*paths, write_legacy(tmp_path / "beside.pth", beside, ops(["0"]))]:
        try:
            read_checkpoint(path)
        except ValueError as error:
            assert path.name in str(error)
    assert not RAN


@pytest.mark.parametrize(
    "call", [b"cos\nsystem\n(", b"c__builtin__\neval\n(", b"cbuiltins\nexec\n("]
)
def test_no_command_runs(call, tmp_path):
    """Nor in a pickled NumPy array of an `.npz`."""
    victim = tmp_path / "ran"
    code = f"touch {victim}" if b"system" in call else f"open({str(victim)!r}, 'w').close()"
    attack = call + ops(code) + b"tR"
    pickle.loads(b"\x80\x02" + attack + b".")
    victim.unlink()
    write_zip(tmp_path / "zip", dictionary(w=attack))
    write_legacy(tmp_path / "legacy", attack)
    array = io.BytesIO()
    np.save(array, np.array([None]), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "npz", "w") as archive:
        head = array.getvalue()[:128]
        archive.writestr("w.npy", head + b"\x80\x02" + attack + b".")
    for name in ("zip", "legacy", "npz"):
        with pytest.raises(ValueError, match=f"`path` must be.*{name}"):
            read_checkpoint(tmp_path / name)
    assert not victim.exists()


# --- Loading ---------------------------------------------------------------------------------


def pose(keypoints=5):
    """Every kind of layer of the family, under original names: trunk, then head."""
    image = keras.Input((8, 8, 3))
    x = layers.ZeroPadding2D(1, name="conv1.pad")(image)
    x = layers.Conv2D(4, 3, 2, use_bias=False, name="conv1")(x)
    x = layers.BatchNormalization(epsilon=1e-5, name="bn1")(x)
    x = layers.Activation("relu", name="bn1.relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="stage2.0.0")(x)
    x = layers.BatchNormalization(epsilon=1e-5, name="stage2.0.1")(x)
    x = layers.Conv2DTranspose(3, 4, 2, "same", use_bias=False, name="deconv_layers.0")(x)
    x = layers.Conv2D(keypoints, 1, name="final_layer")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(2, name="classifier")(x))


def torch_weights(keypoints=5, seed=0):
    shapes = {
        "conv1.weight": (4, 3, 3, 3),
        "stage2.0.0.weight": (4, 1, 3, 3),
        "deconv_layers.0.weight": (4, 3, 4, 4),
        "final_layer.weight": (keypoints, 3, 1, 1),
        "final_layer.bias": (keypoints,),
        "classifier.weight": (2, keypoints),
        "classifier.bias": (2,),
    }
    for bn in ("bn1", "stage2.0.1"):
        shapes |= {f"{bn}.{leaf}": (4,) for leaf in ("weight", "bias", "running_mean")}
    rng = np.random.default_rng(seed)
    arrays = {name: rng.standard_normal(shape, "float32") for name, shape in shapes.items()}
    for bn in ("bn1", "stage2.0.1"):
        arrays[f"{bn}.running_var"] = rng.uniform(0.5, 2, 4).astype("float32")
        arrays[f"{bn}.num_batches_tracked"] = np.array(7)
    return arrays


def torch_forward(x, w):
    """What PyTorch computes for `pose`, (B, C, H, W), straight from the definitions."""

    def convolve(x, kernel, stride=1, pad=0):
        x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], (2, 3))
        return windows[:, :, ::stride, ::stride]

    def norm(x, name):
        gamma, beta, mean, var = (
            w[f"{name}.{leaf}"][:, None, None]
            for leaf in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(var + 1e-5) * gamma + beta

    k = w["conv1.weight"]
    x = np.einsum("bihwyx,oiyx->bohw", convolve(x, k, 2, 1), k)
    x = np.maximum(norm(x, "bn1"), 0)
    k = w["stage2.0.0.weight"]
    x = norm(np.einsum("bchwyx,cyx->bchw", convolve(x, k, 1, 1), k[:, 0]), "stage2.0.1")
    k = w["deconv_layers.0.weight"]  # kernel 4, stride 2, padding 1: every pixel paints a patch
    y = np.zeros((len(x), 3, 2 * x.shape[2] + 2, 2 * x.shape[3] + 2), "float32")
    for i, j in np.ndindex(x.shape[2:]):
        y[:, :, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += np.einsum("bi,ioyx->boyx", x[..., i, j], k)
    x = y[:, :, 1:-1, 1:-1]
    x = np.einsum("bihw,oi->bohw", x, w["final_layer.weight"][..., 0, 0])
    x = (x + w["final_layer.bias"][:, None, None]).mean((2, 3))
    return x @ w["classifier.weight"].T + w["classifier.bias"]


@pytest.fixture
def weights():
    return torch_weights()


def test_loaded_network_computes_what_pytorch_computes(weights):
    """The layout of each kind of kernel, and BatchNorm's four vectors."""
    model = pose()
    report = load_checkpoint(model, weights)
    x = np.random.default_rng(1).standard_normal((2, 8, 8, 3), "float32")
    wanted = torch_forward(x.transpose(0, 3, 1, 2), weights)
    np.testing.assert_allclose(model(x), wanted, rtol=1e-4, atol=1e-5)
    assert {*report.loaded, *report.ignored} == weights.keys()
    assert report.ignored == ("bn1.num_batches_tracked", "stage2.0.1.num_batches_tracked")


@by_file
def test_every_wrapping_of_a_file_loads(path):
    """Prefixes and nesting of the original tools; the small network of the reference files."""
    if "layouts" in path.name:
        pytest.skip("not a network")
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, use_bias=False, name="conv1")(image)
    x = layers.Conv2D(6, 1, name="layer.0")(layers.BatchNormalization(name="bn1")(x))
    x = layers.BatchNormalization(name="layer.1")(x)
    outputs = [
        layers.Dense(5, name="fc")(x),
        layers.Conv2DTranspose(3, 4, use_bias=False, name="up")(x),
    ]
    model, wanted = keras.Model(image, outputs), expected()
    report = load_checkpoint(model, path)
    assert {*report.loaded, *report.ignored} - {"loss.criterion.weight"} == wanted.keys()
    kernel = model.get_layer("up").kernel
    np.testing.assert_array_equal(kernel, wanted["up.weight"].transpose(2, 3, 1, 0))


def test_prefixes_may_be_nested(weights):
    wrapped = {f"module.backbone.body.{name}": array for name, array in weights.items()}
    wrapped["module.backbone.body.bn1.eps"] = np.array(1e-5)
    wrapped["module.loss.criterion.weight"] = np.ones(19)
    report = load_checkpoint(pose(), wrapped)
    assert report.dropped == {"module.backbone.body.": len(weights) + 1, "module.": 1}
    assert set(report.ignored) >= {"bn1.eps", "loss.criterion.weight"}


@pytest.mark.parametrize("head", ["head", "keypoint_head"])
def test_openmmlab_names_load(weights, head):
    """1.x and 0.x call the pose head differently."""
    for leaf in ("weight", "bias"):
        weights[f"{head}.final_layer.{leaf}"] = weights.pop(f"final_layer.{leaf}")
    assert "final_layer.weight" in load_checkpoint(pose(), weights).loaded


def test_half_precision_and_saved_models_load(weights, tmp_path):
    """float16 files become float32 exactly; a model from a `.keras` file serves as well."""
    pose().save(tmp_path / "m.keras")
    model = keras.models.load_model(tmp_path / "m.keras")
    half = {k: v.astype("float16") if v.dtype == "float32" else v for k, v in weights.items()}
    load_checkpoint(model, half)
    kernel = half["conv1.weight"].astype("float32").transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(model.get_layer("conv1").kernel, kernel)


def test_part_of_a_model_loads_its_part(weights):
    model = pose()
    part = keras.Model(model.input, model.get_layer("stage2.0.1").output)
    report = load_checkpoint(part, weights, allow_head_mismatch=True)
    assert report.unused[0].startswith("deconv_layers") and not report.reinitialized
    kernel = model.get_layer("conv1").kernel
    np.testing.assert_array_equal(kernel, weights["conv1.weight"].transpose(2, 3, 1, 0))


def spoil(weights, **changes):
    spoiled = weights | changes
    return {name: array for name, array in spoiled.items() if array is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conv1.weight": None}, r"1 missing \(conv1\.weight\)\. Build the arch"),
        ({"classifier.bias": None}, r"1 missing \(classifier\.bias\)\. Pass `allow_head_mismatch"),
        ({"layer9.weight": np.ones(1)}, r"1 unused \(layer9\.weight\)\. Pass `allow_head"),
        ({"stage3.0.w": np.ones(1)}, r"1 unused \(stage3\.0\.w\)\. Build the arch"),
        ({f"stage3.{i}": np.ones(1) for i in range(8)}, r"8 unused \(.*stage3\.4 and 3 more\)"),
        (
            {"conv1.weight": np.ones((6, 3, 3, 3), "f")},
            r"1 mismatched \(conv1\.weight: float32 \(6, 3, 3, 3\) for \(4, 3, 3, 3\)\)",
        ),
        ({"bn1.bias": np.ones(4, "int8")}, r"bn1\.bias: int8 \(4,\) for \(4,\)"),
        ({"module.bn1.bias": np.ones(4)}, "'bn1.bias' also as 'module.bn1.bias'"),
        ({"bn1.running_mean": np.full(4, np.nan)}, "NaN or infinity in tensor 'bn1.running_mean'"),
        ({"bn1.bias": np.full(4, 1e300)}, "NaN or infinity in tensor 'bn1.bias'"),
    ],
)
def test_a_failed_load_says_why_and_leaves_the_model(weights, changes, message):
    model = pose()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        load_checkpoint(model, spoil(weights, **changes))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_layers_without_an_original_are_refused(weights):
    wrapped = keras.Sequential([keras.Input((8, 8, 3)), pose()])
    with pytest.raises(ValueError, match=r"type Functional.*before it was wrapped"):
        load_checkpoint(wrapped, weights)


def test_other_keypoints_keep_the_trunk_and_renew_the_head(weights):
    """`final_layer` and what follows it do not fit; the transposed convolution does."""
    model = pose(keypoints=9)
    start = np.array(model.get_layer("final_layer").kernel)
    load_checkpoint(model, torch_weights(keypoints=9, seed=3))
    with pytest.raises(ValueError, match=r"3 mismatched.*allow_head_mismatch=True"):
        load_checkpoint(model, weights)
    report = load_checkpoint(model, weights, allow_head_mismatch=True)
    assert set(report.mismatched) == {"final_layer.weight", "final_layer.bias", "classifier.weight"}
    assert report.reinitialized == ("final_layer", "classifier")
    assert report.unused == ("classifier.bias",)
    assert {"conv1.weight", "deconv_layers.0.weight"} <= {*report.loaded}
    head = model.get_layer("final_layer")
    assert np.std(head.kernel) > 0.1 * start.std() and not np.any(head.bias)
    assert head.kernel.shape == start.shape and np.abs(head.kernel).max() < 1
    assert "3 mismatched: final_layer.weight" in report.summary()


def test_head_mismatch_does_not_excuse_the_trunk(weights):
    for changes in ({"bn1.bias": None}, {"bn1.bias": np.ones(5)}, {"stage9.w": np.ones(1)}):
        with pytest.raises(ValueError, match="Build the architecture"):
            load_checkpoint(pose(), spoil(weights, **changes), allow_head_mismatch=True)


def fixture_arrays(name):
    keys = json.loads((FIXTURES / name / "keys.json").read_text())
    return {key: np.zeros(shape, dtype) for key, shape, dtype in keys}


def test_imagenet_classifier_starts_a_pose_network():
    """As the original does: lower exchange rows and the classifier's head stay unused."""
    model = hrnet_tf.pose("w18_small_v2", input_shape=(64, 64, 3))
    source = fixture_arrays("cls_hrnet_w18_small_v2")
    report = load_checkpoint(model, source, allow_head_mismatch=True)
    rows = [name for name in report.unused if name.startswith("stage4.1.fuse_layers.")]
    heads = {name.split(".")[0] for name in report.unused if name not in rows}
    assert len(rows) == 78 and len(report.unused) == 78 + 126
    assert heads == {"incre_modules", "downsamp_modules", "final_layer", "classifier"}
    assert report.missing == ("final_layer.weight", "final_layer.bias")
    assert report.reinitialized == ("final_layer",)
    assert len(report.loaded) + len(report.ignored) + len(report.unused) == len(source)


def test_a_longer_network_does_not_fit_a_shorter_one():
    """Lite-HRNet-30 has all tensors of Lite-HRNet-18: the rest must not be dropped in silence."""
    source = fixture_arrays("mmpose_litehrnet18_256x192")
    model = hrnet_tf.pose("lite18", input_shape=(64, 64, 3))
    assert len(load_checkpoint(model, source).loaded) == 1214
    source["backbone.stage0.2.layers.0.depthwise_convs.0.conv.weight"] = np.zeros((20, 1, 3, 3))
    with pytest.raises(ValueError, match=r"1 unused \(stage0\.2"):
        load_checkpoint(model, source, allow_head_mismatch=True)


# --- Folded lists ----------------------------------------------------------------------------


def streams():
    """Two streams of unequal depth, a head with a bias; built in an order that misleads."""
    image = keras.Input((8, 8, 3))

    def step(x, name, filters=4):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}.0")(x)
        return layers.BatchNormalization(epsilon=1e-5, name=f"{name}.1")(x)

    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="stem.zebra")(image)
    x = step(layers.BatchNormalization(epsilon=1e-3, name="stem.bn")(x), "stem.apple")
    y = step(step(x, "stage2.0.branches.1.0"), "stage2.0.branches.1.1")
    y2 = step(y, "transition2.2")
    x2 = step(x, "stage2.0.branches.0.0")
    fused = layers.Add(name="stage2.0.fuse_layers.0.add1")(
        [x2, step(y, "stage2.0.fuse_layers.0.1")]
    )
    x3 = step(fused, "stage3.10")
    x3 = step(layers.Add(name="stage3.2.add1")([x3, y2]), "stage3.2")
    return keras.Model(image, layers.Conv2D(2, 1, name="final_layer")(x3))


def test_forward_order_follows_the_data_then_numbers_and_names():
    """Not the depth in the graph: `stage3` can start at less depth than `transition2`."""
    names = [layer.name for layer in forward_order(streams())]
    assert names == [
        "stem.zebra",
        "stem.apple.0",
        "stage2.0.branches.0.0.0",
        "stage2.0.branches.1.0.0",
        "stage2.0.branches.1.1.0",
        "stage2.0.fuse_layers.0.1.0",
        "transition2.2.0",
        "stage3.10.0",
        "stage3.2.0",
        "final_layer",
    ]
    assert [layer.name for layer in forward_order(hrnet_tf.pose("w18_small_v2"))][:6] == [
        "conv1",
        "conv2",
        "layer1.0.conv1",
        "layer1.0.conv2",
        "layer1.0.conv3",
        "layer1.0.downsample.0",
    ]


def folded_list(model):
    rng, arrays = np.random.default_rng(0), {"input": np.ones(3), "heatmaps": np.ones(3)}
    for k, layer in enumerate(forward_order(model)):
        h, w, i, o = layer.kernel.shape
        shape = (i, 1, h, w) if "zebra" in layer.name else (o, i, h, w)
        arrays[f"Conv_{k}/weight"] = rng.standard_normal(shape).astype("float16")
        arrays[f"Conv_{k}/bias"] = rng.standard_normal(shape[0], "float32")
    return arrays


def test_folded_lists_load_exactly():
    """BatchNorm becomes the addition of the bias: equal to the network without it, to the bit."""
    model = streams()
    arrays = folded_list(model)
    report = load_checkpoint(model, arrays)
    assert report.ignored == ("input", "heatmaps")
    assert len(report.loaded) == 10 + 9 * 4 + 1
    first, norm = model.get_layer("stem.zebra"), model.get_layer("stem.bn")
    x = np.random.default_rng(1).standard_normal((1, 8, 8, 3), "float32")
    wanted = np.asarray(first(x)) + arrays["Conv_0/bias"]
    np.testing.assert_array_equal(norm(first(x)), wanted)
    kernel = arrays["Conv_0/weight"].astype("float32").transpose(2, 3, 0, 1)
    np.testing.assert_array_equal(first.kernel, kernel)
    np.testing.assert_array_equal(model.get_layer("final_layer").bias, arrays["Conv_9/bias"])


def test_folded_lists_of_other_networks_are_refused():
    model = streams()
    arrays = folded_list(model)
    for changes, message in [
        ({"Conv_3/bias": None}, "10 weights, without Conv_3/bias. Build"),
        ({"Conv_10/weight": np.ones(1)}, "k = 0 to 9. Received: 11 weights. Build"),
        (
            {"Conv_2/weight": np.ones((4, 4, 1, 1))},
            r"stage2\.0\.branches\.0\.0\.0\.weight: float64",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            load_checkpoint(model, spoil(arrays, **changes))


def ncnn_file(arrays):
    """The content of a `.bin` file: a mark, the kernel in whole blocks of four bytes, the bias."""
    content = b""
    for k in range(sum("weight" in name for name in arrays)):
        kernel = arrays[f"Conv_{k}/weight"].astype("<f2").tobytes()
        kernel += bytes(-len(kernel) % 4)
        content += b"\x47\x6b\x30\x01" + kernel + arrays[f"Conv_{k}/bias"].astype("<f4").tobytes()
    return content


def test_files_of_ncnn_load_as_folded_lists(tmp_path):
    first, second = streams(), streams()
    arrays = folded_list(first)
    path = tmp_path / "streams.bin"
    path.write_bytes(ncnn_file(arrays))
    load_checkpoint(first, arrays)
    load_checkpoint(second, path)
    for ours, wanted in zip(second.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, wanted)


def test_files_of_ncnn_that_do_not_fit_are_refused(tmp_path):
    model, path = streams(), tmp_path / "streams.bin"
    content = ncnn_file(folded_list(model))
    before = model.get_weights()
    for wrong, message in [
        (content[:-4], f"final_layer needs the bytes .* the file has {len(content) - 4}"),
        (content + bytes(8), f"its convolutions end at byte {len(content)} of"),
        (content[:1000] + bytes(8) + content[1000:], "does not begin at byte"),
    ]:
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=rf"streams\.bin.*{message}"):
            load_checkpoint(model, path)
    with pytest.raises(ValueError, match=r"ncnn file, which holds no names: .*load_checkpoint"):
        read_checkpoint(path)
    for ours, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, wanted)


@pytest.mark.data
@pytest.mark.parametrize("size", [(256, 192), (128, 96)], ids="{0[0]}x{0[1]}".format)
def test_trained_tinypose_reproduces_its_heatmaps(data_dir, size):
    """A published network with folded BatchNorm, through the order of its convolutions."""
    path = data_dir / "tinypose" / f"derived_tinypose_{size[0]}x{size[1]}.npz"
    model = hrnet_tf.pose("wider_naive_lite18", input_shape=(*size, 3))
    report = load_checkpoint(model, path)
    assert report.ignored == ("input", "heatmaps") and not report.unused
    data = read_checkpoint(path)
    found = np.asarray(model(data["input"].transpose(0, 2, 3, 1)))[0].transpose(2, 0, 1)
    assert np.abs(found - data["heatmaps"]).max() < 1e-4 * data["heatmaps"].std()
