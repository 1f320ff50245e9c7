"""The supernet: trained networks, frozen, joined by stitches and switches; saved and loaded."""

from netstitch.supernet.decisions import AnyGenotype, AnySubnetwork
from netstitch.supernet.supernet import Supernet

__all__ = ["AnyGenotype", "AnySubnetwork", "Supernet"]
