//! Hours that are paid before they are worked: retainers and prepaid blocks.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    figures::{PositiveMoney, Span, UnitPrice},
    period::Period,
};
use crate::{Money, SalesforceId};

/// Most periods for which hours stay that were not used.
pub const ROLL_OVER_PERIODS_MAX: u8 = 24;
/// Most blocks of a contract.
pub const BLOCKS_MAX: usize = 200;

/// Hours that a client has every month, for a fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retainer {
    /// What a month costs.
    pub fee: Money,
    /// What is included in it.
    pub included: Span,
    /// The price of an hour beyond it; the contract's rates if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overage: Option<UnitPrice>,
    /// What becomes of hours that were not used; they lapse if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll_over: Option<RollOver>,
}

/// Hours that were not used stay for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollOver {
    /// Most time that is taken into the next month, from all months before it.
    pub most: Span,
    /// For how many months after its own an hour can be used.
    pub months: RollOverMonths,
}

/// From 1 to [`ROLL_OVER_PERIODS_MAX`] months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct RollOverMonths(u8);

/// Not a number of months for which hours stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("hours stay for 1 to {ROLL_OVER_PERIODS_MAX} months")]
pub struct RollOverError;

impl TryFrom<u8> for RollOverMonths {
    type Error = RollOverError;

    fn try_from(months: u8) -> Result<Self, RollOverError> {
        if (1..=ROLL_OVER_PERIODS_MAX).contains(&months) { Ok(Self(months)) } else { Err(RollOverError) }
    }
}

impl From<RollOverMonths> for u8 {
    fn from(months: RollOverMonths) -> u8 {
        months.0
    }
}

/// Hours that are bought at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The record in Salesforce.
    pub salesforce_id: SalesforceId,
    /// First day on which it can be used; it is charged on the first bill from then on.
    pub bought_on: Date,
    /// How much it is.
    pub time: Span,
    /// What it costs.
    pub price: PositiveMoney,
    /// Last day on which it can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<Date>,
}

impl Block {
    fn serves(&self, day: Date) -> bool {
        self.bought_on <= day && self.expires_on.is_none_or(|last| day <= last)
    }
}

/// Where minutes are from that cost nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaidBy {
    /// The retainer of this month.
    Retainer(Period),
    /// This block.
    Block(SalesforceId),
}

/// What is left of a month's included hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The month that they were included in.
    pub period: Period,
    /// Minutes.
    pub left: u32,
    /// Last day on which they can be used.
    pub expires_on: Date,
}

/// What is left of the retainer after a month's bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetainerBalance {
    /// The month that was billed last.
    pub through: Period,
    /// What later months can use, the soonest to expire first.
    pub grants: Vec<Grant>,
}

/// What is left of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockBalance {
    /// The block.
    pub block: SalesforceId,
    /// Minutes.
    pub left: u32,
}

/// What a month did to the retainer, in minutes: `brought + granted = used + lapsed + kept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetainerStatement {
    /// From the months before.
    pub brought: u32,
    /// Included in this month.
    pub granted: u32,
    /// Used by this month's work.
    pub used: u32,
    /// Not used, and of no use any more.
    pub lapsed: u32,
    /// Left for the months after.
    pub kept: u32,
}

/// Minutes that are paid already, and what they still serve for.
#[derive(Debug, Clone)]
pub(super) struct Paid {
    retainer: Vec<Grant>,
    brought: u32,
    used: u32,
    blocks: Vec<(Block, u32)>,
}

/// `minutes` that `by` pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) by: PaidBy,
    pub(super) minutes: u32,
}

impl Paid {
    /// What there is for the month `period`: what was left, and what is included in it.
    pub(super) fn new(
        retainer: Option<(&Retainer, Period)>,
        before: Option<&RetainerBalance>,
        blocks: &[Block],
        left: &[BlockBalance],
    ) -> Self {
        let mut grants = Vec::new();
        if let Some((retainer, period)) = retainer {
            let kept = before.map(|before| before.grants.as_slice()).unwrap_or_default();
            grants.extend(kept.iter().filter(|grant| grant.left > 0 && grant.expires_on >= period.last()));
            let months = retainer.roll_over.map_or(0, |roll_over| u8::from(roll_over.months));
            let expires_on = period.after(months).last();
            grants.push(Grant { period, left: retainer.included.minutes(), expires_on });
        }
        grants.sort_by_key(|grant| (grant.expires_on, grant.period));
        let brought = before.map_or(0, |before| before.grants.iter().map(|grant| grant.left).sum());
        let of = |block: &Block| {
            let known = left.iter().find(|balance| balance.block == block.salesforce_id);
            known.map_or(block.time.minutes(), |balance| balance.left)
        };
        let mut blocks: Vec<(Block, u32)> = blocks.iter().map(|block| (*block, of(block))).collect();
        // The soonest to expire first; one that never does comes last.
        blocks.sort_by_key(|(block, _)| {
            (block.expires_on.is_none(), block.expires_on, block.bought_on, block.salesforce_id)
        });
        Self { retainer: grants, brought, used: 0, blocks }
    }

    /// Takes up to `minutes` for work of `day`: the retainer's hours before the blocks', and of each the soonest to
    /// expire first.
    pub(super) fn take(&mut self, day: Date, minutes: u32) -> Vec<Taken> {
        let mut wanted = minutes;
        let mut taken = Vec::new();
        let grants = self.retainer.iter_mut().map(|grant| (PaidBy::Retainer(grant.period), &mut grant.left));
        let blocks = self
            .blocks
            .iter_mut()
            .filter(|(block, _)| block.serves(day))
            .map(|(block, left)| (PaidBy::Block(block.salesforce_id), left));
        for (by, left) in grants.chain(blocks) {
            let part = wanted.min(*left);
            if part > 0 {
                *left -= part;
                wanted -= part;
                taken.push(Taken { by, minutes: part });
            }
        }
        let by_retainer = taken.iter().filter(|taken| matches!(taken.by, PaidBy::Retainer(_)));
        self.used += by_retainer.map(|taken| taken.minutes).sum::<u32>();
        taken
    }

    /// What is left of the retainer for the months after `period`, and what became of it in this one.
    pub(super) fn close(&self, retainer: &Retainer, period: Period) -> (RetainerBalance, RetainerStatement) {
        let mut grants: Vec<Grant> = self
            .retainer
            .iter()
            .filter(|grant| grant.left > 0 && grant.expires_on > period.last())
            .copied()
            .collect();
        // What is above the limit lapses, the soonest to expire first.
        let most = retainer.roll_over.map_or(0, |roll_over| roll_over.most.minutes());
        let mut above = grants.iter().map(|grant| grant.left).sum::<u32>().saturating_sub(most);
        for grant in &mut grants {
            let lapsed = above.min(grant.left);
            grant.left -= lapsed;
            above -= lapsed;
        }
        grants.retain(|grant| grant.left > 0);
        let kept: u32 = grants.iter().map(|grant| grant.left).sum();
        let (brought, granted, used) = (self.brought, retainer.included.minutes(), self.used);
        let lapsed = (brought + granted).saturating_sub(used + kept);
        let statement = RetainerStatement { brought, granted, used, lapsed, kept };
        (RetainerBalance { through: period, grants }, statement)
    }

    /// What is left of the blocks that were bought by `day`.
    pub(super) fn blocks(&self, day: Date) -> Vec<BlockBalance> {
        let mut left: Vec<BlockBalance> = self
            .blocks
            .iter()
            .filter(|(block, _)| block.bought_on <= day)
            .map(|(block, left)| BlockBalance { block: block.salesforce_id, left: *left })
            .collect();
        left.sort_by_key(|balance| balance.block);
        left
    }
}
