//! The reader against good, bad and foreign files.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use expect_test::expect;
use proptest::prelude::*;

use super::*;

const HEADER: &str = "PatientId,AppointmentID,Gender,ScheduledDay,AppointmentDay,Neighbourhood";

fn parse_text(text: &[u8]) -> Result<Appointments, AppointmentsError> {
    parse(Path::new("day.csv"), text)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

#[test]
fn good_rows_are_read_plain_and_packed() {
    let text = format!(
        "{HEADER}\n\
         29872499824296.0,5642903,F,2016-04-29 18:38:08,2016-04-29,JARDIM DA PENHA\n\
         93779.52927,5642503,M,2016-04-29T16:08:27Z,2016-05-02T00:00:00Z,\"PRAIA, SUL\"\r\n\
         29872499824296.0,5642904,F,2016-04-20 08:00:00,2016-05-03,JARDIM DA PENHA\n"
    );
    let plain = parse_text(text.as_bytes()).unwrap();
    assert_eq!((plain.clinics, plain.patients), (2, 2));
    let booking = |clinic, patient, booked_day, booked_second, day| Booking {
        clinic,
        patient,
        booked_day,
        booked_second,
        day,
    };
    assert_eq!(
        plain.bookings,
        [
            booking(0, 0, 16_920, 67_088, 16_920),
            booking(1, 1, 16_920, 58_107, 16_923),
            booking(0, 0, 16_911, 28_800, 16_924),
        ]
    );
    assert_eq!(plain.rejected, Rejected::default());
    let packed = parse_text(&gzip(text.as_bytes())).unwrap();
    assert_eq!(packed.bookings, plain.bookings);
}

#[test]
fn bad_rows_are_counted_named_and_left_out() {
    let mut text = format!(
        "{HEADER}\n\
         1,1,F,2016-04-29 18:38:08,2016-04-29,A\n\
         1,2,F\n\
         x,3,F,2016-04-29 18:38:08,2016-04-29,A\n\
         1,4.5,F,2016-04-29 18:38:08,2016-04-29,A\n\
         1,5,F,2016-04-31 18:38:08,2016-05-29,A\n\
         1,6,F,2016-04-29 18:38:08,tomorrow,A\n\
         1,7,F,2016-04-29 18:38:08,2016-04-29,\n\
         1,8,F,2016-05-10 10:51:53,2016-05-09,A\n\
         1,9,F,2014-04-29 18:38:08,2016-04-30,A\n\
         1,1,F,2016-04-29 18:38:08,2016-04-29,A\n\
         1,11,\"F,2016-04-29 18:38:08,2016-04-29,A\n\
         -1,12,F,2016-04-29 18:38:08,2016-04-29,A\n"
    )
    .into_bytes();
    text.extend(b"1,13,F,2016-04-29 18:38:08,2016-04-29,\xff\xfe\n");
    text.extend(b"2,14,F,2016-04-29 18:38:08,2016-04-30,A\n");
    let read = parse_text(&text).unwrap();
    assert_eq!(read.bookings.len(), 2);
    assert_eq!(read.rejected.total(), 12);
    expect![[r#"
        1 left out: columns are missing (line 3)
        1 left out: a quote has no end (line 12)
        2 left out: PatientId is not a positive number (line 4 …)
        1 left out: AppointmentID is not a whole number (line 5)
        1 left out: ScheduledDay is not a date and time (line 6)
        1 left out: AppointmentDay is not a date (line 7)
        2 left out: Neighbourhood is empty or not UTF-8 (line 8 …)
        1 left out: booked after its own appointment day (line 9)
        1 left out: booked more than two years ahead (line 10)
        1 left out: an AppointmentID that was there before (line 11)"#]]
    .assert_eq(&read.rejected.to_string());
}

#[test]
fn what_is_no_appointments_file_is_one_error() {
    let mut cut = gzip(format!("{HEADER}\n1,1,F,2016-04-29 18:38:08,2016-04-29,A\n").as_bytes());
    cut.truncate(cut.len() - 6);
    let files: [&[u8]; 7] = [
        b"",
        b"{\"a\": 1}\n",
        b"PatientId,Gender,ScheduledDay\n1,F,2016-04-29 18:38:08\n",
        HEADER.as_bytes(),
        b"PatientId,AppointmentID,ScheduledDay,AppointmentDay,Neighbourhood\nx,y,z,u,v\n,,,,\n",
        b"\x1f\x8b not gzip at all",
        &cut,
    ];
    let errors: Vec<String> =
        files.iter().map(|file| parse_text(file).unwrap_err().to_string()).collect();
    expect![[r#"
        day.csv: not an appointments file: it is empty; expected CSV (gzip or plain) with the columns PatientId, AppointmentID, ScheduledDay, AppointmentDay, Neighbourhood
        day.csv: not an appointments file: its first line has no PatientId, AppointmentID, ScheduledDay, AppointmentDay, Neighbourhood; expected CSV (gzip or plain) with the columns PatientId, AppointmentID, ScheduledDay, AppointmentDay, Neighbourhood
        day.csv: not an appointments file: its first line has no AppointmentID, AppointmentDay, Neighbourhood; expected CSV (gzip or plain) with the columns PatientId, AppointmentID, ScheduledDay, AppointmentDay, Neighbourhood
        day.csv: not an appointments file: it has no row below its header; expected CSV (gzip or plain) with the columns PatientId, AppointmentID, ScheduledDay, AppointmentDay, Neighbourhood
        day.csv: not an appointments file: it has no usable row: 2 left out: PatientId is not a positive number (line 2, 3); expected CSV (gzip or plain) with the columns PatientId, AppointmentID, ScheduledDay, AppointmentDay, Neighbourhood
        day.csv: can't read appointments: invalid gzip header; give a file that can be read, CSV or gzip
        day.csv: can't read appointments: unexpected end of file; give a file that can be read, CSV or gzip"#]].assert_eq(&errors.join("\n"));
}

#[test]
fn a_missing_file_is_one_error() {
    let error = read(Path::new("/nowhere/day.csv")).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/day.csv: can't read appointments: "), "{error}");
    assert!(error.ends_with("; give a file that can be read, CSV or gzip"), "{error}");
}

/// The file that the figures come from, where this machine has it.
pub(crate) fn shared_data() -> Option<Appointments> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data/appointments-vitoria-2016.csv.gz");
    match read(&path) {
        Ok(read) => Some(read),
        Err(AppointmentsError::Read { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            eprintln!("skipped: {} is not here", path.display());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_real_file_has_one_bad_row() {
    let Some(read) = shared_data() else { return };
    assert_eq!(read.bookings.len(), 39_595);
    assert_eq!((read.clinics, read.patients), (79, 26_579));
    assert_eq!(read.rejected.counts, [(Reason::BookedAfterDay, 1)]);
    assert_eq!(read.rejected.named.len(), 1);
}

proptest! {
    #[test]
    fn no_input_makes_it_crash(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_text(&bytes);
        let mut with_header = format!("{HEADER}\n").into_bytes();
        with_header.extend(&bytes);
        let _ = parse_text(&with_header);
        let _ = parse_text(&gzip(&bytes));
    }

    /// Every line below the header is a booking or a bad row, whatever stands in it.
    #[test]
    fn no_row_is_lost_without_a_word(
        rows in proptest::collection::vec("[0-9,:\"A-Z. -]{1,60}", 0..20),
    ) {
        let mut text = format!("{HEADER}\n1,99999,F,2016-04-29 18:38:08,2016-04-29,A\n");
        for row in &rows {
            text.push_str(row);
            text.push('\n');
        }
        let read = parse_text(text.as_bytes()).unwrap();
        prop_assert_eq!(
            read.bookings.len() as u64 + read.rejected.total(),
            1 + rows.len() as u64
        );
        prop_assert!(read.bookings.iter().all(|b| b.booked_day <= b.day));
    }
}
