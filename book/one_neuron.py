"""One spiking neuron learns to fire at given times, with the missing term and without it."""

import numpy as np

T, N, decay, theta, tau, width = 100, 100, 0.8, 1.0, 3.0, 0.2
rng = np.random.default_rng(0)
spikes_in = (rng.random((T, N)) < 0.1).astype(float)
first_weights = rng.normal(0.05, 0.2, N)
target = (rng.random(T) < 0.1).astype(float)


def trace(s):  # (1)
    a, last = np.empty_like(s), 0.0
    for t in range(T):
        last = a[t] = (1 - 1 / tau) * last + s[t] / tau
    return a


def forward(x):  # (2)
    u, s, v = np.empty(T), np.empty(T), 0.0
    for t in range(T):
        u[t] = decay * v + x[t]
        s[t] = u[t] >= theta
        v = u[t] * (1 - s[t])
    return u, s


def backward(g, u, s, rho):  # (3)
    delta, eps = np.empty(T), 0.0
    e = np.exp(-np.abs(u - theta) / width)
    h = e / (1 + e) ** 2 / width
    for t in reversed(range(T)):
        delta[t] = (g[t] - rho * eps * u[t]) * h[t] + eps * (1 - s[t])
        eps = decay * delta[t]
    return delta


def train(rho, eta, updates=300):  # (4)
    w, a_in, losses = first_weights.copy(), trace(spikes_in), []
    for _ in range(updates):
        u, s = forward(a_in @ w)
        error = trace(s) - trace(target)
        losses.append(0.5 * (error**2).sum())
        g = trace(error[::-1])[::-1]
        w -= eta * a_in.T @ backward(g, u, s, rho)
    return losses


if __name__ == "__main__":
    for eta in (0.003, 0.01, 0.03, 0.05, 0.1):
        one, other = (np.mean(train(rho, eta)[-20:]) for rho in (1, 0))
        print(f"eta {eta:<6} with the term {one:.2f}, without {other:.2f}")
