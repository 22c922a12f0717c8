"""Writes samplers.json: what scikit-learn, SciPy and mpmath say of the samplers' numerics.
    pip install scikit-learn scipy mpmath
    python make_samplers.py
"""
import json, pathlib
import numpy as np
from scipy import stats
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from mpmath import mp, mpf, erfc, exp, log, pi, sqrt

mp.dps = 50
rng = np.random.default_rng(7)
rounded = lambda a: np.round(np.asarray(a, float), 12).tolist()

# Two numbers and one choice of three, which as one-hot columns of 1/sqrt(2) is 0 or 1 away in squared distance.
x, level, y = rng.random((12, 2)), rng.integers(0, 3, 12), rng.normal(size=12)
q, q_level = rng.random((5, 2)), rng.integers(0, 3, 5)
embed = lambda x, level: np.hstack([x, np.eye(3)[level] / np.sqrt(2)])
lengths, choice_length, scale, noise = np.array([0.3, 0.8]), 1.2, 1.7, 0.05
# A length scale for all three columns of the choice: scikit-learn's gradients of them add up to that of the one.
kernel = ConstantKernel(scale) * Matern([*lengths, *[choice_length] * 3], nu=2.5) + WhiteKernel(noise)
gp = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None).fit(embed(x, level), y)
mean, cov = gp.predict(embed(q, q_level), return_cov=True)
likelihood, g = gp.log_marginal_likelihood(gp.kernel_.theta, eval_gradient=True)
# theta: log scale, log lengths, log noise. By the logarithm of a precision 1/l^2 it is minus half of that by log l.
gradient = [-g[1] / 2, -g[2] / 2, -g[3:6].sum() / 2, g[0], g[6]]
process = {"x": np.hstack([x, level[:, None]]).tolist(), "y": y.tolist(), "q": np.hstack([q, q_level[:, None]]).tolist(),
           "parameters": [*(-2 * np.log(lengths)), -2 * np.log(choice_length), np.log(scale), np.log(noise)],
           "mean": rounded(mean), "variance": rounded(np.diag(cov) - noise),
           "log_marginal": likelihood + 6 * np.log(2 * np.pi), "gradient": rounded(gradient)}

def log_improvement(best, mean, deviation):
    z = (mpf(best) - mpf(mean)) / mpf(deviation)
    h = exp(-z * z / 2) / sqrt(2 * pi) + z * erfc(-z / sqrt(mpf(2))) / 2
    return float(log(h) + log(mpf(deviation)))
improvement = [[b, m, s, log_improvement(b, m, s)] for b, m, s in
               [(0, 0, 1), (1, -2, 0.5), (0, 3, 1), (0, 8, 0.5), (0, 14.9, 0.5), (0, 15.1, 0.5), (0, 25, 0.1), (-1, 2, 1e-2)]]

# A Parzen density of two points: weights, a truncated normal, the same over 4 cells, a choice of three.
def parzen(point):
    u, cell, choice = point
    comps = [((0.2, 0.5), (0.375, 0.5), 1, 1.0), ((0.7, 0.5), (0.875, 0.5), 0, 0.5), ((0.5, 1.0), (0.5, 1.0), None, 1.0)]
    total = 0
    for (m, s), (cm, cs), c, w in comps:
        a = stats.truncnorm((0 - m) / s, (1 - m) / s, m, s)
        b = stats.truncnorm((0 - cm) / cs, (1 - cm) / cs, cm, cs)
        prior = np.array([0.2, 0.3, 0.5])
        p = prior if c is None else (prior / 3 + np.eye(3)[c]) / (1 + 1 / 3)
        total += w / 2.5 * a.pdf(u) * (b.cdf((cell + 1) / 4) - b.cdf(cell / 4)) * p[choice]
    return float(np.log(total))
densities = [[*p, parzen(p)] for p in [(0.1, 1, 1), (0.9, 3, 0), (0.5, 0, 2), (0.0, 2, 1), (1.0, 3, 2)]]

transform = [[e, v, float(stats.yeojohnson(np.array([v]), lmbda=e)[0])] for e in (-1.0, 0.0, 0.7, 2.0, 3.0) for v in (-1.5, -0.5, 0.25, 3.0)]
path = pathlib.Path(__file__).with_name("samplers.json")
path.write_text(json.dumps({"process": process, "improvement": improvement, "parzen": densities, "yeo_johnson": transform}) + "\n")
