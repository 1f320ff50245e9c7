"""The step of a run that joins matched networks: what its settings of the supernet ask for."""

from collections.abc import Sequence

from netstitch.costs import find_cost
from netstitch.errors import StitchingError
from netstitch.events import Listener, Message, StageBegan, advancing
from netstitch.experiments import RunSettings
from netstitch.fitting import LeastSquaresSettings, best_sources
from netstitch.fitting.solve import RIDGE
from netstitch.matching import Matching
from netstitch.networks import Network
from netstitch.searching import fitted_weights, greedy_outputs
from netstitch.stitching import Averaging
from netstitch.stitching.directions import by_cost, with_sources
from netstitch.stitching.output_choices import WITH_PAIRS, all_pairs, output_choices
from netstitch.stitching.structure import distinct_names
from netstitch.stitching.switches import make_switchboard
from netstitch.supernet.memory_estimate import FITTED, REFINED, memory_estimate
from netstitch.supernet.supernet import Supernet
from netstitch.supernet.supernet_arguments import check_joinable, numbers_of
from netstitch.supernet.supernet_settings import SupernetSettings
from netstitch.tasks import Samples, Task
from netstitch.tasks.agreement import AGREEMENT


def join_networks(
    networks: Sequence[Network],
    matching: Matching,
    task: Task,
    training: Samples | None,
    settings: RunSettings,
    listener: Listener,
) -> Supernet:
    """Return the supernet of matched networks, its stitches not fitted.

    Args:
        networks: Captured ones.
        matching: Of these networks.
        task: Its validation samples choose ensembles and weights, where that is asked for.
        training: The samples that choose the stitches of matches of many networks. None for a dry
            run, where the cheapest are chosen, and weights and ensembles are not.
        settings: Of the run.
        listener: Told what was chosen.

    Raises:
        StitchingError: It takes more than the memory budget.
    """
    options, graphs = settings.supernet, [network.graph for network in networks]
    names = distinct_names([network.name for network in networks])
    # What cannot be is told before the work.
    copies = REFINED if settings.refine.enabled else FITTED
    memory_estimate(names, networks, matching, options.sources).check(copies, options.memory_budget)
    averaging = Averaging(task.ensemble, _weights(networks, task, training, options, listener))
    check_joinable(names, graphs, averaging)
    numbers = numbers_of(names, networks)
    outputs = output_choices(
        len(networks), _outputs(networks, task, training, settings, averaging, listener), numbers
    )
    bounded = with_sources(graphs, matching, options.sources, by_cost)
    if bounded is not matching and training is not None:
        bounded = _of_least_error(networks, matching, training, settings, listener)
    supernet = Supernet(
        networks,
        bounded,
        averaging=averaging,
        outputs=outputs,
        memory_budget=options.memory_budget,
    )
    if len(networks) > 2:
        listener(Message(f"outputs: {', '.join(supernet.outputs)}"))
    return supernet


def _of_least_error(
    networks: Sequence[Network],
    matching: Matching,
    training: Samples,
    settings: RunSettings,
    listener: Listener,
) -> Matching:
    """Return the matching with no more stitches to a point than asked for."""
    listener(StageBegan("choose stitches"))
    fitted = settings.fit
    ridge = fitted.ridge if isinstance(fitted, LeastSquaresSettings) else RIDGE
    bounded = best_sources(
        networks,
        matching,
        training.batches(fitted.batch),
        sources=settings.supernet.sources,
        settings=LeastSquaresSettings(ridge=ridge, memory_budget=fitted.memory_budget),
        progress=advancing(listener),
    )
    graphs = [network.graph for network in networks]
    made, every = (len(make_switchboard(graphs, m).stitches) for m in (bounded, matching))
    text = f"{made:,} of {every:,} stitches are made, to each point those of the least error"
    listener(Message(text))
    return bounded


def _weights(
    networks: Sequence[Network],
    task: Task,
    training: Samples | None,
    options: SupernetSettings,
    listener: Listener,
) -> tuple[float, ...] | None:
    if options.weights == "equal":
        return None
    if task.measure == AGREEMENT:
        raise StitchingError(
            "the task is agreement with the ensemble, in which networks count alike, and weights "
            f"is {options.weights!r:.60}; leave weights out"
        )
    if not isinstance(options.weights, str):
        return options.weights
    if training is None:
        return None
    listener(StageBegan("fit the ensemble's weights"))
    found = fitted_weights(networks, task)
    each = (f"{net.name} {weight:.3f}" for net, weight in zip(networks, found, strict=True))
    listener(Message(f"weights in ensembles: {', '.join(each)}"))
    return found


def _outputs(
    networks: Sequence[Network],
    task: Task,
    training: Samples | None,
    settings: RunSettings,
    averaging: Averaging,
    listener: Listener,
) -> Sequence[Sequence[int | str]] | None:
    """Return the sets of networks for `output_choices`."""
    outputs = settings.supernet.outputs
    if outputs == "pairs":
        return all_pairs(len(networks))
    if outputs == "greedy" or (outputs is None and len(networks) > WITH_PAIRS):
        if training is None:
            return None
        listener(StageBegan("choose ensembles"))
        return greedy_outputs(
            networks,
            task,
            averaging,
            objective=settings.search.objective,
            cost=find_cost(settings.search.cost),
            progress=advancing(listener),
        )
    return outputs
