"""A Bayesian linear regression of several targets on the same sparse features."""

import numpy as np
import scipy.linalg
from scipy.sparse import csr_array

from netstitch.optimization.operators.scalarisation import Floats


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
        self._read: tuple[csr_array, Floats] | None = None

    def learn(self, features: Floats) -> None:
        """Take in one row of features, (d,), of which few are not 0."""
        places = np.flatnonzero(features)
        self._places += places.tolist()
        self._values += features[places].tolist()
        self._ends.append(len(self._places))
        self._read = None

    def drawn(self, targets: Floats, generator: np.random.Generator) -> Floats:
        """Return coefficients, (d, t), drawn from the posterior given the rows' targets, (n, t).

        It takes the cube of n or of d, whichever is less.
        """
        if self._read is None:
            self._read = self._factored()
        rows, factor = self._read
        prior, noise, count = self._prior[:, None], self._noise, targets.shape[1]
        if len(targets) >= len(prior):
            means = scipy.linalg.cho_solve((factor, True), rows.T @ targets / noise**2)
            random = generator.standard_normal(means.shape)
            found: Floats = means + scipy.linalg.solve_triangular(
                factor, random, lower=True, trans=1
            )
            return found
        # Draws of coefficients and noise a priori, corrected by what they miss (Matheron's rule).
        before = np.sqrt(prior) * generator.standard_normal((len(prior), count))
        missed = targets - rows @ before - noise * generator.standard_normal(targets.shape)
        drawn: Floats = before + prior * (rows.T @ scipy.linalg.cho_solve((factor, True), missed))
        return drawn

    def _factored(self) -> tuple[csr_array, Floats]:
        """Return the rows, (n, d), and the Cholesky factor of what has to be inverted.

        That is the posterior's precision, (d, d), or where there are fewer rows the covariance of
        their targets, (n, n).
        """
        shape = len(self._ends) - 1, len(self._prior)
        values = np.array(self._values, dtype=np.float64)
        rows = csr_array((values, self._places, self._ends), shape=shape)
        if shape[0] >= shape[1]:
            whole = np.diag(1 / self._prior) + (rows.T @ rows).toarray() / self._noise**2
        else:
            scaled = values * self._prior[self._places]
            covered = csr_array((scaled, self._places, self._ends), shape=shape) @ rows.T
            whole = covered.toarray() + self._noise**2 * np.eye(shape[0])
        return rows, scipy.linalg.cholesky(whole, lower=True)
