use otolith_classifier::ALL;
use otolith_dsp_core::lower::network::network_plan;
use otolith_dsp_nostd::{Plan, Runner};
use otolith_tflite::Model;
use std::time::Instant;
fn main() {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path).unwrap();
        let model = Model::from_bytes(&bytes).unwrap();
        let plan_bytes = network_plan("m", &model).unwrap();
        let plan = Plan::from_bytes(&plan_bytes, ALL).unwrap();
        let mut arena = vec![0u64; plan.arena_len().div_ceil(8)];
        let n: usize = model
            .inputs
            .iter()
            .map(|&i| model.tensors[i].n_elements())
            .sum();
        let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
        let input: Vec<i8> = (0..n).map(|i| (i * 37 % 251) as i8).collect();
        let mut best = f64::MAX;
        let mut times = vec![];
        for _ in 0..300 {
            let t = Instant::now();
            runner.push_i8(&input).unwrap();
            let us = t.elapsed().as_secs_f64() * 1e6;
            best = best.min(us);
            times.push(us);
        }
        times.sort_by(f64::total_cmp);
        println!(
            "{path}: plan {} B arena {} B best {best:.0} us median {:.0} us",
            plan_bytes.len(),
            plan.arena_len(),
            times[150]
        );
    }
}
