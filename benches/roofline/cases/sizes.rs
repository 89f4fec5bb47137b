//! The sizes of the cases. A size that fills a GPU would take a software driver hours; a size that fills a software driver
//! is too short to be measured on a GPU.

use clap::ValueEnum;

/// What the sizes are for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scale {
    /// A hardware GPU
    Gpu,
    /// A driver that runs on the CPU
    Cpu,
}

/// The sizes of every kind of case; `--quick` takes the first that each op has.
pub(crate) struct Sizes {
    /// m, k and n of each product.
    pub(super) matmul: Vec<[usize; 3]>,
    pub(super) matmul_tn: Vec<[usize; 3]>,
    pub(super) matmul_nt: Vec<[usize; 3]>,
    /// Rows and columns.
    pub(super) elementwise: Vec<(usize, usize)>,
    pub(super) by_row: Vec<(usize, usize)>,
    /// The widths of a network, and the rows of a batch.
    pub(super) steps: Vec<(Vec<usize>, usize)>,
    /// Each of the copy's two buffers, where a binding may be that large: beyond most caches.
    pub(crate) copy_bytes: u64,
}

impl Sizes {
    /// For a device that takes matrices of so many bytes.
    pub(crate) fn of(scale: Scale, largest: u64) -> Sizes {
        match scale {
            Scale::Gpu => gpu(largest),
            Scale::Cpu => cpu(),
        }
    }
}

/// Half a gigabyte is far beyond every cache and, read and written, takes the fastest card a third of a millisecond. Cards
/// have room for more, but each answer is read and checked on the host.
fn gpu(largest: u64) -> Sizes {
    const BYTES: u64 = 512 << 20;
    let bytes = BYTES.min(largest);
    // Hundreds of rows, so that no workgroup has a row less than the others by chance.
    let filled = |cols: usize| ((((bytes / 4) as usize / cols) >> 8 << 8).max(1), cols);
    let matmul = vec![
        [4096, 4096, 4096],
        [8192, 8192, 8192],
        [2048, 2048, 2048],
        [1024, 1024, 1024],
        [512, 512, 512],
        [4096, 784, 512],
        [65_536, 784, 512],
        [32_768, 768, 1000],
        [65_536, 512, 10],
    ];
    // The products of the backward pass: dW = xᵀ dy and dx = dy Wᵀ. For squares, 8192 is enough in one layout.
    let turned = matmul.iter().filter(|size| **size != [8192; 3]);
    Sizes {
        matmul_tn: turned.clone().map(|&[m, k, n]| [k, m, n]).collect(),
        matmul_nt: turned.map(|&[m, k, n]| [m, n, k]).collect(),
        matmul,
        elementwise: vec![filled(1024)],
        by_row: vec![(65_536, 1000), (65_536, 10), (65_536, 100), filled(10_000), filled(50_000)],
        steps: vec![
            (vec![784, 512, 10], 4096),
            (vec![784, 512, 10], 128),
            (vec![784, 512, 10], 300),
            (vec![784, 512, 10], 65_536),
            (vec![1024, 4096, 4096, 1000], 8192),
        ],
        copy_bytes: BYTES,
    }
}

fn cpu() -> Sizes {
    // A square, a hidden layer, its weights' gradient, and logits.
    let products = vec![[1024, 1024, 1024], [4096, 784, 512], [784, 4096, 512], [4096, 512, 10]];
    Sizes {
        matmul_tn: products.clone(),
        matmul_nt: products.clone(),
        matmul: products,
        elementwise: vec![(8 << 10, 1024), (16 << 10, 1024)],
        by_row: vec![(32_768, 1000), (65_536, 10), (65_536, 100), (1024, 10_000), (256, 50_000)],
        steps: vec![(vec![784, 512, 10], 4096)],
        copy_bytes: 128 << 20,
    }
}
