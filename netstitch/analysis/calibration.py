"""Reliability diagrams, and the expected calibration error.

Guo et al. (2017), On Calibration of Modern Neural Networks, section 2: predictions in bins of equal
width by the confidence in the predicted class, 0 to 1, each bin with its upper end, so that a
confidence of 1 is in the last one.
"""

from dataclasses import dataclass

from netstitch.files.documents import Count


@dataclass(frozen=True)
class Calibration:
    """Predictions by their confidence, in bins from 0 to 1.

    Attributes:
        counts: How many predictions each bin has, and how many of them are `right`.
        confidences: The sum of each bin's confidences.

    Raises:
        ValueError: Sums are not of as many bins, or cannot be.
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
        """The bins' mean |accuracy - confidence|, weighted by their counts; 0 without any."""
        gaps = zip(self.right, self.confidences, strict=True)
        return sum(abs(right - sure) for right, sure in gaps) / max(1, sum(self.counts))

    @property
    def diagram(self) -> tuple[tuple[float, float, int], ...]:
        """Mean confidence, accuracy, and count of each bin that is not empty."""
        bins = zip(self.counts, self.confidences, self.right, strict=True)
        return tuple((sure / count, right / count, count) for count, sure, right in bins if count)
