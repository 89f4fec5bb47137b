//! A step of training gives the same bits a hundred times over, and in another process.

use std::env;
use std::process::{Command, ExitCode};

use libtest_mimic::Failed;
use ndarray::Array2;
use wgpu_mlp::{Device, GpuOptions, Matrix, Mlp, Optimizer, OptimizerState, Targets};

use crate::common::{self, Trial};

/// Set if this program runs as the other process, which prints its bits and ends.
const PRINT: &str = "WGPU_MLP_PRINT_BITS";
/// Begins the line that has the bits: a driver or a layer may print lines of its own.
const BITS: &str = "bits: ";
/// Rows, inputs, hidden units and classes: for the kernels of small products and of large ones.
const SHAPES: [[usize; 4]; 2] = [[97, 5, 24, 3], [300, 131, 70, 19]];

/// The work of the other process, if this is that process.
pub fn child() -> Option<ExitCode> {
    env::var_os(PRINT)?;
    Some(match common::device(&GpuOptions::default()).and_then(|device| all_bits(&device)) {
        Ok(bits) => {
            println!("{BITS}{bits}");
            ExitCode::SUCCESS
        }
        Err(_) => ExitCode::FAILURE,
    })
}

pub fn trials() -> Vec<Trial> {
    vec![
        common::trial("a hundred steps from one place give the same bits", GpuOptions::default(), a_hundred_times),
        common::trial("two processes give the same bits", GpuOptions::default(), another_process),
    ]
}

/// The bits of the parameters and of the loss after two steps from the same parameters.
fn bits(device: &Device, [rows, inputs, hidden, classes]: [usize; 4]) -> Result<Vec<u64>, Failed> {
    let x = Matrix::from_array(device, common::normal(rows, inputs, 4).view())?;
    let labels: Vec<u32> = (0..rows).map(|row| (row * 7 % classes) as u32).collect();
    let targets = Targets::classes(device, &labels, classes)?;
    let mut model = Mlp::new(device, &[inputs, hidden, classes], 5)?;
    let mut state = OptimizerState::new(Optimizer::adam(1e-2));
    model.train_step(&x, &targets, &mut state)?;
    let loss = model.train_step(&x, &targets, &mut state)?.read()?.loss_sum;
    let parameters = model.parameters()?;
    let values = |array: &Array2<f32>| array.iter().map(|value| value.to_bits().into()).collect::<Vec<u64>>();
    let layers = parameters.iter().flat_map(|layer| [values(&layer.weights), values(&layer.biases)]);
    Ok(layers.flatten().chain([loss.to_bits()]).collect())
}

fn all_bits(device: &Device) -> Result<String, Failed> {
    let all = SHAPES.map(|shape| bits(device, shape));
    all.into_iter().map(|bits| Ok(format!("{:x?}", bits?))).collect()
}

fn a_hundred_times(device: &Device) -> Result<(), Failed> {
    for shape in SHAPES {
        let first = bits(device, shape)?;
        for time in 1..100 {
            if bits(device, shape)? != first {
                return Err(format!("{shape:?}: time {time} differs").into());
            }
        }
    }
    Ok(())
}

fn another_process(device: &Device) -> Result<(), Failed> {
    let output = Command::new(env::current_exe()?).env(PRINT, "1").output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    match printed.lines().find_map(|line| line.strip_prefix(BITS)) {
        Some(other) if other == all_bits(device)? => Ok(()),
        Some(_) => Err("the other process has other bits".into()),
        None => Err(format!("the other process failed: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}
