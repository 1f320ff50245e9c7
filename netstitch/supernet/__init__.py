"""The supernet: trained networks, frozen, joined by stitches and switches; saved and loaded."""

from netstitch.supernet.decisions import AnyGenotype
from netstitch.supernet.supernet import AnySubnetwork, Supernet

__all__ = ["AnyGenotype", "AnySubnetwork", "Supernet"]
