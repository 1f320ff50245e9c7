"""Plain data in, a picture out: charts and their theme. Knows nothing of networks."""
