"""Keeps the C library from giving freed memory back while something is timed.

Whether glibc does so for blocks of some 100 kB and more depends on what the process did before, and taking the memory
again can cost more than all else that is done with it: the same work would be measured at one of two speeds by chance.
"""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST = (1 << 31) - 1


def keep_freed_memory() -> str:
    """Tell the allocator to keep what is freed, and say whether it does; only glibc can be told."""
    if platform.libc_ver()[0] != "glibc":
        return "the allocator as it is"
    mallopt = ctypes.CDLL(None).mallopt
    told = mallopt(M_TRIM_THRESHOLD, LARGEST) and mallopt(M_MMAP_THRESHOLD, LARGEST)
    return "freed memory is kept" if told else "the allocator as it is"
