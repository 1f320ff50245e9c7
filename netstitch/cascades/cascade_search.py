"""`ns.find_cascades`: adds cascades, and exits that pay, to the front of a search."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from inspect import signature
from math import prod
from typing import Literal, Unpack

import torch
from torch import Tensor

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
from netstitch.cascades.measured_cascades import CascadeOutcomes
from netstitch.cascades.running import CascadeOrStage, RunOutcome, run_cascades
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
    ProgressCallback,
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
from netstitch.stitching.cascade_terms import Term
from netstitch.supernet.decisions import AnyGenotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.text import one_line

ASKED = 30
"""The most candidates where the cost of each pair has to be computed by itself."""


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
    on_progress: ProgressCallback | None = None,
    **options: Unpack[CascadeKeywords],
) -> Front:
    """Return the front with cascades, and with exits that no network beats.

    `Front.cascades` holds a few dozen, by rising mean cost. Their stages are references and exits,
    where these were fitted (`Supernet.fit_exits`), and with `stitched` stitched networks too.
    `Front.plain_cascades` holds those of the references alone, to compare with; with `stitched`
    also those of references and exits. Exits that no network beats become points of the front,
    which is numbered anew. Networks that exits beat move to `Front.beaten`; with other exits they
    may come back.

    Cascades are chosen on validation samples, but not by their accuracy there: the best of so many
    would be lucky ones. An answer counts as the probability that the best reference, calibrated on
    the same samples, gives to it. Points report accuracies by labels, so that a cheaper cascade may
    be a little more accurate there than a dearer one.

    Args:
        supernet: The supernet that the front is of.
        task: The task that it was searched for.
        front: What `ns.search` found.
        stages: The most stages of a cascade, 2 or 3.
        evaluated: More genotypes that may be stages, with `stitched`.
        cost: The front's cost, where it is one of your own.
        form: Memory layout, batch size and workers; measured on this machine by default.
        device: Where subnetworks run.
        on_progress: Called with how much is done, of how much in all, and a line of text.
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
    search = _CascadeSearch(supernet, rule, settings, form, spread.here, counted, listener)
    return search.extended(front, known)


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
    """Find cascades as `find_cascades` does, with all that a search evaluated.

    Where the search recalibrated batch norms (`recalibrated`), stages have no stitches, since the
    norms of these networks keep their statistics. The listener is told of progress.
    """
    if recalibrated and settings.stitched:
        listener(Message("cascades are of networks without stitches: others are recalibrated"))
        settings = settings.changed(stitched=False)
    rule = rule_of(supernet, task, settings)
    front = _searched(front)
    check_front(supernet, front)
    search = _CascadeSearch(supernet, rule, settings, form, device, cost, listener)
    return search.extended(front, evaluated)


@dataclass(frozen=True)
class _CascadeSearch:
    supernet: Supernet
    rule: AnswerRule
    settings: CascadeSettings
    form: NumericsConfig
    device: torch.device | str
    cost: Cost
    listener: Listener

    def extended(self, front: Front, evaluated: Evaluated) -> Front:
        """Return a front, as `_searched` gives it, with exits and cascades."""
        self.listener(StageBegan("find cascades"))
        found, known = self._found(front, evaluated)
        return _with_cascades(front, found, self._measured(found, known))

    def _found(self, front: Front, evaluated: Evaluated) -> tuple[Families, list[RunOutcome]]:
        """Return the cascades that are kept, and their outcomes on validation samples."""
        supernet, rule, settings, cost = self.supernet, self.rule, self.settings, self.cost
        progress, samples = advancing(self.listener), rule.task.validation
        most = settings.candidates if cost.parts is not None else min(settings.candidates, ASKED)
        if most < settings.candidates:
            text = f"{cost.name} are asked for each pair: at most {most} candidates are tried"
            self.listener(Message(text, warning=True))
        scored = scored_by(front.objective, supernet, rule.task)
        on_unsure = None
        if settings.stitched:
            on_unsure = scorer_on_unsure(supernet, rule, scored, cost, self.form, self.device)
        wanted = choose_stages(supernet, front, evaluated, cost, most, on_unsure)
        shape = measured_shape(supernet, rule.task)
        bytes_of_term = 4 * len(samples) * prod(shape)
        stages, in_memory = fitting_stages(wanted, bytes_of_term, settings.memory)
        if len(stages) < len(wanted):
            few = f"{len(stages)} of {len(wanted)} candidates"
            text = f"outputs of {few} fit: cascades are of these"
            self.listener(Message(text, warning=True))
        terms = terms_of(stages)
        with held(len(terms), (len(samples), *shape), in_memory) as out:
            outputs = compute_terms(
                supernet, rule.task, samples, terms, self.form, self.device, out, progress
            )
            references = plain_stages(supernet, exits=False)
            places = [index for index, stage in enumerate(stages) if stage in references]
            answers = Answers(stages, outputs, samples.labels, rule, scored, places)
            costs = stage_costs(supernet, cost, [stage.subnetwork for stage in stages])
            table = stage_table(stages, answers, costs, progress)
            found = find_families(table, stages, places, settings.stages, progress)
            self.listener(StageBegan(f"measure {len(found.every)} cascades"))
            return found, self._outcomes(samples, _ran(supernet, found), outputs)

    def _measured(self, found: Families, on_validation: list[RunOutcome]) -> CascadeOutcomes:
        """Measure cascades, exits and the ensemble on confirmation and test samples too.

        After an error these samples are left out, with a warning, as for networks of the front.
        """
        ran = _ran(self.supernet, found)
        outcomes: dict[Split, list[RunOutcome]] = {"validation": on_validation}
        for part, samples in self.rule.task.measured.items():
            if part == "validation":
                continue
            try:
                outcomes[part] = self._outcomes(samples, ran, {})
            except (NetstitchError, RuntimeError) as error:
                text = f"cascades were not measured on {part} samples: {one_line(error)}"
                self.listener(Message(text, warning=True))
                break
        return CascadeOutcomes(self.supernet, self.cost, ran, outcomes, _ensemble(self.supernet))

    def _outcomes(
        self, samples: Samples, ran: list[CascadeOrStage], known: Mapping[Term, Tensor]
    ) -> list[RunOutcome]:
        return run_cascades(
            *(self.supernet, self.rule, samples, ran, self.form, self.device),
            self.settings.memory,
            advancing(self.listener),
            known=known,
        )


def _ran(supernet: Supernet, found: Families) -> list[CascadeOrStage]:
    """Return all that is measured: cascades, exits and, where there is one, the ensemble."""
    cascades = dict.fromkeys((*found.plain, *found.with_exits, *found.every))
    alone = [CascadeStage(one) for one in found.exits]
    ensemble = _ensemble(supernet)
    return [*cascades, *alone, *(() if ensemble is None else (ensemble,))]


def _ensemble(supernet: Supernet) -> CascadeStage | None:
    """Return the ensemble of all networks as a stage; None where no output is that."""
    genotype = supernet.references().get(ENSEMBLE)
    return None if genotype is None else CascadeStage(tuple(genotype.tolist()))


def _with_cascades(front: Front, found: Families, measured: CascadeOutcomes) -> Front:
    """Return the front with exits and cascades, labelled by rising mean cost."""
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
    """Return the front as the search found it, without exits and cascades."""
    found = (*front.points, *front.beaten, *front.unconfirmed)
    return _static(front, [point for point in found if point.exit is None])


def _static(front: Front, points: Iterable[FrontPoint]) -> Front:
    """Return a front like another, of other points and without cascades."""
    return make_front(
        points,
        front.references,
        front.measure,
        front.objective,
        front.cost_name,
        front.unit,
        front.samples,
    )
