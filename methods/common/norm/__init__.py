"""Normalisation layers in plain tensor operations, and the choice between them and torch's."""
