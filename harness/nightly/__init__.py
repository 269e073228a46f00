"""A night: every model, data set and seed of a plan, on all boards of it at once (docs/nightly.md).

`plan` reads what is wanted, `order` says in which order; `worker` is the process that does the work
of one board, `child` its end here, `night` starts them and stops them in time; `cells` collects
what became of everything, `verdict` judges it, `junit` and `page` write it down; `estimate` knows
from the history how long it takes.
"""
