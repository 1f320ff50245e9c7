"""Whether a network is right as often as it says: reliability diagrams and their error.

Guo et al. (2017), On Calibration of Modern Neural Networks, section 2: predictions in bins of equal
width by the confidence in the predicted class, 0 to 1, each bin with its upper end, so that a
confidence of 1 is in the last one.
"""

from dataclasses import dataclass

from netstitch.files.documents import Count


@dataclass(frozen=True)
class Calibration:
    """Predictions by their confidence, in bins from 0 to 1.

    counts: of each bin, how many predictions. confidences, right: of each bin, the sum of their
    confidences, and how many are right.

    Raises ValueError for sums that are not of as many bins, or negative.
    """

    counts: tuple[Count, ...]
    confidences: tuple[float, ...]
    right: tuple[Count, ...]

    def __post_init__(self) -> None:
        if not len(self.counts) == len(self.confidences) == len(self.right) > 0:
            raise ValueError("a calibration's sums are not of equally many bins")
        for count, confidence, right in zip(self.counts, self.confidences, self.right, strict=True):
            if not (0 <= right <= count and 0 <= confidence <= count * (1 + 1e-9)):
                raise ValueError(f"{right} of {count} predictions are right in a bin")

    @property
    def error(self) -> float:
        """The expected calibration error: the bins' mean |accuracy - confidence|, by their counts.

        0 where there are no predictions.
        """
        total = sum(self.counts)
        gaps = zip(self.right, self.confidences, strict=True)
        return sum(abs(right - confidence) for right, confidence in gaps) / max(1, total)

    @property
    def diagram(self) -> tuple[tuple[float, float, int], ...]:
        """Of each bin that is not empty: mean confidence, accuracy, and count."""
        return tuple(
            (confidence / count, right / count, count)
            for count, confidence, right in zip(
                self.counts, self.confidences, self.right, strict=True
            )
            if count
        )
