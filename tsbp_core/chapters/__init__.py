"""The book's subjects, a folder each: its study, its figures, its explorers.

A subject may import those that stand before it in ``ORDER``, all may import the core, ``page`` and
``lab``.
"""

ORDER = (
    *("gradient", "toy", "cifar10", "cost", "escape"),
    *("growth", "sequences", "frameworks", "verdict"),
)
