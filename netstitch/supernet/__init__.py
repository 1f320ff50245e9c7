"""The supernet: trained networks, frozen, joined by stitches and switches; saved and loaded."""

from netstitch.supernet.supernet import AnyGenotype, Supernet

__all__ = ["AnyGenotype", "Supernet"]
