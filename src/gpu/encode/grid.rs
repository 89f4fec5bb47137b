//! Folding of a long line of workgroups into a two-dimensional grid that the device allows.

use crate::error::{Error, Result};

/// Folds `groups` workgroups near-square into two dimensions of at most `max` each.
///
/// The kernel computes its number as `id.y * count.x + id.x`, and returns if that is behind the end. Fewer than `count.x` groups are
/// spare.
pub(in crate::gpu) fn fold(op: &'static str, groups: u64, max: u32) -> Result<(u32, u32)> {
    let max = u64::from(max);
    if groups <= max {
        return Ok((groups as u32, 1));
    }
    let allowed = max * max;
    // A square keeps the number of spare groups below its side.
    let x = groups.isqrt().min(max).max(groups.div_ceil(max));
    if x > max {
        return Err(Error::Limit { op, what: "workgroups", needed: groups, allowed });
    }
    Ok((x as u32, groups.div_ceil(x) as u32))
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn covers_every_group_and_wastes_less_than_a_row() {
        for max in [1u32, 2, 7, 100, 65_535] {
            for groups in [1u64, 2, 3, 7, 48, 49, 99, 101, 9_999, 10_000, 65_536, 5_000_011] {
                match fold("test", groups, max) {
                    Ok((x, y)) => {
                        assert!(x <= max && y <= max);
                        let total = u64::from(x) * u64::from(y);
                        assert!(total >= groups && total - groups < u64::from(x), "{groups} in {x}x{y}");
                    }
                    Err(_) => assert!(groups > u64::from(max) * u64::from(max), "{groups} fit {max}x{max}"),
                }
            }
        }
    }
}
