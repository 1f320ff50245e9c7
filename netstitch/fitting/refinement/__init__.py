"""The second stage of fitting: stitches trained in sampled subnetworks."""
