"""`netstitch.search`: a supernet, a task and an algorithm become a measured front."""
