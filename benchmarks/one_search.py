"""One search of the grid of `searches.py`, or what stands beside searches in it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from optuna_search import OptunaSearch
from outcomes import OnDrawnImages, Outcomes, OutcomeStore
from pairs import FLOOR, load_task
from search_comparison import ENUMERATION, REFERENCES, UNION

import netstitch as ns
from netstitch.events import ignore
from netstitch.optimization import ALGORITHMS, Archive, Genotype, SerialExecutor, Solution
from netstitch.optimization.algorithms.registry import Build
from netstitch.searching.first_networks import first_networks
from netstitch.searching.supernet_search_settings import SupernetSearchSettings
from netstitch.searching.sweep import SupernetSearch, search_sizes

POPULATION, THRESHOLD, DRAWN = 32, 0.8, 2_048
UNDER_WAY, TOGETHER = 16, 8
"""Evaluations under way, as by default, and how many of them are computed together."""

BASELINE = "ga"
NEIGHBOURS = {"lk-gomea": {"smallest_neighbourhood": 8}}
IMPROVED = ("ga", "gomea", "lk-gomea")


@dataclass(frozen=True)
class Way:
    """An algorithm with settings, and the way that it is compared with."""

    algorithm: str | Build
    settings: Mapping[str, Any] = field(default_factory=dict)
    against: str = BASELINE
    first_networks: float = 0.0


PLAIN = {name: Way(name, NEIGHBOURS.get(name, {})) for name in ALGORITHMS}
FIRST = {
    f"{name}, first networks{shown}": Way(name, NEIGHBOURS.get(name, {}), name, share)
    for name in ALGORITHMS
    if name != "random"
    for share, shown in ((0.5, ""), (0.25, " 0.25"), (0.75, " 0.75"))
}
HEEDING = {
    f"{name}, inactive {inactive}": Way(
        name, NEIGHBOURS.get(name, {}) | {"inactive": inactive}, name
    )
    for name in IMPROVED
    for inactive in ("kept", "reset")
}
OUTSIDE = {
    f"optuna{shown}": Way(OptunaSearch, against=f"{BASELINE}{shown}", first_networks=share)
    for share, shown in ((0.0, ""), (0.5, ", first networks"))
}
"""Optuna's TPE, which is no part of netstitch."""
WAYS = PLAIN | FIRST | HEEDING | OUTSIDE


@dataclass(frozen=True)
class Place:
    """The places of a pair's files."""

    folder: Path

    @property
    def supernet(self) -> Path:
        """The folder of the supernet."""
        return self.folder / "supernet"

    @property
    def results(self) -> Path:
        """The file of results."""
        return self.folder / "results.jsonl"

    def store(self) -> OutcomeStore:
        """The images that networks are right on."""
        return OutcomeStore(self.folder / "outcomes.sqlite")

    def rows(self) -> list[dict[str, Any]]:
        """The results so far."""
        if not self.results.exists():
            return []
        return [json.loads(line) for line in self.results.read_text().splitlines()]


_open: list[Outcomes] = []
"""That of a process which searches; filled once, since loading takes seconds."""


def begin(pair: str, place: Place) -> None:
    """Make a process ready to search."""
    torch.set_num_threads(1)
    supernet = ns.load(place.supernet)
    assert isinstance(supernet, ns.Supernet)
    _open.append(Outcomes(supernet, load_task(pair), place.store()))


def done(way: str, budget: int, seed: int) -> dict[str, Any]:
    """One search, or what stands beside searches, in a process of its own."""
    (outcomes,) = _open
    supernet = outcomes.supernet
    references = list(supernet.references().values())
    facts: dict[str, Any] = {}
    if way == REFERENCES:
        front = references
    elif way == UNION:
        everything = outcomes.store.genotypes("validation")
        facts["evaluated"] = len(everything)
        front = chosen(outcomes, everything, seed)
    elif way == ENUMERATION:
        listed = [*references, *first_networks(supernet, supernet.macs)][:budget]
        facts["evaluated"] = len(listed)
        front = chosen(outcomes, listed, seed)
    else:
        front, facts = searched(outcomes, WAYS[way], budget, seed)
    outcomes.right("test", front)
    networks = [[supernet.wiring.digest(one).hex(), supernet.macs(one)] for one in front]
    row = {"way": way, "budget": budget, "seed": seed, "images": outcomes.size("test")}
    return row | {"evaluated": len(front), **facts, "front": networks}


def searched(
    outcomes: Outcomes, way: Way, budget: int, seed: int
) -> tuple[list[Genotype], dict[str, Any]]:
    """The result of a search, and how it went."""
    settings = SupernetSearchSettings(
        algorithm=way.algorithm,
        settings=dict(way.settings),
        evaluations=budget,
        population=POPULATION,
        threshold=THRESHOLD,
        first_networks=way.first_networks,
    )
    problem = SupernetSearch(outcomes.supernet, settings, seed, floor=FLOOR)
    evaluation = OnDrawnImages(outcomes, drawn(outcomes, seed))
    executor = SerialExecutor(evaluation, UNDER_WAY, group=TOGETHER)
    result, _ = search_sizes(problem, executor, ordered=True, record=None, listener=ignore)
    facts = {
        "evaluated": result.evaluated,
        "skipped": result.skipped,
        "used": result.used,
        "stopped": result.stopped,
        "seconds": result.elapsed,
    }
    return [solution.genotype for solution in result.archive], facts


def drawn(outcomes: Outcomes, seed: int) -> np.ndarray:
    """The validation images that searches of a seed see."""
    size = outcomes.size("validation")
    return np.random.default_rng(seed).choice(size, min(DRAWN, size // 2), replace=False)


def chosen(outcomes: Outcomes, genotypes: Sequence[Genotype], seed: int) -> list[Genotype]:
    """The networks that no other one dominates on the images of a seed."""
    evaluation = OnDrawnImages(outcomes, drawn(outcomes, seed))
    archive = Archive(SupernetSearchSettings().objectives)
    for start in range(0, len(genotypes), 256):  # bits of all images take memory
        part = genotypes[start : start + 256]
        for genotype, objectives in zip(part, evaluation.together(part), strict=True):
            archive.add(Solution(genotype, objectives))
    return [solution.genotype for solution in archive.solutions()]
