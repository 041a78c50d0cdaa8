//! How a total is divided among lines so that the parts add up to it.

/// Divides `total` by `weights`, each part rounded down; what is left goes out in single units to those who lost most
/// by that, the earlier one first among equals (the method of the largest remainder). So the parts add up to the
/// total, each within one unit of its exact share.
///
/// A total and weights below zero are divided as their negatives are. All parts are zero if all weights are: then
/// there is nothing to divide by.
pub fn allocate(total: i64, weights: &[u64]) -> Vec<i64> {
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let amount = u128::from(total.unsigned_abs());
    let product = |weight: &u64| amount * u128::from(*weight);
    let mut parts: Vec<u128> = weights.iter().map(|weight| product(weight) / sum).collect();
    let left = amount - parts.iter().sum::<u128>();
    let mut by_loss: Vec<usize> = (0..weights.len()).collect();
    let loss = |place: &usize| weights.get(*place).map_or(0, |weight| product(weight) % sum);
    by_loss.sort_by_key(|place| std::cmp::Reverse(loss(place)));
    for place in by_loss.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
        if let Some(part) = parts.get_mut(place) {
            *part += 1;
        }
    }
    let signed = |part: u128| i64::try_from(part).unwrap_or(i64::MAX) * total.signum();
    parts.into_iter().map(signed).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_largest_remainders_get_what_is_left() {
        assert_eq!(allocate(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(allocate(5, &[1, 3, 2]), [1, 2, 2]);
        assert_eq!(allocate(-100, &[1, 1, 1]), [-34, -33, -33]);
        assert_eq!(allocate(7, &[0, 0]), [0, 0]);
        assert_eq!(allocate(7, &[]), [0; 0]);
    }

    proptest! {
        #[test]
        fn parts_add_up_and_are_within_one_unit(
            total in -1_000_000_000_i64..1_000_000_000,
            weights in prop::collection::vec(0_u64..1_000_000_000, 1..40),
        ) {
            let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
            prop_assume!(sum > 0);
            let parts = allocate(total, &weights);
            prop_assert_eq!(parts.iter().sum::<i64>(), total);
            for (part, weight) in parts.iter().zip(&weights) {
                // |part - total x weight / sum| < 1, without dividing.
                let exact = i128::from(total) * i128::from(*weight);
                let sum = i128::try_from(sum).unwrap();
                prop_assert!((i128::from(*part) * sum - exact).abs() < sum);
                prop_assert!(*weight > 0 || *part == 0);
            }
            let negative = allocate(-total, &weights);
            prop_assert!(parts.iter().zip(negative).all(|(part, other)| *part == -other));
        }
    }
}
