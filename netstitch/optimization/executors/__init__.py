"""Where evaluations run: in this process, in many, on a Ray cluster."""
