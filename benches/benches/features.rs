//! Log-mel and MFCC on one thread: `reference`, `host` and the device's `f32` plan, beside Rust
//! peers and the floor, a bare loop of real FFTs over the same frames.
#![forbid(unsafe_code)]

use kaldi_native_fbank::fbank::{FbankComputer, FbankOptions};
use kaldi_native_fbank::mel::MelOptions;
use kaldi_native_fbank::mfcc::{MfccComputer, MfccOptions};
use kaldi_native_fbank::online::{FeatureComputer, OnlineFeature};
use kaldi_native_fbank::window::FrameOptions;
use mel_spec::mel::{BatchLogMelConfig, BatchLogMelSpectrogram};
use otolith_benches::audio::{RATE_HZ, voice};
use otolith_benches::chain::{COEFFS, FRAME, HOP, MELS, N_FFT, log_mel, mfcc};
use otolith_benches::timing::{Contender, compare};
use otolith_dsp_core::executor::Executor;
use otolith_dsp_core::graph::{Graph, Mode};
use otolith_dsp_core::lower::lower_f32;
use otolith_dsp_nostd::{Plan, Runner};
use realfft::RealFftPlanner;

fn main() {
    for seconds in [1, 10] {
        report(seconds);
    }
}

fn report(seconds: usize) {
    let samples = voice(seconds * RATE_HZ);
    let frames = 1 + (samples.len() - FRAME) / HOP;
    // mel_spec counts frames of the FFT's length: with these samples more it finds as many.
    let longer = voice(samples.len() + N_FFT - FRAME);

    let mut plans: Vec<_> = [log_mel(Mode::Stream), mfcc(Mode::Stream)]
        .iter()
        .map(|graph| lower_f32(graph, None).expect("the chain has f32 operators"))
        .collect();
    let [log_mel_plan, mfcc_plan] = &mut plans[..] else {
        unreachable!("two plans were made");
    };
    let mel_spec = BatchLogMelSpectrogram::new(BatchLogMelConfig {
        n_mels: MELS,
        center: false,
        ..BatchLogMelConfig::default()
    })
    .expect("the settings are valid");
    let mut mel_spec_scratch = mel_spec.scratch();

    let timings = compare(&mut [
        Contender::new("realfft 512 alone (floor)", fft_loop(&samples)),
        Contender::new(
            "otolith log-mel, host",
            host::<f32>(log_mel(Mode::Clip), &samples),
        ),
        Contender::new(
            "otolith MFCC, host",
            host::<f32>(mfcc(Mode::Clip), &samples),
        ),
        Contender::new(
            "otolith log-mel, f32 plan",
            device(log_mel_plan, &samples, frames),
        ),
        Contender::new(
            "otolith MFCC, f32 plan",
            device(mfcc_plan, &samples, frames),
        ),
        Contender::new(
            "otolith log-mel, reference",
            host::<f64>(log_mel(Mode::Clip), &samples),
        ),
        Contender::new(
            "otolith MFCC, reference",
            host::<f64>(mfcc(Mode::Clip), &samples),
        ),
        Contender::new("mel_spec 0.5 BatchLogMel", || {
            let out = mel_spec
                .compute_flat_with_scratch(&longer, &mut mel_spec_scratch)
                .expect("the samples are long enough");
            assert_eq!(out.cols, frames);
            out
        }),
        Contender::new("kaldi-native-fbank 0.1 fbank", || {
            kaldi(fbank(), &samples, frames)
        }),
        Contender::new("kaldi-native-fbank 0.1 MFCC", || {
            kaldi(kaldi_mfcc(), &samples, frames)
        }),
    ]);

    println!(
        "\n{seconds} s clip: {frames} frames of {FRAME}/{HOP}/{N_FFT}, {MELS} mel, {COEFFS} coefficients, one thread"
    );
    println!(
        "{:30} {:>16} {:>16} {:>8}",
        "", "us per s audio", "s audio per s", "/ floor"
    );
    for timing in timings {
        let per_second = timing.seconds / seconds as f64;
        println!(
            "{:30} {:>16.1} {:>16.0} {:>8.2}",
            timing.name,
            per_second * 1e6,
            1.0 / per_second,
            timing.ratio
        );
    }
}

/// Transforms each frame and does nothing else.
fn fft_loop(samples: &[f32]) -> impl FnMut() -> f32 {
    let fft = RealFftPlanner::<f32>::new().plan_fft_forward(N_FFT);
    let mut input = fft.make_input_vec();
    let mut output = fft.make_output_vec();
    let mut scratch = fft.make_scratch_vec();
    move || {
        let mut sum = 0.0;
        for frame in samples.windows(FRAME).step_by(HOP) {
            input[..FRAME].copy_from_slice(frame);
            input[FRAME..].fill(0.0);
            fft.process_with_scratch(&mut input, &mut output, &mut scratch)
                .expect("the buffers have the plan's lengths");
            sum += output[1].re;
        }
        sum
    }
}

fn host<F: otolith_dsp_core::executor::Real>(graph: Graph, samples: &[f32]) -> impl FnMut() -> F {
    let mut executor = Executor::<F>::new(graph.first()).expect("the chain is sound");
    move || {
        let features = executor.features(samples);
        features.values[0]
    }
}

/// The plan that a device runs, on this machine.
fn device<'a>(
    plan: &'a mut otolith_dsp_core::plan_builder::PlanBytes,
    samples: &'a [f32],
    frames: usize,
) -> impl FnMut() -> f32 + 'a {
    let plan = Plan::from_bytes(plan, otolith_dsp_nostd::ops::ALL).expect("the plan is valid");
    let mut arena = vec![0u64; plan.arena_len().div_ceil(8)];
    move || {
        let arena = bytemuck::cast_slice_mut(&mut arena);
        let mut runner = Runner::new(plan, arena).expect("the arena has its length");
        let (mut rest, mut rows, mut sum) = (samples, 0, 0.0);
        while !rest.is_empty() {
            let pushed = runner.push_f32(rest).expect("the plan takes floats");
            rest = &rest[pushed.consumed..];
            if pushed.event.is_some() {
                rows += 1;
                sum += runner.features::<f32>().expect("features are floats")[0];
            }
        }
        assert!(frames - rows <= 1);
        sum
    }
}

fn frame_options() -> FrameOptions {
    FrameOptions {
        dither: 0.0,
        ..FrameOptions::default()
    }
}

fn mel_options() -> MelOptions {
    MelOptions {
        num_bins: MELS,
        ..MelOptions::default()
    }
}

fn fbank() -> FeatureComputer {
    let options = FbankOptions {
        frame_opts: frame_options(),
        mel_opts: mel_options(),
        use_energy: false,
        ..FbankOptions::default()
    };
    FeatureComputer::Fbank(FbankComputer::new(options).expect("the settings are valid"))
}

fn kaldi_mfcc() -> FeatureComputer {
    let options = MfccOptions {
        frame_opts: frame_options(),
        mel_opts: mel_options(),
        num_ceps: COEFFS,
        ..MfccOptions::default()
    };
    FeatureComputer::Mfcc(MfccComputer::new(options).expect("the settings are valid"))
}

fn kaldi(computer: FeatureComputer, samples: &[f32], frames: usize) -> f32 {
    let mut online = OnlineFeature::new(computer);
    online.accept_waveform(RATE_HZ as f32, samples);
    online.input_finished();
    assert_eq!(online.num_frames_ready(), frames);
    online.features[0][0]
}
