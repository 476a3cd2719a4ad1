//! National provider identifiers.

pub mod names;
pub mod raw;

/// Whether a number is an NPI: ten digits, the last of which is the check digit of Luhn's algorithm. The standard puts
/// 80840 before the number, which adds 24 to the sum.
pub fn is_valid(npi: u64) -> bool {
    if !(1_000_000_000..10_000_000_000).contains(&npi) {
        return false;
    }
    let (mut rest, mut sum, mut double) = (npi, 24, false);
    while rest > 0 {
        let digit = rest % 10;
        sum += if double { digit * 2 / 10 + digit * 2 % 10 } else { digit };
        (rest, double) = (rest / 10, !double);
    }
    sum % 10 == 0
}

/// Parses ten digits that are an NPI.
pub fn parse(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|npi| is_valid(*npi)).map(u64::cast_signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digit_checks_the_others() {
        for good in [1_851_806_699, 1_699_600_866, 1_669_740_403, 1_234_567_893] {
            assert!(is_valid(good), "{good}");
            assert!((1..10).all(|off| !is_valid(good / 10 * 10 + (good % 10 + off) % 10)), "{good}");
        }
        assert!(!is_valid(0) && !is_valid(123_456_789) && !is_valid(12_345_678_930));
    }
}
