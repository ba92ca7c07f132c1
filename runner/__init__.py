"""How anything is run: composition, checks, the loop, results. Knows no method and no data set by name."""
