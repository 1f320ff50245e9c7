"""An experiment's protocol, from its file."""

import shutil
from pathlib import Path

from netstitch.errors import SearchError
from netstitch.events import Listener, StageBegan
from netstitch.experiments import Experiment, RunSettings, load_experiment, override
from netstitch.optimization.algorithms.registry import entry
from netstitch.optimization.search_settings import SearchSettings
from netstitch.report import read_runs, write_comparison
from netstitch.runs.protocol import SWEEP, Concluded, Protocol, carry_out_protocol

SWEEP_OFFSET = 1_000_000
"""The distance of the seed of sweeps above the experiment's, so that runs, which count up from the
latter, do not come to it, and it does not depend on how many they are. Below the experiment's there
may be none, since seeds begin with 0."""

COMPARED = "compared"
"""The folder in a protocol's folder that holds the comparison of its runs."""


def run_protocol(
    experiment: Experiment, folder: Path, listener: Listener, *, sweep: bool, seeds: int | None
) -> Concluded:
    """Carry out what the table protocol of an experiment says.

    Args:
        experiment: The experiment.
        folder: A new one, or that of a protocol to go on with.
        listener: Told what happens.
        sweep: Whether population sizes are tried; else those of the table, or of the table search,
            count.
        seeds: Runs of each algorithm, instead of the table's; they are numbered from the
            experiment's seed on, and sweeps have one SWEEP_OFFSET behind it.
    """
    table = experiment.protocol
    count = table.seeds if seeds is None else seeds
    if count < 1:
        raise SearchError(f"{count} runs of each algorithm: give 1 or more")
    fixed = experiment.search.population
    populations: dict[str, int | None] = {}
    for algorithm in table.chosen:
        has_population = entry(algorithm).has_population
        usual = None if has_population else SearchSettings().size  # there is none to be found
        own = table.populations.get(algorithm, usual if fixed == "sweep" else fixed)
        swept = sweep and has_population
        populations[algorithm] = None if swept else own
        if not swept and own is None:
            raise SearchError(
                f"no population size is known for {algorithm}: give one in the table "
                "protocol.populations, or leave out --no-sweep"
            )

    def settings_for(algorithm: str, population: int | str, seed: int) -> RunSettings:
        chosen: dict[str, object] = {
            "algorithm": algorithm,
            "population": population,
            "settings": {},
        }
        if algorithm == experiment.search.algorithm:
            chosen["settings"] = experiment.search.settings
        return override(experiment, seed=seed, search=chosen)

    for algorithm, size in populations.items():  # what cannot be run is known before the work
        settings_for(algorithm, size or SWEEP, experiment.seed).check()
    listener(StageBegan("read"))
    models, task = load_experiment(experiment, listener)
    seeds_of_runs = tuple(range(experiment.seed, experiment.seed + count))
    return carry_out_protocol(
        Protocol(populations, seeds_of_runs, experiment.seed + SWEEP_OFFSET, table.accuracy),
        settings_for,
        models,
        task,
        folder,
        listener,
        name=experiment.name,
    )


def compare_runs(concluded: Concluded, listener: Listener) -> None:
    """Write the page, the tables and the figures of `netstitch compare` into the folder."""
    if len(concluded.runs) < 2:
        return
    listener(StageBegan("compare"))
    runs = [concluded.folder / f"{run.algorithm}-{run.seed}" for run in concluded.runs]
    folder = concluded.folder / COMPARED
    if folder.exists():  # of a protocol that is carried out again, or had fewer runs
        shutil.rmtree(folder)
    write_comparison(read_runs(runs, concluded.over.accuracy), folder)
