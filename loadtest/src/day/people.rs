//! What the data has not: made-up patients' names, special instructions, practices' names, and
//! phone numbers under the unassigned country code +999, which can't be dialled.
//!
//! Never here: anything taken from real people.

/// Given names; some have letters outside GSM 03.38, so that a share of texts is sent as UCS-2.
const GIVEN: [&str; 32] = [
    "Ana", "Bruno", "Carla", "Davi", "Elisa", "Fábio", "Gabriela", "Heitor", "Iara", "João",
    "Karina", "Lucas", "Márcia", "Nuno", "Olívia", "Pedro", "Queila", "Rafael", "Sofia", "Tiago",
    "Úrsula", "Vitor", "Wanda", "Xavier", "Yara", "Zeca", "Alice", "Bento", "Clara", "Dora",
    "Enzo", "Flora",
];

/// Family names, made up like the given ones.
const FAMILY: [&str; 32] = [
    "Almeida",
    "Barros",
    "Cardoso",
    "Dias",
    "Esteves",
    "Ferreira",
    "Gomes",
    "Henriques",
    "Inácio",
    "Jardim",
    "Klein",
    "Lopes",
    "Moreira",
    "Neves",
    "Oliveira",
    "Prado",
    "Queiroz",
    "Ramos",
    "Simões",
    "Teixeira",
    "Uchoa",
    "Vieira",
    "Werner",
    "Ximenes",
    "Yamada",
    "Zanetti",
    "Aguiar",
    "Bastos",
    "Campos",
    "Duarte",
    "Evangelista",
    "Fonseca",
];

/// How many names there are.
pub(crate) const NAMES: u16 = (GIVEN.len() * FAMILY.len()) as u16;

/// Special instructions; index 0 is none.
pub(crate) const INSTRUCTIONS: [&str; 9] = [
    "",
    "Please do not eat or drink for 8 hours before.",
    "Bring your insurance card and a list of your medicines.",
    "Arrive 15 minutes early for the form at the desk.",
    "Bring your last X-ray pictures.",
    "Someone should take you home afterwards.",
    "Wear a shirt with short sleeves.",
    "The lift is out of order: use the side entrance.",
    "Traga o cartão de vacinação da criança.",
];

/// A family keeps its family name: the given name varies with the member.
pub(crate) fn name(index: u16) -> (&'static str, &'static str) {
    let index = usize::from(index % NAMES);
    (GIVEN[index % GIVEN.len()], FAMILY[index / GIVEN.len()])
}

/// The name of another member of the same family.
pub(crate) fn relative(index: u16, member: u16) -> u16 {
    let given = GIVEN.len() as u16;
    index / given * given + (index % given + member * 7) % given
}

const PLACES: [&str; 16] = [
    "Harbour", "Hill", "Park", "Station", "Market", "River", "Garden", "Bridge", "North", "South",
    "East", "West", "Lake", "Forest", "Square", "Beach",
];
const KINDS: [&str; 8] = [
    "Dental Practice",
    "Family Practice",
    "Health Centre",
    "Children's Clinic",
    "Eye Clinic",
    "Physiotherapy",
    "Skin Clinic",
    "Day Clinic",
];

/// A practice's made-up name; the number keeps it apart from its namesakes.
pub(crate) fn practice_name(index: u32) -> String {
    let place = PLACES[index as usize % PLACES.len()];
    let kind = KINDS[index as usize / PLACES.len() % KINDS.len()];
    format!("{place} {kind} {}", index + 1)
}

/// +999 as the leading digits of a number with `digits` more.
const fn under_999(digits: u32) -> u64 {
    999 * 10_u64.pow(digits)
}

/// The number that a practice sends from: +999 0 and nine digits.
pub(crate) fn sender(practice: u32) -> u64 {
    under_999(10) + u64::from(practice)
}

/// A household's phone, its own alone: +999 1, five digits of practice, six of household.
pub(crate) fn own_phone(practice: u32, household: u32) -> u64 {
    under_999(12) + 100_000_000_000 + u64::from(practice) * 1_000_000 + u64::from(household)
}

/// A phone that households of several practices share, one in each: +999 2 and eight digits.
pub(crate) fn roaming_phone(household: u32) -> u64 {
    under_999(9) + 200_000_000 + u64::from(household)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_fiction_and_apart() {
        assert_eq!(sender(0), 9_990_000_000_000);
        assert_eq!(own_phone(12, 34), 999_100_012_000_034);
        assert_eq!(roaming_phone(34), 999_200_000_034);
        for phone in [sender(99_999), own_phone(99_999, 999_999), roaming_phone(99_999_999)] {
            let digits = phone.to_string();
            assert!(digits.starts_with("999") && (11..=15).contains(&digits.len()), "{digits}");
        }
    }

    #[test]
    fn relatives_share_the_family_name() {
        for index in 0..NAMES {
            for member in 1..5 {
                let other = relative(index, member);
                assert_eq!(name(index).1, name(other).1);
                assert_ne!(name(index).0, name(other).0);
            }
        }
    }
}
