"""Candidates as stages: confidence, score and cost of each on each validation sample."""

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
"""Confidence, score and correctness of an answer, (n,) each."""

silent = advancing(ignore)
"""A progress callback that does nothing."""


class Answers:
    """Answers of candidates on all samples, each computed when it is first needed.

    The score of an answer is the probability that the best reference, calibrated, gives to it
    (`Task.likely`), which varies less than a label does; for tasks without that, it is its
    correctness. The best reference is that of the least mean cross-entropy, or the least loss for
    tasks without cross-entropy.

    Args:
        stages: The candidates.
        outputs: The outputs (n, classes, ...) of each term.
        labels: (n, ...).
        rule: Turns terms into answers.
        scored: Measures correctness.
        references: The candidates that are references, by index.
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
        """Return the last stage's answer; None for a mean of its own terms alone."""
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
        confidence: (m, n), the confidence of each candidate's own answers.
        score: (m, n), their scores, by which cascades are chosen.
        right: (m, n), their correctness by labels.
        costs: The costs of the candidates.
        answers: On all samples, for answers that depend on earlier stages.
        rows: The indices of these samples among all.
        labelled: Whether `score` is `right`.
    """

    confidence: NDArray[np.float32]
    score: NDArray[np.float64]
    right: NDArray[np.float64]
    costs: StageCosts
    answers: Answers
    rows: NDArray[np.int64]
    labelled: bool = False

    def by_labels(self) -> "StageTable":
        """Return the table with correctness by labels as scores."""
        return replace(self, score=self.right, labelled=True)

    def taken(self, rows: NDArray[np.integer]) -> "StageTable":
        """Return the table of some of its samples, which may repeat."""
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
        """Return confidence and score, (n,) each, of the last stage's answer after the others.

        None for a mean of its own terms alone.
        """
        found = self.answers(path, mean)
        if found is None:
            return None
        sure, counted, right = found
        return sure[self.rows], (right if self.labelled else counted)[self.rows]

    @cached_property
    def alone(self) -> Drafts:
        """The candidates as drafts of one stage."""
        every = np.arange(len(self.score))[:, None]
        none = np.zeros((len(every), 0))
        return make_drafts(every, none, self.costs.whole, self.score.mean(1))

    def outcome(
        self, draft: Drafts, index: int, *, going_on: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the scores (n,) of a draft's answers, and the stage at which each sample left.

        With `going_on`, no sample leaves at the first stage.
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
        """Return drafts with their costs and scores on these samples."""
        cost, score = np.zeros(len(drafts)), np.zeros(len(drafts))
        for index in range(len(drafts)):
            right, left = self.outcome(drafts, index)
            path = drafts.path(index)
            reached = [(left >= place).mean() for place in range(len(path))]
            cost[index] = np.dot(self.costs.along(path), reached)
            score[index] = right.mean()
        return drafts.measured(cost, score)


def stage_table(
    stages: Sequence[Stage],
    answers: Answers,
    costs: StageCosts,
    progress: ProgressCallback = silent,
) -> StageTable:
    """Return the table of all samples; the candidates' own answers are computed now."""
    found = []
    for index in range(len(stages)):
        answered = answers((index,), False)
        assert answered is not None
        found.append(answered)
        progress(index + 1, len(stages), "answers of stages")
    sure, counted, right = (np.stack(values) for values in zip(*found, strict=True))
    rows = np.arange(sure.shape[1])
    return StageTable(sure, counted, right, costs, answers, rows)
