//! The signal operators of TensorFlow Lite Micro, by the operators of the micro-frontend.

use super::Lowering;
use super::weighted::constant;
use super::windows::shapes;
use crate::plan_builder::TensorId;
use crate::tables::micro_frontend::{fft_factors, log_corrections};
use otolith_classifier::ops::signal::{bank, frame};
use otolith_classifier::ops::strided_copy::FILL_16;
use otolith_dsp_nostd::format::Elem;
use otolith_dsp_nostd::ops::fixed::micro::{fft, gain, log, noise, output};
use otolith_tflite::{DType, Operator, Options, Tensor};

/// Fails unless tensors have these types.
fn types(tensors: &[(&Tensor, DType)]) -> Result<(), String> {
    match tensors.iter().find(|(t, dtype)| t.dtype != *dtype) {
        None => Ok(()),
        Some((t, dtype)) => Err(format!(
            "tensor \"{}\" is {}, allowed is {dtype}",
            t.name, t.dtype
        )),
    }
}

/// The values of a constant of int16.
fn int16(tensor: &Tensor, what: &str) -> Result<Vec<i16>, String> {
    types(&[(tensor, DType::I16)])?;
    let words = constant(tensor, what)?.as_chunks::<2>().0.iter();
    Ok(words.map(|&word| i16::from_le_bytes(word)).collect())
}

/// The option `name` of a signal operator, within `low..=high`.
fn option(op: &Operator, name: &str, low: i64, high: i64) -> Result<i64, String> {
    let Options::Custom { numbers } = &op.options else {
        return Err("its options are missing".into());
    };
    match numbers.get(name) {
        Some(&value) if (low..=high).contains(&value) => Ok(value),
        Some(value) => Err(format!("its {name} is {value}, allowed is {low} to {high}")),
        None => Err(format!("its option {name} is missing")),
    }
}

impl Lowering<'_, '_> {
    /// Lowers the custom operator called `kind`; `None` if it is no signal operator.
    pub(super) fn signal(
        &mut self,
        name: &str,
        op: &Operator,
        kind: &str,
    ) -> Option<Result<(), String>> {
        Some(match kind {
            "SignalWindow" => self.signal_window(name, op),
            "SignalFftAutoScale" => self.signal_auto_scale(name, op),
            "SignalRfft" => self.signal_rfft(name, op),
            "SignalEnergy" => self.signal_energy(name, op),
            "SignalFilterBank" => self.signal_filter_bank(name, op),
            "SignalFilterBankSquareRoot" => self.signal_square_root(name, op),
            "SignalFilterBankSpectralSubtraction" => self.signal_spectral_subtraction(name, op),
            "SignalPCAN" => self.signal_pcan(name, op),
            "SignalFilterBankLog" => self.signal_log(name, op),
            _ => return None,
        })
    }

    fn signal_window(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        types(&[(input, DType::I16), (output, DType::I16)])?;
        let window = int16(self.tensor(op, 1)?, "weights")?;
        let shift = option(op, "shift", 0, frame::MAX_WINDOW_SHIFT.into())?;
        if window.len() != input.n_elements() || output.n_elements() != input.n_elements() {
            return Err(shapes(&[input, self.tensor(op, 1)?, output]));
        }
        if let Some(w) = window.iter().find(|&&w| !(0..=1 << shift).contains(&w)) {
            let most = 1 << shift;
            return Err(format!(
                "its window has the weight {w}, allowed is 0 to {most}"
            ));
        }
        let (x, window) = (self.input(op, 0)?, self.input(op, 1)?);
        let y = self.new_output(op)?;
        let kernel = &frame::SIGNAL_WINDOW_I16;
        self.step_in_place(kernel, name, &[x, window, y], &[shift as u32]);
        Ok(())
    }

    fn signal_auto_scale(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let &[_, shift] = op.outputs.as_slice() else {
            return Err("it has no second output for its shift".into());
        };
        let scale = &self.model.tensors[shift];
        types(&[
            (input, DType::I16),
            (output, DType::I16),
            (scale, DType::I32),
        ])?;
        if input.n_elements() != output.n_elements() || scale.n_elements() != 1 {
            return Err(shapes(&[input, output, scale]));
        }
        let x = self.input(op, 0)?;
        let (y, shift) = (self.new_output(op)?, self.declare(shift)?);
        self.step(&frame::SIGNAL_AUTO_SCALE_I16, name, &[x, y, shift], &[]);
        self.plan.may_share(x, y);
        Ok(())
    }

    fn signal_rfft(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        types(&[(input, DType::I16), (output, DType::I16)])?;
        let (low, high) = (*fft::POINTS.start() as i64, *fft::POINTS.end() as i64);
        let n = option(op, "fft_length", low, high)? as usize;
        if !n.is_power_of_two() {
            return Err(format!("its fft_length is {n}, allowed are powers of two"));
        }
        let len = input.n_elements();
        if len > n || output.n_elements() != n + 2 {
            return Err(shapes(&[input, output]));
        }
        let mut x = self.input(op, 0)?;
        if len < n {
            let padded = self.plan.tensor(&format!("{name}.padded"), Elem::I16, &[n]);
            self.step(&FILL_16, name, &[padded], &[0]);
            self.strided_copy(name, (x, 0), (padded, 0), &[(len, 1, 1)])?;
            x = padded;
        }
        let (twiddles, split) = fft_factors(n);
        let mut table = |what: &str, values: &[i16]| {
            self.plan
                .table(&format!("{name}.{what}"), &[values.len()], values)
        };
        let (twiddles, split) = (table("twiddles", &twiddles), table("split", &split));
        let y = self.new_output(op)?;
        self.step(&fft::MICRO_RFFT_I16, name, &[x, twiddles, split, y], &[]);
        Ok(())
    }

    fn signal_energy(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        types(&[(input, DType::I16), (output, DType::U32)])?;
        let bins = output.n_elements();
        if input.n_elements() != 2 * bins {
            return Err(shapes(&[input, output]));
        }
        let range = bank::Range {
            start: option(op, "start_index", 0, bins as i64)? as i32,
            end: option(op, "end_index", 0, bins as i64)? as i32,
        };
        let (x, y) = (self.input(op, 0)?, self.new_output(op)?);
        self.step(&bank::SIGNAL_ENERGY_U32, name, &[x, y], &range.encode());
        Ok(())
    }

    fn signal_filter_bank(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        types(&[(input, DType::U32), (output, DType::U64)])?;
        let bands = option(op, "num_channels", 1, 65535)? as usize;
        let tables = [1, 2, 3, 4, 5]
            .map(|i| int16(self.tensor(op, i)?, "filters"))
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        let [falling, rising, bins, weights, lengths] = tables.as_slice() else {
            return Err("its filters are missing".into());
        };
        let fits = output.n_elements() == bands
            && rising.len() == falling.len()
            && [bins, weights, lengths]
                .iter()
                .all(|t| t.len() == bands + 1);
        if !fits {
            return Err(shapes(&[input, output]));
        }
        let runs = bins.iter().zip(weights).zip(lengths);
        let inside = |((&bin, &weight), &len): ((&i16, &i16), &i16)| {
            bin >= 0
                && weight >= 0
                && len >= 0
                && bin as usize + len as usize <= input.n_elements()
                && weight as usize + len as usize <= rising.len()
        };
        if !runs.clone().all(inside) || rising.iter().chain(falling).any(|&w| w < 0) {
            return Err("its filters leave the spectrum, or have negative weights".into());
        }
        let x = self.input(op, 0)?;
        let (falling, rising) = (self.input(op, 1)?, self.input(op, 2)?);
        let starts = [bins.as_slice(), weights, lengths].concat();
        let starts = self
            .plan
            .table(&format!("{name}.starts"), &[starts.len()], &starts);
        let y = self.new_output(op)?;
        let operands = [x, rising, falling, starts, y];
        self.step(&bank::SIGNAL_FILTER_BANK_U64, name, &operands, &[]);
        Ok(())
    }

    fn signal_square_root(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, shift, output) = (self.tensor(op, 0)?, self.tensor(op, 1)?, self.result(op));
        types(&[
            (input, DType::U64),
            (shift, DType::I32),
            (output, DType::U32),
        ])?;
        if input.n_elements() != output.n_elements() || shift.n_elements() != 1 {
            return Err(shapes(&[input, shift, output]));
        }
        let (x, shift) = (self.input(op, 0)?, self.input(op, 1)?);
        let y = self.new_output(op)?;
        self.step(&bank::SIGNAL_SQUARE_ROOT_U32, name, &[x, shift, y], &[]);
        Ok(())
    }

    /// A copy of input 0, which the operator then changes in place: its first output.
    fn changed(&mut self, name: &str, op: &Operator) -> Result<TensorId, String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        types(&[(input, DType::U32), (output, DType::U32)])?;
        if input.n_elements() != output.n_elements() {
            return Err(shapes(&[input, output]));
        }
        let (x, y) = (self.input(op, 0)?, self.new_output(op)?);
        self.strided_copy(name, (x, 0), (y, 0), &[(input.n_elements(), 1, 1)])?;
        Ok(y)
    }

    fn signal_spectral_subtraction(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let &[_, noise_out] = op.outputs.as_slice() else {
            return Err("it has no second output for its noise estimate".into());
        };
        let estimate = &self.model.tensors[noise_out];
        let channels = estimate.n_elements();
        types(&[(estimate, DType::U32)])?;
        option(op, "num_channels", channels as i64, channels as i64)?;
        let q = i64::from(noise::NOISE_Q);
        option(op, "spectral_subtraction_bits", q, q)?;
        option(op, "clamping", 0, 0)?;
        let one = 1i64 << q;
        let share = |name: &str, rest: &str| -> Result<u16, String> {
            let share = option(op, name, 0, one)?;
            option(op, rest, one - share, one - share)?;
            Ok(share as u16)
        };
        let even = share("smoothing", "one_minus_smoothing")?;
        let odd = share("alternate_smoothing", "alternate_one_minus_smoothing")?;
        let params = noise::NoiseParams {
            min_signal_remaining: option(op, "min_signal_remaining", 0, one)? as u32,
            smoothing_bits: option(op, "smoothing_bits", 0, 16)? as u32,
            fresh: false,
        };
        let y = self.changed(name, op)?;
        if self.result(op).n_elements() != channels {
            return Err(shapes(&[self.result(op), estimate]));
        }
        let smoothing: Vec<u16> = [even, odd].into_iter().cycle().take(channels).collect();
        let smoothing = self
            .plan
            .table(&format!("{name}.smoothing"), &[channels], &smoothing);
        let state = self.plan.state(&estimate.name, Elem::U32, &[channels]);
        let operands = [smoothing, y, state];
        let kernel = &noise::MICRO_NOISE_REDUCTION_U32;
        self.step(kernel, name, &operands, &params.encode());
        // The estimate stays as it is until the next run.
        self.tensors[noise_out] = Some(state);
        self.borrowed[noise_out] = true;
        Ok(())
    }

    fn signal_pcan(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let noise = self.tensor(op, 1)?;
        types(&[(noise, DType::U32)])?;
        let table = int16(self.tensor(op, 2)?, "gains")?;
        let shift = option(op, "snr_shift", 0, 31)? as u32;
        // Two values and then four for each octave, of which the last is not used.
        let Some((ends, octaves)) = table.split_at_checked(2) else {
            return Err(format!("its gains are {}, allowed are 125", table.len()));
        };
        let parabolas = octaves.chunks(4).flat_map(|octave| octave.iter().take(3));
        let gains: Vec<i16> = ends.iter().chain(parabolas).copied().collect();
        if gains.len() != gain::GAINS {
            return Err(format!("its gains are {}, allowed are 125", table.len()));
        }
        if noise.n_elements() != self.result(op).n_elements() {
            return Err(shapes(&[noise, self.result(op)]));
        }
        let estimate = self.input(op, 1)?;
        let y = self.changed(name, op)?;
        let gains = self
            .plan
            .table(&format!("{name}.gains"), &[gains.len()], &gains);
        self.step(&gain::MICRO_PCAN_U32, name, &[estimate, gains, y], &[shift]);
        Ok(())
    }

    fn signal_log(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        types(&[(input, DType::U32), (output, DType::I16)])?;
        let n = input.n_elements();
        if n != output.n_elements() {
            return Err(shapes(&[input, output]));
        }
        let most = 1i64 << log::MAX_SHIFT;
        let scale = option(op, "output_scale", 1, most)?;
        if scale.count_ones() != 1 {
            return Err(format!(
                "its output_scale is {scale}, allowed are powers of two"
            ));
        }
        let bits = option(op, "input_correction_bits", 0, 31)?;
        let x = self.input(op, 0)?;
        let logs = self.plan.tensor(&format!("{name}.logs"), Elem::U32, &[n]);
        self.strided_copy(name, (x, 0), (logs, 0), &[(n, 1, 1)])?;
        let corrections = log_corrections();
        let shape = [corrections.len()];
        let corrections = self
            .plan
            .table(&format!("{name}.corrections"), &shape, &corrections);
        let params = [bits as u32, scale.trailing_zeros()];
        self.step(&log::MICRO_LOG_U32, name, &[logs, corrections], &params);
        let y = self.new_output(op)?;
        self.step(&output::MICRO_OUTPUT_I16, name, &[logs, y], &[0]);
        Ok(())
    }
}
