"""A search of each population size, of which the best counts.

The paper's section 7 chooses every algorithm's population so, by the normalised hypervolume at the
end of a run with the whole budget. What one size evaluated is known to the next, and what a search
that was stopped did to the one that goes on from its record.
"""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from netstitch.analysis.front_chart import tenth_below
from netstitch.analysis.hypervolume import REACH, ReferencePoint
from netstitch.costs import find_cost
from netstitch.events import Listener, Message, StageBegan
from netstitch.files.documents import Count
from netstitch.optimization import (
    Engine,
    Evaluation,
    Executor,
    HeadStart,
    Initialisation,
    Problem,
    Progress,
    RejectionRule,
    SearchResult,
    SearchStart,
    Solution,
    nonzero_probability,
    prepare_search,
)
from netstitch.optimization.executors.replay import (
    Arrival,
    KnownResult,
    OrderedExecutor,
    ReplayExecutor,
    known_by,
    known_by_arrival,
)
from netstitch.searching.first_networks import first_networks
from netstitch.searching.reference_evaluation import check_no_reference, evaluate_references
from netstitch.searching.search_progress import (
    EVERY,
    ResultRecorded,
    SearchAdvanced,
    SearchMeasured,
    archive_hypervolume,
    score_text,
    search_progress,
)
from netstitch.searching.search_recorder import SearchRecorder
from netstitch.searching.supernet_search_settings import SupernetSearchSettings
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet

BELOW_WORST, BELOW_BEST = 0.1, 0.3
"""Scores so far under the worst of the references, or under the best, are all the same to an
algorithm that asks for a reference point."""


@dataclass(frozen=True)
class Swept:
    """A population size, and what a run with it came to.

    Attributes:
        hypervolume: Of the accuracies and costs that the search saw, over the reference point
            that all sizes share.
        evaluated: Distinct evaluations.
        skipped: Proposals that were known.
    """

    population: Count
    hypervolume: float
    evaluated: Count
    skipped: Count


@dataclass(frozen=True)
class SupernetSearch:
    """A supernet as a search problem; each population size is a search of its own.

    Attributes:
        supernet: What is searched.
        settings: How; the population counts for nothing here.
        seed: Of all random choices.
        stops_early: Whether evaluations end where their outcome is certain.
        floor: The score that hypervolumes count from; None for that of the worst reference,
            rounded down to a tenth.
        races: Whether they may end after a part of the samples too, and only what is on the front
            is evaluated on all.
    """

    supernet: Supernet
    settings: SupernetSearchSettings
    seed: int
    stops_early: bool = False
    floor: float | None = None
    races: bool = False

    def cost_of(self, genotype: Genotype) -> float:
        """Return the cost that is held against the objective."""
        return float(find_cost(self.settings.cost).of(self.supernet, genotype))

    @property
    def problem(self) -> Problem:
        """The scores by the objective, and the costs, of genotypes."""
        return Problem(
            self.supernet.cardinalities,
            self.settings.objectives,
            signature=self.supernet.wiring.digest,
            active=self.supernet.wiring.active,
            computed={self.settings.objectives[1].name: self.cost_of},
        )

    @property
    def apart(self) -> bool:
        """True where references are no members of the first population."""
        return self.settings.references == "apart"

    @cached_property
    def ensemble(self) -> float:
        """The cost of the ensemble, or of the dearest reference where there is none."""
        return max(map(self.cost_of, self.supernet.references().values()))

    def reference_point(self, known: Mapping[Hashable, KnownResult]) -> ReferencePoint | None:
        """Return the point from which hypervolumes are reported.

        None while no reference is known, unless the floor is given. One that ended early counts by
        the best that it can be.
        """
        scores = self._reference_scores(known)
        if self.floor is None and not scores:
            return None
        floor = tenth_below(min(scores)) if self.floor is None else self.floor
        return ReferencePoint(self.ensemble, floor)

    def worthless_beyond(self, known: Mapping[Hashable, Solution]) -> tuple[float, float] | None:
        """Return the score and the cost beyond which an algorithm makes no difference.

        The score follows those of the references and nothing that fronts are reported by. None
        while one of them is not known.
        """
        scores = self._reference_scores(known)
        if len(scores) < len(self._reference_signatures):
            return None
        return max(min(scores) - BELOW_WORST, max(scores) - BELOW_BEST), REACH * self.ensemble

    def _reference_scores(self, known: Mapping[Hashable, KnownResult | Solution]) -> list[float]:
        results = [known.get(signature) for signature in self._reference_signatures]
        return [one.objectives[0] for one in results if one is not None and one.objectives]

    @cached_property
    def _reference_signatures(self) -> list[Hashable]:
        return [self.problem.identify(one) for one in self.supernet.references().values()]

    def engine(
        self,
        population: int,
        executor: Executor,
        *,
        on_evaluation: Callable[[Evaluation], None],
        on_progress: Callable[[Progress], None],
    ) -> Engine:
        """Return a search of this size that is not run yet."""
        settings, length = self.settings, len(self.supernet.cardinalities)
        head_start = None
        if settings.first_networks and not self.apart:
            genotypes = first_networks(self.supernet, self.cost_of)
            head_start = HeadStart(genotypes, settings.first_networks)
        probability = nonzero_probability(length, settings.initial_stitches)
        # The most that a genotype can be: all samples right.
        rule = RejectionRule(
            settings.objective, lambda one: (1.0, self.cost_of(one)), racing=self.races
        )
        return prepare_search(
            self.problem,
            executor,
            settings.changed(population=population),
            start=SearchStart(
                initial=[] if self.apart else list(self.supernet.references().values()),
                head_start=head_start,
                initialisation=Initialisation(probability=probability, uniform=(-1,)),
            ),
            seed=self.seed,
            on_evaluation=on_evaluation,
            on_progress=on_progress,
            rejection=rule if self.stops_early else None,
            reference_point=self.worthless_beyond,
        )


def search_sizes(
    search: SupernetSearch,
    executor: Executor,
    ordered: bool,
    *,
    record: SearchRecorder | None,
    listener: Listener,
) -> tuple[SearchResult, tuple[Swept, ...]]:
    """Search with a population of each size, and return the best result, and all in short.

    Results are written into the record as they come, and the search goes on from there, with as
    many evaluations under way as it began with, whatever there are places for now. If
    `ordered`, the search is given results in the order in which it asked for them. The listener is
    told of each distinct evaluation, how far the search is, and which population size begins; and
    of the scores of references that are evaluated apart, which is done first.

    Raises:
        SearchError: A reference network cannot be evaluated.
        KeyboardInterrupt: The search was stopped before it was as far as its record.
    """
    sizes, budget = search.settings.sizes, search.settings.budget
    references = search.supernet.references()
    known: dict[Hashable, KnownResult] = {} if record is None else record.known
    problem = search.problem
    capacity = executor.capacity if record is None else record.capacity(executor.capacity)
    if capacity < executor.workers:
        listener(
            Message(
                f"the search began with {capacity:,} evaluations under way and goes on so: of "
                f"{executor.workers:,} workers no more have work"
            )
        )
    measured_next = 0.0

    def keep(evaluation: Evaluation) -> None:
        if record is not None:
            record.keep(evaluation)
        else:
            known[evaluation.signature] = known_by(evaluation)
        listener(ResultRecorded(evaluation))
        if evaluation.failure is not None:
            check_no_reference(references, evaluation)

    def learn(arrivals: Sequence[Arrival]) -> None:
        """Take in what no search is given yet."""
        known.update({one.signature: known_by_arrival(one, problem.objectives) for one in arrivals})

    def remember(arrivals: Sequence[Arrival]) -> None:
        """Take in what ended early and was done whole after all."""
        for one in arrivals:
            if one.signature in known:
                known[one.signature] = known_by_arrival(one, problem.objectives)

    def search_with(size: int) -> SearchResult:
        if len(sizes) > 1:
            listener(StageBegan(f"search with a population of {size:,}"))
        arrive = remember if record is None else record.arrive
        replaying = ReplayExecutor(executor, problem.identify, known, arrive, capacity)

        def look(progress: Progress) -> None:
            nonlocal measured_next
            if record is not None:
                record.look()
            now = time.monotonic()
            if now >= measured_next:
                measured_next = now + EVERY
                measure(progress)
            listener(SearchAdvanced(progress, budget))

        def measure(progress: Progress) -> None:
            if record is None or not record.behind:
                workers, over = executor.workers, search.reference_point(known)
                measured = search_progress(size, progress, budget, engine.front, workers, over)
                if record is not None:
                    record.note(measured)
                listener(SearchMeasured(measured))

        source = OrderedExecutor(replaying) if ordered and capacity > 1 else replaying
        engine = search.engine(size, source, on_evaluation=keep, on_progress=look)
        if record is not None:
            record.begin(size, engine, replaying)
        result = engine.run()
        if record is not None:
            if result.stopped == "interrupted" and record.behind:
                raise KeyboardInterrupt  # what there was before is more than this result
            record.save()
        measure(engine.account.progress())
        return result

    if search.apart:
        arrive = learn if record is None else record.arrive
        replaying = ReplayExecutor(executor, problem.identify, known, arrive, capacity)
        scores = evaluate_references(references, problem, replaying)
        listener(Message(_in_words(scores, search.settings.objective)))
    return sweep(search_with, sizes, lambda: search.reference_point(known))


def sweep(
    search: Callable[[int], SearchResult],
    sizes: Sequence[int],
    reference_point: Callable[[], ReferencePoint | None],
) -> tuple[SearchResult, tuple[Swept, ...]]:
    """Run each size, and keep the result with the most hypervolume, the first of equal ones.

    An interruption ends the sweep too: of what there is, the best is kept, as interrupted. The
    reference point, which the searches may have to find, is asked for once they are done.
    """
    results: list[SearchResult] = []
    interrupted = False
    for size in sizes:
        try:
            result = search(size)
        except KeyboardInterrupt:  # between two searches; within one it is a result
            if not results:
                raise
            interrupted = True
            break
        results.append(result)
        interrupted = result.stopped == "interrupted"
        if interrupted:
            break
    over = reference_point()
    swept = tuple(
        Swept(size, archive_hypervolume(one.archive, over), one.evaluated, one.skipped)
        for size, one in zip(sizes, results, strict=False)
    )
    best = results[swept.index(best_of(swept))]
    return replace(best, stopped="interrupted") if interrupted else best, swept


def best_of(swept: Sequence[Swept]) -> Swept:
    """Return the size whose result a sweep keeps: the first with the most hypervolume."""
    return max(swept, key=lambda one: one.hypervolume)


def _in_words(scores: Mapping[str, tuple[float, ...]], objective: str) -> str:
    told = [f"{name} {score_text(objective, score)}" for name, (score, _) in scores.items()]
    return f"evaluated apart from the search: {', '.join(told)}"
