//! Randomness of the operating system: tokens and the dice of the faults.

/// The alphabet of tokens.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

/// A token of so many characters, 6 random bits each.
///
/// # Errors
/// When the operating system has no randomness.
pub(crate) fn token(length: usize) -> Result<String, getrandom::Error> {
    let mut bytes = vec![0_u8; length];
    getrandom::fill(&mut bytes)?;
    Ok(bytes
        .into_iter()
        .map(|byte| ALPHABET.get(usize::from(byte & 63)).map_or('A', |letter| char::from(*letter)))
        .collect())
}

/// True in `percent` of 100 calls.
pub(crate) fn percent(percent: u8) -> bool {
    match percent {
        0 => false,
        100.. => true,
        _ => getrandom::u32().is_ok_and(|number| number % 100 < u32::from(percent)),
    }
}
