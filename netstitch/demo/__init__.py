"""The demo: two networks for Fashion-MNIST and its images, embedded, and the main job on them.

`netstitch demo` runs `job.run_demo`; `python -m netstitch.demo.train` makes the embedded files.
"""

SECONDS = 75.0
"""After which the search ends in any case; here, so that the command line starts without torch."""
