"""Channel shuffles folded into weights: a permutation needs no operation of its own.

Slices, concatenations and shuffles only move channels. `fold_shuffles` notes where each channel
comes from and lets convolutions read their channels from there: each has a row of the kernel, other
channels rows of zeros. Channels are copied only where tensors are added or multiplied. A
convolution may write its channels in any order; the order is chosen so that channels that are
copied together lie side by side.
"""

from __future__ import annotations

import dataclasses
from itertools import chain, pairwise, permutations, product, takewhile

import numpy as np

from hrnet_tf.convert.graph.nodes import Graph, Node

# A channel is (the node that computes it, its number in the original order there).
Channel = tuple[Node, int]
CHANNEL_BY_CHANNEL = ("nearest", "resize", "corners", "average_pool", "max_pool", "pad", "mean")
# In XNNPACK, one step of copying a pixel's channels takes as long as this many multiply-adds of
# floats or of integers. Measured with AVX-512: with 60 and 300 for floats, wider_naive_lite18 takes
# 1 % and 3 % longer; with 130 for integers, 5 % longer.
STEP, INTEGER_STEP = 130, 700
MOST_PIECES = 5  # tensors that one CONCATENATION of XNNPACK takes


def fold_shuffles(graph: Graph, integers: bool = False) -> Graph:
    """Removes shuffles, and slices and concatenations around them; returns the same graph.

    The result is exact and channels of the outputs keep their order. A graph without shuffles is
    not changed.

    Args:
        graph: is changed.
        integers: it will be computed in integers, whose products take less time than copies.
    """
    if any(_shuffled(node) for node in graph.nodes):
        _Folding(graph, INTEGER_STEP if integers else STEP).rewrite()
    return graph


def _shuffled(node: Node) -> Node | None:
    """The input of a shuffle that ends here: reshape, transposition of the groups, reshape."""
    if node.kind != "reshape" or node.inputs[0].kind != "permute":
        return None
    groups = node.inputs[0].inputs[0]
    shuffle = node.inputs[0].settings["axes"] == (1, 2, 4, 3) and groups.kind == "reshape"
    return groups.inputs[0] if shuffle and groups.inputs[0].shape == node.shape else None


def _absorbs(node: Node) -> bool:
    """Whether a kernel can read its input channels in any order."""
    return node.kind in ("conv", "dense") and node.settings.get("groups", 1) == 1


def _keeps_channels(node: Node) -> bool:
    """Whether channel c of the result depends on channel c of each input alone, for every c."""
    if node.kind == "activation":
        return node.settings["function"] != "softmax"
    if node.kind in ("add", "subtract", "multiply"):
        constant = np.asarray(node.settings.get("constant", 0))
        by_channel = constant.ndim and constant.shape[-1] > 1
        return not by_channel and len({source.shape[-1] for source in node.inputs}) == 1
    if node.kind == "depthwise":
        return node.weights["kernel"].shape[3] == 1
    return node.kind in CHANNEL_BY_CHANNEL


@dataclasses.dataclass(eq=False)
class _Group:
    """Tensors whose channels must lie in one order: they are computed channel by channel.

    Attributes:
        size: number of channels.
        joins: views of tensors of other groups that must be put together as its inputs.
        fixed: the channels must keep their original order.
        order: the number of the original channel at each place.
        claims: channels that other groups want side by side, in a group of convolutions alone.
    """

    size: int
    joins: list[list[Channel]] = dataclasses.field(default_factory=list)
    fixed: bool = False
    order: list[int] | None = None
    claims: list[int] = dataclasses.field(default_factory=list)

    @property
    def free(self) -> bool:
        return not self.joins and not self.fixed and self.order is None


class _Folding:
    """The state of one `fold_shuffles`.

    Attributes:
        step: multiply-adds that take as long as one step of copying.
        views: the channels that each original node consists of.
        nodes: the nodes that compute something, in order.
        groups: the group of each of these nodes.
        takers: for each channel of a group the join that takes it: its group and the number there.
    """

    def __init__(self, graph: Graph, step: int):
        self.graph, self.step = graph, step
        self.views: dict[Node, list[Channel]] = {}
        for node in graph.nodes:
            self.views[node] = self._view(node)
        needed = {node for result in graph.results for node, _ in self.views[result]}
        for node in reversed(graph.nodes):
            if node in needed:
                needed |= {t for source in node.inputs for t, _ in self.views[source]}
        self.nodes = [node for node in graph.nodes if node in needed]
        self.groups: dict[Node, _Group] = {}
        self.takers: dict[tuple[_Group, int], tuple[_Group, int]] = {}
        self.joined: dict[tuple[Channel, ...], _Group] = {}
        self.made: dict[tuple, Node] = {}

    def _view(self, node) -> list[Channel]:
        """The channels of a node: those of other nodes if it only moves them, else its own."""
        last, source = len(node.shape), _shuffled(node)
        if source is not None:
            groups = node.inputs[0].inputs[0].shape[-2]
            order = np.arange(node.shape[-1]).reshape(groups, -1).T.ravel()
            return [self.views[source][c] for c in order]
        if node.kind == "slice" and node.settings["axis"] == last:
            start = node.settings["start"]
            return self.views[node.inputs[0]][start : start + node.shape[-1]]
        if node.kind == "concat" and node.settings["axis"] in (-1, last):
            return [channel for source in node.inputs for channel in self.views[source]]
        return [(node, c) for c in range(node.channels)]

    def rewrite(self) -> None:
        self._find_groups()
        for group in dict.fromkeys(self.groups.values()):
            for join in group.joins:
                for number, (node, c) in enumerate(join):
                    self.takers.setdefault((self.groups[node], c), (group, number))
        self.ranks = {group: i for i, group in enumerate(dict.fromkeys(self.groups.values()))}
        for group in self.ranks:
            if not group.free:
                self._order(group)
        for node in self.nodes:
            self._rewire(node)
        for result in self.graph.results:
            views = self.views[result]
            joined = self._join(views, range(len(views)), result.name)
            if joined is not result:
                self.graph.replace(result, joined)
        self.graph.prune()

    def _find_groups(self):
        for node in self.nodes:
            group = self.groups[node] = _Group(node.channels)
            if not _keeps_channels(node):
                group.fixed = not _absorbs(node)
                continue
            for source in node.inputs:
                view = self.views[source]
                if view == self._own(view[0][0]):
                    self._merge(self.groups[view[0][0]], self.groups[node])
                elif tuple(view) in self.joined:
                    self._merge(self.joined[tuple(view)], self.groups[node])
                else:
                    self.groups[node].joins.append(view)
                    self.joined[tuple(view)] = self.groups[node]
        for result in self.graph.results:
            view = self.views[result]
            if view == self._own(view[0][0]):
                self.groups[view[0][0]].fixed = True

    def _own(self, node):
        return [(node, c) for c in range(node.channels)]

    def _merge(self, group, other):
        if group is other:
            return
        group.joins += other.joins
        group.fixed |= other.fixed
        for node, each in self.groups.items():
            if each is other:
                self.groups[node] = group
        for view, each in self.joined.items():
            if each is other:
                self.joined[view] = group

    def _order(self, group) -> list[int]:
        """The order of a group, computed at the first call."""
        if group.order is None:
            arranged = bool(group.joins) and not group.fixed
            rest = [c for c in range(group.size) if c not in set(group.claims)]
            group.order = rest + group.claims
            if arranged:
                self._arrange(group)
            self._claim(group)
        return group.order

    def _arrange(self, group):
        """Chooses an order so that this group and later ones are put together of few pieces.

        Channels that later joins take together should lie side by side. So runs of channels are
        reversed and permuted until few neighbours differ in their fate (see `_fate`).
        """
        join = min(group.joins, key=lambda join: all(self.groups[t].free for t, _ in join))
        fates = [self._fate(group, number) for number in range(group.size)]
        loose, kept = {}, []
        for number, (node, c) in enumerate(join):
            source = self.groups[node]
            if source.free and c not in source.claims:
                loose.setdefault(node, []).append(number)
            else:
                kept.append(((node, self._order(source).index(c)), number))
        kept.sort(key=lambda each: (self.nodes.index(each[0][0]), each[0][1]))
        order = iter(number for _, number in kept)
        runs = [[[next(order) for _ in range(size)]] for *_, size in _pieces(at for at, _ in kept)]
        for numbers in loose.values():
            numbers.sort(key=fates.__getitem__)
            runs.append([numbers, numbers[::-1]])
        if 3 * len(runs) > self._most_steps(join):
            group.order = sorted(range(group.size), key=fates.__getitem__)
        else:
            group.order = _best_order(runs, fates)

    def _claim(self, group):
        """Lets free sources of a group write in its order."""
        for join in group.joins:
            for number in group.order:
                node, c = join[number]
                source = self.groups[node]
                if source.free and c not in source.claims:
                    source.claims.append(c)

    def _fate(self, group, channel, depth=9) -> tuple[int, ...]:
        """The joins that take a channel one after the other; empty if kernels alone read it."""
        if depth == 0 or (group, channel) not in self.takers:
            return ()
        taker, number = self.takers[group, channel]
        return (self.ranks[taker], *self._fate(taker, number, depth - 1))

    def _place(self, channel: Channel) -> tuple[Node, int]:
        """Where a channel lies."""
        node, c = channel
        return node, self._order(self.groups[node]).index(c)

    def _rewire(self, node):
        order = self._order(self.groups[node])
        weights = node.weights
        if _absorbs(node):
            (source,) = node.inputs
            x, rows = self._gather(
                self.views[source], weights["kernel"].size // len(self.views[source]), node.name
            )
            kernel = weights["kernel"]
            read = np.zeros((*kernel.shape[:-2], x.shape[-1], kernel.shape[-1]), np.float32)
            np.add.at(read, (..., rows, slice(None)), kernel)
            node.inputs, weights["kernel"] = [x], read[..., order]
        else:
            wanted = order if _keeps_channels(node) else None
            node.inputs = [
                self._join(self.views[s], wanted or range(s.channels), f"{node.name}.{i}")
                for i, s in enumerate(node.inputs)
            ]
            if node.kind == "depthwise" and wanted:
                weights["kernel"] = weights["kernel"][:, :, order]
        if "bias" in weights:
            weights["bias"] = weights["bias"][order]

    def _gather(self, view, filters, name) -> tuple[Node, list[int]]:
        """A tensor with all channels of a view, for a kernel to read, and their places in it."""
        if tuple(view) in self.joined:  # it is needed in that order anyway
            order = self.joined[tuple(view)].order
            return self._join(view, order, name), [order.index(c) for c in range(len(view))]
        return self._collect(view, filters, name)

    def _collect(self, view, filters, name):
        nodes = [*dict.fromkeys(node for node, _ in view)]
        places = [self._place(channel) for channel in view]
        exact = sorted(set(places), key=lambda place: (nodes.index(place[0]), place[1]))
        whole = [(node, c) for node in nodes for c in range(node.channels)]
        best = min(
            exact, whole, key=lambda each: _steps(_pieces(each)) * self.step + len(each) * filters
        )
        where = {place: i for i, place in enumerate(best)}
        return self._put_together(_pieces(best), name), [where[place] for place in places]

    def _join(self, view, order, name) -> Node:
        """The channels of a view in an order."""
        pieces = _pieces([self._place(view[number]) for number in order])
        if _steps(pieces) <= self._most_steps(view):
            return self._put_together(pieces, name)
        key = (*view, *order)
        if key not in self.made:
            self.made[key] = self._permute(view, order, f"{name}.order")
        return self.made[key]

    def _most_steps(self, view) -> float:
        """Steps that take as long as ordering the channels by a convolution with ones and zeros."""
        nodes = {node for node, _ in view}
        return 2 * len(nodes) + sum(node.channels for node in nodes) * len(view) / self.step

    def _permute(self, view, order, name):
        """A convolution with ones and zeros."""
        x, rows = self._collect(view, len(view), name)
        kernel = np.zeros((x.shape[-1], len(view)), np.float32)
        kernel[[rows[number] for number in order], range(len(view))] = 1
        shape = (*x.shape[:-1], len(view))
        if len(shape) == 1:
            return Node("dense", name, [x], shape, {}, {"kernel": kernel})
        settings = {"strides": (1, 1), "padding": "valid", "dilation": (1, 1), "groups": 1}
        return Node("conv", name, [x], shape, settings, {"kernel": kernel[None, None]})

    def _put_together(self, pieces, name) -> Node:
        """Runs of channels as one tensor; equal runs share one."""
        parts = []
        for node, start, size in pieces:
            part = node
            if size < node.channels:
                settings = {"axis": len(node.shape), "start": start}
                shape = (*node.shape[:-1], size)
                part = Node("slice", f"{name}.slice{len(parts)}", [node], shape, settings)
                part = self.made.setdefault((node, start, size), part)
            parts.append(part)
        while len(parts) > 1:
            several = [parts[i : i + MOST_PIECES] for i in range(0, len(parts), MOST_PIECES)]
            parts = [self._beside(each, name) for each in several]
        return parts[0]

    def _beside(self, parts, name):
        if len(parts) == 1:
            return parts[0]
        if tuple(parts) not in self.made:
            shape = (*parts[0].shape[:-1], sum(part.shape[-1] for part in parts))
            name = f"{name}.concat{len(self.made)}"
            self.made[tuple(parts)] = Node("concat", name, parts, shape, {"axis": -1})
        return self.made[tuple(parts)]


def _pieces(places) -> list[tuple[Node, int, int]]:
    """Places as runs: node, first channel, number of channels."""
    runs = []
    for node, place in places:
        if runs and runs[-1][0] is node and sum(runs[-1][1:]) == place:
            runs[-1] = (*runs[-1][:2], runs[-1][2] + 1)
        else:
            runs.append((node, place, 1))
    return runs


def _steps(pieces) -> int:
    """Cost of putting pieces together: 1 step to cut a piece out, 2 to lay it beside others."""
    cut = sum(size < node.channels for node, _, size in pieces)
    laid = len(pieces) if len(pieces) > 1 else 0
    return cut + 2 * (laid + laid // MOST_PIECES)


def _best_order(runs, fates) -> list[int]:
    """The order of runs, each in one of its directions, with the fewest changes of fate."""
    runs = sorted(runs, key=lambda run: len(run[0]))
    while len(runs) > MOST_PIECES + 1:  # permutations of more take too long
        runs = [[runs[0][0] + runs[1][0]], *runs[2:]]

    tried = (each for turned in permutations(runs) for each in product(*turned))

    def changes(order):  # only where runs meet
        return sum(costs[a[-1], b[0]] for a, b in pairwise(order))

    ends = {number for directions in runs for run in directions for number in (run[0], run[-1])}
    costs = {(a, b): _change(fates[a], fates[b]) for a in ends for b in ends}
    return [*chain.from_iterable(min(tried, key=changes))]


def _change(fate, other) -> float:
    """Cost of neighbours with different fates: 1 in the next join, half as much in each later."""
    both = zip(fate, other, strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
    return 0 if fate == other else 0.5**same
