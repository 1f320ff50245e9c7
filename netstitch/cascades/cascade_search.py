"""`ns.find_cascades`: a supernet, a task and a front become a front with cascades."""

from collections.abc import Iterable
from dataclasses import replace
from inspect import signature
from math import prod
from typing import Literal, Unpack

import torch

from netstitch.analysis import CascadePoint, Front, FrontPoint, Split, make_front
from netstitch.analysis.front_point import ACCURACY, ENSEMBLE
from netstitch.cascades.answers import AnswerRule
from netstitch.cascades.candidates import choose_stages, plain_stages
from netstitch.cascades.cascade_arguments import (
    check_front,
    check_measured,
    cost_of_front,
    rule_of,
)
from netstitch.cascades.cascade_settings import CascadeKeywords, CascadeSettings
from netstitch.cascades.evaluated import Evaluated, evaluate
from netstitch.cascades.families import Curves, Families, find_families
from netstitch.cascades.points import Measured
from netstitch.cascades.running import Runnable, RunOutcome, run_cascades
from netstitch.cascades.stage_costs import stage_costs
from netstitch.cascades.stage_table import Answers, stage_table
from netstitch.cascades.term_outputs import compute_terms, fitting_stages, held
from netstitch.cascades.terms import terms_of
from netstitch.cascades.unsure_samples import scorer_on_unsure
from netstitch.costs import MULTIPLY_ADDS, Cost
from netstitch.errors import NetstitchError, SearchError
from netstitch.evaluation import ExecutionConfig, NumericsConfig
from netstitch.evaluation.measured_output import measured_shape
from netstitch.events import (
    Advanced,
    Event,
    Listener,
    Message,
    Progress,
    StageBegan,
    advancing,
    ignore,
    warn,
)
from netstitch.files.settings import check_names, with_keywords
from netstitch.searching.supernet_search import measured_form
from netstitch.searching.supernet_search_settings import (
    SupernetSearchSettings,
    check_kinds,
    check_search,
    scored_by,
)
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.supernet.decisions import AnyGenotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task
from netstitch.text import one_line

ASKED = 30
"""Candidates, at most, where the cost of each pair has to be asked for."""


@with_keywords(CascadeSettings, CascadeKeywords)
def find_cascades(
    supernet: Supernet,
    task: Task,
    front: Front,
    stages: Literal[2, 3] = 2,
    *,
    evaluated: Iterable[AnyGenotype] = (),
    cost: str | Cost | None = None,
    form: NumericsConfig | None = None,
    device: str | torch.device = "cpu",
    on_progress: Progress | None = None,
    **options: Unpack[CascadeKeywords],
) -> Front:
    """Return the front with cascades of the references and of exits, and of its networks.

    `Front.cascades` are a few dozen by mean cost, of the references and the supernet's exits, where
    these were fitted (`Supernet.fit_exits`). `Front.plain_cascades` are those of the references
    alone, to compare with. With `stitched`, stitched networks are stages of the former too, and
    the latter have beside them those with exits and without stitches, where these are others.
    Exits that no network beats become points of the front, which are numbered anew; networks that
    exits beat leave it, and come back where the exits are others (`Front.beaten`).

    Of so many cascades the best ones by labels would be lucky ones. So they are chosen, on
    validation samples, by how probable their answers are to the likeliest reference, calibrated on
    these samples: by that nothing beats them. The accuracies that points tell are by labels, by
    which a cheaper one may be a little better.

    Args:
        supernet: The supernet that the front is of.
        task: The task that it was searched for.
        front: What `ns.search` found.
        stages: The most stages of a cascade, 2 or 3.
        evaluated: Genotypes that may be stages beside those of the front, with `stitched`.
        cost: The front's cost, where it is one of your own.
        form: Memory layout, batch size and workers; measured on this machine by default.
        device: Where subnetworks run.
        on_progress: Called with how much is done, of how much, and what.
        **options: Fields of `netstitch.cascades.CascadeSettings`.

    Raises:
        SearchError: A setting cannot be used, the front is of another supernet, or the task has no
            confidence.
    """
    check_names("find_cascades", options, signature(find_cascades).parameters, SearchError)
    check_kinds(form=form, spread=None)
    settings = CascadeSettings(stages=stages, **options)
    evaluated = list(evaluated)
    if evaluated and not settings.stitched:
        raise SearchError(
            f"{len(evaluated)} genotypes were given, and no network with stitches is to be a "
            "stage; give stitched=True too, or no genotypes"
        )
    name = str(device) if isinstance(device, torch.device) else device
    spread = ExecutionConfig(executor="serial", device=name)
    counted = cost_of_front(front, cost)
    checked = check_search(
        supernet, task, SupernetSearchSettings(objective=front.objective, cost=counted), spread
    )
    rule = rule_of(supernet, checked, settings)
    front = _searched(front)
    check_front(supernet, front)
    form = replace((form or measured_form(supernet, checked, spread)).exact, workers=spread.alone)

    def listener(event: Event) -> None:
        if isinstance(event, Advanced) and on_progress is not None:
            on_progress(event.done, event.total, event.text)
        warn(event)

    check_measured(supernet, checked, front, form, spread.here, stitched=settings.stitched)
    # Scores are what stitched stages are chosen by, and they take as long as a search.
    scored = scored_by(front.objective, supernet, checked)
    known = evaluate(supernet, scored, evaluated, form, spread.here)
    return _find(supernet, rule, front, known, settings, form, spread.here, counted, listener)


def find_cascades_of(
    supernet: Supernet,
    task: Task,
    front: Front,
    evaluated: Evaluated,
    settings: CascadeSettings,
    form: NumericsConfig,
    *,
    device: torch.device | str = "cpu",
    cost: Cost = MULTIPLY_ADDS,
    recalibrated: bool = False,
    listener: Listener = ignore,
) -> Front:
    """Find cascades as `find_cascades` does, of what a search evaluated.

    Where the search measured networks with statistics of their own (`recalibrated`), stages are
    networks without stitches, whose batch norms keep theirs. The listener is told how far it is.
    """
    if recalibrated and settings.stitched:
        listener(Message("cascades are of networks without stitches: others are recalibrated"))
        settings = settings.changed(stitched=False)
    rule = rule_of(supernet, task, settings)
    front = _searched(front)
    check_front(supernet, front)
    return _find(supernet, rule, front, evaluated, settings, form, device, cost, listener)


def _find(
    supernet: Supernet,
    rule: AnswerRule,
    front: Front,
    evaluated: Evaluated,
    settings: CascadeSettings,
    form: NumericsConfig,
    device: torch.device | str,
    cost: Cost,
    listener: Listener,
) -> Front:
    """Return a front of its search alone, which was checked, with exits and cascades."""
    listener(StageBegan("find cascades"))
    found, known = _found(supernet, rule, front, evaluated, settings, form, device, cost, listener)
    measured = _measured(
        supernet, rule, found, known, cost, settings.memory, form, device, listener
    )
    return _with_cascades(front, found, measured)


def _found(
    supernet: Supernet,
    rule: AnswerRule,
    front: Front,
    evaluated: Evaluated,
    settings: CascadeSettings,
    form: NumericsConfig,
    device: torch.device | str,
    cost: Cost,
    listener: Listener,
) -> tuple[Families, list[RunOutcome]]:
    """Return what is found on validation samples, and what all that is measured comes to there."""
    told, samples = advancing(listener), rule.task.validation
    most = settings.candidates if cost.parts is not None else min(settings.candidates, ASKED)
    if most < settings.candidates:
        text = f"{cost.name} are asked for each pair: at most {most} candidates are tried"
        listener(Message(text, warning=True))
    scored = scored_by(front.objective, supernet, rule.task)
    on_unsure = None
    if settings.stitched:
        on_unsure = scorer_on_unsure(supernet, rule, scored, cost, form, device)
    wanted = choose_stages(supernet, front, evaluated, cost, most, on_unsure)
    shape = measured_shape(supernet, rule.task)
    bytes_of_term = 4 * len(samples) * prod(shape)
    stages, in_memory = fitting_stages(wanted, bytes_of_term, settings.memory)
    if len(stages) < len(wanted):
        text = f"outputs of {len(stages)} of {len(wanted)} candidates fit: cascades are of these"
        listener(Message(text, warning=True))
    terms = terms_of(stages)
    with held(len(terms), (len(samples), *shape), in_memory) as out:
        outputs = compute_terms(supernet, rule.task, samples, terms, form, device, out, told)
        references = plain_stages(supernet, exits=False)
        places = [index for index, stage in enumerate(stages) if stage in references]
        answers = Answers(stages, outputs, samples.labels, rule, scored, places)
        costs = stage_costs(supernet, cost, [stage.subnetwork for stage in stages])
        table = stage_table(stages, answers, costs, told)
        found = find_families(table, stages, places, settings.stages, told)
        listener(StageBegan(f"measure {len(found.every)} cascades"))
        ran, memory = _ran(supernet, found), settings.memory
        known = run_cascades(
            supernet, rule, samples, ran, form, device, memory, told, known=outputs
        )
        return found, known


def _ran(supernet: Supernet, found: Families) -> list[Runnable]:
    """Return all cascades and exits that are measured, and the ensemble, where there is one."""
    cascades = dict.fromkeys((*found.plain, *found.with_exits, *found.every))
    alone = [CascadeStage(one) for one in found.exits]
    ensemble = _ensemble(supernet)
    return [*cascades, *alone, *(() if ensemble is None else (ensemble,))]


def _ensemble(supernet: Supernet) -> CascadeStage | None:
    """Return the ensemble that others are compared with; None where outputs are other choices."""
    genotype = supernet.references().get(ENSEMBLE)
    return None if genotype is None else CascadeStage(tuple(genotype.tolist()))


def _measured(
    supernet: Supernet,
    rule: AnswerRule,
    found: Families,
    on_validation: list[RunOutcome],
    cost: Cost,
    memory: int,
    form: NumericsConfig,
    device: torch.device | str,
    listener: Listener,
) -> Measured:
    """Measure all cascades and exits, and the ensemble, on the other parts of the data.

    An error leaves the samples out, as for networks of the front, which is told.
    """
    ran, told = _ran(supernet, found), advancing(listener)
    outcomes: dict[Split, list[RunOutcome]] = {"validation": on_validation}
    for part, samples in rule.task.measured.items():
        if part == "validation":
            continue
        try:
            outcomes[part] = run_cascades(supernet, rule, samples, ran, form, device, memory, told)
        except (NetstitchError, RuntimeError) as error:
            text = f"cascades were not measured on {part} samples: {one_line(error)}"
            listener(Message(text, warning=True))
            break
    return Measured(supernet, cost, ran, outcomes, _ensemble(supernet))


def _with_cascades(front: Front, found: Families, measured: Measured) -> Front:
    """Return the front with what was found, labelled by rising mean cost."""
    exits = [measured.exit_point(one) for one in found.exits]
    searched = (*front.points, *front.unconfirmed)
    static = _static(front, [*searched, *exits])
    kept = {one.genotype for one in (*static.points, *static.unconfirmed) if one.exit is None}
    beaten = tuple(point for point in searched if point.genotype not in kept)

    curves: Curves = {**found.plain, **found.with_exits, **found.every}
    if front.objective != ACCURACY:  # theirs are of another score
        curves = dict.fromkeys(curves, ())
    made = {cascade: measured.cascade_point(cascade, curve) for cascade, curve in curves.items()}
    plain = [made[cascade] for cascade in found.plain]
    points = {cascade: measured.beside(one, plain) for cascade, one in made.items()}

    def labelled(name: str, kept: Iterable[Cascade]) -> list[CascadePoint]:
        return [
            replace(points[one], label=f"{name}{rank}") for rank, one in enumerate(kept, start=1)
        ]

    return replace(
        static,
        cascades=tuple(labelled("C", found.every)),
        plain_cascades=(*labelled("plain-", found.plain), *labelled("exits-", found.apart)),
        beaten=beaten,
    )


def _searched(front: Front) -> Front:
    """Return a front as its search found it, without exits and cascades."""
    found = (*front.points, *front.beaten, *front.unconfirmed)
    return _static(front, [point for point in found if point.exit is None])


def _static(front: Front, points: Iterable[FrontPoint]) -> Front:
    """Return a front of some networks, otherwise like another."""
    return make_front(
        points,
        front.references,
        front.measure,
        front.objective,
        front.cost_name,
        front.unit,
        front.samples,
    )
