//! Times int8 models on request, so that a program of another language can take turns with it:
//! `inference MODEL.tflite ...`.
//!
//! Each line of the standard input is the index of a model and a number of inferences; the answer
//! is the nanoseconds that they took together. Models run through the plan and runner that a device
//! uses, on one thread.
#![forbid(unsafe_code)]

use otolith_classifier::ALL;
use otolith_dsp_core::lower::network::network_plan;
use otolith_dsp_nostd::{Plan, Runner};
use otolith_tflite::{DType, Model};
use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut models = Vec::new();
    for path in std::env::args().skip(1) {
        let model = Model::from_bytes(&std::fs::read(&path)?)?;
        let inputs = model.inputs.iter().map(|&i| &model.tensors[i]);
        if inputs.clone().any(|t| t.dtype != DType::I8) {
            return Err(format!("{path}: its input is not int8").into());
        }
        let n_in: usize = inputs.map(|t| t.n_elements()).sum();
        // All values of int8, so that no branch is always right.
        let input: Vec<i8> = (0..n_in).map(|i| (i * 37) as i8).collect();
        models.push((network_plan(&path, &model)?, input));
    }
    let mut jobs = Vec::new();
    for (plan, input) in &models {
        let plan = Plan::from_bytes(plan, ALL).map_err(|e| e.to_string())?;
        jobs.push((plan, vec![0u64; plan.arena_len().div_ceil(8)], input));
    }
    let mut answers = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split(' ').map(str::parse::<usize>);
        let (Some(Ok(index)), Some(Ok(n))) = (words.next(), words.next()) else {
            return Err(format!("\"{line}\": expected INDEX COUNT").into());
        };
        let (plan, arena, input) = jobs.get_mut(index).ok_or("there is no such model")?;
        let arena = bytemuck::cast_slice_mut(arena);
        let mut runner = Runner::new(*plan, arena).map_err(|e| e.to_string())?;
        let start = Instant::now();
        for _ in 0..n {
            let pushed = runner.push_i8(input).map_err(|e| e.to_string())?;
            if pushed.event.is_none() {
                return Err("one input is not one inference".into());
            }
        }
        writeln!(answers, "{}", start.elapsed().as_nanos())?;
        answers.flush()?;
    }
    Ok(())
}
