//! What is packed is unpacked again by a decoder that isn't ours, byte by byte, and is small.

use std::io::Read as _;

use flate2::read::GzDecoder;
use proptest::prelude::*;

use super::*;
use crate::obs::{self, Format};

fn packed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut packer = Packer::with_room(0);
    pieces.into_iter().for_each(|piece| packer.write(piece));
    packer.finish()
}

/// The decoder compares sum and length, and nothing may follow.
fn unpacked(packed: &[u8]) -> Vec<u8> {
    let (mut text, mut decoder) = (Vec::new(), GzDecoder::new(packed));
    decoder.read_to_end(&mut text).unwrap();
    assert_eq!(decoder.into_inner(), b"", "behind the end");
    text
}

fn returns(text: &[u8]) {
    assert!(unpacked(&packed([text])) == text, "{}", String::from_utf8_lossy(text));
}

/// Which bytes these are, nobody can guess, and they are the same in each run.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 56) as u8
    };
    (0..count).map(next).collect()
}

#[test]
fn texts_at_the_borders_return() {
    let long = "x".repeat(DISTANCE_MAX);
    let lines = |line: &str| line.repeat(3).into_bytes();
    for text in [
        Vec::new(),
        b"x".to_vec(),
        b"\n".to_vec(),
        b"\n\n\n\n\n\n\n\n".to_vec(),
        b"no line break".to_vec(),
        b"a line and\na line without its line break".to_vec(),
        b"a line\na line\na line\na line".to_vec(),
        (0..=u8::MAX).collect(),
        lines("a line\n"),
        lines(&format!("{}\n", &long[..COPY_MAX - 1])),
        lines(&format!("{}\n", &long[..COPY_MAX])),
        lines(&format!("{}\n", &long[..COPY_MAX + 2])),
        lines(&format!("{}\n", &long[..DISTANCE_MAX - 1])),
        lines(&format!("{long}\n")),
        noise(100_000),
    ] {
        returns(&text);
    }
}

#[test]
fn a_text_returns_wherever_its_pieces_end() {
    let text =
        b"a_bucket{b=\"c\",le=\"1.0\"} 0\na_bucket{b=\"c\",le=\"2.0\"} 0\na_count{b=\"c\"} 0\n";
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let pieces = [&text[..first], &text[first..second], &text[second..]];
            assert!(unpacked(&packed(pieces)) == text, "{first} {second}");
        }
    }
}

#[test]
fn a_piece_that_is_longer_than_a_part_returns() {
    let line = b"one_line_of_many{that=\"are alike\"} ";
    let mut text = Vec::new();
    for n in 0..20_000 {
        text.extend_from_slice(line);
        text.extend_from_slice(format!("{n}\n").as_bytes());
    }
    assert!(text.len() > 2 * PART);
    returns(&text);
    assert!(packed([&text[..]]).len() < text.len() / 8);
}

/// The table of the RFC, each of its lengths and the border of each of its distances.
#[test]
fn copies_of_each_length_and_from_each_distance_return() {
    let borders = (0..15).flat_map(|n| [1_usize << n, 3 << n]).flat_map(|far| [far, far + 1]);
    let distances: Vec<usize> = borders.filter(|&far| far <= DISTANCE_MAX).collect();
    let lengths = (COPY_MIN..2 * COPY_MAX + 4).map(|length| (length, 7));
    let noise = noise(DISTANCE_MAX);
    for (length, distance) in lengths.chain(distances.into_iter().map(|far| (9, far))) {
        let mut text = noise[..distance].to_vec();
        text.extend((0..length).map(|i| noise[i % distance]));
        let mut packer = Packer::with_room(0);
        packer.bytes(&text[..distance]);
        packer.copy(&text, distance, text.len(), distance);
        packer.sum.update(&text);
        packer.length = text.len() as u32;
        assert!(unpacked(&packer.finish()) == text, "{length} from {distance}");
    }
}

/// All of them hold; each overlaps the ones beside it, and some overlap what they repeat.
#[test]
fn a_text_returns_where_what_repeats_overlaps() {
    let line = b"a_name 1\n";
    let text = line.repeat(5);
    let mut all = Vec::new();
    for at in 2 * line.len()..text.len() {
        for length in [WORTH_COPYING, line.len(), 3 * line.len(), text.len()] {
            let length = length.min(text.len() - at);
            let away = [line.len(), 2 * line.len()];
            all.extend(away.map(|away| Repeat { at, length, away, is_after_numbers: at % 2 == 0 }));
        }
    }
    let returns = |repeats: &[Repeat]| {
        let mut packer = Packer::with_room(0);
        packer.write_known(&text, repeats);
        assert!(unpacked(&packer.finish()) == text, "{repeats:?}");
    };
    returns(&all);
    all.iter().for_each(|one| all.iter().for_each(|other| returns(&[*one, *other])));
    all.reverse();
    returns(&all);
}

/// As the printer makes it, piece by piece.
#[test]
fn a_scrape_returns_and_is_small() {
    obs::install().unwrap();
    for format in [Format::Text, Format::OpenMetrics] {
        let mut packer = Packer::with_room(0);
        let mut text = String::new();
        obs::render(format, |piece| {
            piece.pack(&mut packer);
            text.push_str(piece.text);
        });
        let packed = packer.finish();
        assert!(unpacked(&packed) == text.as_bytes(), "{format:?}");
        assert!(packed.len() < text.len() / 20, "{format:?}: {} of {}", packed.len(), text.len());
    }
}

/// Lines of few words, so that they repeat each other in all the ways there are.
fn words() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("a_name{label=\"".to_owned()),
        Just("another_value_of_it\",".to_owned()),
        Just("le=\"0.25\"} ".to_owned()),
        Just(" # {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"} ".to_owned()),
        Just("\n".to_owned()),
        "[0-9]{1,8}",
        "[a-z\"=,{}_\n]{1,3}",
    ];
    prop::collection::vec(word, 0..300).prop_map(|words| words.concat().into_bytes())
}

/// Most are wrong, some are right by chance.
fn any_repeat() -> impl Strategy<Value = Repeat> {
    let few = 0..600_usize;
    let far = any::<(usize, usize, usize)>();
    let places = prop_oneof![9 => (few, 0..12_usize, 0..300_usize), 1 => far];
    (places, any::<bool>()).prop_map(|((at, length, away), is_after_numbers)| Repeat {
        at,
        length,
        away,
        is_after_numbers,
    })
}

proptest! {
    #[test]
    fn any_text_returns(pieces in prop::collection::vec(words(), 0..5)) {
        let packed = packed(pieces.iter().map(Vec::as_slice));
        prop_assert!(unpacked(&packed) == pieces.concat());
    }

    #[test]
    fn any_text_returns_whatever_is_said_of_it(
        text in words(), repeats in prop::collection::vec(any_repeat(), 0..20),
    ) {
        let mut packer = Packer::with_room(0);
        packer.write_known(&text, &repeats);
        prop_assert!(unpacked(&packer.finish()) == text);
    }

    #[test]
    fn any_bytes_return(pieces in prop::collection::vec(any::<Vec<u8>>(), 0..5)) {
        let packed = packed(pieces.iter().map(Vec::as_slice));
        prop_assert!(unpacked(&packed) == pieces.concat());
        // The worst that can come of codes that were fitted to something else.
        let most = pieces.concat().len() * 14 / 8 + 256;
        prop_assert!(packed.len() <= most, "{} bytes", packed.len());
    }
}
