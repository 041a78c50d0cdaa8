//! An issued invoice becomes a PDF in the store.
//!
//! A function of its own, because the renderer is large and slow to start, and nobody waits for it. The same
//! invoice gives the same bytes under the same key, so a message that comes twice changes nothing.

mod document;

use portico_aws::{Batch, BootError, Bucket, Cloud, Function, ObjectError, SettingError};
use portico_domain::{
    Clock, InvoiceId, Random,
    billing::{Invoice, Rendered},
    events::{Event, Fact},
};
use portico_invoice::{Party, RenderError};
use portico_store::{Store, StoreError, Tenant, engine::Table};
use sha2::{Digest, Sha256};

/// How often a lost race for the invoice is run again.
const RACES_MAX: usize = 5;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// Where the PDFs go.
    pub bucket: Bucket,
    /// Who issues the invoices.
    pub seller: Party,
    /// The time.
    pub clock: Clock,
    /// New ids.
    pub random: Random,
}

/// The function, from the cloud that it runs in.
///
/// # Errors
/// [`BootError`] if `template.yaml` does not give it what it needs.
pub async fn function(cloud: &Cloud) -> Result<Function, BootError> {
    let tables = [Table::Invoices, Table::InvoicePositions, Table::Outbox];
    let deps = Deps {
        store: cloud.store(&tables)?,
        bucket: cloud.bucket("INVOICES_BUCKET")?,
        seller: seller(cloud)?,
        clock: cloud.clock(),
        random: cloud.random(),
    };
    Ok(Function::event(move |batch: Batch, _| {
        let deps = deps.clone();
        async move { Ok::<_, std::convert::Infallible>(batch.each(|event| publish(&deps, event)).await) }
    }))
}

/// The consultancy, as the template's parameters name it; lines of the address are separated by semicolons.
fn seller(cloud: &Cloud) -> Result<Party, SettingError> {
    let address = cloud.settings().text("SELLER_ADDRESS")?;
    Ok(Party {
        name: cloud.settings().text("SELLER_NAME")?.to_owned(),
        address: address.split(';').map(|line| line.trim().to_owned()).collect(),
        tax_number: cloud.settings().optional("SELLER_TAX_NUMBER").map(str::to_owned),
        contact: Vec::new(),
    })
}

/// Why an invoice has no PDF yet. The message comes back, and in the end people look at it.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The records cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The invoice is not there.
    #[error("{0} is not in the store")]
    Missing(InvoiceId),
    /// The invoice cannot be laid out.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The renderer broke down.
    #[error("the renderer broke down")]
    Renderer,
    /// The PDF cannot be kept.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

async fn publish(deps: &Deps, event: Event) -> Result<(), PublishError> {
    let Fact::InvoiceIssued { invoice: id, .. } = event.fact else { return Ok(()) };
    let tenant = Tenant::of_event(&event);
    let missing = || PublishError::Missing(id);
    let mut invoice = deps.store.invoice(&tenant, id).await?.ok_or_else(missing)?;
    if invoice.rendered.is_some() {
        return Ok(());
    }
    let rendered = render(deps, &invoice).await?;
    for _ in 0..RACES_MAX {
        invoice.rendered = Some(rendered.clone());
        invoice.version += 1;
        let fact = Fact::InvoiceRendered { case: invoice.subject.case(), invoice: id };
        let event = Event::in_account(tenant.account(), fact, deps.clock.now(), &deps.random);
        match deps.store.save_invoice(&invoice, &[event]).await {
            Err(StoreError::Conflict) => {
                invoice = deps.store.invoice(&tenant, id).await?.ok_or_else(missing)?
            }
            done => return Ok(done?),
        }
        if invoice.rendered.is_some() {
            return Ok(());
        }
    }
    Err(StoreError::Conflict.into())
}

/// Lays the invoice out and keeps the PDF.
async fn render(deps: &Deps, invoice: &Invoice) -> Result<Rendered, PublishError> {
    let positions = deps.store.positions(invoice).await?;
    let document = document::of(invoice, &positions.lines, &deps.seller);
    // Layout is pure computation for tens of milliseconds; it must not hold up the runtime's other work.
    let pdf = tokio::task::spawn_blocking(move || portico_invoice::render(&document))
        .await
        .map_err(|_| PublishError::Renderer)??;
    let rendered = Rendered {
        key: invoice.document_key(),
        size: u64::try_from(pdf.len()).unwrap_or(u64::MAX),
        sha256: hex::encode(Sha256::digest(&pdf)),
    };
    deps.bucket.put(&rendered.key, "application/pdf", pdf.into()).await?;
    tracing::info!(invoice = %invoice.id, bytes = rendered.size, "rendered");
    Ok(rendered)
}
