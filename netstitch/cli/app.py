"""Commands, and what a script can rely on: exit code 0 done, 2 bad input, 130 interrupted.

Heavy imports stand inside the commands, so that --help answers at once.
"""

import errno
import sys
from contextlib import AbstractContextManager, closing, nullcontext
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from netstitch.cli.amount import parse_amount
from netstitch.cli.places import free_folder
from netstitch.cli.whole import parse_size, parse_whole
from netstitch.demo import SECONDS
from netstitch.errors import NetstitchError
from netstitch.version import VERSION

if TYPE_CHECKING:
    from netstitch.run import Watch

BAD_INPUT, INTERRUPTED = 2, 130
_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)

app = App(
    name="netstitch",
    version=VERSION,
    help="Join trained networks with linear stitches, and search what lies between them: the "
    "networks with the most accuracy for their multiply-adds. Start with: netstitch demo",
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # main says what an interruption leaves
)

Whole = Annotated[int, Parameter(converter=parse_whole)]
Population = Annotated[
    int | Literal["sweep"] | None,
    Parameter(name=["--population-size", "--population"], converter=parse_size),
]
Executor = Literal["serial", "processes", "ray"] | None
Folder = Annotated[Path | None, Parameter(name=["--output", "-o"])]
Device = Annotated[tuple[str, ...] | None, Parameter(name="--device", consume_multiple=False)]


@app.command
def demo(
    *, output: Folder = None, seed: Whole = 1, seconds: float = SECONDS, paper: bool = False
) -> None:
    """Run the main job on two embedded networks and Fashion-MNIST images, in about two minutes.

    Parameters
    ----------
    output: Path
        New folder for the run; by default netstitch-demo, or the next free number behind it.
    seed: int
        Of everything random.
    seconds: float
        After which the search ends in any case; its budget of evaluations mostly ends it before.
    paper: bool
        Match and fit exactly as the paper does: all points, stitches trained by Adam, not refined.
    """
    from netstitch.cli.console import Console
    from netstitch.cli.show import show_export, show_run
    from netstitch.demo.job import choose, export_chosen, run_demo
    from netstitch.folders import check_new

    folder = free_folder(Path("netstitch-demo")) if output is None else output
    check_new(folder)
    with Console() as console:
        finished = run_demo(folder, console, seed=seed, seconds=seconds, paper=paper)
        exported = export_chosen(finished, folder / "export", console)
    show_run(finished)
    show_export(exported, choose(finished.front))


@app.command
def run(
    experiment: str,
    *,
    data: Path | None = None,
    weights: Path | None = None,
    output: Folder = None,
    algorithm: str | None = None,
    evaluations: Whole | None = None,
    seconds: float | None = None,
    population: Population = None,
    seed: Whole | None = None,
    paper: bool | None = None,
    device: Device = None,
    executor: Executor = None,
    workers: Whole | None = None,
    address: str | None = None,
    tensorboard: bool = False,
    dry_run: bool = False,
) -> None:
    """Carry out an experiment: capture, match, fit, refine, search, and measure the front.

    Parameters
    ----------
    experiment: str
        A TOML file that names two models, a task and a search (see examples/own_models), or the
        name of one of the paper's: imagenet-a, imagenet-b, voc.
    data: Path
        Folder that holds the data sets, such as imagenet and imagenetv2.
    weights: Path
        Folder with a file for each network, such as resnet152.safetensors, instead of the weights
        that the file names.
    output: Path
        New folder for the run; by default named after the experiment.
    algorithm: str
        Instead of the file's: ga, gomea, lk-gomea, local-search, nsga2 or random.
    evaluations: int
        Instead of the file's budget.
    seconds: float
        Instead of the file's time limit.
    population: int
        Instead of the file's; sweep for a search of each size from 128 to 2048, of which the one
        with the most hypervolume is kept.
    seed: int
        Instead of the file's.
    paper: bool
        Instead of the file's tables matching, fit and refine, exactly what the paper does; no
        batch norm is recalibrated. --no-paper for what netstitch does by default.
    device: str
        Instead of the file's, what fits and evaluates: cpu, cuda, or cuda:0; several, such as
        --device cuda:0 --device cuda:1, are taken in turn by workers.
    executor: str
        Instead of the file's: serial, evaluations in this process, processes, or ray.
    workers: int
        Instead of the file's, how many processes evaluate; 0 for as many as fit.
    address: str
        Of a Ray cluster, HOST:PORT, or auto for the one that this machine is part of.
    tensorboard: bool
        Also write scalars for TensorBoard, into the folder tensorboard of the run.
    dry_run: bool
        Only build and match the networks, without their weights and data, and run a subnetwork on
        generated images; nothing is written.
    """
    from netstitch.cli.console import Console
    from netstitch.cli.show import show_run, show_trial
    from netstitch.experiments import (
        check_there,
        find_experiment,
        generated_task,
        load_models,
        load_task,
        read_experiment,
    )
    from netstitch.experiments.planning import override, to_plan
    from netstitch.folders import check_new
    from netstitch.run import carry_out
    from netstitch.trial import try_out

    file = find_experiment(experiment)
    asked = override(
        read_experiment(file),
        seed=seed,
        data=None if data is None else str(data.absolute()),
        weights=None if weights is None else str(weights.absolute()),
        procedure=None if paper is None else "paper" if paper else "netstitch",
        search={
            "algorithm": algorithm,
            "evaluations": evaluations,
            "seconds": seconds,
            "population": population,
        },
        evaluation={
            "device": None if device is None else list(device),
            "executor": executor,
            "workers": workers,
            "address": address,
        },
    )
    plan = to_plan(asked)
    if dry_run:
        with Console() as console:
            console.stage("build")
            models = load_models(asked, weights=False)
            trial = try_out(
                models,
                generated_task(asked, models),
                console,
                points=plan.points,
                objective=plan.matching_objective,
                seed=plan.seed,
            )
        show_trial(trial)
        return
    folder = free_folder(Path(f"{file.stem}-run")) if output is None else output
    check_new(folder)
    check_there(asked)
    with Console() as console, _watched(folder, tensorboard) as watch:
        console.stage("read")
        models = load_models(asked)
        task = load_task(
            asked,
            lambda part, done, total: console.progress(done, total, part),
            models,
            console.told,
        )
        finished = carry_out(plan, models, task, folder, console, watch)
    show_run(finished)


@app.command
def resume(
    run: Path,
    *,
    executor: Executor = None,
    workers: Whole | None = None,
    address: str | None = None,
    tensorboard: bool = False,
) -> None:
    """Go on with a run that was stopped, by Ctrl-C, a kill or a power failure, from where it is.

    What was evaluated is not evaluated again, and budgets count on from where they were.

    Parameters
    ----------
    run: Path
        The folder of the run.
    executor: str
        Instead of what the run began with: serial, evaluations in this process, processes, or ray.
    workers: int
        Instead of what the run began with, how many processes evaluate; 0 for as many as fit.
    address: str
        Of a Ray cluster, HOST:PORT, or auto for the one that this machine is part of.
    tensorboard: bool
        Also write scalars for TensorBoard, into the folder tensorboard of the run.
    """
    from netstitch.cli.console import Console
    from netstitch.cli.recorded import recorded_plan, recorded_task, spread_otherwise
    from netstitch.cli.show import show_run
    from netstitch.run import check_resumable
    from netstitch.run import resume as go_on

    asked = check_resumable(run)
    plan = spread_otherwise(recorded_plan(run, asked), executor, workers, address)
    with Console() as console, _watched(run, tensorboard) as watch:
        console.stage("read")
        task = recorded_task(
            run, asked, lambda part, done, total: console.progress(done, total, part)
        )
        finished = go_on(plan, task, run, console, watch)
    show_run(finished)


@app.command
def protocol(
    experiment: str,
    *,
    data: Path | None = None,
    weights: Path | None = None,
    output: Folder = None,
    sweep: bool = True,
    seeds: Whole | None = None,
    evaluations: Whole | None = None,
    seconds: float | None = None,
    paper: bool | None = None,
    device: Device = None,
    executor: Executor = None,
    workers: Whole | None = None,
    address: str | None = None,
) -> None:
    """Run an experiment's whole protocol: each algorithm, a sweep of population sizes, and seeds.

    One that was stopped goes on where it was with the same command.

    Parameters
    ----------
    experiment: str
        A TOML file, or one of imagenet-a, imagenet-b, voc; its table protocol says what is run.
    data: Path
        Folder that holds the data sets.
    weights: Path
        Folder with a file for each network, instead of the weights that the file names.
    output: Path
        Folder for the protocol, new or one to go on with; by default named after the experiment.
    sweep: bool
        Whether population sizes from 128 to 2048 are tried; --no-sweep for those of the file.
    seeds: int
        Instead of the file's number of runs of each algorithm.
    evaluations: int
        Instead of the file's budget of each search.
    seconds: float
        Instead of the file's time limit of each search.
    paper: bool
        As of netstitch run.
    device: str
        As of netstitch run.
    executor: str
        As of netstitch run.
    workers: int
        As of netstitch run.
    address: str
        As of netstitch run.
    """
    from netstitch.cli.console import Console
    from netstitch.cli.protocols import run_protocol
    from netstitch.cli.show import show_protocol
    from netstitch.experiments import find_experiment, read_experiment
    from netstitch.experiments.planning import override

    file = find_experiment(experiment)
    asked = override(
        read_experiment(file),
        data=None if data is None else str(data.absolute()),
        weights=None if weights is None else str(weights.absolute()),
        procedure=None if paper is None else "paper" if paper else "netstitch",
        search={"evaluations": evaluations, "seconds": seconds},
        evaluation={
            "device": None if device is None else list(device),
            "executor": executor,
            "workers": workers,
            "address": address,
        },
    )
    folder = Path(f"{file.stem}-protocol") if output is None else output
    with Console() as console:
        concluded = run_protocol(asked, folder, console, sweep=sweep, seeds=seeds)
    show_protocol(concluded)


@app.command
def status(run: Path) -> None:
    """Show how far a run is: budget, speed, workers, what was found, and the time left.

    Parameters
    ----------
    run: Path
        The folder of the run, whether it is going on or not.
    """
    from netstitch.cli.status import show_status

    show_status(run)


@app.command(name="match")
def match_command(
    experiment: str, *, data: Path | None = None, weights: Path | None = None
) -> None:
    """Show which points of an experiment's networks would be joined; nothing is fitted.

    Parameters
    ----------
    experiment: str
        A TOML file that names two models and a task, or the name of a shipped experiment.
    data: Path
        Folder that holds the data sets.
    weights: Path
        Folder with a file for each network.
    """
    from netstitch.cli.console import Console
    from netstitch.cli.show import show_matching
    from netstitch.experiments import (
        check_there,
        find_experiment,
        load_models,
        load_task,
        read_experiment,
    )
    from netstitch.experiments.planning import override
    from netstitch.preparing import capture_all, match_all

    asked = override(
        read_experiment(find_experiment(experiment)),
        data=None if data is None else str(data.absolute()),
        weights=None if weights is None else str(weights.absolute()),
    )
    check_there(asked)
    with Console() as console:
        console.stage("read")
        models = load_models(asked)
        task = load_task(asked, models=models)
        networks = capture_all(models, task, console)
        matching = match_all(
            networks,
            console,
            points=asked.matching.points,
            objective=asked.matching.objective,
            training=None if task.training is None else task.training.shuffled(asked.seed),
        )
    show_matching(networks, matching)


@app.command
def export(
    run: Path,
    *,
    max_macs: str | None = None,
    min_accuracy: float | None = None,
    point: str | None = None,
    output: Folder = None,
    formats: tuple[Literal["json", "pt2", "onnx"], ...] = ("json", "pt2", "onnx"),
    recalibrate: bool = False,
    fold: bool = False,
) -> None:
    """Write one network of a run's front as JSON and safetensors, .pt2 and ONNX.

    Each file is run at a batch size it has not seen and compared with the network before the
    command says that it is done.

    Parameters
    ----------
    run: Path
        The folder of a finished run.
    max_macs: str
        The most accurate network of at most so many multiply-adds, such as 5M or 1.2G.
    min_accuracy: float
        The cheapest network of at least this validation accuracy, such as 0.93.
    point: str
        The network called P3 (or 3) in the run's table.
    output: Path
        New folder; by default RUN/export-POINT.
    formats: tuple
        What to write: json, pt2, onnx; by default all.
    recalibrate: bool
        Measure the statistics of batch norms behind stitches on the run's training samples; always
        done for a run whose search did.
    fold: bool
        Let convolutions and linear layers carry the batch norms behind them.
    """
    from netstitch.cli.console import Console
    from netstitch.cli.recalibrating import export_recalibrated, recorded, searched_with
    from netstitch.cli.show import show_export
    from netstitch.run import export_point, load_front
    from netstitch.run_folder import SUPERNET
    from netstitch.storage import load_supernet

    front = load_front(run)
    chosen = front.pick(
        max_macs=None if max_macs is None else parse_amount(max_macs),
        min_accuracy=min_accuracy,
        point=point,
    )
    folder = run / f"export-{chosen.label}" if output is None else output
    with Console() as console:
        supernet = load_supernet(run / SUPERNET)
        # What a search measured with new statistics is exported with them.
        if recalibrate or searched_with(run):
            console.stage("read")
            exported = export_recalibrated(
                recorded(run), supernet, chosen, folder, console, formats=formats, fold=fold
            )
        else:
            exported = export_point(supernet, chosen, folder, console, formats=formats, fold=fold)
    show_export(exported, chosen)


@app.command(name="finetune")
def finetune_command(
    run: Path,
    *,
    point: str,
    train: Literal["stitches", "all"] = "stitches",
    epochs: Whole = 1,
    learning_rate: float = 1e-4,
    batch_size: Whole = 32,
    seed: Whole = 1,
    device: str = "cpu",
    output: Folder = None,
    formats: tuple[Literal["json", "pt2", "onnx"], ...] = ("json", "pt2", "onnx"),
) -> None:
    """Train one network of a run's front on the task's training samples and labels, and export it.

    Both branches of an ensemble are trained, each for itself. The run is not changed.

    Parameters
    ----------
    run: Path
        The folder of a finished run.
    point: str
        The network called P3 (or 3) in the run's table.
    train: str
        Its stitches, or all of its weights.
    epochs: int
        Passes over the training samples.
    learning_rate: float
        Of Adam's first step; it falls to 0 along a cosine.
    batch_size: int
        Samples a step.
    seed: int
        Of the order of the samples.
    device: str
        What trains and measures: cpu, cuda, or cuda:0.
    output: Path
        New folder for the network; by default RUN/finetuned-POINT.
    formats: tuple
        What to write: json, pt2, onnx; by default all.
    """
    from netstitch.cli.console import Console
    from netstitch.cli.finetuning import tune_point
    from netstitch.cli.show import show_tuning

    with Console() as console:
        tuning = tune_point(
            run,
            point,
            output,
            console,
            trained=train,
            device=device,
            formats=formats,
            epochs=epochs,
            learning_rate=learning_rate,
            batch_size=batch_size,
            seed=seed,
        )
    show_tuning(tuning)


def _watched(run: Path, tensorboard: bool) -> AbstractContextManager["Watch | None"]:
    """What is told how the search stands, besides the run's own file."""
    if not tensorboard:
        return nullcontext()
    from netstitch.run_folder import TENSORBOARD
    from netstitch.tensorboard import TensorBoard

    return closing(TensorBoard(run / TENSORBOARD))


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # one of ASCII shall show ? for a line of a table
            stream.reconfigure(errors="replace")
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        _fail(f"{_one_line(str(error)).rstrip('.')}; see netstitch --help")
    except NetstitchError as error:
        _fail(_one_line(str(error)))
    except KeyboardInterrupt:
        print("netstitch: interrupted before it was done", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        reason = (error.strerror or str(error)).lower()
        _fail(f"{error.filename or 'the output'}: {reason}; free space or give another place")


def _fail(message: str) -> None:
    print(f"netstitch: {message}", file=sys.stderr)
    sys.exit(BAD_INPUT)


def _one_line(text: str) -> str:
    return " ".join(text.split())
