//! Writes the documents that are generated from the code.

/// Why a document was not written.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Document(#[from] portico_conformance::openapi::DocumentError),
    #[error("{path}: {source}")]
    File { path: &'static str, source: std::io::Error },
}

fn main() -> Result<(), WriteError> {
    for document in portico_conformance::documents()? {
        let path = portico_conformance::root().join(document.path);
        std::fs::write(path, document.content)
            .map_err(|source| WriteError::File { path: document.path, source })?;
    }
    Ok(())
}
