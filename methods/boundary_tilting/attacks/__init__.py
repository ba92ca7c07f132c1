"""Attacks on classifiers of images in [0, 1], batched; gradients go to images alone.

An attack is given a model in evaluation mode that maps images `[B, ...]` in [0, 1] to logits `[B, K]`, in
which each image goes its own way, so that images that are done with can be left out. Images that are
misclassified as they are stay as they are.
"""
