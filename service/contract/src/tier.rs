//! How much a path matters, which decides who is woken and who is shed first.

/// How much a path matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// A reminder is late or lost if this fails: pages.
    Critical,
    /// A person waits: tickets.
    Standard,
    /// A report waits: shed first.
    Reporting,
}

impl Tier {
    /// What matters most first.
    pub const ALL: [Self; 3] = [Self::Critical, Self::Standard, Self::Reporting];

    /// The label value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Standard => "standard",
            Self::Reporting => "reporting",
        }
    }
}
