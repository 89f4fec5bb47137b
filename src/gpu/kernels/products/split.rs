//! The cut of a product into windows, so that a binding holds the block of each operand.

use std::ops::Range;

use crate::gpu::runs;

/// The size of a product's windows: rows and columns of the result, and steps of k.
///
/// The blocks of operands are whole rows of memory, which need no copy, wherever a binding holds some rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProductSplit {
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

impl ProductSplit {
    /// Whether a single window is the whole `m x n` product over k.
    pub fn is_whole(&self, dims: [usize; 3]) -> bool {
        [self.m, self.n, self.k] == dims
    }

    /// The windows for bindings of this many words and an `m x n` product over k.
    pub fn new(words: u64, [m, n, k]: [usize; 3], transpose_a: bool, transpose_b: bool) -> Self {
        let words = usize::try_from(words).unwrap_or(usize::MAX);
        let split = if transpose_a {
            let (m, n) = block(m, n, words);
            ProductSplit { m, n, k: k.min(words / m).min(words / n) }
        } else {
            let (n, k) = match transpose_b {
                true => block(n, k, words),
                false => {
                    let (k, n) = block(k, n, words);
                    (n, k)
                }
            };
            ProductSplit { m: m.min(words / k).min(words / n), n, k }
        };
        ProductSplit { m: even(split.m, m), n: even(split.n, n), k: even(split.k, k) }
    }

    /// The windows of an `m x n` product over k: ranges of rows, columns and steps. Windows of one block of c come in the order of
    /// their steps.
    pub fn windows(&self, [m, n, k]: [usize; 3]) -> impl Iterator<Item = [Range<usize>; 3]> + use<> {
        let split = *self;
        runs(m, split.m).flat_map(move |rows| {
            runs(n, split.n).flat_map(move |cols| {
                let rows = rows.clone();
                runs(k, split.k).map(move |ks| [rows.clone(), cols.clone(), ks])
            })
        })
    }
}

/// The largest block of a row-major matrix that has at most so many words: whole rows, or a nearly square block if few rows would
/// fit.
fn block(rows: usize, cols: usize, words: usize) -> (usize, usize) {
    const FEW: usize = 16;
    if words / cols >= rows.min(FEW) {
        return (rows.min(words / cols), cols);
    }
    let cols = cols.min(words.isqrt().max(words / rows));
    (rows.min(words / cols), cols)
}

/// The length of a window, rounded down to a multiple of the largest tile, or of the alignment of rows. A length that is not cut
/// stays as it is.
fn even(length: usize, whole: usize) -> usize {
    [128, 64].into_iter().find(|step| length < whole && length > *step).map_or(length, |step| length / step * step)
}

#[cfg(test)]
mod tests {
    use super::ProductSplit;

    #[test]
    fn blocks_fit_a_binding_and_are_whole_rows_where_they_can_be() {
        for words in [64, 128, 1 << 10, 1 << 25, u64::MAX / 4] {
            for dims in [[1, 1, 1], [129, 3, 7], [257, 259, 47], [10, 12, 1031], [7, 129, 64], [20_000, 9, 5]] {
                for (a, b) in [(false, false), (true, false), (false, true)] {
                    let ProductSplit { m, n, k } = ProductSplit::new(words, dims, a, b);
                    assert!(m >= 1 && n >= 1 && k >= 1 && m <= dims[0] && n <= dims[1] && k <= dims[2]);
                    assert!(
                        m as u64 * k as u64 <= words && k as u64 * n as u64 <= words && m as u64 * n as u64 <= words
                    );
                }
            }
        }
        // 128 MiB: a batch is cut into rows, a long k into steps; the other sides stay whole.
        let words = 1 << 25;
        let split = |dims, a, b| ProductSplit::new(words, dims, a, b);
        assert_eq!(split([65_536, 1_000, 768], false, false), ProductSplit { m: 33_536, n: 1_000, k: 768 });
        assert_eq!(split([768, 1_000, 65_536], true, false), ProductSplit { m: 768, n: 1_000, k: 33_536 });
        assert_eq!(split([65_536, 768, 1_000], false, true), ProductSplit { m: 33_536, n: 768, k: 1_000 });
    }
}
