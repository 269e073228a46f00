"""Hardware-in-the-loop benchmarks for kilobyte-sized recurrent networks."""

__version__ = "0.1.0"
