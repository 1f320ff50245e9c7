"""Candidates as stages: how sure each is of each validation sample, how right, and at what cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from netstitch.cascades.answers import AnswerRule
from netstitch.cascades.drafts import Drafts, make_drafts
from netstitch.cascades.stage_costs import StageCosts
from netstitch.cascades.terms import Stage, averaged, terms_of
from netstitch.events import ProgressCallback, advancing, ignore
from netstitch.stitching.cascade import Confidence
from netstitch.stitching.cascade_terms import Term
from netstitch.tasks import Task
from netstitch.tasks.task_outputs import check_finite

BLOCK = 8_000_000
"""Bytes of terms that are worked on together: what is copied of them is a few times as much, of any
number of samples."""

Answered = tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]
"""An answer to each of n samples, as (n,) each: its sureness, what it counts for the choice, and
how right it is."""

silent = advancing(ignore)
"""Progress that nobody is told of."""


class Answers:
    """Answers of candidates on all samples, each worked out once, where it is first needed.

    An answer counts as much as the likeliest reference, all being calibrated, takes it to be right
    (`Task.likely`): so far less is owed to chance than where a label decides. Where the task cannot
    tell, it counts as its label says.

    The likeliest reference is that of the least mean of the task's cross-entropy of each sample;
    of its loss, where it has none.

    Args:
        stages: The candidates.
        outputs: Of each term, (n, classes, ...).
        labels: (n, ...).
        rule: How terms become answers.
        scored: What says how right they are.
        references: Those of the candidates that are references.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        outputs: Mapping[Term, Tensor],
        labels: Tensor,
        rule: AnswerRule,
        scored: Task,
        references: Sequence[int] = (),
    ) -> None:
        self._stages, self._outputs, self._labels = stages, outputs, labels
        self._rule, self._scored = rule, scored
        self.temperatures: dict[Term, float] = {}
        self._known: dict[tuple[tuple[int, ...], bool], Answered] = {}
        self._best: tuple[Term, ...] = ()
        if references and scored.likely is not None:
            # Which of them is right more often may be a matter of a few samples.
            losses = [self._loss(stages[one].terms) for one in references]
            self._best = stages[references[int(np.argmin(losses))]].terms

    @property
    def kind(self) -> Confidence:
        """The kind of confidence."""
        return self._rule.kind

    def __call__(self, path: tuple[int, ...], mean: bool) -> Answered | None:
        """Return the answer of the last of some stages; None for a mean that is its own answer."""
        chosen = [self._stages[one] for one in path]
        terms = averaged(chosen) if mean else chosen[-1].terms
        if terms is None:
            return None
        if not mean and self._rule.kind != "agreement":
            path = path[-1:]
        if (path, mean) not in self._known:
            self._known[path, mean] = self._answered(terms, chosen)
        return self._known[path, mean]

    def _answered(self, terms: Sequence[Term], chosen: Sequence[Stage]) -> Answered:
        last = chosen[-1].terms[-1]
        others = [term for term in terms_of(chosen) if term != last]
        pair = (*others, last)[-2:] if self._rule.kind == "agreement" else ()
        blocks = self._blocks((*terms, *pair, *self._best))
        parts = [self._answered_in(rows, terms, pair) for rows in blocks]
        sure, counted, right = (np.concatenate(values) for values in zip(*parts, strict=True))
        return sure, counted, right

    def _answered_in(self, rows: slice, terms: Sequence[Term], pair: Sequence[Term]) -> Answered:
        answer, labels = self._own(terms, rows), self._labels[rows]
        sure = self._rule.sureness(answer, [self._scaled(term, rows) for term in pair])
        shown = self._rule.shown(answer)
        right = counted = self._scored.correct(shown, labels)
        if self._best and self._scored.likely is not None:
            best = self._rule.as_logits(self._own(self._best, rows))
            counted = self._scored.likely(shown, best, labels)
        return sure.float().numpy(), counted.double().numpy(), right.double().numpy()

    def _loss(self, terms: Sequence[Term]) -> float:
        """Return the mean loss over samples; a task's own mean counts for all of a block."""
        total = 0.0
        for rows in self._blocks(terms):
            logits, labels = self._rule.as_logits(self._own(terms, rows)), self._labels[rows]
            if self._scored.cross_entropy is not None:
                total += float(self._scored.cross_entropy(logits, labels).double().sum())
            else:
                total += self._scored.loss(logits, labels) * len(labels)
        return total / len(self._labels)

    def _blocks(self, terms: Sequence[Term]) -> Iterator[slice]:
        """Yield slices of samples, of which the distinct terms take no more than BLOCK bytes."""
        size = max(1, BLOCK // sum(self._outputs[term][0].nbytes for term in set(terms)))
        for start in range(0, len(self._labels), size):
            yield slice(start, start + size)

    def _own(self, terms: Sequence[Term], rows: slice) -> Tensor:
        return self._rule.answer({term: self._scaled(term, rows) for term in terms})

    def _scaled(self, term: Term, rows: slice) -> Tensor:
        """Return a term divided by its temperature, which is fitted where it is first needed."""
        whole = self._outputs[term]
        if term not in self.temperatures:
            check_finite(whole)  # in a block, samples would be miscounted
            self.temperatures[term] = self._rule.temperature(whole, self._labels)
        return whole[rows] / self.temperatures[term]


@dataclass(frozen=True, eq=False)
class StageTable:
    """m candidates on n samples.

    Attributes:
        confidence: (m, n), how sure the own answers are.
        score: (m, n), what they count for the choice.
        right: (m, n), how right they are.
        costs: Of the candidates.
        answers: Of candidates on all samples, for those that depend on earlier stages.
        rows: Which of all samples these are.
        labelled: The scores are how right answers are.
    """

    confidence: NDArray[np.float32]
    score: NDArray[np.float64]
    right: NDArray[np.float64]
    costs: StageCosts
    answers: Answers
    rows: NDArray[np.int64]
    labelled: bool = False

    def by_labels(self) -> "StageTable":
        """Return the same with scores that say how right answers are."""
        return replace(self, score=self.right, labelled=True)

    def taken(self, rows: NDArray[np.integer]) -> "StageTable":
        """Return the same on some of its samples; one may be there several times."""
        return replace(
            self,
            confidence=self.confidence[:, rows],
            score=self.score[:, rows],
            right=self.right[:, rows],
            rows=self.rows[rows],
        )

    def answer(
        self, path: tuple[int, ...], mean: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]] | None:
        """Return how sure the last of some stages is, and its score, (n,) each.

        None for a mean answer that is its own.
        """
        found = self.answers(path, mean)
        if found is None:
            return None
        sure, counted, right = found
        return sure[self.rows], (right if self.labelled else counted)[self.rows]

    @cached_property
    def alone(self) -> Drafts:
        """Each candidate as it is, without a cascade."""
        every = np.arange(len(self.score))[:, None]
        none = np.zeros((len(every), 0))
        return make_drafts(every, none, self.costs.whole, self.score.mean(1))

    def outcome(
        self, draft: Drafts, index: int, *, going_on: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return (n,) how right a draft's answers are, and at which stage each sample left.

        Where samples are told to go on, none leaves at the first stage.
        """
        path = draft.path(index)
        score, left = np.zeros(len(self.rows)), np.zeros(len(self.rows), np.int64)
        going = np.ones(len(self.rows), np.bool_)
        for place in range(len(path)):
            answered = self.answer(path[: place + 1], bool(draft.mean[index, place]))
            assert answered is not None
            sure, right = answered
            last = place == len(path) - 1
            leaving = going if last else going & (sure >= draft.thresholds[index, place])
            if going_on and place == 0 and not last:
                continue
            score[leaving], left[leaving] = right[leaving], place
            going = going & ~leaving
        return score, left

    def remeasured(self, drafts: Drafts) -> Drafts:
        """Return drafts with what they come to on these samples."""
        cost, score = np.zeros(len(drafts)), np.zeros(len(drafts))
        for index in range(len(drafts)):
            right, left = self.outcome(drafts, index)
            path = drafts.path(index)
            reached = [(left >= place).mean() for place in range(len(path))]
            cost[index] = np.dot(self.costs.along(path), reached)
            score[index] = right.mean()
        return drafts.measured(cost, score)


def stage_table(
    stages: Sequence[Stage], answers: Answers, costs: StageCosts, told: ProgressCallback = silent
) -> StageTable:
    """Return the table of all samples; own answers are worked out now."""
    found = []
    for index in range(len(stages)):
        answered = answers((index,), False)
        assert answered is not None
        found.append(answered)
        told(index + 1, len(stages), "answers of stages")
    sure, counted, right = (np.stack(values) for values in zip(*found, strict=True))
    rows = np.arange(sure.shape[1])
    return StageTable(sure, counted, right, costs, answers, rows)
