"""Prints the polynomials `RoundedGelu` in src/activation/rounded.rs evaluates, highest power first, and their errors.

    python crates/kernels/scripts/fit_gelu.py

With a = |x|, the tail Φ(−a) is q(a)^16, as its 16th root is close to a polynomial where the tail itself spans nine
orders of magnitude, and the derivative of a·Φ(−a) is Φ(−a)·r(a).
"""

import numpy as np
from scipy import special

END = 6.0  # Beyond it the tail is taken for constant.
FLOOR = 2.0**-16  # The tail is accurate in relation to itself down to here.


def fit(target, weight, degree):
    """The polynomial on [0, END] with the least largest weighted error: Lawson's reweighted least squares."""
    a = END * (1 - np.cos(np.linspace(0, np.pi, 1000))) / 2
    basis = np.polynomial.chebyshev.chebvander(2 * a / END - 1, degree)
    target, weight = target(a), weight(a)
    shares = np.full_like(a, 1 / a.size)
    best = (np.inf, None)
    for _ in range(1000):
        scale = np.sqrt(shares) * weight
        coefficients = np.linalg.lstsq(basis * scale[:, None], target * scale, rcond=None)[0]
        errors = np.abs(basis @ coefficients - target) * weight
        best = min(best, (errors.max(), coefficients.tolist()))
        shares *= errors
        shares /= shares.sum()
    series = np.polynomial.Chebyshev(best[1], domain=[0, END])
    return series.convert(kind=np.polynomial.Polynomial).coef[::-1].astype(np.float32)


def tail(a):
    return special.ndtr(-a)


def density(a):
    return np.exp(-a * a / 2) / np.sqrt(2 * np.pi)


q = fit(lambda a: tail(a) ** (1 / 16), lambda a: 16 * tail(a) ** (15 / 16) / np.maximum(tail(a), FLOOR), 5)
r = fit(lambda a: 1 - a * density(a) / tail(a), tail, 4)

a = np.linspace(0, END, 100_001)
power = np.polyval(q.astype(float), a) ** 16
error = np.abs(power - tail(a)) / np.maximum(tail(a), FLOOR)
print("ROOT", q.tolist(), f"error of Φ(−a) 2^{np.log2(error.max()):.2f} of max(Φ(−a), 2^-16)")
error = np.abs(power * np.polyval(r.astype(float), a) - (tail(a) - a * density(a)))
print("SLOPE", r.tolist(), f"error of the derivative 2^{np.log2(error.max()):.2f}")
