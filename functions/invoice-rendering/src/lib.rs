//! An issued invoice, or a credit note, becomes a PDF and an e-invoice in the store.
//!
//! A function of its own, because the renderer is large and slow to start, and nobody waits for it. What is kept is
//! never written again: a message that comes twice changes nothing, and an attempt that dies half-way is gone on with
//! from what it kept. The e-invoice comes first, so that the one in the PDF is the one beside it.

mod brands;

use bytes::Bytes;
use portico_aws::{Batch, BootError, Bucket, Cloud, Function, Kept, ObjectError, SettingError};
use portico_domain::{
    Clock, CreditNoteId, InvoiceId, Random,
    billing::{CreditNote, Rendered, StoredDocument},
    events::{Event, Fact},
};
use portico_invoice::{
    Brand, BrandName, BrandNameError, Buyer, ComposeError, Country, EInvoice, RenderError, Seller, VatNumber,
    Voucher, compose,
};
use portico_store::{Store, StoreError, Tenant, engine::Table};
use sha2::{Digest, Sha256};

pub use brands::Brands;

/// How often a lost race for the invoice is run again.
const RACES_MAX: usize = 5;
/// Most bytes of a document that was kept by an earlier attempt: the largest one (10,000 rows) has 20 MB.
const DOCUMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What this function works with.
#[derive(Clone)]
pub struct Deps {
    /// The portal's records.
    pub store: Store,
    /// Where the PDFs go.
    pub bucket: Bucket,
    /// How documents look, and who issues them.
    pub brands: Brands,
    /// The brand of every document, if it is not the plain one.
    pub brand: Option<BrandName>,
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
    let tables = [Table::Invoices, Table::InvoicePositions, Table::CreditNotes, Table::Outbox];
    let bucket = cloud.bucket("INVOICES_BUCKET")?;
    let deps = Deps {
        store: cloud.store(&tables)?,
        brands: Brands::new(bucket.clone(), Brand::plain(seller(cloud)?)),
        brand: brand(cloud)?,
        bucket,
        clock: cloud.clock(),
        random: cloud.random(),
    };
    Ok(Function::event(move |batch: Batch, _| {
        let deps = deps.clone();
        async move { Ok::<_, std::convert::Infallible>(batch.each(|event| publish(&deps, event)).await) }
    }))
}

/// The name of the brand that every document has, if the template names one.
fn brand(cloud: &Cloud) -> Result<Option<BrandName>, SettingError> {
    let name = cloud.settings().optional("SELLER_BRAND").map(str::parse).transpose();
    name.map_err(|_: BrandNameError| SettingError::Unusable("SELLER_BRAND".to_owned()))
}

/// The consultancy, as the template's parameters name it; lines of the address are separated by semicolons. The last word
/// of the tax number is its VAT number, if it is one.
fn seller(cloud: &Cloud) -> Result<Seller, SettingError> {
    let address = cloud.settings().text("SELLER_ADDRESS")?;
    let address: Vec<String> = address.split(';').map(|line| line.trim().to_owned()).collect();
    let tax_number = cloud.settings().optional("SELLER_TAX_NUMBER");
    let last = tax_number.and_then(|text| text.split_whitespace().last());
    let vat_number = last.and_then(|word| VatNumber::try_from(word.to_owned()).ok());
    let country = address.last().and_then(|line| Country::parse(line));
    Ok(Seller {
        name: cloud.settings().text("SELLER_NAME")?.to_owned(),
        country: country.or_else(|| vat_number.as_ref().and_then(VatNumber::country)),
        address,
        vat_number,
        tax_number: tax_number.map(str::to_owned),
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
    /// The credit note is not there.
    #[error("{0} is not in the store")]
    MissingNote(CreditNoteId),
    /// The invoice's figures do not add up: people have to look at it before anybody else does.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The invoice cannot be laid out.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The renderer broke down.
    #[error("the renderer broke down")]
    Renderer,
    /// A document cannot be kept, or the brand cannot be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A document that was there a moment ago.
    #[error("{0} was kept, and is not there")]
    Vanished(String),
}

async fn publish(deps: &Deps, event: Event) -> Result<(), PublishError> {
    let tenant = Tenant::of_event(&event);
    match event.fact {
        Fact::InvoiceIssued { invoice, .. } => publish_invoice(deps, &tenant, invoice).await,
        Fact::CreditNoteIssued { invoice, credit_note, .. } => {
            publish_credit_note(deps, &tenant, invoice, credit_note).await
        }
        _ => Ok(()),
    }
}

async fn publish_invoice(deps: &Deps, tenant: &Tenant, id: InvoiceId) -> Result<(), PublishError> {
    let missing = || PublishError::Missing(id);
    let mut invoice = deps.store.invoice(tenant, id).await?.ok_or_else(missing)?;
    if invoice.rendered.is_some() {
        return Ok(());
    }
    let positions = deps.store.positions(&invoice).await?;
    let voucher = Voucher::Invoice { invoice: &invoice, positions: &positions };
    let rendered = render(deps, voucher, invoice.document_key(), invoice.e_invoice_key()).await?;
    for _ in 0..RACES_MAX {
        invoice.rendered = Some(rendered.clone());
        invoice.version += 1;
        let fact = Fact::InvoiceRendered { case: invoice.subject.case(), invoice: id };
        let event = Event::in_account(tenant.account(), fact, deps.clock.now(), &deps.random);
        match deps.store.save_invoice(&invoice, &[event]).await {
            Err(StoreError::Conflict) => {
                invoice = deps.store.invoice(tenant, id).await?.ok_or_else(missing)?;
            }
            done => return Ok(done?),
        }
        if invoice.rendered.is_some() {
            return Ok(());
        }
    }
    Err(StoreError::Conflict.into())
}

async fn publish_credit_note(
    deps: &Deps,
    tenant: &Tenant,
    of: InvoiceId,
    id: CreditNoteId,
) -> Result<(), PublishError> {
    let note = deps.store.credit_note(tenant, id).await?.ok_or(PublishError::MissingNote(id))?;
    if note.rendered.is_some() {
        return Ok(());
    }
    let invoice = deps.store.invoice(tenant, of).await?.ok_or(PublishError::Missing(of))?;
    let positions = deps.store.positions(&invoice).await?;
    let voucher = Voucher::CreditNote { note: &note, of: &invoice, positions: &positions };
    let rendered = render(deps, voucher, note.document_key(), note.e_invoice_key()).await?;
    let next = CreditNote { rendered: Some(rendered), version: note.version + 1, ..note };
    let fact = Fact::CreditNoteRendered { case: invoice.subject.case(), invoice: of, credit_note: id };
    let event = Event::in_account(tenant.account(), fact, deps.clock.now(), &deps.random);
    // Nothing else of a credit note is ever written, so whoever was faster has written the same.
    match deps.store.save_credit_note(&next, &event).await {
        Ok(()) | Err(StoreError::Conflict) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Lays a voucher out and keeps what comes of it.
async fn render(
    deps: &Deps,
    voucher: Voucher<'_>,
    document_key: String,
    e_invoice_key: String,
) -> Result<Rendered, PublishError> {
    let brand = deps.brands.named(deps.brand.as_ref(), deps.clock.now()).await?;
    let buyer = Buyer::of(voucher.invoice(), None);
    let composed = compose(voucher, &brand, &buyer, brand.language)?;
    if let Some(reason) = composed.withheld {
        tracing::warn!(number = voucher.number(), %reason, "there is no e-invoice");
    }
    let mut document = composed.document;
    let mut e_invoice = None;
    if let Some(xml) = document.e_invoice.take() {
        let (kept, stored) = keep(deps, e_invoice_key, "application/xml", xml.bytes().to_vec()).await?;
        document.e_invoice = Some(EInvoice::kept(kept.to_vec()));
        e_invoice = Some(stored);
    }
    // Layout is pure computation for tens of milliseconds; it must not hold up the runtime's other work.
    let pdf = tokio::task::spawn_blocking(move || portico_invoice::render(&document))
        .await
        .map_err(|_| PublishError::Renderer)??;
    let (_, StoredDocument { key, size, sha256 }) = keep(deps, document_key, "application/pdf", pdf).await?;
    tracing::info!(number = voucher.number(), bytes = size, "rendered");
    Ok(Rendered { key, size, sha256, e_invoice })
}

/// Keeps a document under its key. If there is one already, from an attempt that got no further, that one stands.
async fn keep(
    deps: &Deps,
    key: String,
    content_type: &str,
    content: Vec<u8>,
) -> Result<(Bytes, StoredDocument), PublishError> {
    let mut content = Bytes::from(content);
    if deps.bucket.put_new(&key, content_type, content.clone()).await? == Kept::There {
        let there = deps.bucket.whole(&key, DOCUMENT_BYTES_MAX).await?;
        let there = there.ok_or_else(|| PublishError::Vanished(key.clone()))?;
        if there != content {
            tracing::warn!(key, "another document was kept before; it stands");
        }
        content = there;
    }
    let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let sha256 = hex::encode(Sha256::digest(&content));
    Ok((content, StoredDocument { key, size, sha256 }))
}
