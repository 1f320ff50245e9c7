"""The answer of a stage: its terms (outputs of networks), calibrated and averaged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from netstitch.errors import SearchError
from netstitch.evaluation.measured_output import measured_key
from netstitch.stitching.cascade import Confidence
from netstitch.stitching.cascade_confidence import SMALLEST
from netstitch.stitching.cascade_terms import Term
from netstitch.stitching.subgraph import Averaging
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task
from netstitch.tasks.task_outputs import Outputs, average
from netstitch.text import expected_one_of


@dataclass(frozen=True, eq=False)
class AnswerRule:
    """Turns terms into an answer, and an answer into a confidence.

    Attributes:
        task: Measures confidence and correctness.
        kind: The confidence, such as "margin".
        averaging: How the supernet averages outputs of its networks.
        probabilities: Whether terms are probabilities; their temperatures are 1.
        key: The output's key, where networks put out dictionaries.
    """

    task: Task
    kind: Confidence
    averaging: Averaging
    probabilities: bool = False
    key: str | None = None

    def temperature(self, outputs: Tensor, labels: Tensor) -> float:
        """Return the temperature that calibrates a term's outputs, by which they are divided."""
        if self.probabilities or self.task.temperature is None:
            return 1.0
        return float(self.task.temperature(self.shown(outputs), labels))

    def answer(self, terms: Mapping[Term, Tensor]) -> Tensor:
        """Return the mean (n, classes, ...) of terms that are divided by their temperatures."""
        networks = [term.network for term in terms if term.network is not None]
        if len(terms) == 1:
            return next(iter(terms.values()))
        shares = self.averaging.shares(networks)
        return average([*terms.values()], shares, self.averaging.rule)

    def sureness(self, answer: Tensor, pair: Sequence[Tensor] = ()) -> Tensor:
        """Return the confidence (n,) of an answer; NaN for agreement without a second output.

        Args:
            answer: (n, classes, ...).
            pair: For agreement: the term computed before the stage's last one, and that one.
        """
        assert self.task.sureness is not None
        if self.kind != "agreement":
            return self.task.sureness(self.as_logits(answer), self.kind, None)
        if len(pair) < 2:
            return torch.full((len(answer),), torch.nan)
        other, own = (self.as_logits(each) for each in pair)
        return self.task.sureness(own, self.kind, other)

    def shown(self, answer: Tensor) -> Outputs:
        """Return an answer in the form of a network's output: a tensor, or a dictionary of one."""
        return answer if self.key is None else {self.key: answer}

    def as_logits(self, answer: Tensor) -> Outputs:
        """Return an answer as logits, in the form of a network's output."""
        return self.shown(answer.clamp(min=SMALLEST).log() if self.probabilities else answer)


def has_confidence(task: Task) -> bool:
    """Return whether a task declares a confidence, which cascades need."""
    return task.sureness is not None and bool(task.confidences)


def answer_rule(supernet: Supernet, task: Task, kind: Confidence) -> AnswerRule:
    """Return the rule that turns a supernet's terms into answers.

    Raises:
        SearchError: The task has no such confidence, or none.
    """
    if not has_confidence(task):
        raise SearchError(
            f"a {task.kind} has no confidence, which decides where samples leave a cascade; give a "
            "task that declares confidences and sureness, or leave cascades out"
        )
    if kind not in task.confidences:
        raise SearchError(
            f"a {task.kind} has no confidence {kind!r}: {expected_one_of(kind, task.confidences)}"
        )
    key = measured_key(supernet, task)
    probabilities = supernet.puts_out_probabilities(task.output)
    return AnswerRule(task, kind, supernet.averaging, probabilities, key)
