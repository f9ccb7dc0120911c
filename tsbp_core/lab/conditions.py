"""Conditions: named tuples in the code, and names such as "zero/random/adam/rho=1" in its files.

Words stand in a name as they are, numbers behind the field's name.
"""

KINDS = {"zero": "hard", "subtract": "soft"}
"""What a text calls a reset."""


def name(condition):
    """The name of a condition, a named tuple of words and numbers."""
    parts = condition._asdict().items()
    return "/".join(v if isinstance(v, str) else f"{key}={v:g}" for key, v in parts)


def read(kind, text):
    """The condition of a name; ``kind`` is its class.

    Raises
    ------
    ValueError
        If the name has other parts.
    """
    values = [
        word if of is str else of(word.removeprefix(f"{field}="))
        for word, (field, of) in zip(text.split("/"), kind.__annotations__.items(), strict=True)
    ]
    condition = kind(*values)
    if name(condition) != text:
        raise ValueError(f"{text!r} is not a name of {kind.__name__}")
    return condition


def by_condition(kind, by_name):
    """``{name: value}`` as ``{condition: value}``."""
    return {read(kind, text): value for text, value in by_name.items()}


def pair(by_condition, condition):
    """What stands for a condition with the term, rho = 1, and without it, rho = 0."""
    return [by_condition[condition._replace(rho=rho)] for rho in (1.0, 0.0)]
