"""Log-mel features of one-second waves: 32 filters, 25 ms every 10 ms -> 99 x 32. numpy only.

As in EdgeML's Speech Commands example (which the FastGRNN paper's authors published): the
conventions are those of python_speech_features.fbank (J. Lyons), the mel scale and the triangular
filters those of S. Young et al., The HTK Book, and Davis & Mermelstein, IEEE TASSP 28(4), 1980.

    zero-pad in front to 16,000 samples of int16
    y[0] = x[0],  y[i] = x[i] - .97 x[i - 1]
    frames of 400 samples every 160, the last zero-padded; times a Hamming window
    P[k] = |FFT_512|^2 / 512,  k = 0..256
    E[f] = sum_k P[k] F[f, k];  E = eps where it is 0
    feature = log(E + 1e-10)
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
SAMPLES = 16_000
FRAME, HOP = 400, 160  # samples: 25 ms, 10 ms
FRAMES = 1 + -(-(SAMPLES - FRAME) // HOP)  # 99
FFT = 512
FILTERS = 32
PREEMPHASIS = 0.97
FLOOR = 1e-10


def mel(hz: float) -> float:
    """Mel of a frequency: 2595 log10(1 + f / 700)."""
    return float(2595.0 * np.log10(1.0 + hz / 700.0))


@cache
def filterbank() -> NDArray[np.float64]:
    """Triangular filters [32, 257], equally wide in mel from 0 to 8,000 Hz.

    Corner f lies on bin floor((FFT + 1) hz / rate); filter f rises from corner f to f + 1 and falls
    to corner f + 2.
    """
    mels = np.linspace(mel(0.0), mel(RATE_HZ / 2), FILTERS + 2)
    hz = 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    corners = np.floor((FFT + 1) * hz / RATE_HZ)
    left, centre, right = (corners[i : i + FILTERS, None] for i in range(3))
    k = np.arange(FFT // 2 + 1)
    rising = (k - left) / (centre - left)
    falling = (right - k) / (right - centre)
    up = (k >= left) & (k < centre)
    down = (k >= centre) & (k < right)
    bank: NDArray[np.float64] = np.where(up, rising, np.where(down, falling, 0.0))
    return bank


def pad_front(wave: NDArray[np.int16]) -> NDArray[np.int16]:
    """16,000 samples: zeros in front of a shorter wave, the first 16,000 of a longer one."""
    wave = wave[:SAMPLES]
    return np.concatenate([np.zeros(SAMPLES - len(wave), np.int16), wave])


def logmel(waves: NDArray[np.int16]) -> NDArray[np.float32]:
    """Waves [N, 16000] int16 -> features [N, 99, 32] float32, -23.03 (silence) to about 28."""
    x = waves.astype(np.float64)
    y = np.concatenate([x[:, :1], x[:, 1:] - PREEMPHASIS * x[:, :-1]], axis=1)
    y = np.pad(y, ((0, 0), (0, (FRAMES - 1) * HOP + FRAME - SAMPLES)))
    frames = np.lib.stride_tricks.sliding_window_view(y, FRAME, axis=1)[:, ::HOP]
    spectrum = np.fft.rfft(frames * np.hamming(FRAME), FFT)
    power = (spectrum.real**2 + spectrum.imag**2) / FFT
    energy = power @ filterbank().T
    energy = np.where(energy == 0.0, np.finfo(np.float64).eps, energy)
    features: NDArray[np.float32] = np.log(energy + FLOOR).astype(np.float32)
    return features
