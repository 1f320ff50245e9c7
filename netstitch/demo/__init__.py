"""The demo: two networks for Fashion-MNIST and its images, embedded, and the main job on them.

`netstitch demo` runs `job.run_demo`; `python -m netstitch.demo.train` makes the embedded files.
"""
