//! The flags that say which day is replayed and how.

use std::path::PathBuf;

use clap::Args;
use jiff::civil::Date;

use crate::day::{Appointments, Options, Plan, Profile, Source, appointments};
use crate::exit::Failure;
use crate::progress::Step;
use crate::report::units::count;

/// Which day.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The day")]
pub struct PlanArgs {
    /// Texts that the provider is to accept on the day.
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    pub messages: u64,
    /// Appointments to resample, in the format of the "Medical Appointment No Shows" data set, CSV
    /// or gzip; without it, the built-in profile fitted from that data set.
    #[arg(long, value_name = "FILE")]
    pub appointments: Option<PathBuf>,
    /// Decides all that is left to chance: the same seed gives the same day.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Reminders of later days that stand behind the day; as many as its texts if not given.
    #[arg(long, value_name = "N")]
    pub book: Option<u64>,
    /// The local date of the day.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    pub day: Option<Date>,
}

/// How it is replayed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The replay")]
pub struct ReplayArgs {
    /// Domain seconds a real second, fixed for the run; chosen by a short calibration if not
    /// given.
    #[arg(long, value_name = "X", value_parser = speed)]
    pub speed: Option<f64>,
    /// Connections of the harness: the most requests that are under way at a time.
    #[arg(long, value_name = "N", default_value_t = 1_200, value_parser = users)]
    pub users: usize,
    /// Where the report is written; a folder named by the time in reports/ if not given.
    #[arg(long, value_name = "DIR")]
    pub report_dir: Option<PathBuf>,
    /// Serves goose's live dashboard on this port of 127.0.0.1 while the day is replayed.
    #[arg(long, value_name = "PORT")]
    pub dashboard: Option<u16>,
}

/// A plan with where it comes from.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Where clinics and patients come from, in words.
    pub source: String,
    /// Rows of the file that were left out, in words.
    pub left_out: Vec<String>,
}

impl PlanArgs {
    /// Makes the plan.
    ///
    /// # Errors
    /// When the file or a number can't be used.
    pub async fn plan(&self) -> Result<Planned, Failure> {
        let step = Step::begin("plan", "messages", self.messages);
        let args = self.clone();
        // Reading a file and drawing a day take some seconds of one core.
        let planned = tokio::task::spawn_blocking(move || args.plan_now()).await;
        let planned = planned.map_err(|error| Failure::Unavailable(error.to_string()))??;
        let (counts, promise) = (planned.plan.counts(), planned.plan.promise());
        step.end(&format!(
            "{} texts of {} practices on {}, {} requests, {} appointments before ({})",
            count(promise.messages_min),
            count(counts.practices),
            planned.plan.day(),
            count(counts.arrivals),
            count(counts.imported),
            planned.source
        ));
        for line in &planned.left_out {
            complain!("{:<8} {line}", "");
        }
        Ok(planned)
    }

    fn plan_now(&self) -> Result<Planned, Failure> {
        let (source, name, left_out) = match &self.appointments {
            None => {
                let source = Source::from_profile(Profile::builtin(), self.seed);
                let name = format!("the built-in profile: {}", source.profile().source);
                (source, name, Vec::new())
            }
            Some(file) => {
                let read =
                    appointments::read(file).map_err(|error| Failure::Usage(error.to_string()))?;
                let left_out = left_out(&read);
                let name = format!(
                    "{}: {} appointments of {} patients at {} clinics",
                    file.display(),
                    count(read.bookings.len() as u64),
                    count(u64::from(read.patients)),
                    count(u64::from(read.clinics))
                );
                (Source::from_appointments(&read), name, left_out)
            }
        };
        let plan = Plan::build(&self.options(), &source)
            .map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(Planned { plan, source: name, left_out })
    }

    fn options(&self) -> Options {
        let Self { messages, appointments: _, seed, book, day } = self;
        let default = Options::default();
        Options {
            messages: *messages,
            seed: *seed,
            book: *book,
            day: day.unwrap_or(default.day),
            ..default
        }
    }
}

fn left_out(read: &Appointments) -> Vec<String> {
    if read.rejected.total() == 0 {
        return Vec::new();
    }
    read.rejected.to_string().lines().map(str::to_owned).collect()
}

fn date(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "write a date such as 2027-03-09".to_owned())
}

pub(crate) fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if (0.01..=10_000.0).contains(&speed) => Ok(speed),
        Ok(_) | Err(_) => Err("write a number from 0.01 to 10000, such as 300".to_owned()),
    }
}

pub(crate) fn users(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(users) if (1..=2_000).contains(&users) => Ok(users),
        Ok(_) | Err(_) => Err("write a number of connections from 1 to 2000".to_owned()),
    }
}
