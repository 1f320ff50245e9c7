"""The commands `demo`, `run`, `resume`, `cascade` and `protocol`.

Heavy imports stand inside the commands, so that --help answers at once.
"""

from pathlib import Path

from netstitch.cli.options import (
    BudgetOptions,
    CascadeOptions,
    EvaluationOptions,
    ExperimentOptions,
    FinishedFolder,
    Folder,
    SearchOptions,
    SecondsOfDemo,
    TensorBoardFolder,
    TrustSamples,
    UnderWayOptions,
    WholeNumber,
    again,
    free_folder,
    with_options,
)


def demo(
    *,
    output: Folder = None,
    seed: WholeNumber = 1,
    seconds: SecondsOfDemo = None,
    paper: bool = False,
    device: str = "cpu",
) -> None:
    """Run the main job on two embedded networks and Fashion-MNIST images, in two to three minutes.

    It ends with a table of networks and cascades, of which one each is exported and run.

    Parameters
    ----------
    output: Path
        New folder for the run; by default netstitch-demo, or the next free number behind it.
    seed: int
        Of everything random.
    paper: bool
        Match, fit and search as the paper does, but for what docs/differences.md lists: all
        points, stitches trained by Adam, not refined, results of the search as they are finished,
        so that no seed repeats it, neither exits nor cascades.
    device: str
        What fits and evaluates: cpu, cuda, or cuda:0.
    """
    from netstitch.cli.console import listening
    from netstitch.cli.report_command import report_on
    from netstitch.cli.show import show_accuracy, show_export, show_run
    from netstitch.demo import choose
    from netstitch.demo.exported import exported_accuracy
    from netstitch.events import StageBegan
    from netstitch.experiments import find_experiment, load_experiment
    from netstitch.files.folders import check_new
    from netstitch.runs.recorded_run import export_point
    from netstitch.runs.run import carry_out

    folder = free_folder(Path("netstitch-demo")) if output is None else output
    check_new(folder)
    config = with_options(
        find_experiment("demo"),
        ExperimentOptions(paper=paper or None),
        BudgetOptions(seconds=seconds),
        EvaluationOptions(device=(device,)),
        seed=seed,
    )
    with listening() as listener:
        listener(StageBegan("read"))
        models, task = load_experiment(config, listener)
        finished = carry_out(config, models, task, folder, listener)
        front = finished.front
        network = choose(front)
        cascade = front.as_good
        places = {"export": network} | ({} if cascade is None else {"cascade": cascade})
        exported = [
            (export_point(finished.supernet, point, folder / place, listener), point)
            for place, point in places.items()
        ]
    show_run(finished)
    for files, point in exported:
        show_export(files, point, front)
        show_accuracy(exported_accuracy(files.folder, task))
    report_on(finished.folder)


def run(
    experiment: str,
    *,
    options: ExperimentOptions | None = None,
    search: SearchOptions | None = None,
    evaluation: UnderWayOptions | None = None,
    output: Folder = None,
    seed: WholeNumber | None = None,
    tensorboard: TensorBoardFolder = False,
    dry_run: bool = False,
) -> None:
    """Carry out an experiment: capture, match, fit, refine, search, and find cascades.

    Parameters
    ----------
    experiment: str
        A TOML file that names two or more models, a task and a search (see examples/own_models), or
        the name of one of the paper's: imagenet-a, imagenet-b, voc.
    output: Path
        New folder for the run; by default named after the experiment.
    seed: int
        Instead of the experiment's, of everything random.
    dry_run: bool
        Only build and match the networks, without their weights and data, and run a subnetwork on
        generated images; nothing is written.
    """
    from netstitch.cli.console import listening
    from netstitch.cli.report_command import report_on
    from netstitch.cli.show import show_dry_run, show_run
    from netstitch.events import Message, StageBegan
    from netstitch.experiments import (
        find_experiment,
        generated_task,
        load_experiment,
        load_models,
        other_images,
    )
    from netstitch.files.folders import check_new
    from netstitch.records.run_folder import TENSORBOARD
    from netstitch.runs.dry_run import try_out
    from netstitch.runs.run import carry_out

    file = find_experiment(experiment)
    config = with_options(file, options, search, evaluation, seed=seed)
    config.check()
    if dry_run:
        with listening() as listener:
            listener(StageBegan("build"))
            models = load_models(config, weights=False)
            task = generated_task(config, models)
            for line in other_images(config, models, task):
                listener(Message(line, warning=True))
            costs = try_out(models, task, listener, config)
        show_dry_run(costs)
        return
    folder = free_folder(Path(f"{file.stem}-run")) if output is None else output
    check_new(folder)
    with listening(folder / TENSORBOARD if tensorboard else None) as listener:
        listener(StageBegan("read"))
        models, task = load_experiment(config, listener)
        finished = carry_out(config, models, task, folder, listener)
    show_run(finished)
    report_on(finished.folder)


def resume(
    run: Path,
    *,
    evaluation: EvaluationOptions | None = None,
    tensorboard: TensorBoardFolder = False,
    trust: bool = False,
) -> None:
    """Go on with a run that was stopped, by Ctrl-C, a kill or a power failure, from where it is.

    What was evaluated is not evaluated again, and budgets count on from where they were.

    Parameters
    ----------
    run: Path
        The folder of the run.
    trust: bool
        Run the Python that the run's samples come from, and connect to the Ray cluster that it
        names, where these are not your own, or changed; from then on they count as yours.
    """
    from netstitch.cli.console import listening
    from netstitch.cli.report_command import report_on
    from netstitch.cli.show import show_run
    from netstitch.events import StageBegan
    from netstitch.records.run_folder import TENSORBOARD
    from netstitch.records.trust import check_cluster
    from netstitch.runs.recorded_run import recorded_task, spread_otherwise
    from netstitch.runs.run import check_resumable
    from netstitch.runs.run import resume as go_on

    document = check_resumable(run)
    experiment = document.experiment(run)
    settings = spread_otherwise(experiment, **vars(evaluation or EvaluationOptions()))
    settings.check()
    if not trust and (evaluation is None or evaluation.address is None):
        check_cluster(run, document, settings, again=again("--address"))
    with listening(run / TENSORBOARD if tensorboard else None) as listener:
        listener(StageBegan("read"))
        task = recorded_task(run, document, listener, trust=trust, again=again("--trust"))
        finished = go_on(settings, task, run, listener, sign=trust)
    show_run(finished)
    report_on(finished.folder)


def cascade(
    run: FinishedFolder,
    *,
    cascades: CascadeOptions | None = None,
    device: str | None = None,
    trust: TrustSamples = False,
) -> None:
    """Find the cascades of a finished run anew, from all that it evaluated.

    The run's front is written with them in the place of those that it has. Exits are fitted where
    the run has none. Nothing else of the run changes, and Ctrl-C leaves it as it is.

    Parameters
    ----------
    device: str
        What measures: cpu, cuda, or cuda:0; by default that of the run.
    """
    from netstitch.cli.console import listening
    from netstitch.cli.report_command import report_on
    from netstitch.cli.show import show_cascades
    from netstitch.events import StageBegan
    from netstitch.runs.recorded_cascades import find_run_cascades
    from netstitch.runs.recorded_run import open_run, spread_otherwise

    opened = open_run(run, trust=trust, again=again("--trust"))
    given = vars(cascades or CascadeOptions())
    changes = {name: value for name, value in given.items() if value is not None}
    experiment = spread_otherwise(opened.document.experiment(run), device=device)
    wanted = experiment.cascades.changed(enabled=True, **changes)
    with listening() as listener:
        listener(StageBegan("read"))
        task = opened.task(listener)
        finished = find_run_cascades(experiment.changed(cascades=wanted), task, run, listener)
    show_cascades(finished)
    report_on(run)


def protocol(
    experiment: str,
    *,
    options: ExperimentOptions | None = None,
    budget: BudgetOptions | None = None,
    evaluation: UnderWayOptions | None = None,
    output: Folder = None,
    sweep: bool = True,
    seeds: WholeNumber | None = None,
) -> None:
    """Run an experiment's whole protocol: each algorithm, a sweep of population sizes, and seeds.

    One that was stopped goes on where it was with the same command.

    Parameters
    ----------
    experiment: str
        A TOML file, or one of imagenet-a, imagenet-b, voc; its table protocol says what is run.
    output: Path
        Folder for the protocol, new or one to go on with; by default named after the experiment.
    sweep: bool
        Whether population sizes from 128 to 2048 are tried; --no-sweep for those of the file.
    seeds: int
        Instead of the file's number of runs of each algorithm.
    """
    from netstitch.cli.console import listening
    from netstitch.cli.show import show_protocol
    from netstitch.events import Message
    from netstitch.experiments import find_experiment
    from netstitch.runs.experiment_protocol import compare_runs, run_protocol

    file = find_experiment(experiment)
    config = with_options(file, options, budget, evaluation)
    folder = Path(f"{file.stem}-protocol") if output is None else output
    with listening() as listener:
        try:
            concluded = run_protocol(config, folder, listener, sweep=sweep, seeds=seeds)
        except KeyboardInterrupt:
            listener(Message(f"to go on: {again()}"))
            raise
        compare_runs(concluded, listener)
    show_protocol(concluded)
