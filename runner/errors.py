"""How a run can end other than well: wrong input, a stop that was asked for, numbers that are not finite."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable

DISK_TROUBLE = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
"""What the user can mend: a full disk, or a place that may not be written."""


class ConfigError(Exception):
    """Wrong input: one sentence that names the key, the file to look at and the nearest valid names; exit
    code 2."""


class Stopped(Exception):
    """A stop that was asked for by a signal; raised at a boundary at which everything is saved."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}")
        self.exit_code = 128 + signal_number


class BadMethod(Exception):
    """A method or data set that does not keep the contract of `runner/api.py` or `datasets/types/`; the
    message names it, its file and what is wanted."""


class NotFinite(Exception):
    """A loss, gradient or parameter became NaN or infinite; the message names the step and the first bad
    tensor."""


def os_sentence(error: OSError) -> str:
    """What the system refused, and where."""
    where = f" ({error.filename})" if error.filename else ""
    remedy = "; outputs=DIR and data.cache=DIR name other places" if error.errno == errno.ENOSPC else ""
    return f"{error.strerror or error}{where}{remedy}"


def nearest(name: str, names: Iterable[str], most: int = 3, only_close: bool = False) -> str:
    """Ends a sentence with the valid names nearest to `name`, or else with the first of all."""
    known = sorted(set(names))
    if not known:
        return ""
    close = difflib.get_close_matches(name, known, n=most, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    if only_close:
        return ""
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f"; known are {shown}"
