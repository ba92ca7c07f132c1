"""What methods are run on: one module per family of data sets.

`datasets` is also the name of a well-known package; `MARKER` is how the runner tells ours from it.
"""

MARKER = "reclaim-datasets"
