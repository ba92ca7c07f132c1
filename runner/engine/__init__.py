"""The one loop and what belongs to it: seeds, batches, updates, looks, checkpoints, artifacts, journal."""
