"""Claims of papers as experiments: `run claim` re-tests them and gives a verdict."""
