"""Scheduling, sharing and fusing the work of subnetworks."""
