"""How data fails."""


class DataError(Exception):
    """Data that is missing, damaged or not what it should be: one sentence that a user can act upon."""
