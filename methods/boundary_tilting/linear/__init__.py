"""Linear classifiers of two classes, exact: how they are fitted, and what their geometry says."""
