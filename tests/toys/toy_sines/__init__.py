"""Regression tasks on sine waves: a data set of tasks."""

from datasets.types import DatasetEntry

from .config import SinesConfig

DATASETS = (DatasetEntry("toy_sines", "regression on sine waves", SinesConfig, ".data:load", ("sines",)),)
