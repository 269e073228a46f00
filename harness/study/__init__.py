"""Studies: many runs, their means and intervals, beside the paper's figures.

A study is a matrix of runs (`matrix`), each in a folder of its own, trained and measured as
`harness run` does; its tables (`tables`) are read from the runs' own files.
"""
