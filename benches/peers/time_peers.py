#!/usr/bin/env python3
"""Times log-mel and MFCC of the Python peers, one thread, from their own packages.

16 kHz, frames of 400 every 160 samples, FFT of 512, 40 mel filters, 13 coefficients: the chain that
`cargo bench -p otolith-benches` times. All peers take turns in short rounds, as there; a time is
the median over the rounds. A package that is not installed is listed as such.

    time_peers.py [--model MODEL.tflite]    also times an int8 model in LiteRT
"""

import argparse
import importlib.metadata
import os
import statistics
import time

# Read by the numeric libraries when they are loaded.
for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ[f"{name}_NUM_THREADS"] = "1"

import numpy as np

RATE, FRAME, HOP, N_FFT, MELS, COEFFS = 16000, 400, 160, 512, 40, 13
ROUNDS, TURN_S = 31, 0.02


def librosa_jobs(x):
    import librosa

    mel = dict(sr=RATE, n_fft=N_FFT, win_length=FRAME, hop_length=HOP, n_mels=MELS)
    yield "log-mel", lambda: librosa.power_to_db(librosa.feature.melspectrogram(y=x, **mel))
    yield "MFCC", lambda: librosa.feature.mfcc(y=x, n_mfcc=COEFFS, **mel)


def kaldi_native_fbank_jobs(x):
    import kaldi_native_fbank as knf

    def job(options, computer):
        options.frame_opts.dither = 0
        options.mel_opts.num_bins = MELS

        def run():
            online = computer(options)
            online.accept_waveform(RATE, x)
            online.input_finished()
            return [online.get_frame(i) for i in range(online.num_frames_ready)]

        return run

    yield "log-mel", job(knf.FbankOptions(), knf.OnlineFbank)
    options = knf.MfccOptions()
    options.num_ceps = COEFFS
    yield "MFCC", job(options, knf.OnlineMfcc)


def python_speech_features_jobs(x):
    import python_speech_features as psf

    yield "log-mel", lambda: psf.logfbank(x, RATE, nfilt=MELS, nfft=N_FFT)
    yield "MFCC", lambda: psf.mfcc(x, RATE, numcep=COEFFS, nfilt=MELS, nfft=N_FFT)


def torchaudio_jobs(x):
    import torch
    import torchaudio

    torch.set_num_threads(1)
    wave = torch.from_numpy(x)
    mel = dict(n_fft=N_FFT, win_length=FRAME, hop_length=HOP, n_mels=MELS)
    spectrogram = torchaudio.transforms.MelSpectrogram(RATE, **mel)
    mfcc = torchaudio.transforms.MFCC(RATE, COEFFS, melkwargs=mel)

    def without_gradient(job):
        def run():
            with torch.inference_mode():
                return job()

        return run

    yield "log-mel", without_gradient(lambda: torch.log(spectrogram(wave) + 1e-6))
    yield "MFCC", without_gradient(lambda: mfcc(wave))


PEERS = {
    "librosa": librosa_jobs,
    "torchaudio": torchaudio_jobs,
    "kaldi-native-fbank": kaldi_native_fbank_jobs,
    "python_speech_features": python_speech_features_jobs,
}


def model_jobs(path):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    for name, resolver in (
        ("LiteRT, XNNPACK", OpResolverType.AUTO),
        ("LiteRT, no delegate", OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES),
        ("LiteRT, reference", OpResolverType.BUILTIN_REF),
    ):
        interpreter = Interpreter(
            model_path=path, num_threads=1, experimental_op_resolver_type=resolver
        )
        interpreter.allocate_tensors()
        yield name, interpreter.invoke


def repeats(job):
    """Calls that fill a turn, found while warming up."""
    job()
    n = 1
    while True:
        start = time.perf_counter()
        for _ in range(n):
            job()
        if time.perf_counter() - start >= TURN_S:
            return n
        n *= 2


def medians(jobs):
    """Median seconds of each job."""
    counts = [repeats(job) for _, job in jobs]
    times = [[] for _ in jobs]
    for _ in range(ROUNDS):
        for (_, job), n, into in zip(jobs, counts, times):
            start = time.perf_counter()
            for _ in range(n):
                job()
            into.append((time.perf_counter() - start) / n)
    return [statistics.median(t) for t in times]


def signal(seconds):
    t = np.arange(seconds * RATE) / RATE
    tone = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in (1, 2, 7))
    noise = np.random.default_rng(1).standard_normal(t.size)
    return (0.3 * np.abs(np.sin(2 * np.pi * 0.8 * t)) * tone + 0.001 * noise).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", help="an int8 .tflite model to time in LiteRT")
    arguments = parser.parse_args()
    for seconds in (1, 10):
        jobs, absent = [], []
        for peer, make in PEERS.items():
            try:
                version = importlib.metadata.version(peer)
                made = [(f"{peer} {version} {job}", run) for job, run in make(signal(seconds))]
            except (ImportError, importlib.metadata.PackageNotFoundError) as error:
                absent.append(f"{peer}: not measured ({error})")
                continue
            jobs += made
        print(f"\n{seconds} s clip, one thread")
        print(f"{'':40} {'us per s audio':>16} {'s audio per s':>16}")
        for (name, _), seconds_taken in zip(jobs, medians(jobs)):
            per_second = seconds_taken / seconds
            print(f"{name:40} {per_second * 1e6:16.1f} {1 / per_second:16.0f}")
        print("\n".join(absent))
    if arguments.model:
        jobs = list(model_jobs(arguments.model))
        print(f"\n{arguments.model}, one inference")
        for (name, _), taken in zip(jobs, medians(jobs)):
            print(f"{name:40} {taken * 1e6:16.1f} us")


if __name__ == "__main__":
    main()
