//! Brands, from their own place in the bucket of documents: `brands/{name}.json`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use portico_aws::{Bucket, ObjectError};
use portico_invoice::{BRAND_BYTES_MAX, Brand, BrandName};

/// Most brands that are kept in memory. A consultancy has a few.
const KEPT_MAX: usize = 50;
/// How long a brand is taken from memory before it is read again.
const KEPT_FOR: SignedDuration = SignedDuration::from_mins(5);

/// Brands by name.
#[derive(Clone)]
pub struct Brands {
    bucket: Bucket,
    standard: Arc<Brand>,
    kept: Arc<Mutex<BTreeMap<BrandName, Read>>>,
}

/// A brand, and when it was read.
type Read = (Timestamp, Arc<Brand>);

impl Brands {
    /// Brands of a bucket, and the one for documents that name none.
    pub fn new(bucket: Bucket, standard: Brand) -> Self {
        Self { bucket, standard: Arc::new(standard), kept: Arc::default() }
    }

    /// The brand of this name. One that is missing or broken is the standard one: an invoice in plain dress is better than
    /// none, and the log says which.
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails. Documents are written once, so they wait for their brand.
    pub async fn named(&self, name: Option<&BrandName>, now: Timestamp) -> Result<Arc<Brand>, ObjectError> {
        let Some(name) = name else { return Ok(self.standard.clone()) };
        if let Some(brand) = self.kept(name, now) {
            return Ok(brand);
        }
        let most = u64::try_from(BRAND_BYTES_MAX).unwrap_or(u64::MAX);
        let Some(json) = self.bucket.whole(&format!("brands/{name}.json"), most).await? else {
            tracing::warn!(brand = %name, "there is no such brand; the standard one is used");
            return Ok(self.standard.clone());
        };
        match Brand::from_json(&json) {
            Ok(brand) => Ok(self.keep(name, Arc::new(brand), now)),
            Err(error) => {
                tracing::warn!(brand = %name, %error, "a brand cannot be used; the standard one is");
                Ok(self.standard.clone())
            }
        }
    }

    fn kept(&self, name: &BrandName, now: Timestamp) -> Option<Arc<Brand>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, brand) = kept.get(name)?;
        (now.duration_since(*since) < KEPT_FOR).then(|| brand.clone())
    }

    fn keep(&self, name: &BrandName, brand: Arc<Brand>, now: Timestamp) -> Arc<Brand> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(name.clone(), (now, brand.clone()));
        brand
    }
}
