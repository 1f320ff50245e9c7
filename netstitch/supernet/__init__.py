"""The supernet: trained networks, frozen, joined by stitches and switches; saved and loaded."""
