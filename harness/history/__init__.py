"""What every run measured, kept and compared (docs/history.md).

`record` reads a results folder; `store` keeps its rows in one SQLite file, which `database` opens;
`select` names some of them; `noise` says how far a figure moves by itself, `compare` what moved
further than that; `trend` sums up every cell over time, `verdict` what happened since last time.
"""
