"""A Bayesian linear regression of several targets on the same sparse features."""

import numpy as np
import scipy.linalg
from scipy.sparse import csr_array

from netstitch.optimization.operators.scalarisation import Floats

AT_ONCE = 256
"""The number of known rows from which the last may wait for others, as each means a new inverse."""

AT_MOST = 4_096
"""The most rows that are inverted where there are more features: two matrices of 130 MB."""


class LinearModel:
    """The posterior of coefficients, with independent normal priors of mean 0 and equal noise.

    Only features are kept: targets are given for each draw, so that their units may change.

    Args:
        prior: Prior variances of the coefficients, (d,).
        noise: Standard deviation of what features do not explain.
    """

    def __init__(self, prior: Floats, noise: float) -> None:
        self._prior, self._noise = prior, noise
        self._places: list[int] = []  # of features that are not 0, row by row
        self._values: list[float] = []
        self._ends: list[int] = [0]  # where rows end among these
        self._end = 0  # of the rows in what is inverted
        self._inverted: tuple[csr_array, Floats] | None = None

    def learn(self, features: Floats) -> None:
        """Take in one row of features, (d,), of which few are not 0."""
        places = np.flatnonzero(features)
        self._places += places.tolist()
        self._values += features[places].tolist()
        self._ends.append(len(self._places))

    def drawn(self, targets: Floats, generator: np.random.Generator) -> Floats:
        """Return coefficients, (d, t), drawn from the posterior given the rows' targets, (n, t).

        Of n rows the last n % (n // AT_ONCE) are left out as yet, so that a search of many rows
        inverts a matrix some hundred times for each doubling of these, not once a row. Inverting
        takes the cube of n or of d, whichever is less; where both are more than AT_MOST, the last
        AT_MOST rows count.
        """
        end = len(targets) - len(targets) % max(1, len(targets) // AT_ONCE)
        first = max(0, end - AT_MOST) if len(self._prior) > AT_MOST else 0
        if self._inverted is None or end != self._end:
            self._end, self._inverted = end, self._factored(first, end)
        (rows, factor), targets = self._inverted, targets[first:end]
        prior, noise = self._prior[:, None], self._noise
        if len(targets) >= len(prior):
            means = scipy.linalg.cho_solve((factor, True), rows.T @ targets / noise**2)
            random = generator.standard_normal(means.shape)
            found: Floats = means + scipy.linalg.solve_triangular(
                factor, random, lower=True, trans=1
            )
            return found
        # Draws of coefficients and noise a priori, corrected by what they miss (Matheron's rule).
        before = np.sqrt(prior) * generator.standard_normal((len(prior), targets.shape[1]))
        missed = targets - rows @ before - noise * generator.standard_normal(targets.shape)
        drawn: Floats = before + prior * (rows.T @ scipy.linalg.cho_solve((factor, True), missed))
        return drawn

    def _factored(self, first: int, end: int) -> tuple[csr_array, Floats]:
        """Return n rows from the first one on, (n, d), and the Cholesky factor of the inverse.

        What is inverted is the posterior's precision, (d, d), or where there are fewer rows the
        covariance of their targets, (n, n).
        """
        shape = end - first, len(self._prior)
        ends = np.array(self._ends[first : end + 1], dtype=np.int64)
        values = np.array(self._values[ends[0] : ends[-1]], dtype=np.float64)
        places = np.array(self._places[ends[0] : ends[-1]], dtype=np.int64)
        ends -= ends[0]
        rows = csr_array((values, places, ends), shape=shape)
        if shape[0] >= shape[1]:
            precision = (rows.T @ rows).toarray() / self._noise**2
            whole = np.asarray(np.diag(1 / self._prior) + precision, np.float64)
        else:
            scaled = values * self._prior[places]
            covered = (csr_array((scaled, places, ends), shape=shape) @ rows.T).toarray()
            whole = np.asarray(covered + self._noise**2 * np.eye(shape[0]), np.float64)
        factor: Floats = scipy.linalg.cholesky(whole, lower=True, overwrite_a=True)
        return rows, factor
