//! Contracts, their amendments and their parts.

use jiff::{Timestamp, civil::Date};
use portico_domain::{
    AccountId, ContractId, SalesforceId,
    contracts::{
        AMENDMENTS_MAX, AfterHoursClause, Amendment, Contract, DiscountClause, IncrementClause, LateClause,
        Milestone, PARTS_MAX, PrepaidHours, Provisions, Rate, RetainerClause, TaxClause,
    },
};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::{Choice, Object, Record, Unusable, Wrong, choices::chosen, currency_of, number, record, said};
use crate::client::moment;

/// `Portal_Contract__c`: a contract, or an amendment of one.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
pub struct ContractRecord {
    #[serde(rename = "Id")]
    pub id: SalesforceId,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Account__c")]
    pub account: Option<SalesforceId>,
    #[serde(rename = "Currency__c")]
    pub currency: String,
    #[serde(rename = "Hourly_Rate__c")]
    pub hourly_rate: Option<serde_json::Number>,
    #[serde(rename = "Tax_Rate__c")]
    pub tax_percent: Option<serde_json::Number>,
    #[serde(rename = "Payment_Terms_Days__c")]
    pub payment_terms_days: Option<serde_json::Number>,
    #[serde(rename = "Valid_From__c")]
    pub valid_from: Option<Date>,
    #[serde(rename = "Valid_To__c")]
    pub valid_to: Option<Date>,
    #[serde(rename = "Time_Zone__c")]
    pub time_zone: Option<String>,
    #[serde(rename = "Purchase_Order__c")]
    pub purchase_order: Option<String>,
    #[serde(rename = "Amends__c")]
    pub amends: Option<SalesforceId>,
    #[serde(rename = "Billed_By__c")]
    pub billed_by: Option<String>,
    #[serde(rename = "Pricing__c")]
    pub pricing: Option<String>,
    #[serde(rename = "Retainer_Hours__c")]
    pub retainer_hours: Option<serde_json::Number>,
    #[serde(rename = "Retainer_Fee__c")]
    pub retainer_fee: Option<serde_json::Number>,
    #[serde(rename = "Overage_Rate__c")]
    pub overage_rate: Option<serde_json::Number>,
    #[serde(rename = "Roll_Over_Hours__c")]
    pub roll_over_hours: Option<serde_json::Number>,
    #[serde(rename = "Roll_Over_Months__c")]
    pub roll_over_months: Option<serde_json::Number>,
    #[serde(rename = "Increment__c")]
    pub increment: Option<String>,
    #[serde(rename = "Rounding__c")]
    pub rounding: Option<String>,
    #[serde(rename = "Rounded_Together__c")]
    pub rounded_together: Option<String>,
    #[serde(rename = "Least_Minutes__c")]
    pub least_minutes: Option<serde_json::Number>,
    #[serde(rename = "Hours_Billed__c")]
    pub hours_billed: Option<String>,
    #[serde(rename = "After_Hours_Factor__c")]
    pub after_hours_factor: Option<serde_json::Number>,
    #[serde(rename = "After_Hours__c")]
    pub after_hours: Option<String>,
    #[serde(rename = "Markup_Percent__c")]
    pub markup_percent: Option<serde_json::Number>,
    #[serde(rename = "Minimum_Charge__c")]
    pub minimum_charge: Option<serde_json::Number>,
    #[serde(rename = "Cap_Amount__c")]
    pub cap_amount: Option<serde_json::Number>,
    #[serde(rename = "Cap_Of__c")]
    pub cap_of: Option<String>,
    #[serde(rename = "Tax_Treatment__c")]
    pub tax_treatment: Option<String>,
    #[serde(rename = "Fees_Tax_Treatment__c")]
    pub fees_tax_treatment: Option<String>,
    #[serde(rename = "Fees_Tax_Rate__c")]
    pub fees_tax_percent: Option<serde_json::Number>,
    #[serde(rename = "Expenses_Tax_Treatment__c")]
    pub expenses_tax_treatment: Option<String>,
    #[serde(rename = "Expenses_Tax_Rate__c")]
    pub expenses_tax_percent: Option<serde_json::Number>,
    #[serde(rename = "Tax_Rounding__c")]
    pub tax_rounding: Option<String>,
    #[serde(rename = "Late_Interest__c")]
    pub late_interest: Option<serde_json::Number>,
    #[serde(rename = "Late_Fee__c")]
    pub late_fee: Option<serde_json::Number>,
    #[serde(rename = "IsDeleted")]
    pub is_deleted: bool,
    #[serde(rename = "SystemModstamp", deserialize_with = "moment")]
    pub system_modstamp: Timestamp,
}

record!(
    ContractRecord,
    Object::Contract,
    [
        "Id",
        "Name",
        "Account__c",
        "Currency__c",
        "Hourly_Rate__c",
        "Tax_Rate__c",
        "Payment_Terms_Days__c",
        "Valid_From__c",
        "Valid_To__c",
        "Time_Zone__c",
        "Purchase_Order__c",
        "Amends__c",
        "Billed_By__c",
        "Pricing__c",
        "Retainer_Hours__c",
        "Retainer_Fee__c",
        "Overage_Rate__c",
        "Roll_Over_Hours__c",
        "Roll_Over_Months__c",
        "Increment__c",
        "Rounding__c",
        "Rounded_Together__c",
        "Least_Minutes__c",
        "Hours_Billed__c",
        "After_Hours_Factor__c",
        "After_Hours__c",
        "Markup_Percent__c",
        "Minimum_Charge__c",
        "Cap_Amount__c",
        "Cap_Of__c",
        "Tax_Treatment__c",
        "Fees_Tax_Treatment__c",
        "Fees_Tax_Rate__c",
        "Expenses_Tax_Treatment__c",
        "Expenses_Tax_Rate__c",
        "Tax_Rounding__c",
        "Late_Interest__c",
        "Late_Fee__c",
        "IsDeleted",
        "SystemModstamp",
    ]
);

/// A contract's record, or an amendment's, with what hangs on it alone.
#[derive(Debug, Clone)]
pub struct PaperRecords {
    /// The record.
    pub record: ContractRecord,
    /// Its rates.
    pub rates: Vec<RateRecord>,
    /// Its discounts.
    pub discounts: Vec<DiscountRecord>,
}

/// A contract's record with everything that belongs to the contract.
#[derive(Debug, Clone)]
pub struct ContractRecords {
    /// The record that amends no other.
    pub first: PaperRecords,
    /// Its amendments, in any order.
    pub amendments: Vec<PaperRecords>,
    /// Milestones of all of them.
    pub milestones: Vec<MilestoneRecord>,
    /// Blocks of hours of all of them.
    pub blocks: Vec<BlockRecord>,
}

impl ContractRecords {
    /// The contract of `account`, as this version. A figure that one cannot bill by is taken over as it stands.
    ///
    /// # Errors
    /// [`Unusable`] if there is something that the portal has no place for.
    pub fn contract(&self, account: AccountId, version: u64) -> Result<Contract, Unusable> {
        let PaperRecords { record, rates, discounts } = &self.first;
        let parts = self.milestones.len().max(self.blocks.len()).max(rates.len()).max(discounts.len());
        if parts > PARTS_MAX {
            return Err(Wrong::TooMany.in_field(record.id, "Contract__c"));
        }
        if self.amendments.len() > AMENDMENTS_MAX {
            return Err(Wrong::TooMany.in_field(record.id, "Amends__c"));
        }
        let amendment = |paper: &PaperRecords| paper.amendment(record.account);
        let mut amendments: Vec<Amendment> =
            self.amendments.iter().map(amendment).collect::<Result<_, _>>()?;
        amendments.sort_by_key(|amendment| (amendment.valid_from, amendment.salesforce_id));
        Ok(Contract {
            id: ContractId::of_salesforce(&record.id),
            account,
            salesforce_id: record.id,
            name: record.name.clone(),
            currency: currency_of(record.id, &record.currency)?,
            hourly_rate: record.number("Hourly_Rate__c", &record.hourly_rate)?,
            tax_percent: record.number("Tax_Rate__c", &record.tax_percent)?,
            payment_terms_days: record.payment_terms_days()?,
            valid_from: record.valid_from()?,
            // A contract that was deleted in Salesforce holds on no day.
            valid_to: if record.is_deleted { Some(Date::MIN) } else { record.valid_to },
            time_zone: record.time_zone.clone().unwrap_or_default(),
            purchase_order: said(record.purchase_order.as_ref()),
            rates: rates.iter().map(RateRecord::rate).collect::<Result<_, _>>()?,
            provisions: record.provisions(discounts)?,
            milestones: self.milestones.iter().map(MilestoneRecord::milestone).collect::<Result<_, _>>()?,
            blocks: self.blocks.iter().map(BlockRecord::block).collect::<Result<_, _>>()?,
            amendments,
            modstamp: record.system_modstamp,
            version,
        })
    }
}

impl PaperRecords {
    fn amendment(&self, account: Option<SalesforceId>) -> Result<Amendment, Unusable> {
        let Self { record, rates, discounts } = self;
        if record.account != account {
            return Err(Wrong::OtherAccount.in_field(record.id, "Amends__c"));
        }
        if rates.len().max(discounts.len()) > PARTS_MAX {
            return Err(Wrong::TooMany.in_field(record.id, "Contract__c"));
        }
        Ok(Amendment {
            salesforce_id: record.id,
            name: record.name.clone(),
            valid_from: record.valid_from()?,
            valid_to: record.valid_to,
            currency: currency_of(record.id, &record.currency)?,
            time_zone: record.time_zone.clone().unwrap_or_default(),
            hourly_rate: record.number("Hourly_Rate__c", &record.hourly_rate)?,
            tax_percent: record.number("Tax_Rate__c", &record.tax_percent)?,
            payment_terms_days: record.payment_terms_days()?,
            purchase_order: said(record.purchase_order.as_ref()),
            rates: rates.iter().map(RateRecord::rate).collect::<Result<_, _>>()?,
            provisions: record.provisions(discounts)?,
            modstamp: record.system_modstamp,
        })
    }
}

impl ContractRecord {
    fn number(
        &self,
        field: &'static str,
        value: &Option<serde_json::Number>,
    ) -> Result<Option<Decimal>, Unusable> {
        number(self.id, field, value.as_ref())
    }

    fn choice<C: Choice>(&self, field: &'static str, value: &Option<String>) -> Result<Option<C>, Unusable> {
        chosen(self.id, field, value.as_ref())
    }

    fn payment_terms_days(&self) -> Result<u16, Unusable> {
        const FIELD: &str = "Payment_Terms_Days__c";
        let days = self.number(FIELD, &self.payment_terms_days)?;
        let days = days.ok_or_else(|| Wrong::Missing.in_field(self.id, FIELD))?;
        // Through a text, so that a part of a day is refused and not cut off.
        days.to_string().parse().map_err(|_| Wrong::Number.in_field(self.id, FIELD))
    }

    fn valid_from(&self) -> Result<Date, Unusable> {
        self.valid_from.ok_or_else(|| Wrong::Missing.in_field(self.id, "Valid_From__c"))
    }

    fn provisions(&self, discounts: &[DiscountRecord]) -> Result<Provisions, Unusable> {
        Ok(Provisions {
            billed_by: self.choice("Billed_By__c", &self.billed_by)?.unwrap_or_default(),
            pricing: self.choice("Pricing__c", &self.pricing)?.unwrap_or_default(),
            retainer: RetainerClause {
                hours: self.number("Retainer_Hours__c", &self.retainer_hours)?,
                fee: self.number("Retainer_Fee__c", &self.retainer_fee)?,
                overage: self.number("Overage_Rate__c", &self.overage_rate)?,
                roll_over_hours: self.number("Roll_Over_Hours__c", &self.roll_over_hours)?,
                roll_over_months: self.number("Roll_Over_Months__c", &self.roll_over_months)?,
            },
            increment: IncrementClause {
                step: self.choice("Increment__c", &self.increment)?,
                rounding: self.choice("Rounding__c", &self.rounding)?,
                together: self.choice("Rounded_Together__c", &self.rounded_together)?,
                least: self.number("Least_Minutes__c", &self.least_minutes)?,
            },
            hours: self.choice("Hours_Billed__c", &self.hours_billed)?.unwrap_or_default(),
            after_hours: AfterHoursClause {
                factor: self.number("After_Hours_Factor__c", &self.after_hours_factor)?,
                windows: said(self.after_hours.as_ref()),
            },
            markup: self.number("Markup_Percent__c", &self.markup_percent)?,
            discounts: discounts.iter().map(DiscountRecord::clause).collect::<Result<_, _>>()?,
            minimum_charge: self.number("Minimum_Charge__c", &self.minimum_charge)?,
            cap: self.number("Cap_Amount__c", &self.cap_amount)?,
            cap_span: self.choice("Cap_Of__c", &self.cap_of)?,
            tax: self.choice("Tax_Treatment__c", &self.tax_treatment)?.unwrap_or_default(),
            fees_tax: TaxClause {
                kind: self.choice("Fees_Tax_Treatment__c", &self.fees_tax_treatment)?,
                percent: self.number("Fees_Tax_Rate__c", &self.fees_tax_percent)?,
            },
            expenses_tax: TaxClause {
                kind: self.choice("Expenses_Tax_Treatment__c", &self.expenses_tax_treatment)?,
                percent: self.number("Expenses_Tax_Rate__c", &self.expenses_tax_percent)?,
            },
            tax_rounding: self.choice("Tax_Rounding__c", &self.tax_rounding)?.unwrap_or_default(),
            late: LateClause {
                interest: self.number("Late_Interest__c", &self.late_interest)?,
                once: self.number("Late_Fee__c", &self.late_fee)?,
            },
        })
    }
}

/// `Portal_Rate__c`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
pub struct RateRecord {
    #[serde(rename = "Id")]
    pub id: SalesforceId,
    #[serde(rename = "Contract__c")]
    pub contract: Option<SalesforceId>,
    #[serde(rename = "Role__c")]
    pub role: Option<String>,
    #[serde(rename = "Work_Type__c")]
    pub work_type: Option<String>,
    #[serde(rename = "Person__c")]
    pub person: Option<String>,
    #[serde(rename = "Above_Hours__c")]
    pub above_hours: Option<serde_json::Number>,
    #[serde(rename = "Hourly_Rate__c")]
    pub hourly_rate: Option<serde_json::Number>,
    #[serde(rename = "Valid_From__c")]
    pub valid_from: Option<Date>,
    #[serde(rename = "IsDeleted")]
    pub is_deleted: bool,
}

record!(
    RateRecord,
    Object::Rate,
    [
        "Id",
        "Contract__c",
        "Role__c",
        "Work_Type__c",
        "Person__c",
        "Above_Hours__c",
        "Hourly_Rate__c",
        "Valid_From__c",
        "IsDeleted",
    ]
);

impl RateRecord {
    fn rate(&self) -> Result<Rate, Unusable> {
        Ok(Rate {
            salesforce_id: self.id,
            role: self.role.clone().unwrap_or_default(),
            work_type: said(self.work_type.as_ref()),
            person: said(self.person.as_ref()),
            above_hours: number(self.id, "Above_Hours__c", self.above_hours.as_ref())?,
            hourly_rate: needed(self.id, "Hourly_Rate__c", self.hourly_rate.as_ref())?,
            valid_from: self.valid_from,
        })
    }
}

/// `Milestone__c`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
pub struct MilestoneRecord {
    #[serde(rename = "Id")]
    pub id: SalesforceId,
    #[serde(rename = "Contract__c")]
    pub contract: Option<SalesforceId>,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Amount__c")]
    pub amount: Option<serde_json::Number>,
    #[serde(rename = "Due_On__c")]
    pub due_on: Option<Date>,
    #[serde(rename = "Completed_On__c")]
    pub completed_on: Option<Date>,
    #[serde(rename = "Case__c")]
    pub case: Option<SalesforceId>,
    #[serde(rename = "IsDeleted")]
    pub is_deleted: bool,
}

record!(
    MilestoneRecord,
    Object::Milestone,
    ["Id", "Contract__c", "Name", "Amount__c", "Due_On__c", "Completed_On__c", "Case__c", "IsDeleted"]
);

impl MilestoneRecord {
    fn milestone(&self) -> Result<Milestone, Unusable> {
        Ok(Milestone {
            salesforce_id: self.id,
            name: self.name.clone(),
            amount: needed(self.id, "Amount__c", self.amount.as_ref())?,
            due_on: self.due_on,
            completed_on: self.completed_on,
            case: self.case,
        })
    }
}

/// `Portal_Block__c`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
pub struct BlockRecord {
    #[serde(rename = "Id")]
    pub id: SalesforceId,
    #[serde(rename = "Contract__c")]
    pub contract: Option<SalesforceId>,
    #[serde(rename = "Bought_On__c")]
    pub bought_on: Option<Date>,
    #[serde(rename = "Hours__c")]
    pub hours: Option<serde_json::Number>,
    #[serde(rename = "Price__c")]
    pub price: Option<serde_json::Number>,
    #[serde(rename = "Expires_On__c")]
    pub expires_on: Option<Date>,
    #[serde(rename = "IsDeleted")]
    pub is_deleted: bool,
}

record!(
    BlockRecord,
    Object::Block,
    ["Id", "Contract__c", "Bought_On__c", "Hours__c", "Price__c", "Expires_On__c", "IsDeleted"]
);

impl BlockRecord {
    fn block(&self) -> Result<PrepaidHours, Unusable> {
        Ok(PrepaidHours {
            salesforce_id: self.id,
            bought_on: self.bought_on.ok_or_else(|| Wrong::Missing.in_field(self.id, "Bought_On__c"))?,
            hours: needed(self.id, "Hours__c", self.hours.as_ref())?,
            price: needed(self.id, "Price__c", self.price.as_ref())?,
            expires_on: self.expires_on,
        })
    }
}

/// `Portal_Discount__c`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "named after the Salesforce fields")]
pub struct DiscountRecord {
    #[serde(rename = "Id")]
    pub id: SalesforceId,
    #[serde(rename = "Contract__c")]
    pub contract: Option<SalesforceId>,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Order__c")]
    pub order: Option<serde_json::Number>,
    #[serde(rename = "Applies_To__c")]
    pub applies_to: Option<String>,
    #[serde(rename = "Percent__c")]
    pub percent: Option<serde_json::Number>,
    #[serde(rename = "Amount__c")]
    pub amount: Option<serde_json::Number>,
    #[serde(rename = "From_Amount__c")]
    pub from_amount: Option<serde_json::Number>,
    #[serde(rename = "IsDeleted")]
    pub is_deleted: bool,
}

record!(
    DiscountRecord,
    Object::Discount,
    [
        "Id",
        "Contract__c",
        "Name",
        "Order__c",
        "Applies_To__c",
        "Percent__c",
        "Amount__c",
        "From_Amount__c",
        "IsDeleted",
    ]
);

impl DiscountRecord {
    fn clause(&self) -> Result<DiscountClause, Unusable> {
        let number = |field, value: &Option<serde_json::Number>| number(self.id, field, value.as_ref());
        Ok(DiscountClause {
            salesforce_id: self.id,
            name: self.name.clone(),
            place: number("Order__c", &self.order)?,
            on: chosen(self.id, "Applies_To__c", self.applies_to.as_ref())?,
            percent: number("Percent__c", &self.percent)?,
            amount: number("Amount__c", &self.amount)?,
            from: number("From_Amount__c", &self.from_amount)?,
        })
    }
}

/// A number that there has to be.
fn needed(
    record: SalesforceId,
    field: &'static str,
    value: Option<&serde_json::Number>,
) -> Result<Decimal, Unusable> {
    number(record, field, value)?.ok_or_else(|| Wrong::Missing.in_field(record, field))
}
