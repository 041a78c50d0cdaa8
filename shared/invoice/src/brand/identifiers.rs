//! What names a company, its country and its account to others.

use isocountry::CountryCode;
use serde::Deserialize;
use std::fmt;

/// Not an identifier of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Not a VAT number.
    #[error("a VAT number is a country's two letters and 2 to 13 letters or digits")]
    VatNumber,
    /// Not a country.
    #[error("a country is written as its two letters by ISO 3166-1")]
    Country,
    /// Not an IBAN.
    #[error("not an IBAN: its check digits do not fit")]
    Iban,
    /// Not a BIC.
    #[error("a BIC has 8 or 11 letters and digits")]
    Bic,
}

/// A VAT number with its country's prefix (EN 16931: BT-31, BT-48).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct VatNumber(String);

impl VatNumber {
    /// Without spaces.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The country that its prefix names.
    pub fn country(&self) -> Option<Country> {
        match self.0.get(..2)? {
            "EL" => Country::parse("GR"),
            "XI" => Country::parse("GB"),
            prefix => Country::parse(prefix),
        }
    }
}

impl TryFrom<String> for VatNumber {
    type Error = IdentifierError;

    fn try_from(text: String) -> Result<Self, IdentifierError> {
        let compact: String =
            text.chars().filter(|c| !matches!(c, ' ' | '.' | '-')).map(|c| c.to_ascii_uppercase()).collect();
        let number = Self(compact);
        // A country that is known, so that BR-CO-09 holds.
        let sound = number.country().is_some()
            && (4..=15).contains(&number.0.len())
            && number.0.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'*'));
        if sound { Ok(number) } else { Err(IdentifierError::VatNumber) }
    }
}

/// A country, by ISO 3166-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Country(CountryCode);

/// Names by which people write countries on letters, beside the English one of ISO 3166-1.
const NAMES: [(&str, &str); 60] = [
    ("AT", "Austria"),
    ("AT", "Österreich"),
    ("AT", "Autriche"),
    ("BE", "België"),
    ("BE", "Belgique"),
    ("BE", "Belgien"),
    ("BE", "Bélgica"),
    ("BG", "Bulgarien"),
    ("CH", "Schweiz"),
    ("CH", "Suisse"),
    ("CH", "Svizzera"),
    ("CH", "Suiza"),
    ("CZ", "Czech Republic"),
    ("CZ", "Tschechien"),
    ("CZ", "Česko"),
    ("DE", "Deutschland"),
    ("DE", "Allemagne"),
    ("DE", "Alemania"),
    ("DK", "Danmark"),
    ("DK", "Dänemark"),
    ("DK", "Danemark"),
    ("DK", "Dinamarca"),
    ("EE", "Eesti"),
    ("ES", "España"),
    ("ES", "Spanien"),
    ("ES", "Espagne"),
    ("FI", "Suomi"),
    ("FI", "Finnland"),
    ("FR", "Frankreich"),
    ("FR", "Francia"),
    ("GB", "United Kingdom"),
    ("GB", "Great Britain"),
    ("GB", "England"),
    ("GB", "UK"),
    ("GB", "Royaume-Uni"),
    ("GB", "Reino Unido"),
    ("GR", "Griechenland"),
    ("HR", "Kroatien"),
    ("HU", "Ungarn"),
    ("IE", "Irland"),
    ("IE", "Irlande"),
    ("IT", "Italia"),
    ("IT", "Italien"),
    ("IT", "Italie"),
    ("LU", "Luxemburg"),
    ("NL", "Netherlands"),
    ("NL", "The Netherlands"),
    ("NL", "Nederland"),
    ("NL", "Niederlande"),
    ("NL", "Pays-Bas"),
    ("NL", "Países Bajos"),
    ("NO", "Norge"),
    ("NO", "Norwegen"),
    ("PL", "Polska"),
    ("PL", "Polen"),
    ("SE", "Sverige"),
    ("SE", "Schweden"),
    ("US", "United States"),
    ("US", "USA"),
    ("US", "Estados Unidos"),
];

impl Country {
    /// The country that an address ends with: its two or three letters, its English name, or a name of [`NAMES`].
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let same = |name: &str| name.to_lowercase() == text.to_lowercase();
        let alias = NAMES.iter().find(|(_, name)| same(name)).map(|(code, _)| *code);
        let code = alias.unwrap_or(text);
        let by_code =
            CountryCode::for_alpha2_caseless(code).or_else(|_| CountryCode::for_alpha3_caseless(code));
        by_code.ok().or_else(|| CountryCode::iter().find(|country| same(country.name())).copied()).map(Self)
    }

    /// Its two letters.
    pub fn code(self) -> &'static str {
        self.0.alpha2()
    }
}

impl TryFrom<String> for Country {
    type Error = IdentifierError;

    fn try_from(text: String) -> Result<Self, IdentifierError> {
        CountryCode::for_alpha2(&text).map(Self).map_err(|_| IdentifierError::Country)
    }
}

/// An account by ISO 13616.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Iban(String);

impl Iban {
    /// Without spaces.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// In groups of four, as it is printed.
impl fmt::Display for Iban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, letter) in self.0.chars().enumerate() {
            if place > 0 && place.is_multiple_of(4) {
                f.write_str(" ")?;
            }
            write!(f, "{letter}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Iban {
    type Error = IdentifierError;

    fn try_from(text: String) -> Result<Self, IdentifierError> {
        let compact: String = text.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect();
        let shaped = (15..=34).contains(&compact.len())
            && compact.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && compact.bytes().take(2).all(|byte| byte.is_ascii_uppercase());
        let (country, account) = compact.split_at_checked(4).ok_or(IdentifierError::Iban)?;
        // ISO 7064: read as one number, with the letters as 10 to 35 and the country behind, it leaves 1.
        let rest = account.chars().chain(country.chars()).try_fold(0_u32, |rest, letter| {
            let value = letter.to_digit(36)?;
            Some((rest * if value < 10 { 10 } else { 100 } + value) % 97)
        });
        if shaped && rest == Some(1) { Ok(Self(compact)) } else { Err(IdentifierError::Iban) }
    }
}

/// A bank by ISO 9362.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Bic(String);

impl Bic {
    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Bic {
    type Error = IdentifierError;

    fn try_from(text: String) -> Result<Self, IdentifierError> {
        let code = text.to_ascii_uppercase();
        let sound = matches!(code.len(), 8 | 11) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if sound { Ok(Self(code)) } else { Err(IdentifierError::Bic) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vat_number_begins_with_a_country() {
        let number = |text: &str| VatNumber::try_from(text.to_owned());
        assert_eq!(number("de 811.223.344").unwrap().as_str(), "DE811223344");
        assert_eq!(number("EL123456789").unwrap().country().unwrap().code(), "GR");
        for wrong in ["", "811223344", "XX123456", "DE", "DE1", "DE12345678901234", "DE12/34", "ÄÖ1234"] {
            assert_eq!(number(wrong), Err(IdentifierError::VatNumber), "{wrong}");
        }
    }

    #[test]
    fn a_country_is_known_by_its_names() {
        for (text, code) in [
            ("Germany", "DE"),
            ("DEUTSCHLAND", "DE"),
            ("united states", "US"),
            ("usa", "US"),
            ("The Netherlands", "NL"),
            ("France", "FR"),
            (" es ", "ES"),
            ("Österreich", "AT"),
            ("Japan", "JP"),
        ] {
            assert_eq!(Country::parse(text).map(Country::code), Some(code), "{text}");
        }
        assert_eq!(Country::parse("20457 Hamburg"), None);
        for (code, name) in NAMES {
            assert_eq!(Country::parse(name).map(Country::code), Some(code), "{name}");
        }
    }

    #[test]
    fn an_iban_checks_itself() {
        let iban = |text: &str| Iban::try_from(text.to_owned());
        assert_eq!(iban("DE89 3704 0044 0532 0130 00").unwrap().to_string(), "DE89 3704 0044 0532 0130 00");
        assert!(iban("GB29 NWBK 6016 1331 9268 19").is_ok());
        for wrong in
            ["", "DE88 3704 0044 0532 0130 00", "89DE370400440532013000", "DE8", "DE89370400440532013ä00"]
        {
            assert_eq!(iban(wrong), Err(IdentifierError::Iban), "{wrong}");
        }
        assert!(Bic::try_from("COBADEFFXXX".to_owned()).is_ok());
        assert!(Bic::try_from("COBADEFFX".to_owned()).is_err());
    }
}
