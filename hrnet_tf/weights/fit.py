"""Compares a checkpoint with a model, and reports how each tensor is used."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

TRUNK = re.compile(r"(conv1|bn1|conv2|bn2|layer1|transition\d|stage\d|stem|head_layer)\.")
STAGE4 = re.compile(r"stage4\.(\d+)\.")
# In the last module of stage 4, only HRNetV2 has these rows of the exchange unit.
LOWER_ROW = re.compile(r"(stage4\.\d+\.fuse_layers\.[1-3])\.")
# Lite-HRNet's last projection makes the finest map, which detectors from stride 8 on do not have.
FINEST = re.compile(r"head_layer\.projects\.3\.")
# Parts of feature extractors, which end before the heads of the networks they come from.
FEATURES = re.compile(r"(incre_modules|reduction_conv|fpn_conv)\.")

# Heads of detectors. Each of their layers is loaded or starts anew by itself.
DETECTOR = re.compile(r"(rpn_head|roi_head|bbox_head)\.")


@dataclass(frozen=True)
class CheckpointReport:
    """How a load used every tensor of a checkpoint, under the names of the model's layers.

    Attributes:
        loaded: tensors now in the model.
        ignored: tensors that are not weights: counters, class weights of a loss, examples.
        unused: tensors for which the model has no place.
        missing: parameters of the model that the checkpoint lacks.
        mismatched: name -> what is there and the shape that is needed, in PyTorch's layout.
        zeroed: biases in front of a normalization, which the checkpoint's convolutions do not have.
        reinitialized: layers that have new random weights.
        dropped: prefix in the file -> number of names from which it was removed.
    """

    loaded: tuple[str, ...]
    ignored: tuple[str, ...]
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    mismatched: Mapping[str, str]
    zeroed: tuple[str, ...]
    reinitialized: tuple[str, ...]
    dropped: Mapping[str, int]

    def summary(self) -> str:
        """The report as a few lines of text."""
        lines = [f"{len(self.loaded)} tensors loaded"]
        lines += [f"`{prefix}` dropped from {n} names" for prefix, n in self.dropped.items()]
        for kind in ("ignored", "unused", "missing", "mismatched", "zeroed", "reinitialized"):
            if names := getattr(self, kind):
                lines.append(f"{len(names)} {kind}: {_first(names)}")
        return "\n".join(lines)


def compare(places, tensors, known, renew_head):
    """The report of a load, before anything is loaded.

    Args:
        places: original name of each parameter -> a layer, a variable and the axes' order.
        tensors: the checkpoint under original names.
        known: fields of the report that the caller has: ignored, dropped, candidates for zeroed.
        renew_head: whether parts of the head that do not fit may be reinitialized.
    """
    missing = [name for name in places if name not in tensors and name not in known["zeroed"]]
    mismatched = {}
    for name in (name for name in places if name in tensors):
        variable, axes = places[name].variable, places[name].axes
        shape = tuple(variable.shape[axes.index(i)] for i in range(len(axes)))
        if tensors[name].shape != shape or tensors[name].dtype.kind != "f":
            mismatched[name] = f"{tensors[name].dtype} {tensors[name].shape} for {shape}"
    is_trunk = _trunk_of(places)
    unfit = {*missing, *mismatched}
    anew = {_part(name) for name in unfit if renew_head and not is_trunk(name)}
    loaded = [name for name in places if name in tensors and name not in unfit]
    loaded = [name for name in loaded if _part(name) not in anew]
    known["zeroed"] = tuple(name for name in known["zeroed"] if _part(name) not in anew)
    has_place = {*loaded, *mismatched, *known["ignored"]}
    return CheckpointReport(
        **known,
        loaded=tuple(loaded),
        unused=tuple(name for name in tensors if name not in has_place),
        missing=tuple(missing),
        mismatched=mismatched,
        reinitialized=tuple(
            dict.fromkeys(places[name].layer.name for name in places if _part(name) in anew)
        ),
    )


def _trunk_of(places):
    """A function: does a name belong to the trunk that V1 and V2 networks of this size share?"""
    modules = [int(found[1]) for found in map(STAGE4.match, places) if found]
    rows = re.compile(rf"stage4\.{max(modules, default=0)}\.fuse_layers\.[1-3]\.")
    return lambda name: bool(TRUNK.match(name)) and not rows.match(name)


def check_fit(report, places, source, allow_head_mismatch):
    """Raise a ValueError unless everything fits, or at least the trunk if that is allowed."""
    everything = {kind: getattr(report, kind) for kind in ("mismatched", "missing", "unused")}
    is_trunk = _trunk_of(places)
    trunk = {kind: list(filter(is_trunk, names)) for kind, names in everything.items()}
    trunk["unused"] = [name for name in trunk["unused"] if not FINEST.match(name)]
    if all(TRUNK.match(name) or FEATURES.match(name) for name in places):
        everything["unused"] = list(filter(TRUNK.match, report.unused))
    problems = trunk if allow_head_mismatch else everything
    if not any(problems.values()):
        return
    found = []
    for kind, names in problems.items():
        if kind == "mismatched":
            names = [f"{name}: {report.mismatched[name]}" for name in names]
        if names:
            found.append(f"{len(names)} {kind} ({_first(names)})")
    given = f"{len(source)} arrays" if isinstance(source, Mapping) else repr(os.fspath(source))
    way_out = (
        "Build the architecture that was trained."
        if any(trunk.values())
        else f"{_other_head(report)}Pass `allow_head_mismatch=True` to load the trunk and "
        "start the head anew."
    )
    raise ValueError(
        f"`source` must fit `model` tensor by tensor. Received: source={given} with "
        f"{', '.join(found)}. {way_out}"
    )


def _other_head(report):
    """A sentence for files of another task, such as a detector's for a pose network."""
    theirs, ours = (
        dict.fromkeys(name.partition(".")[0] for name in names if not TRUNK.match(name))
        for names in (report.unused, (*report.missing, *report.mismatched))
    )
    if not theirs or not ours:
        return ""
    return f"The file has {', '.join(theirs)} where the model has {', '.join(ours)}. "


def _part(name):
    """The part that is loaded whole or not at all: of the head, or a row of an exchange unit."""
    if DETECTOR.match(name):
        return name.rpartition(".")[0]
    row = LOWER_ROW.match(name)
    return row[1] if row else name.partition(".")[0]


def _first(names):
    names = list(names)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
