"""`run -m sweeper=optuna`: which values to try next, by what earlier trials came to; runs nothing itself.

`settings`, `space` and `progress` import neither Optuna nor torch.
"""
