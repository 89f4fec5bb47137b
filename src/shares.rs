//! Shares of groups: the number of rows to draw from each group, in proportion to the groups' sizes.

use std::cmp::Reverse;

/// The number of rows to take from each group, `wanted` rows in all, in proportion to the groups' sizes. Rounding down leaves
/// some rows over; these are taken from the groups with the largest remainders. No group gives all of its rows.
pub(crate) fn shares(sizes: &[usize], wanted: usize) -> Vec<usize> {
    let rows: usize = sizes.iter().sum();
    if rows == 0 {
        return vec![0; sizes.len()];
    }
    let exact = |size: usize| wanted as u128 * size as u128;
    let mut shares: Vec<usize> =
        sizes.iter().map(|size| ((exact(*size) / rows as u128) as usize).min(size.saturating_sub(1))).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|group| Reverse(exact(sizes[*group]) % rows as u128));
    let mut left = wanted - shares.iter().sum::<usize>();
    while left > 0 {
        // Groups that cannot give another row, since they would be left with none, are passed over only once: there may be a
        // million of them, and as many rows left over.
        order.retain(|group| shares[*group] + 1 < sizes[*group]);
        if order.is_empty() {
            break;
        }
        order.iter().take(left).for_each(|group| shares[*group] += 1);
        left = left.saturating_sub(order.len());
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn shares_are_in_proportion_and_leave_a_row_of_each() {
        assert_eq!(shares(&[50, 50, 50], 30), [10, 10, 10]);
        assert_eq!(shares(&[50, 50, 50], 31), [11, 10, 10]);
        assert_eq!(shares(&[90, 9, 1], 25), [23, 2, 0]); // 22.5, 2.25, 0.25
        assert_eq!(shares(&[1, 1, 8], 5), [0, 0, 5]);
        assert_eq!(shares(&[1, 1, 2], 3), [0, 0, 1]);
        assert_eq!(shares(&[7], 3), [3]);
        assert_eq!(shares(&[0, 0], 0), [0, 0]);
        assert!(shares(&[], 0).is_empty());
    }

    /// Only the largest group can give the rows that rounding leaves over, a third of a million. Each pass over all groups, to find
    /// one of these rows, would make this take minutes.
    #[test]
    fn a_million_groups_of_one_row_are_passed_over_once() {
        const GROUPS: usize = 1_000_000;
        let sizes = [vec![1; GROUPS], vec![2 * GROUPS]].concat();
        let found = shares(&sizes, GROUPS);
        assert_eq!(found.last(), Some(&GROUPS));
        assert!(found[..GROUPS].iter().all(|share| *share == 0));
    }
}
