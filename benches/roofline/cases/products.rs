//! Products: plain, and with either operand transposed, as gradients need them.

use wgpu_mlp::{Matrix, Result, ops};

use super::case::{Case, Family, U, Work, absolute, matrices, normal, one, upload};
use super::sizes::Sizes;

/// A product's op.
type Product = fn(&Matrix, &Matrix) -> Result<Matrix>;

/// Each product at each of its sizes.
pub(super) fn cases(sizes: &Sizes) -> Vec<Case> {
    let ops: [(&str, Product, &[[usize; 3]]); 3] = [
        ("matmul", ops::matmul, &sizes.matmul),
        ("matmul_tn", ops::matmul_tn, &sizes.matmul_tn),
        ("matmul_nt", ops::matmul_nt, &sizes.matmul_nt),
    ];
    ops.iter().flat_map(|(op, run, sizes)| sizes.iter().map(|size| product(op, *run, *size))).collect()
}

fn product(op: &'static str, run: Product, [m, k, n]: [usize; 3]) -> Case {
    let (left, right) = match op {
        "matmul_tn" => ((k, m), (k, n)),
        "matmul_nt" => ((m, k), (n, k)),
        _ => ((m, k), (k, n)),
    };
    Case {
        op,
        shape: format!("{m}x{k}x{n}"),
        family: Family::Product,
        work: vec![work(m, k, n)],
        make: Box::new(move |rng| Ok(matrices([normal(rng, left), normal(rng, right)]))),
        load: Box::new(move |device, inputs| {
            let x = upload(device, inputs)?;
            Ok(Box::new(move || one(run(&x[0], &x[1])?)))
        }),
        // Twice 6 √k u (|A||B|), where k products of normal numbers add up to less than k.
        tolerances: vec![absolute(2.0 * 6.0 * (k as f64).sqrt() * U * k as f64)],
    }
}

pub(super) fn work(m: usize, k: usize, n: usize) -> Work {
    let [m, k, n] = [m, k, n].map(|dim| dim as f64);
    Work { flop: 2.0 * m * k * n, bytes: 4.0 * (m * k + k * n + m * n) }
}
