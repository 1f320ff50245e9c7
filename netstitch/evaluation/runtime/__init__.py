"""Scheduling, sharing and fusing the work of subnetworks over the interpreter of graphs."""
