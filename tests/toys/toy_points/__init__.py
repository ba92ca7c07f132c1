"""Points in the plane, on two moons: a data set that an outside package brings along."""

from datasets.types import DatasetEntry

from .config import PointsConfig

DATASETS = (DatasetEntry("toy_points", "points on two moons", PointsConfig, ".data:load", ("points",)),)
