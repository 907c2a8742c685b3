//! The one macro behind the tables: rows become an enum with a stable order, a name, a help text
//! and a `const fn spec()`. Tables differ only in their `Spec` type.
//!
//! Belongs here: what every table has. Never here: anything about one table.

/// Turns rows of `Variant = snake_case_name { field: value, … }` into an enum. The doc comment of a
/// row is its help text everywhere.
macro_rules! table {
    (
        $(#[$enum_doc:meta])*
        pub enum $Enum:ident: $Spec:ident;
        $( $(#[doc = $help:literal])+ $Variant:ident = $name:ident { $($body:tt)* } )+
    ) => {
        $(#[$enum_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $Enum { $( $(#[doc = $help])+ $Variant, )+ }

        impl $Enum {
            /// Every row, in the order of the table.
            pub const ALL: &'static [Self] = &[ $( Self::$Variant, )+ ];
            /// How many rows there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The one name: file, metric label, test, dashboard row, documentation anchor.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$Variant => stringify!($name), )+ }
            }

            /// What it is, in words; the help text everywhere.
            #[must_use]
            pub fn help(self) -> &'static str {
                match self { $( Self::$Variant => concat!($($help),+).trim_ascii(), )+ }
            }

            /// The row.
            #[must_use]
            pub const fn spec(self) -> $Spec {
                match self { $( Self::$Variant => $Spec { $($body)* }, )+ }
            }

            /// Position in the table, for arrays with one cell a row.
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }

            /// The row of that name, if there is one.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|row| row.name() == name)
            }
        }
    };
}

pub(crate) use table;

/// True when a name is a non-empty snake_case word that starts with a letter.
pub(crate) const fn is_snake_case(name: &str) -> bool {
    let bytes = name.as_bytes();
    if bytes.is_empty() || !bytes[0].is_ascii_lowercase() {
        return false;
    }
    let mut i = 0;
    while i < bytes.len() {
        let b = bytes[i];
        if !(b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use crate::{Endpoint, Family, Journey, Limit, Pool, Stage};

    #[test]
    fn a_rows_help_is_one_line_however_it_is_written() {
        let helps = Endpoint::ALL.iter().map(|row| row.help());
        let helps = helps.chain(Family::ALL.iter().map(|row| row.help()));
        let helps = helps.chain(Journey::ALL.iter().map(|row| row.help()));
        let helps = helps.chain(Limit::ALL.iter().map(|row| row.help()));
        let helps = helps.chain(Pool::ALL.iter().map(|row| row.help()));
        for help in helps.chain(Stage::ALL.iter().map(|row| row.help())) {
            assert!(!help.is_empty() && !help.contains('\n') && !help.contains("  "), "{help:?}");
        }
    }
}
