"""`netstitch.search`: a supernet, a task and an algorithm become a measured front.

Before it, `fitted_weights` and `greedy_outputs` find the ensembles of networks that validation
samples speak for.
"""

from netstitch.searching.ensemble_choice import fitted_weights, greedy_outputs
from netstitch.searching.supernet_search import search

__all__ = ["fitted_weights", "greedy_outputs", "search"]
