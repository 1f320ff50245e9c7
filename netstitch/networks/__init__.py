"""A model becomes a Network: a graph of tensor operations with shapes, cost and points."""

from netstitch.networks.adapter import adapted
from netstitch.networks.capturing.capture import capture
from netstitch.networks.graph import Graph, Node
from netstitch.networks.network import Network

__all__ = [
    "Graph",
    "Network",
    "Node",
    "adapted",
    "capture",
]
