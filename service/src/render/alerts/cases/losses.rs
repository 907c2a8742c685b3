//! What came to a bad end: reminders that were given up, texts without a receipt, texts that
//! carriers don't deliver.

use contract::{Family, Journey};

use super::super::case::{Case, Labels};
use super::super::losses::{LOST, RECEIPTS, UNDELIVERED};
use super::{counter, noise};

const JOB: Labels = &[("job", "punctual")];
const FAST: Labels = &[("window", "10m")];
const QUIET: Labels = &[("severity", "critical"), ("window", "6h")];
const MANY: Labels = &[("severity", "warning")];

/// A sample each 30 seconds.
pub(super) fn cases() -> Vec<Case> {
    [given_up(), receipts(), undelivered(), delivered()].concat()
}

/// Reminders by what became of them.
fn ended(story: &str, at: &str, fates: &[(&str, &str)]) -> Case {
    fates.iter().fold(Case::new(LOST, story, at), |case, (fate, values)| {
        case.series(Family::Messages.name(), &format!("fate=\"{fate}\""), *values)
    })
}

fn says(share: &str, window: &str) -> String {
    format!(
        "{share} of the reminders that were to leave in the last {window} were given up: the \
         provider refused them for good, or it was too late. Nobody sends them any more."
    )
}

fn given_up() -> Vec<Case> {
    let (ten, six) = ("ten minutes", "6 hours");
    // Nothing leaves from 20 minutes on, and some minutes later it is refused for good.
    let closed = [("sent", "0+20x40 800x200"), ("failed", "0x47 0+20x192")];
    vec![
        ended("the provider has closed the account", "27m", &closed).fires(
            FAST,
            JOB,
            says("50%", ten),
        ),
        ended("it is still closed, long after all that waits is new", "45m", &closed)
            .fires(FAST, JOB, says("100%", ten))
            .fires(MANY, JOB, says("51.22%", six)),
        ended("nothing was refused for good yet", "24m", &closed),
        ended(
            "a quiet night in which all is refused for good",
            "4h",
            &[
                ("sent", "12x500"),
                ("failed", "0x39 1x39 2x39 3x39 4x39 5x39 6x39 7x39 8x39 9x39 10x39 11x39 12x39"),
            ],
        )
        .fires(QUIET, JOB, says("100%", six)),
        ended(
            "a list of numbers of which one in ten doesn't exist",
            "40m",
            &[("sent", "0+9x100"), ("failed", "0+1x100")],
        )
        .fires(MANY, JOB, says("10%", six)),
        ended(
            "appointments begin before their reminders leave",
            "40m",
            &[("sent", "0+10x100"), ("expired", "0+10x100")],
        )
        .fires(FAST, JOB, says("50%", ten))
        .fires(MANY, JOB, says("50%", six)),
        ended(
            "one number in fifty doesn't exist, as ever",
            "7h",
            &[("sent", "0+49x900"), ("failed", "0+1x900")],
        ),
        ended(
            "a quiet quarter of an hour with one practice's nine wrong numbers",
            "22m",
            &[("sent", "0+1x100"), ("failed", "0x40 9x60")],
        ),
        ended(
            "a quiet night with four wrong numbers",
            "3h",
            &[("sent", "0x500"), ("failed", "0x100 1x100 2x100 3x50 4x150")],
        ),
        ended(
            "a bad hour that is long over",
            "4h",
            &[("sent", "0x200 0+1x300"), ("failed", "0+4x60 240x440")],
        ),
        ended(
            "many cancel, and nothing is lost",
            "40m",
            &[("sent", "0+10x100"), ("failed", "0x100"), ("suppressed_cancelled", "0+40x100")],
        ),
    ]
}

/// Texts that were handed over, and those of which a receipt came.
fn handed_over(story: &str, at: &str, texts: &str, receipts: &str) -> Case {
    let row = |journey: Journey| format!("journey=\"{}\"", journey.name());
    let ended = format!("{}_count", Family::JourneyDuration.name());
    Case::new(RECEIPTS, story, at).series(&ended, &row(Journey::DueToHandedOver), texts).series(
        &ended,
        &row(Journey::HandedOverToReceipt),
        receipts,
    )
}

fn receipts() -> Vec<Case> {
    let says = |share: &str| {
        format!(
            "{share} of the texts that were handed over in the half hour until five minutes ago \
             have no receipt. The provider took them; whether they arrived, nobody knows."
        )
    };
    vec![
        handed_over("none comes any more", "75m", "0+5x200", "0+5x60 300x140").fires(
            &[],
            JOB,
            says("100%"),
        ),
        handed_over("none ever came", "60m", "0+1x200", "0x200").fires(&[], JOB, says("100%")),
        handed_over("one in four comes", "60m", "0+4x200", "0+1x200").fires(
            &[],
            JOB,
            says("70.83%"),
        ),
        handed_over("one in four phones is off for hours", "60m", "0+4x200", "0+3x200"),
        handed_over("half of the phones are off for hours", "60m", "0+4x200", "0+2x200"),
        handed_over(
            "the receipts of a burst take seven minutes",
            "57m",
            "0x100 200x100",
            "0x114 195x86",
        ),
        handed_over("a burst, and a quiet hour", "39m", "0x10 200x100", "0x12 195x100"),
        handed_over(
            "the same, when the burst leaves the window",
            "41m",
            "0x10 200x100",
            "0x12 195x100",
        ),
        handed_over("a quiet night with nineteen texts", "60m", "0x60 0+1x19 19x100", "0x180"),
        handed_over("they begin to leave", "10m", "0+5x200", "0+5x200"),
    ]
}

/// Texts that left, and what receipts say of them.
fn told(story: &str, at: &str, [sent, delivered, undelivered]: [&str; 3]) -> Case {
    let fates = [("sent", sent), ("delivered", delivered), ("undelivered", undelivered)];
    fates.iter().fold(Case::new(UNDELIVERED, story, at), |case, (fate, values)| {
        case.series(Family::Messages.name(), &format!("fate=\"{fate}\""), *values)
    })
}

fn undelivered() -> Vec<Case> {
    let says = |share: &str, window: &str| {
        format!(
            "{share} of the receipts of the last {window} say that a text will not arrive. The \
             provider takes the texts, and carriers refuse them: a sender that is blocked, or a \
             filter. Nobody sends those reminders again."
        )
    };
    let (ten, six) = ("ten minutes", "6 hours");
    // Carriers refuse all from 20 minutes on.
    let blocked = ["0+20x300", "0+20x40 800x260", "0x40 0+20x260"];
    let night = "0x39 1x39 2x39 3x39 4x39 5x39 6x39 7x39 8x39 9x39 10x39 11x39 12x39";
    vec![
        told("all is blocked", "24m", blocked).fires(FAST, JOB, says("36.84%", ten)),
        told("it still is, half an hour later", "50m", blocked)
            .fires(FAST, JOB, says("100%", ten))
            .fires(QUIET, JOB, says("59.6%", six))
            .fires(MANY, JOB, says("59.6%", six)),
        told(
            "a carrier filters a quarter of the phones",
            "40m",
            ["0+20x100", "0+15x100", "0+5x100"],
        )
        .fires(FAST, JOB, says("25%", ten))
        .fires(MANY, JOB, says("25%", six)),
        told("the sender of one practice is blocked", "40m", ["0+25x100", "0+22x100", "0+3x100"])
            .fires(MANY, JOB, says("12%", six)),
        told("a quiet night in which none arrives", "4h", [night, "0x500", night]).fires(
            QUIET,
            JOB,
            says("100%", six),
        ),
    ]
}

fn delivered() -> Vec<Case> {
    // Twenty minutes in which all was blocked.
    let over = ["0+20x600", "0+20x40 800x40 800+20x520", "0x40 0+20x40 800x520"];
    let of_hundred = |step| 6.0 * noise(step);
    let noisy = [
        counter(240, |_| 100.0),
        counter(240, |step| 100.0 - of_hundred(step)),
        counter(240, of_hundred),
    ];
    vec![
        told("a quiet night with one wrong number", "60m", ["0x40 1x200", "0x300", "0x42 1x200"]),
        told(
            "three numbers in a hundred are wrong, as ever",
            "7h",
            ["0+100x900", "0+97x900", "0+3x900"],
        ),
        told("noise between none and six in a hundred", "2h", noisy.each_ref().map(String::as_str)),
        told(
            "a practice with nineteen wrong numbers",
            "22m",
            ["0+10x100", "0+10x40 391+10x60", "0x40 19x60"],
        ),
        // Four of them come for each text that leaves then.
        told(
            "carriers give up the day's phones that are off, in the evening",
            "4h",
            ["0+20x240 4801+1x400", "0+19x240 4561+1x400", "0x200 0+4x440"],
        ),
        told("a bad hour that is long over", "105m", over),
        told("no receipts come at all", "40m", ["0+20x200", "0x200", "0x200"]),
    ]
}
