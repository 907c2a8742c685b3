//! Where a practice lives and when within its window a text leaves: pure hashes that the service,
//! the database's contents and the load harness must agree on for ever.
//!
//! Never here: a hash that may change between releases (std's does).

/// The 64-bit finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads small
/// consecutive numbers over all bits.
#[must_use]
const fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The shard of a practice, `0 .. shard_count`. The count is fixed at the first migration.
///
/// # Panics
/// When `shard_count` is zero or negative, which the database's constraint excludes.
#[must_use]
pub const fn shard_of(practice_id: i64, shard_count: i16) -> i16 {
    assert!(shard_count > 0, "a deployment has at least one shard");
    // The remainder is below shard_count, so it fits.
    (mix(practice_id as u64) % shard_count as u64) as i16
}

/// Seconds after the start of its grouping window at which a family's text is due: spreads the
/// practices' texts over the window, the same for all appointments of one phone on one day.
/// `local_day` is days since 1970-01-01. `0 .. scatter_seconds`, or 0 when that is 0.
#[must_use]
pub const fn scatter(practice_id: i64, phone: i64, local_day: i32, scatter_seconds: u32) -> u32 {
    if scatter_seconds == 0 {
        return 0;
    }
    let h = mix(mix(mix(practice_id as u64) ^ phone as u64) ^ local_day as u32 as u64);
    // The remainder is below scatter_seconds, so it fits.
    (h % scatter_seconds as u64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_never_change() {
        assert_eq!(shard_of(1, 16), (mix(1) % 16) as i16);
        let seen: Vec<i16> = (1..=8).map(|id| shard_of(id, 16)).collect();
        assert_eq!(seen, [1, 14, 13, 10, 10, 0, 7, 6]);
        assert_eq!(scatter(7, 999_100_000_001, 20_000, 600), 185);
    }

    #[test]
    fn shards_are_even() {
        let mut counts = [0_u32; 16];
        for id in 1..=16_000 {
            counts[shard_of(id, 16) as usize] += 1;
        }
        assert!(counts.iter().all(|n| (900..1100).contains(n)), "{counts:?}");
    }

    #[test]
    fn scatter_stays_in_its_window() {
        for phone in 0..10_000 {
            assert!(scatter(3, phone, 19_000, 600) < 600);
        }
        assert_eq!(scatter(3, 5, 19_000, 0), 0);
    }
}
