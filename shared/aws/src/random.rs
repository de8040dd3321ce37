use crate::Fault;

/// Bytes that nobody can guess.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(Fault::because("failed to draw random bytes", error.to_string())),
    }
}
