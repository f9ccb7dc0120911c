"""Numbers and arrays as users pass them: cast where nothing is lost, else refused with a reason."""

import numbers

import numpy as np


def number(name, value):
    """Return a parameter as a Python float, from any real number of Python or NumPy.

    Raises
    ------
    ValueError
        If it is none. A tensor is refused too, since it would look as if it were learnt.
    """
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return float(value)
    array = hasattr(value, "ndim") and not isinstance(value, np.generic)
    hint = "; it is a constant, which nothing trains: pass float(...)" if array else ""
    raise ValueError(f"{name} must be a number, got {value!r}{hint}")


def floating(name, x, axes="[T, ...]", complex_ok=False):
    """Return ``x`` as a finite array of float32 or float64, or with ``complex_ok`` their complex.

    Parameters
    ----------
    name : str
        What messages call it.
    x : array_like
    axes : str, default "[T, ...]"
        How its shape is written, such as "[T, B, N]"; none may have length 0.
    complex_ok : bool, default False
        Whether complex64 and complex128 will do, too.

    Returns
    -------
    ndarray
        Of the dtype of ``x``.

    Raises
    ------
    ValueError
        If the dtype is another, the axes do not fit, or a value is NaN or infinite.
    """
    x = np.asarray(x)
    if x.dtype.char not in ("fdFD" if complex_ok else "fd"):
        raise ValueError(
            f"{name} must be of float32 or float64, got dtype {x.dtype}; use .astype(float)"
        )
    least = axes.count(",") + 1 - axes.count("...")
    if x.ndim < least or (x.ndim > least and "..." not in axes) or x.size == 0:
        raise ValueError(f"{name} must be {axes}, no axis of length 0, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"{name} has {(~np.isfinite(x)).sum()} NaN or infinite values of {x.size}")
    return x


def spikes(name, s, axes="[T, ...]", complex_ok=False):
    """As ``floating``, but booleans and whole numbers are cast to float64.

    Raises
    ------
    ValueError
        As ``floating`` does.
    """
    s = np.asarray(s)
    return floating(name, s.astype(float) if s.dtype.kind in "biu" else s, axes, complex_ok)


def same_shape(name, x, other, y):
    """Refuse arrays of unequal shapes; NumPy would stretch one along some axis.

    Raises
    ------
    ValueError
        If they are; the message has both shapes.
    """
    if np.shape(x) != np.shape(y):
        raise ValueError(
            f"{name} has shape {np.shape(x)}, {other} has {np.shape(y)}; they must be equal"
        )
