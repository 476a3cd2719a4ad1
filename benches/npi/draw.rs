//! Numbers that look random and are the same in every run.

use fastrand::Rng;

/// Mixes a number, so that neighbours have nothing in common.
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// One of them, as often as its weight says.
pub fn weighted<T: Copy>(rng: &mut Rng, choices: &[(T, u32)]) -> T {
    let mut left = rng.u32(..choices.iter().map(|(_, weight)| weight).sum::<u32>());
    for &(choice, weight) in choices {
        if left < weight {
            return choice;
        }
        left -= weight;
    }
    unreachable!("less than the sum of the weights")
}

/// The place of a thing in the list of all, most frequent first, when it is drawn as people's names are: the first few
/// often, most of them hardly ever. (With 160,000 names and a knee of 10 the first is 1 % of all, a thousand are half.)
pub fn rank(rng: &mut Rng, count: f64, knee: f64) -> u64 {
    (knee * (((count + knee) / knee).powf(rng.f64()) - 1.0)) as u64
}

/// Of a hundred.
pub fn percent(rng: &mut Rng, share: u32) -> bool {
    rng.u32(..100) < share
}

/// A number of as many digits, or fewer.
pub fn within(rng: &mut Rng, digits: std::ops::Range<u32>) -> u32 {
    let digits = rng.u32(digits);
    rng.u32(..10_u32.pow(digits))
}
