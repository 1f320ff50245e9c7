"""The commands `status`, `match`, `export` and `finetune`.

Heavy imports stand inside the commands, so that --help answers at once.
"""

from pathlib import Path

from netstitch.cli.options import (
    ALL_FORMATS,
    ChoiceOptions,
    ExperimentOptions,
    FinishedFolder,
    Folder,
    Formats,
    TrainingOptions,
    TrustSamples,
    again,
    parse_amount,
    with_options,
)


def status(run: Path) -> None:
    """Show how far a run is: budget, speed, workers, what was found, and the time left.

    Parameters
    ----------
    run: Path
        The folder of the run, whether it is going on or not.
    """
    from netstitch.cli.status_lines import show_status

    show_status(run)


def match_command(
    experiment: str,
    *,
    data: Path | None = None,
    weights: Path | None = None,
) -> None:
    """Show which points of an experiment's networks would be joined; nothing is fitted.

    Parameters
    ----------
    experiment: str
        A TOML file that names two or more models and a task, or the name of a shipped experiment.
    data: Path
        Folder that holds the data sets.
    weights: Path
        Folder with a file for each network.
    """
    from netstitch.cli.console import listening
    from netstitch.cli.show import show_matching
    from netstitch.events import StageBegan
    from netstitch.experiments import find_experiment, load_experiment
    from netstitch.runs.preparing import capture_all, match_all

    config = with_options(find_experiment(experiment), ExperimentOptions(data, weights))
    with listening() as listener:
        listener(StageBegan("read"))
        # What is not looked at is not decoded: that can take an hour.
        models, task = load_experiment(config, listener, ["validation"])
        networks = capture_all(models, task, listener)
        matching = match_all(networks, listener, config.matching)
    show_matching(networks, matching)


def export(
    run: FinishedFolder,
    *,
    choice: ChoiceOptions | None = None,
    output: Folder = None,
    formats: Formats = ALL_FORMATS,
    recalibrate: bool = False,
    fold: bool = False,
    trust: TrustSamples = False,
) -> None:
    """Write one network or cascade of a run's front as JSON and safetensors, .pt2 and ONNX.

    Each file is run at batch sizes it has not seen and compared with the network or cascade before
    the command says that it is done.

    Parameters
    ----------
    output: Path
        New folder; by default RUN/export-POINT.
    recalibrate: bool
        Measure the statistics of batch norms behind stitches on the run's training samples; always
        done for a run whose search did.
    fold: bool
        Let convolutions and linear layers carry the batch norms behind them.
    """
    from netstitch.cli.console import listening
    from netstitch.cli.show import show_export
    from netstitch.runs.recorded_run import export_recorded, open_run

    opened = open_run(run, trust=trust, again=again("--trust"))
    choice = choice or ChoiceOptions()
    amounts = {name: parse_amount(text) for name, text in choice.limits.items()}
    chosen = opened.front.pick(min_accuracy=choice.min_accuracy, point=choice.point, **amounts)
    folder = run / f"export-{chosen.label}" if output is None else output
    with listening() as listener:
        exported = export_recorded(
            opened,
            chosen,
            folder,
            listener,
            formats=formats,
            recalibrate=recalibrate,
            fold=fold,
        )
    show_export(exported, chosen, opened.front)


def finetune_command(
    run: FinishedFolder,
    *,
    point: str,
    training: TrainingOptions | None = None,
    device: str = "cpu",
    output: Folder = None,
    formats: Formats = ALL_FORMATS,
    trust: TrustSamples = False,
) -> None:
    """Train one network or cascade of a run's front on the training samples, and export it.

    Labels are learned, by both branches of an ensemble each for itself; or, with --teacher, the
    outputs of the ensemble or of a basis network, without labels: the state that is best on samples
    held out is kept. The stages of a cascade learn these, each from the samples that reach it, and
    its thresholds are chosen again. The run is not changed. After Ctrl-C or a kill, the same
    command goes on where training was.

    Parameters
    ----------
    point: str
        The network called P3 (or 3) in the run's table, a reference by its name, or, with a
        teacher, the cascade called C3; exits are not trained.
    device: str
        What trains and measures: cpu, cuda, or cuda:0.
    output: Path
        New folder for the network; by default RUN/finetuned-POINT.
    """
    from netstitch.cli.console import listening
    from netstitch.cli.show import show_tuning
    from netstitch.runs.finetuned_point import tune_point
    from netstitch.runs.recorded_run import open_run
    from netstitch.tuning import FineTuneSettings

    given = vars(training or TrainingOptions())
    settings = FineTuneSettings(**{name: one for name, one in given.items() if one is not None})
    opened = open_run(run, trust=trust, again=again("--trust"))
    with listening() as listener:
        tuning = tune_point(
            opened, point, output, listener, settings=settings, device=device, formats=formats
        )
    show_tuning(tuning)
