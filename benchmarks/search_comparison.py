"""Tables of what searches of pairs found: hypervolume on test images, of what validation chose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from outcomes import OutcomeStore, unpacked
from scipy.stats import wilcoxon

from netstitch.analysis import hypervolume
from netstitch.analysis.significance import holm

REFERENCES, UNION, ENUMERATION = "references", "union", "enumeration"
RESAMPLES, SEED = 1_000, 0
NEW, OLD = "surrogate, first networks", "ga"
FEW, MANY = 100, 400
"""Budgets at which the default is held against that of before; that at FEW is the only test."""

Row = Mapping[str, Any]
Front = tuple[int, ...]
"""Networks by number."""


@dataclass(frozen=True)
class Found:
    """The results of one pair's searches.

    Attributes:
        fronts: By way, budget and seed.
        accuracies: Of each network, on all test images and then on each resample of them.
        costs: Multiply-adds of each network.
        references: The basis networks and their ensemble.
    """

    fronts: Mapping[tuple[str, int], Mapping[int, Front]]
    accuracies: NDArray[np.float32]
    costs: NDArray[np.float64]
    references: Front
    floor: float
    _volumes: dict[Front, NDArray[np.float64]] = field(default_factory=dict, repr=False)

    def gains(self, front: Front) -> NDArray[np.float64]:
        """Hypervolume over that of the references, on the images and on each resample of them."""
        whole = tuple(sorted({*front, *self.references}))
        return self.volumes(whole) - self.volumes(self.references)

    def volumes(self, front: Front) -> NDArray[np.float64]:
        """Hypervolume on the images and on each resample of them."""
        if front not in self._volumes:
            costs, own = self.costs[list(front)], self.accuracies[list(front)]
            whole = max(self.costs[list(self.references)])
            self._volumes[front] = np.array(
                [
                    hypervolume(one, costs, ensemble=whole, accuracy_floor=self.floor)
                    for one in own.T
                ]
            )
        return self._volumes[front]

    def values(self, way: str, budget: int) -> dict[int, NDArray[np.float64]]:
        """Gains by seed, (1 + resamples,) each."""
        return {seed: self.gains(front) for seed, front in self.fronts[way, budget].items()}


def read_found(rows: Sequence[Row], store: OutcomeStore, floor: float) -> Found:
    """Return what rows of a pair tell; of two for the same search the later counts."""
    numbers: dict[bytes, int] = {}
    costs: list[float] = []
    fronts: dict[tuple[str, int], dict[int, Front]] = {}
    for row in rows:
        front = []
        for network, cost in row["front"]:
            number = numbers.setdefault(bytes.fromhex(network), len(numbers))
            if number == len(costs):
                costs.append(cost)
            front.append(number)
        fronts.setdefault((row["way"], row["budget"]), {})[row["seed"]] = tuple(front)
    right = [_bits(store, network, int(rows[0]["images"])) for network in numbers]
    references = fronts.pop((REFERENCES, 0))[0]
    return Found(fronts, resampled(np.array(right)), np.array(costs), references, floor)


def _bits(store: OutcomeStore, network: bytes, images: int) -> NDArray[np.bool_]:
    bits = store.get("test", network)
    assert bits is not None
    return unpacked(bits, images)


def resampled(right: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Accuracies of networks, (m, n) right or wrong, on all images and on resamples, (m, 1 + r)."""
    count = right.shape[1]
    random = np.random.default_rng(SEED)
    drawn = random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    weights = np.vstack([np.ones(count), drawn]).astype(np.float32)
    return right.astype(np.float32) @ weights.T / np.float32(count)


@dataclass(frozen=True)
class Difference:
    """The mean over seeds of one search's gain minus another's.

    Attributes:
        low: Lower end of the 95 % bootstrap interval over test images.
        high: Its upper end.
        p: One-sided, that the first gains no more, by Wilcoxon's signed ranks over the seeds.
    """

    mean: float
    low: float
    high: float
    p: float
    seeds: int

    def __str__(self) -> str:
        return f"{self.mean:+.4f} ({self.low:+.4f} to {self.high:+.4f})"


Values = Mapping[int, NDArray[np.float64]]


def difference(first: Values, second: Values) -> Difference | None:
    """Return it over the seeds that both have; None where there are none."""
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return None
    each = np.array([first[seed] - second[seed] for seed in seeds])
    low, high = np.quantile(each[:, 1:].mean(axis=0), [0.025, 0.975])
    own = each[:, 0]
    p = float(wilcoxon(own, alternative="greater").pvalue) if own.any() else 1.0
    return Difference(float(own.mean()), float(low), float(high), p, len(seeds))


def ways_table(found: Found, rows: Sequence[Row], against: Callable[[str], str]) -> str:
    """Each way at each budget: its gain, and that minus those of others at the same budget."""
    values = {key: found.values(*key) for key in found.fronts}
    evaluated = {(row["way"], row["budget"], row["seed"]): row["evaluated"] for row in rows}
    head = ["budget", "search", "seeds", "evaluated", "gain on test", "of the union's"]
    head += ["against", "difference", "to the enumeration"]
    lines = [_line(head), "|---" * len(head) + "|"]
    for way, budget in sorted(values, key=lambda key: key[1]):
        if way == UNION:
            continue
        own = values[way, budget]
        gains = [one[0] for one in own.values()]
        low, middle, high = np.quantile(gains, [0.25, 0.5, 0.75])
        other = against(way)
        cells = [f"{budget:,}", way, str(len(own))]
        cells += [f"{np.mean([evaluated[way, budget, seed] for seed in own]):.0f}"]
        cells += [f"{middle:.4f} ({low:.4f} to {high:.4f})", _share(own, values.get((UNION, 0)))]
        cells += [other if other != way else ""]
        for name in (other, ENUMERATION):
            there = name != way and (name, budget) in values
            cells += [str(difference(own, values[name, budget]) or "") if there else ""]
        lines.append(_line(cells))
    return "\n".join(lines)


def pairs_table(pairs: Mapping[str, Found]) -> str:
    """The new default against that of now, pair by pair; p with Holm's correction for the pairs."""

    def held(found: Found, new: tuple[str, int], old: tuple[str, int]) -> Difference | None:
        if not {new, old} <= found.fronts.keys():
            return None
        return difference(found.values(*new), found.values(*old))

    named = {name: held(found, (NEW, FEW), (OLD, FEW)) for name, found in pairs.items()}
    tested = {name: one for name, one in named.items() if one is not None}
    corrected = dict(zip(tested, holm([one.p for one in tested.values()]), strict=True))
    head = ["pair", "seeds", f"{NEW} minus {OLD}, both at {FEW}", "p", "corrected"]
    head += [f"at {FEW} minus {OLD} at {MANY}", f"minus the enumeration, both at {MANY}"]
    head += [f"of the union's gain, at {MANY}"]
    lines = [_line(head), "|---" * len(head) + "|"]
    for name, one in tested.items():
        found = pairs[name]
        cells = [name, str(one.seeds), str(one), f"{one.p:.3f}", f"{corrected[name]:.3f}"]
        cells += [str(held(found, (NEW, FEW), (OLD, MANY)) or "")]
        cells += [str(held(found, (NEW, MANY), (ENUMERATION, MANY)) or "")]
        both = {(NEW, MANY), (UNION, 0)} <= found.fronts.keys()
        cells += [_share(found.values(NEW, MANY), found.values(UNION, 0)) if both else ""]
        lines.append(_line(cells))
    return "\n".join(lines)


def _share(own: Values, union: Values | None) -> str:
    """The mean gain in parts of that of all that any search evaluated, over common seeds."""
    seeds = sorted(own.keys() & (union or {}).keys())
    whole = sum(union[seed][0] for seed in seeds) if union else 0.0
    return f"{100 * sum(own[seed][0] for seed in seeds) / whole:.0f} %" if whole > 0 else ""


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
