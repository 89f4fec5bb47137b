//! Random ops on random shapes, numbers and labels, good and bad: the device and the CPU path give the same error, or results
//! that agree within a derived bound. An everyday call after every draw is right.
//!
//! `WGPU_MLP_SEED` replaces the seed. A failure prints the seed and the smallest draw that fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::cell::Cell;
use std::env;
use std::mem::discriminant;
use std::panic::{AssertUnwindSafe, catch_unwind};

use libtest_mimic::Failed;
use ndarray::{Array2, array};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use wgpu_mlp::{Device, Error, GpuOptions, Matrix, ops};

use crate::common::{self, Trial};
use crate::random::table::Outputs;
use crate::random::{Draw, Given, draws};

pub fn trials() -> Vec<Trial> {
    vec![
        common::trial("random draws agree with the CPU path", GpuOptions::default(), agree),
        Trial::test("the comparison refuses what is wrong", refuses).with_ignored_flag(common::skipping()),
    ]
}

/// How many elements were compared, and how many were skipped because they may overflow; how many draws failed on both sides,
/// as they should.
#[derive(Clone, Copy, Default)]
struct Tally {
    compared: u64,
    excused: u64,
    errors: u64,
}

fn agree(device: &Device) -> Result<(), Failed> {
    let cases = if env::var_os("WGPU_MLP_FULL").is_some() { 20_000 } else { 400 };
    let seed = env::var("WGPU_MLP_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let config = Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() };
    let tally = Cell::new(Tally::default());
    let outcome = TestRunner::new(config).run(&draws(), |draw| {
        check(device, &draw, &tally).map_err(TestCaseError::fail)?;
        everyday(device).map_err(|error| TestCaseError::fail(format!("the next call: {error}")))
    });
    let Tally { compared, excused, errors } = tally.get();
    common::say(&format!(
        "{cases} random draws on {}, seed {seed}: {errors} refused on both sides, {compared} elements compared, \
         {excused} near overflow",
        device.info().name
    ));
    outcome.map_err(|error| format!("WGPU_MLP_SEED={seed} replays this: {error}"))?;
    if excused > compared / 4 || errors > u64::from(cases) / 2 {
        return Err("too little was compared".into());
    }
    Ok(())
}

fn check(device: &Device, draw: &Draw, tally: &Cell<Tally>) -> Result<(), String> {
    let (op, given) = (draw.op(), draw.given());
    let run = |device: &Device, given: &Given| {
        catch_unwind(AssertUnwindSafe(|| (op.run)(device, given)))
            .map_err(|_| format!("{} panics on {device:?}", op.name))
    };
    let mut so_far = tally.get();
    match (run(device, &given)?, run(&Device::cpu(), &given)?) {
        (Err(got), Err(want)) => {
            so_far.errors += 1;
            same_error(&got, &want)?;
        }
        (Ok(got), Ok(want)) => {
            let bounds = (op.bounds)(&given, &want);
            let flushed = given.flushed();
            let other = run(&Device::cpu(), &flushed)?.map_err(|error| error.to_string())?;
            let other_bounds = (op.bounds)(&flushed, &other);
            same_numbers(&got, [(&want, &bounds), (&other, &other_bounds)], &mut so_far)
                .map_err(|difference| format!("{}: {difference}", op.name))?;
        }
        (got, want) => {
            let [got, want] = [got, want].map(|outcome| outcome.err().map_or("results".into(), |e| e.to_string()));
            return Err(format!("{}: the device gives {got}, the CPU path {want}", op.name));
        }
    }
    tally.set(so_far);
    Ok(())
}

fn same_error(got: &Error, want: &Error) -> Result<(), String> {
    let same = discriminant(got) == discriminant(want) && got.to_string() == want.to_string();
    if same { Ok(()) } else { Err(format!("the device says {got:?}, the CPU path {want:?}")) }
}

/// Every element agrees with one of two references: that of the unchanged numbers, or that of the flushed ones.
fn same_numbers(
    got: &Outputs,
    references: [(&Outputs, &Vec<Array2<f64>>); 2],
    tally: &mut Tally,
) -> Result<(), String> {
    for (output, got) in got.iter().enumerate() {
        for (want, bounds) in references {
            if want.get(output).map(Array2::dim) != Some(got.dim()) || bounds[output].dim() != got.dim() {
                return Err(format!("output {output} has another shape"));
            }
        }
        for (at, got) in got.indexed_iter() {
            let pairs = references.map(|(want, bounds)| (want[output][at], bounds[output][at]));
            tally.compared += 1;
            tally.excused += u64::from(pairs[0].1 == f64::INFINITY);
            if !pairs.iter().any(|(want, bound)| near(*got, *want, *bound)) {
                let (want, bound) = pairs[0];
                return Err(format!(
                    "output {output} {at:?}: {got:e} on the device, {want:e} on the CPU, bound {bound:e}"
                ));
            }
        }
    }
    if references.iter().any(|(want, _)| want.len() != got.len()) { Err("an output is missing".into()) } else { Ok(()) }
}

/// Equal, NaN for NaN, or both finite and within the bound; with an infinite bound any result passes.
fn near(got: f32, want: f32, bound: f64) -> bool {
    let close = want.is_finite() && (f64::from(got) - f64::from(want)).abs() <= bound;
    bound == f64::INFINITY || got == want || (got.is_nan() && want.is_nan()) || close
}

/// A call that must be right after every draw.
fn everyday(device: &Device) -> Result<(), String> {
    let product = Matrix::from_slice(device, 2, 2, &[1.0, 2.0, 3.0, 4.0]).and_then(|x| ops::matmul(&x, &x)?.to_array());
    match product {
        Ok(product) if product == array![[7.0, 10.0], [15.0, 22.0]] => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn refuses() -> Result<(), Failed> {
    assert!(near(1.0, 1.5, 0.5) && near(f32::NAN, f32::NAN, 0.0) && near(f32::INFINITY, f32::INFINITY, 0.0));
    assert!(near(1.0, f32::NAN, f64::INFINITY) && near(-0.0, 0.0, 0.0));
    for (got, want, bound) in [
        (1.0, 1.5, 0.4),
        (f32::NAN, 1.0, 1e30),
        (1.0, f32::NAN, 1e30),
        (f32::INFINITY, 1.0, 1e300),
        (1.0, f32::INFINITY, 1e300),
        (f32::INFINITY, f32::NEG_INFINITY, 1e300),
        (1.0, 1.5, f64::NAN),
    ] {
        assert!(!near(got, want, bound), "{got} passes for {want}");
    }
    let (right, bounds) = (vec![array![[1.0, 2.0]]], vec![array![[0.1, 0.1]]]);
    let compare = |got| same_numbers(&got, [(&right, &bounds), (&right, &bounds)], &mut Tally::default());
    assert!(compare(right.clone()).is_ok());
    for wrong in [vec![], vec![array![[1.0]]], vec![array![[1.0, 2.2]]], vec![array![[1.0, 2.0]]; 2]] {
        assert!(compare(wrong.clone()).is_err(), "{wrong:?} passes");
    }
    let (left, right) =
        (Error::NoForward { layer: "relu", call: "backward" }, Error::NoForward { layer: "dense", call: "backward" });
    assert!(same_error(&left, &left).is_ok() && same_error(&left, &right).is_err());
    Ok(())
}
