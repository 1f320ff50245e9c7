"""The demo: two networks for Fashion-MNIST and its images, embedded, and the main job on them.

`netstitch demo` runs `job.run_demo`; `python -m netstitch.demo.train` makes the embedded files.
"""

SECONDS = 60.0
"""Of search, unless another time is given; here so that the command line starts without torch."""
