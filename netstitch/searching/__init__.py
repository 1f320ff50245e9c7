"""`netstitch.search`: a supernet, a task and an algorithm become a measured front."""

from netstitch.searching.supernet_search import search

__all__ = ["search"]
