//! Shapes of the cases: sizes on both sides of every limit inside a kernel.

/// The dims m, k, n of products, all different: 1; one less than a tile, a tile, one more; primes; one much longer than the
/// others; two that every tile covers exactly, in one slice of k and in two; few rows or columns, in each of their fours.
pub(super) const PRODUCTS: &[[usize; 3]] = &[
    [1, 2, 3],
    [2, 1, 5],
    [3, 5, 1],
    [31, 15, 33],
    [32, 16, 64],
    [33, 17, 31],
    [127, 31, 15],
    [128, 48, 16],
    [129, 3, 7],
    [15, 33, 127],
    [16, 5, 128],
    [7, 64, 129],
    [63, 257, 65],
    [10, 1031, 12],
    [65, 255, 257],
    [257, 47, 259],
    [256, 48, 128],
    [512, 256, 128],
    [40, 512, 64],
    [16, 20, 128],
    [3, 9, 30],
    [3, 11, 61],
    [3, 5, 130],
    [7, 6, 30],
    [7, 10, 62],
    [4, 12, 32],
    [4, 16, 64],
    [4, 20, 128],
    [8, 12, 32],
    [8, 16, 64],
    [8, 20, 128],
    [16, 24, 32],
    [60, 7, 3],
    [130, 9, 3],
    [130, 9, 11],
    [32, 24, 12],
    [4, 200, 128],
    [8, 204, 128],
    [32, 12, 4],
    [64, 16, 4],
    [128, 20, 4],
    [32, 24, 8],
    [64, 20, 8],
    [128, 28, 8],
    [10, 5, 30],
    [11, 6, 62],
    [12, 5, 64],
    [9, 7, 130],
    [10, 9, 128],
    [30, 5, 6],
    [62, 6, 5],
    [31, 6, 10],
    [61, 7, 9],
    [63, 5, 12],
    [130, 6, 12],
    [30, 7, 14],
    [31, 5, 16],
    [62, 7, 15],
    [61, 6, 16],
    [3, 201, 130],
    [7, 201, 130],
    [12, 204, 128],
    [130, 201, 7],
    [130, 201, 11],
    [130, 201, 15],
    [128, 204, 12],
    [128, 204, 16],
];
/// Dims of products that take a slow software driver long.
pub(super) const LARGE_PRODUCTS: &[[usize; 3]] = &[[300, 128, 320], [20, 5003, 37], [513, 260, 130]];

/// Dims rows, cols, 1 of matrices: lanes and workgroups just full, one more and one less; more columns than lanes; long and thin.
const MATRICES: &[[usize; 3]] = &[
    [1, 1, 1],
    [2, 3, 1],
    [127, 1, 1],
    [128, 2, 1],
    [129, 10, 1],
    [5, 15, 1],
    [22, 16, 1],
    [23, 17, 1],
    [33, 31, 1],
    [13, 127, 1],
    [11, 128, 1],
    [12, 129, 1],
    [37, 1000, 1],
    [2, 1027, 1],
    [2, 1028, 1],
    [2, 2052, 1],
    [2, 3001, 1],
    [3, 4099, 1],
    [3, 4100, 1],
    [3, 8195, 1],
    [2, 8196, 1],
    [2, 16_391, 1],
    [2, 16_404, 1],
    [2, 32_771, 1],
    [2, 32_772, 1],
    [132, 10, 1],
    [300, 4, 1],
    [50, 20, 1],
    [1031, 10, 1],
];
/// Dims of matrices that take a slow software driver long.
const LARGE_MATRICES: &[[usize; 3]] = &[[16_411, 3, 1], [263, 1009, 1], [2, 70_001, 1]];

/// Dims of long rows of eight kinds, NaN and infinities among them: so long that each lane of a GPU has several pieces of them, of
/// single values and of fours.
pub(super) const LONG_ROWS: &[[usize; 3]] = &[[8, 32_771, 1], [8, 32_772, 1]];

/// Dims of a matrix so wide that the CPU path adds its columns in blocks of few rows, and so tall that there are many.
pub(super) const TALL_AND_WIDE: [usize; 3] = [1024, 512, 1];

/// The dims of all matrices, small and large.
pub(super) fn all_matrices() -> impl Iterator<Item = &'static [usize; 3]> {
    MATRICES.iter().chain(LARGE_MATRICES)
}

/// Whether a slow software driver takes long for these dims.
pub(super) fn is_large(dims: [usize; 3]) -> bool {
    let large = [LARGE_PRODUCTS, LARGE_MATRICES, LONG_ROWS, &[TALL_AND_WIDE]];
    large.iter().any(|large| large.contains(&dims))
}
