"""The field's methods written straight from their published equations: slow, dense, and the oracle of the tests."""

import math

import numpy as np
from scipy.signal import butter, filtfilt


def dense_detrend(x, weight=100):
    n = len(x)
    second = np.zeros((n - 2, n))
    for i in range(n - 2):
        second[i, i:i + 3] = 1, -2, 1
    return (np.eye(n) - np.linalg.inv(np.eye(n) + weight**2 * second.T @ second)) @ x


def butterworth(x, fs, low, high, order):
    b, a = butter(order, [low / fs * 2, high / fs * 2], btype="bandpass")
    return filtfilt(b, a, x)


def pos(rgb, fs):
    frames = len(rgb)
    length = math.ceil(1.6 * fs)
    total = np.zeros(frames)
    for n in range(length, frames):
        window = rgb[n - length:n]
        normal = (window / window.mean(0)).T
        s = np.array([[0, 1, -1], [-2, 1, 1]]) @ normal
        h = s[0] + np.std(s[0]) / np.std(s[1]) * s[1]
        total[n - length:n] += h - h.mean()
    return butterworth(dense_detrend(total), fs, 0.75, 3.0, 1)


def chrom(rgb, fs):
    length = math.ceil(1.6 * fs)
    length += length % 2
    half = length // 2
    count = (len(rgb) - half) // half
    total = np.zeros(half * (count + 1))
    for w in range(count):
        window = rgb[w * half:w * half + length]
        r, g, b = (window / window.mean(0)).T
        x = butterworth(3 * r - 2 * g, fs, 0.7, 2.5, 3)
        y = butterworth(1.5 * r + g - 1.5 * b, fs, 0.7, 2.5, 3)
        s = (x - np.std(x) / np.std(y) * y) * np.hanning(length)
        total[w * half:w * half + length] += s
    return total


def green(rgb, fs):
    return rgb[:, 1]


def lgi(rgb, fs):
    u, _, _ = np.linalg.svd(rgb.T)
    return ((np.eye(3) - np.outer(u[:, 0], u[:, 0])) @ rgb.T)[1]


def pbv(rgb, fs):
    c = (rgb / rgb.mean(0)).T
    signature = c.std(1) / np.sqrt((c.std(1) ** 2).sum())
    w = np.linalg.solve(c @ c.T, signature)
    return c.T @ w / (signature @ w)


def omit(rgb, fs):
    q, _ = np.linalg.qr(rgb.T)
    return ((np.eye(3) - np.outer(q[:, 0], q[:, 0])) @ rgb.T)[1]


def ica(rgb, fs):
    x = np.stack([dense_detrend(channel) for channel in rgb.T])
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    sources = jade(x)
    power = np.abs(np.fft.rfft(sources)) ** 2
    power[:, 0] = 0
    share = power.max(1) / power.sum(1)
    return butterworth(sources[np.argmax(share)], fs, 0.7, 2.5, 3)


def jade(x):
    """All 9 fourth-order cumulant matrices from their definition, then the rotation by brute search over angles."""
    n = x.shape[1]
    values, vectors = np.linalg.eigh(np.cov(x, bias=True))
    z = np.diag(values ** -0.5) @ vectors.T @ x
    matrices = []
    for k in range(3):
        for m in range(3):
            q = np.zeros((3, 3))
            for i in range(3):
                for j in range(3):
                    q[i, j] = ((z[i] * z[j] * z[k] * z[m]).mean() - (i == j) * (k == m) - (i == k) * (j == m)
                               - (i == m) * (j == k))
            matrices.append(q)
    matrices = np.array(matrices)
    rotation = np.eye(3)

    def off_diagonal(r):
        turned = r.T @ matrices @ r
        return (turned**2).sum() - (np.diagonal(turned, axis1=1, axis2=2) ** 2).sum()

    for width in (np.pi / 4, *(np.pi / 4 * 0.5 ** np.arange(1, 26))):
        for p, q in ((0, 1), (0, 2), (1, 2)):
            best = min(np.linspace(-width, width, 41), key=lambda a: off_diagonal(rotation @ plane(p, q, a)))
            rotation = rotation @ plane(p, q, best)
    assert n > 3
    return rotation.T @ z


def plane(p, q, angle):
    turn = np.eye(3)
    turn[p, p] = turn[q, q] = np.cos(angle)
    turn[p, q], turn[q, p] = -np.sin(angle), np.sin(angle)
    return turn
