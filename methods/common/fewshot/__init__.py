"""Encoders and scores for few-shot learning."""
