//! What is left of a contract after a bill: hours of the retainer and of blocks, and what work may still cost.

use jiff::civil::Date;

use super::{
    bill::Carry,
    caps::CapSpan,
    period::Period,
    retainer::{Block, RetainerStatement},
    terms::Clauses,
};
use crate::{Money, SalesforceId, money::MoneyError};

/// What is left of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Minutes of the retainer that the month's work can still use; absent without a month of a retainer.
    pub retainer_left: Option<u32>,
    /// Blocks that can be used on the day, the soonest to expire first.
    pub blocks: Vec<BlockLeft>,
    /// What is left of the cap, if there is one.
    pub cap: Option<CapLeft>,
}

/// What is left of a block of hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockLeft {
    /// The record in Salesforce.
    pub block: SalesforceId,
    /// Minutes that were bought.
    pub bought: u32,
    /// Minutes that are left.
    pub left: u32,
    /// Last day on which they can be used.
    pub expires_on: Option<Date>,
}

/// What is left of a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapLeft {
    /// What it is a cap of.
    pub span: CapSpan,
    /// The most that work costs, before tax.
    pub limit: Money,
    /// What is used up.
    pub used: Money,
    /// What is left; never below zero.
    pub left: Money,
}

impl Standing {
    /// What is left on `day`, in the month `period`, after bills that left `carry`. `retainer` is what the month's own bill
    /// did to the retainer.
    ///
    /// # Errors
    /// [`MoneyError`] if the amounts do not fit.
    pub fn of(
        clauses: &Clauses,
        carry: &Carry,
        retainer: Option<&RetainerStatement>,
        (period, day): (Period, Date),
    ) -> Result<Self, MoneyError> {
        let retainer_left = retainer.map(|month| (month.brought + month.granted).saturating_sub(month.used));
        let usable =
            |block: &&Block| block.bought_on <= day && block.expires_on.is_none_or(|last| day <= last);
        let mut usable: Vec<&Block> = clauses.blocks.iter().filter(usable).collect();
        usable.sort_by_key(|block| {
            (block.expires_on.is_none(), block.expires_on, block.bought_on, block.salesforce_id)
        });
        let left = |block: &Block| {
            let known = carry.blocks.iter().find(|known| known.block == block.salesforce_id);
            known.map_or(block.time.minutes(), |known| known.left)
        };
        let blocks = usable
            .into_iter()
            .map(|block| BlockLeft {
                block: block.salesforce_id,
                bought: block.time.minutes(),
                left: left(block),
                expires_on: block.expires_on,
            })
            .collect();
        let cap = clauses.cap.map(|cap| {
            let used = cap.used(carry.cap.as_ref(), period);
            Ok::<_, MoneyError>(CapLeft {
                span: cap.span,
                limit: cap.limit.get(),
                used,
                left: cap.room(used)?,
            })
        });
        Ok(Self { retainer_left, blocks, cap: cap.transpose()? })
    }
}
