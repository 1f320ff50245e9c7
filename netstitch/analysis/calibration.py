"""Reliability diagrams, and the expected calibration error.

Guo et al. (2017), On Calibration of Modern Neural Networks, section 2: predictions in bins of equal
width by the confidence in the predicted class, 0 to 1, each bin with its upper end, so that a
confidence of 1 is in the last one. The error is over 15 bins, as most papers have it, and over the
ten of width 0.1 that Guijt et al. (section 8) tell of.
"""

from dataclasses import dataclass

from netstitch.files.documents import Count

_Bins = list[tuple[int, float, int]]
"""Count, sum of confidences, and how many are right, of each bin."""

BINS, PAPERS_BINS = 15, 10


@dataclass(frozen=True)
class Calibration:
    """Predictions by their confidence, in bins from 0 to 1.

    Where bins are finer than those that an error is over, neighbours are put together.

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
        """The mean |accuracy - confidence| over 15 bins, weighted by their counts; 0 without any.

        Over its own bins where they cannot be put together to 15.
        """
        return self._gap(self._together(BINS) or self._bins)

    @property
    def error_of_ten_bins(self) -> float | None:
        """The same over ten bins of width 0.1; None where bins cannot be put together to these."""
        found = self._together(PAPERS_BINS)
        return None if found is None else self._gap(found)

    @property
    def diagram(self) -> tuple[tuple[float, float, int], ...]:
        """Mean confidence, accuracy, and count of each bin that is not empty, as of `error`."""
        bins = self._together(BINS) or self._bins
        return tuple((sure / count, right / count, count) for count, sure, right in bins if count)

    @property
    def _bins(self) -> _Bins:
        return list(zip(self.counts, self.confidences, self.right, strict=True))

    def _together(self, bins: int) -> _Bins | None:
        """Return the sums of so many bins; None where those there are do not make them up."""
        width, rest = divmod(len(self.counts), bins)
        if rest:
            return None
        starts = range(0, len(self.counts), width)
        return [
            (
                sum(self.counts[start : start + width]),
                sum(self.confidences[start : start + width]),
                sum(self.right[start : start + width]),
            )
            for start in starts
        ]

    def _gap(self, bins: _Bins) -> float:
        return sum(abs(right - sure) for _, sure, right in bins) / max(1, sum(self.counts))
