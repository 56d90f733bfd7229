//! Random choices that a run repeats: each purpose has a seed of its own.

/// A seed for one purpose, so that adding a fault does not change the arrivals.
#[must_use]
pub fn derived(seed: u64, purpose: &str, place: usize) -> u64 {
    let text = purpose.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31) + u64::from(byte));
    mixed(seed ^ text.rotate_left(17), place as u64)
}

/// A number of 0 ..= 1, 1 left out, that depends on nothing but seed and number.
#[must_use]
pub fn unit_interval(seed: u64, number: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what the mantissa holds")]
    let mantissa = (mixed(seed, number) >> 11) as f64;
    mantissa / 9_007_199_254_740_992.0
}

/// The finaliser of `SplitMix64` (Steele, Lea and Flood 2014) over seed and number.
fn mixed(seed: u64, number: u64) -> u64 {
    let mut z = seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_and_places_have_seeds_of_their_own() {
        assert_ne!(derived(1, "load", 0), derived(1, "fault", 0));
        assert_ne!(derived(1, "load", 0), derived(1, "load", 1));
        assert_eq!(derived(1, "load", 1), derived(1, "load", 1));
    }

    #[test]
    fn the_unit_interval_is_filled_evenly() {
        let mut tenths = [0_u32; 10];
        for number in 0..10_000 {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "below ten"
            )]
            let tenth = (unit_interval(9, number) * 10.0) as usize;
            tenths[tenth] += 1;
        }
        // 1,000 expected with standard deviation 30; the seed is fixed.
        assert!(tenths.iter().all(|count| count.abs_diff(1000) < 120), "{tenths:?}");
    }
}
