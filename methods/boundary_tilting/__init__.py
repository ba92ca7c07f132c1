"""Boundary tilting (Tanay and Griffin, A Boundary Tilting Perspective on the Phenomenon of Adversarial
Examples, 2016)."""
